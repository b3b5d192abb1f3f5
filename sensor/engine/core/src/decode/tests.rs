//! Packets built by hand through the whole decoder, and any bytes at all.

use super::packet::L4;
use super::*;
use crate::time::Timestamp;
use proptest::prelude::*;

/// Link types worth throwing bytes at: every decoded one and one nobody decodes.
const LINK_TYPES: [u16; 16] = [1, 113, 276, 101, 12, 14, 228, 229, 0, 108, 109, 9, 50, 51, 104, 147];

fn frame(data: &[u8], link_type: u16) -> Frame<'_> {
    Frame { data, ts: Timestamp(1), wire_len: data.len() as u32, link_type }
}

fn ipv4(proto: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![0x45, 0, 0, 0, 0, 7, 0x40, 0, 64, proto, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    out[2..4].copy_from_slice(&((20 + body.len()) as u16).to_be_bytes());
    out.extend_from_slice(body);
    out
}

fn ipv6(proto: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![0x60, 0, 0, 0, 0, 0, proto, 64];
    out[4..6].copy_from_slice(&(body.len() as u16).to_be_bytes());
    out.extend([1; 16]);
    out.extend([2; 16]);
    out.extend_from_slice(body);
    out
}

fn tcp(options: &[u8], payload: &[u8]) -> Vec<u8> {
    let offset = ((20 + options.len()) / 4) as u8;
    let mut out = vec![0, 80, 1, 0, 0, 0, 0, 5, 0, 0, 0, 6, offset << 4, 0x18, 1, 2, 0, 0, 0, 0];
    out.extend_from_slice(options);
    out.extend_from_slice(payload);
    out
}

fn udp(payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0, 53, 0, 99, 0, 0, 0, 0];
    out[4..6].copy_from_slice(&((8 + payload.len()) as u16).to_be_bytes());
    out.extend_from_slice(payload);
    out
}

fn ethernet(ethertype: u16, body: &[u8]) -> Vec<u8> {
    let mut out = vec![2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1];
    out.extend(ethertype.to_be_bytes());
    out.extend_from_slice(body);
    out
}

fn decoder() -> Decoder {
    Decoder::new(Config { checksums: ChecksumMode::None, ..Config::default() })
}

