//! Tags at run time: which packets after an alert are kept (Suricata manual, "tag"). Sessions are tagged on their flow, hosts
//! in a table that workers share. The packet that alerted counts as the first one.

use super::effects::{Tag, TagUnit};
use super::expiring::Expiring;
use super::threshold::RuleId;
use crate::decode::{Addr, Origin, Packet};
use crate::flow::Flow;
use crate::team::{self, lock};
use crate::time::Timestamp;

/// Tags one flow or one host may have: more rules than this say nothing new of its packets.
const TAGS_MAX: usize = 16;
/// Hosts with tags in force at most; beyond it all go.
const HOSTS_MAX: usize = 16_384;
/// Seconds after which a host's tag ends whatever it counts: hosts have no end as flows have.
const HOST_SECONDS_MAX: u64 = 3_600;

/// One tag in force.
#[derive(Clone, Copy, Debug)]
pub struct Tagged {
    rule: RuleId,
    /// None: until the session ends.
    limit: Option<u32>,
    unit: TagUnit,
    start: Timestamp,
    packets: u64,
    bytes: u64,
}

impl Tagged {
    fn new(rule: RuleId, tag: &Tag, packet: &Packet<'_>) -> Tagged {
        let bytes = packet.frame.len() as u64;
        Tagged { rule, limit: tag.count, unit: tag.unit, start: packet.ts, packets: 1, bytes }
    }

    /// Counts a packet; whether it is still tagged.
    fn takes(&mut self, packet: &Packet<'_>) -> bool {
        self.packets = self.packets.saturating_add(1);
        self.bytes = self.bytes.saturating_add(packet.frame.len() as u64);
        let Some(limit) = self.limit else { return true };
        let spent = match self.unit {
            TagUnit::Packets => self.packets,
            TagUnit::Bytes => self.bytes,
            TagUnit::Seconds => packet.ts.seconds_since(self.start),
        };
        spent <= u64::from(limit)
    }
}

/// Counts a packet on a list of tags and drops those used up; whether any took it.
fn count(tags: &mut Vec<Tagged>, packet: &Packet<'_>) -> bool {
    tags.retain_mut(|tag| tag.takes(packet));
    !tags.is_empty()
}

/// A rule tags once, until its tag is used up.
fn add(tags: &mut Vec<Tagged>, tagged: Tagged) {
    if tags.len() < TAGS_MAX && tags.iter().all(|t| t.rule != tagged.rule) {
        tags.push(tagged);
    }
}

/// Counts a packet on the tags of its flow and, where `hosts` may be tagged, of its hosts; whether it is tagged. Every packet
/// then waits for its turn: which hosts are tagged is known when all packets before were inspected.
pub fn packet(packet: &Packet<'_>, flow: Option<&mut Flow>, hosts: bool) -> bool {
    if packet.origin == Origin::FlowEnd {
        return false;
    }
    let left = flow.and_then(|f| f.detect.if_left());
    let tagged = left.is_some_and(|left| !left.tags.is_empty() && count(&mut left.tags, packet));
    // Both are counted.
    let by_host = hosts && team::in_turn(|team| lock(&team.tagged_hosts).packet(packet));
    tagged || by_host
}

/// A rule alerted on the packet and tags what follows.
pub fn alerted(rule: RuleId, tag: &Tag, packet: &Packet<'_>, flow: Option<&mut Flow>) {
    let tagged = Tagged::new(rule, tag, packet);
    match tag.host_src {
        None => {
            if let Some(flow) = flow {
                add(&mut flow.detect.left_mut().tags, tagged);
            }
        }
        Some(of_source) => {
            let address = if of_source { packet.src } else { packet.dst };
            team::in_turn(|team| lock(&team.tagged_hosts).add(address, tagged));
        }
    }
}

/// Hosts with tags in force.
#[derive(Default)]
pub struct TaggedHosts {
    by_address: Expiring<Addr, Vec<Tagged>>,
}

impl TaggedHosts {
    fn packet(&mut self, packet: &Packet<'_>) -> bool {
        if self.by_address.entries.is_empty() || packet.ip_version == 0 {
            return false;
        }
        let mut tagged = false;
        for address in [packet.src, packet.dst] {
            let Some(tags) = self.by_address.entries.get_mut(&address) else { continue };
            tags.retain(|t| packet.ts.seconds_since(t.start) <= HOST_SECONDS_MAX);
            tagged |= count(tags, packet);
            if tags.is_empty() {
                self.by_address.entries.remove(&address);
            }
        }
        tagged
    }

    fn add(&mut self, address: Addr, tagged: Tagged) {
        let now = tagged.start;
        let is_alive =
            |tags: &Vec<Tagged>| tags.iter().any(|tag| now.seconds_since(tag.start) <= HOST_SECONDS_MAX);
        if !self.by_address.has_room(HOSTS_MAX, now, is_alive) {
            self.by_address.entries.clear();
        }
        add(self.by_address.entries.entry(address).or_default(), tagged);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::team::Member;

    fn at(second: u64, src: u8) -> Packet<'static> {
        static FRAME: [u8; 60] = [0; 60];
        let mut packet = Packet::new(&FRAME, Timestamp::from_parts(second, 0), 1, 60, 1);
        packet.ip_version = 4;
        packet.src = Addr::v4([10, 0, 0, src]);
        packet.dst = Addr::v4([10, 0, 0, 99]);
        packet
    }

    fn kept(tag: Tag) -> usize {
        Member::alone().join();
        alerted((1, 1), &tag, &at(0, 1), None);
        (1..10).filter(|second| packet(&at(*second, 1), None, true)).count()
    }

    #[test]
    fn the_alerting_packet_counts_as_the_first() {
        let tag = |count, unit| Tag { host_src: Some(true), count: Some(count), unit };
        assert_eq!(kept(tag(3, TagUnit::Packets)), 2);
        assert_eq!(kept(tag(180, TagUnit::Bytes)), 2);
        assert_eq!(kept(tag(4, TagUnit::Seconds)), 4);
        assert_eq!(kept(tag(0, TagUnit::Packets)), 0);
    }

    #[test]
    fn other_hosts_are_not_tagged_and_the_table_stays_bounded() {
        let member = Member::alone();
        member.join();
        let tag = Tag { host_src: Some(true), count: Some(9), unit: TagUnit::Packets };
        alerted((1, 1), &tag, &at(0, 1), None);
        assert!(!packet(&at(1, 2), None, true));
        for address in 0..3 * HOSTS_MAX as u128 {
            let mut from = at(2, 0);
            from.src = Addr(address);
            alerted((1, 1), &tag, &from, None);
        }
        assert!(lock(&member.team().tagged_hosts).by_address.entries.len() <= HOSTS_MAX);
    }
}
