-- The global functions of Suricata 7 and before (its user guide, "Lua functions"), over the libraries of
-- prelude.lua.
local rust, slot, base = ...
local pairs, select, type, unpack = pairs, select, type, table.unpack
local ask, logger, int_methods, var_methods = base.ask, base.logger, base.ints, base.vars
local http, dns, tls, ja3, ssh, smtp = base.http, base.dns, base.tls, base.ja3, base.ssh, base.smtp

local function list_item(list, index)
    return type(index) == "number" and list[index + 1] or nil
end
for _, prefix in pairs({ "SC", "Sc" }) do
    _G[prefix .. "FlowintGet"] = function(index)
        return ask("flowint", list_item(slot.flowint, index))
    end
    _G[prefix .. "FlowintSet"] = function(index, value)
        ask("flowint_set", list_item(slot.flowint, index), value)
    end
    _G[prefix .. "FlowintIncr"] = function(index)
        return int_methods.incr({ name = list_item(slot.flowint, index) })
    end
    _G[prefix .. "FlowintDecr"] = function(index)
        return int_methods.decr({ name = list_item(slot.flowint, index) })
    end
    _G[prefix .. "FlowvarGet"] = function(index)
        return ask("flowvar", list_item(slot.flowvar, index))
    end
    _G[prefix .. "FlowvarSet"] = function(index, value, len)
        var_methods.set({ name = list_item(slot.flowvar, index) }, value, len)
    end
end
function SCByteVarGet(index)
    return ask("bytevar", list_item(slot.bytevar, index))
end
local function file_fields(...)
    local names, count = { ... }, select("#", ...)
    return function()
        local facts = ask("file")
        if facts ~= nil then
            local values = {}
            for at = 1, count do
                values[at] = facts[names[at]]
            end
            return unpack(values, 1, count)
        end
    end
end
SCFileInfo = file_fields("file_id", "tx_id", "name", "size", "magic", "md5", "sha1", "sha256")
SCFileState = file_fields("get_state", "is_stored")
SCThreadInfo = function()
    local id, name = rust.thread()
    return id, name, "detect"
end
SCLogPath = rust.log_path
SCLogError, SCLogWarning, SCLogNotice = logger("error"), logger("warning"), logger("notice")
SCLogInfo, SCLogDebug = logger("info"), logger("debug")

for name, what in pairs({
    SCPacketTimestamp = "packet.timestamp", SCPacketTimeString = "packet.timestring_legacy",
    SCPacketTuple = "packet.tuple",
    SCPacketPayload = "packet.payload", SCFlowTimestamps = "flow.timestamps",
    SCFlowTimeString = "flow.timestring_legacy",
    SCFlowTuple = "flow.tuple", SCFlowAppLayerProto = "flow.app_layer_proto",
    SCFlowHasAlerts = "flow.has_alerts",
    SCFlowStats = "flow.stats", SCFlowId = "flow.id", SCRuleMsg = "rule.msg", SCRuleClass = "rule.class",
    SCRuleAction = "rule.action",
}) do
    _G[name] = function()
        return ask(what)
    end
end
function SCRuleIds()
    return ask("rule.sid"), ask("rule.rev"), ask("rule.gid")
end

-- A global function for a method, where the transaction has it.
local function global(name, guard, method)
    _G[name] = function(...)
        if ask("provides", guard) then
            return method(nil, ...)
        end
        return nil
    end
end
for name, method in pairs({
    HttpGetRequestBody = "request_body", HttpGetResponseBody = "response_body",
    HttpGetRequestHost = "request_host",
    HttpGetRequestHeader = "request_header", HttpGetResponseHeader = "response_header",
    HttpGetRequestLine = "request_line",
    HttpGetResponseLine = "response_line", HttpGetRawRequestHeaders = "request_headers_raw",
    HttpGetRawResponseHeaders = "response_headers_raw", HttpGetRequestUriRaw = "request_uri_raw",
    HttpGetRequestUriNormalized = "request_uri_normalized", HttpGetRequestHeaders = "request_headers",
    HttpGetResponseHeaders = "response_headers",
}) do
    global(name, "http.uri", http[method])
end
for name, method in pairs({
    DnsGetQueries = "queries", DnsGetAnswers = "answers", DnsGetAuthorities = "authorities",
    DnsGetRcode = "rcode_string",
    DnsGetRecursionDesired = "recursion_desired", DnsGetTxid = "txid", DnsGetDnsRrname = "rrname",
}) do
    global(name, "dns.queries.rrname", dns[method])
end
for name, method in pairs({
    TlsGetVersion = "get_server_version", TlsGetCertInfo = "get_server_cert_info",
    TlsGetCertChain = "get_server_cert_chain",
    TlsGetCertNotAfter = "get_server_cert_not_after", TlsGetCertNotBefore = "get_server_cert_not_before",
    TlsGetCertSerial = "get_server_serial", TlsGetSNI = "get_sni",
}) do
    global(name, "tls.sni", tls[method])
end
for name, method in pairs({
    Ja3GetHash = "ja3_get_hash", Ja3GetString = "ja3_get_string", Ja3SGetHash = "ja3s_get_hash",
    Ja3SGetString = "ja3s_get_string",
    JA3SGetString = "ja3s_get_string",
}) do
    global(name, "ja3.hash", ja3[method])
end
for name, method in pairs({
    SshGetServerProtoVersion = "server_proto", SshGetServerSoftwareVersion = "server_software",
    SshGetClientProtoVersion = "client_proto", SshGetClientSoftwareVersion = "client_software",
    HasshGet = "client_hassh",
    HasshGetString = "client_hassh_string", HasshServerGet = "server_hassh",
    HasshServerGetString = "server_hassh_string",
}) do
    global(name, "ssh.proto", ssh[method])
end
for name, method in pairs({
    SMTPGetMimeField = "get_mime_field", SMTPGetMimeList = "get_mime_list", SMTPGetMailFrom = "get_mail_from",
    SMTPGetRcptList = "get_rcpt_list",
}) do
    global(name, "smtp.mail_from", smtp[method])
end
