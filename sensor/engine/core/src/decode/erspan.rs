//! ERSPAN type II (draft-foschiano-erspan): a mirrored Ethernet frame in GRE, with the VLAN it was on.

use super::layer::{chunk, State};
use super::packet::Packet;
use super::{ethernet, events};

const HEADER_LEN: usize = 8;
const TYPE_II: u8 = 1;

pub(super) fn decode(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    state.counters.erspan = state.counters.erspan.saturating_add(1);
    let Some(&[v0, v1, ..]) = chunk::<HEADER_LEN>(packet.frame, at, end) else {
        return state.invalid(packet, events::ERSPAN_HEADER_TOO_SMALL);
    };
    if v0 >> 4 != TYPE_II {
        return state.invalid(packet, events::ERSPAN_UNSUPPORTED_VERSION);
    }
    let vlan = u16::from_be_bytes([v0, v1]) & 0x0fff;
    if vlan > 0 {
        let Some(slot) = packet.vlan.get_mut(usize::from(packet.vlan_count)) else {
            return state.invalid(packet, events::ERSPAN_TOO_MANY_VLAN_LAYERS);
        };
        *slot = vlan;
        packet.vlan_count = packet.vlan_count.saturating_add(1);
    }
    ethernet::decode(state, packet, at.saturating_add(HEADER_LEN), end);
}
