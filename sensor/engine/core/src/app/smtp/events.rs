//! App-layer events of SMTP, named as in Suricata's `smtp-events.rules`.

use crate::app::mime::Anomaly;

/// What is raised; the other names of `NAMES` load in rules, and Suricata never raises them either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Event {
    InvalidReply = 0,
    InvalidPipelinedSequence = 4,
    BdatChunkLenExceeded = 5,
    NoServerWelcome = 6,
    TlsRejected = 7,
    DataCommandRejected = 8,
    DuplicateFields = 9,
    UnparsableContent = 10,
    InvalidBdat = 11,
    TruncatedLine = 13,
}

/// Indexed by `Event`, then by `mime::Anomaly`; written as EVE does, rules say them in any case.
pub const NAMES: &[&str] = &[
    "INVALID_REPLY",
    "UNABLE_TO_MATCH_REPLY_WITH_REQUEST",
    "MAX_COMMAND_LINE_LEN_EXCEEDED",
    "MAX_REPLY_LINE_LEN_EXCEEDED",
    "INVALID_PIPELINED_SEQUENCE",
    "BDAT_CHUNK_LEN_EXCEEDED",
    "NO_SERVER_WELCOME_MESSAGE",
    "TLS_REJECTED",
    "DATA_COMMAND_REJECTED",
    "DUPLICATE_FIELDS",
    "UNPARSABLE_CONTENT",
    "INVALID_BDAT",
    "FAILED_PROTOCOL_CHANGE",
    "TRUNCATED_LINE",
    "MIME_PARSE_FAILED",
    "MIME_MALFORMED_MSG",
    "MIME_INVALID_BASE64",
    "MIME_INVALID_QP",
    "MIME_LONG_LINE",
    "MIME_LONG_ENC_LINE",
    "MIME_LONG_HEADER_NAME",
    "MIME_LONG_HEADER_VALUE",
    "MIME_LONG_BOUNDARY",
    "MIME_LONG_FILENAME",
];

/// Events for a message's anomalies (bit = `Anomaly`), as bits of `TxMeta::events`.
pub fn of_mime(anomalies: u16) -> u128 {
    const FIRST: u32 = Event::TruncatedLine as u32 + 1 - Anomaly::ParseFailed as u32;
    u128::from(anomalies) << FIRST
}
