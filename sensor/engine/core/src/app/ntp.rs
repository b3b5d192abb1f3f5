//! NTP versions 3 and 4 over UDP (RFC 1305, RFC 5905). Every message is a transaction of its own. It gives no record, as in
//! Suricata 8; rules can ask for its fields and for what is malformed.

use super::queue::{answers_from_queue, Queue};
use super::{
    Buffer, LogFor, Number, Outcome, ParseCx, Parser, Probe, Protocol, Recognise, Transaction, TxMeta, View,
};
use crate::direction::{Dir, PerDir};
use crate::json::JsonWriter;

/// Transactions one flow may hold until they are inspected. Beyond it the oldest go.
const LIVE_TX_MAX: usize = 1024;
const COMPLETE: u8 = 1;
/// Bytes of the header of time messages (RFC 5905 section 7.3).
const HEADER_LEN: usize = 48;
/// Bytes of the header of control messages (RFC 9327 section 2) and of private ones.
const CONTROL_HEADER_LEN: usize = 12;
const PRIVATE_HEADER_LEN: usize = 8;

const MALFORMED_DATA: u8 = 0;

const CONTROL: u8 = 6;
const PRIVATE: u8 = 7;

const fn small(name: &'static str, words: &'static [(&'static str, u64)], doc: &'static str) -> Number {
    Number { name, aliases: &[], dir: None, max: 255, words, flags: false, doc }
}

pub static NTP: Protocol = Protocol {
    name: "ntp",
    aliases: &[],
    tcp: false,
    udp: true,
    doc: "The Network Time Protocol, versions 3 and 4. It has no event of its own.",
    recognise: Recognise { patterns: &[], probe: Some(probe), tcp_ports: &[], udp_ports: &[123] },
    new: |_config| Box::new(NtpParser { txs: Queue::new(LIVE_TX_MAX) }),
    buffers: &[Buffer {
        name: "ntp.reference_id",
        aliases: &[],
        modifier: None,
        progress: PerDir::new(Some(COMPLETE), Some(COMPLETE)),
        multi: false,
        streaming: false,
        doc: "The four bytes of the reference identifier, e.g. `GPS|00|` or `RATE`.",
    }],
    numbers: &[
        small("ntp.version", &[], "Version of the NTP message."),
        small(
            "ntp.mode",
            &[
                ("reserved", 0),
                ("symmetric_active", 1),
                ("symmetric_passive", 2),
                ("client", 3),
                ("server", 4),
                ("broadcast", 5),
                ("control", CONTROL as u64),
                ("private", PRIVATE as u64),
            ],
            "Mode of the NTP message.",
        ),
        small("ntp.stratum", &[], "Stratum of the sender's clock."),
    ],
    frames: &[],
    events: &["malformed_data", "unsolicited_response", "not_request", "not_response"],
    states: PerDir::new(&["request_started", "request_complete"], &["response_started", "response_complete"]),
    complete: PerDir::new(COMPLETE, COMPLETE),
    log_at: PerDir::new(COMPLETE, COMPLETE),
    record: "",
};

/// What is kept of a message; its first bytes are the same in every mode.
#[derive(Default)]
struct Message {
    version: u8,
    mode: u8,
    /// Of time messages.
    stratum: Option<u8>,
    reference_id: Option<[u8; 4]>,
}

impl Message {
    /// None: it is cut, or of another version.
    fn read(data: &[u8]) -> Option<Message> {
        let first = *data.first()?;
        let (version, mode) = (first >> 3 & 7, first & 7);
        let least = match mode {
            CONTROL => CONTROL_HEADER_LEN,
            PRIVATE => PRIVATE_HEADER_LEN,
            _ => HEADER_LEN,
        };
        if data.len() < least || !matches!(version, 3 | 4) {
            return None;
        }
        let time = least == HEADER_LEN;
        Some(Message {
            version,
            mode,
            stratum: data.get(1).copied().filter(|_| time),
            reference_id: data.get(12..).and_then(|d| d.first_chunk().copied()).filter(|_| time),
        })
    }
}

fn probe(_dir: Dir, data: &[u8]) -> Probe {
    match Message::read(data) {
        Some(_) => Probe::Yes,
        None => Probe::No,
    }
}

struct NtpParser {
    txs: Queue<NtpTx>,
}

impl Parser for NtpParser {
    fn parse(&mut self, dir: Dir, data: &[u8], _cx: &mut ParseCx) -> Outcome {
        let message = Message::read(data);
        let malformed = message.is_none();
        let tx = self.txs.push(|id| {
            let mut meta = TxMeta::new(id);
            meta.skip[dir.opposite()] = true;
            NtpTx { meta, dir, message: message.unwrap_or_default() }
        });
        if malformed {
            tx.meta.set_event(MALFORMED_DATA);
        }
        Outcome::Done // a bad datagram says nothing of the next one
    }
    answers_from_queue!();
}

struct NtpTx {
    meta: TxMeta,
    dir: Dir,
    message: Message,
}

impl Transaction for NtpTx {
    fn meta(&self) -> &TxMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut TxMeta {
        &mut self.meta
    }
    fn progress(&self, _dir: Dir) -> u8 {
        COMPLETE
    }
    fn buffer(&self, _local: usize, _index: usize, dir: Dir) -> Option<View<'_>> {
        self.message.reference_id.as_ref().filter(|_| dir == self.dir).map(|id| View::whole(id))
    }
    fn number(&self, keyword: &str, dir: Dir) -> Option<u64> {
        let message = &self.message;
        if dir != self.dir || message.version == 0 {
            return None;
        }
        match keyword {
            "ntp.version" => Some(u64::from(message.version)),
            "ntp.mode" => Some(u64::from(message.mode)),
            "ntp.stratum" => message.stratum.map(u64::from),
            _ => None,
        }
    }
    fn log(&self, _out: &mut JsonWriter, _what: LogFor) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(first: u8) -> Vec<u8> {
        let mut out = vec![first, 2, 6, 0xe9];
        out.extend([0; 8]);
        out.extend(b"RATE");
        out.resize(HEADER_LEN, 0);
        out
    }

    #[test]
    fn answers_for_its_fields() {
        let mut parser = (NTP.new)(&serde_json::Value::Null);
        let mut cx = ParseCx { datagram: true, ..ParseCx::default() };
        parser.parse(Dir::ToServer, &message(0x23), &mut cx);
        parser.parse(Dir::ToClient, &message(0x24), &mut cx);
        parser.parse(Dir::ToClient, &message(0x24)[..40], &mut cx);
        let tx = parser.tx(0).unwrap();
        assert_eq!(tx.number("ntp.mode", Dir::ToServer), Some(3));
        assert_eq!(tx.number("ntp.version", Dir::ToServer), Some(4));
        assert_eq!(tx.number("ntp.stratum", Dir::ToServer), Some(2));
        assert_eq!(tx.buffer(0, 0, Dir::ToServer).unwrap().data, b"RATE");
        assert!(tx.buffer(0, 0, Dir::ToClient).is_none());
        assert!(parser.tx(2).unwrap().meta().has_event(MALFORMED_DATA));
        assert_eq!(parser.tx(2).unwrap().number("ntp.mode", Dir::ToClient), None);
    }

    #[test]
    fn is_recognised_by_version_and_length() {
        assert_eq!(probe(Dir::ToServer, &message(0x23)), Probe::Yes);
        assert_eq!(probe(Dir::ToServer, b"\x1f\x00\x03\x2a\x00\x00\x00\x00"), Probe::Yes);
        assert_eq!(probe(Dir::ToServer, &message(0x3b)), Probe::No);
        assert_eq!(probe(Dir::ToServer, b"\x23\x02"), Probe::No);
    }
}
