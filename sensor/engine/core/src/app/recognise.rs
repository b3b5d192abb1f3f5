//! Recognition: which protocol a flow speaks, by patterns at the start of a direction, by probes, and by port.
//!
//! Data comes from the registry (`Protocol::recognise`) and the configuration (`app-layer.protocols.<name>`).

use super::{Pattern, Probe, ProtocolId, PROTOCOLS};
use crate::direction::{Dir, PerDir};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::Range;

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

/// A set of candidates: bit n is the nth of `Recogniser::candidates`.
type Candidates = u64;

/// A pattern and the candidate it is of.
type Owned = (&'static Pattern, Candidates);

/// Patterns of one transport and direction that begin at one place, or anywhere in a stretch of the data.
struct Patterns {
    /// Offsets at which one of them may begin.
    begin: Range<usize>,
    /// Patterns whose first byte, in lower case, is n: patterns[starts[n]..starts[n + 1]].
    starts: Box<[u16]>,
    patterns: Box<[Owned]>,
}

/// What speaks over one transport.
struct Transport {
    patterns: PerDir<Vec<Patterns>>,
    /// Sorted by port.
    ports: Box<[(u16, Candidates)]>,
}

/// The recogniser, built once from registry and configuration.
pub struct Recogniser {
    candidates: Vec<Candidate>,
    tcp: Transport,
    udp: Transport,
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
        let (tcp, udp) = (Transport::new(&candidates, true), Transport::new(&candidates, false));
        Recogniser { candidates, tcp, udp }
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
        let transport = if tcp { &self.tcp } else { &self.udp };
        let pattern_hits = transport.hits(dir, data);
        let at_server = transport.on_port(server_port);
        let at_client = transport.on_port(client_port);
        let back = dir.opposite();
        let back_hits = if either_way { transport.hits(back, data) } else { 0 };
        let mut unsure = false;
        let mut left = pattern_hits | back_hits | at_server | at_client;
        while left != 0 {
            let (at, bit) = (left.trailing_zeros(), left & left.wrapping_neg());
            left &= !bit;
            let Some(candidate) = self.candidates.get(at as usize) else { break };
            let recognise = &candidate.id.get().recognise;
            if (pattern_hits | at_server | at_client) & bit == 0 {
                if recognise.probe.is_none_or(|probe| probe(back, data) == Probe::Yes) {
                    return Guess::Reversed(candidate.id);
                }
                continue;
            }
            match recognise.probe {
                None if pattern_hits & bit != 0 => return Guess::Is(candidate.id),
                None => {}
                Some(probe) => match probe(dir, data) {
                    // What both sides may say goes by the ports, where the flow's direction is in doubt.
                    Probe::Yes
                        if either_way
                            && at_server & bit == 0
                            && at_client & bit != 0
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
        if data.len() < RECOGNISE_MAX_BYTES && (unsure || (tcp && transport.may_hit(dir, data))) {
            Guess::Unsure
        } else {
            Guess::Unknown
        }
    }
}

impl Transport {
    fn new(candidates: &[Candidate], tcp: bool) -> Transport {
        let mut transport = Transport { patterns: PerDir::default(), ports: Box::default() };
        let mut by_port: BTreeMap<u16, Candidates> = BTreeMap::new();
        // By the first place at which they may begin, and whether it is the only one.
        let mut stretches: PerDir<BTreeMap<(u16, bool), Vec<Owned>>> = PerDir::default();
        for (at, candidate) in (0u32..).zip(candidates) {
            let protocol = candidate.id.get();
            let speaks = if tcp { protocol.tcp } else { protocol.udp };
            let Some(bit) = 1u64.checked_shl(at).filter(|_| speaks && candidate.enabled != Enabled::No)
            else {
                continue;
            };
            let [tcp_ports, udp_ports] = &candidate.ports;
            for port in if tcp { tcp_ports } else { udp_ports } {
                *by_port.entry(*port).or_default() |= bit;
            }
            for pattern in protocol.recognise.patterns {
                let place = (pattern.offset, last(pattern) == usize::from(pattern.offset));
                stretches[pattern.dir].entry(place).or_default().push((pattern, bit));
            }
        }
        for dir in Dir::BOTH {
            transport.patterns[dir] =
                std::mem::take(&mut stretches[dir]).into_values().map(Patterns::new).collect();
        }
        transport.ports = by_port.into_iter().collect();
        transport
    }

    fn on_port(&self, port: u16) -> Candidates {
        let at = self.ports.binary_search_by_key(&port, |(port, _)| *port);
        at.ok().and_then(|at| self.ports.get(at)).map_or(0, |(_, candidates)| *candidates)
    }

    /// Whose pattern is in the data.
    fn hits(&self, dir: Dir, data: &[u8]) -> Candidates {
        self.patterns[dir].iter().fold(0, |found, patterns| found | patterns.hits(data))
    }

    /// Whether more data could make a pattern hit.
    fn may_hit(&self, dir: Dir, data: &[u8]) -> bool {
        self.patterns[dir]
            .iter()
            .flat_map(|stretch| &stretch.patterns)
            .any(|(pattern, _)| may_hit(pattern, data))
    }
}

impl Patterns {
    fn new(mut list: Vec<Owned>) -> Patterns {
        let from = list.iter().map(|(pattern, _)| usize::from(pattern.offset)).min().unwrap_or(0);
        let to = list.iter().map(|(pattern, _)| last(pattern).saturating_add(1)).max().unwrap_or(0);
        let first = |pattern: &Pattern| pattern.bytes.first().map_or(0, u8::to_ascii_lowercase);
        list.sort_by_key(|(pattern, _)| first(pattern));
        let starts = (0..=256u16)
            .map(|byte| list.partition_point(|(pattern, _)| u16::from(first(pattern)) < byte))
            .map(|start| u16::try_from(start).unwrap_or(u16::MAX))
            .collect();
        Patterns { begin: from..to, starts, patterns: list.into_boxed_slice() }
    }

    fn hits(&self, data: &[u8]) -> Candidates {
        let mut found = 0;
        let end = self.begin.end.min(data.len());
        for at in self.begin.start..end {
            let Some((byte, here)) = data.get(at..).and_then(|rest| Some((rest.first()?, rest))) else {
                break;
            };
            let bucket = usize::from(byte.to_ascii_lowercase());
            let Some([from, to]) = self.starts.get(bucket..bucket.saturating_add(2)) else { break };
            for (pattern, bit) in self.patterns.get(usize::from(*from)..usize::from(*to)).unwrap_or_default()
            {
                let Some(bytes) = here.get(..pattern.bytes.len()).filter(|_| at <= last(pattern)) else {
                    continue;
                };
                let same = if pattern.nocase {
                    bytes.eq_ignore_ascii_case(pattern.bytes)
                } else {
                    bytes == pattern.bytes
                };
                found |= if same { *bit } else { 0 };
            }
        }
        found
    }
}

/// The last place at which the pattern may begin.
fn last(pattern: &Pattern) -> usize {
    usize::from(pattern.depth).saturating_sub(pattern.bytes.len())
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Looks for the pattern at every place.
    fn stands(pattern: &Pattern, data: &[u8]) -> bool {
        let end = usize::from(pattern.depth).min(data.len());
        let window = data.get(usize::from(pattern.offset)..end).unwrap_or(&[]);
        let same = |bytes: &[u8]| {
            if pattern.nocase {
                bytes.eq_ignore_ascii_case(pattern.bytes)
            } else {
                bytes == pattern.bytes
            }
        };
        window.windows(pattern.bytes.len()).any(same)
    }

    #[test]
    fn a_candidate_has_a_bit() {
        assert!(PROTOCOLS.len() <= Candidates::BITS as usize);
    }

    proptest! {
        #[test]
        fn patterns_are_found_where_they_may_stand(
            before in prop::collection::vec(any::<u8>(), 0..70),
            behind in prop::collection::vec(any::<u8>(), 0..70),
            which in any::<prop::sample::Index>(),
            upper in any::<bool>(),
            tcp in any::<bool>(),
        ) {
            let recogniser = Recogniser::new(&Value::Null);
            let all: Vec<&Pattern> = PROTOCOLS.iter().flat_map(|p| p.recognise.patterns).collect();
            let pattern = which.get(&all);
            let bytes = if upper { pattern.bytes.to_ascii_uppercase() } else { pattern.bytes.to_vec() };
            let data = [before, bytes, behind].concat();
            for dir in Dir::BOTH {
                let speaks = |c: &Candidate| if tcp { c.id.get().tcp } else { c.id.get().udp };
                let mut expected = 0;
                for (at, candidate) in recogniser.candidates.iter().enumerate().filter(|(_, c)| speaks(c)) {
                    let mut own = candidate.id.get().recognise.patterns.iter().filter(|p| p.dir == dir);
                    expected |= u64::from(own.any(|p| stands(p, &data))) << at;
                }
                let transport = if tcp { &recogniser.tcp } else { &recogniser.udp };
                prop_assert_eq!(transport.hits(dir, &data), expected);
            }
        }
    }
}
