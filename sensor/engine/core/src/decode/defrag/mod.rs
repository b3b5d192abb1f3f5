//! Defragmentation of IPv4 (RFC 791, 3.2; RFC 815) and IPv6 (RFC 8200, 4.5) by the receiving host's policy. Time is packet
//! time; memory, datagrams and fragments in hand are capped, and the datagram longest untouched goes first.

mod datagram;
mod policy;

pub use policy::Policy;

use super::packet::Packet;
use crate::stream::HostPolicies;
use crate::time::Timestamp;
use datagram::Datagram;
use hashbrown::HashMap;
use serde::Deserialize;

/// What an IP datagram can be long at most (both versions; IPv6 jumbograms cannot be fragmented, RFC 2675).
const DATAGRAM_BYTES_MAX: usize = 65_535;

/// Node `defrag`. Sizes are bytes.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Config {
    /// Bytes all incomplete datagrams may hold.
    pub memcap: usize,
    /// Datagrams in hand.
    pub trackers: usize,
    /// Fragments in hand.
    pub max_frags: usize,
    /// Seconds a datagram may wait for its next fragment.
    pub timeout: u64,
    /// Filled from node `host-os-policy`.
    #[serde(skip)]
    pub hosts: HostPolicies,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            memcap: 32 << 20,
            trackers: 65_535,
            max_frags: 65_535,
            timeout: 60,
            hosts: HostPolicies::default(),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    src: u128,
    dst: u128,
    id: u32,
    version: u8,
    /// IPv4 only: IPv6 identifies without it (RFC 8200, 4.5).
    proto: u8,
    depth: u8,
    vlan: [u16; 3],
}

/// A datagram in hand, in a list from the longest untouched to the one touched last.
struct Tracker {
    key: Key,
    last: Timestamp,
    datagram: Datagram,
    older: usize,
    newer: usize,
}

/// No tracker: the end of the list.
const NOBODY: usize = usize::MAX;

/// What became of a fragment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub overlap: bool,
    pub too_large: bool,
    /// A cap kept it out.
    pub ignored: bool,
    /// The datagram is whole: it is in `Defrag::whole`.
    pub complete: bool,
    /// Datagrams given up for want of room, and for want of fragments in time.
    pub evicted: u64,
    pub timed_out: u64,
}

pub(super) struct Defrag {
    config: Config,
    /// Keyed by process, against chosen collisions; nothing depends on its order.
    slots: HashMap<Key, usize, ahash::RandomState>,
    trackers: Vec<Tracker>,
    free: Vec<usize>,
    oldest: usize,
    newest: usize,
    memory: usize,
    fragments: usize,
    /// The datagram completed last, headers included.
    pub whole: Vec<u8>,
}

impl Defrag {
    pub fn new(config: Config) -> Self {
        Defrag {
            slots: HashMap::with_hasher(ahash::RandomState::new()),
            trackers: Vec::new(),
            free: Vec::new(),
            oldest: NOBODY,
            newest: NOBODY,
            memory: 0,
            fragments: 0,
            whole: Vec::new(),
            config,
        }
    }

    /// Takes a fragment whose data is frame[at..end]; `packet.ip_header_len` is the length of what precedes the data
    /// (IPv4) or the fragment header (IPv6).
    pub fn add(&mut self, packet: &Packet<'_>, at: usize, end: usize) -> Outcome {
        let mut outcome = Outcome { timed_out: self.expire(packet.ts), ..Outcome::default() };
        let data = packet.frame.get(at..end).unwrap_or(&[]);
        let offset = usize::from(packet.fragment_offset);
        let header_len = usize::from(packet.ip_header_len);
        // IPv4 counts its header in the length, IPv6 only the extension headers.
        let counted = match packet.ip_version {
            4 => header_len,
            _ => header_len.saturating_sub(super::ipv6::HEADER_LEN),
        };
        if counted.saturating_add(offset).saturating_add(data.len()) > DATAGRAM_BYTES_MAX {
            outcome.too_large = true;
            return outcome;
        }
        if data.is_empty() && packet.more_fragments {
            return outcome;
        }
        let Some((key, slot)) = self.tracker(packet, data.len(), &mut outcome) else {
            outcome.ignored = true;
            return outcome;
        };
        let policy = Policy::from(self.config.hosts.of(packet.dst));
        let Some(tracker) = self.trackers.get_mut(slot) else {
            return outcome;
        };
        let (memory, fragments) = (tracker.datagram.memory(), tracker.datagram.fragments());
        if offset == 0 && tracker.datagram.header.is_empty() {
            let ip_at = packet.ip_off as usize;
            let header = packet.frame.get(ip_at..ip_at.saturating_add(header_len));
            tracker.datagram.header.extend_from_slice(header.unwrap_or(&[]));
            let number_at = packet.fragment_number_at.saturating_sub(packet.ip_off);
            tracker.datagram.next_header = (number_at as u16, packet.proto);
        }
        outcome.overlap =
            tracker.datagram.insert(policy, u32::from(packet.fragment_offset), data, !packet.more_fragments);
        self.memory = self.memory.saturating_add(tracker.datagram.memory()).saturating_sub(memory);
        self.fragments =
            self.fragments.saturating_add(tracker.datagram.fragments()).saturating_sub(fragments);
        if tracker.datagram.is_complete() {
            outcome.complete = assemble(&tracker.datagram, key.version, &mut self.whole);
            outcome.too_large = !outcome.complete;
            self.remove(slot);
        }
        outcome
    }

