//! POP3 (RFC 1939) with its extensions (RFC 2449), AUTH (RFC 5034) and STLS (RFC 2595). A transaction is a command with its
//! response, or the server's greeting.

mod command;
mod tx;

#[cfg(test)]
mod tests;

use super::queue::{answers_from_queue, Queue};
use super::{Outcome, ParseCx, Parser, Pattern, Probe, Protocol, Recognise};
use crate::direction::{Dir, PerDir};
use command::{Command, Count};
use std::collections::VecDeque;
use tx::{Pop3Tx, Request, Response};

/// Longest command line and longest first line of a response, both with their line ends (RFC 2449 section 4).
const COMMAND_MAX: usize = 255;
const RESPONSE_MAX: usize = 512;
/// Longest line read at all; a line of a mail may have 998 bytes (RFC 5322), and some have more.
const LINE_MAX: usize = 4096;
/// Commands that wait for their response; beyond it the oldest are forgotten.
const WAITING_MAX: usize = 1024;

#[derive(Clone, Copy)]
#[repr(u8)]
enum Event {
    TooManyTransactions,
    RequestTooLong,
    IncorrectArgumentCount,
    UnknownCommand,
    ResponseTooLong,
}

pub static POP3: Protocol = Protocol {
    name: "pop3",
    aliases: &[],
    tcp: true,
    udp: false,
    doc: "Mail fetched from a server. Each command with its response gives one `pop3` event; what a client proves itself with is \
          not written.",
    recognise: Recognise {
        patterns: &[
            Pattern { dir: Dir::ToClient, bytes: b"+OK ", nocase: false, offset: 0, depth: 4 },
            Pattern { dir: Dir::ToClient, bytes: b"-ERR ", nocase: false, offset: 0, depth: 5 },
        ],
        probe: Some(probe),
        tcp_ports: &[110],
        udp_ports: &[],
    },
    new: |node| Box::new(Pop3Parser::new(super::smtp::max_tx(node))),
    buffers: &[],
    numbers: &[],
    frames: &[],
    events: &[
        "too_many_transactions",
        "request_too_long",
        "incorrect_argument_count",
        "unknown_command",
        "response_too_long",
    ],
    states: PerDir::new(
        &["request_started", "request_complete"],
        &["response_started", "response_complete"],
    ),
    complete: PerDir::new(1, 1),
    log_at: PerDir::new(1, 1),
    record: "pop3",
};

/// A server answers with a status, a client begins with a command of the first state.
fn probe(dir: Dir, data: &[u8]) -> Probe {
    const STATUS: [&[u8]; 2] = [b"+OK ", b"-ERR "];
    let any = |words: &[&[u8]], may: bool| {
        words.iter().any(|word| {
            let len = if may { word.len().min(data.len()) } else { word.len() };
            data.get(..len).zip(word.get(..len)).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b))
        })
    };
    let words: &[&[u8]] = match dir {
        Dir::ToServer => command::FIRST,
        Dir::ToClient => &STATUS,
    };
    match (any(words, false), any(words, true)) {
        (true, _) => Probe::Yes,
        (false, true) => Probe::Unsure,
        (false, false) => Probe::No,
    }
}

struct Pop3Parser {
    txs: Queue<Pop3Tx>,
    max_tx: usize,
    /// Transactions whose response has not come, oldest first.
    waiting: VecDeque<u64>,
    /// The transaction whose response goes on over several lines.
    listing: Option<u64>,
    /// The next line of the client answers a challenge (AUTH).
    challenged: bool,
    /// The rest of a line that was too long, or begun before a gap, is skipped.
    skip_line: PerDir<bool>,
    closed: PerDir<bool>,
}

impl Pop3Parser {
    fn new(max_tx: usize) -> Pop3Parser {
        Pop3Parser {
            txs: Queue::new(max_tx),
            max_tx,
            waiting: VecDeque::new(),
            listing: None,
            challenged: false,
            skip_line: PerDir::default(),
            closed: PerDir::default(),
        }
    }

    fn event(&mut self, id: u64, event: Event) {
        if let Some(tx) = self.txs.typed_mut(id) {
            tx.meta.set_event(event as u8);
        }
    }

