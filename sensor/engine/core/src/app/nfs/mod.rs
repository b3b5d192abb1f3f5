//! NFS versions 2, 3 and 4 (RFC 1094, RFC 1813, RFC 7530) over RPC (RFC 5531), on TCP and UDP. A call with its reply is one
//! transaction; the READs or WRITEs of one file are one, with the file. Suricata names procedures of version 2 by the
//! numbers of version 3; here they have their own names.

mod message;
pub mod names;
mod parser;
mod recent;
mod record;
mod rpc;
mod transfer;
mod tx;
mod v3;
mod v4;
mod xdr;

#[cfg(test)]
mod tests;

use super::{Buffer, Number, Probe, Protocol, Recognise};
use crate::direction::{Dir, PerDir};
use parser::NfsParser;
use rpc::{plausible, MARK_LEN};

const COMPLETE: u8 = 1;
/// Bytes that show whether a stream begins with a message.
const PROBE_BYTES: usize = 28;

/// App-layer events, by their index in `EVENTS`.
#[derive(Clone, Copy)]
enum Event {
    MalformedData,
    NonExistingVersion,
    UnsupportedVersion,
    TooManyTransactions,
}
const EVENTS: &[&str] =
    &["malformed_data", "non_existing_version", "unsupported_version", "too_many_transactions"];

const BOTH: PerDir<Option<u8>> = PerDir::new(Some(0), Some(0));

/// Indexed by the constants in `tx`.
const BUFFERS: &[Buffer] = &[
    Buffer {
        name: "file.data",
        aliases: &[],
        modifier: None,
        progress: BOTH,
        multi: true,
        streaming: true,
        doc: "The content of a file seen in a transaction.",
    },
    Buffer {
        name: "file.name",
        aliases: &[],
        modifier: None,
        progress: BOTH,
        multi: true,
        streaming: false,
        doc: "The name of a file seen in a transaction.",
    },
];

const NUMBERS: &[Number] = &[Number {
    name: "nfs.version",
    aliases: &["nfs_version"],
    dir: Some(Dir::ToServer),
    max: u32::MAX as u64,
    words: &[],
    flags: false,
    doc: "Version of NFS that a call uses: 2, 3 or 4.",
}];

pub static NFS: Protocol = Protocol {
    name: "nfs",
    aliases: &[],
    tcp: true,
    udp: true,
    doc: "The Network File System, versions 2, 3 and 4, over TCP and UDP. Each call with its reply gives one `nfs` event with \
          an `rpc` object; the reads or writes of one file give one with a file. `max-tx` (1024) of `app-layer.protocols.nfs` \
          bounds the calls that wait for a reply.",
    recognise: Recognise { patterns: &[], probe: Some(probe), tcp_ports: &[2049], udp_ports: &[2049] },
    new: |config| Box::new(NfsParser::new(config)),
    buffers: BUFFERS,
    numbers: NUMBERS,
    frames: &[],
    events: EVENTS,
    states: PerDir::new(&["request_started", "request_complete"], &["response_started", "response_complete"]),
    complete: PerDir::new(COMPLETE, COMPLETE),
    log_at: PerDir::new(COMPLETE, COMPLETE),
    record: "nfs",
};

/// Recognises a datagram, or a stream with its record mark: the mark's place keeps the two apart, since a message read from
/// its second word on is none.
fn probe(dir: Dir, data: &[u8]) -> Probe {
    let message = plausible(data).or_else(|| data.get(MARK_LEN..).and_then(plausible));
    match (dir, message) {
        (Dir::ToServer, Some(false)) => Probe::Reversed,
        (_, Some(_)) => Probe::Yes,
        (_, None) if data.len() < PROBE_BYTES => Probe::Unsure,
        (_, None) => Probe::No,
    }
}
