//! RDP ([MS-RDPBCGR]) until its content is encrypted or the session begins. Each message of the connection's beginning is a
//! transaction of its own: it exists only in the direction it went.
//!
//! `message` takes TPKT, X.224 and MCS apart, `core` the client's settings, `security` finds the certificate of TLS inside,
//! `tx` writes the record.

mod core;
mod keyboard;
mod message;
mod parser;
mod security;
mod tx;

#[cfg(test)]
mod tests;

use super::{Probe, Protocol, Recognise};
use crate::direction::{Dir, PerDir};
use parser::RdpParser;

/// Progress of a whole message.
const COMPLETE: u8 = 1;

pub static RDP: Protocol = Protocol {
    name: "rdp",
    aliases: &[],
    tcp: true,
    udp: false,
    doc: "The Remote Desktop Protocol: negotiation, the client's settings, and the certificate when it goes on as TLS. Each \
          message is a transaction of its own and gives one `rdp` event.",
    recognise: Recognise { patterns: &[], probe: Some(probe), tcp_ports: &[3389], udp_ports: &[] },
    new: |_config| Box::new(RdpParser::new()),
    buffers: &[],
    numbers: &[],
    frames: &[],
    events: &[],
    states: PerDir::new(
        &["request_started", "request_complete"],
        &["response_started", "response_complete"],
    ),
    complete: PerDir::new(COMPLETE, COMPLETE),
    log_at: PerDir::new(COMPLETE, COMPLETE),
    record: "rdp",
};

/// Recognises the X.224 messages a connection begins with.
fn probe(dir: Dir, data: &[u8]) -> Probe {
    match (dir, data) {
        (_, []) => Probe::Unsure,
        (_, [first, ..]) if *first != message::TPKT_VERSION => Probe::No,
        (Dir::ToServer, [_, _, _, _, _, kind, ..]) if kind & 0xf0 == message::CONNECTION_REQUEST => {
            Probe::Yes
        }
        (Dir::ToClient, [_, _, _, _, _, kind, ..]) if kind & 0xf0 == message::CONNECTION_CONFIRM => {
            Probe::Yes
        }
        (Dir::ToServer, [_, _, _, _, _, kind, ..]) if kind & 0xf0 == message::CONNECTION_CONFIRM => {
            Probe::Reversed
        }
        (_, [_, _, _, _, _, _, ..]) => Probe::No,
        _ => Probe::Unsure,
    }
}
