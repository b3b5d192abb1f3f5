//! Groups of the rules that are about packets and raw streams, and of those about transactions whose pattern is there.

use super::address_index::AddressIndex;
use super::class::Class;
use super::databases::Databases;
use super::endpoints::{AddrSet, Arrow, PortSet};
use super::pattern_groups::{narrow_ports, Lead, PatternGroups};
use super::places::Places;
use super::ports::PortTable;
use super::prefilter::Prefilter;
use super::rule::{Rule, Transport};
use crate::app::PROTOCOLS;
use crate::direction::{Dir, PerDir};
use crate::flow::Flow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// Rules without a pattern, by what a packet must have for them to be worth a try.
#[derive(Default)]
pub struct PlainGroups {
    any: Vec<u32>,
    /// By the length of the payload.
    by_length: Lengths,
    by_port: Option<PortTable>,
    /// By the flow's app protocol.
    by_protocol: Vec<Vec<u32>>,
    /// Rules about what the flow was just recognised as.
    recognition: Vec<u32>,
}

impl PlainGroups {
    fn build(rules: &[&Rule], dir: Dir) -> PlainGroups {
        let mut groups =
            PlainGroups { by_protocol: vec![Vec::new(); PROTOCOLS.len()], ..PlainGroups::default() };
        let mut narrow: Vec<(u32, PortSet)> = Vec::new();
        let mut rules = rules.to_vec();
        groups.by_length = Lengths::take(&mut rules);
        for rule in rules {
            if rule.is_recognition_only() {
                groups.recognition.push(rule.number);
            } else if !rule.protocols.is_empty() {
                for protocol in &rule.protocols {
                    if let Some(list) = groups.by_protocol.get_mut(usize::from(protocol.0)) {
                        list.push(rule.number);
                    }
                }
            } else if let Some(ports) = narrow_ports(rule, dir) {
                narrow.push((rule.number, ports));
            } else {
                groups.any.push(rule.number);
            }
        }
        if !narrow.is_empty() {
            let members: Vec<(u32, &PortSet)> = narrow.iter().map(|(n, p)| (*n, p)).collect();
            groups.by_port = Some(PortTable::build(&members));
        }
        groups
    }

    /// Appends the rules for a packet with this server port and this much payload, of this flow.
    #[inline]
    pub fn collect(&self, port: u16, payload_len: u32, flow: Option<&Flow>, candidates: &mut Vec<u32>) {
        candidates.extend_from_slice(&self.any);
        candidates.extend_from_slice(self.by_length.of(payload_len));
        if let Some(group) = self.by_port.as_ref().and_then(|table| table.groups.get(table.group(port)?)) {
            candidates.extend_from_slice(group);
        }
        let Some(flow) = flow else { return };
        if let Some(list) = flow.app.protocol.and_then(|p| self.by_protocol.get(usize::from(p.0))) {
            candidates.extend_from_slice(list);
        }
        if flow.app.recognised_now {
            candidates.extend_from_slice(&self.recognition);
        }
    }
}

/// More rules of one length than this are found by their patterns.
const SAME_LENGTH_MAX: usize = 8;

/// Rules about payloads of one length, by that length: a look costs less than the search for their patterns.
#[derive(Default)]
pub struct Lengths {
    /// A bit for the last six bits of each length that some rule is about.
    known: u64,
    by_length: Vec<(u32, Vec<u32>)>,
}

impl Lengths {
    /// Takes the rules that are better found by length out of `rules`.
    fn take(rules: &mut Vec<&Rule>) -> Lengths {
        let mut by_length: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (length, rule) in rules.iter().filter_map(|rule| Some((length(rule)?, rule))) {
            by_length.entry(length).or_default().push(rule.number);
        }
        by_length.retain(|_, rules| rules.len() <= SAME_LENGTH_MAX);
        rules.retain(|rule| length(rule).is_none_or(|length| !by_length.contains_key(&length)));
        let known = by_length.keys().fold(0, |known, length| known | 1 << (length % u64::BITS));
        Lengths { known, by_length: by_length.into_iter().collect() }
    }

    #[inline]
    pub fn of(&self, length: u32) -> &[u32] {
        if self.known >> (length % u64::BITS) & 1 == 0 {
            return &[];
        }
        match self.by_length.binary_search_by_key(&length, |(own, _)| *own) {
            Ok(at) => self.by_length.get(at).map_or(&[], |(_, rules)| rules),
            Err(_) => &[],
        }
    }
}

