//! LDAP over TCP and UDP (RFC 4511, RFC 1798). A request and its responses, found by their message identifier, are one
//! transaction. After StartTLS the connection goes on as TLS.

mod log;
mod message;
mod names;
#[cfg(test)]
mod tests;
mod tx;

use super::ber::{Header, Trouble};
use super::queue::{answers_from_queue, Queue};
use super::{Buffer, Number, Outcome, ParseCx, Parser, Probe, Protocol, Recognise};
use crate::direction::{Dir, PerDir};
use message::{op, Body, Message, START_TLS};
pub use names::{OPERATIONS, RESULT_CODES};
use tx::LdapTx;
pub use tx::NO_NUMBER;

/// Longest message that is read; a longer one (a photograph, a certificate list) is stepped over.
const MESSAGE_MAX_BYTES: usize = 64 * 1024;
/// Exchanges one flow may have open (`max-tx`); beyond it the oldest is closed with an event.
const LIVE_TX_MAX: usize = 256;
/// Transactions, open or closed, held until they are inspected. Beyond it the oldest go.
const QUEUE_MAX: usize = 4096;
const COMPLETE: u8 = 1;

/// Codes of the events.
#[derive(Clone, Copy)]
enum Event {
    TooManyTransactions,
    InvalidData,
    RequestNotFound,
    TooManyResponses,
}

const REQUEST: PerDir<Option<u8>> = PerDir::new(Some(COMPLETE), None);
const RESPONSE: PerDir<Option<u8>> = PerDir::new(None, Some(COMPLETE));

const fn buffer(name: &'static str, progress: PerDir<Option<u8>>, multi: bool, doc: &'static str) -> Buffer {
    Buffer { name, aliases: &[], modifier: None, progress, multi, streaming: false, doc }
}

pub static LDAP: Protocol = Protocol {
    name: "ldap",
    aliases: &[],
    tcp: true,
    udp: true,
    doc: "The Lightweight Directory Access Protocol. A request with its responses gives one `ldap` event.",
    recognise: Recognise {
        patterns: &[],
        probe: Some(probe),
        tcp_ports: &[389, 3268],
        udp_ports: &[389, 3268],
    },
    new: |config| {
        let max = config.get("max-tx").and_then(|v| v.as_u64()).and_then(|n| usize::try_from(n).ok());
        Box::new(LdapParser::new(max.unwrap_or(LIVE_TX_MAX).clamp(1, QUEUE_MAX)))
    },
    // Indexed by the constants in `tx`.
    buffers: &[
        buffer("ldap.request.dn", REQUEST, false, "The distinguished name a request is about."),
        buffer("ldap.request.attribute_type", REQUEST, true, "Each attribute type a request names."),
        buffer("ldap.request.attributes", REQUEST, true, "Each attribute of a request as `type=value`."),
        buffer(
            "ldap.responses.dn",
            RESPONSE,
            true,
            "The distinguished name of each response, if it has one.",
        ),
        buffer("ldap.responses.message", RESPONSE, true, "The diagnostic message of each response."),
        buffer("ldap.responses.attribute_type", RESPONSE, true, "Each attribute type of found entries."),
        buffer(
            "ldap.responses.attributes",
            RESPONSE,
            true,
            "Each attribute of found entries as `type=value`.",
        ),
    ],
    numbers: &[
        Number {
            name: "ldap.request.operation",
            aliases: &[],
            dir: Some(Dir::ToServer),
            max: 255,
            words: OPERATIONS,
            flags: false,
            doc: "Operation of an LDAP request, by number or name.",
        },
        Number {
            name: "ldap.responses.count",
            aliases: &[],
            dir: Some(Dir::ToClient),
            max: u32::MAX as u64,
            words: &[],
            flags: false,
            doc: "How many responses an LDAP request got.",
        },
    ],
    frames: &[],
    // Indexed by `Event`.
    events: &["too_many_transactions", "invalid_data", "request_not_found", "too_many_responses"],
    states: PerDir::new(&["request_started", "request_complete"], &["response_started", "response_complete"]),
    complete: PerDir::new(COMPLETE, COMPLETE),
    log_at: PerDir::new(COMPLETE, COMPLETE),
    record: "ldap",
};

fn probe(dir: Dir, data: &[u8]) -> Probe {
    match message::peek(data) {
        Ok((_, operation)) if dir == Dir::ToServer && !message::is_request(operation) => Probe::Reversed,
        Ok(_) => Probe::Yes,
        Err(Trouble::Short(_)) => Probe::Unsure,
        Err(Trouble::Malformed) => Probe::No,
    }
}

struct LdapParser {
    txs: Queue<LdapTx>,
    max_open: usize,
    open: usize,
    /// Bytes of a message that is stepped over.
    skip: PerDir<u64>,
    /// Bytes were lost: the next chunk is read only when it begins with a message.
    gap: PerDir<bool>,
    start_tls: bool,
}

impl LdapParser {
    fn new(max_open: usize) -> Self {
        LdapParser {
            txs: Queue::new(QUEUE_MAX),
            max_open,
            open: 0,
            skip: PerDir::default(),
            gap: PerDir::default(),
            start_tls: false,
        }
    }

