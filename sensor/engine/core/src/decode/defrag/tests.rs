//! Fragments through the whole decoder: order, overlaps, caps, time.

use super::super::{events, Addr, Decoder, Origin, Packet};
use super::*;
use crate::capture::Frame;
use crate::decode::Config as DecodeConfig;

fn v4_fragment(id: u16, offset: u16, more: bool, data: &[u8]) -> Vec<u8> {
    let field = (offset / 8) | if more { 0x2000 } else { 0 };
    let mut out = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    out[2..4].copy_from_slice(&((20 + data.len()) as u16).to_be_bytes());
    out[4..6].copy_from_slice(&id.to_be_bytes());
    out[6..8].copy_from_slice(&field.to_be_bytes());
    out.extend_from_slice(data);
    out
}

fn v6_fragment(id: u32, offset: u16, more: bool, data: &[u8]) -> Vec<u8> {
    // A destination-options header precedes the fragment header.
    let mut out = vec![0x60, 0, 0, 0, 0, 0, 60, 64];
    out[4..6].copy_from_slice(&((16 + data.len()) as u16).to_be_bytes());
    out.extend([1; 16]);
    out.extend([2; 16]);
    out.extend([44, 0, 0xc2, 4, 0, 0, 0, 0, 17, 0]);
    out.extend((offset | u16::from(more)).to_be_bytes());
    out.extend(id.to_be_bytes());
    out.extend_from_slice(data);
    out
}

fn udp(payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0, 53, 0, 99, 0, 0, 0, 0];
    out[4..6].copy_from_slice(&((8 + payload.len()) as u16).to_be_bytes());
    out.extend_from_slice(payload);
    out
}

fn with_frame<T>(
    decoder: &mut Decoder,
    data: &[u8],
    seconds: u64,
    see: impl FnOnce(&Packet<'_>, Option<Packet<'_>>) -> T,
) -> T {
    let frame =
        Frame { data, ts: Timestamp::from_parts(seconds, 0), wire_len: data.len() as u32, link_type: 101 };
    let packet = decoder.decode(&frame, 1);
    assert!(packet.is_fragment);
    see(&packet, decoder.inner(&frame, 1))
}

fn feed(decoder: &mut Decoder, data: &[u8], seconds: u64) -> Option<Vec<u8>> {
    with_frame(decoder, data, seconds, |_, inner| {
        inner.map(|inner| {
            assert_eq!((inner.origin, inner.depth), (Origin::Defrag, 0));
            assert!(!inner.is_fragment);
            inner.payload().to_vec()
        })
    })
}

fn decoder(config: Config) -> Decoder {
    Decoder::new(DecodeConfig { defrag: config, ..DecodeConfig::default() })
}

#[test]
fn both_versions_reassemble_in_any_order() {
    let payload: Vec<u8> = (0..100u8).collect();
    let datagram = udp(&payload);
    type Make = fn(u16, bool, &[u8]) -> Vec<u8>;
    let makers: [Make; 2] = [
        |offset, more, data| v4_fragment(7, offset, more, data),
        |offset, more, data| v6_fragment(7, offset, more, data),
    ];
    for make in makers {
        let parts = [
            make(0, true, &datagram[..40]),
            make(40, true, &datagram[40..80]),
            make(80, false, &datagram[80..]),
        ];
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1]] {
            let mut decoder = decoder(Config::default());
            assert_eq!(feed(&mut decoder, &parts[order[0]], 1), None);
            assert_eq!(feed(&mut decoder, &parts[order[1]], 1), None);
            assert_eq!(feed(&mut decoder, &parts[order[2]], 1), Some(payload.clone()));
            let counters = decoder.counters();
            assert_eq!(counters.ipv4_reassembled + counters.ipv6_reassembled, 1);
        }
    }
}

