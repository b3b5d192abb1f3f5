//! Groups of the rules that are about transactions: per protocol and direction, one prefilter per sticky buffer.

use super::buffers;
use super::databases::Databases;
use super::endpoints::Arrow;
use super::prefilter::{Prefilter, PrefilterBuilder};
use super::rule::{BufferTest, Rule, Target, Transport};
use crate::app::{ProtocolId, PROTOCOLS};
use crate::direction::{Dir, PerDir};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Fast patterns over one sticky buffer (in one transformed form).
pub struct BufferGroup {
    /// Index in `Protocol::buffers`.
    pub local: usize,
    pub multi: bool,
    pub streaming: bool,
    /// Transaction progress from which the buffer can be inspected.
    pub progress: u8,
    /// Whose transforms shape the buffer: (rule number, index in its buffers); None = the buffer as it is.
    pub shaped_by: Option<(u32, usize)>,
    pub prefilter: Arc<Prefilter>,
}

/// Rules of one protocol and direction.
#[derive(Default)]
pub struct TxGroup {
    pub buffers: Vec<BufferGroup>,
    /// Rules no pattern leads to.
    pub always: Vec<u32>,
    /// Rules that a pattern in the payload or stream leads to, sorted.
    pub payload_led: Vec<u32>,
    /// Rules without a pattern about app-layer events: only for transactions that have some.
    pub on_events: Vec<u32>,
    /// Whether any rule of this group reads a streaming buffer, or facts of growing files, without a pattern.
    pub always_streams: bool,
}

impl TxGroup {
    pub fn is_empty(&self) -> bool {
        self.buffers.is_empty()
            && self.always.is_empty()
            && self.payload_led.is_empty()
            && self.on_events.is_empty()
    }
}

/// All transaction groups.
pub struct TxGroups {
    groups: Vec<PerDir<TxGroup>>,
}

/// (local buffer, progress, transform identities)
type Key = (u8, usize, String);

impl TxGroups {
    pub fn build(rules: &[&Rule], databases: &Databases) -> TxGroups {
        // One prefilter per distinct set of rules: file.data of http and of smtp share it.
        let mut compiled: BTreeMap<Vec<(u32, usize)>, Arc<Prefilter>> = BTreeMap::new();
        let mut groups = Vec::new();
        for (id, candidates) in (0u8..).zip(by_protocol(rules)) {
            let protocol = ProtocolId(id);
            let mut pair: PerDir<TxGroup> = Default::default();
            for dir in Dir::BOTH {
                let mut by_buffer: BTreeMap<Key, Vec<(&Rule, usize)>> = BTreeMap::new();
                let group = &mut pair[dir];
                for rule in candidates.iter().filter(|r| applies(r, protocol, dir)) {
                    match lead(rule, protocol, dir) {
                        Lead::Buffer(key, at) => by_buffer.entry(key).or_default().push((rule, at)),
                        Lead::OtherDirection => {}
                        Lead::None if rule.is_payload_led() => group.payload_led.push(rule.number),
                        Lead::None if rule.tx_tests.iter().any(|t| t.needs_events()) => {
                            group.on_events.push(rule.number)
                        }
                        Lead::None => {
                            group.always_streams |= !rule.file_tests.is_empty()
                                || rule.buffers.iter().any(|b| streams(b, protocol));
                            group.always.push(rule.number);
                        }
                    }
                }
                for ((progress, local, _), members) in by_buffer {
                    let Some(buffer) = buffers::buffer(protocol, local) else { continue };
                    let numbers = members.iter().map(|(rule, at)| (rule.number, *at)).collect();
                    let built = compiled.entry(numbers).or_insert_with(|| {
                        let mut builder = PrefilterBuilder::default();
                        for (rule, _) in &members {
                            rule.fast_pattern.iter().for_each(|fast| builder.add(fast, rule.number));
                        }
                        Arc::new(builder.build(databases))
                    });
                    let prefilter = Arc::clone(built);
                    let is_shaped = |(rule, at): &&(&Rule, usize)| {
                        rule.buffers.get(*at).is_some_and(|test| !test.transforms.is_empty())
                    };
                    let shaped_by = members.first().filter(is_shaped).map(|(rule, at)| (rule.number, *at));
                    group.buffers.push(BufferGroup {
                        local,
                        multi: buffer.multi,
                        streaming: buffer.streaming,
                        progress,
                        shaped_by,
                        prefilter,
                    });
                }
            }
            groups.push(pair);
        }
        TxGroups { groups }
    }

