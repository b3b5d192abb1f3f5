//! A session of SMB 2 that connects, writes a file in two chunks and closes it, in every chunking; gaps; wrong directions.

use super::tx::{FILE_DATA, SHARE};
use super::*;
use crate::app::playbook::Play;
use crate::app::Transaction;
use crate::json::JsonWriter;
use serde_json::json;

/// A framed record of SMB 2.
fn record(command: u16, response: bool, message: u64, body: &[u8]) -> Vec<u8> {
    let mut record = b"\xfeSMB\x40\0\0\0\0\0\0\0".to_vec();
    record.extend_from_slice(&command.to_le_bytes());
    record.extend_from_slice(&[0, 0, u8::from(response), 0, 0, 0, 0, 0, 0, 0]);
    record.extend_from_slice(&message.to_le_bytes());
    record.extend_from_slice(&[0, 0, 0, 0, 5, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0]);
    record.extend_from_slice(&[0; 16]);
    record.extend_from_slice(body);
    let mut framed = (record.len() as u32).to_be_bytes().to_vec();
    framed.extend(record);
    framed
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn tree_connect(name: &str) -> Vec<u8> {
    let name = wide(name);
    let mut body = vec![9, 0, 0, 0, 72, 0];
    body.extend_from_slice(&(name.len() as u16).to_le_bytes());
    body.extend(name);
    record(3, false, 1, &body)
}

fn create(name: &str) -> Vec<u8> {
    let name = wide(name);
    let mut body = vec![0; 56];
    body[36] = 2;
    body[44] = 120;
    body[46] = name.len() as u8;
    body.extend(name);
    record(5, false, 2, &body)
}

fn created() -> Vec<u8> {
    let mut body = vec![0; 88];
    body[64..80].fill(7);
    record(5, true, 2, &body)
}

fn write(message: u64, offset: u64, data: &[u8]) -> Vec<u8> {
    let mut body = vec![49, 0, 112, 0];
    body.extend_from_slice(&(data.len() as u32).to_le_bytes());
    body.extend_from_slice(&offset.to_le_bytes());
    body.extend_from_slice(&[7; 16]);
    body.extend_from_slice(&[0; 16]);
    body.extend_from_slice(data);
    record(9, false, message, &body)
}

fn close(message: u64) -> Vec<u8> {
    let mut body = vec![0; 8];
    body.extend_from_slice(&[7; 16]);
    record(6, false, message, &body)
}

fn talk() -> Vec<(Dir, Vec<u8>)> {
    vec![
        (Dir::ToServer, tree_connect("\\\\srv\\data")),
        (Dir::ToClient, record(3, true, 1, &[16, 0, 1, 0, 0, 0, 0, 0])),
        (Dir::ToServer, create("a.txt")),
        (Dir::ToClient, created()),
        (Dir::ToServer, write(4, 3, b"def")),
        (Dir::ToServer, write(3, 0, b"abc")),
        (Dir::ToServer, close(5)),
        (Dir::ToClient, record(6, true, 5, &[0; 60])),
    ]
}

fn log(tx: &dyn Transaction) -> serde_json::Value {
    let mut out = JsonWriter::new();
    out.open();
    tx.log(&mut out, crate::app::LogFor::Record);
    out.close();
    serde_json::from_slice(out.as_bytes()).unwrap()
}

#[test]
fn a_session_in_every_chunking() {
    for chunk in [1, 3, 64, 4096] {
        let play = Play::whole(&SMB, json!(null), &talk(), chunk);
        assert_eq!(play.parser.tx_ids(), 0..4, "{chunk}");
        let tree = play.parser.tx(0).unwrap();
        assert_eq!(tree.buffer(SHARE, 0, Dir::ToServer).unwrap().data, b"\\\\srv\\data");
        assert_eq!(log(tree)["share_type"], "FILE");
        let made = log(play.parser.tx(1).unwrap());
        assert_eq!((&made["filename"], &made["disposition"]), (&json!("a.txt"), &json!("FILE_CREATE")));
        assert_eq!(made["fuid"], "07070707-0707-0707-0707-070707070707");
        let file = play.parser.tx(2).unwrap();
        assert_eq!(file.buffer(FILE_DATA, 0, Dir::ToServer).unwrap().data, b"abcdef");
        assert_eq!(file.files(Dir::ToServer)[0].name, b"a.txt");
        assert_eq!(log(file)["share"], "\\\\srv\\data");
        assert_eq!(log(play.parser.tx(3).unwrap())["status"], "STATUS_SUCCESS");
    }
}

#[test]
fn reading_goes_on_behind_a_gap() {
    let mut play = Play::new(&SMB, json!(null));
    play.parser.gap(Dir::ToServer, 500, &mut crate::app::ParseCx::default());
    let mut data = b"what was left of something lost".to_vec();
    data.extend(tree_connect("\\\\srv\\IPC$"));
    play.data(Dir::ToServer, &data);
    assert_eq!(play.parser.tx_ids(), 0..1);
}

#[test]
fn a_response_from_the_client_is_an_event() {
    let mut play = Play::new(&SMB, json!(null));
    play.data(Dir::ToServer, &tree_connect("\\\\srv\\data"));
    play.data(Dir::ToServer, &record(3, true, 1, &[16, 0, 1, 0]));
    assert!(play.parser.tx(0).unwrap().meta().has_event(Event::ResponseToServer as u8));
}

#[test]
fn events_stand_where_their_numbers_say() {
    assert_eq!(EVENTS[Event::MalformedData as usize], "malformed_data");
    assert_eq!(EVENTS[Event::FileOverlap as usize], "file_overlap");
    assert_eq!(EVENTS[Event::TooManyTransactions as usize], "too_many_transactions");
    assert_eq!(EVENTS[Event::UnusualNtlmsspOrder as usize], "unusual_ntlmssp_order");
}

#[test]
fn tells_who_logs_on_with_ntlmssp() {
    let mut token = b"NTLMSSP\0\x03\0\0\0".to_vec();
    token.extend_from_slice(&[0; 16]);
    for (len, at) in [(2u8, 72u8), (4, 74), (2, 78)] {
        token.extend_from_slice(&[len, 0, len, 0, at, 0, 0, 0]);
    }
    token.extend_from_slice(&[0; 8]);
    token.extend_from_slice(&[0, 0, 0, 2, 6, 1, 0xb1, 0x1d, 0, 0, 0, 15]);
    token.extend_from_slice(b"D\0u\0s\0H\0");
    let found = auth::read(&token);
    let ntlmssp = found.ntlmssp.unwrap();
    assert_eq!(
        (ntlmssp.domain.as_slice(), ntlmssp.user.as_slice(), ntlmssp.host.as_slice()),
        (&b"D"[..], &b"us"[..], &b"H"[..])
    );
    assert_eq!(ntlmssp.version, Some((6, 1, 7601, 15)));
    assert!(!found.malformed && !found.unusual);
    assert!(auth::read(&token[..40]).malformed);
}
