//! Recognition: which protocol a flow speaks, by patterns at the start of a direction, by probes, and by port.
//!
//! Data comes from the registry (`Protocol::recognise`) and the configuration (`app-layer.protocols.<name>`).

use super::{Pattern, Probe, ProtocolId, PROTOCOLS};
use crate::direction::Dir;
use serde_json::Value;

/// A direction that showed this many bytes and is still nothing known is given up.
pub const RECOGNISE_MAX_BYTES: usize = 4096;

/// What recognition says of a direction's first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guess {
    Is(ProtocolId),
    /// It is this, and the bytes come from the server, although the flow says client.
    Reversed(ProtocolId),
    Unknown,
    /// Too few bytes to say.
    Unsure,
}

/// What to do with a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enabled {
    Yes,
    No,
    /// Recognise, do not parse.
    DetectionOnly,
}

struct Candidate {
    id: ProtocolId,
    enabled: Enabled,
    /// By transport: TCP, UDP.
    ports: [Vec<u16>; 2],
}

/// The recogniser, built once from registry and configuration.
pub struct Recogniser {
    candidates: Vec<Candidate>,
    /// Enabled candidates by transport: TCP, UDP.
    by_transport: [Vec<usize>; 2],
}

impl Recogniser {
    /// `protocols` is the node `app-layer.protocols`.
    pub fn new(protocols: &Value) -> Self {
        let mut candidates = Vec::new();
        for (at, protocol) in PROTOCOLS.iter().enumerate() {
            let Ok(id) = u8::try_from(at) else { break };
            let node = &protocols[protocol.name];
            let enabled = match &node["enabled"] {
                Value::Bool(false) => Enabled::No,
                Value::String(text) if text == "no" => Enabled::No,
                Value::String(text) if text == "detection-only" => Enabled::DetectionOnly,
                _ => Enabled::Yes,
            };
            candidates.push(Candidate {
                id: ProtocolId(id),
                enabled,
                ports: [
                    ports(node, "tcp", protocol.recognise.tcp_ports),
                    ports(node, "udp", protocol.recognise.udp_ports),
                ],
            });
        }
        let speaking = |tcp: bool| {
            let enabled = candidates.iter().enumerate().filter(|(_, c)| c.enabled != Enabled::No);
            let speaks = |c: &Candidate| if tcp { c.id.get().tcp } else { c.id.get().udp };
            enabled.filter(|(_, c)| speaks(c)).map(|(at, _)| at).collect()
        };
        Recogniser { by_transport: [speaking(true), speaking(false)], candidates }
    }

    pub fn enabled(&self, id: ProtocolId) -> Enabled {
        self.candidates.get(usize::from(id.0)).map_or(Enabled::No, |c| c.enabled)
    }

    /// Looks at the first bytes of a direction. `server_port` is the flow's destination port, `client_port` its source port.
    /// `either_way`: the flow was picked up in its middle, so its direction may be wrong.
    pub fn guess(
        &self,
        tcp: bool,
        dir: Dir,
        data: &[u8],
        (server_port, client_port): (u16, u16),
        either_way: bool,
    ) -> Guess {
        let mut unsure = false;
        let [tcp_order, udp_order] = &self.by_transport;
        let order = if tcp { tcp_order } else { udp_order };
        for candidate in order.iter().filter_map(|at| self.candidates.get(*at)) {
            let recognise = &candidate.id.get().recognise;
            let pattern_hit = recognise.patterns.iter().any(|p| p.dir == dir && hits(p, data));
            let [tcp_ports, udp_ports] = &candidate.ports;
            let ports = if tcp { tcp_ports } else { udp_ports };
            let on_port = ports.contains(&server_port) || ports.contains(&client_port);
            unsure |= tcp && recognise.patterns.iter().any(|p| p.dir == dir && may_hit(p, data));
            if !pattern_hit && !on_port {
                let back = dir.opposite();
                if either_way
                    && recognise.patterns.iter().any(|p| p.dir == back && hits(p, data))
                    && recognise.probe.is_none_or(|probe| probe(back, data) == Probe::Yes)
                {
                    return Guess::Reversed(candidate.id);
                }
                continue;
            }
            match recognise.probe {
                None if pattern_hit => return Guess::Is(candidate.id),
                None => {}
                Some(probe) => match probe(dir, data) {
                    // What both sides may say goes by the ports, where the flow's direction is in doubt.
                    Probe::Yes
                        if either_way
                            && !ports.contains(&server_port)
                            && ports.contains(&client_port)
                            && probe(dir.opposite(), data) == Probe::Yes =>
                    {
                        return Guess::Reversed(candidate.id)
                    }
                    Probe::Yes => return Guess::Is(candidate.id),
                    Probe::Reversed => return Guess::Reversed(candidate.id),
                    Probe::Unsure => unsure = true,
                    Probe::No => {}
                },
            }
        }
        if unsure && data.len() < RECOGNISE_MAX_BYTES {
            Guess::Unsure
        } else {
            Guess::Unknown
        }
    }
}

fn hits(pattern: &Pattern, data: &[u8]) -> bool {
    let end = usize::from(pattern.depth).min(data.len());
    let Some(window) = data.get(usize::from(pattern.offset)..end) else { return false };
    let len = pattern.bytes.len();
    if pattern.nocase {
        window.windows(len).any(|w| w.eq_ignore_ascii_case(pattern.bytes))
    } else if window.len() <= len {
        window == pattern.bytes
    } else {
        memchr::memmem::find(window, pattern.bytes).is_some()
    }
}

/// Whether more data could make the pattern hit.
fn may_hit(pattern: &Pattern, data: &[u8]) -> bool {
    let (offset, depth) = (usize::from(pattern.offset), usize::from(pattern.depth));
    if data.len() >= depth {
        return false;
    }
    let fixed = depth.saturating_sub(offset) == pattern.bytes.len();
    let begun = data.get(offset..).unwrap_or(&[]);
    let same = |a: &u8, b: &u8| if pattern.nocase { a.eq_ignore_ascii_case(b) } else { a == b };
    !fixed || begun.iter().zip(pattern.bytes).all(|(a, b)| same(a, b))
}

/// `detection-ports.dp` of the configuration (a number, or a list as text), else the registry's.
fn ports(node: &Value, transport: &str, default: &[u16]) -> Vec<u16> {
    const DP: &str = "/detection-ports/dp";
    let at_transport = node.get(transport).and_then(|node| node.pointer(DP)).filter(|dp| !dp.is_null());
    match at_transport.or_else(|| node.pointer(DP)).unwrap_or(&Value::Null) {
        Value::Number(number) => number.as_u64().and_then(|n| u16::try_from(n).ok()).into_iter().collect(),
        Value::String(text) => {
            text.trim_matches(['[', ']']).split(',').filter_map(|part| part.trim().parse().ok()).collect()
        }
        Value::Array(items) => items
            .iter()
            .filter_map(|v| v.as_u64().or_else(|| v.as_str()?.trim().parse().ok()))
            .filter_map(|n| u16::try_from(n).ok())
            .collect(),
        _ => default.to_vec(),
    }
}
