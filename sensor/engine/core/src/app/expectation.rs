//! Flows that a parser announces before they come: an FTP control connection names the port of its data connection, and
//! nothing in the data's first bytes says what it is. A parser leaves an `Expect` in `ParseCx::expect`; the driver keeps it in
//! the worker's bounded table and, at the first data of a flow, asks whether somebody announced it (docs/adr/0004).
//!
//! An expectation is about the two hosts of the flow that asks. Frames are dealt to workers by the address pair, so the flow
//! that asks and the flow that is asked for always meet in one worker, and a replay with any number of them agrees. A
//! connection to a third host (FXP, a server that names another address) is not expected, as in Suricata.

use super::ProtocolId;
use crate::decode::Addr;
use crate::direction::Dir;
use crate::flow::Flow;
use crate::time::Timestamp;
use std::collections::{HashMap, VecDeque};

/// Seconds of packet time after which a flow that did not come is no longer expected (Suricata: 30).
const TIMEOUT_SECONDS: u64 = 30;
/// Expectations one worker keeps; beyond it the oldest go. With the note's cap, 20 MB at most.
const EXPECTATIONS_MAX: usize = 16_384;
/// Bytes of a note: the longest file name Linux accepts is a path of 4 KiB, but names beyond this are cut.
pub const NOTE_MAX_BYTES: usize = 1024;

/// What a parser asks for.
#[derive(Clone, Debug)]
pub struct Expect {
    /// The protocol of the coming flow, by its name in the registry.
    pub protocol: &'static str,
    /// The coming flow's IP protocol number (6 = TCP).
    pub transport: u8,
    /// Whose port it is: the asking flow's server (`ToServer`) or its client (`ToClient`).
    pub listener: Dir,
    pub port: u16,
    /// For `Parser::expected` of the coming flow; at most `NOTE_MAX_BYTES` are kept.
    pub note: Vec<u8>,
}

/// What is known of a flow that was expected and has come.
pub struct Expected {
    pub protocol: ProtocolId,
    /// EVE `flow_id` of the flow that asked.
    pub parent: u64,
    pub note: Vec<u8>,
}

/// Between whom: the end that listens, with its port, and the other host.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    listener: Addr,
    port: u16,
    other: Addr,
    transport: u8,
    ip_version: u8,
}

struct Entry {
    until: Timestamp,
    expected: Expected,
}

/// One worker's table. Its map is keyed by what an attacker chose, hence the standard library's keyed hash.
#[derive(Default)]
pub struct Expectations {
    by_key: HashMap<Key, Entry>,
    /// Oldest first; a row whose entry was taken or replaced is skipped.
    order: VecDeque<(Timestamp, Key)>,
}

impl Expectations {
    /// Takes what the parser of `flow` asked for. A later wish for the same port replaces an earlier one: a port that was
    /// announced accepts one connection.
    pub fn add(&mut self, flow: &Flow, wishes: &mut Vec<Expect>, now: Timestamp) {
        for mut wish in wishes.drain(..) {
            let Some(protocol) = ProtocolId::find(wish.protocol) else { continue };
            let (listener, other) = match wish.listener {
                Dir::ToServer => (flow.dst, flow.src),
                Dir::ToClient => (flow.src, flow.dst),
            };
            let (port, transport, ip_version) = (wish.port, wish.transport, flow.ip_version);
            let key = Key { listener, port, other, transport, ip_version };
            wish.note.truncate(NOTE_MAX_BYTES);
            self.expire(now);
            while self.order.len() >= EXPECTATIONS_MAX {
                self.drop_oldest();
            }
            let until = now.plus_seconds(TIMEOUT_SECONDS);
            let expected = Expected { protocol, parent: flow.id, note: wish.note };
            self.by_key.insert(key, Entry { until, expected });
            self.order.push_back((until, key));
        }
    }

    /// Whether somebody announced this flow, whichever way round it was picked up; an expectation is met once.
    pub fn take(&mut self, flow: &Flow) -> Option<Expected> {
        if self.by_key.is_empty() {
            return None;
        }
        let (transport, ip_version) = (flow.proto, flow.ip_version);
        let to = Key { listener: flow.dst, port: flow.dst_port, other: flow.src, transport, ip_version };
        let from = Key { listener: flow.src, port: flow.src_port, other: flow.dst, transport, ip_version };
        let found = self.by_key.remove(&to).or_else(|| self.by_key.remove(&from))?;
        (found.until >= flow.last).then_some(found.expected)
    }

    fn expire(&mut self, now: Timestamp) {
        while self.order.front().is_some_and(|(until, _)| *until < now) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let Some((until, key)) = self.order.pop_front() else { return };
        if self.by_key.get(&key).is_some_and(|entry| entry.until == until) {
            self.by_key.remove(&key);
        }
    }
}
