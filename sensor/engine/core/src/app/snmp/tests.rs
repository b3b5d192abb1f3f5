//! Bytes in, records out.

use super::*;

const GET: &[u8] = b"\x30\x26\x02\x01\x00\x04\x06public\xa0\x19\x02\x01\x05\x02\x01\x00\x02\x01\x00\x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x03\x00\x05\x00";
const ENCRYPTED: &[u8] = b"\x30\x2d\x02\x01\x03\x30\x0d\x02\x01\x01\x02\x02\x05\xdc\x04\x01\x07\x02\x01\x03\x04\x13\x30\x11\x04\x01e\x02\x01\x01\x02\x01\x02\x04\x02op\x04\x00\x04\x00\x04\x04abcd";
const TRAP: &[u8] = b"\x30\x23\x02\x01\x00\x04\x06public\xa4\x16\x06\x03\x2b\x06\x01\x40\x04\x0a\x00\x00\x01\x02\x01\x06\x02\x01\x00\x43\x01\x00\x30\x00";

fn play(messages: &[(Dir, &[u8])]) -> (Box<dyn Parser>, Vec<serde_json::Value>) {
    let mut parser = (SNMP.new)(&serde_json::Value::Null);
    for (dir, data) in messages {
        parser.parse(*dir, data, &mut ParseCx { datagram: true, ..ParseCx::default() });
    }
    let records = parser
        .tx_ids()
        .filter_map(|id| parser.tx(id))
        .map(|tx| {
            let mut out = JsonWriter::new();
            out.open();
            tx.log(&mut out, LogFor::Record);
            out.close();
            serde_json::from_slice(out.as_bytes()).unwrap()
        })
        .collect();
    (parser, records)
}

#[test]
fn reads_a_request() {
    let (parser, records) = play(&[(Dir::ToServer, GET)]);
    let expected = serde_json::json!({
        "version": 1, "pdu_type": "get_request", "vars": ["1.3.6.1.2.1.1.3.0"], "community": "public",
    });
    assert_eq!(records, [expected]);
    let tx = parser.tx(0).unwrap();
    assert_eq!(tx.buffer(COMMUNITY, 0, Dir::ToServer).unwrap().data, b"public");
    assert!(tx.buffer(COMMUNITY, 0, Dir::ToClient).is_none());
    assert_eq!(tx.number("snmp.pdu_type", Dir::ToServer), Some(0));
}

#[test]
fn of_what_is_encrypted_the_user_is_known() {
    let (parser, records) = play(&[(Dir::ToServer, ENCRYPTED)]);
    assert_eq!(records, [serde_json::json!({"version": 3, "pdu_type": "encrypted"})]);
    let tx = parser.tx(0).unwrap();
    assert_eq!(tx.buffer(USM, 0, Dir::ToServer).unwrap().data, b"op");
    assert_eq!(tx.number("snmp.pdu_type", Dir::ToServer), None);
}

#[test]
fn reads_a_trap() {
    let (_, records) = play(&[(Dir::ToServer, TRAP)]);
    assert_eq!(records[0]["trap_type"], "enterpriseSpecific");
    assert_eq!(records[0]["trap_oid"], "1.3.6.1");
    assert_eq!(records[0]["trap_address"], "10.0.0.1");
}

#[test]
fn oddities_are_events() {
    let mut other = GET.to_vec();
    other[4] = 1;
    let (parser, _) = play(&[(Dir::ToServer, GET), (Dir::ToClient, &other), (Dir::ToServer, &GET[..20])]);
    let has = |id, event| parser.tx(id).unwrap().meta().has_event(event);
    assert!(has(1, VERSION_MISMATCH) && has(2, MALFORMED_DATA));
    assert!(!has(2, VERSION_MISMATCH) && !has(0, MALFORMED_DATA));
    let mut model = ENCRYPTED.to_vec();
    model[19] = 9;
    let (parser, _) = play(&[(Dir::ToServer, &model)]);
    assert!(parser.tx(0).unwrap().meta().has_event(UNKNOWN_SECURITY_MODEL));
}

#[test]
fn is_recognised_by_its_first_fields() {
    assert_eq!(probe(Dir::ToServer, GET), Probe::Yes);
    assert_eq!(probe(Dir::ToServer, ENCRYPTED), Probe::Yes);
    assert_eq!(probe(Dir::ToServer, b"\x30\x03\x02\x01\x07"), Probe::No);
    assert_eq!(probe(Dir::ToServer, b""), Probe::No);
}
