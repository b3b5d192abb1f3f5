//! A command with its replies.

use super::command::Command;
use super::COMPLETE;
use crate::app::{LogFor, Transaction, TxMeta, View};
use crate::decode::Addr;
use crate::direction::Dir;
use crate::json::JsonWriter;

/// Local numbers of the buffers, in the order of `super::BUFFERS`.
pub const COMMAND: usize = 0;
pub const COMMAND_DATA: usize = 1;
pub const COMPLETION_CODE: usize = 2;
pub const REPLY: usize = 3;

/// Bytes and lines of replies kept of one transaction: a long greeting or HELP text has a few KiB; a listing travels on a
/// data connection.
const REPLY_MAX_BYTES: usize = 64 << 10;
const REPLY_MAX_LINES: usize = 1024;

/// What events show instead of a password.
const REDACTED: &[u8] = b"<redacted>";

/// App-layer events, by their index in `super::EVENTS`.
#[derive(Clone, Copy)]
pub enum Event {
    RequestCommandTooLong,
    ResponseCommandTooLong,
    TooManyTransactions,
    FileBeforePort,
    FileWithoutName,
}

pub struct FtpTx {
    pub meta: TxMeta,
    pub command: Command,
    pub command_truncated: bool,
    pub codes: Vec<[u8; 3]>,
    pub replies: Vec<Vec<u8>>,
    reply_bytes: usize,
    pub reply_truncated: bool,
    /// Where PORT or EPRT says the data is to go.
    pub port_target: Option<(Addr, u16)>,
    pub dynamic_port: u16,
    pub active: bool,
    /// The last reply has come.
    pub replied: bool,
    /// No more replies can come.
    pub over: bool,
    /// What follows the command is a password that somebody keeps: events do not show it.
    pub secret: bool,
}

impl FtpTx {
    pub fn new(id: u64, command: Command) -> FtpTx {
        FtpTx {
            meta: TxMeta::new(id),
            command,
            command_truncated: false,
            codes: Vec::new(),
            replies: Vec::new(),
            reply_bytes: 0,
            reply_truncated: false,
            port_target: None,
            dynamic_port: 0,
            active: false,
            replied: false,
            over: false,
            secret: false,
        }
    }

    pub fn event(&mut self, event: Event) {
        self.meta.set_event(event as u8);
    }

    pub fn is(&self, name: &str) -> bool {
        self.command.name == Some(name)
    }

    /// Keeps a line of a reply.
    pub fn reply(&mut self, code: Option<[u8; 3]>, text: &[u8]) {
        self.reply_bytes = self.reply_bytes.saturating_add(text.len());
        let lines = self.replies.len().max(self.codes.len());
        if self.reply_bytes > REPLY_MAX_BYTES || lines >= REPLY_MAX_LINES {
            self.reply_truncated = true;
            return;
        }
        self.codes.extend(code);
        if !text.is_empty() {
            self.replies.push(text.to_vec());
        }
    }
}

impl Transaction for FtpTx {
    fn meta(&self) -> &TxMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut TxMeta {
        &mut self.meta
    }
    fn progress(&self, _dir: Dir) -> u8 {
        if self.replied || self.over {
            COMPLETE
        } else {
            0
        }
    }

    fn buffer(&self, local: usize, index: usize, dir: Dir) -> Option<View<'_>> {
        let name = self.command.name;
        let bytes = match (local, dir, index) {
            (COMMAND, Dir::ToServer, 0) => name?.as_bytes(),
            (COMMAND_DATA, Dir::ToServer, 0) => name.and(self.command.data.as_deref())?,
            (COMPLETION_CODE, Dir::ToClient, _) => self.codes.get(index)?,
            (REPLY, Dir::ToClient, _) => self.replies.get(index)?,
            _ => return None,
        };
        Some(View::whole(bytes))
    }

    fn log(&self, out: &mut JsonWriter, _what: LogFor) {
        if let Some(name) = self.command.name {
            out.str("command", name);
            if let Some(data) = &self.command.data {
                out.bytes("command_data", if self.secret { REDACTED } else { data });
                out.bool("command_truncated", self.command_truncated);
            }
        }
        if !self.codes.is_empty() {
            out.open_array("completion_code");
            for code in &self.codes {
                out.item_bytes(code);
            }
            out.close_array();
        }
        if !self.replies.is_empty() {
            out.open_array("reply");
            for reply in &self.replies {
                out.item_bytes(reply);
            }
            out.close_array();
        }
        if self.dynamic_port != 0 {
            out.uint("dynamic_port", u64::from(self.dynamic_port));
        }
        if self.is("PORT") || self.is("EPRT") {
            out.str("mode", if self.active { "active" } else { "passive" });
        }
        out.str("reply_received", if self.replied { "yes" } else { "no" });
        out.bool("reply_truncated", self.reply_truncated);
    }

    fn number(&self, keyword: &str, _dir: Dir) -> Option<u64> {
        self.command.name?;
        let port = (self.dynamic_port != 0).then_some(u64::from(self.dynamic_port));
        match keyword {
            "ftp.dynamic_port" => port,
            "ftp.mode" => port.map(|_| u64::from(self.active)),
            "ftp.reply_received" => (self.replied || self.over).then_some(u64::from(self.replied)),
            // ftpbounce: the address a PORT or EPRT names, when it is IPv4.
            "ftp.port_target" => {
                self.port_target.filter(|(a, _)| a.is_v4()).map(|(a, _)| u64::from(a.0 as u32))
            }
            _ => None,
        }
    }
}
