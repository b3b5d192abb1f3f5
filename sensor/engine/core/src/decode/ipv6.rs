//! IPv6 (RFC 8200): fixed header and the chain of extension headers. Follows the chain once, however long: every header
//! takes at least eight bytes of the packet.

use super::events;
use super::layer::{chunk, State};
use super::packet::{Addr, Packet};

pub(super) const HEADER_LEN: usize = 40;
/// Next-header numbers.
const HOP_BY_HOP: u8 = 0;
const ICMPV4: u8 = 1;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const ESP: u8 = 50;
const AUTHENTICATION: u8 = 51;
const NONE: u8 = 59;
const DESTINATION: u8 = 60;
const MOBILITY: u8 = 135;
const HIP: u8 = 139;
const SHIM6: u8 = 140;

/// Which extension headers were seen.
#[derive(Default)]
struct Seen {
    hop_by_hop: bool,
    destination: u8,
    routing: bool,
    fragment: bool,
    authentication: bool,
}

pub(super) fn decode(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    state.counters.ipv6 = state.counters.ipv6.saturating_add(1);
    let Some(h) = chunk::<HEADER_LEN>(packet.frame, at, end) else {
        return state.invalid(packet, events::IPV6_PKT_TOO_SMALL);
    };
    if h[0] >> 4 != 6 {
        return state.invalid(packet, events::IPV6_WRONG_IP_VERSION);
    }
    let next = at.saturating_add(HEADER_LEN);
    let ip_end = next.saturating_add(usize::from(u16::from_be_bytes([h[4], h[5]])));
    if ip_end > end {
        return state.invalid(packet, events::IPV6_TRUNC_PKT);
    }
    let (mut src, mut dst) = ([0; 16], [0; 16]);
    src.copy_from_slice(&h[8..24]);
    dst.copy_from_slice(&h[24..40]);
    packet.ip_version = 6;
    packet.ip_off = at as u32;
    packet.ip_header_len = HEADER_LEN as u16;
    packet.src = Addr::v6(src);
    packet.dst = Addr::v6(dst);
    packet.proto = h[6];
    packet.ttl = h[7];
    packet.l4_off = next as u32;
    packet.l4_end = ip_end as u32;
    chain(state, packet, next, ip_end);
}

/// Follows extension headers from `at` (whose kind is packet.proto) to the transport layer.
fn chain(state: &mut State, packet: &mut Packet<'_>, mut at: usize, end: usize) {
    let mut seen = Seen::default();
    // Where the number of the header at `at` is written: a fragment's reassembly needs it.
    let mut number_at = (packet.ip_off as usize).saturating_add(6);
    loop {
        packet.l4_off = at as u32;
        let header_len = at.saturating_sub(packet.ip_off as usize);
        packet.ip_header_len = u16::try_from(header_len).unwrap_or(u16::MAX);
        let kind = packet.proto;
        match kind {
            HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION | MOBILITY | HIP | SHIM6 => {}
            NONE => {
                if at < end {
                    state.event(packet, events::IPV6_DATA_AFTER_NONE_HEADER);
                }
                return;
            }
            _ => return upper_layer(state, packet, at, end),
        }
        let Some(&[following, len_field]) = chunk::<2>(packet.frame, at, end) else {
            return state.event(packet, events::IPV6_TRUNC_EXTHDR);
        };
        let header_len = match kind {
            FRAGMENT => 8,
            AUTHENTICATION => usize::from(len_field).saturating_add(2).saturating_mul(4),
            _ => usize::from(len_field).saturating_add(1).saturating_mul(8),
        };
        let next = at.saturating_add(header_len);
        if next > end {
            return state.event(packet, events::IPV6_TRUNC_EXTHDR);
        }
        match kind {
            HOP_BY_HOP if seen.hop_by_hop => state.event(packet, events::IPV6_EXTHDR_DUPL_HH),
            HOP_BY_HOP => {
                seen.hop_by_hop = true;
                options(state, packet, at.saturating_add(2), next, true);
            }
            // Twice is right: before a routing header and before the upper layer (RFC 8200, 4.1).
            DESTINATION if seen.destination == 2 => state.event(packet, events::IPV6_EXTHDR_DUPL_DH),
            DESTINATION => {
                seen.destination = seen.destination.saturating_add(1);
                options(state, packet, at.saturating_add(2), next, false);
            }
            ROUTING if seen.routing => state.event(packet, events::IPV6_EXTHDR_DUPL_RH),
            ROUTING => {
                seen.routing = true;
                // Deprecated for what it lets an attacker do (RFC 5095).
                if packet.frame.get(at.saturating_add(2)) == Some(&0) {
                    state.event(packet, events::IPV6_RH_TYPE_0);
                }
            }
            AUTHENTICATION => {
                if seen.authentication {
                    state.event(packet, events::IPV6_EXTHDR_DUPL_AH);
                }
                if let Some(&[_, _, r0, r1]) = chunk::<4>(packet.frame, at, next) {
                    if [r0, r1] != [0, 0] {
                        state.event(packet, events::IPV6_EXTHDR_AH_RES_NOT_NULL);
                    }
                }
                seen.authentication = true;
            }
            FRAGMENT if seen.fragment => {
                state.event(packet, events::IPV6_EXTHDR_DUPL_FH);
                reserved_field(state, packet, at, end);
            }
            FRAGMENT => {
                seen.fragment = true;
                if fragment(state, packet, at, end) {
                    packet.proto = following;
                    packet.fragment_number_at = number_at as u32;
                    return state.fragment(packet, next, end);
                }
            }
            _ => {}
        }
        packet.proto = following;
        number_at = at;
        at = next;
    }
}

