use super::*;
use crate::app::LogFor;
use crate::json::JsonWriter;
use serde_json::{json, Value};

const C: Dir = Dir::ToServer;
const S: Dir = Dir::ToClient;

fn play(talk: &[(Dir, &[u8])], size: usize) -> (Pop3Parser, bool) {
    let mut parser = Pop3Parser::new(256);
    let mut upgrade = false;
    let mut held: PerDir<Vec<u8>> = PerDir::default();
    for (dir, said) in talk {
        for piece in said.chunks(size) {
            held[*dir].extend_from_slice(piece);
            let mut cx = ParseCx::default();
            let used = match parser.parse(*dir, &held[*dir].clone(), &mut cx) {
                Outcome::NeedMore { consumed, .. } => consumed,
                _ => held[*dir].len(),
            };
            held[*dir].drain(..used);
            upgrade |= cx.upgrade == Some("tls");
        }
    }
    (parser, upgrade)
}

fn record(parser: &Pop3Parser, id: u64) -> Value {
    let mut out = JsonWriter::new();
    out.open();
    parser.tx(id).unwrap().log(&mut out, LogFor::Record);
    out.close();
    serde_json::from_slice(out.as_bytes()).unwrap()
}

fn events(parser: &Pop3Parser) -> Vec<&'static str> {
    let bits = parser.tx_ids().filter_map(|id| parser.tx(id)).fold(0, |bits, tx| bits | tx.meta().events);
    (0..POP3.events.len()).filter(|at| bits >> at & 1 != 0).map(|at| POP3.events[at]).collect()
}

const SESSION: &[(Dir, &[u8])] = &[
    (S, b"+OK ready\r\n"),
    (C, b"user joe\r\n"),
    (S, b"+OK\r\n"),
    (C, b"PASS my secret\r\n"),
    (S, b"-ERR no\r\n"),
    (C, b"AUTH PLAIN\r\n"),
    (S, b"+ \r\n"),
    (C, b"AGpvZQBzZWNyZXQ=\r\n"),
    (S, b"+OK in\r\n"),
    (C, b"RETR 1\r\nQUIT\r\n"),
    (S, b"+OK 20 octets\r\nSubject: x\r\n\r\n..\r\n.\r\n+OK bye\r\n"),
];

#[test]
fn each_command_is_a_record_without_secrets() {
    for size in [1, 3, 1000] {
        let (parser, _) = play(SESSION, size);
        let response = |ok: bool, header: &str| json!({"success": ok, "status": if ok { "OK" } else { "ERR" }, "header": header, "data": []});
        assert_eq!(parser.tx_ids(), 0..7);
        assert_eq!(record(&parser, 0), json!({"response": response(true, "ready")}));
        assert_eq!(record(&parser, 1)["request"], json!({"command": "USER", "args": ["joe"]}));
        assert_eq!(
            record(&parser, 2),
            json!({"request": {"command": "PASS", "args": ["<redacted>", "<redacted>"]},
                "response": response(false, "no")})
        );
        assert_eq!(record(&parser, 3)["response"], response(true, ""));
        assert_eq!(record(&parser, 4)["request"], json!({"command": "<SASL DATA>", "args": []}));
        assert_eq!(record(&parser, 5)["response"]["data"], json!(["Subject: x", "", "."]));
        assert_eq!(record(&parser, 6)["response"], response(true, "bye"));
        assert_eq!(events(&parser), [""; 0]);
        assert!(parser.tx(6).unwrap().progress(S) == 1);
    }
}

#[test]
fn oddities_are_events() {
    let long = [b"USER ".to_vec(), vec![b'x'; 300], b"\r\n".to_vec()].concat();
    let wide = [b"+OK ".to_vec(), vec![b'x'; 600], b"\r\n".to_vec()].concat();
    let (parser, _) = play(&[(C, b"FOO\r\nUSER\r\n"), (C, &long), (S, &wide)], 5000);
    assert_eq!(
        events(&parser),
        ["request_too_long", "incorrect_argument_count", "unknown_command", "response_too_long"]
    );
    let many = b"NOOP\r\n".repeat(300);
    let (parser, _) = play(&[(C, &many)], 5000);
    assert_eq!(events(&parser), ["too_many_transactions"]);
    assert!(parser.txs.len() <= 256);
}

#[test]
fn stls_hands_over() {
    let (_, upgrade) = play(&[(S, b"+OK x\r\n"), (C, b"STLS\r\n"), (S, b"+OK go\r\n")], 1000);
    assert!(upgrade);
}

#[test]
fn both_sides_are_recognised() {
    assert_eq!(probe(S, b"+OK POP3 ready"), Probe::Yes);
    assert_eq!(probe(S, b"+O"), Probe::Unsure);
    assert_eq!(probe(S, b"+OK\r\n"), Probe::No);
    assert_eq!(probe(C, b"capa\r\n"), Probe::Yes);
    assert_eq!(probe(C, b"EHLO x\r\n"), Probe::No);
}
