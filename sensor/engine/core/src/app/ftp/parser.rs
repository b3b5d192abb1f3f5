//! The dialogue: commands make transactions, replies end them in order (RFC 959, section 5.4).

use super::address;
use super::command::Command;
use super::line::{Line, LineBuffer};
use super::tx::{Event, FtpTx};
use crate::app::expectation::Expect;
use crate::app::queue::{answers_from_queue, Queue};
use crate::app::{Outcome, ParseCx, Parser};
use crate::direction::{Dir, PerDir};
use crate::setting;
use serde_json::Value;

/// Bytes of a line, its end included, when the configuration says nothing (Suricata: 4096), and the most it may say.
const LINE_MAX_BYTES: usize = 4096;
const LINE_MOST_BYTES: usize = 1 << 20;
/// Commands without an answer before the oldest is given up, when the configuration says nothing (Suricata: 1024).
const TX_MAX: usize = 1024;
const TCP: u8 = 6;

/// The FTP state of one flow.
pub struct FtpParser {
    txs: Queue<FtpTx>,
    max_tx: usize,
    /// `too_many_transactions` was raised.
    crowded: bool,
    lines: PerDir<LineBuffer>,
    /// Code of the reply whose lines are coming: `230-` until `230 `.
    open_reply: Option<[u8; 3]>,
    /// Port of the next data connection, and whether the client listens on it.
    data_port: Option<(u16, bool)>,
    /// The user named last is a guest.
    anonymous: bool,
}

impl FtpParser {
    pub fn new(config: &Value) -> FtpParser {
        let line = setting::size(&config["max-line-length"]).and_then(|n| usize::try_from(n).ok());
        let max = line.filter(|n| *n > 0).unwrap_or(LINE_MAX_BYTES).min(LINE_MOST_BYTES);
        let max_tx = setting::count(&config["max-tx"]).filter(|n| *n > 0).unwrap_or(TX_MAX);
        FtpParser {
            // Those given up are logged and go; if nothing ever came from the other side, memory is still bounded.
            txs: Queue::new(max_tx.saturating_mul(2)),
            max_tx,
            crowded: false,
            lines: PerDir::new(LineBuffer::new(max), LineBuffer::new(max)),
            open_reply: None,
            data_port: None,
            anonymous: false,
        }
    }

    fn begin(&mut self, command: Command) -> &mut FtpTx {
        if command.name == Some("USER") {
            self.anonymous = command.names_anonymous();
        }
        let secret = matches!(command.name, Some("PASS" | "ACCT")) && !self.anonymous;
        let crowded = self.txs.len() >= self.max_tx;
        if crowded {
            if let Some(oldest) = self.txs.find_mut(|tx| !tx.replied && !tx.over) {
                oldest.over = true;
            }
        }
        let tx = self.txs.push(|id| FtpTx::new(id, command));
        tx.secret = secret;
        if crowded && !std::mem::replace(&mut self.crowded, true) {
            tx.event(Event::TooManyTransactions);
        }
        tx
    }

    fn request(&mut self, line: Line, cx: &mut ParseCx) {
        if line.bytes.is_empty() {
            return;
        }
        let command = Command::read(&line.bytes);
        let data_port = self.data_port;
        let tx = self.begin(command);
        if line.truncated {
            tx.command_truncated = true;
            tx.event(Event::RequestCommandTooLong);
        }
        let data = tx.command.data.as_deref().unwrap_or_default();
        match tx.command.name {
            Some("PORT") => tx.port_target = address::host_port(data),
            Some("EPRT") => tx.port_target = address::extended(data),
            Some(name @ ("RETR" | "STOR")) => {
                let name = [name.as_bytes(), b" ", data].concat();
                if data.is_empty() {
                    tx.event(Event::FileWithoutName);
                } else if let Some((port, active)) = data_port {
                    cx.expect.push(Expect {
                        protocol: "ftp-data",
                        transport: TCP,
                        listener: if active { Dir::ToClient } else { Dir::ToServer },
                        port,
                        note: name,
                    });
                } else {
                    tx.event(Event::FileBeforePort);
                }
            }
            _ => {}
        }
    }

    fn reply(&mut self, line: Line, cx: &mut ParseCx) {
        let code: Option<[u8; 3]> = match line.bytes.get(..3).map(<[u8; 3]>::try_from) {
            Some(Ok(code)) if code.iter().all(u8::is_ascii_digit) => Some(code),
            _ => None,
        };
        let mark = line.bytes.get(3).copied();
        // A code counts with a space, a dash or nothing behind it; inside a reply of several lines only its own does.
        let code = code.filter(|_| matches!(mark, None | Some(b' ' | b'-')));
        let code = code.filter(|code| self.open_reply.is_none_or(|open| open == *code));
        let text = match code {
            Some(_) => line.bytes.get(4..).unwrap_or_default(),
            None => &line.bytes,
        };
        let last = match code {
            Some(code) if mark == Some(b'-') => {
                self.open_reply = Some(code);
                false
            }
            Some(_) => {
                self.open_reply = None;
                true
            }
            None => false,
        };
        let id = match self.txs.find_mut(|tx| !tx.replied && !tx.over) {
            Some(tx) => tx.meta.id,
            None => self.begin(Command::read(b"")).meta.id,
        };
        let Some(tx) = self.txs.typed_mut(id) else { return };
        if line.truncated {
            tx.reply_truncated = true;
            tx.event(Event::ResponseCommandTooLong);
        }
        tx.reply(code, text);
        let Some(code) = code.filter(|_| last) else { return };
        let mut settled = None;
        match (tx.command.name, &code) {
            (Some("PORT" | "EPRT"), _) => settled = tx.port_target.map(|(_, port)| (port, true)),
            (Some("PASV"), b"227") => settled = address::passive_port(text).map(|port| (port, false)),
            (Some("EPSV"), b"229") => {
                settled = address::extended_passive_port(text).map(|port| (port, false))
            }
            _ => {}
        }
        if let Some((port, active)) = settled {
            (tx.dynamic_port, tx.active) = (port, active);
        }
        if tx.command.asks_tls && &code == b"234" {
            cx.upgrade = Some("tls");
        }
        // 1yz says that another reply follows.
        tx.replied = !code.starts_with(b"1");
        self.data_port = settled.or(self.data_port);
    }

    fn line(&mut self, dir: Dir, line: Line, cx: &mut ParseCx) {
        match dir {
            Dir::ToServer => self.request(line, cx),
            Dir::ToClient => self.reply(line, cx),
        }
    }
}

impl Parser for FtpParser {
    fn parse(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Outcome {
        let mut rest = data;
        while let Some(line) = self.lines[dir].next(&mut rest) {
            self.line(dir, line, cx);
            if cx.upgrade.is_some() {
                // What follows is TLS.
                let consumed = data.len().saturating_sub(rest.len());
                return match rest.len() {
                    0 => Outcome::Done,
                    left => Outcome::NeedMore { consumed, needed: left.saturating_add(1) },
                };
            }
        }
        Outcome::Done
    }

    fn gap(&mut self, dir: Dir, _len: u64, _cx: &mut ParseCx) -> Outcome {
        self.lines[dir].gap();
        if dir == Dir::ToClient {
            self.open_reply = None;
        }
        Outcome::Done
    }

    fn close(&mut self, dir: Dir, cx: &mut ParseCx) {
        if let Some(line) = self.lines[dir].rest() {
            self.line(dir, line, cx);
        }
        if dir == Dir::ToClient {
            self.txs.iter_mut().for_each(|tx| tx.over = true);
        }
    }

    answers_from_queue!();
}
