-- Libraries of protocols (Suricata user guide, "Lua Libraries"), by the names of sticky buffers and integer
-- keywords: what the engine knows of a protocol it answers by those alone.
local _, slot, base = ...
local ask, class, libs = base.ask, base.class, base.libs
local pairs, tostring = pairs, tostring
local find, sub, lower = string.find, string.sub, string.lower

-- A method that answers a sticky buffer of the transaction.
local function buffer(name, dir)
    return function()
        return (ask("buffer", name, dir))
    end
end

local function number(name, dir)
    return function()
        return ask("number", name, dir)
    end
end

-- get_tx() of a library: the transaction, if its protocol has the sticky buffer `name`.
local function get_tx(what, name, methods)
    local new = class(methods)
    return function()
        if ask("provides", name) then
            return new()
        end
        return nil, "error: no " .. what .. " transaction"
    end
end

-- "Name: value" lines of a multi-buffer, as a table; with `wanted` the value of that name.
local function header_lines(name, dir, wanted)
    local all = {}
    for _, line in pairs(ask("buffers", name, dir)) do
        local colon = find(line, ": ", 2, true)
        if colon then
            local key, value = sub(line, 1, colon - 1), sub(line, colon + 2)
            if wanted ~= nil and lower(key) == wanted then
                return value
            end
            all[key] = value
        end
    end
    return wanted == nil and all or nil
end
local function header(name, dir)
    return function(_, key)
        return header_lines(name, dir, lower(tostring(key)))
    end
end
local function headers(name, dir)
    return function()
        return header_lines(name, dir)
    end
end
local function body(name, dir)
    return function()
        local data, offset = ask("buffer", name, dir)
        if data ~= nil then
            return { data }, offset, offset + #data
        end
        return nil
    end
end
local function headers_raw(dir)
    return function()
        return (ask("buffer", "http.header.raw", dir)) or (ask("buffer", "http.header", dir))
    end
end
local http = {
    request_header = header("http.request_header", "to_server"),
    response_header = header("http.response_header", "to_client"),
    request_headers = headers("http.request_header", "to_server"),
    response_headers = headers("http.response_header", "to_client"),
    request_headers_raw = headers_raw("to_server"),
    response_headers_raw = headers_raw("to_client"),
    request_line = buffer("http.request_line", "to_server"),
    response_line = buffer("http.response_line", "to_client"),
    request_uri_raw = buffer("http.uri.raw", "to_server"),
    request_uri_normalized = buffer("http.uri", "to_server"),
    request_host = buffer("http.host", "to_server"),
    request_body = body("http.request_body", "to_server"),
    response_body = body("http.response_body", "to_client"),
}
libs.http = { get_tx = get_tx("HTTP", "http.uri", http) }

-- A section of a DNS message as Suricata gives it: counted from 0.
local function section(name)
    return function()
        local found = (ask("record") or {})[name]
        local all = {}
        for at, entry in pairs(found or {}) do
            all[at - 1] = { rrname = entry.rrname, type = entry.rrtype, ttl = entry.ttl, addr = entry.rdata }
        end
        return all
    end
end
local dns = {
    queries = section("queries"),
    answers = section("answers"),
    authorities = section("authorities"),
    rcode = number("dns.rcode"),
    rcode_string = function()
        return (ask("record") or {}).rcode
    end,
    recursion_desired = function()
        return (ask("record") or {}).rd == true
    end,
    rrname = buffer("dns.queries.rrname"),
    txid = function()
        return (ask("record") or {}).id
    end,
}
libs.dns = { get_tx = get_tx("DNS", "dns.queries.rrname", dns) }
for name, method in pairs(dns) do
    libs.dns[name] = function()
        if ask("provides", "dns.queries.rrname") then
            return method()
        end
        return nil
    end
end

