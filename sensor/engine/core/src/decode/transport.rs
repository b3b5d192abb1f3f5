//! The small transports: SCTP (RFC 9260), ESP (RFC 4303), IGMP (RFC 2236, 3376).

use super::events;
use super::layer::{chunk, set_payload, State};
use super::packet::{Packet, L4};

const SCTP_HEADER_LEN: usize = 12;
const ESP_HEADER_LEN: usize = 8;
const IGMP_HEADER_LEN: usize = 8;

pub(super) fn decode_sctp(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    state.counters.sctp = state.counters.sctp.saturating_add(1);
    let Some(&[s0, s1, d0, d1, ..]) = chunk::<SCTP_HEADER_LEN>(packet.frame, at, end) else {
        return state.invalid(packet, events::SCTP_PKT_TOO_SMALL);
    };
    packet.src_port = u16::from_be_bytes([s0, s1]);
    packet.dst_port = u16::from_be_bytes([d0, d1]);
    packet.l4 = L4::Sctp;
    set_payload(packet, at.saturating_add(SCTP_HEADER_LEN), end);
}

pub(super) fn decode_esp(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    state.counters.esp = state.counters.esp.saturating_add(1);
    if chunk::<ESP_HEADER_LEN>(packet.frame, at, end).is_none() {
        return state.invalid(packet, events::ESP_PKT_TOO_SMALL);
    }
    packet.l4 = L4::Esp;
    set_payload(packet, at.saturating_add(ESP_HEADER_LEN), end);
}

pub(super) fn decode_igmp(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    const V3_QUERY: u8 = 0x11;
    const V3_REPORT: u8 = 0x22;
    const V3_QUERY_LEN: usize = 12;
    state.counters.igmp = state.counters.igmp.saturating_add(1);
    packet.l4 = L4::Other;
    let Some(&[kind, ..]) = chunk::<IGMP_HEADER_LEN>(packet.frame, at, end) else {
        return state.invalid(packet, events::IGMP_PKT_TOO_SMALL);
    };
    let len = end.saturating_sub(at);
    // A query longer than version 2's header is version 3's (RFC 3376, 7.1).
    if kind == V3_QUERY && len > IGMP_HEADER_LEN && len < V3_QUERY_LEN {
        return state.invalid(packet, events::IGMP_V3_PKT_TOO_SMALL);
    }
    if !matches!(kind, V3_QUERY | V3_REPORT | 0x12 | 0x13 | 0x14 | 0x16 | 0x17) {
        return state.invalid(packet, events::IGMP_MALFORMED);
    }
    set_payload(packet, at.saturating_add(IGMP_HEADER_LEN), end);
}
