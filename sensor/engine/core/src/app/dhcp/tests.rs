//! Bytes in, records out.

use super::*;

fn message(op: u8, options: &[u8]) -> Vec<u8> {
    let mut out = vec![op, 1, 6, 0, 0, 0, 0, 7, 0, 0, 0, 0];
    out.extend([0, 0, 0, 0, 10, 0, 0, 5, 10, 0, 0, 1, 10, 0, 0, 2]);
    out.extend([0, 0x11, 0x32, 0x17, 0x49, 0xf0]);
    out.resize(236, 0);
    out.extend([0x63, 0x82, 0x53, 0x63]);
    out.extend(options);
    out
}

fn play(extended: bool, data: &[u8]) -> (Box<dyn Parser>, serde_json::Value) {
    let mut parser = (DHCP.new)(&serde_json::json!({"log": {"extended": extended}}));
    parser.parse(Dir::ToServer, data, &mut ParseCx { datagram: true, ..ParseCx::default() });
    let mut out = JsonWriter::new();
    out.open();
    parser.tx(0).unwrap().log(&mut out, LogFor::Record);
    out.close();
    let record = serde_json::from_slice(out.as_bytes()).unwrap();
    (parser, record)
}

const ACK_OPTIONS: &[u8] =
    b"\x35\x01\x05\x33\x04\x00\x00\x0e\x10\x3a\x04\x00\x00\x06\x91\x01\x04\xff\xff\x00\x00\x03\x08\x0a\x00\x00\x01\x0a\x00\x00\x02\x0c\x04nas1\x3d\x03\x01\xab\xcd\xff";

#[test]
fn writes_the_long_form() {
    let (parser, record) = play(true, &message(2, ACK_OPTIONS));
    let expected = serde_json::json!({
        "type": "reply", "id": 7, "client_mac": "00:11:32:17:49:f0", "assigned_ip": "10.0.0.5", "client_ip": "0.0.0.0",
        "relay_ip": "10.0.0.2", "next_server_ip": "10.0.0.1", "dhcp_type": "ack", "lease_time": 3600, "renewal_time": 1681,
        "subnet_mask": "255.255.0.0", "routers": ["10.0.0.1", "10.0.0.2"], "hostname": "nas1", "client_id": "ab:cd",
    });
    assert_eq!(record, expected);
    let tx = parser.tx(0).unwrap();
    assert_eq!(tx.number("dhcp.leasetime", Dir::ToServer), Some(3600));
    assert_eq!(tx.number("dhcp.rebinding_time", Dir::ToServer), None);
    assert_eq!(tx.meta().events, 0);
}

#[test]
fn the_short_form_is_of_acknowledgements() {
    let (parser, record) = play(false, &message(2, ACK_OPTIONS));
    assert!(!parser.tx(0).unwrap().meta().logged);
    assert_eq!(record["renewal_time"], 1681);
    assert!(record.get("lease_time").is_none() && record.get("client_ip").is_none());
    let (parser, _) = play(false, &message(1, b"\x35\x01\x01\xff"));
    assert!(parser.tx(0).unwrap().meta().logged);
}

#[test]
fn oddities_are_events() {
    let has =
        |options: &[u8], event| play(true, &message(1, options)).0.tx(0).unwrap().meta().has_event(event);
    assert!(has(b"\x35\x01\x03", TRUNCATED_OPTIONS));
    assert!(has(b"\x0c\x40abc", TRUNCATED_OPTIONS));
    assert!(has(b"\x33\x01\x03\xff", MALFORMED_OPTIONS));
    assert!(!has(b"\x00\x00\x35\x01\x03\xff", TRUNCATED_OPTIONS));
    let (parser, _) = play(true, &message(1, b"")[..200]);
    assert!(parser.tx(0).unwrap().meta().has_event(MALFORMED_OPTIONS));
}

#[test]
fn a_repeated_option_replaces_the_first() {
    let (_, record) = play(true, &message(1, b"\x0c\x01a\x0c\x01b\xff"));
    assert_eq!(record["hostname"], "b");
}

#[test]
fn is_recognised_by_its_header() {
    assert_eq!(probe(Dir::ToServer, &message(1, b"\xff")), Probe::Yes);
    assert_eq!(probe(Dir::ToServer, &message(1, b"")[..239]), Probe::No);
    assert_eq!(probe(Dir::ToServer, &[7; 300]), Probe::No);
}
