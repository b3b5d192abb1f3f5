//! The flow table: from a packet to its flow. Flows live in a slab and are found through a keyed hash, so neither their
//! order nor their ids depend on hash values. A flow that ends is first unlinked and queued; the caller finishes it
//! (`next_ended`, then `release`).

use super::config::FlowConfig;
use super::counters::FlowCounters;
use super::entry::{EndReason, Flow, FlowState};
use super::key::{direction, FlowKey};
use super::slab::{Slab, Slot};
use super::wheel::{Entry, Wheel};
use crate::decode::packet::L4;
use crate::decode::Packet;
use crate::direction::{Dir, PerDir};
use crate::time::Timestamp;
use hashbrown::HashTable;
use std::collections::VecDeque;

/// A flow's place in the table; valid until `release`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowIndex(u32);

/// IP protocol number of ICMPv4.
const ICMP: u8 = 1;

pub struct FlowTable {
    config: FlowConfig,
    hasher: ahash::RandomState,
    id_seed: u64,
    /// Slots by the hash of their keys.
    links: HashTable<u32>,
    slab: Slab,
    wheel: Wheel,
    due: Vec<Entry>,
    ended: VecDeque<u32>,
    pub counters: FlowCounters,
}

/// Bytes one flow costs in the table: its slot and its hash entry (at the map's load factor).
const FLOW_BYTES: u64 = (std::mem::size_of::<Slot>() + std::mem::size_of::<u32>() * 8 / 7 + 1) as u64;

impl FlowTable {
    /// `keys` seed the hash (take them from the system's randomness when live); `id_seed` seeds flow ids and must be the same
    /// for all workers and runs that are to agree.
    pub fn new(config: FlowConfig, keys: [u64; 4], id_seed: u64) -> Self {
        let [k0, k1, k2, k3] = keys;
        FlowTable {
            links: HashTable::with_capacity(config.prealloc as usize),
            config,
            hasher: ahash::RandomState::with_seeds(k0, k1, k2, k3),
            id_seed,
            slab: Slab::default(),
            wheel: Wheel::new(),
            due: Vec::new(),
            ended: VecDeque::new(),
            counters: FlowCounters::default(),
        }
    }

    #[inline]
    pub fn get(&self, index: FlowIndex) -> Option<&Flow> {
        self.slab.get(index.0)?.flow.as_ref()
    }

    #[inline]
    pub fn get_mut(&mut self, index: FlowIndex) -> Option<&mut Flow> {
        self.slab.get_mut(index.0)?.flow.as_mut()
    }

    /// Flows that have not ended.
    /// Goes through all flows, those too that have ended and wait to be finished.
    pub fn each_mut(&mut self, take: impl FnMut(&mut Flow)) {
        self.slab.flows_mut().for_each(take);
    }

    pub fn len(&self) -> usize {
        self.links.len()
    }

    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// Whether the packet needs no new flow.
    #[cold]
    pub fn knows(&self, pkt: &Packet) -> bool {
        let known = |key| self.linked(self.hasher.hash_one(key), &key).is_some();
        FlowKey::of(pkt, self.config.tracking()).is_none_or(known) || self.has_quoted(pkt)
    }

    /// The packet's flow, its direction, and whether the flow is new. None: the packet has no flow. Counts the packet.
    /// May queue a flow as ended (timed out, replaced by a new connection on the same ports, or evicted): see `next_ended`.
    pub fn find_or_create(&mut self, pkt: &Packet) -> Option<(FlowIndex, Dir, bool)> {
        if pkt.proto == ICMP {
            if let Some((index, dir)) = self.find_quoted(pkt) {
                return Some((index, dir, false));
            }
        }
        let key = FlowKey::of(pkt, self.config.tracking())?;
        let hash = self.hasher.hash_one(key);
        if let Some(index) = self.linked(hash, &key) {
            let timeouts = *self.config.timeouts.of(pkt.proto);
            let flow = self.slab.get_mut(index)?.flow.as_mut()?;
            let dir = direction(pkt, flow.src, flow.dst, flow.src_port, flow.icmp);
            let idle = pkt.ts.seconds_since(flow.last);
            let reason = if idle >= timeouts.seconds(flow.state).max(1) {
                Some(EndReason::Timeout)
            } else if is_new_connection(flow, pkt, dir) {
                Some(EndReason::TcpReuse)
            } else {
                None
            };
            match reason {
                None => {
                    account(flow, pkt, dir);
                    return Some((FlowIndex(index), dir, false));
                }
                Some(reason) => self.end(index, reason),
            }
        }
        self.create(pkt, key, hash).map(|index| (FlowIndex(index), Dir::ToServer, true))
    }

