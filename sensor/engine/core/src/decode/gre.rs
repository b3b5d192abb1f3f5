//! GRE (RFC 2784, 2890; routing of RFC 1701) and PPTP's version of it (RFC 2637, 4.1).

use super::layer::{chunk, State};
use super::packet::{Packet, L4};
use super::{erspan, ethernet, events, ipv4, ipv6, ppp, vlan};

const HEADER_LEN: usize = 4;
const CHECKSUM: u8 = 0x80;
const ROUTING: u8 = 0x40;
const KEY: u8 = 0x20;
const SEQUENCE: u8 = 0x10;
const STRICT_SOURCE_ROUTE: u8 = 0x08;
const RECURSION: u8 = 0x07;
const VERSION: u8 = 0x07;
const FLAGS: u8 = 0xf8;
/// Version 1: an acknowledgement number follows.
const ACKNOWLEDGEMENT: u8 = 0x80;
const PPP: u16 = 0x880b;
const ORIGIN: &str = "gre tunnel";

pub(super) fn decode(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    state.counters.gre = state.counters.gre.saturating_add(1);
    packet.l4 = L4::Other;
    let Some(&[options, version, p0, p1]) = chunk::<HEADER_LEN>(packet.frame, at, end) else {
        return state.invalid(packet, events::GRE_PKT_TOO_SMALL);
    };
    let protocol = u16::from_be_bytes([p0, p1]);
    let next = match version & VERSION {
        0 => version_0(packet, options, version, at, end),
        1 => version_1(options, version, protocol, at, end),
        _ => Err(events::GRE_WRONG_VERSION),
    };
    let next = match next {
        Ok(next) => next,
        Err(event) => return state.invalid(packet, event),
    };
    match protocol {
        0x0800 => state.nest(ipv4::decode, next, end, ORIGIN),
        0x86dd => state.nest(ipv6::decode, next, end, ORIGIN),
        0x0806 => state.nest(ethernet::decode_arp, next, end, ORIGIN),
        0x8100 => state.nest(vlan::decode, next, end, ORIGIN),
        PPP => state.nest(ppp::decode, next, end, ORIGIN),
        0x6558 => state.nest_ethernet(ethernet::decode, next, end, ORIGIN),
        // Type I has neither sequence number nor header of its own.
        0x88be if options & SEQUENCE == 0 && !state.config.erspan_type_1 => {}
        0x88be if options & SEQUENCE == 0 => {
            state.counters.erspan = state.counters.erspan.saturating_add(1);
            state.nest_ethernet(ethernet::decode, next, end, ORIGIN);
        }
        // Types II and III.
        0x88be | 0x22eb => state.nest(erspan::decode, next, end, ORIGIN),
        _ => {}
    }
}

/// Where the payload begins, or the event that says why nobody knows.
fn version_0(packet: &Packet<'_>, options: u8, version: u8, at: usize, end: usize) -> Result<usize, u16> {
    if options & RECURSION != 0 {
        return Err(events::GRE_VERSION0_RECUR);
    }
    if version & FLAGS != 0 {
        return Err(events::GRE_VERSION0_FLAGS);
    }
    let mut next = at.saturating_add(HEADER_LEN);
    for present in [options & (CHECKSUM | ROUTING), options & KEY, options & SEQUENCE] {
        if present != 0 {
            next = next.saturating_add(4);
        }
    }
    if next > end {
        return Err(events::GRE_VERSION0_HDR_TOO_BIG);
    }
    if options & ROUTING != 0 {
        // Source route entries, up to an empty one (RFC 1701, "Routing").
        loop {
            let Some(&[a0, a1, _, len]) = chunk::<4>(packet.frame, next, end) else {
                return Err(events::GRE_VERSION0_MALFORMED_SRE_HDR);
            };
            next = next.saturating_add(4 + usize::from(len));
            if [a0, a1, len] == [0; 3] {
                break;
            }
            if next > end {
                return Err(events::GRE_VERSION0_MALFORMED_SRE_HDR);
            }
        }
    }
    Ok(next)
}

fn version_1(options: u8, version: u8, protocol: u16, at: usize, end: usize) -> Result<usize, u16> {
    for (flag, event) in [
        (CHECKSUM, events::GRE_VERSION1_CHKSUM),
        (ROUTING, events::GRE_VERSION1_ROUTE),
        (STRICT_SOURCE_ROUTE, events::GRE_VERSION1_SSR),
        (RECURSION, events::GRE_VERSION1_RECUR),
    ] {
        if options & flag != 0 {
            return Err(event);
        }
    }
    if version & (FLAGS & !ACKNOWLEDGEMENT) != 0 {
        return Err(events::GRE_VERSION1_FLAGS);
    }
    if protocol != PPP {
        return Err(events::GRE_VERSION1_WRONG_PROTOCOL);
    }
    if options & KEY == 0 {
        return Err(events::GRE_VERSION1_NO_KEY);
    }
    let mut next = at.saturating_add(HEADER_LEN + 4);
    for present in [options & SEQUENCE, version & ACKNOWLEDGEMENT] {
        if present != 0 {
            next = next.saturating_add(4);
        }
    }
    if next > end {
        return Err(events::GRE_VERSION1_HDR_TOO_BIG);
    }
    Ok(next)
}
