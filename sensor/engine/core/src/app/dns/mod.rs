//! DNS over UDP and TCP (RFC 1035). Every message is a transaction of its own, as in Suricata 8: a request has only the
//! side to the server, a response only the side to the client. Answers are not matched to their questions here.

pub(super) mod log;
mod log_v2;
pub(super) mod message;
pub(super) mod options;
mod reader;
pub mod rrtype;
mod tx;

#[cfg(test)]
mod tests;

use super::queue::{answers_from_queue, Queue};
use super::{Buffer, Number, Outcome, ParseCx, Parser, Probe, Protocol, Recognise};
use crate::direction::{Dir, PerDir};
use message::{Header, Message, Oddity, HEADER_LEN};
use options::Options;
use reader::{be16, plausible_name};
pub(super) use tx::DnsTx;

/// Bytes of the length that stands before a message on TCP (RFC 1035 section 4.2.2).
const PREFIX_LEN: usize = 2;
/// Transactions one flow may hold: one 64 KiB chunk of the smallest messages makes about this many. Beyond it the oldest go.
const LIVE_TX_MAX: usize = 4096;
/// The frame of a message, without the length before it.
const PDU: u8 = 0;
/// Progress of a whole message.
const COMPLETE: u8 = 1;

/// Indexed by `message::Oddity`.
pub(super) const EVENTS: &[&str] = &[
    "malformed_data",
    "not_request",
    "not_response",
    "z_flag_set",
    "invalid_opcode",
    "name_too_long",
    "infinite_loop",
    "too_many_labels",
    "invalid_additionals",
    "invalid_authorities",
];

const BOTH: PerDir<Option<u8>> = PerDir::new(Some(COMPLETE), Some(COMPLETE));
const REQUEST: PerDir<Option<u8>> = PerDir::new(Some(COMPLETE), None);
const RESPONSE: PerDir<Option<u8>> = PerDir::new(None, Some(COMPLETE));

const fn names(
    name: &'static str,
    aliases: &'static [&'static str],
    progress: PerDir<Option<u8>>,
    doc: &'static str,
) -> Buffer {
    Buffer { name, aliases, modifier: None, progress, multi: true, streaming: false, doc }
}

/// Indexed by the constants in `tx`.
pub(super) const BUFFERS: &[Buffer] = &[
    names("dns.query", &["dns_query"], REQUEST, "Each name asked for in a request, e.g. `www.example.com`."),
    names(
        "dns.queries.rrname",
        &["dns.query.name"],
        BOTH,
        "Each name in the query section, of requests and responses.",
    ),
    names("dns.answers.rrname", &["dns.answer.name"], BOTH, "The name of each record in the answer section."),
    names("dns.authorities.rrname", &[], BOTH, "The name of each record in the authority section."),
    names("dns.additionals.rrname", &[], BOTH, "The name of each record in the additional section."),
    names(
        "dns.response.rrname",
        &[],
        RESPONSE,
        "Every name in a response: of queries and records, and inside record data.",
    ),
];

pub(super) const NUMBERS: &[Number] = &[
    Number {
        name: "dns.opcode",
        aliases: &[],
        dir: None,
        max: 15,
        words: &[("query", 0), ("iquery", 1), ("status", 2), ("notify", 4), ("update", 5)],
        flags: false,
        doc: "Opcode of a DNS message.",
    },
    Number {
        name: "dns.rcode",
        aliases: &[],
        dir: None,
        max: 65_535,
        words: &[
            ("noerror", 0),
            ("formerr", 1),
            ("servfail", 2),
            ("nxdomain", 3),
            ("notimp", 4),
            ("refused", 5),
            ("yxdomain", 6),
            ("yxrrset", 7),
            ("nxrrset", 8),
            ("notauth", 9),
            ("notzone", 10),
        ],
        flags: false,
        doc: "Response code of a DNS message.",
    },
    Number {
        name: "dns.rrtype",
        aliases: &[],
        dir: None,
        max: 65_535,
        words: &[
            ("a", 1),
            ("ns", 2),
            ("cname", 5),
            ("soa", 6),
            ("null", 10),
            ("ptr", 12),
            ("hinfo", 13),
            ("mx", 15),
            ("txt", 16),
            ("aaaa", 28),
            ("srv", 33),
            ("naptr", 35),
            ("ds", 43),
            ("rrsig", 46),
            ("dnskey", 48),
            ("tlsa", 52),
            ("svcb", 64),
            ("https", 65),
            ("any", 255),
            ("caa", 257),
        ],
        flags: false,
        doc: "Type of a record in a DNS message.",
    },
];

pub static DNS: Protocol = Protocol {
    name: "dns",
    aliases: &[],
    tcp: true,
    udp: true,
    doc: "The Domain Name System over UDP and TCP. Each message is a transaction of its own and gives one `dns` event.",
    recognise: Recognise {
        patterns: &[],
        probe: Some(probe),
        tcp_ports: &[53],
        udp_ports: &[53],
    },
    new: |config| Box::new(DnsParser::new(Options::new(config))),
    buffers: BUFFERS,
    numbers: NUMBERS,
    frames: &["pdu"],
    events: EVENTS,
    states: PerDir::new(
        &["request_started", "request_complete"],
        &["response_started", "response_complete"],
    ),
    complete: PerDir::new(COMPLETE, COMPLETE),
    log_at: PerDir::new(COMPLETE, COMPLETE),
    record: "dns",
};

