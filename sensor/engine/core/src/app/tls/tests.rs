use super::handshake::MESSAGE_MAX;
use super::hello::{is_grease, Hello};
use super::parser::RECORD_MAX;
use super::tx::buffer;
use super::*;
use crate::app::{LogFor, Outcome, ParseCx, Parser, Transaction};
use crate::json::JsonWriter;
use proptest::prelude::*;
use Dir::{ToClient, ToServer};

fn vec8(body: &[u8]) -> Vec<u8> {
    [&[body.len() as u8], body].concat()
}
fn vec16(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u16).to_be_bytes(), body].concat()
}
fn vec24(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes()[1..], body].concat()
}
fn u16s(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_be_bytes()).collect()
}
fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &vec16(body)].concat()
}
fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &vec24(body)].concat()
}
fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &vec16(body)].concat()
}
fn server_name(name: &str) -> Vec<u8> {
    extension(0, &vec16(&[&[0][..], &vec16(name.as_bytes())].concat()))
}

fn client_hello_with(ciphers: &[u16], extensions: &[u8]) -> Vec<u8> {
    let fixed = [&[3, 3][..], &[0x5a; 32], &vec8(&[1; 32])].concat();
    handshake(1, &[fixed, vec16(&u16s(ciphers)), vec8(&[0]), vec16(extensions)].concat())
}

const CIPHERS: [u16; 16] = [
    0x2a2a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c,
    0x009d, 0x002f, 0x0035,
];

/// The ClientHello of Chrome that the JA4 description takes as its example.
fn chrome() -> Vec<u8> {
    let algorithms = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601];
    let extensions = [
        extension(0x1a1a, &[]),
        extension(0x001b, &[]),
        server_name("www.example.com"),
        extension(0x0033, &[0; 1200]),
        extension(0x0010, &vec16(&[vec8(b"h2"), vec8(b"http/1.1")].concat())),
        extension(0x4469, &[]),
        extension(0x0017, &[]),
        extension(0x002d, &[]),
        extension(0x000d, &vec16(&u16s(&algorithms))),
        extension(0x0005, &[]),
        extension(0x0023, &[]),
        extension(0x0012, &[]),
        extension(0x002b, &vec8(&u16s(&[0x3a3a, 0x0304, 0x0303]))),
        extension(0xff01, &[]),
        extension(0x000b, &vec8(&[0])),
        extension(0x000a, &vec16(&u16s(&[0x4a4a, 0x001d, 0x0017]))),
        extension(0x0015, &[]),
    ];
    client_hello_with(&CIPHERS, &extensions.concat())
}

fn server_hello(version: u16, session: &[u8], extensions: &[u8]) -> Vec<u8> {
    let fixed = [&version.to_be_bytes()[..], &[0xa5; 32], &vec8(session)].concat();
    handshake(2, &[fixed, vec![0x13, 0x01, 0], vec16(extensions)].concat())
}

struct Play {
    parser: TlsParser,
    cx: ParseCx,
}

impl Play {
    fn new() -> Play {
        Play { parser: TlsParser::new(&serde_json::Value::Null), cx: ParseCx::default() }
    }
    fn say(&mut self, dir: Dir, data: &[u8]) -> Outcome {
        self.parser.parse(dir, data, &mut self.cx)
    }
    fn tx(&self) -> &dyn Transaction {
        self.parser.tx(0).unwrap()
    }
    fn has(&self, event: Event) -> bool {
        self.tx().meta().has_event(event as u8)
    }
    fn text(&self, local: usize, index: usize, dir: Dir) -> Option<String> {
        self.tx().buffer(local, index, dir).map(|v| String::from_utf8_lossy(v.data).into_owned())
    }
    fn eve(&self) -> serde_json::Value {
        eve(self.tx())
    }
}

fn eve(tx: &dyn Transaction) -> serde_json::Value {
    let mut out = JsonWriter::new();
    out.open();
    tx.log(&mut out, LogFor::Record);
    out.close();
    serde_json::from_slice(out.as_bytes()).unwrap()
}

