//! QUIC over UDP: v1, v2, the late drafts, and Google's Q039 to Q046, as far as anyone on the path can read it: versions, and
//! the hellos in Initial packets. Each packet of a handshake is a transaction; encrypted ones are not parsed.

mod assemble;
mod crypto;
mod frames;
mod header;
mod names;
mod tx;

#[cfg(test)]
mod tests;

use super::queue::{answers_from_queue, Queue};
use super::tls::hello::Hello;
use super::{Buffer, Outcome, ParseCx, Parser, Probe, Protocol, Recognise};
use crate::direction::{Dir, PerDir};
use crate::setting;
use assemble::Assembler;
use crypto::Keys;
use frames::Frame;
use header::{Header, Kind};
use tx::{Logged, QuicTx};

/// Transactions one flow may hold: one per packet of a datagram, and a datagram of 64 KiB holds far fewer long headers.
const LIVE_TX_MAX: usize = 4096;

const HANDSHAKE_CLIENT_HELLO: u8 = 1;
const HANDSHAKE_SERVER_HELLO: u8 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    FailedDecrypt,
    ErrorOnData,
    CryptoFragTooLong,
}

/// Indexed by `Event`.
const EVENTS: &[&str] = &["failed_decrypt", "error_on_data", "crypto_frag_too_long"];

const BOTH: PerDir<Option<u8>> = PerDir::new(Some(1), Some(1));
const CLIENT: PerDir<Option<u8>> = PerDir::new(Some(1), None);

const fn sticky(
    name: &'static str,
    aliases: &'static [&'static str],
    progress: PerDir<Option<u8>>,
    multi: bool,
    doc: &'static str,
) -> Buffer {
    Buffer { name, aliases, modifier: None, progress, multi, streaming: false, doc }
}

/// Indexed by `tx::buffer`.
const BUFFERS: &[Buffer] = &[
    sticky(
        "quic.version",
        &[],
        BOTH,
        false,
        "The version as the 4 bytes of the header, e.g. `Q046` or `|00 00 00 01|`.",
    ),
    sticky("quic.sni", &[], CLIENT, false, "The server name the client asks for."),
    sticky("quic.ua", &[], CLIENT, false, "The user agent in a hello of Google's QUIC."),
    sticky("quic.cyu.hash", &[], CLIENT, true, "CYU of a hello of Google's QUIC as MD5."),
    sticky("quic.cyu.string", &[], CLIENT, true, "CYU of a hello of Google's QUIC as text."),
    sticky("ja3.hash", &["ja3_hash"], CLIENT, false, "JA3 of the client as MD5."),
    sticky("ja3.string", &["ja3_string"], CLIENT, false, "JA3 of the client as text."),
    sticky("ja4.hash", &["ja4_hash"], CLIENT, false, "JA4 of the client."),
];

pub static QUIC: Protocol = Protocol {
    name: "quic",
    aliases: &[],
    tcp: false,
    udp: true,
    doc: "QUIC v1 and v2, late drafts, and Google's Q039 to Q046: versions, hellos, fingerprints. One transaction per packet \
          of the handshake.",
    recognise: Recognise { patterns: &[], probe: Some(probe), tcp_ports: &[], udp_ports: &[443, 80] },
    new: |config| Box::new(QuicParser::new(config)),
    buffers: BUFFERS,
    numbers: &[],
    frames: &[],
    events: EVENTS,
    states: PerDir::new(&["request_started", "request_complete"], &["response_started", "response_complete"]),
    complete: PerDir::new(1, 1),
    log_at: PerDir::new(1, 1),
    record: "quic",
};

/// A header that reads well; a short one says nothing, but on these ports it is QUIC.
fn probe(_dir: Dir, data: &[u8]) -> Probe {
    match Header::read(data) {
        Some(_) => Probe::Yes,
        None => Probe::No,
    }
}

/// The QUIC state of one flow.
struct QuicParser {
    txs: Queue<QuicTx>,
    keys: Option<Keys>,
    crypto: PerDir<Assembler>,
    /// The hello of the direction was read: what follows is encrypted with other keys.
    hello: PerDir<bool>,
    logged: Logged,
}

