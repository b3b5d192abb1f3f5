//! The small transports: SCTP (RFC 9260), ESP (RFC 4303), IGMP (RFC 2236, 3376).

use super::events;
use super::layer::{chunk, set_payload, State};
use super::packet::{Packet, L4};

const SCTP_HEADER_LEN: usize = 12;
const SCTP_CHUNK_HEADER_LEN: usize = 4;
/// More chunks than this in one packet are made to cost time: real bundles hold a handful.
const SCTP_CHUNKS_MAX: usize = 64;
const SCTP_DATA_CHUNKS_MAX: usize = 32;
const ESP_HEADER_LEN: usize = 8;
const IGMP_HEADER_LEN: usize = 8;

pub(super) fn decode_sctp(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    state.counters.sctp = state.counters.sctp.saturating_add(1);
    let Some(&[s0, s1, d0, d1, ref tags @ ..]) = chunk::<SCTP_HEADER_LEN>(packet.frame, at, end) else {
        return state.invalid(packet, events::SCTP_PKT_TOO_SMALL);
    };
    let no_tag = tags.starts_with(&[0; 4]);
    packet.src_port = u16::from_be_bytes([s0, s1]);
    packet.dst_port = u16::from_be_bytes([d0, d1]);
    packet.l4 = L4::Sctp;
    set_payload(packet, at.saturating_add(SCTP_HEADER_LEN), end);
    if !packet.is_fragment {
        sctp_chunks(state, packet, no_tag);
    }
}

/// Walks the chunks for what RFC 9260 forbids (3.2, 6.10, 8.5.1); `no_tag`: the verification tag is zero.
fn sctp_chunks(state: &mut State, packet: &mut Packet<'_>, no_tag: bool) {
    const DATA: u8 = 0;
    const INIT: u8 = 1;
    let (mut chunks, mut data_chunks, mut init) = (0usize, 0usize, false);
    let mut rest = packet.payload();
    while !rest.is_empty() {
        let Some(&[kind, _, l0, l1]) = rest.first_chunk::<SCTP_CHUNK_HEADER_LEN>() else {
            return state.event(packet, events::SCTP_CHUNK_TOO_SMALL);
        };
        let len = usize::from(u16::from_be_bytes([l0, l1]));
        if len < SCTP_CHUNK_HEADER_LEN || len > rest.len() {
            return state.event(packet, events::SCTP_CHUNK_LEN_INVALID);
        }
        chunks = chunks.saturating_add(1);
        data_chunks = data_chunks.saturating_add(usize::from(kind == DATA));
        if kind == DATA && no_tag {
            state.event(packet, events::SCTP_DATA_WITH_ZERO_VTAG);
        }
        if kind == INIT && !no_tag {
            state.event(packet, events::SCTP_INIT_WITH_NON_ZERO_VTAG);
        }
        init |= kind == INIT;
        if init && chunks > 1 {
            state.event(packet, events::SCTP_INIT_CHUNK_BUNDLED);
        }
        if data_chunks > SCTP_DATA_CHUNKS_MAX {
            return state.event(packet, events::SCTP_TOO_MANY_DATA_CHUNKS);
        }
        if chunks > SCTP_CHUNKS_MAX {
            return state.event(packet, events::SCTP_TOO_MANY_CHUNKS);
        }
        // Chunks are padded to four bytes; the last one's padding may be missing.
        rest = rest.get(len.saturating_add(3) & !3..).unwrap_or(&[]);
    }
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