/// The one length of payload that a rule is about, unless its pattern stands at one place, where a look costs nothing.
fn length(rule: &Rule) -> Option<u32> {
    let placed = rule.packet_lead().is_some_and(|lead| lead.is_anchored());
    let (least, greatest) = rule.payload_len;
    (least == greatest && !placed).then_some(least)
}

/// Rules about streams of which less than this was sent are searched for apart.
const YOUNG_MAX_BYTES: u64 = 1024;

/// Patterns of rules about the very start of a stream: most packets come later.
#[derive(Default)]
pub struct Young {
    patterns: PatternGroups,
    /// None of the rules matches once the sender of a direction has sent so much.
    below: PerDir<u64>,
}

impl Young {
    /// Takes the rules about young streams out of `rules`.
    fn take<'r>(rules: &mut Vec<&'r Rule>, dir: Dir, lead: Lead<'r, '_>, databases: &Databases) -> Young {
        let bound = |rule: &Rule| rule.stream_below.filter(|(_, bytes)| *bytes <= YOUNG_MAX_BYTES);
        let (young, rest): (Vec<&'r Rule>, Vec<&'r Rule>) =
            rules.iter().partition(|rule| bound(rule).is_some());
        *rules = rest;
        let mut below = PerDir::new(0, 0);
        for (sender, bytes) in young.iter().filter_map(|rule| bound(rule)) {
            below[sender] = bytes.max(below[sender]);
        }
        Young { patterns: PatternGroups::build(&young, dir, lead, databases), below }
    }

    /// The prefilters to ask in a packet of this flow.
    #[inline]
    pub fn for_packet<'s>(
        &'s self,
        flow: Option<&Flow>,
        port: u16,
    ) -> impl Iterator<Item = &'s Prefilter> + use<'s> {
        let session = flow.and_then(|flow| flow.tcp.as_deref());
        let is_young = session.is_some_and(|session| {
            Dir::BOTH.into_iter().any(|dir| session.bytes_seen(dir) < self.below[dir])
        });
        is_young.then(|| self.patterns.for_port(port)).into_iter().flatten()
    }
}

/// Rules for one class and direction.
#[derive(Default)]
pub struct PacketGroup {
    /// Rules without a payload pattern, tried on every packet that fits.
    pub always: PlainGroups,
    /// Rules with nothing but a header, tried once per flow and direction.
    pub ip_only: Arc<IpOnly>,
    /// Patterns looked for in single packets.
    pub packet: PatternGroups,
    /// ... and rules tried on single packets of this length.
    pub lengths: Lengths,
    pub young: Young,
    /// Patterns looked for in the reassembled stream.
    pub stream: PatternGroups,
    /// Patterns looked for in segments that entered no stream: those of `packet` and of `stream` in one search.
    pub unstreamed: PatternGroups,
}

/// Address-only rules: by source, by destination, and those where both are `any`.
#[derive(Default)]
pub struct IpOnly {
    pub by_src: AddressIndex,
    pub by_dst: AddressIndex,
    pub rest: Vec<u32>,
}

impl IpOnly {
    fn build(rules: &[&Rule]) -> IpOnly {
        let (mut src, mut dst, mut rest) = (Vec::new(), Vec::new(), Vec::new());
        for rule in rules {
            if rule.arrow != Arrow::Right {
                rest.push(rule.number);
            } else if rule.src.0.is_some() && size(&rule.src) <= size(&rule.dst) {
                src.push((rule.number, &rule.src));
            } else if rule.dst.0.is_some() {
                dst.push((rule.number, &rule.dst));
            } else {
                rest.push(rule.number);
            }
        }
        IpOnly { by_src: AddressIndex::build(&src), by_dst: AddressIndex::build(&dst), rest }
    }
}

/// How many addresses a set covers; `any` counts as all.
fn size(set: &AddrSet) -> u128 {
    set.0.as_ref().map_or(u128::MAX, |r| {
        r.iter().fold(0, |sum, (from, to)| sum.saturating_add(to.saturating_sub(*from)))
    })
}

/// All packet groups.
pub struct PacketGroups {
    /// In the order of `Class::ALL`.
    groups: [PerDir<PacketGroup>; 4],
    /// Rules by the engine event they ask for.
    by_event: HashMap<u16, Vec<u32>>,
}

