//! HTTP/2 (RFC 9113) in the clear: by prior knowledge, after `Upgrade: h2c`, or decrypted before it came here; also when the capture
//! begins in the middle. DNS over HTTP/2 (RFC 8484) is the same parser under another name, with the DNS buffers beside.
//!
//! As in Suricata, a stream is a transaction, and so is each frame about the whole connection.

mod buffers;
mod frame;
mod hpack;
mod huffman;
mod parser;
mod record;
#[cfg(test)]
mod tests;
mod tx;

use super::{dns, Buffer, Number, Parser, Pattern, Probe, Protocol, Recognise};
use crate::direction::{Dir, PerDir};
use crate::setting;
use serde_json::Value;
use tx::progress;

/// Settings of the parser: the node `app-layer.protocols.http2`, with Suricata's names and defaults.
#[derive(Clone, Copy, Debug)]
struct Config {
    /// Transactions of a connection that are held at once (`max-streams`).
    max_streams: usize,
    /// Bytes of a HPACK table (`max-table-size`).
    max_table_size: usize,
    /// Bytes of a header block over several frames (`max-reassembly-size`).
    max_reassembly_size: usize,
}

impl Config {
    fn from_value(node: &Value) -> Config {
        let size = |key: &str, default: usize, most: usize| {
            let given = setting::size(&node[key]).and_then(|n| usize::try_from(n).ok());
            given.unwrap_or(default).clamp(1, most)
        };
        Config {
            max_streams: size("max-streams", 4096, 65_536),
            max_table_size: size("max-table-size", 65_536, 1 << 20),
            max_reassembly_size: size("max-reassembly-size", 102_400, 1 << 20),
        }
    }
}

macro_rules! events {
    ($($variant:ident => $name:literal,)*) => {
        /// One oddity; the number is its place in `Protocol::events`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        #[allow(dead_code)] // rules may name events that this parser has no reason to raise
        enum Event { $($variant,)* }
        /// Rule names, in the order of `Event`.
        const EVENTS: &[&str] = &[$($name,)*];
    };
}

events! {
    InvalidFrameHeader => "invalid_frame_header",
    InvalidClientMagic => "invalid_client_magic",
    InvalidFrameData => "invalid_frame_data",
    InvalidHeader => "invalid_header",
    InvalidFrameLength => "invalid_frame_length",
    ExtraHeaderData => "extra_header_data",
    LongFrameData => "long_frame_data",
    StreamIdReuse => "stream_id_reuse",
    InvalidHttp1Settings => "invalid_http1_settings",
    FailedDecompression => "failed_decompression",
    InvalidRange => "invalid_range",
    HeaderIntegerOverflow => "header_integer_overflow",
    TooManyStreams => "too_many_streams",
    AuthorityHostMismatch => "authority_host_mismatch",
    UserinfoInUri => "userinfo_in_uri",
    ReassemblyLimitReached => "reassembly_limit_reached",
    DnsRequestTooLong => "dns_request_too_long",
    DnsResponseTooLong => "dns_response_too_long",
    DataStreamZero => "data_stream_zero",
    TooManyFrames => "too_many_frames",
    CompressionBomb => "compression_bomb",
}

const fn number(
    name: &'static str,
    max: u64,
    words: &'static [(&'static str, u64)],
    doc: &'static str,
) -> Number {
    Number { name, aliases: &[], dir: None, max, words, flags: false, doc }
}

const U32_MAX: u64 = u32::MAX as u64;

const NUMBERS: [Number; 5] = [
    number(
        "http2.frametype",
        255,
        &[
            ("DATA", 0),
            ("HEADERS", 1),
            ("PRIORITY", 2),
            ("RSTSTREAM", 3),
            ("RST_STREAM", 3),
            ("SETTINGS", 4),
            ("PUSHPROMISE", 5),
            ("PUSH_PROMISE", 5),
            ("PING", 6),
            ("GOAWAY", 7),
            ("WINDOWUPDATE", 8),
            ("WINDOW_UPDATE", 8),
            ("CONTINUATION", 9),
        ],
        "Type of a frame of the transaction.",
    ),
    number(
        "http2.errorcode",
        U32_MAX,
        &[
            ("NO_ERROR", 0),
            ("PROTOCOL_ERROR", 1),
            ("INTERNAL_ERROR", 2),
            ("FLOW_CONTROL_ERROR", 3),
            ("SETTINGS_TIMEOUT", 4),
            ("STREAM_CLOSED", 5),
            ("FRAME_SIZE_ERROR", 6),
            ("REFUSED_STREAM", 7),
            ("CANCEL", 8),
            ("COMPRESSION_ERROR", 9),
            ("CONNECT_ERROR", 10),
            ("ENHANCE_YOUR_CALM", 11),
            ("INADEQUATE_SECURITY", 12),
            ("HTTP_1_1_REQUIRED", 13),
            ("HTTP11_REQUIRED", 13),
        ],
        "Error code of a GOAWAY or RST_STREAM frame.",
    ),
    number(
        "http2.priority",
        255,
        &[],
        "Weight in a PRIORITY or HEADERS frame, as sent (one less than it means).",
    ),
    number("http2.window", U32_MAX, &[], "Increment in a WINDOW_UPDATE frame."),
    number("http2.size_update", U32_MAX, &[], "Size a header block sets its dynamic table to."),
];

