//! SIP over UDP and TCP (RFC 3261), with the session descriptions it carries (SDP, RFC 4566). Every message is a transaction
//! of its own: it exists only in the direction it went.
//!
//! `message` takes messages apart, `sdp` their bodies, `parser` finds them in datagrams and streams, `tx` answers rules.

mod buffers;
mod log;
mod message;
mod parser;
mod sdp;
mod tx;

#[cfg(test)]
mod tests;

use super::{Pattern, Probe, Protocol, Recognise};
use crate::direction::{Dir, PerDir};
use message::StartLine;
use parser::SipParser;

/// Progress of a whole message.
const COMPLETE: u8 = 1;

/// App-layer events; the value is the index in `EVENTS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    IncompleteData,
    InvalidData,
}

const EVENTS: &[&str] = &["incomplete_data", "invalid_data"];

/// Indexed by the values in `frame`.
const FRAMES: &[&str] = &[
    "pdu",
    "request.line",
    "request.headers",
    "request.body",
    "response.line",
    "response.headers",
    "response.body",
];
mod frame {
    pub const PDU: u8 = 0;
    /// Line, headers and body follow each other.
    pub const REQUEST: u8 = 1;
    pub const RESPONSE: u8 = 4;
}

/// A start line ends within so many bytes, or it is none.
const START_LINE_MAX: usize = 2048;

macro_rules! methods {
    ($($name:literal),*) => { &[$(
        Pattern { dir: Dir::ToServer, bytes: concat!($name, " ").as_bytes(), nocase: false, offset: 0, depth: concat!($name, " ").len() as u16 },
    )* Pattern { dir: Dir::ToClient, bytes: b"SIP/2.0 ", nocase: false, offset: 0, depth: 8 }] };
}

pub static SIP: Protocol = Protocol {
    name: "sip",
    aliases: &["sdp"],
    tcp: true,
    udp: true,
    doc: "The Session Initiation Protocol over UDP and TCP, and the session descriptions (SDP) it carries. Each message is a \
          transaction of its own and gives one `sip` event.",
    recognise: Recognise {
        // Methods of RFC 3261, 3262, 3265, 3311, 3428, 3515, 3903 and 6086.
        patterns: methods![
            "REGISTER", "INVITE", "ACK", "BYE", "CANCEL", "UPDATE", "REFER", "PRACK", "SUBSCRIBE", "NOTIFY", "PUBLISH",
            "MESSAGE", "INFO", "OPTIONS"
        ],
        probe: Some(probe),
        tcp_ports: &[5060],
        udp_ports: &[5060],
    },
    new: |_config| Box::new(SipParser::new()),
    buffers: buffers::BUFFERS,
    numbers: &[],
    frames: FRAMES,
    events: EVENTS,
    states: PerDir::new(
        &["request_started", "request_complete"],
        &["response_started", "response_complete"],
    ),
    complete: PerDir::new(COMPLETE, COMPLETE),
    log_at: PerDir::new(COMPLETE, COMPLETE),
    record: "sip",
};

/// Recognises a start line.
fn probe(_dir: Dir, data: &[u8]) -> Probe {
    let window = data.get(..START_LINE_MAX).unwrap_or(data);
    let Some(end) = memchr::memchr(b'\n', window) else {
        let text = window.iter().all(|b| (b' '..=b'~').contains(b) || *b == b'\r' || *b >= 0x80);
        return if text && data.len() < START_LINE_MAX { Probe::Unsure } else { Probe::No };
    };
    match StartLine::read(message::trim_line_end(window.get(..end).unwrap_or(window))) {
        Some(_) => Probe::Yes,
        None => Probe::No,
    }
}
