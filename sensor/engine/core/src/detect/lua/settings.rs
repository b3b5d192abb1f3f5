//! What scripts of rules may do: the node `security.lua` of the configuration (Suricata manual, "security.lua").

use serde_json::Value;

/// Suricata's limits of one script.
const BYTES_MAX: usize = 500_000;
const INSTRUCTIONS_MAX: u64 = 500_000;

#[derive(Clone, Debug)]
pub struct Settings {
    /// Rules may run scripts at all.
    pub allowed: bool,
    /// Scripts get the whole of Lua but its debug library: files, processes, and all that can be done with them.
    pub restricted: bool,
    /// Memory of a script's own in one worker, in bytes.
    pub max_bytes: usize,
    /// Instructions of one call.
    pub max_instructions: u64,
    /// Where events go, for scripts that ask.
    pub log_path: String,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            allowed: false,
            restricted: false,
            max_bytes: BYTES_MAX,
            max_instructions: INSTRUCTIONS_MAX,
            log_path: String::new(),
        }
    }
}

impl Settings {
    pub fn new(document: &Value) -> Settings {
        let node = document.pointer("/security/lua").unwrap_or(&Value::Null);
        let usual = Settings::default();
        let bytes = node["max-bytes"].as_u64().and_then(|n| usize::try_from(n).ok());
        Settings {
            allowed: node["allow-rules"].as_bool().unwrap_or(usual.allowed),
            restricted: node["allow-restricted-functions"].as_bool().unwrap_or(usual.restricted),
            max_bytes: bytes.unwrap_or(usual.max_bytes),
            max_instructions: node["max-instructions"].as_u64().unwrap_or(usual.max_instructions),
            log_path: document["default-log-dir"].as_str().unwrap_or_default().to_owned(),
        }
    }
}
