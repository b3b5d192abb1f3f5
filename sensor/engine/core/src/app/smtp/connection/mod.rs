//! One SMTP connection: lines become commands, replies and mails. Which command a reply answers follows from their order.

mod line;
mod mail;

use super::events::Event;
use super::tx::SmtpTx;
use super::Config;
use crate::app::queue::{answers_from_queue, Queue};
use crate::app::{Outcome, ParseCx, Parser};
use crate::direction::{Dir, PerDir};
use line::{code, is_verb, parameter, verb};
use std::collections::VecDeque;
use std::sync::Arc;

/// Longest command or reply that is read; Suricata's limit, eight times what RFC 5321 section 4.5.3.1 asks for.
const LINE_MAX: usize = 4096;
/// Commands that wait for their reply; beyond it the oldest are forgotten.
const WAITING_MAX: usize = 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    StartTls,
    Data,
    Bdat,
    /// The end of a mail, which is answered like a command.
    DataEnd,
    Rset,
    Other,
}

/// What the client's next bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Commands,
    /// A mail up to a line with a dot alone.
    Mail,
    /// So many bytes of a mail.
    Chunk {
        left: u64,
        last: bool,
    },
}

pub struct SmtpParser {
    config: Config,
    txs: Queue<SmtpTx>,
    /// The transaction commands and replies belong to; it may be over.
    current: Option<u64>,
    helo: Option<Arc<[u8]>>,
    mode: Mode,
    /// The next byte of the mail begins a line.
    line_starts: bool,
    /// The end of a chunk that means something only with what the next one begins with.
    held: Vec<u8>,
    waiting: VecDeque<Command>,
    /// The server has greeted.
    greeted: bool,
    /// Inside of a reply of several lines.
    in_reply: bool,
    pipelining: bool,
    /// The next line of the client answers a challenge (AUTH).
    challenged: bool,
    /// A chunk has just ended: what is no command was too much of it.
    after_chunk: bool,
    /// The rest of a line that was too long, or begun before a gap, is skipped.
    skip_line: PerDir<bool>,
    closed: PerDir<bool>,
}

impl SmtpParser {
    pub fn new(config: Config) -> SmtpParser {
        SmtpParser {
            txs: Queue::new(config.max_tx),
            config,
            current: None,
            helo: None,
            mode: Mode::Commands,
            line_starts: true,
            held: Vec::new(),
            waiting: VecDeque::new(),
            greeted: false,
            in_reply: false,
            pipelining: false,
            challenged: false,
            after_chunk: false,
            skip_line: PerDir::default(),
            closed: PerDir::default(),
        }
    }

    fn tx(&mut self) -> Option<&mut SmtpTx> {
        self.txs.typed_mut(self.current?)
    }
    /// Sets an event on the transaction in hand. One that is over is as good as gone: replies to its end have no place.
    fn event(&mut self, event: Event) {
        if let Some(tx) = self.tx().filter(|tx| !tx.done) {
            tx.meta.set_event(event as u8);
        }
    }

