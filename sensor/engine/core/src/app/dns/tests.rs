use super::message::Message;
use super::reader::{NAME_MAX, TEXT_PER_BYTE};
use super::*;
use crate::app::{LogFor, Transaction};
use crate::json::JsonWriter;
use proptest::prelude::*;

fn udp() -> ParseCx {
    ParseCx { datagram: true, ..ParseCx::default() }
}

/// The wire form of "www.example.com".
fn wire(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.split('.').filter(|l| !l.is_empty()) {
        out.push(label.len() as u8);
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    out
}

fn header(id: u16, flags: u16, counts: [u16; 4]) -> Vec<u8> {
    [id, flags].iter().chain(&counts).flat_map(|n| n.to_be_bytes()).collect()
}

fn query(id: u16, name: &str) -> Vec<u8> {
    let mut out = header(id, 0x0100, [1, 0, 0, 0]);
    out.extend(wire(name));
    out.extend([0, 1, 0, 1]);
    out
}

fn record(name: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
    let mut out = name.to_vec();
    out.extend(kind.to_be_bytes());
    out.extend([0, 1, 0, 0, 0, 60]);
    out.extend((data.len() as u16).to_be_bytes());
    out.extend(data);
    out
}

fn framed(message: &[u8]) -> Vec<u8> {
    let mut out = (message.len() as u16).to_be_bytes().to_vec();
    out.extend(message);
    out
}

fn eve(tx: &dyn Transaction) -> serde_json::Value {
    let mut out = JsonWriter::new();
    out.open();
    tx.log(&mut out, LogFor::Record);
    out.close();
    serde_json::from_slice(out.as_bytes()).unwrap()
}

fn names_of(tx: &dyn Transaction, local: usize, dir: Dir) -> Vec<String> {
    (0..)
        .map_while(|i| tx.buffer(local, i, dir))
        .map(|v| String::from_utf8_lossy(v.data).into_owned())
        .collect()
}

fn one(dir: Dir, data: &[u8]) -> DnsParser {
    let mut parser = DnsParser::new(Options::default());
    assert_eq!(parser.parse(dir, data, &mut udp()), Outcome::Done);
    parser
}

#[test]
fn request_is_a_transaction_to_the_server() {
    let parser = one(Dir::ToServer, &query(7, "www.example.com"));
    let tx = parser.tx(0).unwrap();
    assert!(tx.meta().skip[Dir::ToClient] && !tx.meta().skip[Dir::ToServer]);
    assert_eq!(names_of(tx, tx::QUERY, Dir::ToServer), ["www.example.com"]);
    assert!(tx.buffer(tx::QUERY, 0, Dir::ToClient).is_none());
    assert_eq!(tx.number("dns.rrtype", Dir::ToServer), Some(1));
    let expected = serde_json::json!({"version": 3, "type": "request", "tx_id": 0, "id": 7, "flags": "100", "rd": true,
        "opcode": 0, "rcode": "NOERROR", "queries": [{"rrname": "www.example.com", "rrtype": "A"}]});
    assert_eq!(eve(tx), expected);
}

#[test]
fn response_prints_every_kind_of_data() {
    let p = [0xc0, 12];
    let mut soa = wire("ns.a");
    soa.extend(wire("root.a"));
    soa.extend((1u32..=5).flat_map(u32::to_be_bytes));
    let mut v6 = [0u8; 16];
    v6[0] = 0x20;
    v6[15] = 1;
    let answers = [
        record(&p, rrtype::A, &[1, 2, 3, 4]),
        record(&p, rrtype::AAAA, &v6),
        record(&p, rrtype::CNAME, &[1, b'c', 0xc0, 12]),
        record(&p, rrtype::MX, &[0, 5, 1, b'm', 0xc0, 12]),
        record(&p, rrtype::TXT, b"\x03one\x03two"),
        record(&p, rrtype::NULL, b"n\x00\xff"),
        record(&p, rrtype::SOA, &soa),
        record(&p, rrtype::SRV, &[0, 1, 0, 2, 0, 3, 1, b's', 0]),
        record(&p, rrtype::SSHFP, &[1, 2, 0xaa, 0xbb]),
        record(&p, 64000, b"?"),
    ];
    let mut data = header(1, 0x8583, [1, answers.len() as u16, 0, 1]);
    data.extend(wire("a.b"));
    data.extend([0, 1, 0, 1]);
    data.extend(answers.concat());
    data.extend(record(&[0], rrtype::OPT, &[0, 3, 0, 2, b'h', b'i']));
    let parser = one(Dir::ToClient, &data);
    let tx = parser.tx(0).unwrap();
    assert_eq!(tx.meta().events, 0);
    let eve = eve(tx);
    assert_eq!(eve["rcode"], "NXDOMAIN");
    assert_eq!((&eve["qr"], &eve["aa"], &eve["ra"]), (&true.into(), &true.into(), &true.into()));
    let a = &eve["answers"];
    assert_eq!(a[0]["rdata"], "1.2.3.4");
    assert_eq!(a[1]["rdata"], "2000:0000:0000:0000:0000:0000:0000:0001");
    assert_eq!((&a[2]["rdata"], &a[3]["rdata"]), (&"c.a.b".into(), &"m.a.b".into()));
    assert_eq!((&a[4]["rdata"], &a[5]["rdata"]), (&"one".into(), &"two".into()));
    assert_eq!(a[6]["rdata"], "n\0\\xff");
    assert_eq!((&a[7]["soa"]["mname"], &a[7]["soa"]["minimum"]), (&"ns.a".into(), &5.into()));
    assert_eq!((&a[8]["srv"]["port"], &a[8]["srv"]["name"]), (&3.into(), &"s".into()));
    assert_eq!(a[9]["sshfp"], serde_json::json!({"fingerprint": "aa:bb", "algo": 1, "type": 2}));
    assert_eq!(a[10], serde_json::json!({"rrname": "a.b", "rrtype": "64000", "ttl": 60}));
    assert_eq!(eve["grouped"]["TXT"], serde_json::json!(["one", "two"]));
    assert_eq!(eve["grouped"]["MX"][0], "m.a.b");
    assert_eq!(eve["additionals"][0]["opt"], serde_json::json!([{"code": 3, "data": "6869"}]));
    let names = names_of(tx, tx::RESPONSE_RRNAME, Dir::ToClient);
    assert_eq!(names.len(), 1 + 10 + 1 + 4);
    assert!(names.contains(&"ns.a".to_owned()) && names.contains(&"m.a.b".to_owned()));
}

#[test]
fn oddities_become_events() {
    let event = |dir, data: &[u8]| one(dir, data).tx(0).unwrap().meta().events;
    let bit = |o: Oddity| 1u128 << o as u8;
    let with = |flags: u16| {
        let mut data = query(1, "a");
        data[2..4].copy_from_slice(&flags.to_be_bytes());
        data
    };
    assert_eq!(event(Dir::ToServer, &with(0x0040)), bit(Oddity::ZFlagSet));
    assert_eq!(event(Dir::ToServer, &with(9 << 11)), bit(Oddity::InvalidOpcode));
    assert_eq!(event(Dir::ToServer, &with(0x8000)), bit(Oddity::NotRequest));
    assert_eq!(event(Dir::ToClient, &with(0)), bit(Oddity::NotResponse));
    assert_eq!(event(Dir::ToServer, b"short"), bit(Oddity::MalformedData));
    let mut itself = header(1, 0, [1, 0, 0, 0]);
    itself.extend([0xc0, 12, 0, 1, 0, 1]);
    assert_eq!(event(Dir::ToServer, &itself), bit(Oddity::InfiniteLoop));
    let long = vec!["x".repeat(63); 20].join(".");
    assert_eq!(event(Dir::ToServer, &query(1, &long)), bit(Oddity::NameTooLong));
    let parser = one(Dir::ToServer, &query(1, &long));
    assert_eq!(names_of(parser.tx(0).unwrap(), tx::QUERY, Dir::ToServer)[0].len(), NAME_MAX);
    assert_eq!(eve(parser.tx(0).unwrap())["queries"][0]["rrname_truncated"], true);
    assert_eq!(event(Dir::ToServer, &query(1, &vec!["x"; 300].join("."))), bit(Oddity::TooManyLabels));
    let mut lies = query(1, "a");
    lies[11] = 1;
    assert_eq!(event(Dir::ToServer, &lies), bit(Oddity::InvalidAdditionals));
    let mut lies = query(1, "a");
    lies[9] = 1;
    assert_eq!(event(Dir::ToServer, &lies), bit(Oddity::InvalidAuthorities));
}

#[test]
fn a_pointer_may_point_forward() {
    let mut data = header(1, 0x0100, [2, 0, 0, 0]);
    data.extend([0xc0, 18, 0, 1, 0, 1]);
    data.extend(wire("later.example"));
    data.extend([0, 1, 0, 1]);
    let parser = one(Dir::ToServer, &data);
    let names = names_of(parser.tx(0).unwrap(), tx::QUERY, Dir::ToServer);
    assert_eq!(names, ["later.example", "later.example"]);
}

#[test]
fn recognition() {
    let request = query(1, "www.example.com");
    let mut response = request.clone();
    response[2] = 0x81;
    assert_eq!(probe(Dir::ToServer, &request), Probe::Yes);
    assert_eq!(probe(Dir::ToServer, &framed(&request)), Probe::Yes);
    assert_eq!(probe(Dir::ToServer, &response), Probe::Reversed);
    assert_eq!(probe(Dir::ToServer, &framed(&response)), Probe::Reversed);
    assert_eq!(probe(Dir::ToClient, &framed(&response)), Probe::Yes);
    assert_eq!(probe(Dir::ToServer, &framed(&request)[..5]), Probe::Unsure);
    assert_eq!(probe(Dir::ToServer, &framed(&request)[..16]), Probe::Yes);
    for other in [&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], b"SSH-2.0-OpenSSH_9.2\r\n", &[0xff; 64]] {
        assert_eq!(probe(Dir::ToServer, other), Probe::No);
    }
}