    /// The live flow that an ICMP error is about; the error travels against the packet it quotes.
    fn find_quoted(&mut self, pkt: &Packet) -> Option<(FlowIndex, Dir)> {
        let (index, dir) = self.quoted(pkt)?;
        let flow = self.slab.get_mut(index)?.flow.as_mut()?;
        account(flow, pkt, dir);
        Some((FlowIndex(index), dir))
    }

    /// Whether the packet is an ICMP error about a live flow of this table.
    pub fn has_quoted(&self, pkt: &Packet) -> bool {
        self.quoted(pkt).is_some()
    }

    fn quoted(&self, pkt: &Packet) -> Option<(u32, Dir)> {
        let (key, src, src_port) = FlowKey::quoted(pkt, self.config.tracking())?;
        let hash = self.hasher.hash_one(key);
        let index = self.linked(hash, &key)?;
        let timeout = *self.config.timeouts.of(key.proto());
        let flow = self.slab.get(index)?.flow.as_ref()?;
        if pkt.ts.seconds_since(flow.last) >= timeout.seconds(flow.state).max(1) {
            return None;
        }
        let from_client = (src, src_port) == (flow.src, flow.src_port);
        Some((index, if from_client { Dir::ToClient } else { Dir::ToServer }))
    }

    /// The slot of a live flow.
    #[inline]
    fn linked(&self, hash: u64, key: &FlowKey) -> Option<u32> {
        self.links.find(hash, |index| self.slab.get(*index).is_some_and(|slot| slot.has(key))).copied()
    }

    fn create(&mut self, pkt: &Packet, key: FlowKey, hash: u64) -> Option<u32> {
        let held = self.links.len().saturating_add(1) as u64;
        if held.saturating_mul(FLOW_BYTES) > self.config.memcap {
            self.counters.memcap = self.counters.memcap.saturating_add(1);
            self.evict_one();
        }
        let index = self.slab.take()?;
        let mut flow = Flow {
            id: key.flow_id(pkt.ts, pkt.number, self.id_seed),
            parent: None,
            src: pkt.src,
            dst: pkt.dst,
            src_port: pkt.src_port,
            dst_port: pkt.dst_port,
            ip_version: pkt.ip_version,
            proto: pkt.proto,
            depth: pkt.depth,
            icmp: icmp_of(pkt),
            icmp_response: None,
            spi: pkt.esp_spi(),
            ttl: PerDir::default(),
            macs: self.config.keep_macs.then(Box::default),
            vlan: pkt.vlan,
            vlan_count: pkt.vlan_count,
            start: pkt.ts,
            last: pkt.ts,
            packets: PerDir::default(),
            bytes: PerDir::default(),
            state: FlowState::New,
            reason: EndReason::default(),
            alerted: false,
            alert_waits: false,
            exceptions: None,
            bypassed: false,
            swapped: false,
            tcp: None,
            app: Default::default(),
            detect: Default::default(),
        };
        account(&mut flow, pkt, Dir::ToServer);
        let born = pkt.number << 8 | u64::from(pkt.depth);
        self.wheel.start(pkt.ts.seconds());
        let visit_at = deadline(&self.config, &flow);
        let slot = self.slab.get_mut(index)?;
        let ticket = slot.ticket.wrapping_add(1);
        *slot = Slot { flow: Some(flow), key: key.rest, hash, born, visit_at, ticket, linked: true };
        self.wheel.insert(visit_at, Entry { index, ticket });
        let slab = &self.slab;
        self.links.insert_unique(hash, index, |index| slab.get(*index).map_or(0, |slot| slot.hash));
        self.counters.opened(pkt.proto);
        self.count_held();
        Some(index)
    }

