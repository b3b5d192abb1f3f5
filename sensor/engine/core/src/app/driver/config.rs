//! What parsers are configured by.

use crate::app::Protocol;
use serde_json::Value;
use std::collections::HashSet;

/// The node `app-layer.protocols.<name>`, and with it under `log` the options of its record
/// (`eve-types.<record>`) and under `inspected` the names of its sticky buffers that rules look at.
pub fn of(protocol: &Protocol, document: &Value, inspected: &HashSet<&str>) -> Value {
    let own = document.pointer("/app-layer/protocols").and_then(|protocols| protocols.get(protocol.name));
    let mut node = own.and_then(Value::as_object).cloned().unwrap_or_default();
    let names = protocol.buffers.iter().map(|b| b.name).filter(|name| inspected.contains(name));
    node.insert("inspected".to_owned(), names.collect::<Vec<_>>().into());
    let log = document.get("eve-types").and_then(|types| types.get(protocol.record));
    node.insert("log".to_owned(), log.cloned().unwrap_or_default());
    let version = document.pointer("/eve/version");
    node.insert("eve-version".to_owned(), version.cloned().unwrap_or_default());
    Value::Object(node)
}
