//! Ethernet II (IEEE 802.3) and ARP.

use super::events;
use super::layer::{chunk, State};
use super::packet::Packet;

pub(super) const HEADER_LEN: usize = 14;

pub(super) fn decode(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    state.counters.ethernet = state.counters.ethernet.saturating_add(1);
    let Some(header) = chunk::<HEADER_LEN>(packet.frame, at, end) else {
        return state.invalid(packet, events::ETHERNET_PKT_TOO_SMALL);
    };
    packet.has_ethernet = at == 0;
    let ethertype = u16::from_be_bytes([header[12], header[13]]);
    // Below 1536 the field is a length (LLC), which no rule is about.
    if !state.network_layer(packet, ethertype, at.saturating_add(HEADER_LEN), end) && ethertype >= 1536 {
        state.event(packet, events::ETHERNET_UNKNOWN_ETHERTYPE);
    }
}

/// RFC 826, for Ethernet and IPv4; anything else is said in an event.
pub(super) fn decode_arp(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    const LEN: usize = 28;
    state.counters.arp = state.counters.arp.saturating_add(1);
    let Some(arp) = chunk::<8>(packet.frame, at, end) else {
        return state.invalid(packet, events::ARP_PKT_TOO_SMALL);
    };
    let field = |a: u8, b: u8| u16::from_be_bytes([a, b]);
    let event = if field(arp[0], arp[1]) != 1 {
        events::ARP_UNSUPPORTED_HARDWARE
    } else if field(arp[2], arp[3]) != 0x0800 {
        events::ARP_UNSUPPORTED_PROTOCOL
    } else if arp[4] != 6 {
        events::ARP_INVALID_HARDWARE_SIZE
    } else if arp[5] != 4 {
        events::ARP_INVALID_PROTOCOL_SIZE
    } else if end.saturating_sub(at) < LEN {
        events::ARP_INVALID_PKT
    } else if !matches!(field(arp[6], arp[7]), 1..=4 | 8 | 9) {
        events::ARP_UNSUPPORTED_OPCODE
    } else {
        packet.arp_off = Some(at as u32);
        return;
    };
    state.invalid(packet, event);
}