    fn count_held(&mut self) {
        self.counters.active = self.links.len() as u64;
        self.counters.memuse = self.counters.active.saturating_mul(FLOW_BYTES);
    }

    /// To be called when the stages are through with a packet of the flow: a state whose timeout is shorter takes effect.
    #[inline]
    pub fn packet_done(&mut self, index: FlowIndex) {
        let Some(slot) = self.slab.get_mut(index.0) else {
            return;
        };
        let Some(flow) = slot.flow.as_ref() else {
            return;
        };
        let due = deadline(&self.config, flow);
        if slot.linked && due < slot.visit_at {
            slot.visit_at = due;
            slot.ticket = slot.ticket.wrapping_add(1);
            let ticket = slot.ticket;
            self.wheel.insert(due, Entry { index: index.0, ticket });
        }
    }

    /// Whether `expire` has something to look at.
    #[inline]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.wheel.is_due(now.seconds())
    }

    /// Whether there is a `next_ended`.
    #[inline]
    pub fn has_ended(&self) -> bool {
        !self.ended.is_empty()
    }

    /// Ends the flows whose timeout lies before `now`. Costs nothing within the same second.
    #[inline]
    pub fn expire(&mut self, now: Timestamp) {
        if self.is_due(now) {
            self.visit_due(now.seconds());
        }
    }

    fn visit_due(&mut self, now: u64) {
        let mut due = std::mem::take(&mut self.due);
        self.wheel.advance(now, &mut due);
        for entry in due.drain(..) {
            let Some(slot) = self.slab.get(entry.index) else {
                continue;
            };
            if slot.ticket != entry.ticket || !slot.linked {
                continue;
            }
            let Some(flow) = slot.flow.as_ref() else {
                continue;
            };
            let at = deadline(&self.config, flow);
            if at < now {
                self.end(entry.index, EndReason::Timeout);
            } else {
                if let Some(slot) = self.slab.get_mut(entry.index) {
                    slot.visit_at = at;
                }
                self.wheel.insert(at, entry);
            }
        }
        self.due = due;
    }

    /// Ends the flow nearest to its timeout. Entries whose flow has lived on are put back on the way; that is work which
    /// the wheel would have had to do later anyway.
    fn evict_one(&mut self) {
        while let Some(entry) = self.wheel.pop_nearest() {
            let Some(slot) = self.slab.get(entry.index) else {
                continue;
            };
            if slot.ticket != entry.ticket || !slot.linked {
                continue;
            }
            let visit_at = slot.visit_at;
            let Some(flow) = slot.flow.as_ref() else {
                continue;
            };
            let at = deadline(&self.config, flow);
            if at <= visit_at {
                self.end(entry.index, EndReason::Forced);
                return;
            }
            if let Some(slot) = self.slab.get_mut(entry.index) {
                slot.visit_at = at;
            }
            self.wheel.insert(at, entry);
        }
    }

    /// Unlinks the flow and queues it as ended.
    fn end(&mut self, index: u32, reason: EndReason) {
        let Some(slot) = self.slab.get_mut(index) else {
            return;
        };
        if !slot.linked {
            return;
        }
        slot.linked = false;
        let hash = slot.hash;
        let Some(flow) = slot.flow.as_mut() else {
            return;
        };
        flow.reason = reason;
        let state = flow.state;
        if let Ok(link) = self.links.find_entry(hash, |linked| *linked == index) {
            link.remove();
        }
        self.ended.push_back(index);
        let counters = &mut self.counters;
        let by_reason = match reason {
            EndReason::Timeout => &mut counters.end_timeout,
            EndReason::Forced => &mut counters.end_evicted,
            EndReason::TcpReuse => &mut counters.tcp_reuse,
            EndReason::Shutdown => &mut counters.end_shutdown,
        };
        *by_reason = by_reason.saturating_add(1);
        let by_state = match state {
            FlowState::New => &mut counters.end_new,
            FlowState::Established => &mut counters.end_established,
            FlowState::Closed => &mut counters.end_closed,
        };
        *by_state = by_state.saturating_add(1);
        self.count_held();
    }

    /// Ends every flow.
    pub fn drain(&mut self) {
        let all: Vec<u32> = self.links.iter().copied().collect();
        for index in all {
            self.end(index, EndReason::Shutdown);
        }
        self.sort_ended();
    }

    /// Puts the flows that have ended and are to be finished in the order in which they began: that of the wheel would depend on
    /// which other flows are in the table.
    #[inline]
    pub fn sort_ended(&mut self) {
        if self.ended.len() > 1 {
            let slab = &self.slab;
            // Ids decide where the packets' numbers do not, so that the hash never shows.
            let born = |index: &u32| {
                slab.get(*index).map(|slot| (slot.born, slot.flow.as_ref().map(|flow| flow.id)))
            };
            self.ended.make_contiguous().sort_unstable_by_key(born);
        }
    }

    /// The next flow that has ended and is to be finished and released, and when it was born.
    #[inline]
    pub fn next_ended(&mut self) -> Option<(FlowIndex, u64)> {
        let index = self.ended.pop_front()?;
        Some((FlowIndex(index), self.slab.get(index)?.born))
    }

    /// Drops a flow without finishing it: its state can no longer be trusted.
    pub fn forget(&mut self, index: FlowIndex) {
        self.end(index.0, EndReason::Forced);
        self.ended.retain(|ended| *ended != index.0);
        self.release(index);
    }

    /// Frees an ended flow.
    pub fn release(&mut self, index: FlowIndex) {
        let Some(slot) = self.slab.get_mut(index.0) else {
            return;
        };
        if slot.linked || slot.flow.is_none() {
            return;
        }
        slot.flow = None;
        self.slab.give_back(index.0);
    }
}