#[test]
fn a_gap_is_left_at_the_next_message() {
    let mut parser = DnsParser::new(Options::default());
    let mut cx = ParseCx::default();
    let message = framed(&query(1, "www.example.com"));
    assert!(matches!(parser.parse(Dir::ToServer, &message[..20], &mut cx), Outcome::NeedMore { .. }));
    assert_eq!(parser.gap(Dir::ToServer, 10, &mut cx), Outcome::Done);
    assert_eq!(parser.parse(Dir::ToServer, b"rest of something", &mut cx), Outcome::Done);
    assert_eq!(parser.tx_ids(), 0..0);
    assert_eq!(parser.parse(Dir::ToServer, &message, &mut cx), Outcome::Done);
    assert_eq!(parser.tx_ids(), 0..1);
    parser.drop_tx(0);
    assert_eq!(parser.tx_ids(), 1..1);
    assert!(parser.tx(0).is_none());
}

#[test]
fn text_of_a_message_stays_in_proportion() {
    // Every record points at another place of one long name, so that no name is remembered.
    let mut data = header(1, 0x8000, [0, 5000, 0, 0]);
    for at in 0..5000u16 {
        data.extend(record(&(0xc000 | (12 + at % 16000)).to_be_bytes(), 64000, &[]));
    }
    data.extend(vec![1u8; 600]);
    data.push(0);
    let parser = one(Dir::ToClient, &data);
    let total: usize = (0..)
        .map_while(|i| parser.tx(0)?.buffer(tx::ANSWERS_RRNAME, i, Dir::ToClient))
        .map(|v| v.data.len())
        .sum();
    assert!(total <= data.len() * TEXT_PER_BYTE + 2 * 4096, "{total} bytes of text from {}", data.len());
}

