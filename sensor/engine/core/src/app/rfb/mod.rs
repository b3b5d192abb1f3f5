//! RFB, the protocol of VNC (RFC 6143), until the screen is shared. One transaction per flow.
//!
//! `parser` follows the handshake, `tx` answers rules and writes the record. What comes after ServerInit is not looked at.

mod parser;
mod tx;

#[cfg(test)]
mod tests;

use super::{Buffer, Number, Pattern, Protocol, Recognise};
use crate::direction::{Dir, PerDir};
use parser::RfbParser;

/// Progress of each side: which of its messages was the last.
mod state {
    pub const VERSION: u8 = 1;
    pub const SECURITY: u8 = 2;
    /// The client's answer to a challenge; the server's challenge.
    pub const AUTHENTICATION: u8 = 3;
    /// ClientInit; SecurityResult.
    pub const CLIENT_INIT: u8 = 4;
    pub const SECURITY_RESULT: u8 = 4;
    pub const CLIENT_DONE: u8 = 4;
    /// ServerInit, or the handshake has ended without.
    pub const SERVER_DONE: u8 = 5;
}

/// App-layer events; the value is the index in `EVENTS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    UnimplementedSecurityType,
    UnknownSecurityResult,
    MalformedMessage,
    ConfusedState,
}

const EVENTS: &[&str] =
    &["unimplemented_security_type", "unknown_security_result", "malformed_message", "confused_state"];

const NAME: usize = 0;
const BUFFERS: &[Buffer] = &[Buffer {
    name: "rfb.name",
    aliases: &[],
    modifier: None,
    progress: PerDir::new(None, Some(state::SERVER_DONE)),
    multi: false,
    streaming: false,
    doc: "Name of the desktop.",
}];

const NUMBERS: &[Number] = &[
    Number {
        name: "rfb.sectype",
        aliases: &[],
        dir: Some(Dir::ToServer),
        max: u32::MAX as u64,
        words: &[],
        flags: false,
        doc: "Security type in use: 1 none, 2 VNC authentication, 30 Apple Remote Desktop.",
    },
    Number {
        name: "rfb.secresult",
        aliases: &[],
        dir: Some(Dir::ToClient),
        max: u32::MAX as u64,
        words: &[("ok", 0), ("fail", 1), ("toomany", 2), ("unknown", tx::SECURITY_RESULT_UNKNOWN)],
        flags: false,
        doc: "Result of the authentication: ok, fail, toomany, unknown, or its number.",
    },
];

const fn version(dir: Dir) -> Pattern {
    Pattern { dir, bytes: b"RFB ", nocase: false, offset: 0, depth: 4 }
}

pub static RFB: Protocol = Protocol {
    name: "rfb",
    aliases: &[],
    tcp: true,
    udp: false,
    doc:
        "RFB, the protocol of VNC: versions, authentication and the desktop's name. One transaction per flow.",
    recognise: Recognise {
        patterns: &[version(Dir::ToServer), version(Dir::ToClient)],
        probe: None,
        tcp_ports: &[],
        udp_ports: &[],
    },
    new: |_config| Box::new(RfbParser::new()),
    buffers: BUFFERS,
    numbers: NUMBERS,
    frames: &["pdu"],
    events: EVENTS,
    states: PerDir::new(
        &[
            "request_started",
            "request_version",
            "request_security",
            "request_authentication",
            "request_complete",
        ],
        &[
            "response_started",
            "response_version",
            "response_security",
            "response_authentication",
            "response_security_result",
            "response_complete",
        ],
    ),
    complete: PerDir::new(state::CLIENT_DONE, state::SERVER_DONE),
    log_at: PerDir::new(state::CLIENT_DONE, state::SERVER_DONE),
    record: "rfb",
};