    /// Cuts the next line off: (line, bytes with its end, whether it was too long). None: it is not whole yet.
    fn next_line<'a>(&mut self, dir: Dir, rest: &'a [u8]) -> Option<(&'a [u8], usize, bool)> {
        let Some(at) = memchr::memchr(b'\n', rest) else {
            if rest.len() < LINE_MAX && !self.skip_line[dir] {
                return None;
            }
            let skipped = std::mem::replace(&mut self.skip_line[dir], true);
            let line = rest.get(..LINE_MAX).filter(|_| !skipped).unwrap_or(&[]);
            return Some((line, rest.len(), !skipped));
        };
        let used = at.saturating_add(1);
        if std::mem::take(&mut self.skip_line[dir]) {
            return Some((&[], used, false));
        }
        let line = rest.get(..at).unwrap_or(&[]);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Some((line.get(..LINE_MAX).unwrap_or(line), used, line.len() > LINE_MAX))
    }

    fn client(&mut self, data: &[u8], eof: bool) -> Outcome {
        let mut at = 0usize;
        loop {
            let rest = data.get(at..).unwrap_or(&[]);
            if rest.is_empty() {
                return Outcome::Done;
            }
            let used = match self.mode {
                Mode::Commands => match self.next_line(Dir::ToServer, rest) {
                    Some((line, used, long)) => {
                        if !line.is_empty() {
                            self.command(line);
                        }
                        if long {
                            self.event(Event::TruncatedLine);
                        }
                        Some(used)
                    }
                    None => None,
                },
                Mode::Mail => self.mail(rest, eof),
                Mode::Chunk { left, last } => self.chunk(rest, left, last, eof),
            };
            match used {
                Some(used) => at = at.saturating_add(used),
                None => {
                    return Outcome::NeedMore { consumed: at, needed: rest.len().saturating_add(1) };
                }
            }
        }
    }

    fn wait(&mut self, command: Command) {
        if matches!(self.waiting.back(), Some(Command::StartTls | Command::Data)) {
            // These end a group of pipelined commands (RFC 2920 section 3.1).
            self.event(Event::InvalidPipelinedSequence);
        }
        if self.waiting.len() >= WAITING_MAX {
            self.waiting.pop_front();
        }
        self.waiting.push_back(command);
    }

    /// The transaction a command belongs to: a new one, unless it ends the one that is just over.
    fn open_tx(&mut self, line: &[u8]) {
        let over = self.tx().map(|tx| tx.done);
        let closes = verb(line, b"rset") || verb(line, b"quit");
        if over.is_none() || (over == Some(true) && !closes) {
            let helo = self.helo.clone();
            self.current = Some(self.txs.push(|id| SmtpTx::new(id, helo)).meta.id);
        }
    }

    fn command(&mut self, line: &[u8]) {
        self.open_tx(line);
        if !self.greeted {
            self.event(Event::NoServerWelcome);
        }
        let after_chunk = std::mem::take(&mut self.after_chunk);
        if std::mem::take(&mut self.challenged) {
            self.wait(Command::Other);
            return;
        }
        let command = if verb(line, b"starttls") {
            self.stands(Command::StartTls)
        } else if verb(line, b"data") {
            self.data();
            Command::Data
        } else if verb(line, b"bdat") {
            self.bdat(line)
        } else if verb(line, b"helo") || verb(line, b"ehlo") {
            self.hello(line);
            Command::Other
        } else if verb(line, b"mail from") {
            let from = parameter(line, 9).to_vec();
            match self.tx() {
                Some(tx) if tx.mail_from.is_some() => self.event(Event::DuplicateFields),
                Some(tx) => tx.mail_from = Some(from),
                None => {}
            }
            Command::Other
        } else if verb(line, b"rcpt to") {
            let to = parameter(line, 7);
            if let Some(tx) = self.tx() {
                tx.recipient(to);
            }
            Command::Other
        } else if verb(line, b"rset") {
            self.stands(Command::Rset)
        } else if verb(line, b"quit") {
            self.stands(Command::Other)
        } else {
            if after_chunk && !is_verb(line) {
                self.event(Event::BdatChunkLenExceeded);
            }
            Command::Other
        };
        self.wait(command);
        if let Mode::Chunk { left: 0, last } = self.mode {
            self.end_chunk(last);
        }
    }

    /// The envelope of the mail is over with this command.
    fn stands(&mut self, command: Command) -> Command {
        if let Some(tx) = self.tx() {
            tx.envelope = true;
        }
        command
    }

    fn hello(&mut self, line: &[u8]) {
        if self.helo.is_some() {
            self.event(Event::DuplicateFields);
            return;
        }
        self.helo = Some(Arc::from(parameter(line, 4)));
        let helo = self.helo.clone();
        if let Some(tx) = self.tx() {
            tx.helo = helo;
        }
    }

    fn data(&mut self) {
        if self.tx().is_some_and(|tx| tx.has_data) {
            self.event(Event::UnparsableContent);
        }
        self.open_mail();
        if let Some(tx) = self.tx() {
            tx.has_data = true;
        }
        if self.pipelining {
            // Data may follow at once (and then it is refused with the command, if it is).
            self.mode = Mode::Mail;
        }
    }

    /// `BDAT 86 LAST` (RFC 3030 section 2).
    fn bdat(&mut self, line: &[u8]) -> Command {
        let mut words = line.split(|b| *b == b' ').skip(1).filter(|word| !word.is_empty());
        let len = words.next().and_then(|n| std::str::from_utf8(n).ok()).and_then(|n| n.parse().ok());
        let last = words.next().is_some_and(|word| word.eq_ignore_ascii_case(b"last"));
        self.open_mail();
        match len {
            Some(left) => self.mode = Mode::Chunk { left, last },
            None => self.event(Event::InvalidBdat),
        }
        Command::Bdat
    }

    /// DATA was granted; in a pipeline the mail may have gone through before.
    fn permitted(&mut self) {
        if self.mode == Mode::Commands && self.tx().is_some_and(|tx| !tx.done) {
            self.mode = Mode::Mail;
        }
    }

    fn reply(&mut self, line: &[u8], cx: &mut ParseCx) -> Outcome {
        let Some(code) = code(line) else {
            self.event(Event::InvalidReply);
            return Outcome::Broken;
        };
        self.in_reply = line.get(3) == Some(&b'-');
        let Some(command) = self.waiting.front().copied() else {
            if !self.greeted {
                self.greeted = !self.in_reply;
                if code != 220 {
                    self.event(Event::InvalidReply);
                }
            }
            return Outcome::Done;
        };
        match (command, code) {
            (Command::StartTls, 220) => {
                if let Some(tx) = self.tx() {
                    tx.finish(false);
                }
                cx.upgrade = Some("tls");
            }
            (Command::StartTls, _) => self.event(Event::TlsRejected),
            (Command::Data, 354) => self.permitted(),
            (Command::Data, _) => {
                self.event(Event::DataCommandRejected);
                if self.mode == Mode::Mail {
                    self.mode = Mode::Commands;
                }
            }
            (Command::Rset, 250) if !self.in_reply => {
                if let Some(tx) = self.tx().filter(|tx| !tx.done) {
                    tx.finish(false);
                }
            }
            (Command::Other, 334) => self.challenged = true,
            (Command::Other, 250) => {
                let name = line.get(4..).unwrap_or(&[]);
                self.pipelining |= name.eq_ignore_ascii_case(b"pipelining");
            }
            _ => {}
        }
        if !self.in_reply {
            self.waiting.pop_front();
        }
        Outcome::Done
    }

    fn server(&mut self, data: &[u8], cx: &mut ParseCx) -> Outcome {
        let mut at = 0usize;
        loop {
            let rest = data.get(at..).unwrap_or(&[]);
            if rest.is_empty() {
                return Outcome::Done;
            }
            let skipped = self.skip_line[Dir::ToClient];
            let Some((line, used, long)) = self.next_line(Dir::ToClient, rest) else {
                return Outcome::NeedMore { consumed: at, needed: rest.len().saturating_add(1) };
            };
            at = at.saturating_add(used);
            if long {
                self.event(Event::TruncatedLine);
            }
            let bare = rest.first() == Some(&b'\n');
            if !skipped && !bare && self.reply(line, cx) == Outcome::Broken {
                return Outcome::Broken;
            }
            if cx.upgrade.is_some() {
                return Outcome::Done;
            }
        }
    }
}

