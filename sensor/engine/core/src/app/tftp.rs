//! TFTP (RFC 1350): the request to read or write a file, on UDP port 69. The transfer goes on between new ports and is not
//! followed, as in Suricata.

use super::queue::{answers_from_queue, Queue};
use super::{
    Buffer, LogFor, Outcome, ParseCx, Parser, Probe, Protocol, Recognise, Transaction, TxMeta, View,
};
use crate::direction::{Dir, PerDir};
use crate::json::JsonWriter;

const COMPLETE: u8 = 1;
const READ: u16 = 1;
const WRITE: u16 = 2;
/// The last operation code there is (RFC 2347, option acknowledgement).
const OPCODE_MAX: u16 = 6;
/// The modes of RFC 1350, in any case; a request with another is none.
const MODES: [&str; 3] = ["netascii", "octet", "mail"];
/// Requests one flow may hold: retransmissions come with seconds between them. Beyond it the oldest go.
const LIVE_TX_MAX: usize = 64;

const FILE: usize = 0;
const BUFFERS: &[Buffer] = &[Buffer {
    name: "file.name",
    aliases: &[],
    modifier: None,
    progress: PerDir::new(Some(COMPLETE), None),
    multi: true,
    streaming: false,
    doc: "The name of a file seen in a transaction.",
}];

pub static TFTP: Protocol = Protocol {
    name: "tftp",
    aliases: &[],
    tcp: false,
    udp: true,
    doc:
        "The Trivial File Transfer Protocol (RFC 1350). Each request to read or write gives one `tftp` event.",
    recognise: Recognise { patterns: &[], probe: Some(probe), tcp_ports: &[], udp_ports: &[69] },
    new: |_config| Box::new(TftpParser::new()),
    buffers: BUFFERS,
    numbers: &[],
    frames: &[],
    events: &[],
    states: PerDir::new(&["request_started", "request_complete"], &["response_started", "response_complete"]),
    complete: PerDir::new(COMPLETE, COMPLETE),
    log_at: PerDir::new(COMPLETE, COMPLETE),
    record: "tftp",
};

fn opcode(data: &[u8]) -> Option<u16> {
    let &[high, low] = data.get(..2)? else { return None };
    Some(u16::from_be_bytes([high, low]))
}

fn probe(_dir: Dir, data: &[u8]) -> Probe {
    match opcode(data) {
        Some(1..=OPCODE_MAX) if data.len() >= 4 => Probe::Yes,
        _ => Probe::No,
    }
}

struct Request {
    meta: TxMeta,
    write: bool,
    file: Vec<u8>,
    mode: Vec<u8>,
}

/// The TFTP state of one flow.
struct TftpParser {
    txs: Queue<Request>,
}

impl TftpParser {
    fn new() -> TftpParser {
        TftpParser { txs: Queue::new(LIVE_TX_MAX) }
    }

    fn request(&mut self, data: &[u8]) -> Option<()> {
        let write = match opcode(data)? {
            READ => false,
            WRITE => true,
            _ => return None,
        };
        let mut texts = data.get(2..)?.split(|b| *b == 0);
        let (file, mode) = (texts.next()?, texts.next()?);
        if file.is_empty() || !MODES.iter().any(|known| mode.eq_ignore_ascii_case(known.as_bytes())) {
            return None;
        }
        self.txs.push(|id| {
            let mut meta = TxMeta::new(id);
            meta.skip[Dir::ToClient] = true;
            Request { meta, write, file: file.to_vec(), mode: mode.to_vec() }
        });
        Some(())
    }
}

impl Parser for TftpParser {
    fn parse(&mut self, dir: Dir, data: &[u8], _cx: &mut ParseCx) -> Outcome {
        if dir == Dir::ToServer {
            // A bad datagram says nothing of the next one.
            let _ = self.request(data);
        }
        Outcome::Done
    }
    answers_from_queue!();
}

impl Transaction for Request {
    fn meta(&self) -> &TxMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut TxMeta {
        &mut self.meta
    }
    fn progress(&self, _dir: Dir) -> u8 {
        COMPLETE
    }
    fn buffer(&self, local: usize, index: usize, dir: Dir) -> Option<View<'_>> {
        (local == FILE && index == 0 && dir == Dir::ToServer).then(|| View::whole(&self.file))
    }
    fn log(&self, out: &mut JsonWriter, _what: LogFor) {
        out.str("packet", if self.write { "write" } else { "read" });
        out.bytes("file", &self.file);
        out.bytes("mode", &self.mode);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn play(dir: Dir, data: &[u8]) -> TftpParser {
        let mut parser = TftpParser::new();
        assert_eq!(
            parser.parse(dir, data, &mut ParseCx { datagram: true, ..ParseCx::default() }),
            Outcome::Done
        );
        parser
    }

    #[test]
    fn a_request_is_a_transaction() {
        let parser = play(Dir::ToServer, b"\0\x02rfc1350.txt\0OCTET\0blksize\x001428\0");
        let tx = parser.tx(0).unwrap();
        let mut out = JsonWriter::new();
        out.open();
        tx.log(&mut out, LogFor::Record);
        out.close();
        assert_eq!(out.as_bytes(), br#"{"packet":"write","file":"rfc1350.txt","mode":"OCTET"}"#);
        assert_eq!(tx.buffer(FILE, 0, Dir::ToServer).unwrap().data, b"rfc1350.txt");
    }

    #[test]
    fn what_is_no_request_is_none() {
        for data in [
            &b""[..],
            b"\0",
            b"\0\x01",
            b"\0\x01name",
            b"\0\x01name\0nomode\0",
            b"\0\x03\0\x01data",
            b"\0\x01\0octet\0",
        ] {
            assert!(play(Dir::ToServer, data).tx_ids().is_empty(), "{data:?}");
        }
        assert!(play(Dir::ToClient, b"\0\x01a\0octet\0").tx_ids().is_empty());
        assert_eq!(probe(Dir::ToServer, b"\0\x07ab"), Probe::No);
        assert_eq!(probe(Dir::ToServer, b"\0\x01ab"), Probe::Yes);
    }
}