    fn open(&mut self) -> u64 {
        let crowded = self.txs.len() >= self.max_tx;
        let id = self.txs.push(Pop3Tx::new).meta.id;
        if crowded {
            self.event(id, Event::TooManyTransactions);
        }
        id
    }

    fn lines(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Outcome {
        let mut at = 0usize;
        loop {
            let rest = data.get(at..).unwrap_or(&[]);
            if rest.is_empty() {
                return Outcome::Done;
            }
            let end = memchr::memchr(b'\n', rest);
            let skip = self.skip_line[dir];
            if end.is_none() && !skip && rest.len() < LINE_MAX {
                return Outcome::NeedMore { consumed: at, needed: rest.len().saturating_add(1) };
            }
            let used = end.map_or(rest.len(), |end| end.saturating_add(1));
            at = at.saturating_add(used);
            self.skip_line[dir] = end.is_none();
            if skip {
                continue;
            }
            let line = rest.get(..end.unwrap_or(used)).unwrap_or(&[]);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let line = line.get(..LINE_MAX).unwrap_or(line);
            match dir {
                Dir::ToServer => self.request(line, used),
                Dir::ToClient => self.response(line, used, cx),
            }
            if cx.upgrade.is_some() {
                return Outcome::Done;
            }
        }
    }

    fn request(&mut self, line: &[u8], len: usize) {
        if line.is_empty() {
            return;
        }
        let id = self.open();
        let (request, count) = match std::mem::take(&mut self.challenged) {
            true => (Request::sasl(), Count::Right),
            false => Request::read(line),
        };
        if len > COMMAND_MAX {
            self.event(id, Event::RequestTooLong);
        }
        match count {
            Count::Right => {}
            Count::Wrong => self.event(id, Event::IncorrectArgumentCount),
            Count::UnknownCommand => self.event(id, Event::UnknownCommand),
        }
        if let Some(tx) = self.txs.typed_mut(id) {
            tx.request = Some(request);
        }
        if self.waiting.len() >= WAITING_MAX {
            self.waiting.pop_front();
        }
        self.waiting.push_back(id);
    }

    fn response(&mut self, line: &[u8], len: usize, cx: &mut ParseCx) {
        if let Some(id) = self.listing {
            self.listed(id, line);
            return;
        }
        let Some((status, header)) = Response::status(line) else { return };
        let id = match self.waiting.pop_front() {
            Some(id) => id,
            None => {
                let id = self.open();
                if let Some(tx) = self.txs.typed_mut(id) {
                    tx.unasked();
                }
                id
            }
        };
        if len > RESPONSE_MAX {
            self.event(id, Event::ResponseTooLong);
        }
        let command =
            self.txs.typed(id).and_then(|tx| tx.request.as_ref()).map(|r| (r.command, r.args.len()));
        let ok = status == tx::Status::Ok;
        if let (Some((Command::Stls, _)), true) = (command, ok) {
            cx.upgrade = Some("tls");
        }
        if status == tx::Status::Continue {
            self.challenged = true;
        }
        let more = ok && status != tx::Status::Continue && command.is_some_and(|(c, args)| c.lists(args));
        if more {
            self.listing = Some(id);
        }
        if let Some(tx) = self.txs.typed_mut(id) {
            tx.response = Some(Response::new(status, header));
            tx.answered = !more;
        }
    }

    /// A line of a response of several lines; a dot alone ends it, and one that begins a line was doubled.
    fn listed(&mut self, id: u64, line: &[u8]) {
        let over = line == b".";
        if over {
            self.listing = None;
        }
        let Some(tx) = self.txs.typed_mut(id) else { return };
        tx.answered = over;
        if let (false, Some(response)) = (over, tx.response.as_mut()) {
            response.line(line.strip_prefix(b".").unwrap_or(line));
        }
    }
}

impl Parser for Pop3Parser {
    fn parse(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Outcome {
        self.lines(dir, data, cx)
    }
    fn gap(&mut self, dir: Dir, _len: u64, _cx: &mut ParseCx) -> Outcome {
        self.skip_line[dir] = true;
        Outcome::Done
    }
    fn close(&mut self, dir: Dir, _cx: &mut ParseCx) {
        self.closed[dir] = true;
        if self.closed[Dir::ToServer] && self.closed[Dir::ToClient] {
            self.txs.iter_mut().for_each(|tx| tx.answered = true);
        }
    }
    answers_from_queue!();
}