const STATES: PerDir<&[&str]> = PerDir::new(
    &["request_started", "request_headers", "request_body", "request_ended", "request_complete"],
    &["response_started", "response_headers", "response_body", "response_ended", "response_complete"],
);

/// One list behind the other.
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)] // evaluated at compile time
const fn joined<T: Copy, const N: usize>(first: &[T], second: &[T]) -> [T; N] {
    let mut out = [first[0]; N];
    let mut at = 0;
    while at < N {
        out[at] = if at < first.len() { first[at] } else { second[at - first.len()] };
        at += 1;
    }
    out
}

const DOH_BUFFERS: [Buffer; buffers::TABLE.len() + dns::BUFFERS.len()] = joined(buffers::TABLE, dns::BUFFERS);
const DOH_NUMBERS: [Number; NUMBERS.len() + dns::NUMBERS.len()] = joined(&NUMBERS, dns::NUMBERS);

/// The registry entry.
pub static HTTP2: Protocol = Protocol {
    name: "http2",
    aliases: &["http"],
    tcp: true,
    udp: false,
    doc: "HTTP/2: streams with their fields and bodies, and the frames about the connection.",
    recognise: Recognise {
        patterns: &[Pattern {
            dir: Dir::ToServer,
            bytes: parser::PREFACE,
            nocase: false,
            offset: 0,
            depth: parser::PREFACE.len() as u16,
        }],
        probe: Some(probe),
        tcp_ports: &[],
        udp_ports: &[],
    },
    new: |config| Box::new(parser::Http2Parser::new(Config::from_value(config))) as Box<dyn Parser>,
    buffers: buffers::TABLE,
    numbers: &NUMBERS,
    frames: &["hdr", "data", "pdu"],
    events: EVENTS,
    states: STATES,
    complete: PerDir::new(progress::COMPLETE, progress::COMPLETE),
    log_at: PerDir::new(progress::COMPLETE, progress::COMPLETE),
    record: "http",
};

/// The registry entry of DNS over HTTP/2: what an HTTP/2 connection is called once it carried a DNS message.
pub static DOH2: Protocol = Protocol {
    name: "doh2",
    aliases: &["http2", "http", "dns"],
    doc: "DNS over HTTP/2: an HTTP/2 connection that carried a DNS message. Rules of http2, http and dns apply to it too.",
    recognise: Recognise { patterns: &[], probe: None, tcp_ports: &[], udp_ports: &[] },
    buffers: &DOH_BUFFERS,
    numbers: &DOH_NUMBERS,
    ..HTTP2
};

/// A server may speak first, or the preface may be missing: only the pattern says yes.
fn probe(dir: Dir, data: &[u8]) -> Probe {
    let shared = data.len().min(parser::PREFACE.len());
    match dir {
        Dir::ToServer if data.get(..shared) != parser::PREFACE.get(..shared) => Probe::No,
        Dir::ToServer if shared < parser::PREFACE.len() => Probe::Unsure,
        Dir::ToServer => Probe::Yes,
        Dir::ToClient => Probe::No,
    }
}

/// Decodes base64url (RFC 4648 section 5), padding optional. None: not that.
fn base64url(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.trim_ascii();
    let end = text.iter().rposition(|b| *b != b'=').map_or(0, |at| at.saturating_add(1));
    let mut out = Vec::with_capacity(text.len());
    let (mut bits, mut held) = (0u32, 0u32);
    for byte in text.get(..end)? {
        let value = match byte {
            b'A'..=b'Z' => byte.wrapping_sub(b'A'),
            b'a'..=b'z' => byte.wrapping_sub(b'a').wrapping_add(26),
            b'0'..=b'9' => byte.wrapping_sub(b'0').wrapping_add(52),
            b'-' | b'+' => 62,
            b'_' | b'/' => 63,
            _ => return None,
        };
        bits = bits.wrapping_shl(6) | u32::from(value);
        held = held.saturating_add(6);
        if held >= 8 {
            held = held.saturating_sub(8);
            out.push(u8::try_from(bits.wrapping_shr(held) & 0xff).unwrap_or(0));
        }
    }
    Some(out)
}