    #[inline]
    pub fn group(&self, protocol: ProtocolId, dir: Dir) -> Option<&TxGroup> {
        self.groups.get(usize::from(protocol.0)).map(|pair| &pair[dir])
    }

    pub fn prefilters(&self) -> impl Iterator<Item = &Prefilter> {
        let both = self.groups.iter().flat_map(|pair| [&pair.to_server, &pair.to_client]);
        both.flat_map(|g| g.buffers.iter().map(|b| &*b.prefilter))
    }
}

enum Lead {
    Buffer(Key, usize),
    /// The pattern is in a buffer of the other direction.
    OtherDirection,
    None,
}

/// The rules about transactions, by the protocols they may be for.
fn by_protocol<'r>(rules: &[&'r Rule]) -> Vec<Vec<&'r Rule>> {
    let mut lists = vec![Vec::new(); PROTOCOLS.len()];
    for rule in rules.iter().copied().filter(|rule| rule.is_app()) {
        if rule.protocols.is_empty() {
            lists.iter_mut().for_each(|list| list.push(rule));
        }
        for protocol in &rule.protocols {
            if let Some(list) = lists.get_mut(usize::from(protocol.0)) {
                list.push(rule);
            }
        }
    }
    lists
}

/// Whether the rule can match transactions of this protocol in this direction.
fn applies(rule: &Rule, protocol: ProtocolId, dir: Dir) -> bool {
    if !rule.protocols.is_empty() && !rule.protocols.contains(&protocol) {
        return false;
    }
    let transport = match rule.transport {
        Transport::Tcp | Transport::TcpPacket | Transport::TcpStream => protocol.get().tcp,
        Transport::Udp => protocol.get().udp,
        Transport::Icmp | Transport::Icmp4 | Transport::Icmp6 | Transport::Sctp | Transport::Arp => false,
        _ => true,
    };
    let direction = rule.arrow == Arrow::Transaction || rule.flow.dir.is_none_or(|d| d == dir);
    transport
        && direction
        && rule.buffers.iter().all(|b| available(b, protocol, dir, rule.arrow))
        && rule.tx_tests.iter().all(|t| {
            t.protocol().is_none_or(|p| p == protocol)
                && (rule.arrow == Arrow::Transaction || t.dir().is_none_or(|d| d == dir))
        })
}

fn available(test: &BufferTest, protocol: ProtocolId, dir: Dir, arrow: Arrow) -> bool {
    let Target::App(number) = test.target else { return true };
    let Some((buffer, _)) = buffers::all().get(usize::from(number)).and_then(|e| e.of(protocol)) else {
        return false;
    };
    if arrow == Arrow::Transaction {
        return true;
    }
    buffer.progress[dir].is_some() && test.dir.is_none_or(|d| d == dir)
}

fn streams(test: &BufferTest, protocol: ProtocolId) -> bool {
    let Target::App(number) = test.target else { return false };
    buffers::all().get(usize::from(number)).and_then(|e| e.of(protocol)).is_some_and(|(b, _)| b.streaming)
}

fn lead(rule: &Rule, protocol: ProtocolId, dir: Dir) -> Lead {
    let Some(at) = rule.fast_pattern.as_ref().and_then(|f| f.buffer) else { return Lead::None };
    let Some(test) = rule.buffers.get(at) else { return Lead::None };
    let Target::App(number) = test.target else { return Lead::None };
    let Some((buffer, local)) = buffers::all().get(usize::from(number)).and_then(|e| e.of(protocol)) else {
        return Lead::None;
    };
    if test.dir.is_some_and(|d| d != dir) {
        return Lead::OtherDirection;
    }
    match buffer.progress[dir] {
        Some(progress) => {
            let shape: Vec<String> = test.transforms.iter().map(|t| t.identity()).collect();
            Lead::Buffer((progress, local, shape.join("|")), at)
        }
        None => Lead::OtherDirection,
    }
}
