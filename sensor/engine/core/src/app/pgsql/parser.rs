//! Messages of both sides ("Message Flow"). Long ones are cut: what is behind the first `HELD_MAX` bytes is passed over. Rows
//! are counted without being held.

use super::request::{self, Request};
use super::response::{self, authentication};
use super::tx::PgsqlTx;
use super::{probe_request, probe_response, Event, HEADER_LEN, LENGTH_LEN, LENGTH_MAX};
use crate::app::queue::{answers_from_queue, Queue};
use crate::app::{Outcome, ParseCx, Parser, Probe, Transaction};
use crate::direction::{Dir, PerDir};
use crate::setting;
use serde_json::Value;
use std::collections::VecDeque;

/// Bytes of one message that are read; the longest query that is inspected.
const HELD_MAX: usize = 64 * 1024;
/// Length and code of a first message.
const START_LEN: usize = 8;
/// Transactions open at once (`max-tx`): queries a client may send ahead.
const OPEN_TX_MAX: usize = 1024;
/// Transactions held: those of one chunk that await their log, beside the open ones.
const LIVE_TX_MAX: usize = 4096;

pub struct PgsqlParser {
    txs: Queue<PgsqlTx>,
    /// Ids of those that await their answer, oldest first.
    open: VecDeque<u64>,
    /// Bytes of the message in hand still to be passed over.
    left: PerDir<u64>,
    /// Bytes were lost: a direction goes on where a message seems to begin.
    lost: PerDir<bool>,
    /// The next message of the client has no type.
    starting: bool,
    /// The next byte of the server answers a request for encryption.
    encryption_asked: bool,
    /// The server asked for SASL, so that the client's `p` is no password.
    sasl: Option<u32>,
    open_max: usize,
    passwords: bool,
}

impl PgsqlParser {
    pub fn new(config: &Value) -> PgsqlParser {
        PgsqlParser {
            txs: Queue::new(LIVE_TX_MAX),
            open: VecDeque::new(),
            left: PerDir::default(),
            lost: PerDir::default(),
            starting: true,
            encryption_asked: false,
            sasl: None,
            open_max: setting::count(&config["max-tx"]).unwrap_or(OPEN_TX_MAX).clamp(1, LIVE_TX_MAX),
            passwords: config.pointer("/log/passwords").and_then(setting::switch).unwrap_or(false),
        }
    }

    fn broken(&mut self, event: Event) -> Outcome {
        let passwords = self.passwords;
        match self.txs.last_mut() {
            Some(tx) => {
                tx.event(event);
                tx.finish();
            }
            None => self.txs.push(|id| PgsqlTx::new(id, Request::None, passwords)).only_event(event),
        }
        Outcome::Broken
    }

    /// Begins a transaction; one that has no answer is over at once. False: too many are open.
    fn begin(&mut self, request: Request, answered: bool) -> bool {
        let passwords = self.passwords;
        if self.open.len() >= self.open_max {
            self.broken(Event::TooManyTransactions);
            return false;
        }
        let tx = self.txs.push(|id| PgsqlTx::new(id, request, passwords));
        if answered {
            self.open.push_back(tx.meta().id);
        } else {
            tx.finish();
        }
        true
    }

    /// The transaction the server answers now.
    fn current(&mut self) -> Option<&mut PgsqlTx> {
        self.txs.typed_mut(*self.open.front()?)
    }

    /// The server has answered it.
    fn answered(&mut self) {
        if let Some(tx) = self.current() {
            tx.finish();
        }
        self.open.pop_front();
    }

    /// The first message of a connection.
    fn start(&mut self, data: &[u8]) -> Step {
        let (Some(len), Some(code)) = (u32_at(data, 0), u32_at(data, 4)) else {
            return Step::Need(START_LEN);
        };
        if !request::is_start(len, code) {
            // Picked up in the middle of a connection.
            self.starting = false;
            return Step::Again;
        }
        let total = usize::try_from(len).unwrap_or(usize::MAX);
        let Some(whole) = data.get(..total) else { return Step::Need(total) };
        let Some(request) = Request::read_start(whole) else { return Step::Malformed };
        let asks = matches!(request, Request::Ssl | Request::GssEncryption);
        let over = matches!(request, Request::Cancel { .. });
        self.starting = asks;
        self.encryption_asked = asks;
        if self.begin(request, !over) {
            Step::Taken(total)
        } else {
            Step::Over
        }
    }