impl PacketGroups {
    pub fn build(rules: &[&Rule], places: &Places<'_>, databases: &Databases) -> PacketGroups {
        let mut groups: [PerDir<PacketGroup>; 4] = Default::default();
        let mut by_event: HashMap<u16, Vec<u32>> = HashMap::new();
        // Most are for any protocol and both directions: one index serves several groups.
        let mut ip_only_made: HashMap<Vec<u32>, Arc<IpOnly>> = HashMap::new();
        let (event_rules, others): (Vec<&Rule>, Vec<&Rule>) = rules
            .iter()
            .copied()
            .filter(|r| (!r.is_app() || r.is_payload_led()) && r.frame().is_none())
            .partition(|r| event_code(r).is_some());
        for rule in event_rules {
            if let Some(code) = event_code(rule) {
                by_event.entry(code).or_default().push(rule.number);
            }
        }
        for (class, pair) in Class::ALL.into_iter().zip(&mut groups) {
            for dir in Dir::BOTH {
                let mine: Vec<&Rule> = others.iter().copied().filter(|r| class.has(r, dir)).collect();
                let (ip_only, rest): (Vec<&Rule>, Vec<&Rule>) = mine.into_iter().partition(|r| is_ip_only(r));
                let (patterns, plain): (Vec<&Rule>, Vec<&Rule>) =
                    rest.into_iter().partition(|r| r.payload.is_some() && r.fast_pattern.is_some());
                let stream = class == Class::Tcp;
                let mut on_packet: Vec<&Rule> =
                    patterns.iter().copied().filter(|r| !stream || r.payload_on_packet).collect();
                let on_stream: Vec<&Rule> =
                    patterns.iter().copied().filter(|r| stream && r.payload_on_stream).collect();
                let lengths = Lengths::take(&mut on_packet);
                let lead = |rule| places.lead(rule, class, dir);
                let young = Young::take(&mut on_packet, dir, &lead, databases);
                let in_packets: HashSet<u32> = on_packet.iter().map(|rule| rule.number).collect();
                let mut unstreamed = on_packet.clone();
                unstreamed.extend(on_stream.iter().filter(|rule| !in_packets.contains(&rule.number)));
                pair[dir] = PacketGroup {
                    lengths,
                    young,
                    always: PlainGroups::build(&plain, dir),
                    ip_only: Arc::clone(
                        ip_only_made
                            .entry(ip_only.iter().map(|rule| rule.number).collect())
                            .or_insert_with(|| Arc::new(IpOnly::build(&ip_only))),
                    ),
                    packet: PatternGroups::build(&on_packet, dir, &lead, databases),
                    stream: PatternGroups::build(
                        &on_stream,
                        dir,
                        &|rule| rule.fast_pattern.as_ref(),
                        databases,
                    ),
                    unstreamed: match stream {
                        true => PatternGroups::build(&unstreamed, dir, &lead, databases),
                        false => PatternGroups::default(),
                    },
                };
            }
        }
        PacketGroups { groups, by_event }
    }

    #[inline]
    #[allow(clippy::indexing_slicing)] // one group a class
    pub fn group(&self, class: Class, dir: Dir) -> &PacketGroup {
        &self.groups[class as usize][dir]
    }

    /// Rules that ask for this engine event.
    pub fn for_event(&self, code: u16) -> &[u32] {
        self.by_event.get(&code).map_or(&[], |rules| rules)
    }

    pub fn prefilters(&self) -> impl Iterator<Item = &Prefilter> {
        let both = self.groups.iter().flat_map(|pair| [&pair.to_server, &pair.to_client]);
        both.flat_map(|g| [&g.packet, &g.young.patterns, &g.stream, &g.unstreamed])
            .flat_map(PatternGroups::prefilters)
    }
}

fn event_code(rule: &Rule) -> Option<u16> {
    rule.packet_tests.iter().find_map(|t| t.event_code())
}

/// Rules with nothing but a header and tests of the kind (Suricata manual, "IP only" rules): once per flow and direction is
/// enough.
pub(super) fn is_ip_only(rule: &Rule) -> bool {
    rule.payload.is_none()
        && rule.buffers.is_empty()
        && rule.packet_tests.iter().all(|test| test.ip_only())
        && rule.protocols.is_empty()
        && rule.flow == Default::default()
        && !matches!(
            rule.transport,
            Transport::TcpPacket | Transport::TcpStream | Transport::Arp | Transport::Ether
        )
}
