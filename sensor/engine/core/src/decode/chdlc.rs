//! Cisco HDLC: address, control, ethertype.

use super::events;
use super::layer::{chunk, State};
use super::packet::Packet;

const HEADER_LEN: usize = 4;

pub(super) fn decode(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    state.counters.chdlc = state.counters.chdlc.saturating_add(1);
    let Some(&[_, _, e0, e1]) = chunk::<HEADER_LEN>(packet.frame, at, end) else {
        return state.invalid(packet, events::CHDLC_PKT_TOO_SMALL);
    };
    let ethertype = u16::from_be_bytes([e0, e1]);
    state.network_layer(packet, ethertype, at.saturating_add(HEADER_LEN), end);
}