/// RFC 1035 section 4.1.4 written as plainly as can be: the name at `at`, when each pointer points before `floor`, where
/// the labels it ends began.
fn naive_name(data: &[u8], at: usize, floor: usize) -> Option<Vec<u8>> {
    let byte = *data.get(at)?;
    if byte == 0 {
        return Some(Vec::new());
    }
    if byte >= 0xc0 {
        let target = usize::from(byte & 0x3f) << 8 | usize::from(*data.get(at + 1)?);
        return if target < floor { naive_name(data, target, target) } else { None };
    }
    if byte >= 64 {
        return None;
    }
    let end = at + 1 + usize::from(byte);
    let mut name = data.get(at + 1..end)?.to_vec();
    let rest = naive_name(data, end, floor)?;
    if !rest.is_empty() {
        name.push(b'.');
        name.extend(rest);
    }
    Some(name)
}

/// Feeds a stream in the given chunks the way the driver does.
fn feed(data: &[u8], cuts: &[usize]) -> DnsParser {
    let mut parser = DnsParser::new(Options::default());
    let mut cx = ParseCx::default();
    let mut held: Vec<u8> = Vec::new();
    let mut wanted = 0;
    let mut at = 0;
    for cut in cuts.iter().copied().chain([data.len()]) {
        let end = (at + cut).min(data.len());
        held.extend(&data[at..end]);
        at = end;
        if held.is_empty() || held.len() < wanted {
            continue;
        }
        match parser.parse(Dir::ToServer, &held, &mut cx) {
            Outcome::Done => {
                held.clear();
                wanted = 0;
            }
            Outcome::NeedMore { consumed, needed } => {
                held.drain(..consumed);
                assert!(needed > held.len() && needed <= PREFIX_LEN + usize::from(u16::MAX));
                wanted = needed;
            }
            Outcome::Broken => break,
        }
    }
    parser
}

