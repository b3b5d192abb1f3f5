use super::transfer::Transfer;
use super::*;
use crate::app::file::FileState;
use crate::app::playbook::{record, Play};
use crate::app::{LogFor, Transaction};
use crate::json::JsonWriter;
use serde_json::{json, Value};

const S: Dir = Dir::ToServer;
const C: Dir = Dir::ToClient;

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|w| w.to_be_bytes()).collect()
}

fn opaque(data: &[u8]) -> Vec<u8> {
    let mut out = words(&[data.len() as u32]);
    out.extend(data);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

/// A call with the credentials of host "h", user 1000 and group 100.
fn call(xid: u32, version: u32, procedure: u32, args: &[u8]) -> Vec<u8> {
    let unix = [words(&[7]), opaque(b"h"), words(&[1000, 100, 0])].concat();
    [words(&[xid, 0, 2, 100_003, version, procedure, 1]), opaque(&unix), words(&[0, 0]), args.to_vec()]
        .concat()
}

fn reply(xid: u32, results: &[u8]) -> Vec<u8> {
    [words(&[xid, 1, 0, 0, 0, 0]), results.to_vec()].concat()
}

/// On TCP: in fragments of at most `size` bytes.
fn framed(message: &[u8], size: usize) -> Vec<u8> {
    let count = message.len().div_ceil(size);
    let mark = |at: usize, part: &[u8]| {
        (part.len() as u32 | u32::from(at + 1 == count) << 31).to_be_bytes().to_vec()
    };
    message.chunks(size).enumerate().flat_map(|(at, part)| [mark(at, part), part.to_vec()].concat()).collect()
}

/// A session of version 3: the file "f" is looked up, read in two pieces and written to.
fn session() -> Vec<(Dir, Vec<u8>)> {
    let attributes = [words(&[1]), vec![0; 84]].concat();
    let read = |offset: u32, count: u32| [opaque(b"handle"), words(&[0, offset, count])].concat();
    let piece = |eof: u32, data: &[u8]| {
        [words(&[0]), attributes.clone(), words(&[data.len() as u32, eof]), opaque(data)].concat()
    };
    let write = [opaque(b"handle"), words(&[0, 0, 3, 2]), opaque(b"new")].concat();
    vec![
        (S, call(1, 3, 3, &[opaque(b"dir"), opaque(b"f")].concat())),
        (C, reply(1, &[words(&[0]), opaque(b"handle"), words(&[0, 0])].concat())),
        (S, call(2, 3, 6, &read(0, 4))),
        (S, call(3, 3, 6, &read(4, 4))),
        (C, reply(3, &piece(1, b"56"))),
        (C, reply(2, &piece(0, b"1234"))),
        (S, call(4, 3, 7, &write)),
        (C, reply(4, &words(&[0, 0, 0, 3, 2, 0, 0]))),
        (S, call(5, 3, 14, &[opaque(b"dir"), opaque(b"f"), opaque(b"dir"), opaque(b"g")].concat())),
        (C, reply(5, &words(&[2, 0, 0]))),
    ]
}

fn beside(tx: &dyn Transaction) -> Value {
    let mut out = JsonWriter::new();
    out.open();
    tx.log_beside(&mut out, LogFor::Record, &Value::Null);
    out.close();
    serde_json::from_slice(out.as_bytes()).unwrap()
}

#[test]
fn any_chunks_and_fragments_tell_the_same() {
    let expected = json!([
        {"version": 3, "procedure": "LOOKUP", "filename": "f", "hhash": "ac9ceb1a", "id": 1, "file_tx": false,
         "type": "response", "status": "OK"},
        {"version": 3, "procedure": "READ", "filename": "f", "hhash": "ad9a2ee5", "id": 2, "file_tx": true,
         "type": "response", "status": "OK", "read": {"first": true, "last": true, "last_xid": 2, "chunks": 1}},
        {"version": 3, "procedure": "WRITE", "filename": "f", "hhash": "ad9a2ee5", "id": 3, "file_tx": true,
         "type": "response", "status": "OK", "write": {"first": true, "last": true, "last_xid": 4, "chunks": 0}},
        {"version": 3, "procedure": "RENAME", "filename": "f", "hhash": "ac9ceb1a", "id": 4, "file_tx": false,
         "type": "response", "status": "ERR_NOENT", "rename": {"from": "f", "to": "g"}},
    ]);
    for chunk in [1, 3, 7, 64, 10_000] {
        for fragment in [5, 48, 10_000] {
            let talk: Vec<_> = session().into_iter().map(|(dir, m)| (dir, framed(&m, fragment))).collect();
            let play = Play::whole(&NFS, Value::Null, &talk, chunk);
            let mut records = Value::Array(play.records());
            // The hash is checked apart.
            for (got, want) in records.as_array_mut().unwrap().iter_mut().zip(expected.as_array().unwrap()) {
                got["hhash"] = want["hhash"].clone();
            }
            assert_eq!(records, expected, "{chunk} {fragment}");
            assert_eq!(play.buffer("file.data", C), ["123456"]);
            assert_eq!(play.buffer("file.data", S), ["new"]);
            assert_eq!(play.buffer("file.name", C), ["f"]);
        }
    }
}

#[test]
fn datagrams_and_credentials_are_read() {
    let mut play = Play::new(&NFS, Value::Null);
    for (dir, message) in session() {
        play.datagram(dir, &message);
    }
    let tx = play.txs().next().unwrap();
    let expected = json!({"xid": 1, "status": "ACCEPTED", "auth_type": "UNIX",
        "creds": {"machine_name": "h", "uid": 1000, "gid": 100}});
    assert_eq!(beside(tx)["rpc"], expected);
    assert_eq!(tx.meta().dir(), C);
    assert_eq!(record(tx)["hhash"], {
        let mut crc = flate2::Crc::new();
        crc.update(b"dir");
        format!("{:x}", crc.sum())
    });
    assert_eq!((tx.number("nfs.version", S), tx.number("nfs_procedure", S)), (Some(3), Some(3)));
}

#[test]
fn long_data_passes_through() {
    let data: Vec<u8> = (0..300_000u32).map(|n| n as u8).collect();
    let write = [opaque(b"h"), words(&[0, 0, 300_000, 2]), opaque(&data)].concat();
    let attributes = vec![0; 68];
    let talk = vec![
        (S, framed(&call(1, 3, 7, &write), 1 << 20)),
        (S, framed(&call(2, 2, 6, &[vec![1; 32], words(&[0, 8192, 0])].concat()), 1 << 20)),
        (C, framed(&reply(2, &[words(&[0]), attributes, opaque(b"abc")].concat()), 1 << 20)),
    ];
    let play = Play::whole(&NFS, Value::Null, &talk, 1460);
    let files: Vec<_> = play.txs().flat_map(|tx| [S, C].map(|d| tx.files(d).to_vec()).concat()).collect();
    let [written, read] = &files[..] else { panic!("{}", files.len()) };
    assert_eq!((written.size, written.state, written.gaps), (300_000, FileState::Closed, false));
    assert_eq!((read.size, read.state), (3, FileState::Closed));
}

#[test]
fn compounds_are_known_by_what_they_do() {
    let compound = |operations: &[Vec<u8>]| {
        [opaque(b"tag"), words(&[1, operations.len() as u32]), operations.concat()].concat()
    };
    let sequence = [words(&[53]), vec![0; 32]].concat();
    let root = words(&[24]);
    let getfh = words(&[10]);
    let put = [words(&[22]), opaque(b"fh")].concat();
    let open = [
        words(&[18, 0, 1, 0, 0, 0]),
        opaque(b"owner"),
        words(&[1, 0, 1, 2]),
        opaque(b"attr"),
        words(&[0]),
        opaque(b"name"),
    ]
    .concat();
    let write = [words(&[38]), vec![0; 16], words(&[0, 0, 0]), opaque(b"data")].concat();
    let close = [words(&[4, 0]), vec![0; 16]].concat();
    let opened = [words(&[18, 0]), vec![0; 16 + 20 + 4], words(&[0, 0])].concat();
    let head = |count: u32| [words(&[0]), opaque(b"tag"), words(&[count])].concat();
    let talk = [
        (S, call(1, 4, 1, &compound(&[sequence.clone(), root, open, getfh.clone()]))),
        (
            C,
            reply(
                1,
                &[
                    head(4),
                    words(&[53, 0]),
                    vec![0; 36],
                    words(&[24, 0]),
                    opened,
                    words(&[10, 0]),
                    opaque(b"fh"),
                ]
                .concat(),
            ),
        ),
        (S, call(2, 4, 1, &compound(&[sequence.clone(), put.clone(), write]))),
        (C, reply(2, &[head(1), words(&[53, 0]), vec![0; 36]].concat())),
        (S, call(3, 4, 1, &compound(&[sequence, put, close]))),
        (C, reply(3, &[words(&[0]), opaque(b""), words(&[0])].concat())),
    ]
    .map(|(dir, message)| (dir, framed(&message, 4096)));
    let play = Play::whole(&NFS, Value::Null, &talk, 100);
    let records = play.records();
    let said: Vec<_> =
        records.iter().map(|r| (r["procedure"].as_str().unwrap(), r["filename"].as_str().unwrap())).collect();
    assert_eq!(said, [("OPEN", "name"), ("WRITE", "name"), ("CLOSE", "name")]);
    let file = play.txs().flat_map(|tx| tx.files(S).to_vec()).next().unwrap();
    assert_eq!((file.size, file.state, &file.name[..]), (4, FileState::Closed, &b"name"[..]));
}

#[test]
fn oddities_are_events() {
    let odd = |message: Vec<u8>| Play::whole(&NFS, Value::Null, &[(S, message)], 10_000).events();
    assert_eq!(odd(framed(&[1; 40], 100)), ["malformed_data"]);
    assert_eq!(odd(framed(&call(1, 9, 1, &[]), 1000)), ["non_existing_version"]);
    assert_eq!(odd(framed(&call(1, 3, 3, &words(&[9000])), 1000)), ["malformed_data"]);
    assert_eq!(odd(words(&[0x7fff_ffff, 0])), ["malformed_data"]);
    let calls: Vec<u8> = (0..5).flat_map(|xid| framed(&call(xid, 3, 0, &[]), 1000)).collect();
    let play = Play::whole(&NFS, json!({"max-tx": 3}), &[(S, calls)], 10_000);
    assert_eq!(play.events(), ["too_many_transactions"]);
}

#[test]
fn pieces_find_their_place() {
    let mut whole = Transfer::new(b"f");
    for (offset, bytes) in [(4, &b"4567"[..]), (2, b"2345"), (0, b"0123"), (8, b"8"), (3, b"3456789")] {
        whole.piece(offset, bytes);
    }
    whole.close(FileState::Closed);
    let [file] = &whole.file;
    assert_eq!((file.data().unwrap().data, file.gaps), (&b"0123456789"[..], false));
    let mut holed = Transfer::new(b"f");
    holed.piece(2, b"cd");
    holed.close(FileState::Closed);
    let [file] = &holed.file;
    assert_eq!((file.size, file.gaps), (4, true));
}

#[test]
fn recognition_asks_for_a_message() {
    let message = call(1, 3, 0, &[]);
    assert_eq!(probe(S, &message), Probe::Yes);
    assert_eq!(probe(S, &framed(&message, 1000)), Probe::Yes);
    assert_eq!(probe(S, &reply(1, &[0; 8])), Probe::Reversed);
    assert_eq!(probe(S, &message[..16]), Probe::Unsure);
    assert_eq!(probe(S, &[9; 40]), Probe::No);
}
