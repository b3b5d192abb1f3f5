//! Any bytes as a TCP conversation: for the fuzz target and for the property test that runs with every build.

use super::{Chunk, StreamConfig, Streams, TcpSession};
use crate::decode::packet::L4;
use crate::decode::{Packet, TcpHeader};
use crate::direction::Dir;
use crate::time::Timestamp;

/// Bytes of one segment's description, before its payload.
const SEGMENT: usize = 8;

/// Reads `data` as settings and segments, plays them, and reads the streams as the next stages do. Panics when a law of
/// the stage is broken: the caps hold, positions never go back, reading ends.
pub fn fuzz_stream(data: &[u8]) {
    let Some((&settings, mut rest)) = data.split_first() else {
        return;
    };
    let mut config = StreamConfig { midstream: settings & 1 != 0, ..StreamConfig::default() };
    config.async_oneside = settings & 2 != 0;
    config.reassembly.memcap = 64 * 1024;
    config.reassembly.depth = if settings & 4 != 0 { 4096 } else { 0 };
    let cap = config.reassembly.memcap;
    let mut streams = Streams::new(config);
    let mut session = TcpSession::new(&streams);
    let mut number = 0u64;
    while let Some((head, tail)) = rest.split_at_checked(SEGMENT) {
        let &[control, flags, seq_high, seq, ack_high, ack, window, len] = head else {
            return;
        };
        let (payload, tail) = tail.split_at_checked(usize::from(len)).unwrap_or((tail, &[]));
        rest = tail;
        number = number.saturating_add(1);
        let dir = if control & 1 == 0 { Dir::ToServer } else { Dir::ToClient };
        // Near the wrap of sequence space, with now and then a leap.
        let place = |high: u8, low: u8| {
            let far = if high & 0x80 != 0 { u32::from(high) << 24 } else { 0 };
            0xffff_ff80u32.wrapping_add(far).wrapping_add(u32::from(low))
        };
        let header = TcpHeader {
            seq: place(seq_high, seq),
            ack: place(ack_high, ack),
            flags,
            window: u16::from(window) << 8,
            urgent: u16::from(control >> 4),
            window_scale: (control & 2 != 0).then_some(control >> 3),
            timestamp: (control & 4 != 0).then_some((u32::from(seq), u32::from(ack))),
            fast_open: control & 8 != 0,
            ..TcpHeader::default()
        };
        let ts = Timestamp::from_parts(number, 0);
        let mut packet = Packet::new(payload, ts, number, payload.len() as u32, 1);
        packet.payload_len = payload.len() as u32;
        packet.l4 = L4::Tcp(header);
        let update = session.packet(&mut streams, &mut packet, dir);
        if control & 0x40 == 0 {
            for side in update.iter() {
                read(&mut session, side, false);
            }
        }
        session.packet_done(&mut streams, &mut packet);
        // A segment may take a vector's growth, and bookkeeping, beyond the cap.
        assert!(streams.memory.data() <= cap.saturating_mul(4), "memory cap");
    }
    for dir in Dir::BOTH {
        read(&mut session, dir, true);
        assert!(!session.side(dir).has_unread(), "unread bytes at the end");
    }
    drop(session);
    assert_eq!(streams.memory.data(), 0, "memory is given back");
}

fn read(session: &mut TcpSession, dir: Dir, at_end: bool) {
    let side = session.side_mut(dir);
    loop {
        let n = match side.app_chunk(at_end) {
            Chunk::None => break,
            Chunk::Data(data) => data.len() as u64,
            Chunk::Gap(n) => n,
        };
        assert!(n > 0, "an empty chunk");
        let before = side.app_position();
        side.app_consume(n);
        assert!(side.app_position() > before, "no progress");
    }
    while let Some(raw) = side.raw_chunk(at_end) {
        assert!(!raw.data.is_empty(), "nothing to inspect");
        side.raw_consume(raw.offset.saturating_add(raw.data.len() as u64));
        if !at_end {
            break;
        }
    }
}
