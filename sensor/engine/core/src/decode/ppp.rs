//! PPP (RFC 1661, 1662) and PPP over Ethernet (RFC 2516).

use super::layer::{chunk, State};
use super::packet::Packet;
use super::{events, ipv4, ipv6};

/// Address and control bytes of HDLC-like framing.
const ADDRESS_CONTROL: [u8; 2] = [0xff, 0x03];
const PPPOE_HEADER_LEN: usize = 6;

pub(super) fn decode(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    state.counters.ppp = state.counters.ppp.saturating_add(1);
    let Some(&[a, b, p0, p1]) = chunk::<4>(packet.frame, at, end) else {
        return state.invalid(packet, events::PPP_PKT_TOO_SMALL);
    };
    if [a, b] == ADDRESS_CONTROL {
        protocol(state, packet, u16::from_be_bytes([p0, p1]), at.saturating_add(4), end);
    } else {
        // The peers agreed to leave address and control out (RFC 1661, 6.6).
        protocol(state, packet, u16::from_be_bytes([a, b]), at.saturating_add(2), end);
    }
}

fn protocol(state: &mut State, packet: &mut Packet<'_>, protocol: u16, at: usize, end: usize) {
    let space = end.saturating_sub(at);
    match protocol {
        0x0021 if space < ipv4::HEADER_LEN => state.invalid(packet, events::PPP_IP4_PKT_TOO_SMALL),
        0x0021 => ipv4::decode(state, packet, at, end),
        0x0057 if space < ipv6::HEADER_LEN => state.invalid(packet, events::PPP_IP6_PKT_TOO_SMALL),
        0x0057 => ipv6::decode(state, packet, at, end),
        // Van Jacobson uncompressed: an IPv4 header whose protocol field is a slot number (RFC 1144, 3.2.2).
        0x002f if space < ipv4::HEADER_LEN => state.invalid(packet, events::PPP_VJU_PKT_TOO_SMALL),
        0x002f => ipv4::decode_vj_uncompressed(state, packet, at, end),
        // Network layers that are not looked into.
        0x0023 | 0x0025 | 0x0027 | 0x0029 | 0x002b | 0x002d | 0x0031 | 0x0033 | 0x0035 | 0x0201 | 0x0203
        | 0x0281 | 0x0283 | 0x0331 | 0x4001 => state.event(packet, events::PPP_UNSUP_PROTO),
        // Link and network control, authentication, quality reports: every session has them (RFC 1661, section 2).
        0x8021 | 0x8023 | 0x8025 | 0x8027 | 0x8029 | 0x802b | 0x8031 | 0x8057 | 0x80fb | 0x80fd | 0x8281
        | 0xc021 | 0xc023 | 0xc025 | 0xc029 | 0xc223 => {}
        _ => state.invalid(packet, events::PPP_WRONG_TYPE),
    }
}

/// LINKTYPE_PPP_ETHER: the frame begins with the PPPoE header.
pub(super) fn decode_pppoe_link(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    match packet.frame.get(at.saturating_add(1)) {
        Some(0) => decode_pppoe_session(state, packet, at, end),
        _ => decode_pppoe_discovery(state, packet, at, end),
    }
}

pub(super) fn decode_pppoe_session(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    state.counters.pppoe = state.counters.pppoe.saturating_add(1);
    let Some(header) = chunk::<8>(packet.frame, at, end) else {
        return state.invalid(packet, events::PPPOE_PKT_TOO_SMALL);
    };
    if header[4..6] == [0, 0] {
        return;
    }
    let number = u16::from_be_bytes([header[6], header[7]]);
    // A one-byte protocol field (RFC 1661, 6.5) has its low bit set in the first byte.
    if number & 0x0100 != 0 {
        let short = u16::from(header[6]);
        return protocol(state, packet, short, at.saturating_add(PPPOE_HEADER_LEN + 1), end);
    }
    protocol(state, packet, number, at.saturating_add(PPPOE_HEADER_LEN + 2), end);
}

pub(super) fn decode_pppoe_discovery(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    state.counters.pppoe = state.counters.pppoe.saturating_add(1);
    let Some(header) = chunk::<PPPOE_HEADER_LEN>(packet.frame, at, end) else {
        return state.invalid(packet, events::PPPOE_PKT_TOO_SMALL);
    };
    // PADO, PADI, PADR, PADS, PADT.
    if !matches!(header[1], 0x07 | 0x09 | 0x19 | 0x65 | 0xa7) {
        return state.invalid(packet, events::PPPOE_WRONG_CODE);
    }
    let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    let mut tag = at.saturating_add(PPPOE_HEADER_LEN);
    let tags_end = tag.saturating_add(length);
    if tags_end > end {
        return state.invalid(packet, events::PPPOE_MALFORMED_TAGS);
    }
    while let Some(&[_, _, l0, l1]) = chunk::<4>(packet.frame, tag, tags_end) {
        tag = tag.saturating_add(4 + usize::from(u16::from_be_bytes([l0, l1])));
        if tag > tags_end {
            return state.invalid(packet, events::PPPOE_MALFORMED_TAGS);
        }
    }
}