fn events_of(packet: &Packet<'_>) -> Vec<&'static str> {
    packet.events.as_slice().iter().filter_map(|&code| events::name(code)).collect()
}

#[test]
fn tcp_over_vlan_tagged_ethernet() {
    let options = [2, 4, 5, 0xb4, 3, 3, 7, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 0];
    let inner = ipv4(6, &tcp(&options, b"hello"));
    let tagged = [&[0x20, 0x0a, 0x81, 0, 0, 0x14, 8, 0][..], &inner, b"padding"].concat();
    let bytes = ethernet(0x88a8, &tagged);
    let mut decoder = decoder();
    let packet = decoder.decode(&frame(&bytes, 1), 3);
    assert_eq!((packet.vlan, packet.vlan_count), ([10, 20, 0], 2));
    assert!(packet.has_ethernet);
    assert_eq!(packet.payload(), b"hello");
    assert_eq!((packet.src_port, packet.dst_port), (80, 256));
    assert_eq!(packet.src.display(4), "10.0.0.1");
    assert_eq!(packet.ip_id(), Some(7));
    assert_eq!(packet.ip_flags(), Some(2));
    assert_eq!(packet.l4_header().len(), 40);
    assert_eq!(packet.ether_src(), Some([1; 6]));
    let header = packet.tcp().unwrap();
    assert_eq!((header.seq, header.ack, header.window), (5, 6, 0x102));
    assert_eq!((header.mss, header.window_scale), (Some(1460), Some(7)));
    assert_eq!((header.sack_permitted, header.timestamp), (true, Some((1, 2))));
    assert!(packet.events.is_empty(), "{:?}", events_of(&packet));
    assert!(decoder.inner(&frame(&bytes, 1), 3).is_none());
    assert_eq!(decoder.counters().vlan_qinq, 1);
}

#[test]
fn every_link_type_reaches_udp() {
    let ip = ipv4(17, &udp(b"query"));
    let ip6 = ipv6(17, &udp(b"query"));
    let cooked = [&[0; 14][..], &[8, 0], &ip].concat();
    let cooked2 = [&[0x86, 0xdd][..], &[0; 18], &ip6].concat();
    let cases: Vec<(u16, Vec<u8>)> = vec![
        (1, ethernet(0x0800, &ip)),
        (1, ethernet(0x86dd, &ip6)),
        (113, cooked),
        (276, cooked2),
        (101, ip.clone()),
        (12, ip6.clone()),
        (14, ip.clone()),
        (228, ip.clone()),
        (229, ip6.clone()),
        (0, [&[2, 0, 0, 0][..], &ip].concat()),
        (0, [&[0, 0, 0, 30][..], &ip6].concat()),
        (0, [&[24, 0, 0, 0][..], &ip6].concat()),
        (108, [&[0, 0, 0, 28][..], &ip6].concat()),
        (9, [&[0xff, 3, 0, 0x21][..], &ip].concat()),
        (50, [&[0, 0x57][..], &ip6].concat()),
        (51, [&[0x11, 0, 0, 1, 0, 30, 0, 0x21][..], &ip].concat()),
        (104, [&[0x0f, 0, 8, 0][..], &ip].concat()),
    ];
    for (link_type, bytes) in cases {
        let packet = decoder().decode(&frame(&bytes, link_type), 1);
        assert_eq!(packet.payload(), b"query", "link type {link_type}");
        assert_eq!(packet.l4, L4::Udp);
        assert!(packet.events.is_empty());
    }
}

#[test]
fn tunnels_come_out_one_by_one() {
    let bytes = ipv4(4, &ipv4(41, &ipv6(4, &ipv4(17, &udp(b"deep")))));
    let mut decoder = decoder();
    let frame = frame(&bytes, 101);
    assert_eq!(decoder.decode(&frame, 1).depth, 0);
    let mut seen = Vec::new();
    while let Some(inner) = decoder.inner(&frame, 1) {
        seen.push((inner.depth, inner.ip_version, inner.origin.eve_name(), inner.payload().to_vec()));
    }
    assert_eq!(
        seen,
        vec![
            (1, 4, "ipv4 tunnel", vec![]),
            (2, 6, "ipv4 tunnel", vec![]),
            (3, 4, "ipv6 tunnel", b"deep".to_vec())
        ]
    );
}

#[test]
fn depth_is_bounded() {
    let mut bytes = ipv4(17, &udp(b""));
    for _ in 0..40 {
        bytes = ipv4(4, &bytes);
    }
    let mut decoder = decoder();
    let frame = frame(&bytes, 101);
    let mut packets = vec![events_of(&decoder.decode(&frame, 1))];
    while let Some(inner) = decoder.inner(&frame, 1) {
        packets.push(events_of(&inner));
    }
    assert!(packets.len() <= 17);
    assert_eq!(packets.last().unwrap(), &["decoder.too_many_layers"]);
}

#[test]
fn extension_headers_are_followed() {
    // Hop-by-hop with a router alert, routing type 4, destination options, then UDP.
    let chain = [
        &[43, 0, 5, 2, 0, 0, 1, 0][..],
        &[60, 0, 4, 0, 0, 0, 0, 0],
        &[17, 0, 0xc2, 4, 0, 0, 0, 0],
        &udp(b"data"),
    ]
    .concat();
    let bytes = ipv6(0, &chain);
    let packet = decoder().decode(&frame(&bytes, 101), 1);
    assert_eq!((packet.proto, packet.payload()), (17, &b"data"[..]));
    assert_eq!(packet.ip_header_len, 64);
    assert_eq!(events_of(&packet), ["decoder.ipv6.zero_len_padn"]);
}

#[test]
fn oddities_become_events() {
    let cases: Vec<(Vec<u8>, &[&str])> = vec![
        (vec![0x45; 19], &["decoder.ipv4.pkt_too_small"]),
        (vec![0x55; 40], &["decoder.ipraw.invalid_ip_version"]),
        ([&[0x44][..], &ipv4(6, &[])[1..]].concat(), &["decoder.ipv4.hlen_too_small"]),
        (ipv4(17, &udp(b"x"))[..28].to_vec(), &["decoder.ipv4.trunc_pkt"]),
        (ipv4(6, &[0; 19]), &["decoder.tcp.pkt_too_small"]),
        (ipv4(6, &[0; 20]), &["decoder.tcp.invalid_optlen"]),
        (ipv4(17, &[0; 8]), &["decoder.udp.len_invalid"]),
        (ipv4(58, &[0; 8]), &["decoder.ipv4.icmpv6"]),
        (ipv4(1, &[99, 0, 0, 0, 0, 0, 0, 0]), &["decoder.icmpv4.unknown_type"]),
        (ipv4(1, &[8, 1, 0, 0, 0, 0, 0, 0]), &["decoder.icmpv4.unknown_code"]),
        (ipv6(59, b"x"), &["decoder.ipv6.data_after_none_header"]),
        (ipv6(0, &[17, 9, 0, 0, 0, 0, 0, 0]), &["decoder.ipv6.trunc_exthdr"]),
        (ipv6(60, &[59, 0, 1, 4, 0, 0, 0, 0]), &["decoder.ipv6.dstopts_only_padding"]),
        (
            ipv6(44, &[[17, 0, 0, 0, 0, 0, 0, 1].as_slice(), &udp(b"")].concat()),
            &["decoder.ipv6.exthdr_useless_fh"],
        ),
        (ipv6(1, b""), &["decoder.ipv6.icmpv4"]),
        (ipv6(58, &[127, 0, 0, 0, 0, 0, 0, 0]), &["decoder.icmpv6.unknown_type"]),
    ];
    for (bytes, expected) in cases {
        let packet = decoder().decode(&frame(&bytes, 101), 1);
        assert_eq!(events_of(&packet), expected, "{bytes:02x?}");
    }
}

#[test]
fn ip_options_are_a_set() {
    let mut bytes = ipv4(17, &udp(b""));
    bytes[0] = 0x47;
    bytes[3] += 8;
    bytes.splice(20..20, [7, 7, 4, 0, 0, 0, 0, 0]);
    let packet = decoder().decode(&frame(&bytes, 101), 1);
    let set = packet.ip_options();
    for (name, expected) in [("rr", true), ("eol", true), ("any", true), ("nop", false), ("lsrr", false)] {
        assert_eq!(set.intersects(IpOptions::named(name).unwrap()), expected, "{name}");
    }
    assert_eq!(packet.l4, L4::Udp);
    assert!(packet.events.is_empty(), "{:?}", events_of(&packet));
}

#[test]
fn wrong_tcp_checksums_are_marked() {
    let bytes = ipv4(6, &tcp(&[], b"payload"));
    let mut decoder = Decoder::new(Config { checksums: ChecksumMode::All, ..Config::default() });
    assert!(decoder.decode(&frame(&bytes, 101), 1).bad_checksum);
    let mut right = bytes.clone();
    // Over the pseudo header and the segment; computed with RFC 1071 by hand.
    let mut sum: u32 = bytes[12..20].chunks(2).map(|p| u32::from(u16::from_be_bytes([p[0], p[1]]))).sum();
    sum += 6 + 27;
    sum += bytes[20..]
        .chunks(2)
        .map(|p| u32::from(u16::from_be_bytes([p[0], p.get(1).copied().unwrap_or(0)])))
        .sum::<u32>();
    sum = (sum & 0xffff) + (sum >> 16);
    right[36..38].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    assert!(!decoder.decode(&frame(&right, 101), 2).bad_checksum);
}

/// Every accessor, over a packet and all it nests.
fn exercise(decoder: &mut Decoder, frame: &Frame<'_>) -> usize {
    let touch = |packet: &Packet<'_>| {
        let _ = (packet.ip_id(), packet.tos(), packet.ip_flags(), packet.ipv4_total_len());
        let _ = (packet.ipv6_payload_len(), packet.ip_options(), packet.icmpv6_mtu());
        let _ = (packet.ether_src(), packet.ether_dst(), packet.ip_header(), packet.l4_header());
        let _ = (checksum::ipv4_is_right(packet), checksum::transport_is_right(packet));
        assert!(packet.payload().len() <= packet.frame.len());
        assert_eq!(packet.payload().len(), packet.payload_len as usize);
    };
    touch(&decoder.decode(frame, 1));
    let mut count = 1;
    while let Some(inner) = decoder.inner(frame, 1) {
        touch(&inner);
        count += 1;
    }
    count
}

