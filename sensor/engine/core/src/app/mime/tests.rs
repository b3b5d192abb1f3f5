use super::header::{addresses, encoded_words, parameters};
use super::*;
use proptest::prelude::*;
use serde_json::json;

/// Gives a whole message in lines.
fn feed(message: &mut Message, text: &[u8]) {
    for line in text.split_inclusive(|b| *b == b'\n') {
        let body = line.strip_suffix(b"\n").map_or(line, |l| l.strip_suffix(b"\r").unwrap_or(l));
        message.push(body, &line[body.len()..], true);
    }
}

fn read(text: &[u8]) -> Message {
    let mut message = Message::new(Arc::default());
    feed(&mut message, text);
    message.finish(true);
    message
}

fn content(file: &File) -> Vec<u8> {
    file.data().map(|view| view.data.to_vec()).unwrap_or_default()
}

fn anomalies(message: &mut Message) -> Vec<u8> {
    let bits = message.take_anomalies();
    (0..16).filter(|bit| bits >> bit & 1 != 0).collect()
}

const MAIL: &[u8] = b"From: a@example.com\r\nTo: b@example.com,\r\n c@example.com\r\nSubject: two\r\n lines\r\n\
    Content-Type: multipart/mixed; boundary=\"=_x\"\r\n\r\npreamble http://no.example/\r\n--=_x\r\n\
    Content-Type: text/plain\r\n\r\nsee http://a.example/1 and HTTP://b.example/2>\r\nhttp://a.example/1\r\n--=_x\r\n\
    Content-Type: application/zip; name=\"other.zip\"\r\nContent-Disposition: attachment; filename=\"a.zip\"\r\n\
    Content-Transfer-Encoding: base64\r\n\r\nUEsDBA==\r\n--=_x\r\nContent-Disposition: attachment; filename=b.txt\r\n\r\n\
    one\r\ntwo\r\n--=_x--\r\nepilogue\r\n";

#[test]
fn fields_files_and_urls_of_a_mail() {
    let message = read(MAIL);
    assert_eq!(message.status(), "PARSE_DONE");
    assert_eq!(message.values(b"subject").next().unwrap(), b"two lines");
    let to: Vec<_> = addresses(message.values(b"to").next().unwrap()).collect();
    assert_eq!(to, [b"b@example.com", b"c@example.com"]);
    let files: Vec<_> = message.files().iter().map(|f| (f.name.as_slice(), f.size, f.state)).collect();
    assert_eq!(files, [(&b"a.zip"[..], 4, FileState::Closed), (b"b.txt", 8, FileState::Closed)]);
    assert_eq!(content(&message.files()[0]), b"PK\x03\x04");
    assert_eq!(content(&message.files()[1]), b"one\r\ntwo");
    assert_eq!(message.urls(), [b"a.example/1".to_vec(), b"b.example/2".to_vec()]);
    assert_eq!(message.body_md5().unwrap().len(), 32);
}

#[test]
fn a_message_in_a_message_brings_its_files() {
    let mail = b"Subject: outer\n\n";
    assert!(read(mail).files().is_empty());
    let mail =
        b"Content-Type: message/rfc822\n\nSubject: inner\nContent-Disposition: inline; filename=x\n\ndata";
    let message = read(mail);
    assert_eq!(message.files()[0].name, b"x");
    assert_eq!(message.values(b"subject").count(), 0);
}

#[test]
fn quoted_printable_and_its_soft_line_ends() {
    let mail =
        b"Content-Disposition: attachment; filename=q\nContent-Transfer-Encoding: quoted-printable\n\n\
        caf=C3=A9 =\r\nau lait  \r\nend=3";
    let mut message = read(mail);
    assert_eq!(content(&message.files()[0]), "caf\u{e9} au lait\r\nend=3".as_bytes());
    assert!(anomalies(&mut message).is_empty());
    let mut broken = read(
        b"Content-Disposition: attachment; filename=q\nContent-Transfer-Encoding: quoted-printable\n\n=ZZ\n",
    );
    assert_eq!(anomalies(&mut broken), [Anomaly::InvalidQuotedPrintable as u8]);
}

#[test]
fn what_is_no_base64_is_skipped_and_said() {
    let mut message = read(
        b"Content-Disposition: attachment; filename=q\nContent-Transfer-Encoding: base64\n\nUEs\x80DB\nA=\n",
    );
    assert_eq!(content(&message.files()[0]), b"PK\x03\x04");
    assert_eq!(anomalies(&mut message), [Anomaly::InvalidBase64 as u8]);
}