    /// The datagram the fragment belongs to, made when there is none; None when no room can be made.
    fn tracker(&mut self, packet: &Packet<'_>, len: usize, outcome: &mut Outcome) -> Option<(Key, usize)> {
        let key = Key {
            src: packet.src.0,
            dst: packet.dst.0,
            id: identification(packet),
            version: packet.ip_version,
            proto: if packet.ip_version == 4 { packet.proto } else { 0 },
            depth: packet.depth,
            vlan: packet.vlan,
        };
        if let Some(&slot) = self.slots.get(&key) {
            self.unlink(slot);
            self.link(slot, packet.ts);
        }
        let known = self.slots.contains_key(&key);
        let trackers_max = self.config.trackers.saturating_add(usize::from(known)).saturating_sub(1);
        while self.memory.saturating_add(len) > self.config.memcap
            || self.fragments >= self.config.max_frags
            || self.slots.len() > trackers_max
        {
            if self.oldest == NOBODY {
                return None;
            }
            outcome.evicted = outcome.evicted.saturating_add(1);
            self.remove(self.oldest);
        }
        if let Some(&slot) = self.slots.get(&key) {
            return Some((key, slot));
        }
        let tracker =
            Tracker { key, last: packet.ts, datagram: Datagram::default(), older: NOBODY, newer: NOBODY };
        let slot = match self.free.pop() {
            Some(slot) => {
                *self.trackers.get_mut(slot)? = tracker;
                slot
            }
            None => {
                self.trackers.push(tracker);
                self.trackers.len().saturating_sub(1)
            }
        };
        self.slots.insert(key, slot);
        self.link(slot, packet.ts);
        Some((key, slot))
    }

    fn expire(&mut self, now: Timestamp) -> u64 {
        let mut count = 0u64;
        while let Some(tracker) = self.trackers.get(self.oldest) {
            if now <= tracker.last.plus_seconds(self.config.timeout) {
                break;
            }
            self.remove(self.oldest);
            count = count.saturating_add(1);
        }
        count
    }

    fn link(&mut self, slot: usize, now: Timestamp) {
        let newest = self.newest;
        if let Some(tracker) = self.trackers.get_mut(slot) {
            tracker.last = now;
            tracker.older = newest;
            tracker.newer = NOBODY;
        }
        match self.trackers.get_mut(newest) {
            Some(previous) => previous.newer = slot,
            None => self.oldest = slot,
        }
        self.newest = slot;
    }

    fn unlink(&mut self, slot: usize) {
        let Some(tracker) = self.trackers.get(slot) else {
            return;
        };
        let (older, newer) = (tracker.older, tracker.newer);
        match self.trackers.get_mut(older) {
            Some(neighbour) => neighbour.newer = newer,
            None => self.oldest = newer,
        }
        match self.trackers.get_mut(newer) {
            Some(neighbour) => neighbour.older = older,
            None => self.newest = older,
        }
    }

    fn remove(&mut self, slot: usize) {
        self.unlink(slot);
        if let Some(tracker) = self.trackers.get_mut(slot) {
            self.memory = self.memory.saturating_sub(tracker.datagram.memory());
            self.fragments = self.fragments.saturating_sub(tracker.datagram.fragments());
            tracker.datagram = Datagram::default();
            self.slots.remove(&tracker.key);
            self.free.push(slot);
        }
    }
}

/// What tells this datagram's fragments from others' of the same hosts.
fn identification(packet: &Packet<'_>) -> u32 {
    if packet.ip_version == 4 {
        return u32::from(packet.ip_id().unwrap_or(0));
    }
    let at = (packet.ip_off as usize).saturating_add(usize::from(packet.ip_header_len)).saturating_add(4);
    match packet.frame.get(at..at.saturating_add(4)) {
        Some(&[a, b, c, d]) => u32::from_be_bytes([a, b, c, d]),
        _ => 0,
    }
}

/// Writes the whole datagram to `out` as if it had never been cut; false when it is longer than IP allows.
fn assemble(datagram: &Datagram, version: u8, out: &mut Vec<u8>) -> bool {
    out.clear();
    out.extend_from_slice(&datagram.header);
    let fixed_len = if version == 4 { 0 } else { super::ipv6::HEADER_LEN };
    let counted = datagram.header.len().saturating_sub(fixed_len).saturating_add(datagram.len());
    let Ok(length) = u16::try_from(counted) else {
        return false;
    };
    if version == 4 {
        // Total length; no flags, no offset; then the checksum over the header as it is now.
        put_u16(out, 2, length);
        put_u16(out, 6, 0);
        put_u16(out, 10, 0);
        let sum = super::checksum::of(out);
        put_u16(out, 10, sum);
    } else {
        put_u16(out, 4, length);
        let (at, number) = datagram.next_header;
        if let Some(byte) = out.get_mut(usize::from(at)) {
            *byte = number;
        }
    }
    datagram.append_to(out);
    true
}

fn put_u16(out: &mut [u8], at: usize, value: u16) {
    if let Some(field) = out.get_mut(at..at.saturating_add(2)) {
        field.copy_from_slice(&value.to_be_bytes());
    }
}

#[cfg(test)]
mod tests;
