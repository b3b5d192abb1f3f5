//! Bytes in, records out.

use super::*;
use crate::app::LogFor;
use crate::json::JsonWriter;

fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut out = vec![tag, 0x82];
    out.extend_from_slice(&(content.len() as u16).to_be_bytes());
    out.extend(content);
    out
}

fn message(id: u8, operation: &[u8]) -> Vec<u8> {
    tlv(0x30, &[&[2, 1, id], operation])
}

/// LDAPResult of this operation.
fn result(id: u8, tag: u8, code: u8, text: &[u8]) -> Vec<u8> {
    message(id, &tlv(tag, &[&[10, 1, code], &tlv(4, &[b""]), &tlv(4, &[text])]))
}

/// A search below dc=x for objectClass, asking for cn and mail.
fn search(id: u8) -> Vec<u8> {
    let attributes = tlv(0x30, &[&tlv(4, &[b"cn"]), &tlv(4, &[b"mail"])]);
    let fixed = b"\x0a\x01\x02\x0a\x01\x00\x02\x01\x00\x02\x01\x05\x01\x01\x00\x87\x0bobjectClass";
    message(id, &tlv(0x63, &[&tlv(4, &[b"dc=x"]), fixed, &attributes]))
}

fn entry(id: u8) -> Vec<u8> {
    let attribute = tlv(0x30, &[&tlv(4, &[b"cn"]), &tlv(0x31, &[&tlv(4, &[b"ann"]), &tlv(4, &[b"ben"])])]);
    message(id, &tlv(0x64, &[&tlv(4, &[b"cn=ann"]), &tlv(0x30, &[&attribute])]))
}

fn records(parser: &dyn Parser) -> Vec<serde_json::Value> {
    parser
        .tx_ids()
        .filter_map(|id| parser.tx(id))
        .map(|tx| {
            let mut out = JsonWriter::new();
            out.open();
            tx.log(&mut out, LogFor::Record);
            out.close();
            serde_json::from_slice(out.as_bytes()).unwrap()
        })
        .collect()
}

fn play(chunks: &[(Dir, Vec<u8>)]) -> (LdapParser, ParseCx) {
    let mut parser = LdapParser::new(LIVE_TX_MAX);
    let mut cx = ParseCx::default();
    for (dir, data) in chunks {
        parser.parse(*dir, data, &mut cx);
    }
    (parser, cx)
}

#[test]
fn a_search_with_its_responses_is_one_transaction_in_any_chunks() {
    let answer = [entry(3), result(3, 0x65, 0, b"")].concat();
    for cut in 0..answer.len() {
        let (mut parser, mut cx) = play(&[(Dir::ToServer, search(3))]);
        let consumed = match parser.parse(Dir::ToClient, &answer[..cut], &mut cx) {
            Outcome::Done => cut,
            Outcome::NeedMore { consumed, .. } => consumed,
            Outcome::Broken => panic!("cut at {cut}"),
        };
        assert_eq!(parser.parse(Dir::ToClient, &answer[consumed..], &mut cx), Outcome::Done);
        let expected = serde_json::json!([{
            "request": {
                "message_id": 3, "operation": "search_request",
                "search_request": {
                    "base_object": "dc=x", "scope": 2, "deref_alias": 0, "size_limit": 0, "time_limit": 5,
                    "types_only": false, "filter": {"type": "present", "value": "objectClass"},
                    "attributes": ["cn", "mail"],
                },
            },
            "responses": [
                {"message_id": 3, "operation": "search_result_entry", "search_result_entry": {
                    "base_object": "cn=ann", "attributes": [{"type": "cn", "values": ["ann", "ben"]}]}},
                {"message_id": 3, "operation": "search_result_done", "search_result_done": {
                    "result_code": "success", "matched_dn": "", "message": ""}},
            ],
        }]);
        assert_eq!(serde_json::Value::from(records(&parser)), expected);
        let tx = parser.tx(0).unwrap();
        assert_eq!(tx.progress(Dir::ToClient), COMPLETE);
        assert_eq!(tx.number("ldap.responses.count", Dir::ToClient), Some(2));
        assert_eq!(tx.number("ldap.request.operation", Dir::ToServer), Some(3));
        assert_eq!(tx.number_at("ldap.responses.operation", 1, Dir::ToClient), Some(5));
        assert_eq!(tx.number_at("ldap.responses.result_code", 0, Dir::ToClient), Some(NO_NUMBER));
        let text = |local, index, dir| tx.buffer(local, index, dir).map(|v| v.data.to_vec());
        assert_eq!(text(0, 0, Dir::ToServer).unwrap(), b"dc=x");
        assert_eq!(text(1, 1, Dir::ToServer).unwrap(), b"mail");
        assert_eq!(text(3, 1, Dir::ToClient).unwrap(), b"");
        assert_eq!(text(5, 0, Dir::ToClient).unwrap(), b"cn");
        assert_eq!(text(6, 1, Dir::ToClient).unwrap(), b"cn=ben");
        assert_eq!(text(6, 2, Dir::ToClient), None);
    }
}