impl Parser for SmtpParser {
    fn parse(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Outcome {
        match dir {
            Dir::ToServer => self.client(data, cx.eof),
            Dir::ToClient => self.server(data, cx),
        }
    }

    fn gap(&mut self, dir: Dir, len: u64, _cx: &mut ParseCx) -> Outcome {
        let within = dir == Dir::ToServer && self.mode != Mode::Commands;
        match self.mode {
            Mode::Chunk { left, last } if within => match left.saturating_sub(len) {
                0 => self.end_chunk(last),
                left => self.mode = Mode::Chunk { left, last },
            },
            Mode::Mail if within => {}
            _ => self.skip_line[dir] = true,
        }
        if within {
            self.line_starts = false;
            self.held.clear();
            if let Some(tx) = self.tx() {
                if let Some(message) = &mut tx.message {
                    message.gap(len);
                } else if let Some(file) = tx.raw_mut() {
                    file.gap(len);
                }
            }
        }
        Outcome::Done
    }

    fn close(&mut self, dir: Dir, _cx: &mut ParseCx) {
        self.closed[dir] = true;
        if let (Dir::ToServer, Some(tx)) = (dir, self.tx()) {
            // No more of its mail comes.
            tx.cut();
        }
        if self.closed[Dir::ToServer] && self.closed[Dir::ToClient] {
            self.txs.iter_mut().filter(|tx| !tx.done).for_each(|tx| tx.finish(false));
        }
    }

    answers_from_queue!();
    fn inspected(&mut self, id: u64, dir: Dir) {
        if let Some(tx) = self.txs.quiet_mut(id).filter(|_| dir == Dir::ToServer) {
            tx.inspected();
        }
    }
}
