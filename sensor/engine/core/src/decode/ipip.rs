//! IP in IP: IPv4 in IPv4 (RFC 2003), IPv6 in IPv4 (RFC 4213), and both in IPv6 (RFC 2473).

use super::layer::State;
use super::packet::{Packet, L4};
use super::{events, ipv4, ipv6};

pub(super) fn decode_ipv4(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    packet.l4 = L4::Other;
    if packet.ip_version == 4 {
        state.counters.ipv4_in_ipv4 = state.counters.ipv4_in_ipv4.saturating_add(1);
        return state.nest(ipv4::decode, at, end, "ipv4 tunnel");
    }
    state.counters.ipv4_in_ipv6 = state.counters.ipv4_in_ipv6.saturating_add(1);
    if end.saturating_sub(at) < ipv4::HEADER_LEN {
        return state.invalid(packet, events::IPV6_IPV4_IN_IPV6_TOO_SMALL);
    }
    if packet.frame.get(at).map(|byte| byte >> 4) != Some(4) {
        return state.event(packet, events::IPV6_IPV4_IN_IPV6_WRONG_VERSION);
    }
    state.nest(ipv4::decode, at, end, "ipv6 tunnel");
}

pub(super) fn decode_ipv6(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    packet.l4 = L4::Other;
    if packet.ip_version == 4 {
        state.counters.ipv6_in_ipv4 = state.counters.ipv6_in_ipv4.saturating_add(1);
        return state.nest(ipv6::decode, at, end, "ipv4 tunnel");
    }
    state.counters.ipv6_in_ipv6 = state.counters.ipv6_in_ipv6.saturating_add(1);
    if end.saturating_sub(at) < ipv6::HEADER_LEN {
        return state.invalid(packet, events::IPV6_IPV6_IN_IPV6_TOO_SMALL);
    }
    if packet.frame.get(at).map(|byte| byte >> 4) != Some(6) {
        return state.event(packet, events::IPV6_IPV6_IN_IPV6_WRONG_VERSION);
    }
    state.nest(ipv6::decode, at, end, "ipv6 tunnel");
}