fn valid_packet() -> impl Strategy<Value = Vec<u8>> {
    (0u8..8, proptest::collection::vec(any::<u8>(), 0..80)).prop_map(|(kind, body)| match kind {
        0 => ipv4(6, &tcp(&[2, 4, 5, 0xb4, 1, 3, 3, 7], &body)),
        1 => ipv6(17, &udp(&body)),
        2 => ipv4(4, &ipv4(41, &ipv6(6, &tcp(&[], &body)))),
        3 => ipv6(0, &[&[60, 0, 5, 2, 0, 0, 1, 0][..], &[6, 0, 1, 4, 0, 0, 0, 0], &tcp(&[], &body)].concat()),
        4 => ipv6(44, &[&[17, 0, 0, 1, 0, 0, 0, 1][..], &body].concat()),
        5 => ipv4(1, &[&[3, 1, 0, 0, 0, 0, 0, 0][..], &ipv4(17, &body)].concat()),
        6 => ipv6(58, &[&[1, 1, 0, 0, 0, 0, 0, 0][..], &body].concat()),
        _ => ipv4(132, &body),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_bytes_any_link_type(
        bytes in proptest::collection::vec(any::<u8>(), 0..200), link in 0usize..LINK_TYPES.len(), first in 0u8..4,
    ) {
        let mut bytes = bytes;
        if let (Some(byte), Some(nibble)) = (bytes.first_mut(), [0x45, 0x60, 0x46].get(usize::from(first))) {
            *byte = *nibble;
        }
        let mut decoder = Decoder::new(Config { checksums: ChecksumMode::All, ..Config::default() });
        prop_assert!(exercise(&mut decoder, &frame(&bytes, LINK_TYPES[link])) <= 17);
    }

    #[test]
    fn mutated_and_truncated_packets(
        ip in valid_packet(), ethertype in prop::sample::select(vec![0x0800u16, 0x86dd, 0x8100, 0x8864]),
        cut in 0usize..40, at in 0usize..120, with in any::<u8>(), wrap in any::<bool>(),
    ) {
        let mut bytes = if wrap { ethernet(ethertype, &ip) } else { ip };
        bytes.truncate(bytes.len().saturating_sub(cut));
        if let Some(byte) = bytes.get_mut(at) {
            *byte = with;
        }
        let mut decoder = Decoder::new(Config { checksums: ChecksumMode::All, ..Config::default() });
        exercise(&mut decoder, &frame(&bytes, if wrap { 1 } else { 101 }));
    }
}

/// Every capture below CORPORA_DIR/pcaps, whole, cut short and bent, for a bounded time.
#[test]
fn real_captures_are_survived() {
    let Some(root) = std::env::var_os("CORPORA_DIR") else {
        eprintln!("skipped: CORPORA_DIR names no folder of captures");
        return;
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let mut folders = vec![std::path::PathBuf::from(root).join("pcaps")];
    let mut decoder = Decoder::new(Config { checksums: ChecksumMode::All, ..Config::default() });
    let mut frames = 0u64;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let Ok(mut source) = crate::capture::open(&path) else { continue };
            while let Some(Ok(frame)) = crate::capture::Source::next(&mut source) {
                if std::time::Instant::now() > deadline {
                    return;
                }
                frames += 1;
                exercise(&mut decoder, &frame);
                let mut bent = frame.data.to_vec();
                bent.truncate(frames as usize % (bent.len() + 1));
                exercise(&mut decoder, &Frame { data: &bent, ..frame });
                bent = frame.data.to_vec();
                for step in 0..bent.len().min(64) {
                    bent[step] ^= (frames as u8).rotate_left(step as u32);
                    exercise(&mut decoder, &Frame { data: &bent, ..frame });
                    bent[step] = frame.data[step];
                }
            }
        }
    }
    assert!(frames > 0, "no captures below CORPORA_DIR/pcaps");
}

#[test]
fn addresses_are_written_as_suricata_writes_them() {
    for (octets, text) in [([0, 9, 10, 99], "0.9.10.99"), ([100, 109, 199, 255], "100.109.199.255")] {
        assert_eq!(Addr::v4(octets).display(4), text);
    }
    let mut bytes = [0; 16];
    (bytes[0], bytes[1], bytes[15]) = (0x20, 0x01, 0xaf);
    assert_eq!(Addr::v6(bytes).display(6), "2001:0000:0000:0000:0000:0000:0000:00af");
}
