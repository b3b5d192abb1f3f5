//! A POP3 command with its response as a transaction, and its EVE record.

use super::command::{Command, Count};
use crate::app::{LogFor, Transaction, TxMeta, View};
use crate::direction::Dir;
use crate::json::JsonWriter;

/// Arguments kept of a command, lines kept of a response, and their bytes: a fetched mail is longer, and not an event's matter.
const ARGS_MAX: usize = 16;
const LINES_MAX: usize = 1024;
const LINES_MAX_BYTES: usize = 64 << 10;

/// What stands in an event in place of what a client proves itself with.
const REDACTED: &[u8] = b"<redacted>";

pub struct Request {
    pub command: Command,
    /// In upper case.
    name: Vec<u8>,
    pub args: Vec<Vec<u8>>,
}

impl Request {
    pub fn read(line: &[u8]) -> (Request, Count) {
        let mut words = line.split(|b| *b == b' ').filter(|word| !word.is_empty());
        let name = words.next().unwrap_or(&[]).to_ascii_uppercase();
        let mut args: Vec<Vec<u8>> = words.take(ARGS_MAX).map(<[u8]>::to_vec).collect();
        let (command, count) = Command::of(&name, args.len());
        let secret_from = match command {
            Command::Pass => 0,
            Command::Apop | Command::Auth => 1,
            _ => usize::MAX,
        };
        for arg in args.iter_mut().skip(secret_from) {
            *arg = REDACTED.to_vec();
        }
        (Request { command, name, args }, count)
    }

    /// The client's part of an exchange that AUTH began.
    pub fn sasl() -> Request {
        Request { command: Command::Plain, name: b"<SASL DATA>".to_vec(), args: Vec::new() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Ok,
    Err,
    /// A challenge; Suricata shows it as OK.
    Continue,
}

pub struct Response {
    status: Status,
    header: Vec<u8>,
    lines: Vec<Vec<u8>>,
    bytes: usize,
}

impl Response {
    pub fn new(status: Status, header: &[u8]) -> Response {
        Response { status, header: header.to_vec(), lines: Vec::new(), bytes: 0 }
    }

    /// Splits `+OK text`. None: no response begins here.
    pub fn status(line: &[u8]) -> Option<(Status, &[u8])> {
        const STATUSES: [(&[u8], Status); 3] =
            [(b"+OK", Status::Ok), (b"-ERR", Status::Err), (b"+", Status::Continue)];
        STATUSES.iter().find_map(|(word, status)| {
            let rest = line.strip_prefix(*word)?;
            match rest {
                [] => Some((*status, rest)),
                [b' ', text @ ..] => Some((*status, text)),
                _ => None,
            }
        })
    }

    pub fn line(&mut self, line: &[u8]) {
        let bytes = self.bytes.saturating_add(line.len());
        if self.lines.len() < LINES_MAX && bytes <= LINES_MAX_BYTES {
            self.bytes = bytes;
            self.lines.push(line.to_vec());
        }
    }
}

pub struct Pop3Tx {
    pub meta: TxMeta,
    pub request: Option<Request>,
    pub response: Option<Response>,
    pub answered: bool,
}

impl Pop3Tx {
    pub fn new(id: u64) -> Pop3Tx {
        Pop3Tx { meta: TxMeta::new(id), request: None, response: None, answered: false }
    }
    /// No request belongs to it: the server's greeting.
    pub fn unasked(&mut self) {
        self.answered = true;
    }
}

impl Transaction for Pop3Tx {
    fn meta(&self) -> &TxMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut TxMeta {
        &mut self.meta
    }
    fn progress(&self, dir: Dir) -> u8 {
        match dir {
            Dir::ToServer => 1,
            Dir::ToClient => u8::from(self.answered),
        }
    }
    fn buffer(&self, _local: usize, _index: usize, _dir: Dir) -> Option<View<'_>> {
        None
    }

    /// Suricata manual, "EVE JSON Format", event type POP3.
    fn log(&self, out: &mut JsonWriter, _what: LogFor) {
        if let Some(request) = &self.request {
            out.open_object("request");
            out.bytes("command", &request.name);
            out.open_array("args");
            request.args.iter().for_each(|arg| out.item_bytes(arg));
            out.close_array();
            out.close();
        }
        if let Some(response) = &self.response {
            out.open_object("response");
            out.bool("success", response.status != Status::Err);
            out.str("status", if response.status == Status::Err { "ERR" } else { "OK" });
            out.bytes("header", &response.header);
            out.open_array("data");
            response.lines.iter().for_each(|line| out.item_bytes(line));
            out.close_array();
            out.close();
        }
    }
}
