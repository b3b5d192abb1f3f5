//! DNP3 through the public face: bytes in, transactions and records out.

use super::{link, Event, DNP3};
use crate::app::{LogFor, Outcome, ParseCx, Parser, Probe};
use crate::direction::Dir;
use crate::json::JsonWriter;
use serde_json::{json, Value};

/// A frame around user data (transport octet and application layer).
fn frame(control: u8, user: &[u8]) -> Vec<u8> {
    let mut bytes = vec![5, 0x64, 5 + user.len() as u8, control, 10, 0, 1, 0];
    bytes.extend_from_slice(&link::crc(&bytes).to_le_bytes());
    for block in user.chunks(16) {
        bytes.extend_from_slice(block);
        bytes.extend_from_slice(&link::crc(block).to_le_bytes());
    }
    bytes
}

fn parser() -> Box<dyn Parser> {
    (DNP3.new)(&Value::Null)
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

fn record(parser: &dyn Parser, id: u64) -> Value {
    let mut out = JsonWriter::new();
    out.open();
    parser.tx(id).unwrap().log(&mut out, LogFor::Record);
    out.close();
    serde_json::from_slice(out.as_bytes()).unwrap()
}

#[test]
fn messages_in_every_chunking() {
    // A write of the time, and an answer with two binary inputs and an analog one.
    let write = frame(0xc4, b"\xc0\xc1\x02\x32\x01\x07\x01\x01\x02\x03\x04\x05\x06");
    let answer =
        frame(0x44, b"\xc1\xe2\x81\x90\x00\x01\x02\x00\x03\x04\x81\x01\x1e\x02\x17\x01\x09\x01\xfe\xff");
    for chunk in 1..50 {
        let mut p = parser();
        feed(&mut *p, Dir::ToServer, &write, chunk);
        feed(&mut *p, Dir::ToClient, &answer, chunk);
        assert_eq!(p.tx_ids(), 0..2);
        let request = record(&*p, 0);
        assert_eq!(
            request["application"]["objects"][0]["points"],
            json!([{
            "prefix": 0, "index": 0, "timestamp": 0x0605_0403_0201u64}])
        );
        assert_eq!(request["application"]["complete"], true);
        let response = record(&*p, 1);
        assert_eq!(response["iin"], json!({"indicators": ["need_time", "device_restart"]}));
        let objects = &response["application"]["objects"];
        assert_eq!(objects[0]["points"][0]["state"], 1);
        assert_eq!(objects[0]["points"][1]["index"], 4);
        assert_eq!(objects[1]["points"][0]["prefix"], 9);
        assert_eq!(objects[1]["points"][0]["value"], -2);
        let tx = p.tx(1).unwrap();
        assert_eq!(tx.number_at("dnp3_obj", 1, Dir::ToClient), Some(30 << 8 | 2));
        assert_eq!(tx.number("dnp3_ind", Dir::ToClient), Some(0x9000));
    }
}

#[test]
fn segments_are_put_together() {
    let mut stream = frame(0xc4, b"\x40\xc1\x02\x32\x01\x07\x01");
    stream.extend_from_slice(&frame(0xc4, b"\x81\x01\x02\x03\x04\x05\x06"));
    let mut p = parser();
    feed(&mut *p, Dir::ToServer, &stream, 1000);
    assert_eq!(p.tx_ids(), 0..1);
    assert_eq!(record(&*p, 0)["application"]["complete"], true);
}

#[test]
fn oddities_are_events() {
    let event = |bytes: &[u8], event: Event| {
        let mut p = parser();
        feed(&mut *p, Dir::ToServer, bytes, 1000);
        assert!(p.tx(0).unwrap().meta().has_event(event as u8), "{event:?}");
    };
    let good = frame(0xc4, b"\xc0\xc1\x02\x32\x01\x07\x01\x01\x02\x03\x04\x05\x06");
    let changed = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    event(&changed(5), Event::BadLinkCrc);
    event(&changed(12), Event::BadTransportCrc);
    event(&frame(0xc4, b"\xc0"), Event::LenTooSmall);
    event(&frame(0xc4, b"\xc0\xc1\x02\xfa\x01\x07\x01\x00"), Event::UnknownObject);
    event(&frame(0xc4, b"\xc0\xc1\x02\x32\x01\x07\x01\x00"), Event::Malformed);
    let mut long = frame(0xc4, &[&b"\x40\xc1\x02"[..], &[0; 247]].concat());
    for n in 1..70u8 {
        long.extend_from_slice(&frame(0xc4, &[&[n & 0x3f][..], &[0; 249]].concat()));
    }
    let mut p = parser();
    feed(&mut *p, Dir::ToServer, &long, 4000);
    assert_eq!(p.tx_ids(), 0..1);
    assert!(p.tx(0).unwrap().meta().has_event(Event::TooLongReassembly as u8));
}

#[test]
fn the_direction_bit_tells_who_speaks() {
    let probe = |dir: Dir, data: &[u8]| (DNP3.recognise.probe.unwrap())(dir, data);
    let request = frame(0xc4, b"\xc0\xc1\x01");
    assert_eq!(probe(Dir::ToServer, &request), Probe::Yes);
    assert_eq!(probe(Dir::ToServer, &frame(0x44, b"\xc0\xc1\x81\0\0")), Probe::Reversed);
    assert_eq!(probe(Dir::ToServer, &request[..4]), Probe::Unsure);
    assert_eq!(probe(Dir::ToServer, b"GET "), Probe::No);
}