#[test]
fn tls13_is_read_up_to_encryption() {
    let mut play = Play::new();
    assert_eq!(play.say(ToServer, &record(22, &chrome())), Outcome::Done);
    assert_eq!(play.tx().progress(ToServer), state::CLIENT_HELLO_DONE);
    assert_eq!(play.text(buffer::SNI, 0, ToServer).unwrap(), "www.example.com");
    assert_eq!(play.text(buffer::ALPN, 1, ToServer).unwrap(), "http/1.1");
    assert_eq!(play.text(buffer::ALPN, 2, ToServer), None);
    assert_eq!(play.text(buffer::JA4_HASH, 0, ToServer).unwrap(), "t13d1516h2_8daaf6152771_e5627efa2ab1");
    let ja3 = "771,4865-4866-4867-49195-49199-49196-49200-52393-52392-49171-49172-156-157-47-53,\
               27-0-51-16-17513-23-45-13-5-35-18-43-65281-11-10-21,29-23,0";
    assert_eq!(play.text(buffer::JA3_STRING, 0, ToServer).unwrap(), ja3);
    let hello = server_hello(0x0303, &[1; 32], &extension(43, &[3, 4]));
    play.say(ToClient, &[record(22, &hello), record(20, &[1]), record(23, &[0; 900])].concat());
    assert_eq!(play.tx().progress(ToClient), state::SERVER_HANDSHAKE_DONE);
    assert!(play.cx.no_raw && !play.cx.bypass);
    play.say(ToServer, &[record(20, &[1]), record(23, &[0; 90])].concat());
    assert_eq!(play.tx().progress(ToServer), state::CLIENT_HANDSHAKE_DONE);
    let eve = play.eve();
    assert_eq!(eve["version"], "TLS 1.3");
    assert_eq!(eve["ja3s"]["string"], "771,4865,43");
    assert_eq!(eve["client_alpns"], serde_json::json!(["h2", "http/1.1"]));
    assert_eq!(eve.get("session_resumed"), None);
    assert_eq!(play.tx().meta().events, 0);
}

fn record_of(tx: &dyn Transaction, options: &serde_json::Value) -> serde_json::Value {
    let mut out = JsonWriter::new();
    out.open();
    tx.log_record(0, &mut out, options);
    out.close();
    serde_json::from_slice(out.as_bytes()).unwrap()
}

#[test]
fn a_record_holds_what_its_options_ask_for() {
    let mut play = Play::new();
    play.say(ToServer, &record(22, &chrome()));
    let certificate = [&[0, 0, 0][..], &[0, 0, 0], CERT].concat();
    let mut body = certificate;
    let (list, len) = ((CERT.len() + 3) as u32, CERT.len() as u32);
    body[..3].copy_from_slice(&list.to_be_bytes()[1..]);
    body[3..6].copy_from_slice(&len.to_be_bytes()[1..]);
    let hello = server_hello(0x0303, &[], &[]);
    play.say(ToClient, &record(22, &[hello, handshake(11, &body)].concat()));
    let of = |options| record_of(play.tx(), &options);
    let keys =
        |value: serde_json::Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(of(serde_json::json!({"extended": true})), play.eve());
    assert_eq!(keys(of(serde_json::json!({}))), ["issuerdn", "subject"]);
    let custom = of(serde_json::json!({"custom": ["sni", "Chain", "not_after"]}));
    assert_eq!(keys(custom.clone()), ["chain", "notafter", "sni"]);
    assert_eq!(custom["chain"].as_array().unwrap().len(), 1);
}

#[test]
fn a_certificate_that_ends_in_a_header_has_no_valid_length() {
    for (der, length) in
        [(&b"\x30\x05\x30\x84\xff\xff\xff"[..], true), (b"\x30\x06\x30\x84\xff\xff\xff\xfa", false)]
    {
        let mut play = Play::new();
        play.say(ToServer, &record(22, &chrome()));
        let len = der.len() as u8;
        let body = [&[0, 0, len + 3, 0, 0, len][..], der].concat();
        let hello = server_hello(0x0303, &[], &[]);
        play.say(ToClient, &record(22, &[hello, handshake(11, &body)].concat()));
        assert_eq!(play.has(Event::CertificateInvalidLength), length);
        assert_eq!(play.has(Event::InvalidCertificate), !length);
    }
}

#[test]
fn resumption_by_session_id() {
    let mut play = Play::new();
    play.say(ToServer, &record(22, &client_hello_with(&[0x002f], &[])));
    play.say(ToClient, &[record(22, &server_hello(0x0303, &[1; 32], &[])), record(20, &[1])].concat());
    assert_eq!(play.eve()["session_resumed"], true);
    assert_eq!(play.eve()["version"], "TLS 1.2");
}

/// A self-signed certificate: CN=test.example, O=Hai Dang, C=VN; serial 0x8a01; names test.example and 192.0.2.1.
const CERT: &[u8] = include_bytes!("testdata/leaf.der");