/// Second at which the flow ends unless a packet comes before.
fn deadline(config: &FlowConfig, flow: &Flow) -> u64 {
    let timeout = config.timeouts.of(flow.proto).seconds(flow.state).max(1);
    flow.last.plus_seconds(timeout).seconds()
}

fn icmp_of(pkt: &Packet) -> Option<(u8, u8)> {
    match pkt.l4 {
        L4::Icmp { kind, code, .. } => Some((kind, code)),
        _ => None,
    }
}

/// A SYN that opens another connection on the ports of one that is over, or never began (RFC 9293, 3.6.1).
fn is_new_connection(flow: &Flow, pkt: &Packet, dir: Dir) -> bool {
    match (pkt.tcp(), flow.tcp.as_deref()) {
        (Some(header), Some(session)) => !pkt.bad_checksum && session.is_reused_by(header, dir),
        _ => false,
    }
}

#[inline]
fn account(flow: &mut Flow, pkt: &Packet, dir: Dir) {
    let packets = &mut flow.packets[dir];
    *packets = packets.saturating_add(1);
    let bytes = &mut flow.bytes[dir];
    *bytes = bytes.saturating_add(pkt.frame.len() as u64);
    flow.last = flow.last.max(pkt.ts);
    flow.ttl[dir].add(pkt.ttl);
    if let (Some(macs), Some(src), Some(dst)) = (&mut flow.macs, pkt.ether_src(), pkt.ether_dst()) {
        let (client, server) = if dir == Dir::ToServer { (src, dst) } else { (dst, src) };
        macs.client.add(client);
        macs.server.add(server);
    }
    if dir == Dir::ToClient {
        if flow.icmp.is_some() && flow.icmp_response.is_none() {
            flow.icmp_response = icmp_of(pkt);
        }
        // TCP's state is the stream stage's to say.
        let own = flow.proto == pkt.proto;
        if own && flow.state == FlowState::New && pkt.tcp().is_none() {
            flow.state = FlowState::Established;
        }
    }
}
