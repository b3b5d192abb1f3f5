//! The flow table: keys, directions, timeouts, the cap, and what must not depend on the hash.

use super::*;
use crate::decode::packet::L4;
use crate::decode::{Addr, Packet, TcpHeader};
use crate::direction::Dir;
use crate::time::Timestamp;
use proptest::prelude::*;

fn udp(second: u64, src: (u8, u16), dst: (u8, u16)) -> Packet<'static> {
    let mut pkt = Packet::new(b"frame", Timestamp::from_parts(second, 0), second, 5, 1);
    pkt.ip_version = 4;
    pkt.proto = 17;
    pkt.src = Addr::v4([10, 0, 0, src.0]);
    pkt.dst = Addr::v4([10, 0, 0, dst.0]);
    (pkt.src_port, pkt.dst_port) = (src.1, dst.1);
    pkt.l4 = L4::Udp;
    pkt
}

fn icmp(second: u64, kind: u8, src: u8, dst: u8) -> Packet<'static> {
    let mut pkt = udp(second, (src, 0), (dst, 0));
    pkt.proto = 1;
    pkt.l4 = L4::Icmp { v6: false, kind, code: 0, id: Some(1), seq: Some(1) };
    pkt
}

fn table() -> FlowTable {
    FlowTable::new(FlowConfig::default(), [1, 2, 3, 4], 5)
}

fn ended(table: &mut FlowTable) -> Vec<(u16, EndReason)> {
    let mut out = Vec::new();
    while let Some((index, _)) = table.next_ended() {
        out.extend(table.get(index).map(|flow| (flow.src_port, flow.reason)));
        table.release(index);
    }
    out
}

#[test]
fn both_directions_are_one_flow() {
    let mut t = table();
    let (a, dir, new) = t.find_or_create(&udp(1, (1, 5), (2, 53))).unwrap();
    assert_eq!((dir, new), (Dir::ToServer, true));
    let (b, dir, new) = t.find_or_create(&udp(1, (2, 53), (1, 5))).unwrap();
    assert_eq!((a, dir, new), (b, Dir::ToClient, false));
    let flow = t.get(a).unwrap();
    assert_eq!((flow.packets.to_server, flow.packets.to_client), (1, 1));
    assert_eq!((flow.bytes.to_server, flow.state), (5, FlowState::Established));
    assert!(flow.id > 0 && flow.id < 1 << 51);
}

#[test]
fn vlan_depth_and_version_tell_flows_apart() {
    let mut t = table();
    let plain = udp(1, (1, 5), (2, 53));
    let mut tagged = plain;
    tagged.vlan = [7, 0, 0];
    let mut inner = plain;
    inner.depth = 1;
    let mut fragment = plain;
    fragment.is_fragment = true;
    let found: Vec<_> = [plain, tagged, inner].iter().filter_map(|p| t.find_or_create(p)).collect();
    assert!(found.iter().all(|f| f.2));
    assert!(t.find_or_create(&fragment).is_none());
    let mut config = FlowConfig::default();
    config.vlan.use_for_tracking = false;
    let mut t = FlowTable::new(config, [1, 2, 3, 4], 5);
    assert_eq!(t.find_or_create(&plain).map(|f| f.0), t.find_or_create(&tagged).map(|f| f.0));
}

#[test]
fn echo_and_reply_share_a_flow_and_errors_join_what_they_quote() {
    let mut t = table();
    let (echo, ..) = t.find_or_create(&icmp(1, 8, 1, 2)).unwrap();
    let (reply, dir, _) = t.find_or_create(&icmp(1, 0, 2, 1)).unwrap();
    assert_eq!((echo, dir), (reply, Dir::ToClient));
    assert_eq!(t.get(echo).unwrap().icmp_response, Some((0, 0)));

    let (flow, ..) = t.find_or_create(&udp(1, (1, 5), (2, 53))).unwrap();
    let mut quoted = vec![3, 1, 0, 0, 0, 0, 0, 0, 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0];
    quoted.extend_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2, 0, 5, 0, 53, 0, 8, 0, 0]);
    let frame: &'static [u8] = quoted.leak();
    let mut error = icmp(1, 3, 9, 1);
    error.frame = frame;
    error.l4_end = 36;
    let (index, dir, new) = t.find_or_create(&error).unwrap();
    assert_eq!((index, dir, new), (flow, Dir::ToClient, false));
    error.l4_end = 20;
    assert!(t.find_or_create(&error).unwrap().2);
}

