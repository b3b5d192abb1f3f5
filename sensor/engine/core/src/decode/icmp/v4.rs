//! ICMP (RFC 792, 950, 1256).

use super::super::layer::{chunk, set_payload, State};
use super::super::packet::{Packet, L4};
use super::super::{events, ipv4};
use super::{quoted, Quoted, HEADER_LEN};

/// Types in use: (type, highest code, carries identifier and sequence number, quotes the offending datagram).
const TYPES: &[(u8, u8, bool, bool)] = &[
    (0, 0, true, false),   // echo reply
    (3, 15, false, true),  // destination unreachable
    (4, 0, false, true),   // source quench
    (5, 3, false, true),   // redirect
    (8, 0, true, false),   // echo
    (9, 16, false, false), // router advertisement: 0 or 16
    (10, 0, false, false), // router solicitation
    (11, 1, false, true),  // time exceeded
    (12, 2, false, true),  // parameter problem
    (13, 0, true, false),  // timestamp
    (14, 0, true, false),  // timestamp reply
    (15, 0, true, false),  // information request
    (16, 0, true, false),  // information reply
    (17, 0, true, false),  // address mask request
    (18, 0, true, false),  // address mask reply
];

pub(crate) fn decode(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    state.counters.icmpv4 = state.counters.icmpv4.saturating_add(1);
    let Some(&[kind, code, _, _, i0, i1, s0, s1]) = chunk::<HEADER_LEN>(packet.frame, at, end) else {
        return state.invalid(packet, events::ICMPV4_PKT_TOO_SMALL);
    };
    let body = at.saturating_add(HEADER_LEN);
    let found = TYPES.iter().find(|(number, ..)| *number == kind);
    let numbered = found.is_some_and(|&(_, _, numbered, _)| numbered);
    packet.l4 = L4::Icmp {
        v6: false,
        kind,
        code,
        id: numbered.then_some(u16::from_be_bytes([i0, i1])),
        seq: numbered.then_some(u16::from_be_bytes([s0, s1])),
    };
    set_payload(packet, body, end);
    let Some(&(_, highest, _, quotes)) = found else {
        return state.event(packet, events::ICMPV4_UNKNOWN_TYPE);
    };
    if code > highest || (kind == 9 && !matches!(code, 0 | 16)) {
        return state.event(packet, events::ICMPV4_UNKNOWN_CODE);
    }
    if quotes {
        match quoted(packet, body, end, 4, ipv4::HEADER_LEN) {
            Quoted::Good => {}
            Quoted::Short => state.event(packet, events::ICMPV4_IPV4_TRUNC_PKT),
            Quoted::WrongVersion => state.event(packet, events::ICMPV4_IPV4_UNKNOWN_VER),
        }
    }
}
