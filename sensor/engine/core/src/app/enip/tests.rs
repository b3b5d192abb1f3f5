//! EtherNet/IP through the public face: bytes in, transactions and records out.

use super::{Event, ENIP};
use crate::app::{LogFor, Outcome, ParseCx, Parser, Probe};
use crate::direction::Dir;
use crate::json::JsonWriter;
use serde_json::Value;

/// A message with this command, context and data.
fn message(command: u16, context: u8, data: &[u8]) -> Vec<u8> {
    let mut bytes = command.to_le_bytes().to_vec();
    bytes.extend_from_slice(&(data.len() as u16).to_le_bytes());
    bytes.extend_from_slice(&[7, 0, 0, 0, 0, 0, 0, 0, context, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend_from_slice(data);
    bytes
}

/// SendRRData with an unconnected CIP message.
fn unconnected(context: u8, cip: &[u8]) -> Vec<u8> {
    let mut data = b"\0\0\0\0\0\0\x02\0\0\0\0\0\xb2\0".to_vec();
    data.extend_from_slice(&(cip.len() as u16).to_le_bytes());
    data.extend_from_slice(cip);
    message(0x6f, context, &data)
}

fn parser() -> Box<dyn Parser> {
    (ENIP.new)(&Value::Null)
}

fn feed(parser: &mut dyn Parser, dir: Dir, data: &[u8], chunk: usize) {
    let mut held = Vec::new();
    for piece in data.chunks(chunk) {
        held.extend_from_slice(piece);
        match parser.parse(dir, &held, &mut ParseCx::default()) {
            Outcome::Done => held.clear(),
            Outcome::NeedMore { consumed, .. } => drop(held.drain(..consumed)),
            Outcome::Broken => return,
        }
    }
}

fn record(parser: &dyn Parser, id: u64) -> Value {
    let mut out = JsonWriter::new();
    out.open();
    parser.tx(id).unwrap().log(&mut out, LogFor::Record);
    out.close();
    serde_json::from_slice(out.as_bytes()).unwrap()
}

#[test]
fn requests_meet_their_responses_in_every_chunking() {
    let identity =
        b"\x01\0\x0c\0\x24\0\x01\0\0\x02\xaf\x12\x0a\0\0\x01\0\0\0\0\0\0\0\0\x01\0\x0e\0\x5a\0\x14\x0b\
        \x60\0\x78\x56\x34\x12\x02PL\x03";
    for chunk in 1..60 {
        let mut p = parser();
        feed(
            &mut *p,
            Dir::ToServer,
            &[message(0x63, 1, b""), unconnected(2, b"\x0e\x03\x20\xf6\x24\x01\x30\x06")].concat(),
            chunk,
        );
        feed(
            &mut *p,
            Dir::ToClient,
            &[unconnected(2, b"\x8e\0\x08\x01\x34\x12"), message(0x63, 1, identity)].concat(),
            chunk,
        );
        assert_eq!(p.tx_ids(), 0..2);
        let (first, second) = (p.tx(0).unwrap(), p.tx(1).unwrap());
        let name = first.buffer(0, 0, Dir::ToClient);
        assert_eq!(name.map(|v| v.data), Some(&b"PL"[..]), "{chunk}");
        assert_eq!(first.number("enip.serial", Dir::ToClient), Some(0x1234_5678));
        assert_eq!(second.number("cip_service", Dir::ToServer), Some(0x0e << 32 | 0xf6 << 16 | 6));
        assert_eq!(second.number("enip.cip_status", Dir::ToClient), Some(8));
        assert_eq!(second.number("enip.cip_extendedstatus", Dir::ToClient), Some(0x1234));
        assert_eq!(record(&*p, 0)["response"]["identity"]["revision"], "20.11");
        assert_eq!(record(&*p, 1)["request"]["cip"]["path"][2]["value"], 6);
        assert_eq!(first.meta().events | second.meta().events, 0);
    }
}

#[test]
fn embedded_messages_are_seen() {
    let mut p = parser();
    let packet = b"\x0a\x02\x20\x02\x24\x01\x02\0\x06\0\x0c\0\x4c\x02\x20\x6b\x24\x01\x03\x02\x20\x01\x24\x01\x01\0\x07\0";
    feed(&mut *p, Dir::ToServer, &unconnected(1, packet), 1000);
    let tx = p.tx(0).unwrap();
    let all: Vec<u64> = (0..).map_while(|n| tx.number_at("cip_service", n, Dir::ToServer)).collect();
    assert_eq!(all, [0x0a << 32 | 2 << 16 | 0xffff, 0x4c << 32 | 0x6b << 16 | 0xffff, 3 << 32 | 1 << 16 | 7]);
}

#[test]
fn oddities_are_events() {
    let mut p = parser();
    feed(&mut *p, Dir::ToServer, &message(0x65, 1, b"\x01"), 100);
    assert!(p.tx(0).unwrap().meta().has_event(Event::InvalidPdu as u8));
    let mut p = (ENIP.new)(&serde_json::json!({"max-tx": 2}));
    for context in 0..4 {
        feed(&mut *p, Dir::ToServer, &message(0x63, context, b""), 100);
    }
    assert!(p.tx(0).unwrap().meta().has_event(Event::TooManyTransactions as u8));
    let probe = |data: &[u8]| (ENIP.recognise.probe.unwrap())(Dir::ToServer, data);
    assert_eq!(probe(&message(0x63, 0, b"")), Probe::Yes);
    assert_eq!(probe(&message(0x63, 0, b"")[..9]), Probe::Unsure);
    assert_eq!(probe(b"GET / HTTP/1.1\r\nHost: a.b.c\r\n"), Probe::No);
}
