//! MQTT through the public face: bytes in, transactions and records out.

use super::{Event, MQTT};
use crate::app::{LogFor, Outcome, ParseCx, Parser};
use crate::direction::Dir;
use crate::json::JsonWriter;
use serde_json::{json, Value};

const CONNECT: &[u8] = b"\x10\x19\x00\x04MQTT\x05\xc2\x00\x3c\x03\x21\x00\x14\x00\x01c\x00\x01u\x00\x03pwd";
const CONNACK: &[u8] = b"\x20\x06\x00\x00\x03\x22\x00\x0a";
const SUBSCRIBE: &[u8] = b"\x82\x0c\x00\x07\x00\x00\x02ab\x01\x00\x01c\x02";
const SUBACK: &[u8] = b"\x90\x05\x00\x07\x00\x01\x02";
const PUBLISH: &[u8] = b"\x32\x0a\x00\x01t\x00\x09\x00body";
const PUBACK: &[u8] = b"\x40\x02\x00\x09";

fn parser(config: Value) -> Box<dyn Parser> {
    (MQTT.new)(&config)
}

fn record(parser: &dyn Parser, id: u64) -> Value {
    let mut out = JsonWriter::new();
    out.open();
    parser.tx(id).unwrap().log(&mut out, LogFor::Record);
    out.close();
    serde_json::from_slice(out.as_bytes()).unwrap()
}

/// Feeds `data` in pieces of `chunk` bytes, as the driver would.
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

#[test]
fn a_session_in_every_chunking() {
    for chunk in 1..40 {
        let mut p = parser(Value::Null);
        feed(&mut *p, Dir::ToServer, CONNECT, chunk);
        assert_eq!(p.tx(0).unwrap().progress(Dir::ToServer), 0);
        feed(&mut *p, Dir::ToClient, CONNACK, chunk);
        feed(&mut *p, Dir::ToServer, SUBSCRIBE, chunk);
        feed(&mut *p, Dir::ToClient, SUBACK, chunk);
        feed(&mut *p, Dir::ToServer, PUBLISH, chunk);
        feed(&mut *p, Dir::ToClient, PUBACK, chunk);
        assert_eq!(p.tx_ids(), 0..3);
        for id in 0..3 {
            let tx = p.tx(id).unwrap();
            assert_eq!((tx.progress(Dir::ToServer), tx.meta().events), (1, 0), "{id}");
        }
        let connect = record(&*p, 0);
        assert_eq!(connect["connect"]["password"], "pwd");
        assert_eq!(connect["connect"]["flags"]["clean_session"], true);
        assert_eq!(connect["connack"]["properties"], json!({"topic_alias_maximum": 10}));
        let subscribe = record(&*p, 1);
        assert_eq!(
            subscribe["subscribe"]["topics"],
            json!([{"topic": "ab", "qos": 1}, {"topic": "c", "qos": 2}])
        );
        assert_eq!(subscribe["suback"]["qos_granted"], json!([1, 2]));
        assert_eq!(record(&*p, 2)["publish"]["message"], "body");
        assert_eq!(record(&*p, 2)["puback"]["message_id"], 9);
    }
}

#[test]
fn numbers_and_topics_are_there_for_rules() {
    let mut p = parser(json!({"subscribe-topic-match-limit": 1}));
    feed(&mut *p, Dir::ToServer, &[CONNECT, SUBSCRIBE].concat(), 100);
    let (connect, subscribe) = (p.tx(0).unwrap(), p.tx(1).unwrap());
    assert_eq!(connect.number("mqtt.connect.flags", Dir::ToServer), Some(0xc2));
    assert_eq!(connect.number("mqtt.protocol_version", Dir::ToServer), Some(5));
    let topic = super::tx::buffer::SUBSCRIBE_TOPIC;
    assert_eq!(subscribe.buffer(topic, 0, Dir::ToServer).unwrap().data, b"ab");
    assert!(subscribe.buffer(topic, 1, Dir::ToServer).is_none());
}

#[test]
fn oddities_are_events() {
    let event = |bytes: &[u8], event: Event| {
        let mut p = parser(Value::Null);
        feed(&mut *p, Dir::ToServer, bytes, 1000);
        assert!(p.tx(0).unwrap().meta().has_event(event as u8), "{event:?}");
    };
    event(CONNACK, Event::MissingConnect);
    event(PUBACK, Event::MissingPublish);
    event(SUBACK, Event::MissingSubscribe);
    event(b"\xb0\x02\x00\x01", Event::MissingUnsubscribe);
    event(b"\x36\x05\x00\x01t\x00\x09", Event::InvalidQosLevel);
    event(PUBLISH, Event::UnintroducedMessage);
    event(b"\x00\x00", Event::UnassignedMsgType);
    event(b"\x10\xff\xff\xff\xff\x01", Event::MalformedTraffic);
    event(b"\x10\x02\x00\x04", Event::MalformedTraffic);
}

#[test]
fn long_messages_are_gathered_or_skipped() {
    let mut publish = b"\x30\x83\x80\x08\x00\x01t".to_vec(); // 131,075 bytes behind the header
    publish.resize(4 + 131_075, b'x');
    publish.extend_from_slice(b"\xc0\x00");
    for chunk in [1460, 1 << 20] {
        let mut p = parser(Value::Null);
        assert_eq!(feed(&mut *p, Dir::ToServer, &publish, chunk), Outcome::Done);
        assert_eq!(p.tx_ids(), 0..2);
        let view = p.tx(0).unwrap().buffer(super::tx::buffer::PUBLISH_MESSAGE, 0, Dir::ToServer).unwrap();
        assert_eq!(view.data.len(), 131_072);
        let mut p = parser(json!({"max-msg-length": "64kb", "log": {"string-log-limit": 10}}));
        assert_eq!(feed(&mut *p, Dir::ToServer, &publish, chunk), Outcome::Done);
        assert_eq!(p.tx_ids(), 0..2);
        assert_eq!(record(&*p, 0)["publish"]["skipped_length"], 131_079);
    }
}

#[test]
fn unanswered_requests_are_given_up_in_order() {
    let mut p = parser(json!({"max-tx": 2}));
    for id in 0..4u8 {
        feed(&mut *p, Dir::ToServer, &[0x32, 5, 0, 1, b't', 0, id], 100);
    }
    let open: Vec<u8> = (0..4).map(|id| p.tx(id).map_or(9, |tx| tx.progress(Dir::ToServer))).collect();
    assert_eq!(open, [1, 1, 0, 0]);
    assert!(p.tx(0).unwrap().meta().has_event(Event::TooManyTransactions as u8));
}

#[test]
fn what_is_logged_has_limits() {
    let mut p = parser(json!({"log": {"string-log-limit": 3, "passwords": false}}));
    feed(
        &mut *p,
        Dir::ToServer,
        &[CONNECT, b"\x82\x0f\x00\x07\x00\x00\x02ab\x01\x00\x04cdef\x02"].concat(),
        100,
    );
    assert_eq!(record(&*p, 0)["connect"].get("password"), None);
    assert_eq!(record(&*p, 1)["subscribe"]["topics"][1]["topic"], "c[truncated 3 additional bytes]");
}
