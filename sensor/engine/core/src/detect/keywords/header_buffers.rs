//! Sticky buffers of packet headers: ipv4.hdr, tcp.hdr ... and pkt_data, which goes back to the payload.

use super::{Keyword, Kind};
use crate::decode::packet::{Packet, L4};
use crate::detect::builder::{no_value, Place};

macro_rules! header_buffer {
    ($id:ident, $name:literal, $doc:literal, $read:ident) => {
        header_buffer!($id, $name, $doc, $read, true);
    };
    // Addresses are the same in every packet of a flow, so they go with app-layer keywords.
    ($id:ident, $name:literal, $doc:literal, $read:ident, $packet_only:literal) => {
        pub static $id: Keyword = Keyword {
            name: $name,
            kind: Kind::Buffer,
            doc: $doc,
            example: concat!($name, "; content:\"|45|\"; startswith;"),
            accepts: &[concat!($name, "; content:\"|45|\"; startswith;")],
            refuses: &[concat!($name, ":1; content:\"|45|\";"), concat!($name, ";")],
            parse: |rule, value| {
                no_value($name, value)?;
                rule.needs_packet |= $packet_only;
                rule.select(Place::Packet($name, $read))
            },
            ..Keyword::EMPTY
        };
    };
}

header_buffer!(IPV4, "ipv4.hdr", "The IPv4 header with its options.", ipv4);
header_buffer!(IPV6, "ipv6.hdr", "The IPv6 header with its extension headers.", ipv6);
header_buffer!(TCP, "tcp.hdr", "The TCP header with its options.", tcp);
header_buffer!(UDP, "udp.hdr", "The UDP header.", udp);
header_buffer!(ICMPV4, "icmpv4.hdr", "The ICMPv4 header.", icmpv4);
header_buffer!(ICMPV6, "icmpv6.hdr", "The ICMPv6 header.", icmpv6);
header_buffer!(ETHER, "ether.hdr", "The Ethernet header: destination, source, ethertype.", ether);
header_buffer!(IGMP, "igmp.hdr", "The IGMP message.", igmp);

header_buffer!(IP_SRC, "ip.src", "The source address, 4 or 16 bytes.", ip_src, false);
header_buffer!(IP_DST, "ip.dst", "The destination address, 4 or 16 bytes.", ip_dst, false);

fn ip_src<'a>(packet: &Packet<'a>) -> Option<&'a [u8]> {
    packet.ip_bytes().get(if packet.ip_version == 4 { 12..16 } else { 8..24 })
}

fn ip_dst<'a>(packet: &Packet<'a>) -> Option<&'a [u8]> {
    packet.ip_bytes().get(if packet.ip_version == 4 { 16..20 } else { 24..40 })
}

fn ip<'a>(packet: &Packet<'a>, version: u8) -> Option<&'a [u8]> {
    if packet.ip_version != version {
        return None;
    }
    packet.ip_bytes().get(..usize::from(packet.ip_header_len))
}

fn ipv4<'a>(packet: &Packet<'a>) -> Option<&'a [u8]> {
    ip(packet, 4)
}

fn ipv6<'a>(packet: &Packet<'a>) -> Option<&'a [u8]> {
    ip(packet, 6)
}

fn tcp<'a>(packet: &Packet<'a>) -> Option<&'a [u8]> {
    let header = packet.tcp()?;
    packet.l4_bytes().get(..usize::from(header.header_len))
}

fn udp<'a>(packet: &Packet<'a>) -> Option<&'a [u8]> {
    matches!(packet.l4, L4::Udp).then(|| packet.l4_bytes().get(..8)).flatten()
}

fn ether<'a>(packet: &Packet<'a>) -> Option<&'a [u8]> {
    packet.ether_header()
}

fn igmp<'a>(packet: &Packet<'a>) -> Option<&'a [u8]> {
    const IGMP: u8 = 2;
    let message = packet.l4_bytes();
    (packet.ip_version == 4 && packet.proto == IGMP && !message.is_empty()).then_some(message)
}

/// Layer 4 up to the payload.
fn icmp<'a>(packet: &Packet<'a>, wanted: bool) -> Option<&'a [u8]> {
    let L4::Icmp { v6, kind, .. } = packet.l4 else { return None };
    if v6 != wanted {
        return None;
    }
    // Timestamps and address masks belong to the header (RFC 792, RFC 950).
    let len = match (v6, kind) {
        (false, 9) => advertised_len(packet.l4_bytes()),
        (false, 13 | 14) => 20,
        (false, 17 | 18) => 12,
        _ => packet.payload_off.checked_sub(packet.l4_off)? as usize,
    };
    packet.l4_bytes().get(..len)
}

/// A router advertisement with its list of addresses, as far as it stands (RFC 1256, section 3).
fn advertised_len(message: &[u8]) -> usize {
    const FIXED: usize = 8;
    let Some(&[count, words]) = message.get(4..).and_then(|rest| rest.first_chunk::<2>()) else {
        return FIXED;
    };
    let len = usize::from(count).saturating_mul(usize::from(words)).saturating_mul(4).saturating_add(FIXED);
    if len <= message.len() {
        len
    } else {
        FIXED
    }
}

fn icmpv4<'a>(packet: &Packet<'a>) -> Option<&'a [u8]> {
    icmp(packet, false)
}

fn icmpv6<'a>(packet: &Packet<'a>) -> Option<&'a [u8]> {
    icmp(packet, true)
}

pub static PKT_DATA: Keyword = Keyword {
    name: "pkt_data",
    kind: Kind::Buffer,
    doc: "Back to the payload.",
    example: "pkt_data; content:\"abc\";",
    accepts: &["pkt_data; content:\"abc\";", "tcp.hdr; content:\"a\"; pkt_data; content:\"abc\";"],
    refuses: &["pkt_data:1;"],
    parse: |rule, value| {
        no_value("pkt_data", value)?;
        rule.select(Place::Payload)
    },
    ..Keyword::EMPTY
};