    fn invalid(&mut self, dir: Dir) {
        let tx = self.txs.push(|id| LdapTx::alone(id, dir));
        tx.event(Event::InvalidData);
        tx.meta.logged = true;
    }

    fn request(&mut self, message: Message) {
        let named = matches!(&message.body, Body::Named { name: Some(name), .. } if name == START_TLS);
        self.start_tls |= message.operation == op::EXTENDED_REQUEST && named;
        let answered = !matches!(message.operation, op::UNBIND_REQUEST | op::ABANDON_REQUEST);
        self.txs.push(|id| LdapTx::request(id, message));
        if !answered {
            return;
        }
        self.open = self.open.saturating_add(1);
        if self.open > self.max_open {
            if let Some(oldest) = self.txs.find_mut(|tx| !tx.complete) {
                oldest.complete = true;
                oldest.event(Event::TooManyTransactions);
            }
            // Where there was none, the queue has dropped it and the count was too high.
            self.open = self.max_open;
        }
    }

    fn response(&mut self, message: Message, cx: &mut ParseCx) {
        let (id, operation) = (message.id, message.operation);
        let success = matches!(&message.body, Body::Result { outcome, .. } if outcome.code == 0);
        if operation == op::EXTENDED_RESPONSE && std::mem::take(&mut self.start_tls) && success {
            cx.upgrade = Some("tls");
        }
        let open = self.txs.find_last_mut(QUEUE_MAX, |tx| !tx.complete && tx.request_id() == Some(id));
        if let Some(tx) = open {
            tx.respond(message);
            // Entries, references and intermediate responses announce more.
            if !matches!(
                operation,
                op::SEARCH_RESULT_ENTRY | op::SEARCH_RESULT_REFERENCE | op::INTERMEDIATE_RESPONSE
            ) {
                tx.complete = true;
                self.open = self.open.saturating_sub(1);
            }
            return;
        }
        // An extended response nobody asked for is an unsolicited notification (RFC 4511 section 4.4).
        let unsolicited = operation == op::EXTENDED_RESPONSE;
        let tx = self.txs.push(|id| LdapTx::alone(id, Dir::ToClient));
        tx.respond(message);
        if !unsolicited {
            tx.event(Event::RequestNotFound);
        }
    }

    /// One whole message. False: it is none.
    fn message(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> bool {
        let Some(message) = Message::read(data) else {
            self.invalid(dir);
            return false;
        };
        match (dir, message.is_request()) {
            (Dir::ToServer, true) => self.request(message),
            (Dir::ToClient, false) => self.response(message, cx),
            _ => {
                self.invalid(dir);
                return false;
            }
        }
        true
    }

    fn stream(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Outcome {
        let skipped = self.skip[dir].min(data.len() as u64);
        self.skip[dir] = self.skip[dir].saturating_sub(skipped);
        let mut at = usize::try_from(skipped).unwrap_or(data.len());
        if self.gap[dir] && at < data.len() {
            match message::peek(data.get(at..).unwrap_or_default()) {
                Err(Trouble::Malformed) => return Outcome::Done,
                _ => self.gap[dir] = false,
            }
        }
        loop {
            let rest = data.get(at..).unwrap_or_default();
            if rest.is_empty() || cx.upgrade.is_some() {
                return Outcome::Done;
            }
            let total = match Header::read(rest) {
                Ok(header) => header.total().filter(|_| header.constructed),
                Err(Trouble::Short(needed)) => return Outcome::NeedMore { consumed: at, needed },
                Err(Trouble::Malformed) => None,
            };
            let Some(total) = total else {
                self.invalid(dir);
                return Outcome::Broken;
            };
            if total > MESSAGE_MAX_BYTES {
                if message::peek(rest) == Err(Trouble::Malformed) {
                    self.invalid(dir);
                    return Outcome::Broken;
                }
                self.skip[dir] = total.saturating_sub(rest.len()) as u64;
                at = at.saturating_add(total).min(data.len());
                continue;
            }
            let Some(message) = rest.get(..total) else {
                return Outcome::NeedMore { consumed: at, needed: total };
            };
            if !self.message(dir, message, cx) {
                return Outcome::Broken;
            }
            at = at.saturating_add(total);
        }
    }
}

impl Parser for LdapParser {
    fn parse(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Outcome {
        if !cx.datagram {
            return self.stream(dir, data, cx);
        }
        // A server may put several messages into one datagram, and a bad one says nothing of the next.
        let mut rest = data;
        while !rest.is_empty() {
            let total = Header::read(rest).ok().and_then(|h| h.total());
            let Some((message, tail)) = total.and_then(|total| rest.split_at_checked(total)) else {
                self.invalid(dir);
                break;
            };
            if !self.message(dir, message, cx) {
                break;
            }
            rest = tail;
        }
        Outcome::Done
    }
    fn gap(&mut self, dir: Dir, len: u64, _cx: &mut ParseCx) -> Outcome {
        // A gap inside a message that is stepped over anyway does no harm.
        if self.skip[dir] >= len {
            self.skip[dir] = self.skip[dir].saturating_sub(len);
        } else {
            self.skip[dir] = 0;
            self.gap[dir] = true;
        }
        Outcome::Done
    }
    answers_from_queue!();
}