#[test]
fn names_in_pieces_and_in_other_words() {
    let given =
        parameters(b"name=\"a\\\"b\"; filename*0*=utf-8'en'%e2%82; filename*1*=%ac; filename*2=\".exe\"");
    assert_eq!(given.get(b"name").unwrap(), b"a\"b");
    assert_eq!(given.get(b"filename").unwrap(), "\u{20ac}.exe".as_bytes());
    assert_eq!(parameters(b"filename=\"=?utf-8?B?YS5leGU=?=\"").get(b"filename").unwrap(), b"a.exe");
    assert_eq!(encoded_words(b"=?x?Q?a_b=2E?= =?x?Q?c?= d =?x?Z?e?="), b"a b.c d =?x?Z?e?=");
}

#[test]
fn limits_are_said() {
    let long = "x".repeat(300);
    let header = format!(
        "{long}: v\nLong: {}\nnonsense\nContent-Disposition: attachment; filename={long}\n\n{}\n",
        "y".repeat(3000),
        "z".repeat(1000)
    );
    let mut message = read(header.as_bytes());
    let expected = [
        Anomaly::MalformedMessage,
        Anomaly::LongLine,
        Anomaly::LongHeaderName,
        Anomaly::LongHeaderValue,
        Anomaly::LongFilename,
    ];
    assert_eq!(anomalies(&mut message), expected.map(|a| a as u8));
    assert_eq!(message.files()[0].name.len(), FILE_NAME_MAX);
    let mut message =
        read(format!("Content-Type: multipart/mixed; boundary={long}\n\n--{long}\n").as_bytes());
    assert_eq!(anomalies(&mut message), [Anomaly::LongBoundary as u8]);
}

#[test]
fn nesting_has_an_end() {
    let mut mail = Vec::new();
    for level in 0..100 {
        mail.extend_from_slice(
            format!("Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n").as_bytes(),
        );
    }
    let mut message = read(&mail);
    assert_eq!(anomalies(&mut message), [Anomaly::ParseFailed as u8]);
    assert!(message.around.len() <= NESTING_MAX);
}

#[test]
fn files_have_an_end() {
    let mut mail = b"Content-Type: multipart/mixed; boundary=b\n\n".to_vec();
    for _ in 0..1000 {
        mail.extend_from_slice(b"--b\nContent-Disposition: attachment; filename=f\n\nx\n");
    }
    assert_eq!(read(&mail).files().len(), FILES_MAX);
}

#[test]
fn the_configuration_is_honoured() {
    let mime = json!({"extract-urls-schemes": ["https", "mailto"], "log-url-scheme": "yes", "decode-base64": "no",
        "body-md5": "no", "header-value-depth": 10});
    let mut message = Message::new(Arc::new(Config::new(&mime, &json!({"content-limit": "1kb"}))));
    feed(
        &mut message,
        b"Subject: 0123456789\nContent-Transfer-Encoding: base64\n\n\
          https://a.example mailto:b@example.com http://c.example\n",
    );
    message.finish(true);
    assert_eq!(message.urls(), [b"https://a.example".to_vec(), b"mailto:b@example.com".to_vec()]);
    assert_eq!(message.body_md5(), None);
    assert_eq!(message.config.tracker.limit, 1024);
}

proptest! {
    /// However a line is cut into pieces, the message is the same.
    #[test]
    fn pieces_of_lines_change_nothing(cuts in prop::collection::vec(1usize..30, 1..40)) {
        let whole = read(MAIL);
        let mut message = Message::new(Arc::default());
        let mut sizes = cuts.iter().cycle();
        for line in MAIL.split_inclusive(|b| *b == b'\n') {
            let body = line.strip_suffix(b"\r\n").unwrap_or(line);
            if body.starts_with(b"--") {
                message.push(body, b"\r\n", true);
                continue;
            }
            let mut rest = body;
            let mut first = true;
            loop {
                let (piece, after) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
                message.push(piece, if after.is_empty() { b"\r\n" } else { b"" }, first);
                first = false;
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
        }
        message.finish(true);
        prop_assert_eq!(message.urls(), whole.urls());
        prop_assert_eq!(message.body_md5(), whole.body_md5());
        for (a, b) in message.files().iter().zip(whole.files()) {
            prop_assert_eq!((&a.name, content(a)), (&b.name, content(b)));
        }
        prop_assert_eq!(message.files().len(), whole.files().len());
    }
}
