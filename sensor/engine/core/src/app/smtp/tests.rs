use super::events::NAMES;
use super::*;
use crate::app::{LogFor, Outcome, ParseCx, Parser};
use crate::json::JsonWriter;
use proptest::prelude::*;
use serde_json::json;

/// What either side says, in order.
type Talk<'a> = &'a [(Dir, &'a [u8])];
const C: Dir = Dir::ToServer;
const S: Dir = Dir::ToClient;

/// Plays a connection in pieces of the given sizes, as the driver would; answers the parser and whether TLS follows.
fn play(config: &Value, talk: Talk<'_>, sizes: &[usize]) -> (Box<dyn Parser>, bool) {
    let mut parser = (SMTP.new)(config);
    let mut upgrade = false;
    let mut held: PerDir<Vec<u8>> = PerDir::default();
    let mut sizes = sizes.iter().cycle();
    for (dir, said) in talk {
        let mut rest = *said;
        while !rest.is_empty() {
            let (now, later) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            rest = later;
            held[*dir].extend_from_slice(now);
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

/// Both objects of a transaction's record.
fn record(parser: &dyn Parser, id: u64, options: &Value) -> Value {
    let tx = parser.tx(id).unwrap();
    let mut out = JsonWriter::new();
    out.open();
    out.open_object("smtp");
    tx.log(&mut out, LogFor::Record);
    out.close();
    tx.log_beside(&mut out, LogFor::Record, options);
    out.close();
    serde_json::from_slice(out.as_bytes()).unwrap()
}

fn events(parser: &dyn Parser) -> Vec<String> {
    let mut bits = 0;
    for id in parser.tx_ids() {
        bits |= parser.tx(id).map_or(0, |tx| tx.meta().events);
    }
    (0..NAMES.len()).filter(|at| bits >> at & 1 != 0).map(|at| NAMES[at].to_ascii_lowercase()).collect()
}

const MAIL: Talk<'_> = &[
    (S, b"220 mx.example ESMTP\r\n"),
    (C, b"EHLO client.example\r\n"),
    (S, b"250-mx.example\r\n250 HELP\r\n"),
    (C, b"MAIL FROM:<a@example.com> SIZE=9\r\n"),
    (S, b"250 ok\r\n"),
    (C, b"RCPT TO:<b@example.com>\r\nRCPT TO:<c@example.com>\r\n"),
    (S, b"250 ok\r\n250 ok\r\n"),
    (C, b"DATA\r\n"),
    (S, b"354 go on\r\n"),
    (
        C,
        b"From: \"A, B\" <a@example.com>\r\nTo: b@example.com, c@example.com\r\nSubject: hi\r\nMessage-Id: <1@x>\r\n\
          Content-Disposition: attachment; filename=\"a.txt\"\r\n\r\n..dot\r\nhttp://x.example/\r\n.\r\n",
    ),
    (S, b"250 queued\r\n"),
    (C, b"QUIT\r\n"),
    (S, b"221 bye\r\n"),
];

#[test]
fn a_mail_is_one_transaction_with_its_file() {
    let (parser, _) = play(&Value::Null, MAIL, &[1000]);
    assert_eq!(parser.tx_ids(), 0..1);
    let expected = json!({
        "smtp": {"helo": "client.example", "mail_from": "<a@example.com>",
            "rcpt_to": ["<b@example.com>", "<c@example.com>"]},
        "email": {"status": "PARSE_DONE", "from": "\"A, B\" <a@example.com>", "to": ["b@example.com", "c@example.com"],
            "attachment": ["a.txt"], "message_id": "<1@x>", "subject": "hi",
            "subject_md5": "49f68a5c8493ec2c0bf489821c21fc3b"},
    });
    assert_eq!(record(&*parser, 0, &json!({"extended": "yes", "md5": ["subject"]})), expected);
    let tx = parser.tx(0).unwrap();
    assert_eq!(tx.files(C)[0].size, 23);
    assert_eq!(tx.progress(C), COMPLETE);
    assert_eq!(tx.buffer(13, 0, C).unwrap().data, b".dot\r\nhttp://x.example/");
    assert_eq!(events(&*parser), [""; 0]);
}

proptest! {
    #[test]
    fn chunks_change_nothing(sizes in prop::collection::vec(1usize..40, 1..30)) {
        let options = json!({"extended": "yes", "md5": ["body"]});
        let (whole, _) = play(&Value::Null, MAIL, &[1000]);
        let (parser, _) = play(&Value::Null, MAIL, &sizes);
        prop_assert_eq!(record(&*parser, 0, &options), record(&*whole, 0, &options));
        prop_assert_eq!(parser.tx(0).unwrap().files(C)[0].size, 23);
        prop_assert_eq!(events(&*parser), events(&*whole));
    }

    /// A mail in BDAT chunks, cut anywhere, is the mail (RFC 3030).
    #[test]
    fn bdat_chunks_are_one_mail(cut in 1usize..100, size in 1usize..50) {
        const TEXT: &[u8] = b"Subject: s\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\
            Content-Disposition: attachment; filename=f\r\n\r\n.x\r\ny\r\n--b--\r\n";
        let (one, two) = TEXT.split_at(cut.min(TEXT.len()));
        let mut first = format!("BDAT {}\r\n", one.len()).into_bytes();
        first.extend_from_slice(one);
        let mut second = format!("BDAT {} LAST\r\n", two.len()).into_bytes();
        second.extend_from_slice(two);
        second.extend_from_slice(b"QUIT\r\n");
        let talk: Talk<'_> = &[(S, b"220 x\r\n"), (C, b"EHLO x\r\n"), (S, b"250 ok\r\n"), (C, &first), (C, &second)];
        let (parser, _) = play(&Value::Null, talk, &[size]);
        let tx = parser.tx(0).unwrap();
        let file = tx.files(C).first().map(|f| (f.name.clone(), f.size));
        prop_assert_eq!(file, Some((b"f".to_vec(), 5)));
        prop_assert_eq!(tx.progress(C), COMPLETE);
        prop_assert_eq!(events(&*parser), [""; 0]);
    }
}

#[test]
fn starttls_hands_over() {
    let talk: Talk<'_> = &[
        (S, b"220 x\r\n"),
        (C, b"EHLO x\r\n"),
        (S, b"250 STARTTLS\r\n"),
        (C, b"STARTTLS\r\n"),
        (S, b"220 ready\r\n"),
    ];
    let (parser, upgrade) = play(&Value::Null, talk, &[1000]);
    assert!(upgrade);
    assert_eq!(record(&*parser, 0, &Value::Null), json!({"smtp": {"helo": "x"}}));
    let refused: Talk<'_> = &[(S, b"220 x\r\n"), (C, b"STARTTLS\r\n"), (S, b"454 no\r\n")];
    let (parser, upgrade) = play(&Value::Null, refused, &[1000]);
    assert!(!upgrade);
    assert_eq!(events(&*parser), ["tls_rejected"]);
}

#[test]
fn rset_ends_a_mail_and_the_next_is_another() {
    let talk: Talk<'_> = &[
        (S, b"220 x\r\n"),
        (C, b"HELO x\r\nMAIL FROM:<a>\r\n"),
        (S, b"250 ok\r\n250 ok\r\n"),
        (C, b"RSET\r\n"),
        (S, b"250 ok\r\n"),
        (C, b"MAIL FROM:<b>\r\nMAIL FROM:<c>\r\n"),
    ];
    let (parser, _) = play(&Value::Null, talk, &[7]);
    assert_eq!(parser.tx_ids(), 0..2);
    assert_eq!(record(&*parser, 1, &Value::Null)["smtp"], json!({"helo": "x", "mail_from": "<b>"}));
    assert_eq!(events(&*parser), ["duplicate_fields"]);
}

#[test]
fn oddities_are_events() {
    let cases: &[(Talk<'_>, &str)] = &[
        (&[(C, b"EHLO x\r\n"), (S, b"999 what\r\n")], "invalid_reply"),
        (&[(C, b"EHLO x\r\n")], "no_server_welcome_message"),
        (&[(S, b"220 x\r\n"), (C, b"DATA\r\n"), (S, b"503 no\r\n")], "data_command_rejected"),
        (&[(S, b"220 x\r\n"), (C, b"DATA\r\nDATA\r\n")], "unparsable_content"),
        (&[(S, b"220 x\r\n"), (C, b"DATA\r\nQUIT\r\n")], "invalid_pipelined_sequence"),
        (&[(S, b"220 x\r\n"), (C, b"BDAT x\r\n")], "invalid_bdat"),
        (&[(S, b"220 x\r\n"), (C, b"BDAT 2 LAST\r\nabc=d\r\n")], "bdat_chunk_len_exceeded"),
        (&[(C, &[b'x'; 5000]), (C, b"\r\n")], "truncated_line"),
        (&[(S, b"220 x\r\n"), (C, b"HELO x\r\n"), (S, &[b'2'; 5000])], "truncated_line"),
    ];
    for (talk, name) in cases {
        let (parser, _) = play(&Value::Null, talk, &[10_000]);
        assert!(events(&*parser).iter().any(|e| e == name), "{name}: {:?}", events(&*parser));
    }
}

#[test]
fn an_answer_to_a_challenge_is_no_command() {
    let talk: Talk<'_> = &[
        (S, b"220 x\r\n"),
        (C, b"AUTH LOGIN\r\n"),
        (S, b"334 VXNlcm5hbWU6\r\n"),
        (C, b"DATAaaaa\r\n"),
        (S, b"235 ok\r\n"),
        (C, b"MAIL FROM:<a>\r\n"),
    ];
    let (parser, _) = play(&Value::Null, talk, &[1000]);
    assert_eq!(record(&*parser, 0, &Value::Null), json!({"smtp": {"mail_from": "<a>"}}));
}

#[test]
fn a_gap_in_a_mail_is_a_gap_in_its_file() {
    let mut parser = (SMTP.new)(&Value::Null);
    let mut cx = ParseCx::default();
    parser.parse(S, b"220 x\r\n", &mut cx);
    parser.parse(C, b"DATA\r\n", &mut cx);
    parser.parse(S, b"354 go\r\n", &mut cx);
    parser.parse(C, b"Content-Disposition: x; filename=f\r\n\r\none\r\n", &mut cx);
    assert_eq!(parser.gap(C, 100, &mut cx), Outcome::Done);
    parser.parse(C, b"rest\r\n.\r\n", &mut cx);
    let file = &parser.tx(0).unwrap().files(C)[0];
    assert!(file.gaps);
    assert_eq!((file.size, file.state), (107, crate::app::file::FileState::Closed));
}

#[test]
fn a_message_kept_raw_is_one_file() {
    let config = json!({"raw-extraction": "yes", "mime": {"decode-mime": "no"}});
    let (parser, _) = play(&config, MAIL, &[9]);
    let file = &parser.tx(0).unwrap().files(C)[0];
    assert_eq!(file.name, b"rawmsg");
    assert_eq!(file.state, crate::app::file::FileState::Closed);
}

#[test]
fn many_files_are_each_shown_once() {
    let mut mail = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n".to_vec();
    for _ in 0..5 {
        mail.extend_from_slice(b"--b\r\nContent-Disposition: x; filename=f\r\n\r\nx\r\n");
    }
    mail.extend_from_slice(b"--b--\r\n");
    let talk: Talk<'_> = &[(S, b"220 x\r\n"), (C, b"DATA\r\n"), (S, b"354 go\r\n"), (C, &mail)];
    let (mut parser, _) = play(&Value::Null, talk, &[10_000]);
    let shown = |parser: &dyn Parser| {
        (0..10).take_while(|index| parser.tx(0).unwrap().buffer(13, *index, C).is_some()).count()
    };
    assert_eq!(shown(&*parser), 5);
    parser.inspected(0, C);
    assert_eq!(shown(&*parser), 0);
}
