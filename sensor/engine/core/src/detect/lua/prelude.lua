-- The libraries of Suricata's script API (user guide, "Lua functions", "Lua Libraries") over what the engine
-- answers: `rust` are functions that need no packet, `slot.ask` answers about the packet in hand and is there
-- only during a call. Scripts see what is put into the globals at the end, never these locals.
local rust, slot = ...
local setmetatable, error, type, tostring, select, pairs = setmetatable, error, type, tostring, select, pairs
local sub, gsub, concat = string.sub, string.gsub, table.concat

local function ask(...)
    local answer = slot.ask
    if answer == nil then
        error("there is no packet at this point", 3)
    end
    return answer(...)
end

-- A class of objects: `methods`, made by `new`.
local function class(methods)
    local meta = { __index = methods, __metatable = false }
    return function(fields)
        return setmetatable(fields or {}, meta)
    end
end

local libs = {}

-- packet and flow -------------------------------------------------------------------------------------------

local packet_methods = {}
for _, name in pairs({
    "tuple", "sp", "dp", "payload", "packet", "timestamp", "timestring_legacy", "timestring_iso8601",
    "pcap_cnt",
}) do
    packet_methods[name] = function()
        return ask("packet." .. name)
    end
end
local new_packet = class(packet_methods)
libs.packet = {
    get = function()
        ask("packet.pcap_cnt")
        return new_packet()
    end,
}

local flow_methods = {}
for _, name in pairs({
    "tuple", "timestamps", "timestring_legacy", "timestring_iso8601", "app_layer_proto", "has_alerts", "id",
    "stats",
}) do
    flow_methods[name] = function()
        return ask("flow." .. name)
    end
end
local new_flow = class(flow_methods)
libs.flow = {
    get = function()
        if ask("flow.id") == nil then
            return nil, "error: no flow"
        end
        return new_flow()
    end,
}

-- variables -------------------------------------------------------------------------------------------------

local INT_MAX = 0xffffffff
local int_methods = {}
local new_int = class(int_methods)
function int_methods.value(self)
    return ask("flowint", self.name)
end
function int_methods.set(self, value)
    return ask("flowint_set", self.name, value)
end
function int_methods.incr(self)
    local value = ask("flowint", self.name) or 0
    return ask("flowint_set", self.name, value < INT_MAX and value + 1 or value)
end
function int_methods.decr(self)
    local value = ask("flowint", self.name) or 0
    return ask("flowint_set", self.name, value > 0 and value - 1 or 0)
end

local var_methods = {}
local new_var = class(var_methods)
function var_methods.value(self)
    return ask("flowvar", self.name)
end
function var_methods.set(self, value, len)
    if type(value) ~= "string" or type(len) ~= "number" or len < 0 then
        error("flowvar: set needs a value and its length", 2)
    end
    return ask("flowvar_set", self.name, sub(value, 1, len))
end

-- register(name) notes the name while the rule loads; get(name) gives a handle.
local function variables(list, new)
    return {
        register = function(name)
            list[#list + 1] = tostring(name)
        end,
        get = function(name)
            return new({ name = tostring(name) })
        end,
    }
end
libs.flowint = variables(slot.flowint, new_int)
libs.flowvar = variables(slot.flowvar, new_var)

local byte_methods = {}
local new_byte = class(byte_methods)
function byte_methods.value(self)
    return ask("bytevar", self.name)
end
local function known_byte(name)
    if not slot.variables[name] then
        error("unknown byte variable: " .. tostring(name), 3)
    end
end
libs.bytevar = {
    map = function(_, name)
        known_byte(name)
    end,
    get = function(name)
        known_byte(name)
        return new_byte({ name = name })
    end,
}

-- rule, configuration, log ----------------------------------------------------------------------------------

local rule_methods = {}
for _, name in pairs({ "sid", "gid", "rev", "action", "msg", "class", "class_description", "priority" }) do
    rule_methods[name] = function()
        return ask("rule." .. name)
    end
end
local new_rule = class(rule_methods)
libs.rule = {
    get_rule = function()
        ask("rule.sid")
        return new_rule()
    end,
}

libs.config = { log_path = rust.log_path }
libs.util = {
    thread_info = function()
        local id, name = rust.thread()
        return { id = id, name = name }
    end,
}

local function logger(level)
    return function(text)
        rust.log(level, tostring(text))
    end
end
libs.log = {}
for _, level in pairs({ "error", "warning", "notice", "info", "perf", "config", "debug" }) do
    libs.log[level] = logger(level)
end

-- hashes, base64, data sets ---------------------------------------------------------------------------------

local hash = {}
for _, name in pairs({ "md5", "sha1", "sha256" }) do
    local digest, hex = rust[name], rust[name .. "_hex"]
    hash[name .. "_digest"] = digest
    hash[name .. "_hexdigest"] = hex
    hash[name .. "_hex_digest"] = hex
    local methods = {}
    local function take(self)
        local parts = self.parts
        if parts == nil then
            error("hasher is finalized", 3)
        end
        return parts
    end
    function methods.update(self, text)
        local parts = take(self)
        parts[#parts + 1] = tostring(text)
    end
    function methods.finalize(self)
        local parts = take(self)
        self.parts = nil
        return digest(concat(parts))
    end
    function methods.finalize_to_hex(self)
        local parts = take(self)
        self.parts = nil
        return hex(concat(parts))
    end
    local new = class(methods)
    hash[name] = function()
        return new({ parts = {} })
    end
end
libs.hashlib = hash
libs.hashing = hash

libs.base64 = {
    encode = rust.base64_encode,
    encode_nopad = function(text)
        return (gsub(rust.base64_encode(text), "=", ""))
    end,
    decode = rust.base64_decode,
    decode_nopad = rust.base64_decode_nopad,
    decode_padopt = rust.base64_decode_padopt,
    decode_rfc2045 = rust.base64_decode_rfc2045,
    decode_rfc4648 = rust.base64_decode_rfc4648,
}

local set_methods = {}
local new_set = class(set_methods)
function set_methods.get(self, name)
    if not rust.dataset_find(name) then
        return nil, "unknown dataset: " .. tostring(name)
    end
    self.name = name
    return self
end
function set_methods.add(self, value, len)
    if type(self) ~= "table" or self.name == nil then
        return nil, "dataset is not initialized"
    end
    if type(value) ~= "string" or type(len) ~= "number" or len ~= #value then
        return nil, "string and its length expected"
    end
    return rust.dataset_add(self.name, value)
end
libs.dataset = { new = new_set, get = set_methods.get, add = set_methods.add }

-- what scripts see ------------------------------------------------------------------------------------------

local restricted_require = slot.require
function require(name)
    local lib = type(name) == "string" and sub(name, 1, 9) == "suricata." and libs[sub(name, 10)]
    if lib then
        return lib
    elseif name == "haidang.tx" then
        return libs.any
    elseif restricted_require ~= nil then
        return restricted_require(name)
    end
    error("Lua library not found: " .. tostring(name), 2)
end

function print(...)
    local parts = {}
    for at = 1, select("#", ...) do
        parts[at] = tostring((select(at, ...)))
    end
    rust.log("print", concat(parts, "\t"))
end

return { ask = ask, class = class, libs = libs, ints = int_methods, vars = var_methods, logger = logger }
