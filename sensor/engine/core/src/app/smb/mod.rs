//! SMB 1, 2 and 3 (MS-CIFS, MS-SMB2) over TCP, on port 445 and, behind NetBIOS's session service, 139. A transaction is a command
//! with its answer; the READs and WRITEs of one open file are one transaction with a file, and a call of DCE/RPC over a named
//! pipe is one, too. What is encrypted (SMB 3) is not looked into.

mod auth;
mod chunks;
mod config;
mod log;
mod names;
mod parser;
mod pipe;
mod recent;
mod session;
mod smb1;
mod smb2;
mod status;
mod tx;

#[cfg(test)]
mod tests;

use super::{dcerpc, Buffer, Number, Pattern, Probe, Protocol, Recognise};
use crate::direction::{Dir, PerDir};

const COMPLETE: u8 = 1;

/// Indexed by `Event`.
const EVENTS: &[&str] = &[
    "internal_error",
    "record_overflow",
    "malformed_data",
    "malformed_ntlmssp_request",
    "malformed_ntlmssp_response",
    "duplicate_negotiate",
    "negotiate_malformed_dialects",
    "file_overlap",
    "request_to_client",
    "response_to_server",
    "negotiate_max_read_size_too_large",
    "negotiate_max_write_size_too_large",
    "read_request_too_large",
    "read_response_too_large",
    "write_request_too_large",
    "write_queue_size_exceeded",
    "write_queue_cnt_exceeded",
    "read_queue_size_exceeded",
    "read_queue_cnt_exceeded",
    "too_many_transactions",
    "unusual_ntlmssp_order",
];

/// What a session raises; numbers are places in `EVENTS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    MalformedData = 2,
    MalformedNtlmsspRequest = 3,
    DuplicateNegotiate = 5,
    NegotiateMalformedDialects = 6,
    FileOverlap = 7,
    RequestToClient = 8,
    ResponseToServer = 9,
    NegotiateMaxReadSizeTooLarge = 10,
    NegotiateMaxWriteSizeTooLarge = 11,
    ReadRequestTooLarge = 12,
    ReadResponseTooLarge = 13,
    WriteRequestTooLarge = 14,
    WriteQueueSizeExceeded = 15,
    WriteQueueCntExceeded = 16,
    ReadQueueSizeExceeded = 17,
    ReadQueueCntExceeded = 18,
    TooManyTransactions = 19,
    UnusualNtlmsspOrder = 20,
}

const fn request(name: &'static str, aliases: &'static [&'static str], doc: &'static str) -> Buffer {
    let progress = PerDir::new(Some(COMPLETE), None);
    Buffer { name, aliases, modifier: None, progress, multi: false, streaming: false, doc }
}

/// Indexed by the constants in `tx`.
const BUFFERS: &[Buffer] = &[
    request(
        "smb.named_pipe",
        &["smb_named_pipe"],
        "The tree of named pipes a client connects to, e.g. `\\\\server\\IPC$`.",
    ),
    request("smb.share", &["smb_share"], "The share of files a client connects to, e.g. `\\\\server\\C$`."),
    request("smb.ntlmssp_user", &[], "The user that logs on with NTLMSSP."),
    request("smb.ntlmssp_domain", &[], "The domain of the user that logs on with NTLMSSP."),
    dcerpc::STUB_DATA,
    Buffer {
        name: "file.data",
        aliases: &["file_data"],
        modifier: None,
        progress: PerDir::new(Some(0), Some(0)),
        multi: true,
        streaming: true,
        doc: "The content of a file that is read or written.",
    },
    Buffer {
        name: "file.name",
        aliases: &[],
        modifier: None,
        progress: PerDir::new(Some(0), Some(0)),
        multi: true,
        streaming: false,
        doc: "The name of a file that is read or written.",
    },
];

const NUMBERS: &[Number] = &[Number {
    name: "smb.version",
    aliases: &[],
    dir: None,
    max: 255,
    words: &[],
    flags: false,
    doc: "Version of a command: 1, or 2 for both SMB 2 and 3.",
}];

pub static SMB: Protocol = Protocol {
    name: "smb",
    // Rules of `dcerpc` see calls over named pipes.
    aliases: &["dcerpc"],
    tcp: true,
    udp: false,
    doc: "Server Message Block, version 1, 2 and 3: shares, files and named pipes of Windows networks. Each command with its \
          answer, each file and each DCE/RPC call gives one `smb` event.",
    recognise: Recognise {
        patterns: &[
            Pattern { dir: Dir::ToServer, bytes: b"SMB", nocase: false, offset: 5, depth: 8 },
            Pattern { dir: Dir::ToClient, bytes: b"SMB", nocase: false, offset: 5, depth: 8 },
        ],
        probe: Some(probe),
        tcp_ports: &[139, 445],
        udp_ports: &[],
    },
    new: |config| Box::new(parser::SmbParser::new(config)),
    buffers: BUFFERS,
    numbers: NUMBERS,
    frames: parser::FRAMES,
    events: EVENTS,
    states: PerDir::new(
        &["request_started", "request_complete"],
        &["response_started", "response_complete"],
    ),
    complete: PerDir::new(COMPLETE, COMPLETE),
    log_at: PerDir::new(COMPLETE, COMPLETE),
    record: "smb",
};

fn probe(dir: Dir, data: &[u8]) -> Probe {
    let Some((kind, _)) = parser::framing(data) else { return Probe::Unsure };
    let message = data.get(parser::FRAME_LEN..).unwrap_or_default();
    match (kind, parser::is_smb(message)) {
        (0, Some(true)) => {
            let response = match smb1::Record::read(message) {
                Some(record) => Some(record.response),
                None => smb2::Record::read(message).map(|record| record.response),
            };
            // An encrypted message does not say which way it goes.
            if dir == Dir::ToServer && response == Some(true) {
                Probe::Reversed
            } else {
                Probe::Yes
            }
        }
        (0, None) => Probe::Unsure,
        // A session request of NetBIOS: two encoded names.
        (0x81, _) if dir == Dir::ToServer && data.get(1) == Some(&0) => Probe::Yes,
        _ => Probe::No,
    }
}