#[test]
fn certificates_of_both_sides() {
    let mut play = Play::new();
    let message = handshake(11, &vec24(&[vec24(CERT), vec24(b"second")].concat()));
    play.say(ToServer, &record(22, &client_hello_with(&[0x002f], &[])));
    let request = handshake(13, &[1, 1, 0, 0, 0, 0]);
    let flight = [server_hello(0x0303, &[], &[]), message.clone(), request, handshake(14, &[])].concat();
    play.say(ToClient, &record(22, &flight));
    assert_eq!(play.tx().progress(ToClient), state::SERVER_CERT_DONE, "waits for the client's certificate");
    assert_eq!(play.text(buffer::CERT_SUBJECT, 0, ToClient).unwrap(), "C=VN, O=Hai Dang, CN=test.example");
    assert_eq!(play.text(buffer::CERT_SERIAL, 0, ToClient).unwrap(), "00:8A:01");
    assert_eq!(play.text(buffer::SUBJECT_ALT_NAME, 0, ToClient).unwrap(), "test.example");
    assert_eq!(play.text(buffer::SUBJECT_ALT_NAME, 1, ToClient).unwrap(), "192.0.2.1");
    assert_eq!(play.text(buffer::CERTS, 1, ToClient).unwrap(), "second");
    assert_eq!(play.text(buffer::CERTS, 2, ToClient), None);
    assert_eq!(play.tx().number("tls.cert_chain_len", ToClient), Some(2));
    assert_eq!(play.tx().number("tls.cert_notbefore", ToClient), Some(1_704_067_200));
    play.say(ToServer, &record(22, &message));
    assert_eq!(play.tx().progress(ToClient), state::SERVER_HELLO_DONE);
    assert_eq!(play.text(buffer::CERT_ISSUER, 0, ToServer).unwrap(), "C=VN, O=Hai Dang, CN=test.example");
    let eve = play.eve();
    assert_eq!(
        (&eve["notbefore"], &eve["notafter"]),
        (&"2024-01-01T00:00:00".into(), &"2049-12-31T23:59:59".into())
    );
    assert_eq!(eve["client"]["serial"], "00:8A:01");
    assert_eq!(eve["subjectaltname"], serde_json::json!(["test.example", "192.0.2.1"]));
}

#[test]
fn dates() {
    let cases =
        [(0, "1970-01-01T00:00:00"), (-86_400, "1969-12-31T00:00:00"), (951_782_399, "2000-02-28T23:59:59")];
    for (seconds, text) in cases {
        assert_eq!(cert::date_text(seconds), text);
    }
    assert_eq!(cert::date_text(4_107_542_400), "2100-03-01T00:00:00");
}

#[test]
fn oddities_become_events() {
    let after = |dir, data: &[u8]| {
        let mut play = Play::new();
        play.say(dir, data);
        play
    };
    assert!(after(ToServer, &[99, 3, 1, 0, 1, 0]).has(Event::InvalidRecordType));
    assert!(after(ToServer, &[22, 9, 9, 0, 1, 0]).has(Event::InvalidRecordVersion));
    assert!(after(ToServer, &[22, 3, 1, 0xff, 0xff, 0]).has(Event::InvalidTlsHeader));
    assert!(after(ToServer, &record(22, &handshake(99, &[]))).has(Event::InvalidHandshakeMessage));
    assert!(after(ToServer, &record(22, &handshake(1, b"short"))).has(Event::InvalidHandshakeMessage));
    assert!(after(ToServer, &record(21, &[9, 9])).has(Event::InvalidAlertMessage));
    assert!(!after(ToServer, &record(21, &[2, 40])).has(Event::InvalidAlertMessage));
    assert!(after(ToServer, &[0x80, 5, 77, 0, 0]).has(Event::InvalidSslv2Header));
    let names = [server_name("a"), server_name("b")].concat();
    let play = after(ToServer, &record(22, &client_hello_with(&[1], &names)));
    assert!(play.has(Event::MultipleSniExtensions));
    assert_eq!(play.text(buffer::SNI, 0, ToServer).unwrap(), "a");
    let long = server_name(&"x".repeat(256));
    assert!(after(ToServer, &record(22, &client_hello_with(&[1], &long))).has(Event::InvalidSniLength));
    let kind = extension(0, &vec16(&[7, 0, 1, b'a']));
    assert!(after(ToServer, &record(22, &client_hello_with(&[1], &kind))).has(Event::InvalidSniType));
    let cut = handshake(11, &vec24(&[0, 9, 9, 1]));
    assert!(after(ToClient, &record(22, &cut)).has(Event::CertificateInvalidLength));
    let nonsense = handshake(11, &vec24(&vec24(b"not DER")));
    assert!(after(ToClient, &record(22, &nonsense)).tx().meta().events != 0);
}

