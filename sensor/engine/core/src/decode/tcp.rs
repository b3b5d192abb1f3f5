//! TCP (RFC 9293): header and options.

use super::layer::{chunk, set_payload, State};
use super::packet::{Packet, TcpHeader, L4};
use super::{checksum, events};

const HEADER_LEN: usize = 20;

pub(super) fn decode(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    state.counters.tcp = state.counters.tcp.saturating_add(1);
    let Some(h) = chunk::<HEADER_LEN>(packet.frame, at, end) else {
        return state.invalid(packet, events::TCP_PKT_TOO_SMALL);
    };
    let header_len = usize::from(h[12] >> 4) * 4;
    let payload_at = at.saturating_add(header_len);
    if payload_at > end {
        return state.invalid(packet, events::TCP_HLEN_TOO_SMALL);
    }
    if header_len < HEADER_LEN {
        return state.invalid(packet, events::TCP_INVALID_OPTLEN);
    }
    let mut header = TcpHeader {
        seq: u32::from_be_bytes([h[4], h[5], h[6], h[7]]),
        ack: u32::from_be_bytes([h[8], h[9], h[10], h[11]]),
        flags: h[13],
        reserved: h[12] & 0x0f,
        window: u16::from_be_bytes([h[14], h[15]]),
        urgent: u16::from_be_bytes([h[18], h[19]]),
        header_len: header_len as u8,
        ..TcpHeader::default()
    };
    packet.src_port = u16::from_be_bytes([h[0], h[1]]);
    packet.dst_port = u16::from_be_bytes([h[2], h[3]]);
    if header_len > HEADER_LEN {
        options(state, packet, &mut header, at.saturating_add(HEADER_LEN), payload_at);
    }
    packet.l4 = L4::Tcp(header);
    set_payload(packet, payload_at, end);
    if state.checksums.checking() && !checksum::transport_is_right(packet) {
        packet.bad_checksum = true;
        state.checksums.wrong();
    }
}

/// Options by number ("TCP Option Kind Numbers"); a broken one ends the walk, with an event.
fn options(state: &mut State, packet: &mut Packet<'_>, header: &mut TcpHeader, at: usize, end: usize) {
    let frame = packet.frame;
    let mut rest = frame.get(at..end).unwrap_or(&[]);
    // The one layout nearly every data segment has: NOP NOP timestamp (RFC 7323, appendix A).
    if let &[1, 1, 8, 10, a, b, c, d, e, f, g, h] = rest {
        header.timestamp = Some((u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])));
        return;
    }
    while let Some((&kind, tail)) = rest.split_first() {
        match kind {
            0 => return,
            1 => {
                rest = tail;
                continue;
            }
            _ => {}
        }
        let Some(&len) = tail.first() else { return };
        let option = match rest.get(..usize::from(len)) {
            Some(option) if len >= 2 => option,
            _ => return state.event(packet, events::TCP_OPT_INVALID_LEN),
        };
        let option_at = end.saturating_sub(rest.len());
        rest = rest.get(usize::from(len)..).unwrap_or(&[]);
        let duplicate = match (kind, option) {
            (2, &[_, _, a, b]) => header.mss.replace(u16::from_be_bytes([a, b])).is_some(),
            (3, &[_, _, shift]) => header.window_scale.replace(shift).is_some(),
            (4, &[_, _]) => std::mem::replace(&mut header.sack_permitted, true),
            (5, blocks) if (2..=34).contains(&len) && len % 8 == 2 => header
                .sack
                .replace((option_at.saturating_add(2) as u32, blocks.len().saturating_sub(2) as u8))
                .is_some(),
            (8, &[_, _, a, b, c, d, e, f, g, h]) => header
                .timestamp
                .replace((u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])))
                .is_some(),
            // A cookie is 4 to 16 bytes, even in number, or none for a request (RFC 7413, 4.1.1).
            (34, _) if len % 2 == 0 && (2..=18).contains(&len) => {
                std::mem::replace(&mut header.fast_open, true)
            }
            // The experiment Fast Open began as (RFC 6994).
            (253 | 254, &[_, _, m0, m1, ..]) if len == 4 || len == 12 => {
                [m0, m1] == [0xf9, 0x89] && std::mem::replace(&mut header.fast_open, true)
            }
            (19, _) if len == 18 => {
                header.signed = true;
                false
            }
            (29, _) if len >= 4 => {
                header.signed = true;
                false
            }
            (2 | 3 | 4 | 5 | 8 | 19 | 29 | 34 | 253 | 254, _) => {
                state.event(packet, events::TCP_OPT_INVALID_LEN);
                false
            }
            _ => false,
        };
        if duplicate {
            state.event(packet, events::TCP_OPT_DUPLICATE);
        }
    }
}
