//! ICMP (RFC 792, 950, 1256).

use super::super::layer::{chunk, set_payload, State};
use super::super::packet::{Packet, L4};
use super::super::{events, ipv4};
use super::{quoted, Quoted, HEADER_LEN};

/// What a type has after the fixed header.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Body {
    Free,
    /// Three timestamps (RFC 792).
    Times,
    /// The datagram it is about; `Quote` may leave it out.
    Quote,
    QuoteAlways,
}

/// Types in use: (type, highest code, carries identifier and sequence number, body). Router solicitations (10) are, as in
/// Suricata, no known type.
const TYPES: &[(u8, u8, bool, Body)] = &[
    (0, 0, true, Body::Free),         // echo reply
    (3, 15, false, Body::Quote),      // destination unreachable
    (4, 0, false, Body::QuoteAlways), // source quench
    (5, 3, false, Body::Quote),       // redirect
    (8, 0, true, Body::Free),         // echo
    (9, 255, false, Body::Free),      // router advertisement
    (11, 1, false, Body::Quote),      // time exceeded
    (12, 0, false, Body::Quote),      // parameter problem
    (13, 0, true, Body::Times),       // timestamp
    (14, 0, true, Body::Times),       // timestamp reply
    (15, 0, true, Body::Free),        // information request
    (16, 0, true, Body::Free),        // information reply
    (17, 0, true, Body::Free),        // address mask request
    (18, 0, true, Body::Free),        // address mask reply
];

/// Three timestamps of four bytes.
const TIMES_LEN: usize = 12;

pub(crate) fn decode(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    state.counters.icmpv4 = state.counters.icmpv4.saturating_add(1);
    let Some(&[kind, code, _, _, i0, i1, s0, s1]) = chunk::<HEADER_LEN>(packet.frame, at, end) else {
        return state.invalid(packet, events::ICMPV4_PKT_TOO_SMALL);
    };
    let body_at = at.saturating_add(HEADER_LEN);
    let found = TYPES.iter().find(|(number, ..)| *number == kind);
    let numbered = found.is_some_and(|&(_, _, numbered, _)| numbered);
    packet.l4 = L4::Icmp {
        v6: false,
        kind,
        code,
        id: numbered.then_some(u16::from_be_bytes([i0, i1])),
        seq: numbered.then_some(u16::from_be_bytes([s0, s1])),
    };
    set_payload(packet, body_at, end);
    let Some(&(_, highest, _, body)) = found else {
        return state.event(packet, events::ICMPV4_UNKNOWN_TYPE);
    };
    if code > highest {
        return state.event(packet, events::ICMPV4_UNKNOWN_CODE);
    }
    let quote = match body {
        Body::Free => return,
        Body::Times if end.saturating_sub(body_at) < TIMES_LEN => Quoted::Short,
        Body::Times => return,
        Body::Quote if body_at == end => return,
        Body::Quote | Body::QuoteAlways => quoted(packet, body_at, end, 4, ipv4::HEADER_LEN),
    };
    match quote {
        Quoted::Good => {}
        Quoted::Short => state.event(packet, events::ICMPV4_IPV4_TRUNC_PKT),
        Quoted::WrongVersion => state.event(packet, events::ICMPV4_IPV4_UNKNOWN_VER),
    }
}