    /// A typed message; `body` may be cut.
    fn request(&mut self, kind: u8, body: &[u8], len: u64) -> Step {
        let request = match kind {
            b'Q' => Request::Query(request::text(body).to_vec()),
            b'p' => match self.sasl {
                Some(authentication::SASL) => match request::sasl_initial(body) {
                    Some(request) => request,
                    None => return Step::Malformed,
                },
                Some(_) => Request::SaslResponse(body.to_vec()),
                None => Request::Password(request::text(body).to_vec()),
            },
            b'X' => Request::Terminate,
            b'd' => {
                // The transaction of the COPY ended when the server was ready for data; that is a request of its own.
                if let Some(Request::CopyData { messages, bytes }) = self.current().map(|tx| &mut tx.request)
                {
                    *messages = messages.saturating_add(1);
                    *bytes = bytes.saturating_add(len);
                    return Step::Taken(0);
                }
                Request::CopyData { messages: 1, bytes: len }
            }
            // The extended query protocol and the ends of COPY have no record.
            _ => return Step::Taken(0),
        };
        let over = matches!(request, Request::Terminate);
        if self.begin(request, !over) {
            Step::Taken(0)
        } else {
            Step::Over
        }
    }

    /// A message of the server; `body` may be cut, `len` is its whole length.
    fn response(&mut self, kind: u8, body: &[u8], len: u64) -> Step {
        let passwords = self.passwords;
        let Some(tx) = self.current() else {
            // Errors and notifications come unasked; of all else the request was not seen.
            if !matches!(kind, b'E' | b'A') {
                return Step::Taken(0);
            }
            let tx = self.txs.push(|id| PgsqlTx::new(id, Request::None, passwords));
            tx.unasked();
            let read = tx.response.message(kind, body);
            tx.finish();
            return if read.is_some() { Step::Taken(0) } else { Step::Malformed };
        };
        let answer = &mut tx.response;
        match kind {
            b'D' => {
                let columns = body.first_chunk::<2>().map_or(0, |n| u64::from(u16::from_be_bytes(*n)));
                answer.rows = answer.rows.saturating_add(1);
                // Behind the number of columns each value has a length of four bytes.
                let values = len.saturating_sub(2).saturating_sub(columns.saturating_mul(4));
                answer.rows_bytes = answer.rows_bytes.saturating_add(values);
            }
            b'd' => {
                answer.copied = answer.copied.saturating_add(1);
                answer.copied_bytes = answer.copied_bytes.saturating_add(len);
            }
            _ => {
                if answer.message(kind, body).is_none() {
                    return Step::Malformed;
                }
            }
        }
        let over = match kind {
            // Ready for the next request; ready to be sent data.
            b'Z' | b'G' => true,
            // The client is to answer; after the rest the server goes on.
            b'R' => !matches!(u32_at(body, 0), None | Some(authentication::OK | authentication::SASL_FINAL)),
            // During start-up an error ends the connection; after a query the server says when it is ready.
            b'E' => !matches!(tx.request, Request::Query(_) | Request::CopyData { .. }),
            _ => false,
        };
        if kind == b'R' {
            let is_sasl = |n: &u32| (authentication::SASL..=authentication::SASL_CONTINUE).contains(n);
            self.sasl = u32_at(body, 0).filter(is_sasl);
        }
        if over {
            self.answered();
        }
        Step::Taken(0)
    }

    /// The byte that answers SSLRequest or GSSENCRequest.
    fn encryption(&mut self, byte: u8, cx: &mut ParseCx) -> Step {
        self.encryption_asked = false;
        let Some(tx) = self.current() else { return Step::Taken(1) };
        match (byte, &tx.request) {
            (b'S', Request::Ssl) => {
                tx.response.ssl_accepted = Some(true);
                cx.upgrade = Some("tls");
            }
            (b'N', Request::Ssl) => tx.response.ssl_accepted = Some(false),
            // What follows is encrypted, and not as TLS.
            (b'G', Request::GssEncryption) => cx.bypass = true,
            (b'N', _) => {}
            // An old server answers with an error.
            (b'E', _) => {
                self.starting = true;
                return Step::Again;
            }
            _ => return Step::Malformed,
        }
        self.answered();
        Step::Taken(1)
    }

