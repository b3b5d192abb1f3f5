//! Calls over TCP and UDP, in every chunking.

use super::*;
use crate::app::playbook::Play;
use serde_json::json;

const UUID: [u8; 16] =
    [0x81, 0xbb, 0x7a, 0x36, 0x44, 0x98, 0xf1, 0x35, 0xad, 0x32, 0x98, 0xf0, 0x38, 0, 0x10, 3];

fn unit(kind: u8, flags: u8, body: &[u8]) -> Vec<u8> {
    let mut unit = vec![5, 0, kind, flags, 0x10, 0, 0, 0];
    unit.extend_from_slice(&(HEADER_LEN as u16 + body.len() as u16).to_le_bytes());
    unit.extend_from_slice(&[0, 0, 7, 0, 0, 0]);
    unit.extend_from_slice(body);
    unit
}

fn bind() -> Vec<u8> {
    let mut body = vec![0; 8];
    body.extend_from_slice(&[1, 0, 0, 0, 0, 0, 1, 0]);
    body.extend_from_slice(&UUID);
    body.extend_from_slice(&[2, 0, 0, 0]);
    body.extend_from_slice(&[0; 20]);
    unit(pdu::BIND, 3, &body)
}

fn bind_ack() -> Vec<u8> {
    let mut body = vec![0; 8];
    body.extend_from_slice(&[4, 0, b'1', b'3', b'5', 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    body.extend_from_slice(&[0; 20]);
    unit(pdu::BIND_ACK, 3, &body)
}

fn request(flags: u8, stub: &[u8]) -> Vec<u8> {
    let mut body = vec![0, 0, 0, 0, 0, 0, 15, 0];
    body.extend_from_slice(stub);
    unit(pdu::REQUEST, flags, &body)
}

fn talk() -> Vec<(Dir, Vec<u8>)> {
    vec![
        (Dir::ToServer, bind()),
        (Dir::ToClient, bind_ack()),
        (Dir::ToServer, request(1, b"abc")),
        (Dir::ToServer, request(2, b"def")),
        (Dir::ToClient, unit(pdu::RESPONSE, 3, b"01234567xyz")),
    ]
}

#[test]
fn a_call_in_every_chunking() {
    for chunk in [1, 2, 15, 16, 17, 1000] {
        let play = Play::whole(&DCERPC, json!(null), &talk(), chunk);
        assert_eq!(play.parser.tx_ids(), 0..2, "{chunk}");
        let call = play.parser.tx(1).unwrap();
        assert_eq!(call.number("dcerpc.opnum", Dir::ToServer), Some(15));
        assert_eq!(call.buffer(0, 0, Dir::ToServer).unwrap().data, b"abcdef");
        assert_eq!(call.buffer(0, 0, Dir::ToClient).unwrap().data, b"01234567xyz");
        assert_eq!(call.little_endian(Dir::ToServer), Some(true));
        let [interface] = call.interfaces() else { panic!("{:?}", call.interfaces()) };
        assert_eq!(pdu::Text(interface.uuid).to_string(), "367abb81-9844-35f1-ad32-98f038001003");
        assert!(play.parser.tx(0).unwrap().interfaces().is_empty());
    }
}

#[test]
fn reading_goes_on_behind_a_gap() {
    let mut parser = DcerpcParser::new(&json!(null));
    let mut cx = ParseCx::default();
    parser.gap(Dir::ToServer, 100, &mut cx);
    let mut data = b"rest of something".to_vec();
    data.extend(request(3, b"abc"));
    assert_eq!(parser.parse(Dir::ToServer, &data, &mut cx), Outcome::Done);
    assert_eq!(parser.tx_ids(), 0..1);
}

#[test]
fn transactions_are_capped() {
    let mut parser = DcerpcParser::new(&json!({"max-tx": 4}));
    for _ in 0..20 {
        parser.parse(Dir::ToServer, &request(3, &[0; 100]), &mut ParseCx::default());
    }
    assert_eq!(parser.tx_ids(), 16..20);
}
