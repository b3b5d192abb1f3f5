//! Whole connections through the public face: bytes in, transactions, buffers and records out, in every chunking.

use super::frame::{flag, kind};
use super::parser::{Http2Parser, PREFACE};
use super::tx::progress;
use super::*;
use crate::app::file::FileState;
use crate::app::{LogFor, Outcome, ParseCx, UpgradeHead};
use crate::json::JsonWriter;
use serde_json::json;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend_from_slice(payload);
    out
}

fn fields(list: &[(&str, &str)]) -> Vec<u8> {
    let text = |s: &str| [&[s.len() as u8], s.as_bytes()].concat();
    list.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

fn parser(config: Value) -> Http2Parser {
    Http2Parser::new(Config::from_value(&config))
}

/// Gives bytes in pieces of `step`; answers whether the parser asked for another name.
fn play(parser: &mut Http2Parser, dir: Dir, bytes: &[u8], step: usize) -> Option<&'static str> {
    let mut held = Vec::new();
    let mut renamed = None;
    for chunk in bytes.chunks(step) {
        held.extend_from_slice(chunk);
        let mut cx = ParseCx::default();
        match parser.parse(dir, &held, &mut cx) {
            Outcome::Done => held.clear(),
            Outcome::NeedMore { consumed, .. } => drop(held.drain(..consumed)),
            Outcome::Broken => panic!("broken"),
        }
        renamed = renamed.or(cx.rename);
    }
    renamed
}

fn record(parser: &Http2Parser, id: u64) -> Value {
    let mut out = JsonWriter::new();
    out.open();
    parser.tx(id).unwrap().log(&mut out, LogFor::Record);
    out.close();
    serde_json::from_slice(out.as_bytes()).unwrap()
}

fn buffer(parser: &Http2Parser, id: u64, name: &str, dir: Dir) -> Option<Vec<u8>> {
    let local = DOH2.buffers.iter().position(|b| b.name == name).unwrap();
    parser.tx(id).unwrap().buffer(local, 0, dir).map(|view| view.data.to_vec())
}

const REQUEST: &[(&str, &str)] = &[
    (":method", "GET"),
    (":authority", "User@Example.com:8080"),
    (":path", "/a?b=c"),
    ("user-agent", "test"),
    ("cookie", "a=1"),
    ("cookie", "b=2"),
];

fn client() -> Vec<u8> {
    let mut bytes = PREFACE.to_vec();
    bytes.extend(frame(kind::SETTINGS, 0, 0, &[0, 1, 0, 0, 16, 0, 0, 9, 0, 0, 0, 7]));
    let block = fields(REQUEST);
    let (first, rest) = block.split_at(20);
    let mut head = vec![2, 0, 0, 0, 0, 200];
    head.extend_from_slice(first);
    head.extend([0, 0]);
    bytes.extend(frame(kind::HEADERS, flag::PADDED | flag::PRIORITY | flag::END_STREAM, 1, &head));
    bytes.extend(frame(kind::CONTINUATION, flag::END_HEADERS, 1, rest));
    bytes.extend(frame(kind::WINDOW_UPDATE, 0, 1, &77u32.to_be_bytes()));
    bytes
}

fn server() -> Vec<u8> {
    let mut bytes = frame(kind::SETTINGS, flag::ACK, 0, &[]);
    let head = fields(&[(":status", "200"), ("content-length", "10"), ("content-encoding", "br")]);
    bytes.extend(frame(kind::HEADERS, flag::END_HEADERS, 1, &head));
    bytes.extend(frame(kind::DATA, 0, 1, b"\x0b\x09\x80hello, "));
    bytes.extend(frame(kind::DATA, flag::PADDED | flag::END_STREAM, 1, b"\x03hello, hello\x03\0\0\0"));
    bytes.extend(frame(kind::GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 11]));
    bytes
}

#[test]
fn a_stream_is_a_transaction_in_every_chunking() {
    for step in [1, 2, 3, 7, 16, 50, 1000] {
        let mut parser = parser(Value::Null);
        play(&mut parser, Dir::ToServer, &client(), step);
        play(&mut parser, Dir::ToClient, &server(), step);
        assert_eq!(parser.tx_ids(), 0..3, "step {step}");
        assert_eq!(
            record(&parser, 0),
            json!({"version": "2", "http2": {"stream_id": 0, "request": {"settings": [
                {"settings_id": "SETTINGSHEADERTABLESIZE", "settings_value": 4096},
                {"settings_id": "SETTINGSUNKNOWN(9)", "settings_value": 7}]}, "response": {}}})
        );
        let stream = record(&parser, 1);
        assert_eq!(stream["http_method"], "GET");
        assert_eq!(stream["url"], "/a?b=c");
        assert_eq!((stream["status"].clone(), stream["length"].clone()), (json!(200), json!(10)));
        assert_eq!(stream["request_headers"][3], json!({"name": "user-agent", "value": "test"}));
        assert_eq!(stream["http2"], json!({"stream_id": 1, "request": {"priority": 200}, "response": {}}));
        assert_eq!(record(&parser, 2)["http2"]["response"]["error_code"], "ENHANCEYOURCALM");
        let tx = parser.tx(1).unwrap();
        assert_eq!(tx.progress(Dir::ToServer), progress::COMPLETE);
        assert!(tx.meta().has_event(Event::UserinfoInUri as u8));
        assert_eq!(tx.number_at("http2.window", 0, Dir::ToServer), Some(77));
        let kinds: Vec<u64> =
            (0..9).map_while(|at| tx.number_at("http2.frametype", at, Dir::ToServer)).collect();
        assert_eq!(kinds, [1, 8, 9]);
        assert_eq!(
            (tx.files(Dir::ToClient)[0].size, tx.files(Dir::ToClient)[0].state),
            (19, FileState::Closed)
        );
        for (name, dir, value) in [
            ("http.uri", Dir::ToServer, "/a?b=c"),
            ("http.host", Dir::ToServer, "example.com"),
            ("http.host.raw", Dir::ToServer, "User@Example.com:8080"),
            ("http.cookie", Dir::ToServer, "a=1; b=2"),
            ("http.request_line", Dir::ToServer, "GET /a?b=c HTTP/2\r\n"),
            ("http.response_line", Dir::ToClient, "HTTP/2 200\r\n"),
            ("http.stat_msg", Dir::ToClient, ""),
            ("http.request_header", Dir::ToServer, ":method: GET"),
            ("http2.header", Dir::ToServer, "::method: GET"),
            ("file.data", Dir::ToClient, "hello, hello, hello"),
            ("file.name", Dir::ToServer, ""),
        ] {
            let found = buffer(&parser, 1, name, dir).unwrap_or_default();
            assert_eq!(String::from_utf8_lossy(&found), value, "{name}");
        }
    }
}