-- Methods on one side's certificates.
local function certificates(dir)
    return {
        chain = function()
            local all = {}
            for at, data in pairs(ask("buffers", "tls.certs", dir)) do
                all[at] = { data = data, length = #data }
            end
            return all
        end,
        info = function()
            local subject = ask("buffer", "tls.cert_subject", dir)
            if subject == nil then
                return nil
            end
            local issuer = ask("buffer", "tls.cert_issuer", dir)
            local fingerprint = ask("buffer", "tls.cert_fingerprint", dir)
            return (ask("record") or {}).version, subject, issuer, fingerprint
        end,
        serial = buffer("tls.cert_serial", dir),
        not_before = number("tls.cert_notbefore", dir),
        not_after = number("tls.cert_notafter", dir),
    }
end
local client, server = certificates("to_server"), certificates("to_client")
local function tls_version()
    return (ask("record") or {}).version
end
local VERSIONS = {
    [0x0200] = "SSLv2", [0x0300] = "SSLv3", [0x0301] = "TLSv1", [0x0302] = "TLS 1.1", [0x0303] = "TLS 1.2",
    [0x0304] = "TLS 1.3",
}
local tls = {
    get_client_version = function()
        return VERSIONS[ask("number", "ssl_version", "to_server")]
    end,
    get_server_version = tls_version,
    get_client_cert_chain = client.chain,
    get_client_cert_info = client.info,
    get_client_serial = client.serial,
    get_client_cert_not_before = client.not_before,
    get_client_cert_not_after = client.not_after,
    get_server_cert_chain = server.chain,
    get_server_cert_info = server.info,
    get_server_serial = server.serial,
    get_server_cert_not_before = server.not_before,
    get_server_cert_not_after = server.not_after,
    get_client_sni = buffer("tls.sni", "to_server"),
    get_sni = buffer("tls.sni", "to_server"),
}
libs.tls = { get_tx = get_tx("TLS", "tls.sni", tls) }

local ja3 = {
    ja3_get_hash = buffer("ja3.hash", "to_server"),
    ja3_get_string = buffer("ja3.string", "to_server"),
    ja3s_get_hash = buffer("ja3s.hash", "to_client"),
    ja3s_get_string = buffer("ja3s.string", "to_client"),
}
-- Parsers compute a fingerprint once a rule looks at its buffer.
local function enable(...)
    local names = { ... }
    return function()
        for _, name in pairs(names) do
            slot.wants[#slot.wants + 1] = name
        end
    end
end
libs.ja3 = { enable_ja3 = enable("ja3.hash", "ja3s.hash"), get_tx = get_tx("TLS or QUIC", "ja3.hash", ja3) }

local ssh = {
    server_proto = buffer("ssh.proto", "to_client"),
    client_proto = buffer("ssh.proto", "to_server"),
    server_software = buffer("ssh.software", "to_client"),
    client_software = buffer("ssh.software", "to_server"),
    client_hassh = buffer("ssh.hassh", "to_server"),
    client_hassh_string = buffer("ssh.hassh.string", "to_server"),
    server_hassh = buffer("ssh.hassh.server", "to_client"),
    server_hassh_string = buffer("ssh.hassh.server.string", "to_client"),
}
libs.ssh = {
    enable_hassh = enable("ssh.hassh", "ssh.hassh.server"),
    get_tx = get_tx("SSH", "ssh.proto", ssh),
}

-- Header fields of a message that the engine keeps, by their names on the wire.
local MAIL = {
    { "From", "email.from" }, { "To", "email.to" }, { "Cc", "email.cc" }, { "Subject", "email.subject" },
    { "Date", "email.date" },
    { "Message-ID", "email.message_id" }, { "X-Mailer", "email.x_mailer" }, { "Received", "email.received" },
}
local smtp = {
    get_mail_from = buffer("smtp.mail_from", "to_server"),
    get_rcpt_list = function()
        return ask("buffers", "smtp.rcpt_to", "to_server")
    end,
    get_mime_list = function()
        local all = {}
        for _, field in pairs(MAIL) do
            if ask("buffer", field[2], "to_server") ~= nil then
                all[#all + 1] = field[1]
            end
        end
        return all
    end,
    get_mime_field = function(_, name)
        for _, field in pairs(MAIL) do
            if lower(field[1]) == lower(tostring(name)) then
                return (ask("buffer", field[2], "to_server"))
            end
        end
        return nil
    end,
}
libs.smtp = { get_tx = get_tx("SMTP", "smtp.mail_from", smtp) }

-- The record of a DNP3 message in the shape of Suricata's library; fields that the record lacks are absent.
libs.dnp3 = {
    get_tx = function()
        local record = ask("protocol") == "dnp3" and ask("record")
        if not record then
            return nil, "error: no DNP3 transaction"
        end
        local application = record.application or {}
        local message = {
            done = application.complete,
            complete = application.complete,
            link_header = { src = record.src, dst = record.dst },
            application_header = { control = application.control, function_code = application.function_code },
            objects = application.objects or {},
            indicators = ask("number", "dnp3_ind", "to_client"),
        }
        local tx = { tx_num = ask("tx_id"), is_request = record.type == "request" }
        tx[tx.is_request and "request" or "response"] = message
        return tx
    end,
}

local file_methods = {}
for _, name in pairs({
    "file_id", "tx_id", "name", "size", "magic", "md5", "sha1", "sha256", "get_state", "is_stored",
}) do
    file_methods[name] = function(self)
        return self.facts[name]
    end
end
local new_file = class(file_methods)
libs.file = {
    get_file = function()
        local facts = ask("file")
        if facts == nil then
            return nil, "error: no file"
        end
        return new_file({ facts = facts })
    end,
}

-- Ours: any transaction, by the names of sticky buffers, integer keywords and EVE fields.
local any = {
    protocol = function() return ask("protocol") end,
    id = function() return ask("tx_id") end,
    record = function() return ask("record") end,
    buffer = function(_, name, dir) return ask("buffer", name, dir) end,
    buffers = function(_, name, dir) return ask("buffers", name, dir) end,
    number = function(_, name, dir, index) return ask("number", name, dir, index) end,
}
local new_any = class(any)
libs.any = {
    get_tx = function()
        if ask("protocol") == nil then
            return nil, "error: no transaction"
        end
        return new_any()
    end,
}

base.http, base.dns, base.tls, base.ja3, base.ssh, base.smtp = http, dns, tls, ja3, ssh, smtp
