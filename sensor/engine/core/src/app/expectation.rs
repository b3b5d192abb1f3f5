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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::packet::L4;
    use crate::decode::Packet;
    use crate::flow::{FlowConfig, FlowIndex, FlowTable};

    const CLIENT: [u8; 4] = [10, 0, 0, 1];
    const SERVER: [u8; 4] = [10, 0, 0, 2];

    fn table() -> FlowTable {
        FlowTable::new(FlowConfig::default(), [1, 2, 3, 4], 5)
    }

    fn open(table: &mut FlowTable, second: u64, src: ([u8; 4], u16), dst: ([u8; 4], u16)) -> FlowIndex {
        let mut packet = Packet::new(b"frame", Timestamp::from_parts(second, 0), second, 5, 1);
        (packet.ip_version, packet.proto, packet.l4) = (4, TCP, L4::Tcp(Default::default()));
        (packet.src, packet.dst) = (Addr::v4(src.0), Addr::v4(dst.0));
        (packet.src_port, packet.dst_port) = (src.1, dst.1);
        table.find_or_create(&packet).unwrap().0
    }

    const TCP: u8 = 6;

    fn wish(listener: Dir, port: u16, note: &[u8]) -> Vec<Expect> {
        vec![Expect { protocol: "ftp-data", transport: TCP, listener, port, note: note.to_vec() }]
    }

    #[test]
    fn an_announced_flow_is_met_once_and_in_time() {
        let (mut flows, mut expected) = (table(), Expectations::default());
        let control = open(&mut flows, 1, (CLIENT, 4000), (SERVER, 21));
        let passive = open(&mut flows, 2, (CLIENT, 4001), (SERVER, 5000));
        let other = open(&mut flows, 2, ([10, 0, 0, 3], 4001), (SERVER, 5000));
        let active = open(&mut flows, 2, (SERVER, 20), (CLIENT, 6000));
        let late = open(&mut flows, 40, (SERVER, 20), (CLIENT, 7000));
        let now = Timestamp::from_parts(1, 0);
        let control = flows.get(control).unwrap();
        for (listener, port, note) in [(Dir::ToServer, 5000, &b"old"[..]), (Dir::ToServer, 5000, b"new")] {
            expected.add(control, &mut wish(listener, port, note), now);
        }
        expected.add(control, &mut wish(Dir::ToClient, 6000, &[b'x'; 5000]), now);
        expected.add(control, &mut wish(Dir::ToClient, 7000, b""), now);
        assert!(expected.take(flows.get(other).unwrap()).is_none());
        let met = expected.take(flows.get(passive).unwrap()).unwrap();
        assert_eq!(
            (met.parent, &met.note[..], met.protocol.get().name),
            (control.id, &b"new"[..], "ftp-data")
        );
        assert!(expected.take(flows.get(passive).unwrap()).is_none());
        assert_eq!(expected.take(flows.get(active).unwrap()).unwrap().note.len(), NOTE_MAX_BYTES);
        assert!(expected.take(flows.get(late).unwrap()).is_none());
    }

    #[test]
    fn the_table_is_bounded() {
        let (mut flows, mut expected) = (table(), Expectations::default());
        let control = open(&mut flows, 1, (CLIENT, 4000), (SERVER, 21));
        let control = flows.get(control).unwrap();
        let at = |second| Timestamp::from_parts(second, 0);
        for port in 0..=u16::MAX {
            expected.add(control, &mut wish(Dir::ToServer, port, b""), at(1));
        }
        assert!(expected.by_key.len() == EXPECTATIONS_MAX && expected.order.len() == EXPECTATIONS_MAX);
        expected.add(control, &mut wish(Dir::ToServer, 1, b""), at(60));
        assert_eq!((expected.by_key.len(), expected.order.len()), (1, 1));
    }
}