#[test]
fn heartbleed() {
    let mut play = Play::new();
    play.say(ToServer, &record(24, &[1, 0x40, 0]));
    assert!(play.has(Event::OverflowHeartbeatMessage));
    play.say(ToServer, &record(24, &[&[1, 0, 2][..], &[0; 18]].concat()));
    assert!(play.has(Event::HeartbeatMessage) && !play.has(Event::InvalidHeartbeatMessage));
    play.say(ToServer, &record(24, &[1, 0, 2, 0, 0]));
    assert!(play.has(Event::InvalidHeartbeatMessage));
    for dir in Dir::BOTH {
        play.say(dir, &record(20, &[1]));
    }
    play.say(ToServer, &record(24, &[9; 40]));
    assert!(!play.has(Event::DataleakHeartbeatMismatch));
    play.say(ToClient, &record(24, &[9; 4000]));
    assert!(play.has(Event::DataleakHeartbeatMismatch));
}

#[test]
fn sslv2_hello_is_tolerated() {
    let body = [&[1, 3, 1][..], &u16s(&[6, 0, 16]), &[0, 0, 0x2f, 1, 0, 0x80], &[7; 16]].concat();
    let hello = [&[0x80, body.len() as u8][..], &body].concat();
    let mut play = Play::new();
    assert_eq!(probe(ToServer, &hello), Probe::Yes);
    assert_eq!(play.say(ToServer, &hello), Outcome::Done);
    assert_eq!(play.tx().number("ssl_version", ToServer), Some(0x0301));
    play.say(ToClient, &record(22, &server_hello(0x0301, &[], &[])));
    assert_eq!(play.eve()["version"], "TLSv1");
}

#[test]
fn a_message_above_the_cap_is_passed_over() {
    let mut play = Play::new();
    let huge = handshake(11, &vec![0; MESSAGE_MAX + 10]);
    for piece in huge.chunks(RECORD_MAX - 100) {
        assert_eq!(play.say(ToClient, &record(22, piece)), Outcome::Done);
    }
    assert!(play.has(Event::HandshakeInvalidLength));
    play.say(ToClient, &record(22, &server_hello(0x0303, &[], &[])));
    assert_eq!(play.eve()["version"], "TLS 1.2");
}

#[test]
fn gaps() {
    let mut play = Play::new();
    play.say(ToServer, &record(22, &chrome()));
    play.say(ToClient, &record(22, &server_hello(0x0303, &[], &[])));
    // Inside a message: what follows it is read.
    let certificate = record(22, &[handshake(11, &[0; 2000]), handshake(14, &[])].concat());
    play.say(ToClient, &certificate[..500]);
    assert_eq!(play.parser.gap(ToClient, 1000, &mut play.cx), Outcome::Done);
    play.say(ToClient, &certificate[1500..]);
    assert_eq!(play.tx().progress(ToClient), state::SERVER_HELLO_DONE);
    // Inside encrypted data: nothing is lost.
    play.say(ToClient, &record(23, &[0; 9000])[..100]);
    play.parser.gap(ToClient, 8000, &mut play.cx);
    assert!(!play.cx.bypass);
    // Over a header: the end.
    play.parser.gap(ToClient, 5000, &mut play.cx);
    assert!(play.cx.bypass);
    assert_eq!(play.tx().progress(ToClient), state::SERVER_FINISHED);
}

#[test]
fn recognition() {
    let hello = record(22, &chrome());
    assert_eq!(probe(ToServer, &hello), Probe::Yes);
    assert_eq!(probe(ToServer, &hello[..3]), Probe::Unsure);
    assert_eq!(probe(ToServer, &record(22, &server_hello(0x0303, &[], &[]))), Probe::Reversed);
    assert_eq!(probe(ToClient, &record(22, &server_hello(0x0303, &[], &[]))), Probe::Yes);
    assert_eq!(probe(ToServer, b"GET / HTTP/1.1\r\n"), Probe::No);
}

