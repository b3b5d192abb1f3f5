//! WebSocket (RFC 6455) after its handshake in HTTP/1, with permessage-deflate (RFC 7692). Each frame is a transaction of one
//! direction, as in Suricata; the last frame of a fragmented message has the whole message as its payload.

mod message;
#[cfg(test)]
mod tests;

use super::queue::{answers_from_queue, Queue};
use super::{
    Buffer, LogFor, Number, Outcome, ParseCx, Parser, Protocol, Recognise, Transaction, TxMeta, UpgradeHead,
    View,
};
use crate::direction::{Dir, PerDir};
use crate::json::JsonWriter;
use crate::setting::{size, switch};
use message::{Assembler, Header};
use serde_json::Value;

/// Bytes of a payload or a message that are looked at (`max-payload-size`): Suricata's default.
const PAYLOAD_MAX: usize = 64 << 10;
/// The most the configuration may ask for: a whole frame has to fit what the driver holds back.
const PAYLOAD_LIMIT: usize = 96 << 10;
/// Transactions one flow may hold: one chunk of 64 KiB of the smallest frames makes half of it. Beyond it the oldest go.
const LIVE_TX_MAX: usize = 65_536;
/// Bytes of payload that the held transactions may keep together.
const LIVE_BYTES_MAX: usize = 4 << 20;

const COMPLETE: u8 = 1;
const SKIP_END: u8 = 0;
const REASSEMBLY_LIMIT: u8 = 1;

mod frames {
    pub const HEADER: u8 = 0;
    pub const PDU: u8 = 1;
    pub const DATA: u8 = 2;
}

const OPCODES: &[(&str, u64)] =
    &[("continuation", 0), ("text", 1), ("binary", 2), ("close", 8), ("ping", 9), ("pong", 10)];

/// The registry entry.
pub static WEBSOCKET: Protocol = Protocol {
    name: "websocket",
    aliases: &[],
    tcp: true,
    udp: false,
    doc:
        "WebSocket, after its handshake in HTTP/1: frames, messages put together, unmasked and decompressed.",
    recognise: Recognise { patterns: &[], probe: None, tcp_ports: &[], udp_ports: &[] },
    new: |config| Box::new(WebSocketParser::new(config)),
    buffers: &[Buffer {
        name: "websocket.payload",
        aliases: &[],
        modifier: None,
        progress: PerDir::new(Some(COMPLETE), Some(COMPLETE)),
        multi: false,
        streaming: false,
        doc: "The payload of a frame, unmasked; of the last frame of a message, the message, decompressed.",
    }],
    numbers: &[
        Number {
            name: "websocket.opcode",
            aliases: &[],
            dir: None,
            max: 255,
            words: OPCODES,
            flags: false,
            doc: "Opcode of a frame.",
        },
        Number {
            name: "websocket.flags",
            aliases: &[],
            dir: None,
            max: 255,
            words: &[("fin", 0x80), ("comp", 0x40)],
            flags: true,
            doc: "Flags of a frame: the four upper bits of its first byte.",
        },
        Number {
            name: "websocket.mask",
            aliases: &[],
            dir: None,
            max: u32::MAX as u64,
            words: &[],
            flags: false,
            doc: "Masking key of a frame, where it has one.",
        },
    ],
    frames: &["header", "pdu", "data"],
    events: &["skip_end_of_payload", "reassembly_limit_reached"],
    states: PerDir::new(&["request_started", "request_complete"], &["response_started", "response_complete"]),
    complete: PerDir::new(COMPLETE, COMPLETE),
    log_at: PerDir::new(COMPLETE, COMPLETE),
    record: "websocket",
};

struct WebSocketTx {
    meta: TxMeta,
    dir: Dir,
    header: Header,
    payload: Vec<u8>,
}

impl Transaction for WebSocketTx {
    fn meta(&self) -> &TxMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut TxMeta {
        &mut self.meta
    }
    fn progress(&self, _dir: Dir) -> u8 {
        COMPLETE
    }
    fn buffer(&self, _local: usize, index: usize, dir: Dir) -> Option<View<'_>> {
        (dir == self.dir && index == 0).then(|| View::whole(&self.payload))
    }
    fn number(&self, keyword: &str, dir: Dir) -> Option<u64> {
        if dir != self.dir {
            return None;
        }
        match keyword {
            "websocket.opcode" => Some(u64::from(self.header.opcode())),
            "websocket.flags" => Some(u64::from(self.header.flags())),
            "websocket.mask" => self.header.mask.map(|key| u64::from(u32::from_be_bytes(key))),
            _ => None,
        }
    }
    fn log(&self, out: &mut JsonWriter, _what: LogFor) {
        out.bool("fin", self.header.fin());
        if let Some(key) = self.header.mask {
            out.uint("mask", u64::from(u32::from_be_bytes(key)));
        }
        let opcode = u64::from(self.header.opcode());
        match OPCODES.iter().find(|(_, code)| *code == opcode) {
            Some((name, _)) => out.str("opcode", name),
            None => out.fmt("opcode", format_args!("unknown-{opcode}")),
        }
    }
    fn log_alert(&self, out: &mut JsonWriter, options: &Value) {
        let on = |name: &str| switch(&options[name]) == Some(true);
        self.log(out, LogFor::Alert);
        if on("websocket-payload") {
            out.base64("payload_base64", &self.payload);
        }
        if on("websocket-payload-printable") {
            out.printable("payload_printable", &self.payload);
        }
    }
}

