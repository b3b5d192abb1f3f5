//! IKE versions 1 and 2 over UDP (RFC 2408, RFC 2409, RFC 7296): the negotiation in the clear. Every message is a transaction
//! of its own; of encrypted ones only the header and the first payload's kind are known.

mod log;
mod names;
mod payload;
#[cfg(test)]
mod tests;
mod tx;
mod v1;
mod v2;

use super::queue::{answers_from_queue, Queue};
use super::{Buffer, Number, Outcome, ParseCx, Parser, Probe, Protocol, Recognise};
use crate::direction::{Dir, PerDir};
use payload::Header;
use std::sync::Arc;
use tx::IkeTx;

/// Transactions one flow may hold until they are inspected. Beyond it the oldest go.
const LIVE_TX_MAX: usize = 1024;
const COMPLETE: u8 = 1;

/// Codes of the events.
#[derive(Clone, Copy)]
enum Event {
    MalformedData,
    NoEncryption,
    WeakCryptoEnc,
    WeakCryptoPrf,
    WeakCryptoDh,
    WeakCryptoAuth,
    WeakCryptoNoDh,
    WeakCryptoNoAuth,
    InvalidProposal,
    UnknownProposal,
    MultipleServerProposal,
}

const REQUEST: PerDir<Option<u8>> = PerDir::new(Some(COMPLETE), None);
const RESPONSE: PerDir<Option<u8>> = PerDir::new(None, Some(COMPLETE));
const BOTH: PerDir<Option<u8>> = PerDir::new(Some(COMPLETE), Some(COMPLETE));

const fn buffer(name: &'static str, progress: PerDir<Option<u8>>, multi: bool, doc: &'static str) -> Buffer {
    Buffer { name, aliases: &[], modifier: None, progress, multi, streaming: false, doc }
}

const fn number(name: &'static str, doc: &'static str) -> Number {
    Number { name, aliases: &[], dir: None, max: u32::MAX as u64, words: &[], flags: false, doc }
}

pub static IKE: Protocol = Protocol {
    name: "ike",
    aliases: &["ikev1", "ikev2"],
    tcp: false,
    udp: true,
    doc: "The Internet Key Exchange, versions 1 and 2. Each message gives one `ike` event.",
    recognise: Recognise { patterns: &[], probe: Some(probe), tcp_ports: &[], udp_ports: &[500] },
    new: |_config| Box::new(IkeParser::new()),
    // Indexed by the constants in `tx`.
    buffers: &[
        buffer("ike.init_spi", REQUEST, false, "The initiator's SPI as 16 hexadecimal digits."),
        buffer("ike.resp_spi", RESPONSE, false, "The responder's SPI as 16 hexadecimal digits."),
        buffer("ike.vendor", REQUEST, true, "Each vendor identifier in hexadecimal."),
        buffer("ike.key_exchange_payload", BOTH, false, "The public value of the key exchange."),
        buffer("ike.nonce_payload", BOTH, false, "The nonce."),
    ],
    numbers: &[
        number("ike.exchtype", "Exchange type of the IKE message, e.g. 2 (main mode) or 34 (IKE_SA_INIT)."),
        number("ike.key_exchange_payload_length", "Bytes of the public value of the key exchange."),
        number("ike.nonce_payload_length", "Bytes of the nonce."),
    ],
    frames: &[],
    // Indexed by `Event`.
    events: &[
        "malformed_data",
        "no_encryption",
        "weak_crypto_enc",
        "weak_crypto_prf",
        "weak_crypto_dh",
        "weak_crypto_auth",
        "weak_crypto_no_dh",
        "weak_crypto_no_auth",
        "invalid_proposal",
        "unknown_proposal",
        "multiple_server_proposal",
        "payload_extra_data",
    ],
    states: PerDir::new(&["request_started", "request_complete"], &["response_started", "response_complete"]),
    complete: PerDir::new(COMPLETE, COMPLETE),
    log_at: PerDir::new(COMPLETE, COMPLETE),
    record: "ike",
};

fn probe(_dir: Dir, data: &[u8]) -> Probe {
    match Header::read(data) {
        Some((header, body)) if body.len() == header.body_len() => Probe::Yes,
        _ => Probe::No,
    }
}

/// What one side of a version 1 exchange has said in the clear.
#[derive(Clone, Default)]
struct Said {
    key_exchange: Option<Arc<[u8]>>,
    nonce: Option<Arc<[u8]>>,
}

struct IkeParser {
    txs: Queue<IkeTx>,
    /// Version 1: domain of interpretation, what was said, and what the responder chose.
    doi: Option<u32>,
    said: PerDir<Said>,
    chosen: Arc<[v1::Transform]>,
    /// Version 2: what the responder chose.
    suite: v2::Suite,
}

impl IkeParser {
    fn new() -> Self {
        IkeParser {
            txs: Queue::new(LIVE_TX_MAX),
            doi: None,
            said: PerDir::default(),
            chosen: Arc::default(),
            suite: v2::Suite::default(),
        }
    }

    fn version_1(&mut self, dir: Dir, header: Header, body: &[u8]) -> IkeTx {
        let message = v1::Message::read(&header, body);
        self.doi = message.doi.or(self.doi);
        let said = &mut self.said[dir];
        said.key_exchange = message.key_exchange.clone().or_else(|| said.key_exchange.take());
        said.nonce = message.nonce.clone().or_else(|| said.nonce.take());
        let multiple = dir == Dir::ToClient && message.proposals > 1;
        if dir == Dir::ToClient && !message.transforms.is_empty() {
            self.chosen = message.transforms.clone();
        }
        let context = tx::Context1 {
            message,
            doi: self.doi,
            client: self.said[Dir::ToServer].clone(),
            server: self.said[Dir::ToClient].clone(),
            chosen: self.chosen.clone(),
        };
        let mut tx = IkeTx::new(dir, header, tx::Body::V1(context));
        if multiple {
            tx.event(Event::MultipleServerProposal);
        }
        tx
    }

    fn version_2(&mut self, dir: Dir, header: Header, body: &[u8]) -> IkeTx {
        let mut events = Vec::new();
        let message = v2::Message::read(&header, body, &mut |event| events.push(event));
        if let Some(suite) = message.suite.filter(|_| dir == Dir::ToClient) {
            self.suite = suite;
        }
        let context = tx::Context2 { message, suite: self.suite };
        let mut tx = IkeTx::new(dir, header, tx::Body::V2(context));
        for event in events {
            tx.event(event);
        }
        tx
    }
}

impl Parser for IkeParser {
    fn parse(&mut self, dir: Dir, data: &[u8], _cx: &mut ParseCx) -> Outcome {
        let mut tx = match Header::read(data) {
            Some((header, body)) if header.major == 1 => self.version_1(dir, header, body),
            Some((header, body)) => self.version_2(dir, header, body),
            None => {
                let mut tx = IkeTx::new(dir, Header::default(), tx::Body::None);
                tx.event(Event::MalformedData);
                tx.meta.logged = true;
                tx
            }
        };
        self.txs.push(|id| {
            tx.meta.id = id;
            tx
        });
        Outcome::Done // a bad datagram says nothing of the next one
    }
    answers_from_queue!();
}