    fn step(&mut self, dir: Dir, rest: &[u8], cx: &mut ParseCx) -> Step {
        if self.lost[dir] {
            let (probe, needed) = match dir {
                Dir::ToServer => (probe_request(rest), START_LEN),
                Dir::ToClient => (probe_response(rest), HEADER_LEN),
            };
            match probe {
                Probe::Yes | Probe::Reversed => {
                    self.lost[dir] = false;
                    self.starting = false;
                    self.encryption_asked = false;
                }
                Probe::Unsure => return Step::Need(needed),
                Probe::No => return Step::Taken(rest.len()),
            }
        }
        if dir == Dir::ToServer && self.starting {
            return self.start(rest);
        }
        let Some(kind) = rest.first().copied() else { return Step::Need(HEADER_LEN) };
        if dir == Dir::ToClient && self.encryption_asked {
            return self.encryption(kind, cx);
        }
        let Some(len) = u32_at(rest, 1) else { return Step::Need(HEADER_LEN) };
        if !(LENGTH_LEN..=LENGTH_MAX).contains(&len) {
            return Step::Length;
        }
        let known = if dir == Dir::ToServer { request::is_type(kind) } else { response::is_type(kind) };
        if !known {
            return Step::Malformed;
        }
        let body_len = u64::from(len.saturating_sub(LENGTH_LEN));
        // Of rows and copied data only the beginning matters.
        let wanted = if matches!(kind, b'D' | b'd') { 2 } else { HELD_MAX };
        let held = usize::try_from(body_len).unwrap_or(usize::MAX).min(wanted);
        let end = HEADER_LEN.saturating_add(held);
        let Some(body) = rest.get(HEADER_LEN..end) else { return Step::Need(end) };
        let step = match dir {
            Dir::ToServer => self.request(kind, body, body_len),
            Dir::ToClient => self.response(kind, body, body_len),
        };
        match step {
            Step::Taken(_) => {
                self.left[dir] = body_len.saturating_sub(held as u64);
                cx.trigger_raw[dir] = true;
                Step::Taken(end)
            }
            other => other,
        }
    }
}

enum Step {
    Taken(usize),
    /// So many bytes are needed.
    Need(usize),
    /// Look at the same bytes anew.
    Again,
    Malformed,
    Length,
    /// The reason is recorded already.
    Over,
}

fn u32_at(data: &[u8], at: usize) -> Option<u32> {
    data.get(at..)?.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes))
}

impl Parser for PgsqlParser {
    fn parse(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Outcome {
        let mut at = 0usize;
        loop {
            let rest = data.get(at..).unwrap_or_default();
            if rest.is_empty() || cx.upgrade.is_some() || cx.bypass {
                return Outcome::Done;
            }
            if self.left[dir] > 0 {
                let step = usize::try_from(self.left[dir]).unwrap_or(usize::MAX).min(rest.len());
                self.left[dir] = self.left[dir].saturating_sub(step as u64);
                at = at.saturating_add(step);
                continue;
            }
            match self.step(dir, rest, cx) {
                Step::Taken(len) => at = at.saturating_add(len),
                Step::Again => {}
                Step::Need(needed) => return Outcome::NeedMore { consumed: at, needed },
                Step::Length => return self.broken(Event::InvalidLength),
                Step::Malformed if dir == Dir::ToServer => return self.broken(Event::MalformedRequest),
                Step::Malformed => return self.broken(Event::MalformedResponse),
                Step::Over => return Outcome::Broken,
            }
        }
    }

    /// A gap inside a message is passed over; behind any other a message has to be found again.
    fn gap(&mut self, dir: Dir, len: u64, _cx: &mut ParseCx) -> Outcome {
        match self.left[dir].checked_sub(len) {
            Some(left) => self.left[dir] = left,
            None => {
                self.left[dir] = 0;
                self.lost[dir] = true;
            }
        }
        Outcome::Done
    }

    /// Rows are counted to the last, and nothing of them is held.
    fn stream_depth(&self) -> Option<u64> {
        Some(0)
    }

    answers_from_queue!();
}