#[test]
fn grease_values_are_sixteen() {
    assert_eq!((0..=u16::MAX).filter(|v| is_grease(*v)).count(), 16);
    assert!(is_grease(0x0a0a) && is_grease(0xfafa) && !is_grease(0x0a1a));
}

#[test]
fn encryption_handling() {
    for (handling, bypass, no_raw) in
        [("track-only", false, true), ("bypass", true, true), ("full", false, false)]
    {
        let config = serde_json::json!({ "encryption-handling": handling });
        let mut play = Play { parser: TlsParser::new(&config), cx: ParseCx::default() };
        play.say(ToServer, &record(22, &chrome()));
        play.say(ToClient, &[record(22, &server_hello(0x0303, &[], &[])), record(23, &[0; 9])].concat());
        play.say(ToServer, &record(23, &[0; 9]));
        assert_eq!((play.cx.bypass, play.cx.no_raw), (bypass, no_raw), "{handling}");
    }
}

/// Feeds a stream in the given chunks the way the driver does.
fn feed(dir: Dir, data: &[u8], cuts: &[usize]) -> Play {
    let mut play = Play::new();
    let mut held: Vec<u8> = Vec::new();
    let (mut at, mut wanted) = (0, 0);
    for cut in cuts.iter().copied().chain([data.len()]) {
        let end = (at + cut).min(data.len());
        held.extend(&data[at..end]);
        at = end;
        if held.is_empty() || held.len() < wanted {
            continue;
        }
        match play.say(dir, &held) {
            Outcome::Done => {
                held.clear();
                wanted = 0;
            }
            Outcome::NeedMore { consumed, needed } => {
                held.drain(..consumed);
                assert!(needed > held.len() && needed < 1 << 16);
                wanted = needed;
            }
            Outcome::Broken => break,
        }
    }
    play
}

fn state_of(play: &Play) -> String {
    let meta = play.tx().meta();
    format!("{} {:x} {:?}", play.eve(), meta.events, Dir::BOTH.map(|d| play.tx().progress(d)))
}

/// Streams of records with hellos and noise, whose handshake bytes are cut over records anywhere.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let noise =
        (0u8..26, prop::collection::vec(any::<u8>(), 0..60)).prop_map(|(kind, body)| record(kind, &body));
    let said = (prop::collection::vec(any::<u8>(), 0..50), 1usize..400).prop_map(|(tail, size)| {
        let flight = [
            server_hello(0x0303, &[], &[]),
            handshake(11, &vec24(&vec24(CERT))),
            handshake(14, &tail),
            chrome(),
        ];
        flight.concat().chunks(size).flat_map(|piece| record(22, piece)).collect::<Vec<u8>>()
    });
    prop::collection::vec(prop_oneof![3 => said, 1 => noise], 1..4).prop_map(|parts| {
        let all = parts.concat();
        all.get(..20_000).map(<[u8]>::to_vec).unwrap_or(all)
    })
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same(data in streams(), cuts in prop::collection::vec(1usize..300, 0..120), server in any::<bool>()) {
        let dir = if server { ToClient } else { ToServer };
        // How many records come in one call depends on the chunks by its nature.
        let clear = |mut text: String, play: &Play| {
            if play.has(Event::TooManyRecordsInPacket) { text.clear(); }
            text
        };
        let (cut, whole) = (feed(dir, &data, &cuts), feed(dir, &data, &[]));
        prop_assume!(!whole.has(Event::TooManyRecordsInPacket));
        prop_assert_eq!(clear(state_of(&cut), &cut), clear(state_of(&whole), &whole));
    }

    #[test]
    fn any_bytes(data in prop::collection::vec(any::<u8>(), 0..600), cuts in prop::collection::vec(1usize..40, 0..40), server in any::<bool>()) {
        let dir = if server { ToClient } else { ToServer };
        state_of(&feed(dir, &data, &cuts));
        state_of(&feed(dir, &record(22, &data), &cuts));
        probe(dir, &data);
        let mut events = 0;
        Hello::client(&data, &mut |_| events += 1);
        Hello::server(&data, &mut |_| events += 1);
        Hello::client_v2(&data);
        cert::Chain::read(&vec24(&vec24(&data)), &mut |_| events += 1);
    }

    #[test]
    fn a_certificate_with_any_byte_changed(at in 0usize..CERT.len(), byte in any::<u8>()) {
        let mut der = CERT.to_vec();
        der[at] = byte;
        state_of(&feed(ToClient, &record(22, &handshake(11, &vec24(&vec24(&der)))), &[]));
    }
}
