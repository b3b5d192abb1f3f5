//! Network Service Header (RFC 8300).

use super::layer::{chunk, State};
use super::packet::Packet;
use super::{ethernet, events, ipv4, ipv6, mpls};

const BASE_LEN: usize = 8;
/// Length of a header with metadata of fixed length (MD type 1).
const FIXED_LEN: usize = 24;

pub(super) fn decode(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    state.counters.nsh = state.counters.nsh.saturating_add(1);
    let Some(&[v0, v1, kind, protocol, ..]) = chunk::<BASE_LEN>(packet.frame, at, end) else {
        return state.invalid(packet, events::NSH_HEADER_TOO_SMALL);
    };
    let len = usize::from(v1 & 0x3f) * 4;
    let next = at.saturating_add(len);
    let fault = match kind {
        _ if v0 >> 6 != 0 => Some(events::NSH_UNSUPPORTED_VERSION),
        _ if next > end => Some(events::NSH_BAD_HEADER_LENGTH),
        0 => Some(events::NSH_RESERVED_TYPE),
        1 => (len != FIXED_LEN).then_some(events::NSH_BAD_HEADER_LENGTH),
        2 => None,
        _ => Some(events::NSH_UNSUPPORTED_TYPE),
    };
    if let Some(event) = fault {
        return state.invalid(packet, event);
    }
    if !state.enter(packet) {
        return;
    }
    match protocol {
        1 => ipv4::decode(state, packet, next, end),
        2 => ipv6::decode(state, packet, next, end),
        3 => ethernet::decode(state, packet, next, end),
        5 => mpls::decode(state, packet, next, end),
        _ => state.event(packet, events::NSH_UNKNOWN_PAYLOAD),
    }
}
