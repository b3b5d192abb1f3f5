//! ICMPv6 (RFC 4443), neighbour discovery (RFC 4861), multicast listener discovery (RFC 2710, 3810).

use super::super::layer::{chunk, set_payload, State};
use super::super::packet::{Packet, L4};
use super::super::{events, ipv6};
use super::{quoted, Quoted, HEADER_LEN};

pub(crate) fn decode(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    state.counters.icmpv6 = state.counters.icmpv6.saturating_add(1);
    let Some(&[kind, code, _, _, i0, i1, s0, s1]) = chunk::<HEADER_LEN>(packet.frame, at, end) else {
        return state.invalid(packet, events::ICMPV6_PKT_TOO_SMALL);
    };
    let body = at.saturating_add(HEADER_LEN);
    let numbered = matches!(kind, 128 | 129);
    packet.l4 = L4::Icmp {
        v6: true,
        kind,
        code,
        id: numbered.then_some(u16::from_be_bytes([i0, i1])),
        seq: numbered.then_some(u16::from_be_bytes([s0, s1])),
    };
    set_payload(packet, body, end);
    // Listener discovery never leaves the link (RFC 2710, 3).
    if matches!(kind, 130..=132) && packet.ttl != 1 {
        state.event(packet, events::ICMPV6_MLD_MESSAGE_WITH_INVALID_HL);
    }
    let highest = match kind {
        1 => 6,                        // destination unreachable
        3 => 1,                        // time exceeded
        138 if code == 255 => u8::MAX, // sequence number reset
        4 | 138..=140 => 2,            // parameter problem, router renumbering, node information
        155 => 3,                      // RPL control
        150..=153 => u8::MAX,          // experimental mobility, multicast router discovery
        // Packet too big, echo, discovery of listeners, neighbours, home agents, certification paths, duplicates.
        2 | 128..=137 | 141..=149 | 154 | 156..=159 => 0,
        _ => {
            let event = match kind {
                0 | 127 => events::ICMPV6_UNKNOWN_TYPE,
                100 | 101 | 200 | 201 => events::ICMPV6_EXPERIMENTATION_TYPE,
                _ => events::ICMPV6_UNASSIGNED_TYPE,
            };
            return state.event(packet, event);
        }
    };
    if code > highest {
        return state.event(packet, events::ICMPV6_UNKNOWN_CODE);
    }
    if (1..=4).contains(&kind) {
        match quoted(packet, body, end, 6, ipv6::HEADER_LEN) {
            Quoted::Good => {}
            Quoted::Short => state.event(packet, events::ICMPV6_IPV6_TRUNC_PKT),
            Quoted::WrongVersion => state.event(packet, events::ICMPV6_IPV6_UNKNOWN_VERSION),
        }
    }
}
