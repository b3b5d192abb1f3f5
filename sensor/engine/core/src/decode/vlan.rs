//! VLAN tags (IEEE 802.1Q, 802.1ad): up to three, outermost first.

use super::events;
use super::layer::{chunk, State};
use super::packet::Packet;

const HEADER_LEN: usize = 4;
/// The 12 bits of the tag that are the VLAN's number.
const ID_MASK: u16 = 0x0fff;

pub(super) fn decode(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    let count = match packet.vlan_count {
        0 => &mut state.counters.vlan,
        1 => &mut state.counters.vlan_qinq,
        _ => &mut state.counters.vlan_qinqinq,
    };
    *count = count.saturating_add(1);
    let Some(&[t0, t1, e0, e1]) = chunk::<HEADER_LEN>(packet.frame, at, end) else {
        return state.invalid(packet, events::VLAN_HEADER_TOO_SMALL);
    };
    let Some(slot) = packet.vlan.get_mut(usize::from(packet.vlan_count)) else {
        return state.invalid(packet, events::VLAN_TOO_MANY_LAYERS);
    };
    *slot = u16::from_be_bytes([t0, t1]) & ID_MASK;
    packet.vlan_count = packet.vlan_count.saturating_add(1);
    let ethertype = u16::from_be_bytes([e0, e1]);
    if !state.network_layer(packet, ethertype, at.saturating_add(HEADER_LEN), end) {
        state.invalid(packet, events::VLAN_UNKNOWN_TYPE);
    }
}