/// A message that another protocol carried (DNS over HTTP/2), as a transaction that belongs to it.
pub(super) fn message_of(id: u64, dir: Dir, data: &[u8]) -> Option<DnsTx> {
    Some(DnsTx::new(id, dir, Message::read(data)?))
}

/// Recognises the first bytes of a direction, be they a datagram or a stream with its length prefix: the two forms
/// cannot both be plausible, since a prefix read as an id makes the id the flags and the flags the number of queries.
fn probe(dir: Dir, data: &[u8]) -> Probe {
    match plausible(data, data.len()) {
        Some(header) => found(dir, header),
        None => probe_stream(dir, data),
    }
}

fn probe_stream(dir: Dir, data: &[u8]) -> Probe {
    let Some(len) = be16(data, 0).map(usize::from) else {
        return Probe::Unsure;
    };
    let body = data.get(PREFIX_LEN..).unwrap_or_default();
    if len < HEADER_LEN {
        return Probe::No;
    }
    if body.len() < HEADER_LEN {
        return Probe::Unsure;
    }
    match plausible(body.get(..len).unwrap_or(body), len) {
        Some(header) => found(dir, header),
        None => Probe::No,
    }
}

fn found(dir: Dir, header: Header) -> Probe {
    if header.is_response() && dir == Dir::ToServer {
        Probe::Reversed
    } else {
        Probe::Yes
    }
}

/// The header, when a message of `len` bytes that begins with `data` is plausible.
pub(super) fn plausible(data: &[u8], len: usize) -> Option<Header> {
    let header = Header::read(data)?;
    let [queries, rest @ ..] = header.counts.map(usize::from);
    let records = rest.iter().fold(0usize, |sum, n| sum.saturating_add(*n));
    // A query takes at least 5 bytes and a record 11, but announced counts are often lies; ask for 2 each.
    let least = queries.saturating_add(records).saturating_mul(2);
    let empty = queries == 0 && records == 0;
    if least > len.saturating_sub(HEADER_LEN) || (empty && len > HEADER_LEN) {
        return None;
    }
    plausible_name(data, HEADER_LEN).then_some(header)
}

/// The DNS state of one flow.
struct DnsParser {
    txs: Queue<DnsTx>,
    /// Bytes were lost: the next chunk is read only when it begins with a message.
    gap: PerDir<bool>,
    options: Options,
}

impl DnsParser {
    fn new(options: Options) -> DnsParser {
        DnsParser { txs: Queue::new(LIVE_TX_MAX), gap: PerDir::default(), options }
    }

    fn message(&mut self, dir: Dir, data: &[u8]) -> Outcome {
        let (mut message, outcome) = match Message::read(data) {
            Some(message) => (message, Outcome::Done),
            None => {
                let mut message = Message::default();
                message.mark(Oddity::MalformedData);
                (message, Outcome::Broken)
            }
        };
        if outcome == Outcome::Done {
            match (dir, message.header.is_response()) {
                (Dir::ToServer, true) => message.mark(Oddity::NotRequest),
                (Dir::ToClient, false) => message.mark(Oddity::NotResponse),
                _ => {}
            }
        }
        let wanted = self.options.wants(&message);
        let tx = self.txs.push(|id| DnsTx::new(id, dir, message));
        tx.form = self.options.form;
        if tx.form.old {
            // The old form names the ends as the request does, in answers too.
            tx.meta.record_dir = Some(Dir::ToServer);
        }
        // Without a header there is nothing to say in a record; the event says it.
        tx.meta.logged = outcome == Outcome::Broken || !wanted;
        outcome
    }

    fn stream(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Outcome {
        let mut at = 0usize;
        if self.gap[dir] {
            match probe_stream(dir, data) {
                Probe::Unsure => return Outcome::NeedMore { consumed: 0, needed: PREFIX_LEN + HEADER_LEN },
                Probe::No => return Outcome::Done,
                Probe::Yes | Probe::Reversed => self.gap[dir] = false,
            }
        }
        loop {
            let rest = data.get(at..).unwrap_or_default();
            if rest.is_empty() {
                return Outcome::Done;
            }
            let needed = match be16(rest, 0) {
                Some(len) => PREFIX_LEN.saturating_add(usize::from(len)),
                None => PREFIX_LEN,
            };
            let Some(message) = rest.get(PREFIX_LEN..needed).filter(|_| rest.len() >= PREFIX_LEN) else {
                return Outcome::NeedMore { consumed: at, needed };
            };
            cx.frame_of(
                PDU,
                at.saturating_add(PREFIX_LEN) as i64,
                Some(message.len() as u64),
                Some(self.txs.next_id()),
            );
            at = at.saturating_add(needed);
            if self.message(dir, message) == Outcome::Broken {
                return Outcome::Broken; // Shorter than a header: the framing is lost.
            }
        }
    }
}

impl Parser for DnsParser {
    fn parse(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Outcome {
        if !cx.datagram {
            return self.stream(dir, data, cx);
        }
        cx.frame_of(PDU, 0, Some(data.len() as u64), Some(self.txs.next_id()));
        // A bad datagram says nothing of the next one.
        self.message(dir, data);
        Outcome::Done
    }

    fn gap(&mut self, dir: Dir, _len: u64, _cx: &mut ParseCx) -> Outcome {
        self.gap[dir] = true;
        Outcome::Done
    }

    answers_from_queue!();
}
