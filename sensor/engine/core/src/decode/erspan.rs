//! ERSPAN types II and III (draft-foschiano-erspan-03, 4.2 and 4.3): a mirrored frame in GRE, with the VLAN it was on.

use super::layer::{chunk, State};
use super::packet::Packet;
use super::{ethernet, events};

const TYPE_II: u8 = 1;
const TYPE_III: u8 = 2;
const HEADER_II_LEN: usize = 8;
const HEADER_III_LEN: usize = 12;
/// Follows the header of type III when its O bit says so.
const SUBHEADER_LEN: usize = 8;
const SUBHEADER_FOLLOWS: u8 = 0x01;

pub(super) fn decode(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    state.counters.erspan = state.counters.erspan.saturating_add(1);
    let Some(&[v0, v1, ..]) = chunk::<HEADER_II_LEN>(packet.frame, at, end) else {
        return state.invalid(packet, events::ERSPAN_HEADER_TOO_SMALL);
    };
    let header_len = match v0 >> 4 {
        TYPE_II => HEADER_II_LEN,
        TYPE_III => {
            let Some(&[.., last]) = chunk::<HEADER_III_LEN>(packet.frame, at, end) else {
                return state.invalid(packet, events::ERSPAN_HEADER_TOO_SMALL);
            };
            HEADER_III_LEN.saturating_add(if last & SUBHEADER_FOLLOWS == 0 { 0 } else { SUBHEADER_LEN })
        }
        _ => return state.invalid(packet, events::ERSPAN_UNSUPPORTED_VERSION),
    };
    let vlan = u16::from_be_bytes([v0, v1]) & 0x0fff;
    if vlan > 0 {
        let Some(slot) = packet.vlan.get_mut(usize::from(packet.vlan_count)) else {
            return state.invalid(packet, events::ERSPAN_TOO_MANY_VLAN_LAYERS);
        };
        *slot = vlan;
        packet.vlan_count = packet.vlan_count.saturating_add(1);
    }
    ethernet::decode(state, packet, at.saturating_add(header_len), end);
}
