//! UDP (RFC 768).

use super::layer::{chunk, set_payload, State};
use super::packet::{Packet, L4};
use super::{events, overlay};

const HEADER_LEN: usize = 8;

pub(super) fn decode(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    let Some(&[s0, s1, d0, d1, l0, l1, _, _]) = chunk::<HEADER_LEN>(packet.frame, at, end) else {
        return state.invalid(packet, events::UDP_HLEN_TOO_SMALL);
    };
    let udp_len = usize::from(u16::from_be_bytes([l0, l1]));
    let udp_end = at.saturating_add(udp_len);
    if udp_end > end {
        return state.invalid(packet, events::UDP_PKT_TOO_SMALL);
    }
    if udp_len < HEADER_LEN {
        return state.invalid(packet, events::UDP_LEN_INVALID);
    }
    state.counters.udp = state.counters.udp.saturating_add(1);
    packet.src_port = u16::from_be_bytes([s0, s1]);
    packet.dst_port = u16::from_be_bytes([d0, d1]);
    packet.l4 = L4::Udp;
    packet.l4_end = udp_end as u32;
    let payload_at = at.saturating_add(HEADER_LEN);
    set_payload(packet, payload_at, udp_end);
    overlay::look(state, packet, payload_at, udp_end);
}
