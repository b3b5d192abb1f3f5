//! Tunnels over UDP: Teredo (RFC 4380), VXLAN (RFC 7348), Geneve (RFC 8926). Each is looked for on its configured ports
//! only, and what does not look like one stays an ordinary datagram.

use super::layer::{chunk, is_ethertype, State};
use super::packet::Packet;
use super::{ethernet, events, ipv4, ipv6};

/// Looks into the UDP datagram whose payload is frame[at..end].
#[inline]
pub(super) fn look(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    let (src, dst) = (packet.src_port, packet.dst_port);
    let config = &state.config;
    if (config.teredo.contains(dst) || config.teredo.contains(src)) && teredo(state, packet, at, end) {
        return;
    }
    let config = &state.config;
    if config.geneve.contains(dst) || config.geneve.contains(src) {
        geneve(state, packet, at, end);
    } else if config.vxlan.contains(dst) || config.vxlan.contains(src) {
        vxlan(state, packet, at, end);
    }
}

/// An IPv6 packet that fills the datagram to the last byte, after an optional origin indication. What begins with
/// authentication only sets the tunnel up.
fn teredo(state: &mut State, packet: &Packet<'_>, mut at: usize, end: usize) -> bool {
    if let Some(&[0, 0]) = chunk::<2>(packet.frame, at, end) {
        at = at.saturating_add(8);
    }
    let Some(header) = chunk::<{ ipv6::HEADER_LEN }>(packet.frame, at, end) else {
        return false;
    };
    let len = usize::from(u16::from_be_bytes([header[4], header[5]]));
    if header[0] >> 4 != 6 || at.saturating_add(ipv6::HEADER_LEN).saturating_add(len) != end {
        return false;
    }
    state.counters.teredo = state.counters.teredo.saturating_add(1);
    state.nest(ipv6::decode, at, end, "teredo tunnel");
    true
}

fn vxlan(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    const HEADER_LEN: usize = 8;
    /// The only flag: the network identifier is valid.
    const VALID_ID: u8 = 0x08;
    let Some(&[flags, r0, r1, r2, _, _, _, r3]) = chunk::<HEADER_LEN>(packet.frame, at, end) else {
        return;
    };
    let reserved = state.config.vxlan_strict && [flags & !VALID_ID, r0, r1, r2, r3] != [0; 5];
    if flags & VALID_ID == 0 || reserved {
        return;
    }
    let next = at.saturating_add(HEADER_LEN);
    let Some(inner) = chunk::<{ ethernet::HEADER_LEN }>(packet.frame, next, end) else {
        return;
    };
    state.counters.vxlan = state.counters.vxlan.saturating_add(1);
    if !is_ethertype(u16::from_be_bytes([inner[12], inner[13]])) {
        return state.event(packet, events::VXLAN_UNKNOWN_PAYLOAD_TYPE);
    }
    state.nest_ethernet(ethernet::decode, next, end, "vxlan encapsulation");
}

fn geneve(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    const HEADER_LEN: usize = 8;
    const ORIGIN: &str = "geneve encapsulation";
    let Some(&[version, flags, p0, p1, _, _, _, reserved]) = chunk::<HEADER_LEN>(packet.frame, at, end)
    else {
        return;
    };
    let options_len = usize::from(version & 0x3f) * 4;
    let next = at.saturating_add(HEADER_LEN).saturating_add(options_len);
    if version >> 6 != 0 || flags & 0x3f != 0 || reserved != 0 || next >= end {
        return;
    }
    state.counters.geneve = state.counters.geneve.saturating_add(1);
    match u16::from_be_bytes([p0, p1]) {
        0x6558 => state.nest_ethernet(ethernet::decode, next, end, ORIGIN),
        0x0800 => state.nest(ipv4::decode, next, end, ORIGIN),
        0x86dd => state.nest(ipv6::decode, next, end, ORIGIN),
        0x0806 => {}
        _ => state.event(packet, events::GENEVE_UNKNOWN_PAYLOAD_TYPE),
    }
}
