//! What this build knows, as JSON for the command line: protocols and sticky buffers, straight from the registries.

use crate::app::{Pattern, Protocol, PROTOCOLS};
use crate::detect::buffers;
use crate::detect::keywords::directions;
use crate::direction::Dir;
use serde_json::{json, Value};

/// `[{name, aliases, transport, recognise, buffers, numbers, frames, events, hooks, record, doc}]`; `recognise` is
/// `{patterns: [{direction, bytes, offset, depth, nocase}], probe, tcp_ports, udp_ports}`, `hooks` the progress steps by direction.
pub fn protocols_json() -> String {
    let list: Vec<Value> = PROTOCOLS.iter().map(|p| protocol(p)).collect();
    Value::from(list).to_string()
}

fn protocol(p: &Protocol) -> Value {
    let transport: Vec<&str> =
        [(p.tcp, "tcp"), (p.udp, "udp")].into_iter().filter(|t| t.0).map(|t| t.1).collect();
    json!({
        "name": p.name,
        "aliases": p.aliases,
        "transport": transport,
        "recognise": {
            "patterns": p.recognise.patterns.iter().map(pattern).collect::<Vec<_>>(),
            "probe": p.recognise.probe.is_some(),
            "tcp_ports": p.recognise.tcp_ports,
            "udp_ports": p.recognise.udp_ports,
        },
        "buffers": p.buffers.iter().map(|b| b.name).collect::<Vec<_>>(),
        "numbers": p.numbers.iter().map(|n| n.name).collect::<Vec<_>>(),
        "frames": p.frames,
        "events": p.events,
        "hooks": { "to_server": p.states[Dir::ToServer], "to_client": p.states[Dir::ToClient] },
        "record": p.record,
        "doc": p.doc,
    })
}

/// The bytes stand as in a rule's content.
fn pattern(pattern: &Pattern) -> Value {
    json!({
        "direction": if pattern.dir == Dir::ToServer { "to_server" } else { "to_client" },
        "bytes": as_content(pattern.bytes),
        "offset": pattern.offset,
        "depth": pattern.depth,
        "nocase": pattern.nocase,
    })
}

fn as_content(bytes: &[u8]) -> String {
    let mut out = String::new();
    let mut hex = false;
    for byte in bytes {
        let plain = (byte.is_ascii_graphic() || *byte == b' ') && !b"|\"\\;:".contains(byte);
        if plain == hex {
            out.push('|');
        } else if hex {
            out.push(' ');
        }
        hex = !plain;
        if plain {
            out.push(char::from(*byte));
        } else {
            out.push_str(&format!("{byte:02x}"));
        }
    }
    if hex {
        out.push('|');
    }
    out
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_as_a_content() {
        assert_eq!(as_content(b"\x00\x01AB|"), "|00 01|AB|7c|");
        assert_eq!(as_content(b"GET "), "GET ");
    }
}
