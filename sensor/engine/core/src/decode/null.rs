//! BSD loopback: four bytes of address family (LINKTYPE_NULL in the capturing machine's byte order, LINKTYPE_LOOP in
//! network order), and OpenBSD's encapsulating interface.

use super::layer::{chunk, State};
use super::packet::Packet;
use super::{events, ipv4, ipv6};

const HEADER_LEN: usize = 4;
const ENC_HEADER_LEN: usize = 12;

pub(super) fn decode(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    family(state, packet, at, end, HEADER_LEN);
}

/// LINKTYPE_ENC: address family, security parameter index, flags.
pub(super) fn decode_enc(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    family(state, packet, at, end, ENC_HEADER_LEN);
}

fn family(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize, header_len: usize) {
    state.counters.null = state.counters.null.saturating_add(1);
    let next = at.saturating_add(header_len);
    let Some(&raw) = chunk::<4>(packet.frame, at, end) else {
        return state.invalid(packet, events::LTNULL_PKT_TOO_SMALL);
    };
    // A family is a small number, so whichever order makes it small is the writer's.
    match u32::from_le_bytes(raw).min(u32::from_be_bytes(raw)) {
        2 => ipv4::decode(state, packet, next, end),
        // AF_INET6 of Linux, Windows, BSD/OS and NetBSD, FreeBSD, macOS.
        10 | 23 | 24 | 28 | 30 => ipv6::decode(state, packet, next, end),
        _ => state.invalid(packet, events::LTNULL_UNSUPPORTED_TYPE),
    }
}
