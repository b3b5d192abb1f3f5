//! IPv4 (RFC 791): header, options, fragments.

use super::layer::{chunk, State};
use super::packet::{Addr, Packet};
use super::{events, options};

pub(super) const HEADER_LEN: usize = 20;
const MORE_FRAGMENTS: u16 = 0x2000;
const OFFSET_MASK: u16 = 0x1fff;
const ICMPV6: u8 = 58;
const TCP: u8 = 6;

pub(super) fn decode(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    decode_as(state, packet, at, end, None);
}

/// A header whose protocol field is a Van Jacobson slot number: TCP by definition (RFC 1144).
pub(super) fn decode_vj_uncompressed(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    decode_as(state, packet, at, end, Some(TCP));
}

#[inline]
fn decode_as(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize, proto: Option<u8>) {
    state.counters.ipv4 = state.counters.ipv4.saturating_add(1);
    let Some(h) = chunk::<HEADER_LEN>(packet.frame, at, end) else {
        return state.invalid(packet, events::IPV4_PKT_TOO_SMALL);
    };
    if h[0] >> 4 != 4 {
        return state.invalid(packet, events::IPV4_WRONG_IP_VERSION);
    }
    let header_len = usize::from(h[0] & 0x0f) * 4;
    if header_len < HEADER_LEN {
        return state.invalid(packet, events::IPV4_HLEN_TOO_SMALL);
    }
    let total_len = usize::from(u16::from_be_bytes([h[2], h[3]]));
    if total_len < header_len {
        return state.invalid(packet, events::IPV4_IPLEN_SMALLER_THAN_HLEN);
    }
    let ip_end = at.saturating_add(total_len);
    if ip_end > end {
        return state.invalid(packet, events::IPV4_TRUNC_PKT);
    }
    packet.ip_version = 4;
    packet.ip_off = at as u32;
    packet.ip_header_len = header_len as u16;
    packet.src = Addr::v4([h[12], h[13], h[14], h[15]]);
    packet.dst = Addr::v4([h[16], h[17], h[18], h[19]]);
    packet.ttl = h[8];
    packet.proto = proto.unwrap_or(h[9]);
    let next = at.saturating_add(header_len);
    packet.l4_off = next as u32;
    packet.l4_end = ip_end as u32;
    if header_len > HEADER_LEN {
        options::check(state, packet, at.saturating_add(HEADER_LEN), next);
    }
    let fragment = u16::from_be_bytes([h[6], h[7]]);
    if fragment & (MORE_FRAGMENTS | OFFSET_MASK) != 0 {
        packet.is_fragment = true;
        packet.more_fragments = fragment & MORE_FRAGMENTS != 0;
        packet.fragment_offset = (fragment & OFFSET_MASK) << 3;
        return state.fragment(packet, next, ip_end);
    }
    if !state.transport_layer(packet, next, ip_end) {
        let event = match packet.proto {
            ICMPV6 => events::IPV4_ICMPV6,
            _ => events::IPV4_UNKNOWN_PROTOCOL,
        };
        state.event(packet, event);
    }
}
