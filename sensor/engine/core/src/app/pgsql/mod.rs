//! PostgreSQL, protocol version 3 (PostgreSQL manual, "Frontend/Backend Protocol"). A request with the messages that answer
//! it is one transaction.
//!
//! `parser` walks messages and matches answers to requests, `request` and `response` take messages apart, `tx` answers rules
//! and writes the record.

mod parser;
mod request;
mod response;
mod tx;

#[cfg(test)]
mod tests;

use super::{Buffer, Probe, Protocol, Recognise};
use crate::direction::{Dir, PerDir};
use parser::PgsqlParser;

/// Progress of a whole request or answer.
const COMPLETE: u8 = 1;

/// App-layer events; the value is the index in `EVENTS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    InvalidLength,
    MalformedRequest,
    MalformedResponse,
    TooManyTransactions,
}

const EVENTS: &[&str] =
    &["invalid_length", "malformed_request", "malformed_response", "too_many_transactions"];

const QUERY: usize = 0;
const BUFFERS: &[Buffer] = &[Buffer {
    name: "pgsql.query",
    aliases: &[],
    modifier: None,
    progress: PerDir::new(Some(COMPLETE), None),
    multi: false,
    streaming: false,
    doc: "Text of a simple query.",
}];

/// What precedes a message: its type, and its length without the type.
const HEADER_LEN: usize = 5;
/// The length counts itself.
const LENGTH_LEN: u32 = 4;
/// No server takes more in one message (1 GiB, the largest field).
const LENGTH_MAX: u32 = 0x4000_0000;

pub static PGSQL: Protocol = Protocol {
    name: "pgsql",
    aliases: &[],
    tcp: true,
    udp: false,
    doc: "The protocol of PostgreSQL, version 3: start-up, authentication, simple queries and their answers. Passwords are \
          left out of events unless `passwords` of the event type is on.",
    recognise: Recognise { patterns: &[], probe: Some(probe), tcp_ports: &[5432], udp_ports: &[] },
    new: |config| Box::new(PgsqlParser::new(config)),
    buffers: BUFFERS,
    numbers: &[],
    frames: &[],
    events: EVENTS,
    states: PerDir::new(
        &["request_started", "request_complete"],
        &["response_started", "response_complete"],
    ),
    complete: PerDir::new(COMPLETE, COMPLETE),
    log_at: PerDir::new(COMPLETE, COMPLETE),
    record: "pgsql",
};

/// Recognises the first message of a direction.
fn probe(dir: Dir, data: &[u8]) -> Probe {
    match dir {
        Dir::ToServer => probe_request(data),
        Dir::ToClient => probe_response(data),
    }
}

fn probe_request(data: &[u8]) -> Probe {
    let [a, b, c, d, rest @ ..] = data else { return Probe::Unsure };
    let [e, f, g, h, ..] = rest else {
        // A start-up message is shorter than 64 KiB.
        return if *a == 0 && *b == 0 { Probe::Unsure } else { probe_message(data, request::is_type) };
    };
    let len = u32::from_be_bytes([*a, *b, *c, *d]);
    if request::is_start(len, u32::from_be_bytes([*e, *f, *g, *h])) {
        return Probe::Yes;
    }
    probe_message(data, request::is_type)
}

fn probe_response(data: &[u8]) -> Probe {
    match data {
        [] => Probe::Unsure,
        [b'S' | b'N'] => Probe::Yes,
        _ => probe_message(data, response::is_type),
    }
}

fn probe_message(data: &[u8], known: fn(u8) -> bool) -> Probe {
    let Some((kind, behind)) = data.split_first() else { return Probe::Unsure };
    if !known(*kind) {
        return Probe::No;
    }
    match behind.first_chunk::<4>() {
        Some(len) if (LENGTH_LEN..=LENGTH_MAX).contains(&u32::from_be_bytes(*len)) => Probe::Yes,
        Some(_) => Probe::No,
        None => Probe::Unsure,
    }
}