fn upper_layer(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    let space = end.saturating_sub(at);
    let extension = packet.proto == ESP || usize::from(packet.ip_header_len) > HEADER_LEN;
    if extension && space < 2 {
        return state.event(packet, events::IPV6_TRUNC_EXTHDR);
    }
    if !state.transport_layer(packet, at, end) {
        let event = match packet.proto {
            ICMPV4 => events::IPV6_ICMPV4,
            _ => events::IPV6_UNKNOWN_NEXT_HEADER,
        };
        state.event(packet, event);
    }
}

/// The second byte of a fragment header means nothing, and is used to smuggle.
fn reserved_field(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    if chunk::<2>(packet.frame, at, end).is_some_and(|header| header[1] != 0) {
        state.event(packet, events::IPV6_FH_NON_ZERO_RESERVED_FIELD);
    }
}

/// Reads a fragment header (RFC 8200, 4.5); whether the packet is one piece of several.
fn fragment(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) -> bool {
    let Some(&[_, _, o0, o1, ..]) = chunk::<8>(packet.frame, at, end) else {
        return false;
    };
    let field = u16::from_be_bytes([o0, o1]);
    packet.fragment_offset = field & 0xfff8;
    packet.more_fragments = field & 1 != 0;
    reserved_field(state, packet, at, end);
    let data_len = end.saturating_sub(at.saturating_add(8));
    if packet.more_fragments && data_len % 8 != 0 {
        state.invalid(packet, events::IPV6_FRAG_INVALID_LENGTH);
    }
    if !packet.more_fragments && packet.fragment_offset == 0 {
        // The whole datagram is here: an "atomic" fragment (RFC 6946).
        state.event(packet, events::IPV6_EXTHDR_USELESS_FH);
        return false;
    }
    packet.is_fragment = true;
    true
}

/// Checks hop-by-hop or destination options at `frame[at..end]`.
fn options(state: &mut State, packet: &mut Packet<'_>, mut at: usize, end: usize, hop_by_hop: bool) {
    const PAD1: u8 = 0;
    const PADN: u8 = 1;
    const ROUTER_ALERT: u8 = 0x05;
    const JUMBO: u8 = 0xc2;
    const HOME_ADDRESS: u8 = 0xc9;
    let (mut padding, mut others) = (false, false);
    let (unknown, only_padding) = if hop_by_hop {
        (events::IPV6_HOPOPTS_UNKNOWN_OPT, events::IPV6_HOPOPTS_ONLY_PADDING)
    } else {
        (events::IPV6_DSTOPTS_UNKNOWN_OPT, events::IPV6_DSTOPTS_ONLY_PADDING)
    };
    while at < end {
        let kind = packet.frame.get(at).copied().unwrap_or(PAD1);
        if kind == PAD1 {
            padding = true;
            at = at.saturating_add(1);
            continue;
        }
        let Some(&[_, len]) = chunk::<2>(packet.frame, at, end) else {
            state.event(packet, events::IPV6_EXTHDR_INVALID_OPTLEN);
            break;
        };
        let next = at.saturating_add(2 + usize::from(len));
        let fits = match kind {
            JUMBO => len == 4,
            HOME_ADDRESS => len == 16,
            _ => true,
        };
        if next > end || !fits {
            state.event(packet, events::IPV6_EXTHDR_INVALID_OPTLEN);
            break;
        }
        match kind {
            PADN => {
                padding = true;
                if len == 0 {
                    state.event(packet, events::IPV6_ZERO_LEN_PADN);
                }
            }
            ROUTER_ALERT | JUMBO | HOME_ADDRESS => others = true,
            _ => {
                others = true;
                state.event(packet, unknown);
            }
        }
        at = next;
    }
    if padding && !others {
        state.event(packet, only_padding);
    }
}