#[derive(Default)]
struct Half {
    /// Bytes of a frame too long to look at that are still to come.
    skip: u64,
    lost: bool,
    assembler: Assembler,
}

struct WebSocketParser {
    payload_max: usize,
    halves: PerDir<Half>,
    txs: Queue<WebSocketTx>,
    live_bytes: usize,
}

impl WebSocketParser {
    fn new(config: &Value) -> WebSocketParser {
        let given = size(&config["max-payload-size"]).and_then(|n| usize::try_from(n).ok());
        WebSocketParser {
            payload_max: given.unwrap_or(PAYLOAD_MAX).min(PAYLOAD_LIMIT),
            halves: PerDir::default(),
            txs: Queue::new(usize::MAX), // `frame` bounds it, by bytes too
            live_bytes: 0,
        }
    }

    /// A frame of which `payload` is what is looked at.
    fn frame(&mut self, dir: Dir, header: Header, payload: &[u8]) {
        let mut bytes = payload.to_vec();
        header.unmask(&mut bytes);
        let max = self.payload_max;
        let (payload, over) = self.halves[dir].assembler.take(&header, bytes, max);
        self.live_bytes = self.live_bytes.saturating_add(payload.len());
        let tx = self.txs.push(|id| WebSocketTx { meta: TxMeta::new(id), dir, header, payload });
        tx.meta.skip[dir.opposite()] = true;
        if header.len > max as u64 {
            tx.meta.set_event(SKIP_END);
        }
        if over {
            tx.meta.set_event(REASSEMBLY_LIMIT);
        }
        while self.txs.len() > LIVE_TX_MAX || (self.live_bytes > LIVE_BYTES_MAX && self.txs.len() > 1) {
            let Some(oldest) = self.txs.pop_oldest() else { break };
            self.freed(&oldest);
        }
    }

    fn freed(&mut self, tx: &WebSocketTx) {
        self.live_bytes = self.live_bytes.saturating_sub(tx.payload.len());
    }
}

impl Parser for WebSocketParser {
    fn parse(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Outcome {
        let mut at: usize = 0;
        loop {
            let rest = data.get(at..).unwrap_or(&[]);
            if rest.is_empty() || self.halves[dir].lost {
                return Outcome::Done;
            }
            let skip = &mut self.halves[dir].skip;
            if *skip > 0 {
                let used = usize::try_from(*skip).unwrap_or(usize::MAX).min(rest.len());
                *skip = skip.saturating_sub(used as u64);
                at = at.saturating_add(used);
                continue;
            }
            let (header, header_len) = match Header::read(rest) {
                Ok(found) => found,
                Err(needed) => return Outcome::NeedMore { consumed: at, needed },
            };
            let looked_at = usize::try_from(header.len).unwrap_or(usize::MAX).min(self.payload_max);
            let end = header_len.saturating_add(looked_at);
            let Some(payload) = rest.get(header_len..end) else {
                return Outcome::NeedMore { consumed: at, needed: end };
            };
            let offset = i64::try_from(at).unwrap_or(i64::MAX);
            let (behind, tx) = (offset.saturating_add(header_len as i64), Some(self.txs.next_id()));
            cx.frame_of(frames::HEADER, offset, Some(header_len as u64), tx);
            cx.frame_of(frames::PDU, offset, Some(header.len.saturating_add(header_len as u64)), tx);
            cx.frame_of(frames::DATA, behind, Some(header.len), tx);
            self.frame(dir, header, payload);
            cx.trigger_raw[dir] = true;
            self.halves[dir].skip = header.len.saturating_sub(looked_at as u64);
            at = at.saturating_add(end);
        }
    }

    fn gap(&mut self, dir: Dir, len: u64, _cx: &mut ParseCx) -> Outcome {
        let half = &mut self.halves[dir];
        let skipped = half.skip.min(len);
        half.skip = half.skip.saturating_sub(skipped);
        // Behind anything else the next frame's place is unknown.
        half.lost |= skipped < len;
        Outcome::Done
    }

    fn upgraded(&mut self, head: &UpgradeHead) {
        let accepted =
            head.response.iter().filter(|(name, _)| name.eq_ignore_ascii_case(b"sec-websocket-extensions"));
        for (_, value) in accepted {
            let text = String::from_utf8_lossy(value).to_ascii_lowercase();
            if text.contains("permessage-deflate") {
                self.halves.to_server.assembler.forget_context = text.contains("client_no_context_takeover");
                self.halves.to_client.assembler.forget_context = text.contains("server_no_context_takeover");
            }
        }
    }

    answers_from_queue!(freed);
}
