//! Tags that switches put between the Ethernet addresses and the packet: VN-Tag (Cisco), E-Tag (IEEE 802.1BR), I-Tag
//! (IEEE 802.1ah), and Cisco's FabricPath, which wraps a whole frame.

use super::layer::{chunk, State};
use super::packet::Packet;
use super::{ethernet, events};

pub(super) fn decode_vntag(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    const LEN: usize = 6;
    state.counters.vntag = state.counters.vntag.saturating_add(1);
    let Some(&[.., e0, e1]) = chunk::<LEN>(packet.frame, at, end) else {
        return state.invalid(packet, events::VNTAG_HEADER_TOO_SMALL);
    };
    let ethertype = u16::from_be_bytes([e0, e1]);
    if !state.network_layer(packet, ethertype, at.saturating_add(LEN), end) {
        state.invalid(packet, events::VNTAG_UNKNOWN_TYPE);
    }
}

pub(super) fn decode_etag(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    const LEN: usize = 8;
    state.counters.etag = state.counters.etag.saturating_add(1);
    let Some(&[.., e0, e1]) = chunk::<LEN>(packet.frame, at, end) else {
        return state.invalid(packet, events::ETAG_HEADER_TOO_SMALL);
    };
    let ethertype = u16::from_be_bytes([e0, e1]);
    if !state.network_layer(packet, ethertype, at.saturating_add(LEN), end) {
        state.invalid(packet, events::ETAG_UNKNOWN_TYPE);
    }
}

/// The tag holds the customer's Ethernet addresses, then the ethertype.
pub(super) fn decode_itag(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    const LEN: usize = 18;
    state.counters.ieee8021ah = state.counters.ieee8021ah.saturating_add(1);
    let Some(&[.., e0, e1]) = chunk::<LEN>(packet.frame, at, end) else {
        return state.invalid(packet, events::IEEE8021AH_HEADER_TOO_SMALL);
    };
    state.network_layer(packet, u16::from_be_bytes([e0, e1]), at.saturating_add(LEN), end);
}

pub(super) fn decode_fabricpath(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    const LEN: usize = 2;
    if chunk::<{ LEN + ethernet::HEADER_LEN }>(packet.frame, at, end).is_none() {
        return state.invalid(packet, events::DCE_PKT_TOO_SMALL);
    }
    ethernet::decode(state, packet, at.saturating_add(LEN), end);
}
