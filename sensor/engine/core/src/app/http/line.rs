//! Request and status lines: where method, URI, protocol, status and message stand. Tolerant as servers and browsers are.

use std::ops::Range;

/// Protocol versions as they decide framing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    #[default]
    Unknown,
    V0_9,
    V1_0,
    V1_1,
}

/// Methods the parser knows; others are carried as they are.
const METHODS: &[&[u8]] = &[
    b"GET",
    b"POST",
    b"HEAD",
    b"PUT",
    b"OPTIONS",
    b"CONNECT",
    b"DELETE",
    b"TRACE",
    b"PATCH",
    b"PROPFIND",
    b"PROPPATCH",
    b"MKCOL",
    b"COPY",
    b"MOVE",
    b"LOCK",
    b"UNLOCK",
    b"VERSION-CONTROL",
    b"CHECKOUT",
    b"UNCHECKOUT",
    b"CHECKIN",
    b"UPDATE",
    b"LABEL",
    b"REPORT",
    b"MKWORKSPACE",
    b"MKACTIVITY",
    b"BASELINE-CONTROL",
    b"MERGE",
    b"SEARCH",
    b"INVALID",
];

pub fn is_known_method(method: &[u8]) -> bool {
    METHODS.contains(&method)
}

/// Whether what follows a message may be the start of the next request: a known method, or the beginning of one.
pub fn looks_like_request(data: &[u8]) -> bool {
    let start = data.iter().position(|b| !is_space(*b)).unwrap_or(data.len());
    let rest = data.get(start..).unwrap_or(&[]);
    match rest.iter().position(|b| is_space(*b)) {
        Some(end) => is_known_method(rest.get(..end).unwrap_or(&[])),
        None => METHODS.iter().any(|m| m.starts_with(rest)),
    }
}

/// Whether a line in the place of a status line is rather the body of an answer without a head: all but
/// blanks, then "HTTP".
pub fn is_status_line(data: &[u8]) -> bool {
    let start = data.iter().position(|b| !is_space(*b) && *b != 0).unwrap_or(data.len());
    data.get(start..start.saturating_add(4)).is_some_and(|word| word.eq_ignore_ascii_case(b"HTTP"))
}

/// Whether `data` can still become a status line with more bytes.
pub fn may_be_status_line(data: &[u8]) -> bool {
    let start = data.iter().position(|b| !is_space(*b) && *b != 0).unwrap_or(data.len());
    let rest = data.get(start..).unwrap_or(&[]);
    let head = rest.get(..4).unwrap_or(rest);
    b"HTTP".get(..head.len()).is_some_and(|word| word.eq_ignore_ascii_case(head))
}

pub fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c)
}

/// Without its line end: one LF with the CR before it, and stray CRs.
pub fn chomp(mut line: &[u8]) -> &[u8] {
    loop {
        line = match line {
            [rest @ .., b'\r', b'\n'] | [rest @ .., b'\n'] | [rest @ .., b'\r'] => rest,
            _ => return line,
        };
    }
}

/// A request line taken apart; ranges are into the line.
#[derive(Clone, Debug, Default)]
pub struct RequestLine {
    pub method: Range<usize>,
    pub uri: Range<usize>,
    pub protocol: Range<usize>,
    pub version: Version,
    pub leading_whitespace: bool,
    pub bad_method_delimiter: bool,
    pub bad_uri_delimiter: bool,
    /// Method alone, or unknown method with unknown protocol.
    pub invalid: bool,
    pub incomplete: bool,
}

fn skip(line: &[u8], from: usize, wanted: impl Fn(u8) -> bool) -> usize {
    line.get(from..)
        .and_then(|rest| rest.iter().position(|b| !wanted(*b)))
        .map_or(line.len(), |n| from.saturating_add(n))
}

/// Takes a request line (no line end) apart.
pub fn parse_request(line: &[u8]) -> RequestLine {
    let mut out = RequestLine::default();
    let start = skip(line, 0, is_space);
    out.leading_whitespace = start > 0;
    let method_end = skip(line, start, |b| !is_space(b));
    out.method = start..method_end;
    let known = is_known_method(line.get(out.method.clone()).unwrap_or(&[]));
    let uri_start = skip(line, method_end, is_space);
    let gap = line.get(method_end..uri_start).unwrap_or(&[]);
    out.bad_method_delimiter = gap.iter().any(|b| *b != b' ');
    out.version = Version::V0_9;
    out.uri = uri_start..uri_start;
    out.protocol = line.len()..line.len();
    if uri_start == line.len() {
        out.incomplete = true;
        out.invalid = !known;
        return out;
    }
    let mut uri_end = skip(line, uri_start, |b| b != b' ');
    if uri_end == line.len() {
        // No space behind the URI: other blanks delimit too, for many servers.
        uri_end = skip(line, uri_start, |b| !is_space(b));
        out.bad_uri_delimiter = uri_end < line.len();
    } else {
        let uri = line.get(uri_start..uri_end).unwrap_or(&[]);
        out.bad_uri_delimiter = uri.iter().any(|b| is_space(*b));
    }
    out.uri = uri_start..uri_end;
    let protocol_start = skip(line, uri_end, is_space);
    if protocol_start == line.len() {
        out.invalid = !known;
        return out;
    }
    out.protocol = protocol_start..line.len();
    let protocol = line.get(out.protocol.clone()).unwrap_or(&[]);
    out.version = version(protocol);
    if out.version == Version::Unknown {
        // A space inside the URI: the last word tells the framing all the same.
        let last = protocol.rsplit(|b| is_space(*b)).find(|word| !word.is_empty());
        let found = version(last.unwrap_or(&[]));
        if found != Version::Unknown {
            out.version = found;
        }
        out.invalid = !known && out.version == Version::Unknown;
    }
    out
}

