use super::parser::FtpParser;
use super::*;
use crate::app::{LogFor, Outcome, ParseCx, Parser};
use crate::json::JsonWriter;
use proptest::prelude::*;
use serde_json::{json, Value};

type Talk<'a> = &'a [(Dir, &'a str)];
const S: Dir = Dir::ToServer;
const C: Dir = Dir::ToClient;

fn play(config: Value, talk: Talk<'_>) -> (FtpParser, ParseCx) {
    let mut parser = FtpParser::new(&config);
    let mut cx = ParseCx::default();
    for (dir, text) in talk {
        assert_eq!(parser.parse(*dir, text.as_bytes(), &mut cx), Outcome::Done, "{text}");
    }
    (parser, cx)
}

fn records(parser: &FtpParser) -> Vec<Value> {
    let ids = parser.tx_ids();
    ids.filter_map(|id| {
        let mut out = JsonWriter::new();
        out.open();
        parser.tx(id)?.log(&mut out, LogFor::Record);
        out.close();
        Some(serde_json::from_slice(out.as_bytes()).unwrap())
    })
    .collect()
}

fn has(parser: &FtpParser, id: u64, event: &str) -> bool {
    let index = EVENTS.iter().position(|e| *e == event).unwrap();
    parser.tx(id).unwrap().meta().has_event(index as u8)
}

#[test]
fn a_session_gives_one_record_per_command() {
    let (parser, _) = play(
        Value::Null,
        &[
            (C, "220 ready\r\n"),
            (S, "user anonymous\r\n"),
            (C, "331 Password?\r\n"),
            (S, "FEAT\r\n"),
            (C, "211-Features:\r\n MDTM\r\n 999 no code\r\n211 End\r\n"),
            (S, "PORT 192,168,0,13,234,10\r\nNLST\r\n"),
            (C, "200 ok\r\n150 here\r\n226 sent\r\n"),
        ],
    );
    let expected = json!([
        {"completion_code": ["220"], "reply": ["ready"], "reply_received": "yes", "reply_truncated": false},
        {"command": "USER", "command_data": "anonymous", "command_truncated": false, "completion_code": ["331"],
         "reply": ["Password?"], "reply_received": "yes", "reply_truncated": false},
        {"completion_code": ["211", "211"], "reply": ["Features:", " MDTM", " 999 no code", "End"],
         "reply_received": "yes", "reply_truncated": false},
        {"command": "PORT", "command_data": "192,168,0,13,234,10", "command_truncated": false, "completion_code": ["200"],
         "reply": ["ok"], "dynamic_port": 59914, "mode": "active", "reply_received": "yes", "reply_truncated": false},
        {"command": "NLST", "completion_code": ["150", "226"], "reply": ["here", "sent"], "reply_received": "yes",
         "reply_truncated": false},
    ]);
    assert_eq!(Value::Array(records(&parser)), expected);
}

#[test]
fn transfers_are_announced_where_they_will_be() {
    let settle: [(&str, &str, Dir, u16); 4] = [
        ("PORT 10,0,0,1,4,1\r\n", "200 ok\r\n", C, 1025),
        ("EPRT |2|::1|5282|\r\n", "200 ok\r\n", C, 5282),
        ("PASV\r\n", "227 Entering Passive Mode (10,0,0,2,185,13).\r\n", S, 47_373),
        ("EPSV\r\n", "229 Extended (|||58612|)\r\n", S, 58_612),
    ];
    for (command, reply, listener, port) in settle {
        let (_, cx) = play(Value::Null, &[(S, command), (C, reply), (S, "RETR a b.txt\r\n")]);
        let [wish] = &cx.expect[..] else { panic!("{command}") };
        assert_eq!((wish.listener, wish.port, &wish.note[..]), (listener, port, &b"RETR a b.txt"[..]));
        assert_eq!((wish.protocol, wish.transport), ("ftp-data", 6));
    }
    let (parser, cx) = play(
        Value::Null,
        &[(S, "STOR x\r\nPASV\r\n"), (C, "500 no\r\n227 (1,2,3,4,5,6)\r\n"), (S, "STOR\r\n")],
    );
    assert!(cx.expect.is_empty());
    assert!(has(&parser, 0, "file_before_port") && has(&parser, 2, "file_without_name"));
}

#[test]
fn long_lines_are_cut_and_flagged() {
    let long = format!("RETR {}\r\nNOOP\r\n", "a".repeat(9000));
    let (parser, _) =
        play(Value::Null, &[(S, &long), (C, &format!("550 {}\r\n200 ok\r\n", "b".repeat(9000)))]);
    let records = records(&parser);
    assert_eq!(records[0]["command_data"].as_str().unwrap().len(), 4091);
    assert_eq!(
        (&records[0]["command_truncated"], &records[0]["reply_truncated"]),
        (&true.into(), &true.into())
    );
    assert_eq!((&records[1]["command"], &records[1]["reply"]), (&"NOOP".into(), &json!(["ok"])));
    assert!(has(&parser, 0, "request_command_too_long") && has(&parser, 0, "response_command_too_long"));
    let (parser, _) = play(json!({"max-line-length": "16"}), &[(S, "USER aaaaaaaaaaaaaaaa\r\n")]);
    assert_eq!(super::tests::records(&parser)[0]["command_data"], "aaaaaaaaaaa");
}

#[test]
fn unanswered_commands_are_bounded() {
    let (parser, _) = play(json!({"max-tx": 10}), &[(S, &"NOOP\r\n".repeat(100))]);
    let ids = parser.tx_ids();
    assert!(ids.end == 100 && ids.end - ids.start <= 20);
    let (parser, _) = play(json!({"max-tx": 10}), &[(S, &"NOOP\r\n".repeat(11))]);
    assert!(has(&parser, 10, "too_many_transactions") && !has(&parser, 9, "too_many_transactions"));
}

#[test]
fn tls_begins_where_the_server_agrees() {
    for command in ["AUTH TLS\r\n", "auth ssl\r\n"] {
        let (_, cx) = play(Value::Null, &[(S, command), (C, "530 no\r\n")]);
        assert_eq!(cx.upgrade, None);
        let (_, cx) = play(Value::Null, &[(S, command), (C, "234 go on\r\n")]);
        assert_eq!(cx.upgrade, Some("tls"));
    }
}

#[test]
fn buffers_are_those_of_known_commands() {
    let (parser, _) = play(Value::Null, &[(S, "pass x y\r\n"), (C, "230-a\r\n230 b\r\n"), (S, "XYZ q\r\n")]);
    let tx = parser.tx(0).unwrap();
    let read = |local, index, dir| {
        tx.buffer(local, index, dir).map(|v| String::from_utf8_lossy(v.data).into_owned())
    };
    assert_eq!(read(tx::COMMAND, 0, S).unwrap(), "PASS");
    assert_eq!(read(tx::COMMAND_DATA, 0, S).unwrap(), "x y");
    assert_eq!((read(tx::REPLY, 1, C).unwrap(), read(tx::REPLY, 2, C)), ("b".to_owned(), None));
    assert_eq!(read(tx::COMPLETION_CODE, 0, C).unwrap(), "230");
    assert_eq!(read(tx::COMMAND, 0, C), None);
    assert!(parser.tx(1).unwrap().buffer(tx::COMMAND, 0, S).is_none());
    assert_eq!(tx.number("ftp.reply_received", C), Some(1));
    assert_eq!(parser.tx(1).unwrap().number("ftp.reply_received", C), None);
}

#[test]
fn a_data_connection_is_one_file() {
    let mut parser = (data::FTP_DATA.new)(&Value::Null);
    parser.expected(b"RETR some file");
    assert_eq!(parser.tx_ids(), 0..0);
    let mut cx = ParseCx::default();
    parser.parse(C, b"root:", &mut cx);
    parser.gap(C, 3, &mut cx);
    parser.parse(C, b"x", &mut cx);
    parser.close(S, &mut cx);
    assert_eq!(parser.tx(0).unwrap().progress(C), 0);
    parser.close(C, &mut cx);
    let tx = parser.tx(0).unwrap();
    let [file] = tx.files(C) else { panic!() };
    assert_eq!((&file.name[..], file.size, file.gaps), (&b"some file"[..], 9, true));
    assert!(tx.files(S).is_empty() && tx.progress(S) == 1);
    let mut out = JsonWriter::new();
    out.open();
    tx.log(&mut out, LogFor::Record);
    out.close();
    assert_eq!(out.as_bytes(), br#"{"filename":"some file","command":"RETR"}"#);
}

proptest! {
    #[test]
    fn chunks_do_not_matter(cuts in prop::collection::vec(1usize..40, 1..20)) {
        let (client, server) = ("USER a\r\nPASV\r\nRETR f\r\nQUIT\r\n", "220-x\r\n220 y\r\n331 z\r\n227 (1,2,3,4,5,6)\r\n150 a\r\n226 b\r\n221 c\r\n");
        let mut whole = FtpParser::new(&Value::Null);
        let mut parts = FtpParser::new(&Value::Null);
        for (dir, text) in [(S, client), (C, server)] {
            whole.parse(dir, text.as_bytes(), &mut ParseCx::default());
            let mut rest = text.as_bytes();
            for cut in cuts.iter().cycle() {
                let (part, left) = rest.split_at((*cut).min(rest.len()));
                parts.parse(dir, part, &mut ParseCx::default());
                rest = left;
                if rest.is_empty() {
                    break;
                }
            }
        }
        prop_assert_eq!(records(&whole), records(&parts));
    }
}

#[test]
fn a_guests_password_is_shown_and_nobody_elses() {
    for (user, shown) in [("Anonymous", "me@example.com"), ("ftp", "me@example.com"), ("alice", "<redacted>")]
    {
        let login = format!("USER {user}\r\nPASS me@example.com\r\n");
        let (parser, _) = play(Value::Null, &[(S, &login)]);
        assert_eq!(records(&parser)[1]["command_data"], shown, "{user}");
        let seen = parser.tx(1).unwrap().buffer(tx::COMMAND_DATA, 0, S).unwrap();
        assert_eq!(seen.data, b"me@example.com", "rules look at what was sent");
    }
}
