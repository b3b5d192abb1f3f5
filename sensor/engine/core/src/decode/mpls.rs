//! MPLS label stacks (RFC 3032). Nothing in them says what follows, so the first nibble is believed (RFC 4928).

use super::layer::{chunk, State};
use super::packet::Packet;
use super::{ethernet, events, ipv4, ipv6};

const SHIM_LEN: usize = 4;
/// Control word before Ethernet in a pseudowire (RFC 4448).
const CONTROL_WORD_LEN: usize = 4;
const IPV4_NULL: u32 = 0;
const ROUTER_ALERT: u32 = 1;
const IPV6_NULL: u32 = 2;
const IMPLICIT_NULL: u32 = 3;

pub(super) fn decode(state: &mut State, packet: &mut Packet<'_>, mut at: usize, end: usize) {
    state.counters.mpls = state.counters.mpls.saturating_add(1);
    let label = loop {
        let Some(&shim) = chunk::<SHIM_LEN>(packet.frame, at, end) else {
            return state.invalid(packet, events::MPLS_HEADER_TOO_SMALL);
        };
        at = at.saturating_add(SHIM_LEN);
        let shim = u32::from_be_bytes(shim);
        let bottom = shim & 0x100 != 0;
        if bottom {
            break shim >> 12;
        }
    };
    let Some(first) = packet.frame.get(at).filter(|_| at < end) else {
        return state.invalid(packet, events::MPLS_PKT_TOO_SMALL);
    };
    match label {
        IPV4_NULL => return ipv4::decode(state, packet, at, end),
        IPV6_NULL => return ipv6::decode(state, packet, at, end),
        ROUTER_ALERT => return state.invalid(packet, events::MPLS_BAD_LABEL_ROUTER_ALERT),
        IMPLICIT_NULL => return state.invalid(packet, events::MPLS_BAD_LABEL_IMPLICIT_NULL),
        4..=15 => return state.invalid(packet, events::MPLS_BAD_LABEL_RESERVED),
        _ => {}
    }
    match first >> 4 {
        4 => ipv4::decode(state, packet, at, end),
        6 => ipv6::decode(state, packet, at, end),
        0 => {
            if state.enter(packet) {
                ethernet::decode(state, packet, at.saturating_add(CONTROL_WORD_LEN), end);
            }
        }
        _ => state.invalid(packet, events::MPLS_UNKNOWN_PAYLOAD_TYPE),
    }
}
