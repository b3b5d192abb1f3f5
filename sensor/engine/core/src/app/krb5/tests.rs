//! Bytes in, records out.

use super::*;

/// An AS-REQ of `testuser` in `DEMO.LOCAL` for `krbtgt/DEMO.LOCAL`.
fn request() -> Vec<u8> {
    let name = |kind: u8, parts: &[&str]| {
        let parts: Vec<u8> = parts.iter().flat_map(|p| tlv(0x1b, &[p.as_bytes()])).collect();
        tlv(0x30, &[&tlv(0xa0, &[&[2, 1, kind]]), &tlv(0xa1, &[&tlv(0x30, &[&parts])])])
    };
    let body = tlv(
        0x30,
        &[
            &tlv(0xa0, &[b"\x03\x05\x00\x40\x81\x00\x10"]),
            &tlv(0xa1, &[&name(1, &["testuser"])]),
            &tlv(0xa2, &[&tlv(0x1b, &[b"DEMO.LOCAL"])]),
            &tlv(0xa3, &[&name(2, &["krbtgt", "DEMO.LOCAL"])]),
        ],
    );
    let fields = [&tlv(0xa1, &[b"\x02\x01\x05"])[..], &tlv(0xa2, &[b"\x02\x01\x0a"]), &tlv(0xa4, &[&body])];
    tlv(0x6a, &[&tlv(0x30, &fields)])
}

fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut out = vec![tag, 0x82];
    out.extend_from_slice(&(content.len() as u16).to_be_bytes());
    out.extend(content);
    out
}

/// A KRB-ERROR 25 for `krbtgt`.
fn error() -> Vec<u8> {
    let sname = tlv(0x30, &[b"\xa0\x03\x02\x01\x02", &tlv(0xa1, &[&tlv(0x30, &[&tlv(0x1b, &[b"krbtgt"])])])]);
    let fields = [
        &b"\xa0\x03\x02\x01\x05\xa1\x03\x02\x01\x1e\xa4\x02\x18\x00\xa5\x03\x02\x01\x00\xa6\x03\x02\x01\x19"
            [..],
        &tlv(0xa9, &[&tlv(0x1b, &[b"DEMO.LOCAL"])]),
        &tlv(0xaa, &[&sname]),
    ];
    tlv(0x7e, &[&tlv(0x30, &fields)])
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u32).to_be_bytes(), message].concat()
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

#[test]
fn reads_requests_in_any_chunks() {
    let stream = [framed(&request()), framed(&request())].concat();
    for cut in 0..stream.len() {
        let mut parser = Krb5Parser::new();
        let mut cx = ParseCx::default();
        let (head, _) = stream.split_at(cut);
        let consumed = match parser.parse(Dir::ToServer, head, &mut cx) {
            Outcome::Done => cut,
            Outcome::NeedMore { consumed, needed } => {
                assert!(needed > cut - consumed);
                consumed
            }
            Outcome::Broken => panic!("cut at {cut}"),
        };
        assert_eq!(parser.parse(Dir::ToServer, &stream[consumed..], &mut cx), Outcome::Done);
        let records = records(&parser);
        assert_eq!(records.len(), 2);
        let expected = serde_json::json!({
            "msg_type": "KRB_AS_REQ", "cname": "testuser", "realm": "DEMO.LOCAL", "sname": "krbtgt/DEMO.LOCAL",
            "encryption": "<none>", "weak_encryption": false,
        });
        assert_eq!(records[1], expected);
    }
}

#[test]
fn an_error_names_the_request_it_answers() {
    let mut parser = Krb5Parser::new();
    let mut cx = ParseCx { datagram: true, ..ParseCx::default() };
    parser.parse(Dir::ToServer, &request(), &mut cx);
    parser.parse(Dir::ToClient, &error(), &mut cx);
    parser.parse(Dir::ToClient, &error(), &mut cx);
    let records = records(&parser);
    assert_eq!(records[1]["failed_request"], "KRB_AS_REQ");
    assert_eq!(records[1]["error_code"], "KDC_ERR_PREAUTH_REQUIRED");
    assert_eq!(records[1]["cname"], "<empty>");
    assert_eq!(records[2]["failed_request"], "UNKNOWN");
    let tx = parser.tx(1).unwrap();
    assert_eq!(tx.number("krb5_err_code", Dir::ToClient), Some(25));
    assert_eq!(tx.buffer(SNAME, 0, Dir::ToClient).map(|v| v.data), Some(&b"krbtgt"[..]));
    assert!(tx.buffer(SNAME, 0, Dir::ToServer).is_none());
}

#[test]
fn what_is_cut_is_malformed_data() {
    let whole = request();
    for cut in 0..whole.len() {
        let mut parser = Krb5Parser::new();
        parser.parse(Dir::ToServer, &whole[..cut], &mut ParseCx { datagram: true, ..ParseCx::default() });
        assert!(parser.tx(0).unwrap().meta().has_event(MALFORMED_DATA), "{cut}");
    }
}

#[test]
fn is_recognised_by_its_first_bytes() {
    let message = request();
    assert_eq!(probe(Dir::ToServer, &message), Probe::Yes);
    assert_eq!(probe(Dir::ToServer, &framed(&message)), Probe::Yes);
    assert_eq!(probe(Dir::ToServer, &framed(&message)[..8]), Probe::Unsure);
    assert_eq!(probe(Dir::ToServer, b"GET / HTTP/1.1"), Probe::No);
    assert_eq!(probe(Dir::ToServer, b"\x6a\x81\x10\x31\x81\x10\xa1\x03\x02\x01\x05"), Probe::No);
}
