//! Raw IP: the frame begins with the IP header.

use super::layer::State;
use super::packet::Packet;
use super::{events, ipv4, ipv6};

pub(super) fn decode(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    state.counters.raw = state.counters.raw.saturating_add(1);
    match packet.frame.get(at).map(|byte| byte >> 4) {
        Some(4) => ipv4::decode(state, packet, at, end),
        Some(6) => ipv6::decode(state, packet, at, end),
        Some(_) => state.invalid(packet, events::IPRAW_INVALID_IP_VERSION),
        None => state.invalid(packet, events::IPV4_PKT_TOO_SMALL),
    }
}
