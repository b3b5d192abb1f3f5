//! What the configuration says of DNS records (Suricata manual, "EVE JSON output": `dns`).

use super::message::Message;
use super::rrtype;
use crate::setting::switch;
use serde_json::Value;

/// Which messages are logged and how.
#[derive(Clone, Debug)]
pub struct Options {
    requests: bool,
    responses: bool,
    /// Record types asked for; None: all.
    types: Option<Vec<u16>>,
    pub form: Form,
}

/// The shape of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// The form of Suricata 5 to 7 in records of their own: one per query, one per response.
    pub old: bool,
    /// The same inside alerts.
    pub old_in_alerts: bool,
    /// Answers in full.
    pub detailed: bool,
    /// Answers' data by type.
    pub grouped: bool,
}

impl Default for Form {
    fn default() -> Form {
        Form { old: false, old_in_alerts: false, detailed: true, grouped: true }
    }
}

impl Default for Options {
    fn default() -> Options {
        Options { requests: true, responses: true, types: None, form: Form::default() }
    }
}

impl Options {
    /// From what the driver gives a parser: node `log`, and `eve-version`.
    pub fn new(config: &Value) -> Options {
        let log = &config["log"];
        let on = |names: [&str; 2]| names.iter().find_map(|name| switch(&log[*name])).unwrap_or(true);
        let eve_is_old = config["eve-version"].as_u64().is_some_and(|version| version < 8);
        let old = log["version"].as_u64().map_or(eve_is_old, |version| version < 3);
        let formats: Vec<&str> =
            log["formats"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let has = |format: &str| formats.is_empty() || formats.contains(&format);
        let types = log["types"].as_array().filter(|list| !list.is_empty()).map(|list| {
            let known = |name: &str| {
                rrtype::RRTYPES.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(n, _)| *n)
            };
            list.iter().filter_map(Value::as_str).filter_map(known).collect()
        });
        Options {
            requests: on(["query", "requests"]),
            responses: on(["answer", "responses"]),
            types,
            form: Form { old, old_in_alerts: eve_is_old, detailed: has("detailed"), grouped: has("grouped") },
        }
    }

    /// Whether this message gives a record: by its direction and by the types it asks for.
    pub fn wants(&self, message: &Message) -> bool {
        let direction = if message.header.is_response() { self.responses } else { self.requests };
        let typed = |types: &Vec<u16>| message.queries.iter().any(|query| types.contains(&query.rrtype));
        direction && self.types.as_ref().is_none_or(typed)
    }
}
