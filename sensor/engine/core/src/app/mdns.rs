//! Multicast DNS over UDP (RFC 6762): the messages of DNS, sent to everybody. Each message is a transaction; an answer may come
//! in either direction of a flow, since nobody asked the sender in particular.

use super::dns::log::{name, opt, soa, srv, sshfp, strings, Full};
use super::dns::message::{Message, Oddity, Rdata, Record};
use super::dns::{self, rrtype};
use super::queue::{answers_from_queue, Queue};
use super::{
    Buffer, LogFor, Outcome, ParseCx, Parser, Probe, Protocol, Recognise, Transaction, TxMeta, View,
};
use crate::direction::{Dir, PerDir};
use crate::json::JsonWriter;

/// Transactions one flow may hold; they go as soon as they are logged.
const LIVE_TX_MAX: usize = 1024;

/// Frames, indexes in `MDNS.frames`.
const FRAME_PDU: u8 = 0;

const QUERIES_RRNAME: usize = 0;
const ANSWERS_RRNAME: usize = 1;
const AUTHORITIES_RRNAME: usize = 2;
const ADDITIONALS_RRNAME: usize = 3;
const RESPONSE_RRNAME: usize = 4;

const fn names(name: &'static str, doc: &'static str) -> Buffer {
    let progress = PerDir::new(Some(1), Some(1));
    Buffer { name, aliases: &[], modifier: None, progress, multi: true, streaming: false, doc }
}

/// Indexed by the constants above.
const BUFFERS: &[Buffer] = &[
    names("mdns.queries.rrname", "Each name in the query section of a multicast DNS message."),
    names("mdns.answers.rrname", "The name of each record in the answer section of a multicast DNS message."),
    names(
        "mdns.authorities.rrname",
        "The name of each record in the authority section of a multicast DNS message.",
    ),
    names(
        "mdns.additionals.rrname",
        "The name of each record in the additional section of a multicast DNS message.",
    ),
    names(
        "mdns.response.rrname",
        "Every name in a multicast DNS response: of queries and records, and inside record data.",
    ),
];

pub static MDNS: Protocol = Protocol {
    name: "mdns",
    aliases: &[],
    tcp: false,
    udp: true,
    doc: "Multicast DNS over UDP. Each message is a transaction of its own and gives one `mdns` event.",
    recognise: Recognise { patterns: &[], probe: Some(probe), tcp_ports: &[], udp_ports: &[5353] },
    new: |_config| Box::new(MdnsParser { txs: Queue::new(LIVE_TX_MAX) }),
    buffers: BUFFERS,
    numbers: &[],
    frames: &["pdu"],
    events: dns::EVENTS,
    states: PerDir::new(&["request_started", "request_complete"], &["response_started", "response_complete"]),
    complete: PerDir::new(1, 1),
    log_at: PerDir::new(1, 1),
    record: "mdns",
};

fn probe(_dir: Dir, data: &[u8]) -> Probe {
    match dns::plausible(data, data.len()) {
        Some(_) => Probe::Yes,
        None => Probe::No,
    }
}

struct MdnsParser {
    txs: Queue<MdnsTx>,
}

impl Parser for MdnsParser {
    fn parse(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Outcome {
        cx.frame(FRAME_PDU, 0, Some(data.len() as u64));
        let found = Message::read(data);
        self.txs.push(|id| {
            let mut meta = TxMeta::new(id);
            meta.skip[dir.opposite()] = true;
            // Without a header there is nothing to say in a record; the event says it.
            meta.logged = found.is_none();
            let message = found.unwrap_or_else(|| {
                let mut message = Message::default();
                message.mark(Oddity::MalformedData);
                message
            });
            meta.events = u128::from(message.oddities);
            MdnsTx { meta, dir, message }
        });
        Outcome::Done
    }

    answers_from_queue!();
}

struct MdnsTx {
    meta: TxMeta,
    dir: Dir,
    message: Message,
}

impl Transaction for MdnsTx {
    fn meta(&self) -> &TxMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut TxMeta {
        &mut self.meta
    }
    /// A message is whole when it becomes a transaction.
    fn progress(&self, _dir: Dir) -> u8 {
        1
    }

    fn buffer(&self, local: usize, index: usize, dir: Dir) -> Option<View<'_>> {
        if dir != self.dir {
            return None;
        }
        let message = &self.message;
        let of = |records: &[Record]| records.get(index).map(|r| r.name);
        let name = match local {
            QUERIES_RRNAME => message.queries.get(index)?.name,
            ANSWERS_RRNAME => of(&message.answers)?,
            AUTHORITIES_RRNAME => of(&message.authorities)?,
            ADDITIONALS_RRNAME => of(&message.additionals)?,
            RESPONSE_RRNAME if message.header.is_response() => message.response_name(index)?,
            _ => return None,
        };
        Some(View::whole(message.name(name)))
    }

