//! QUIC through the public face: datagrams in, transactions and records out.

use super::{Event, QUIC};
use crate::app::{LogFor, Outcome, ParseCx, Parser, Probe};
use crate::direction::Dir;
use crate::json::JsonWriter;
use serde_json::Value;

fn parser() -> Box<dyn Parser> {
    (QUIC.new)(&Value::Null)
}

fn feed(parser: &mut dyn Parser, dir: Dir, data: &[u8]) -> Outcome {
    parser.parse(dir, data, &mut ParseCx { datagram: true, ..ParseCx::default() })
}

fn record(parser: &dyn Parser, id: u64) -> Value {
    let mut out = JsonWriter::new();
    out.open();
    parser.tx(id).unwrap().log(&mut out, LogFor::Record);
    out.close();
    serde_json::from_slice(out.as_bytes()).unwrap()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter_map(|b| char::from(b).to_digit(16)).map(|d| d as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// The server's Initial of RFC 9001 appendix A.3; its keys follow from the client's connection id 8394c8f03e515708.
const SERVER_INITIAL: &str = "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780bb3
    8cc5a99f5ede4cf73c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84022f8ef4cdd93795d77d06ed
    bb7aaf2f58891850abbdca3d20398c276456cbc42158407dd074ee";

/// An Initial of a client with that connection id, which these keys do not fit.
fn client_initial(payload: &[u8]) -> Vec<u8> {
    let mut packet = bytes("c300000001088394c8f03e5157080000");
    packet.push(0x40 | (payload.len() >> 8) as u8);
    packet.push(payload.len() as u8);
    packet.extend_from_slice(payload);
    packet
}

#[test]
fn a_published_packet_is_opened() {
    let mut p = parser();
    // The client's packet gives the keys, though it cannot be opened itself.
    assert_eq!(feed(&mut *p, Dir::ToServer, &client_initial(&[0; 64])), Outcome::Broken);
    assert!(p.tx(0).unwrap().meta().has_event(Event::FailedDecrypt as u8));
    assert_eq!(feed(&mut *p, Dir::ToClient, &bytes(SERVER_INITIAL)), Outcome::Done);
    let found = record(&*p, 1);
    assert_eq!(found["version"], "1");
    assert_eq!(found["ja3s"]["string"], "771,4865,51-43");
    assert_eq!(found["extensions"][1]["values"][0], "Tls13");
}

#[test]
fn no_cut_or_changed_packet_does_harm() {
    let whole = bytes(SERVER_INITIAL);
    for at in 0..whole.len() {
        let mut p = parser();
        feed(&mut *p, Dir::ToServer, &client_initial(&[0; 64]));
        feed(&mut *p, Dir::ToClient, &whole[..at]);
        let mut p = parser();
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        feed(&mut *p, Dir::ToServer, &client_initial(&[0; 64]));
        feed(&mut *p, Dir::ToClient, &changed);
    }
}

#[test]
fn google_hellos_have_a_cyu() {
    let mut packet = b"\xc3Q046\x50\x01\x02\x03\x04\x05\x06\x07\x08\0\0\0\x01".to_vec();
    packet.extend_from_slice(&[9; 12]);
    packet.extend_from_slice(b"\xa0\x01\x00\x20CHLO\x02\x00\0\0SNI\0\x05\0\0\0UAID\x08\0\0\0a.exaA/1");
    packet.extend_from_slice(&[0; 30]);
    let mut p = parser();
    assert_eq!(feed(&mut *p, Dir::ToServer, &packet), Outcome::Done);
    let found = record(&*p, 0);
    assert_eq!((&found["version"], &found["sni"]), (&"Q046".into(), &"a.exa".into()));
    assert_eq!((&found["ua"], &found["cyu"][0]["string"]), (&"A/1".into(), &"46,SNI-UAID".into()));
    let tx = p.tx(0).unwrap();
    assert_eq!(tx.buffer(super::tx::buffer::VERSION, 0, Dir::ToServer).unwrap().data, b"Q046");
}

#[test]
fn google_hellos_behind_a_public_header_are_read() {
    let hello = b"\xa0\x01\x00\x20CHLO\x02\x00\0\0SNI\0\x05\0\0\0UAID\x08\0\0\0a.exaA/1";
    // A connection id or none, numbers of one byte and of six.
    for (front, cyu) in [
        (&b"\x0d\x01\x02\x03\x04\x05\x06\x07\x08Q043\x01"[..], Some("43,SNI-UAID")),
        (&b"\x31Q039\0\0\0\0\0\x01"[..], None),
    ] {
        let packet = [front, &[9; 12], hello, &[0; 30]].concat();
        let mut p = parser();
        assert_eq!(feed(&mut *p, Dir::ToServer, &packet), Outcome::Done);
        let found = record(&*p, 0);
        assert_eq!(
            found["version"].as_str().map(str::as_bytes),
            front.windows(4).find(|v| v.starts_with(b"Q0"))
        );
        assert_eq!((&found["sni"], &found["ua"]), (&"a.exa".into(), &"A/1".into()));
        assert_eq!(found["cyu"][0]["string"].as_str(), cyu);
        // An answer names no version, and a packet of another protocol none of these.
        for other in [&b"\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x01"[..], b"\x21\0\xd7\x55\x96\x70\xbd\x1b\xe5"]
        {
            assert_eq!(feed(&mut *p, Dir::ToClient, &[other, &[9; 40]].concat()), Outcome::Done);
        }
        assert!(p.tx(1).is_none());
    }
}

#[test]
fn headers_are_recognised() {
    let probe = |data: &[u8]| (QUIC.recognise.probe.unwrap())(Dir::ToServer, data);
    assert_eq!(probe(&client_initial(&[0; 64])), Probe::Yes);
    assert_eq!(probe(&client_initial(&[0; 64])[..40]), Probe::No);
    assert_eq!(probe(b"\x80"), Probe::No);
}

#[test]
fn a_negotiation_of_versions_is_logged() {
    let mut p = parser();
    assert_eq!(feed(&mut *p, Dir::ToClient, b"\x80\0\0\0\0\0\0\0\0\0\x01"), Outcome::Done);
    assert_eq!(record(&*p, 0)["version"], "0");
}
