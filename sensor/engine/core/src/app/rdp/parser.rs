//! The beginning of an RDP connection: TPKT by TPKT until the session begins, or until TLS takes over.

use super::message::{self, Message, TPKT_LEN, TPKT_VERSION};
use super::security::{Found, Handshake};
use super::tx::RdpTx;
use crate::app::queue::{answers_from_queue, Queue};
use crate::app::{Outcome, ParseCx, Parser};
use crate::direction::Dir;

/// First byte of a TLS handshake record.
const TLS_HANDSHAKE: u8 = 22;
/// Transactions one flow may hold; a connection has four.
const LIVE_TX_MAX: usize = 64;

pub struct RdpParser {
    txs: Queue<RdpTx>,
    /// TLS has begun.
    handshake: Option<Handshake>,
    /// Nothing more is told of the connection.
    over: bool,
}

impl RdpParser {
    pub fn new() -> RdpParser {
        RdpParser { txs: Queue::new(LIVE_TX_MAX), handshake: None, over: false }
    }

    fn message(&mut self, dir: Dir, message: Message) {
        self.txs.push(|id| RdpTx::new(id, dir, message));
    }

    fn finish(&mut self, cx: &mut ParseCx) -> Outcome {
        self.over = true;
        cx.bypass = true;
        Outcome::Done
    }

    /// The server's side of TLS; of the client's there is nothing to tell.
    fn tls(&mut self, dir: Dir, data: &[u8], start: usize, cx: &mut ParseCx) -> Outcome {
        if dir == Dir::ToServer {
            return Outcome::Done;
        }
        let mut at = start;
        loop {
            let rest = data.get(at..).unwrap_or_default();
            if rest.is_empty() {
                return Outcome::Done;
            }
            match self.handshake.get_or_insert_default().record(rest) {
                Found::Need(needed) => return Outcome::NeedMore { consumed: at, needed },
                Found::Taken(len) => at = at.saturating_add(len),
                Found::Nothing => return self.finish(cx),
                Found::Certificates(serials) => {
                    self.message(dir, Message::TlsHandshake { serials });
                    return self.finish(cx);
                }
            }
        }
    }
}

impl Parser for RdpParser {
    fn parse(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Outcome {
        let mut at = 0usize;
        loop {
            let rest = data.get(at..).unwrap_or_default();
            let Some(first) = rest.first().filter(|_| !self.over) else { return Outcome::Done };
            if self.handshake.is_some() || *first == TLS_HANDSHAKE {
                self.handshake.get_or_insert_default();
                return self.tls(dir, data, at, cx);
            }
            if *first != TPKT_VERSION {
                // Fast-path input and output: the session is on.
                return self.finish(cx);
            }
            let [_, _, hi, lo, ..] = *rest else {
                return Outcome::NeedMore { consumed: at, needed: TPKT_LEN };
            };
            let len = usize::from(u16::from_be_bytes([hi, lo])).max(TPKT_LEN);
            let Some(packet) = rest.get(TPKT_LEN..len) else {
                return Outcome::NeedMore { consumed: at, needed: len };
            };
            at = at.saturating_add(len);
            cx.trigger_raw[dir] = true;
            if let Some(message) = message::read(packet) {
                let last = message == Message::ConnectResponse;
                self.message(dir, message);
                if last {
                    return self.finish(cx);
                }
            }
        }
    }

    fn gap(&mut self, _dir: Dir, _len: u64, cx: &mut ParseCx) -> Outcome {
        self.finish(cx);
        Outcome::Broken
    }

    answers_from_queue!();
}
