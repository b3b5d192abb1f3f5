//! One parser of the registry on any bytes in any chunks, driven as the line drives it, and then read as detection and
//! log read it.

use crate::Taker;
use haidang_core::app::{LogFor, Outcome, ParseCx, Parser, Protocol};
use haidang_core::direction::Dir;
use haidang_core::json::JsonWriter;

/// The driver gives up on a parser that leaves more than this.
const PENDING_MAX_BYTES: usize = 128 * 1024;

/// Instances of a buffer to look at; caps belong to the parsers, this only ends the loop.
const INSTANCES_MAX: usize = 10_000;

/// Feeds `data`: a byte of flags and a length before each chunk.
pub fn run(protocol: &Protocol, data: &[u8]) {
    let mut input = Taker(data);
    let mut parser = (protocol.new)(&serde_json::Value::Null);
    let datagram = protocol.udp && (!protocol.tcp || input.u8() & 1 == 1);
    let mut pending: [Vec<u8>; 2] = Default::default();
    while !input.is_empty() {
        let flags = input.u8();
        let dir = if flags & 1 == 0 { Dir::ToServer } else { Dir::ToClient };
        let len = usize::from(if flags & 2 == 0 { u16::from(input.u8()) } else { input.u16() });
        let mut cx =
            ParseCx { datagram, eof: flags & 4 != 0, src_port: 1025, dst_port: 80, ..ParseCx::default() };
        let outcome = if flags & 0xf8 == 0xf8 && !datagram {
            pending[dir.index()].clear();
            parser.gap(dir, len as u64, &mut cx)
        } else if datagram {
            parser.parse(dir, input.bytes(len), &mut cx)
        } else {
            let held = &mut pending[dir.index()];
            held.extend_from_slice(input.bytes(len));
            let outcome = parser.parse(dir, held, &mut cx);
            let consumed = match outcome {
                Outcome::NeedMore { consumed, needed } => {
                    assert!(consumed <= held.len(), "{} consumed more than there was", protocol.name);
                    assert!(needed > held.len() - consumed, "{} asks for what it was given", protocol.name);
                    consumed
                }
                Outcome::Done | Outcome::Broken => held.len(),
            };
            held.drain(..consumed);
            if held.len() > PENDING_MAX_BYTES {
                return;
            }
            outcome
        };
        if outcome == Outcome::Broken || cx.bypass {
            break;
        }
        if flags & 8 != 0 {
            look(protocol, parser.as_mut());
        }
    }
    for dir in Dir::BOTH {
        parser.close(dir, &mut ParseCx { datagram, eof: true, ..ParseCx::default() });
    }
    look(protocol, parser.as_mut());
}

/// Reads every buffer, number, file and record of every transaction; drops the older half as the driver would.
fn look(protocol: &Protocol, parser: &mut dyn Parser) {
    let ids = parser.tx_ids();
    for id in ids.clone() {
        let Some(tx) = parser.tx(id) else { continue };
        for dir in Dir::BOTH {
            for (local, buffer) in protocol.buffers.iter().enumerate() {
                for index in 0..if buffer.multi { INSTANCES_MAX } else { 1 } {
                    if tx.buffer(local, index, dir).is_none() {
                        break;
                    }
                }
            }
        }
        for what in [LogFor::Record, LogFor::Alert] {
            let mut out = JsonWriter::new();
            out.open();
            tx.log(&mut out, what);
            out.close();
            let record: Result<serde_json::Value, _> = serde_json::from_slice(out.as_bytes());
            assert!(record.is_ok(), "{} wrote {:?}", protocol.name, String::from_utf8_lossy(out.as_bytes()));
        }
        for dir in Dir::BOTH {
            parser.inspected(id, dir);
        }
    }
    let half = ids.end.saturating_sub(ids.start) / 2;
    for id in ids.start..ids.start.saturating_add(half) {
        parser.drop_tx(id);
    }
}