#[test]
fn an_http1_request_becomes_stream_one() {
    let mut parser = parser(Value::Null);
    parser.upgraded(&UpgradeHead {
        method: b"GET".to_vec(),
        uri: b"/up".to_vec(),
        request: vec![
            (b"Host".to_vec(), b"example.com".to_vec()),
            (b"HTTP2-Settings".to_vec(), b"AAMAAABk".to_vec()),
        ],
        response: vec![],
    });
    play(&mut parser, Dir::ToClient, &server(), 9);
    let stream = record(&parser, 0);
    assert_eq!(stream["url"], "/up");
    assert_eq!(stream["request_headers"][2], json!({"name": ":authority", "value": "example.com"}));
    assert_eq!(stream["status"], 200);
    assert_eq!(record(&parser, 1)["http2"]["request"]["settings"][0]["settings_value"], 100);
}

#[test]
fn dns_over_it_is_renamed_and_read() {
    let mut parser = parser(Value::Null);
    let mut bytes = PREFACE.to_vec();
    let question = "/dns-query?dns=AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB";
    let head = fields(&[(":method", "GET"), (":path", question), ("accept", "application/dns-message")]);
    bytes.extend(frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 1, &head));
    assert_eq!(play(&mut parser, Dir::ToServer, &bytes, 11), Some("doh2"));
    assert_eq!(buffer(&parser, 0, "dns.query", Dir::ToServer).unwrap(), b"www.example.com");
    assert_eq!(parser.tx(0).unwrap().more_records(), ["dns"]);
}

#[test]
fn what_is_wrong_is_said() {
    let mut parser = parser(json!({"max-streams": 4, "max-reassembly-size": 64}));
    let mut bytes = b"NOT THE PREFACE".to_vec();
    bytes.clear();
    bytes.extend(frame(kind::WINDOW_UPDATE, 0, 0, b"abc"));
    bytes.extend(frame(kind::DATA, 0, 0, b"x"));
    bytes.extend(frame(kind::HEADERS, flag::END_HEADERS | flag::PADDED, 3, b"\xff"));
    bytes.extend(frame(kind::HEADERS, 0, 5, b"\x82"));
    bytes.extend(frame(kind::CONTINUATION, flag::END_HEADERS, 5, &[0x82; 80]));
    play(&mut parser, Dir::ToServer, &bytes, 5);
    let events = |id: u64| parser.tx(id).unwrap().meta().events;
    let bit = |event: Event| 1u128 << event as u8;
    assert_eq!(events(0), bit(Event::InvalidClientMagic));
    assert_eq!(events(1), bit(Event::InvalidFrameLength));
    assert_eq!(events(2), bit(Event::DataStreamZero));
    assert_eq!(events(3), bit(Event::InvalidFrameData));
    assert_eq!(events(4), bit(Event::TooManyStreams) | bit(Event::ReassemblyLimitReached));
}

#[test]
fn transactions_of_a_connection_are_bounded() {
    let mut parser = parser(json!({"max-streams": 16}));
    let ping = frame(kind::PING, 0, 0, &[0; 8]);
    play(&mut parser, Dir::ToServer, &[PREFACE.to_vec(), ping.repeat(1000)].concat(), 500);
    assert!(parser.tx_ids().end - parser.tx_ids().start <= 32);
    assert_eq!(parser.tx_ids().end, 1000);
}

#[test]
fn a_gap_inside_a_body_is_bridged() {
    let mut parser = parser(Value::Null);
    play(&mut parser, Dir::ToServer, &client(), 100);
    let head = fields(&[(":status", "200")]);
    play(&mut parser, Dir::ToClient, &frame(kind::HEADERS, flag::END_HEADERS, 1, &head), 100);
    let data = frame(kind::DATA, flag::END_STREAM, 1, &[b'a'; 100]);
    play(&mut parser, Dir::ToClient, &data[..50], 50);
    assert_eq!(parser.gap(Dir::ToClient, 40, &mut ParseCx::default()), Outcome::Done);
    play(&mut parser, Dir::ToClient, &data[90..], 50);
    let file = &parser.tx(1).unwrap().files(Dir::ToClient)[0];
    assert_eq!((file.size, file.gaps, file.state), (100, true, FileState::Truncated));
}