    fn log(&self, out: &mut JsonWriter, _what: LogFor) {
        let message = &self.message;
        out.str("type", if message.header.is_response() { "response" } else { "request" });
        if !message.queries.is_empty() {
            out.open_array("queries");
            for query in &message.queries {
                out.open();
                name(message, "rrname", "rrname_truncated", query.name, out);
                log_type(query.rrtype, out);
                out.close();
            }
            out.close_array();
        }
        for (key, records) in [
            ("answers", &message.answers),
            ("authorities", &message.authorities),
            ("additionals", &message.additionals),
        ] {
            if records.is_empty() {
                continue;
            }
            out.open_array(key);
            records.iter().for_each(|record| log_record(message, record, out));
            out.close_array();
        }
    }
}

/// A record; its data stands under the name of its type.
fn log_record(message: &Message, record: &Record, out: &mut JsonWriter) {
    out.open();
    name(message, "rrname", "rrname_truncated", record.name, out);
    log_type(record.rrtype, out);
    out.uint("ttl", u64::from(record.ttl));
    match record.data {
        Rdata::A([a, b, c, d]) => out.fmt("a", format_args!("{a}.{b}.{c}.{d}")),
        Rdata::Aaaa(bytes) => out.fmt("aaaa", format_args!("{}", Full(bytes))),
        Rdata::Name(inner) => match record.rrtype {
            rrtype::CNAME => name(message, "cname", "cname_truncated", inner, out),
            rrtype::NS => name(message, "ns", "ns_truncated", inner, out),
            rrtype::MX => name(message, "mx", "mx_truncated", inner, out),
            _ => name(message, "ptr", "ptr_truncated", inner, out),
        },
        Rdata::Txt(span) => {
            out.open_array("txt");
            strings(message.text(span)).for_each(|text| out.item_bytes(text));
            out.close_array();
        }
        Rdata::Null(span) => out.bytes("null", message.text(span)),
        Rdata::Soa(ref value) => {
            out.open_object("soa");
            soa(message, value, out);
            out.close();
        }
        Rdata::Srv { .. } => {
            out.open_object("srv");
            srv(message, &record.data, out);
            out.close();
        }
        Rdata::Sshfp { .. } => {
            out.open_object("sshfp");
            sshfp(message, &record.data, out);
            out.close();
        }
        Rdata::Opt(span) => opt(message, span, out),
        Rdata::Other => {}
    }
    out.close();
}

fn log_type(value: u16, out: &mut JsonWriter) {
    match rrtype::name(value) {
        Some(text) => out.str("rrtype", &text.to_ascii_lowercase()),
        None => out.fmt("rrtype", format_args!("{value}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const QUERY: &[u8] = b"\0\0\0\0\0\x01\0\0\0\0\0\0\x04_ipp\x04_tcp\x05local\0\0\x0c\0\x01";
    const ANSWER: &[u8] =
        b"\0\0\x84\0\0\0\0\x02\0\0\0\0\x01h\x05local\0\0\x10\0\x01\0\0\0\x78\0\x06\x03a=1\x01b\
        \x04_ipp\xc0\x0e\0\x0c\0\x01\0\0\0\x0a\0\x02\xc0\x0c";

    fn parsed(data: &[u8]) -> Box<dyn Parser> {
        let mut parser = (MDNS.new)(&serde_json::Value::Null);
        let mut cx = ParseCx { datagram: true, ..ParseCx::default() };
        assert_eq!(parser.parse(Dir::ToServer, data, &mut cx), Outcome::Done);
        parser
    }

    fn record(data: &[u8]) -> serde_json::Value {
        let mut out = JsonWriter::new();
        out.open();
        parsed(data).tx(0).unwrap().log(&mut out, LogFor::Record);
        out.close();
        serde_json::from_slice(out.as_bytes()).unwrap()
    }

    #[test]
    fn messages_are_logged_in_either_direction() {
        let query = json!({"type": "request", "queries": [{"rrname": "_ipp._tcp.local", "rrtype": "ptr"}]});
        assert_eq!(record(QUERY), query);
        let answer = json!({"type": "response", "answers": [
            {"rrname": "h.local", "rrtype": "txt", "ttl": 120, "txt": ["a=1", "b"]},
            {"rrname": "_ipp.local", "rrtype": "ptr", "ttl": 10, "ptr": "h.local"}]});
        assert_eq!(record(ANSWER), answer);
        assert_eq!(probe(Dir::ToServer, ANSWER), Probe::Yes);
    }

    #[test]
    fn names_are_there_for_rules() {
        let parser = parsed(ANSWER);
        let tx = parser.tx(0).unwrap();
        let all: Vec<&[u8]> =
            (0..).map_while(|n| tx.buffer(RESPONSE_RRNAME, n, Dir::ToServer)).map(|v| v.data).collect();
        assert_eq!(all, [&b"h.local"[..], b"_ipp.local", b"h.local"]);
        assert!(tx.buffer(QUERIES_RRNAME, 0, Dir::ToServer).is_none());
    }

    #[test]
    fn what_is_malformed_is_an_event() {
        for cut in 1..ANSWER.len() {
            let parser = parsed(&ANSWER[..cut]);
            assert!(parser.tx(0).unwrap().meta().events != 0, "{cut}");
        }
    }
}