#[test]
fn timeouts_follow_packet_time_and_state() {
    let mut t = table();
    t.find_or_create(&udp(100, (1, 5), (2, 53)));
    t.find_or_create(&udp(100, (1, 6), (2, 53)));
    t.find_or_create(&udp(101, (2, 53), (1, 6)));
    t.expire(Timestamp::from_parts(130, 0));
    assert_eq!(ended(&mut t), []);
    t.expire(Timestamp::from_parts(131, 0));
    assert_eq!(ended(&mut t), [(5, EndReason::Timeout)]);
    // A packet on a flow whose time is over begins a new one, whether or not the table was swept.
    let (_, _, new) = t.find_or_create(&udp(401, (1, 6), (2, 53))).unwrap();
    assert!(new);
    assert_eq!(ended(&mut t), [(6, EndReason::Timeout)]);
    t.expire(Timestamp::from_parts(1_000_000, 0));
    assert_eq!(ended(&mut t), [(6, EndReason::Timeout)]);
    assert!(t.is_empty());
}

#[test]
fn the_cap_evicts_the_flow_nearest_to_its_timeout() {
    let config = FlowConfig { memcap: 64 * 1024, ..FlowConfig::default() };
    let mut t = FlowTable::new(config, [1, 2, 3, 4], 5);
    for port in 0..1000 {
        t.find_or_create(&udp(u64::from(port) / 100, (1, port), (2, 53)));
    }
    assert!(t.counters.memcap > 750 && t.counters.memuse <= 64 * 1024);
    assert_eq!(t.counters.end_evicted, t.counters.memcap);
    let gone = ended(&mut t);
    assert!(gone.iter().take(90).all(|(port, reason)| *port < 100 && *reason == EndReason::Forced));
}

#[test]
fn a_syn_on_a_closed_connection_begins_a_flow() {
    let mut t = table();
    let mut streams = crate::stream::Streams::default();
    let mut send = |t: &mut FlowTable, to_server: bool, flags: u8, seq: u32, ack: u32| {
        let (a, b) = ((1, 999), (2, 80));
        let mut pkt = if to_server { udp(1, a, b) } else { udp(1, b, a) };
        pkt.proto = 6;
        pkt.l4 = L4::Tcp(TcpHeader { seq, ack, flags, window: 1000, ..TcpHeader::default() });
        let (index, dir, new) = t.find_or_create(&pkt).unwrap();
        crate::stream::packet(&mut streams, t.get_mut(index).unwrap(), &mut pkt, dir);
        t.packet_done(index);
        new
    };
    assert!(send(&mut t, true, TcpHeader::SYN, 100, 0));
    assert!(!send(&mut t, true, TcpHeader::SYN, 100, 0));
    assert!(!send(&mut t, false, TcpHeader::RST | TcpHeader::ACK, 0, 101));
    assert!(!send(&mut t, true, TcpHeader::SYN, 100, 0));
    assert!(send(&mut t, true, TcpHeader::SYN, 7777, 0));
    assert_eq!(ended(&mut t), [(999, EndReason::TcpReuse)]);
    // A closed state's shorter timeout takes effect at once.
    assert!(!send(&mut t, false, TcpHeader::RST | TcpHeader::ACK, 0, 7778));
    t.expire(Timestamp::from_parts(62, 0));
    assert_eq!(ended(&mut t), [(999, EndReason::Timeout)]);
}

proptest! {
    /// Ends, ids and their order are the same whatever the keys of the hash and however often the table is swept.
    #[test]
    fn nothing_depends_on_the_hash(
        packets in prop::collection::vec((0u64..400, 0u8..4, 0u16..6), 1..120),
        keys in any::<[u64; 4]>(),
    ) {
        let run = |keys, sweep: bool| {
            let mut t = FlowTable::new(FlowConfig::default(), keys, 5);
            let mut all = Vec::new();
            let mut now = 1_000;
            for (step, host, port) in &packets {
                now += step;
                let (a, b) = ((*host, *port), (9, 53));
                let pkt = if step % 2 == 0 { udp(now, a, b) } else { udp(now, b, a) };
                if sweep {
                    t.expire(pkt.ts);
                }
                t.find_or_create(&pkt);
            }
            t.expire(Timestamp::from_parts(now, 0));
            t.drain();
            while let Some((index, _)) = t.next_ended() {
                all.extend(t.get(index).map(|f| (f.id, f.packets.to_server, f.packets.to_client, f.start)));
                t.release(index);
            }
            all
        };
        let (first, second) = (run([1, 2, 3, 4], true), run(keys, true));
        prop_assert_eq!(&first, &second);
        let mut unswept = run(keys, false);
        let mut swept = first;
        unswept.sort();
        swept.sort();
        prop_assert_eq!(swept, unswept);
    }
}