#[test]
fn reassembled_headers_are_right() {
    let datagram = udp(b"0123456789abcdef");
    let mut decoder = decoder(Config::default());
    feed(&mut decoder, &v4_fragment(1, 0, true, &datagram[..8]), 1);
    with_frame(&mut decoder, &v4_fragment(1, 8, false, &datagram[8..]), 1, |_, inner| {
        let inner = inner.unwrap();
        assert!(super::super::checksum::ipv4_is_right(&inner));
        assert_eq!(inner.ipv4_total_len(), Some(44));
        assert_eq!(inner.src, Addr::v4([10, 0, 0, 1]));
        assert_eq!(inner.link_type, 228);
    });
}

#[test]
fn overlaps_are_told_and_decided_by_policy() {
    for (os, expected) in [("first", b'A'), ("last", b'B')] {
        let mut decoder = decoder(Config {
            hosts: serde_json::from_value(serde_json::json!({ os: ["10.0.0.2"] })).unwrap(),
            ..Config::default()
        });
        let datagram = udp(&[b'A'; 32]);
        feed(&mut decoder, &v4_fragment(1, 0, true, &datagram[..24]), 1);
        let overlap = v4_fragment(1, 16, true, &[b'B'; 8]);
        with_frame(&mut decoder, &overlap, 1, |packet, inner| {
            assert!(packet.events.contains(events::IPV4_FRAG_OVERLAP));
            assert!(inner.is_none());
        });
        let payload = feed(&mut decoder, &v4_fragment(1, 24, false, &datagram[24..]), 1).unwrap();
        assert_eq!(payload[8], expected);
    }
}

#[test]
fn too_large_is_told_and_kept_out() {
    let mut decoder = decoder(Config::default());
    let ping_of_death = v4_fragment(1, 65_528, false, &[0; 64]);
    with_frame(&mut decoder, &ping_of_death, 1, |packet, _| {
        assert!(packet.events.contains(events::IPV4_FRAG_PKT_TOO_LARGE));
    });
}

#[test]
fn fragments_wait_only_so_long_in_packet_time() {
    let datagram = udp(&[1; 16]);
    for (seconds, whole) in [(61, true), (62, false)] {
        let mut decoder = decoder(Config::default());
        feed(&mut decoder, &v4_fragment(1, 0, true, &datagram[..8]), 1);
        let payload = feed(&mut decoder, &v4_fragment(1, 8, false, &datagram[8..]), seconds);
        assert_eq!(payload.is_some(), whole);
    }
}

#[test]
fn caps_hold_and_the_longest_untouched_goes() {
    let configs = [
        Config { trackers: 4, ..Config::default() },
        Config { max_frags: 4, ..Config::default() },
        Config { memcap: 4_096, ..Config::default() },
    ];
    for config in configs {
        let mut decoder = decoder(config.clone());
        for id in 0..1_000 {
            feed(&mut decoder, &v4_fragment(id, 8, true, &[0; 512]), 1);
            let defrag = decoder.defrag();
            assert!(defrag.slots.len() <= config.trackers);
            assert!(defrag.fragments <= config.max_frags);
            // One fragment may go over before it is noticed.
            assert!(defrag.memory <= config.memcap + 2_048);
        }
        assert!(decoder.counters().max_frag_hits > 900);
    }
}

#[test]
fn a_fragment_that_comes_again_and_again_takes_no_room_and_pushes_nobody_out() {
    let config = Config { max_frags: 16, memcap: 16_384, ..Config::default() };
    let datagram = udp(&[3; 16]);
    for os in ["first", "last"] {
        let hosts = serde_json::from_value(serde_json::json!({ os: ["10.0.0.2"] })).unwrap();
        let mut decoder = decoder(Config { hosts, ..config.clone() });
        feed(&mut decoder, &v4_fragment(1, 0, true, &datagram[..8]), 1);
        for _ in 0..10_000 {
            feed(&mut decoder, &v4_fragment(2, 1_024, true, &[7; 1_024]), 1);
        }
        assert!(decoder.defrag().memory < 8_192, "{}", decoder.defrag().memory);
        assert_eq!((decoder.defrag().fragments, decoder.counters().max_frag_hits), (2, 0));
        assert_eq!(feed(&mut decoder, &v4_fragment(1, 8, false, &datagram[8..]), 1), Some(vec![3; 16]));
    }
}
