//! Frames in every chunking, fragments, compression, and what is too long.

use super::*;
use std::io::Write;

fn play(parser: &mut WebSocketParser, dir: Dir, bytes: &[u8], step: usize) {
    let mut held = Vec::new();
    for chunk in bytes.chunks(step) {
        held.extend_from_slice(chunk);
        match parser.parse(dir, &held, &mut ParseCx::default()) {
            Outcome::Done => held.clear(),
            Outcome::NeedMore { consumed, .. } => drop(held.drain(..consumed)),
            Outcome::Broken => panic!("broken"),
        }
    }
}

fn payloads(parser: &WebSocketParser) -> Vec<Vec<u8>> {
    parser.tx_ids().filter_map(|id| Some(parser.txs.typed(id)?.payload.clone())).collect()
}

fn deflated(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).unwrap();
    encoder.flush().unwrap();
    let mut bytes = encoder.get_ref().clone();
    bytes.truncate(bytes.len() - 4);
    bytes
}

#[test]
fn reads_the_examples_of_the_rfc() {
    // RFC 6455 section 5.7: "Hello" masked, in two fragments with a ping between, and unmasked.
    let mut bytes = vec![0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    bytes.extend_from_slice(b"\x01\x03Hel\x89\x02hi\x80\x02lo\x81\x05Hello");
    for step in 1..bytes.len() {
        let mut parser = WebSocketParser::new(&Value::Null);
        play(&mut parser, Dir::ToServer, &bytes, step);
        let expected: [&[u8]; 5] = [b"Hello", b"Hel", b"hi", b"Hello", b"Hello"];
        assert_eq!(payloads(&parser), expected);
        let first = parser.txs.typed(0).unwrap();
        assert_eq!(first.number("websocket.mask", Dir::ToServer), Some(0x37fa_213d));
        assert_eq!(first.number("websocket.opcode", Dir::ToServer), Some(1));
        assert_eq!(first.number("websocket.flags", Dir::ToServer), Some(0x80));
        let mut out = JsonWriter::new();
        out.open();
        first.log(&mut out, LogFor::Record);
        out.close();
        assert_eq!(out.as_bytes(), b"{\"fin\":true,\"mask\":939139389,\"opcode\":\"text\"}");
    }
}

#[test]
fn compressed_messages_are_undone() {
    let text = b"over and over and over and over and over";
    let packed = deflated(text);
    let mut bytes = vec![0xc1, packed.len() as u8];
    bytes.extend_from_slice(&packed);
    let mut parser = WebSocketParser::new(&Value::Null);
    parser.upgraded(&UpgradeHead {
        response: vec![(
            b"Sec-WebSocket-Extensions".to_vec(),
            b"permessage-deflate; server_no_context_takeover".to_vec(),
        )],
        ..UpgradeHead::default()
    });
    play(&mut parser, Dir::ToClient, &[bytes.clone(), bytes].concat(), 7);
    assert_eq!(payloads(&parser), [text, text]);
}

#[test]
fn long_payloads_are_cut_and_said() {
    let mut parser = WebSocketParser::new(&serde_json::json!({"max-payload-size": 4}));
    play(&mut parser, Dir::ToClient, b"\x82\x06abcdef\x01\x03abc\x80\x03def\x81\x01x", 3);
    assert_eq!(payloads(&parser), [b"abcd".as_slice(), b"abc", b"abcd", b"x"]);
    let events: Vec<u128> =
        parser.tx_ids().filter_map(|id| Some(parser.txs.typed(id)?.meta.events)).collect();
    assert_eq!(events, [1, 0, 2, 0]);
}
