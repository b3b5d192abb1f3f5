//! The control connection of FTP (RFC 959), with the commands of RFC 2428 (EPRT, EPSV) and the step to TLS of RFC 4217. A
//! command and the replies to it are one transaction; a reply to nothing (the greeting) is one too, as in Suricata. Data
//! connections are announced to the worker and belong to `data`.

mod address;
mod command;
pub mod data;
mod line;
mod parser;
mod tx;

#[cfg(test)]
mod tests;

use super::{Buffer, Number, Pattern, Protocol, Recognise};
use crate::direction::{Dir, PerDir};
use parser::FtpParser;

/// Progress of a transaction whose last reply has come.
const COMPLETE: u8 = 1;

/// Indexed by `tx::Event`.
const EVENTS: &[&str] = &[
    "request_command_too_long",
    "response_command_too_long",
    "too_many_transactions",
    "file_before_port",
    "file_without_name",
];

const COMMAND: PerDir<Option<u8>> = PerDir::new(Some(0), None);
const REPLY: PerDir<Option<u8>> = PerDir::new(None, Some(COMPLETE));

/// Indexed by the constants in `tx`.
const BUFFERS: &[Buffer] = &[
    Buffer {
        name: "ftp.command",
        aliases: &[],
        modifier: None,
        progress: COMMAND,
        multi: false,
        streaming: false,
        doc: "The command of an FTP request in capitals, e.g. `RETR`.",
    },
    Buffer {
        name: "ftp.command_data",
        aliases: &[],
        modifier: None,
        progress: COMMAND,
        multi: false,
        streaming: false,
        doc: "What follows the command of an FTP request, e.g. a file's name.",
    },
    Buffer {
        name: "ftp.completion_code",
        aliases: &[],
        modifier: None,
        progress: REPLY,
        multi: true,
        streaming: false,
        doc: "The code of each FTP reply to a command, e.g. `226`.",
    },
    Buffer {
        name: "ftp.reply",
        aliases: &[],
        modifier: None,
        progress: REPLY,
        multi: true,
        streaming: false,
        doc: "The text of each line of the FTP replies to a command, without the code.",
    },
];

const NUMBERS: &[Number] = &[Number {
    name: "ftp.dynamic_port",
    aliases: &[],
    dir: Some(Dir::ToServer),
    max: 65_535,
    words: &[],
    flags: false,
    doc: "The port of the coming data connection, as PORT, EPRT, PASV or EPSV settled it.",
}];

const fn opening(dir: Dir, bytes: &'static [u8]) -> Pattern {
    Pattern { dir, bytes, nocase: true, offset: 0, depth: bytes.len() as u16 }
}

const PATTERNS: &[Pattern] = &[
    opening(Dir::ToServer, b"USER "),
    opening(Dir::ToServer, b"PASS "),
    opening(Dir::ToServer, b"PORT "),
    opening(Dir::ToServer, b"FEAT\r\n"),
    opening(Dir::ToServer, b"AUTH TLS\r\n"),
    opening(Dir::ToServer, b"AUTH SSL\r\n"),
    opening(Dir::ToClient, b"220 ("),
];

pub static FTP: Protocol = Protocol {
    name: "ftp",
    aliases: &[],
    tcp: true,
    udp: false,
    doc: "The File Transfer Protocol's control connection (RFC 959). Each command with its replies gives one `ftp` event. \
          Data connections are recognised as `ftp-data` by what was agreed here. `max-line-length` (4096) and `max-tx` \
          (1024) of `app-layer.protocols.ftp` bound what is kept of a flow.",
    recognise: Recognise { patterns: PATTERNS, probe: None, tcp_ports: &[], udp_ports: &[] },
    new: |config| Box::new(FtpParser::new(config)),
    buffers: BUFFERS,
    numbers: NUMBERS,
    frames: &[],
    events: EVENTS,
    states: PerDir::new(
        &["request_started", "request_complete"],
        &["response_started", "response_complete"],
    ),
    complete: PerDir::new(COMPLETE, COMPLETE),
    log_at: PerDir::new(COMPLETE, COMPLETE),
    record: "ftp",
};
