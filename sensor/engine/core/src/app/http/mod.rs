//! HTTP/0.9 to 1.1: tolerant, streaming and capped. Every oddity becomes an event; a body is kept only as far as its window.
//!
//! `connection` drives the flow, `request`/`response`/`message` are its steps, `tx` is the result, `buffers` and `record` are what
//! rules and logs read. Must not know rules, nor buffer more than the configured limits.

mod buffers;
mod codec;
mod config;
mod connection;
pub(super) mod decompress;
mod encoding;
mod events;
mod headers;
mod line;
mod log;
mod message;
mod multipart;
mod record;
mod request;
mod response;
mod resume;
#[cfg(test)]
mod tests;
mod tx;
mod uri;

pub(super) use tx::parse_range as content_range;

use super::{Parser, Pattern, Probe, Protocol, Recognise};
use crate::direction::{Dir, PerDir};

macro_rules! request_patterns {
    ($($method:literal),* $(,)?) => {
        &[
            $(Pattern { dir: Dir::ToServer, bytes: concat!($method, " ").as_bytes(), nocase: true, offset: 0, depth: 64 },
              Pattern { dir: Dir::ToServer, bytes: concat!($method, "\t").as_bytes(), nocase: true, offset: 0, depth: 64 },)*
            Pattern { dir: Dir::ToClient, bytes: b"HTTP/0.9", nocase: true, offset: 0, depth: 64 },
            Pattern { dir: Dir::ToClient, bytes: b"HTTP/1.", nocase: true, offset: 0, depth: 64 },
            Pattern { dir: Dir::ToClient, bytes: b"HTTP/2.", nocase: true, offset: 0, depth: 64 },
        ]
    };
}

const STATES: PerDir<&[&str]> = PerDir::new(
    &[
        "request_started",
        "request_line",
        "request_headers",
        "request_body",
        "request_trailer",
        "request_complete",
    ],
    &[
        "response_started",
        "response_line",
        "response_headers",
        "response_body",
        "response_trailer",
        "response_complete",
    ],
);

/// The registry entry.
pub static PROTOCOL: Protocol = Protocol {
    name: "http",
    aliases: &["http1"],
    tcp: true,
    udp: false,
    doc: "HTTP/0.9, 1.0 and 1.1: requests, responses, bodies (chunked, gzip, deflate), files and uploads.",
    recognise: Recognise {
        patterns: request_patterns![
            "GET",
            "PUT",
            "POST",
            "HEAD",
            "TRACE",
            "OPTIONS",
            "CONNECT",
            "DELETE",
            "PATCH",
            "PROPFIND",
            "PROPPATCH",
            "MKCOL",
            "COPY",
            "MOVE",
            "LOCK",
            "UNLOCK",
            "CHECKOUT",
            "UNCHECKOUT",
            "CHECKIN",
            "UPDATE",
            "LABEL",
            "REPORT",
            "MKWORKSPACE",
            "MKACTIVITY",
            "MERGE",
            "INVALID",
            "VERSION-CONTROL",
            "BASELINE-CONTROL",
            "SEARCH",
        ],
        probe: Some(probe),
        tcp_ports: &[],
        udp_ports: &[],
    },
    new: new_parser,
    buffers: buffers::TABLE,
    numbers: &[],
    frames: &["request", "response"],
    events: events::NAMES,
    states: STATES,
    complete: PerDir::new(tx::progress::COMPLETE, tx::progress::COMPLETE),
    log_at: PerDir::new(tx::progress::COMPLETE, tx::progress::COMPLETE),
    record: "http",
};

fn new_parser(config: &serde_json::Value) -> Box<dyn Parser> {
    Box::new(connection::HttpParser::new(config::Config::from_value(config)))
}

/// Confirms a pattern: only blanks and line ends may stand before a method or a status line.
fn probe(dir: Dir, data: &[u8]) -> Probe {
    let start = data.iter().position(|b| !line::is_space(*b) && *b != 0).unwrap_or(data.len());
    let rest = data.get(start..).unwrap_or(&[]);
    if rest.is_empty() {
        return Probe::Unsure;
    }
    match dir {
        Dir::ToServer => {
            let end = rest.iter().position(|b| line::is_space(*b));
            let word = rest.get(..end.unwrap_or(rest.len())).unwrap_or(rest);
            if end.is_some() && line::is_known_method(&word.to_ascii_uppercase()) {
                Probe::Yes
            } else if end.is_none() && line::looks_like_request(rest) {
                Probe::Unsure
            } else if line::is_status_line(rest) {
                Probe::Reversed
            } else {
                Probe::No
            }
        }
        Dir::ToClient => {
            if line::is_status_line(rest) {
                Probe::Yes
            } else if line::may_be_status_line(rest) {
                Probe::Unsure
            } else {
                Probe::No
            }
        }
    }
}