#[test]
fn start_tls_asks_for_tls_only_when_granted() {
    let request = message(1, &tlv(0x77, &[&tlv(0x80, &[START_TLS])]));
    let (_, cx) = play(&[(Dir::ToServer, request.clone()), (Dir::ToClient, result(1, 0x78, 0, b""))]);
    assert_eq!(cx.upgrade, Some("tls"));
    let (_, cx) = play(&[(Dir::ToServer, request), (Dir::ToClient, result(1, 0x78, 2, b"no"))]);
    assert_eq!(cx.upgrade, None);
}

#[test]
fn oddities_are_events() {
    let has = |chunks: &[(Dir, Vec<u8>)], event: Event| {
        let (parser, _) = play(chunks);
        parser.tx_ids().filter_map(|id| parser.tx(id)).any(|tx| tx.meta().has_event(event as u8))
    };
    assert!(has(&[(Dir::ToClient, result(9, 0x61, 0, b""))], Event::RequestNotFound));
    assert!(!has(&[(Dir::ToClient, result(0, 0x78, 52, b"bye"))], Event::RequestNotFound));
    assert!(has(&[(Dir::ToServer, b"\x30\x05\x02\x01\x01\x7f\x00".to_vec())], Event::InvalidData));
    assert!(has(&[(Dir::ToServer, b"GET / HTTP/1.1\r\n".to_vec())], Event::InvalidData));
    let many: Vec<_> = (0..=LIVE_TX_MAX).map(|_| (Dir::ToServer, search(1))).collect();
    assert!(has(&many, Event::TooManyTransactions));
    let mut flood = vec![(Dir::ToServer, search(1))];
    flood.extend((0..4000).map(|_| (Dir::ToClient, entry(1))));
    assert!(has(&flood, Event::TooManyResponses));
}

#[test]
fn a_message_too_large_is_stepped_over() {
    let mut large = vec![0x30, 0x83, 0x01, 0x00, 0x00, 2, 1, 3, 0x64, 0x83, 0x00, 0xff, 0xf8];
    large.resize(65_536 + 5, 0);
    let (mut parser, mut cx) = play(&[(Dir::ToServer, search(3))]);
    for chunk in large.chunks(1000) {
        assert_eq!(parser.parse(Dir::ToClient, chunk, &mut cx), Outcome::Done);
    }
    parser.parse(Dir::ToClient, &result(3, 0x65, 0, b""), &mut cx);
    assert_eq!(records(&parser)[0]["responses"][0]["operation"], "search_result_done");
}

#[test]
fn is_recognised_by_its_first_fields() {
    assert_eq!(probe(Dir::ToServer, &search(1)), Probe::Yes);
    assert_eq!(probe(Dir::ToServer, &result(1, 0x61, 0, b"")), Probe::Reversed);
    assert_eq!(probe(Dir::ToServer, &search(1)[..6]), Probe::Unsure);
    assert_eq!(probe(Dir::ToServer, b"\x30\x03\x02\x01\x07\x02\x00"), Probe::No);
}
