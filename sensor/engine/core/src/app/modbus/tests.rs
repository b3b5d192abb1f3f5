//! Modbus through the public face: bytes in, transactions and records out.

use super::{Event, MODBUS};
use crate::app::{LogFor, Outcome, ParseCx, Parser, Probe};
use crate::direction::Dir;
use crate::json::JsonWriter;
use serde_json::Value;

fn message(transaction: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = transaction.to_be_bytes().to_vec();
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend_from_slice(&(body.len() as u16 + 1).to_be_bytes());
    bytes.push(10);
    bytes.extend_from_slice(body);
    bytes
}

fn feed(parser: &mut dyn Parser, dir: Dir, data: &[u8], chunk: usize) -> Outcome {
    let mut held = Vec::new();
    for piece in data.chunks(chunk) {
        held.extend_from_slice(piece);
        match parser.parse(dir, &held, &mut ParseCx::default()) {
            Outcome::Done => held.clear(),
            Outcome::NeedMore { consumed, .. } => drop(held.drain(..consumed)),
            Outcome::Broken => return Outcome::Broken,
        }
    }
    Outcome::Done
}

fn parser() -> Box<dyn Parser> {
    (MODBUS.new)(&Value::Null)
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
    let requests = [
        message(1, b"\x03\x00\x05\x00\x02"),
        message(2, b"\x10\x00\x20\x00\x02\x04\x00\x01\x00\x02"),
        message(3, b"\x08\x00\x04\x00\x00"),
    ];
    let responses = [
        message(2, b"\x10\x00\x20\x00\x02"),
        message(1, b"\x03\x04\x00\x09\x00\x18"),
        message(3, b"\x88\x0b"),
    ];
    for chunk in 1..40 {
        let mut p = parser();
        feed(&mut *p, Dir::ToServer, &requests.concat(), chunk);
        feed(&mut *p, Dir::ToClient, &responses.concat(), chunk);
        assert_eq!(p.tx_ids(), 0..3);
        for id in 0..3 {
            assert_eq!(p.tx(id).unwrap().meta().events, 0, "{id}");
        }
        let read = record(&*p, 0);
        assert_eq!(read["request"]["access_type"], "READ | HOLDING");
        assert_eq!(read["response"]["read"]["data"], "\0\t\0\u{18}");
        let write = record(&*p, 1);
        assert_eq!(write["request"]["access_type"], "WRITE | HOLDING | MULTIPLE | WRITE_MULTIPLE");
        assert_eq!(write["response"]["write"]["data"], 2);
        let tx = p.tx(1).unwrap();
        assert_eq!(tx.number_at("modbus.written", 0x21, Dir::ToServer), Some(2));
        assert_eq!(tx.number_at("modbus.written", 0x22, Dir::ToServer), None);
        assert_eq!(record(&*p, 2)["response"]["exception"]["code"], "GatewayTargetFailToResp");
    }
}

#[test]
fn oddities_are_events() {
    let event = |dir: Dir, bytes: &[u8], event: Event| {
        let mut p = parser();
        feed(&mut *p, dir, bytes, 1000);
        assert!(p.tx(0).unwrap().meta().has_event(event as u8), "{event:?}");
    };
    event(Dir::ToClient, &message(1, b"\x03\x02\x00\x09"), Event::UnsolicitedResponse);
    event(Dir::ToClient, &message(1, b"\x83\x09"), Event::InvalidExceptionCode);
    event(Dir::ToServer, &message(1, b"\x03\x00"), Event::InvalidLength);
    event(Dir::ToServer, b"\0\x01\0\0\0\x01\x0a", Event::InvalidLength);
    event(Dir::ToServer, &message(1, b"\x05\x00\x01\x12\x34"), Event::InvalidValue);
    event(Dir::ToServer, &message(1, b"\x00"), Event::InvalidFunctionCode);
    event(Dir::ToServer, b"\0\x01\0\x07\0\x02\x0a\x07", Event::InvalidProtocolId);
    let mut p = parser();
    feed(&mut *p, Dir::ToServer, &message(1, b"\x06\x00\x05\x00\x02"), 100);
    feed(&mut *p, Dir::ToClient, &message(1, b"\x06\x00\x05\x00\x03"), 100);
    assert!(p.tx(0).unwrap().meta().has_event(Event::ValueMismatch as u8));
    let mut p = (MODBUS.new)(&serde_json::json!({"max-tx": 2}));
    for n in 0..3 {
        feed(&mut *p, Dir::ToServer, &message(n, b"\x07"), 100);
    }
    assert!(p.tx(2).unwrap().meta().has_event(Event::Flooded as u8));
}

#[test]
fn headers_are_recognised() {
    let probe = |data: &[u8]| (MODBUS.recognise.probe.unwrap())(Dir::ToServer, data);
    assert_eq!(probe(&message(1, b"\x07")), Probe::Yes);
    assert_eq!(probe(&message(1, b"\x07")[..5]), Probe::Unsure);
    assert_eq!(probe(b"GET / HTTP"), Probe::No);
}
