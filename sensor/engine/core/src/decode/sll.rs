//! Linux "cooked" captures: LINKTYPE_LINUX_SLL and LINKTYPE_LINUX_SLL2.

use super::events;
use super::layer::{chunk, State};
use super::packet::Packet;

const V1_HEADER_LEN: usize = 16;
const V2_HEADER_LEN: usize = 20;

pub(super) fn decode_v1(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    state.counters.sll = state.counters.sll.saturating_add(1);
    let Some(header) = chunk::<V1_HEADER_LEN>(packet.frame, at, end) else {
        return state.invalid(packet, events::SLL_PKT_TOO_SMALL);
    };
    let ethertype = u16::from_be_bytes([header[14], header[15]]);
    state.network_layer(packet, ethertype, at.saturating_add(V1_HEADER_LEN), end);
}

pub(super) fn decode_v2(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    state.counters.sll2 = state.counters.sll2.saturating_add(1);
    let Some(header) = chunk::<V2_HEADER_LEN>(packet.frame, at, end) else {
        return state.invalid(packet, events::SLL2_PKT_TOO_SMALL);
    };
    let ethertype = u16::from_be_bytes([header[0], header[1]]);
    state.network_layer(packet, ethertype, at.saturating_add(V2_HEADER_LEN), end);
}
