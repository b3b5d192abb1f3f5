//! What this build knows, as JSON for the command line: protocols and sticky buffers, straight from the registries.

use crate::app::PROTOCOLS;
use crate::detect::buffers;
use crate::direction::Dir;
use serde_json::{json, Value};

fn directions(buffer: &crate::app::Buffer) -> Vec<&'static str> {
    [(Dir::ToServer, "to_server"), (Dir::ToClient, "to_client")]
        .into_iter()
        .filter(|(dir, _)| buffer.progress[*dir].is_some())
        .map(|(_, name)| name)
        .collect()
}

/// `[{name, aliases, transport, buffers, events, record, doc}]`
pub fn protocols_json() -> String {
    let list: Vec<Value> = PROTOCOLS
        .iter()
        .map(|p| {
            let transport: Vec<&str> =
                [(p.tcp, "tcp"), (p.udp, "udp")].into_iter().filter(|t| t.0).map(|t| t.1).collect();
            json!({
                "name": p.name,
                "aliases": p.aliases,
                "transport": transport,
                "buffers": p.buffers.iter().map(|b| b.name).collect::<Vec<_>>(),
                "events": p.events,
                "record": p.record,
                "doc": p.doc,
            })
        })
        .collect();
    Value::from(list).to_string()
}

/// `[{name, aliases, modifier, protocols, direction, multi, doc}]`
pub fn buffers_json() -> String {
    let list: Vec<Value> = buffers::all()
        .iter()
        .filter_map(|entry| {
            let protocols: Vec<&str> = entry.providers.iter().map(|(p, _)| p.get().name).collect();
            let (first, _) = entry.providers.first().and_then(|(p, _)| entry.of(*p))?;
            Some(json!({
                "name": entry.name,
                "aliases": first.aliases,
                "modifier": first.modifier,
                "protocols": protocols,
                "direction": directions(first),
                "multi": first.multi,
                "doc": first.doc,
            }))
        })
        .collect();
    Value::from(list).to_string()
}