/// The version in "HTTP/1.1", leading zeros and blanks allowed.
pub fn version(protocol: &[u8]) -> Version {
    let protocol = match protocol.iter().rposition(|b| !is_space(*b)) {
        Some(last) => protocol.get(..=last).unwrap_or(protocol),
        None => return Version::Unknown,
    };
    let Some((name, number)) = protocol.split_at_checked(5) else {
        return Version::Unknown;
    };
    if !name.eq_ignore_ascii_case(b"HTTP/") {
        return Version::Unknown;
    }
    let start = skip(number, 0, |b| b == b'0' || is_space(b));
    match number.get(start..).unwrap_or(&[]) {
        [b'1', b'.', minor @ ..] => match minor.get(skip(minor, 0, |b| b == b'0')..) {
            Some([]) => Version::V1_0,
            Some([b'1', rest @ ..]) if rest.iter().all(|b| *b == b'0') => Version::V1_1,
            _ => Version::Unknown,
        },
        [b'.', b'9'] => Version::V0_9,
        _ => Version::Unknown,
    }
}

/// A status line taken apart; ranges are into the line.
#[derive(Clone, Debug, Default)]
pub struct StatusLine {
    pub protocol: Range<usize>,
    pub version: Version,
    pub status: Range<usize>,
    /// None when it is no number of 100..=999.
    pub code: Option<u16>,
    pub message: Range<usize>,
}

/// Takes a status line (no line end) apart.
pub fn parse_status(line: &[u8]) -> StatusLine {
    let start = skip(line, 0, |b| is_space(b) || b == 0);
    let protocol_end = skip(line, start, |b| !is_space(b));
    let status_start = skip(line, protocol_end, is_space);
    let status_end = skip(line, status_start, |b| !is_space(b));
    let message_start = skip(line, status_end, is_space);
    let digits = line.get(status_start..status_end).unwrap_or(&[]);
    StatusLine {
        protocol: start..protocol_end,
        version: version(line.get(start..protocol_end).unwrap_or(&[])),
        status: status_start..status_end,
        code: number(digits, 10).and_then(|n| u16::try_from(n).ok()).filter(|n| (100..=999).contains(n)),
        message: message_start..line.len(),
    }
}

/// A number that takes up all of `digits`.
fn number(digits: &[u8], radix: u32) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |sum, b| {
        let digit = char::from(*b).to_digit(radix)?;
        sum.checked_mul(u64::from(radix))?.checked_add(u64::from(digit))
    })
}

/// A Content-Length: the first run of digits; junk around it is reported by the flag.
pub fn content_length(value: &[u8]) -> Option<(u64, bool)> {
    let start = value.iter().position(u8::is_ascii_digit)?;
    let end = skip(value, start, |b| b.is_ascii_digit());
    let length = number(value.get(start..end)?, 10).filter(|n| *n <= i64::MAX as u64)?;
    Some((length, start > 0 || end < value.len()))
}

/// What a chunk-length line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkLength {
    /// Blank line: look at the next one.
    Blank,
    Invalid,
    /// Length, and whether an extension follows.
    Length(u64, bool),
}

/// Blanks and line ends servers skip in front of a chunk length.
pub fn is_chunk_blank(byte: u8) -> bool {
    is_space(byte)
}

/// Reads a chunk-length line: leading blanks are skipped, what follows the digits is ignored.
pub fn chunk_length(line: &[u8]) -> ChunkLength {
    let start = skip(line, 0, is_chunk_blank);
    if start == line.len() {
        return ChunkLength::Blank;
    }
    let end = skip(line, start, |b| b.is_ascii_hexdigit());
    let rest = line.get(end..).unwrap_or(&[]);
    match number(line.get(start..end).unwrap_or(&[]), 16) {
        Some(length) if length <= i32::MAX as u64 => ChunkLength::Length(length, rest.contains(&b';')),
        _ => ChunkLength::Invalid,
    }
}