impl QuicParser {
    fn new(config: &serde_json::Value) -> QuicParser {
        let on = |path: &str| config.pointer(path).and_then(setting::switch).unwrap_or(true);
        QuicParser {
            txs: Queue::new(LIVE_TX_MAX),
            keys: None,
            crypto: PerDir::default(),
            hello: PerDir::default(),
            logged: Logged { ja3: on("/ja3-fingerprints"), ja4: on("/ja4-fingerprints") && on("/log/ja4") },
        }
    }

    fn add(&mut self, dir: Dir, header: &Header<'_>, event: Option<Event>) -> &mut Self {
        let logged = self.logged;
        self.txs.push(|id| {
            let mut tx = QuicTx::new(id, dir, header.version, logged);
            if let Some(event) = event {
                tx.meta.set_event(event as u8);
            }
            tx
        });
        self
    }

    /// The packets of one datagram. False: it cannot be read, nor what follows.
    fn datagram(&mut self, dir: Dir, data: &[u8]) -> bool {
        let mut at = 0usize;
        while let Some(packet) = data.get(at..).filter(|p| !p.is_empty()) {
            let Some(header) = Header::read(packet) else { return false };
            if self.hello[dir] || header.kind == Kind::Short {
                return true;
            }
            at = at.saturating_add(header.len).saturating_add(header.payload_len);
            match header.kind {
                Kind::Initial => {
                    if !self.initial(dir, &header, packet) {
                        return false;
                    }
                }
                Kind::Retry if dir == Dir::ToClient => {
                    // The client says hello again, with keys that follow from the connection id in this packet.
                    self.keys = None;
                    self.hello[Dir::ToServer] = false;
                    self.crypto = PerDir::default();
                    self.add(dir, &header, None);
                }
                _ => {
                    self.add(dir, &header, None);
                }
            }
        }
        true
    }

    fn initial(&mut self, dir: Dir, header: &Header<'_>, packet: &[u8]) -> bool {
        if header.version.is_google() {
            let end = header.len.saturating_add(header.payload_len);
            let frames = frames::read_google(packet.get(header.len..end).unwrap_or_default());
            self.add(dir, header, None);
            if let Some(tx) = self.txs.last_mut() {
                for frame in frames {
                    if let Frame::Chlo(chlo) = frame {
                        tx.add_chlo(chlo);
                    }
                }
            }
            return true;
        }
        if self.keys.is_none() {
            self.keys = Keys::new(header.version, header.dcid);
        }
        let Some(keys) = &self.keys else {
            // A version nobody has published the keys of: its number is all there is to say.
            self.add(dir, header, None);
            return true;
        };
        let Some(text) = keys.open(dir, header, packet) else {
            self.add(dir, header, Some(Event::FailedDecrypt));
            return false;
        };
        let Some(frames) = frames::read(&text) else {
            self.add(dir, header, Some(Event::ErrorOnData));
            return false;
        };
        let (mut too_long, mut new) = (false, false);
        for frame in &frames {
            if let Frame::Crypto { offset, data } = frame {
                new = true;
                too_long |= self.crypto[dir].add(*offset, data).is_err();
            }
        }
        self.add(dir, header, too_long.then_some(Event::CryptoFragTooLong));
        if new {
            self.hello(dir)
        } else {
            true
        }
    }

    /// Reads the hello when it is whole. False: what is there is none.
    fn hello(&mut self, dir: Dir) -> bool {
        let message = self.crypto[dir].prefix();
        let Some((&[kind, a, b, c], body)) = message.split_first_chunk::<4>() else { return true };
        let len = u32::from_be_bytes([0, a, b, c]) as usize;
        let Some(body) = body.get(..len) else { return true };
        let hello = match kind {
            HANDSHAKE_CLIENT_HELLO if dir == Dir::ToServer => Hello::client(body, &mut |_| {}),
            HANDSHAKE_SERVER_HELLO if dir == Dir::ToClient => Hello::server(body, &mut |_| {}),
            _ => None,
        };
        let Some(tx) = self.txs.last_mut() else { return true };
        let Some(hello) = hello else {
            tx.meta.set_event(Event::ErrorOnData as u8);
            return false;
        };
        tx.add_hello(hello);
        self.hello[dir] = true;
        self.crypto[dir] = Assembler::default();
        true
    }
}

impl Parser for QuicParser {
    fn parse(&mut self, dir: Dir, data: &[u8], _cx: &mut ParseCx) -> Outcome {
        if self.datagram(dir, data) {
            Outcome::Done
        } else {
            Outcome::Broken
        }
    }

    answers_from_queue!();
}