fn records_of(parser: &DnsParser) -> Vec<String> {
    parser
        .tx_ids()
        .filter_map(|id| parser.tx(id))
        .map(|tx| format!("{} {:x}", eve(tx), tx.meta().events))
        .collect()
}

/// Bytes that look like DNS often enough to reach every branch.
fn dnsish() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(0u8), Just(1), Just(0xc0), 0u8..70, any::<u8>()];
    let body = prop::collection::vec(byte, 0..120);
    (any::<u16>(), any::<u16>(), prop::array::uniform4(0u16..4), body).prop_map(
        |(id, flags, counts, body)| {
            let mut out = header(id, flags, counts);
            out.extend(body);
            out
        },
    )
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same(messages in prop::collection::vec(dnsish(), 1..6), cuts in prop::collection::vec(1usize..40, 0..40)) {
        let stream: Vec<u8> = messages.iter().flat_map(|m| framed(m)).collect();
        prop_assert_eq!(records_of(&feed(&stream, &cuts)), records_of(&feed(&stream, &[])));
        prop_assert_eq!(feed(&stream, &[]).tx_ids().end, messages.len() as u64);
    }

    #[test]
    fn any_bytes(data in prop::collection::vec(any::<u8>(), 0..400), cuts in prop::collection::vec(1usize..40, 0..40)) {
        records_of(&feed(&data, &cuts));
        records_of(&one(Dir::ToClient, &data));
        probe(Dir::ToServer, &data);
    }

    #[test]
    fn first_name_agrees_with_the_plain_reading(data in dnsish()) {
        let message = Message::read(&data).unwrap();
        let backwards = naive_name(&data, HEADER_LEN, HEADER_LEN);
        if let (Some(query), Some(expected)) = (message.queries.first(), backwards) {
            prop_assert_eq!(message.name(query.name), &expected[..]);
        }
    }
}
