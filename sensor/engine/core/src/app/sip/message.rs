//! A SIP message: start line and the headers rules ask for (RFC 3261 section 7). Must not see the stream it came in.

use std::ops::Range;

/// Values kept of one message; more are left out. A message of 16 KiB of the shortest headers has more, none in use has.
const VALUES_MAX: usize = 256;

/// `METHOD uri SIP/2.0`, or `SIP/2.0 code reason`.
#[derive(Debug)]
pub struct StartLine {
    pub line: Vec<u8>,
    pub request: bool,
    /// Its three parts, in the order of the line.
    parts: [Range<usize>; 3],
}

impl StartLine {
    /// Reads a line without its end.
    pub fn read(line: &[u8]) -> Option<StartLine> {
        let first = line.iter().position(|b| *b == b' ')?;
        let request = !is_version(line.get(..first)?);
        let behind = first.checked_add(1)?;
        let rest = line.get(behind..)?;
        let second = match rest.iter().position(|b| *b == b' ') {
            Some(at) => behind.checked_add(at)?,
            // A reason may be missing with its space.
            None if !request => line.len(),
            None => return None,
        };
        let third = second.saturating_add(1).min(line.len());
        let parts = [0..first, behind..second, third..line.len()];
        let part = |at: usize| line.get(parts.get(at)?.clone());
        let valid = match request {
            true => is_token(part(0)?) && !part(1)?.is_empty() && is_version(part(2)?),
            false => part(1)?.len() == 3 && part(1)?.iter().all(u8::is_ascii_digit),
        };
        valid.then(|| StartLine { line: line.to_vec(), request, parts })
    }

    fn part(&self, at: usize) -> &[u8] {
        self.parts.get(at).and_then(|range| self.line.get(range.clone())).unwrap_or_default()
    }
    pub fn version(&self) -> &[u8] {
        self.part(if self.request { 2 } else { 0 })
    }
    /// Of a request.
    pub fn method(&self) -> Option<&[u8]> {
        self.request.then(|| self.part(0))
    }
    pub fn uri(&self) -> Option<&[u8]> {
        self.request.then(|| self.part(1))
    }
    /// Of a response.
    pub fn code(&self) -> Option<&[u8]> {
        (!self.request).then(|| self.part(1))
    }
    pub fn reason(&self) -> Option<&[u8]> {
        (!self.request).then(|| self.part(2))
    }
}

fn is_version(text: &[u8]) -> bool {
    match text.strip_prefix(b"SIP/") {
        Some(number) => !number.is_empty() && number.iter().all(|b| b.is_ascii_digit() || *b == b'.'),
        None => false,
    }
}

fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|b| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(b))
}

/// The headers that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    From,
    To,
    Via,
    UserAgent,
    ContentType,
    ContentLength,
}

impl Header {
    /// By name or compact form (RFC 3261 section 7.3.3).
    fn named(name: &[u8]) -> Option<Header> {
        const NAMES: [(&str, &str, Header); 6] = [
            ("from", "f", Header::From),
            ("to", "t", Header::To),
            ("via", "v", Header::Via),
            ("user-agent", "", Header::UserAgent),
            ("content-type", "c", Header::ContentType),
            ("content-length", "l", Header::ContentLength),
        ];
        let is = |text: &str| !text.is_empty() && name.eq_ignore_ascii_case(text.as_bytes());
        NAMES.iter().find(|(long, short, _)| is(long) || is(short)).map(|(_, _, header)| *header)
    }
}

/// Start line and headers.
#[derive(Debug)]
pub struct Head {
    pub start: StartLine,
    values: Vec<(Header, Vec<u8>)>,
    /// Bytes of the start line with its end, and of the headers without the empty line behind them.
    pub line_len: usize,
    pub headers_len: usize,
    /// Bytes up to the body.
    pub len: usize,
}

/// What the bytes at the start of a message are.
#[derive(Debug)]
pub enum Read {
    Head(Head),
    /// The empty line is not there yet.
    Incomplete,
    Invalid,
}

impl Head {
    pub fn read(data: &[u8]) -> Read {
        let Some(line_len) = line(data) else { return Read::Incomplete };
        let Some(start) = StartLine::read(trim_line_end(data.get(..line_len).unwrap_or_default())) else {
            return Read::Invalid;
        };
        let mut head = Head { start, values: Vec::new(), line_len, headers_len: 0, len: 0 };
        let mut at = line_len;
        let mut last: Option<usize> = None;
        loop {
            let rest = data.get(at..).unwrap_or_default();
            let Some(len) = line(rest) else { return Read::Incomplete };
            let text = trim_line_end(rest.get(..len).unwrap_or_default());
            if text.is_empty() {
                head.headers_len = at.saturating_sub(line_len);
                head.len = at.saturating_add(len);
                return Read::Head(head);
            }
            at = at.saturating_add(len);
            if text.first().is_some_and(|b| matches!(b, b' ' | b'\t')) {
                // A folded line goes on with the value before it (RFC 3261 section 7.3.1).
                if let Some((_, value)) = last.and_then(|i| head.values.get_mut(i)) {
                    value.push(b' ');
                    value.extend_from_slice(text.trim_ascii());
                }
                continue;
            }
            let Some(colon) = memchr::memchr(b':', text) else { return Read::Invalid };
            let (name, value) = text.split_at_checked(colon).unwrap_or_default();
            last = None;
            if let Some(header) = Header::named(name.trim_ascii_end()) {
                if head.values.len() < VALUES_MAX {
                    last = Some(head.values.len());
                    let value = value.get(1..).unwrap_or_default().trim_ascii();
                    head.values.push((header, value.to_vec()));
                }
            }
        }
    }

    /// The values of a header in the order they stand.
    pub fn values(&self, header: Header) -> impl Iterator<Item = &[u8]> {
        self.values.iter().filter(move |(h, _)| *h == header).map(|(_, value)| value.as_slice())
    }

    pub fn content_length(&self) -> Option<u64> {
        let text = self.values(Header::ContentLength).next()?;
        std::str::from_utf8(text).ok()?.parse().ok()
    }

    pub fn is_sdp(&self) -> bool {
        let media = |value: &[u8]| {
            value.split(|b| *b == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase()
        };
        self.values(Header::ContentType).any(|value| media(value) == b"application/sdp")
    }
}

/// Length of the line at the start, with its end.
fn line(data: &[u8]) -> Option<usize> {
    memchr::memchr(b'\n', data).map(|at| at.saturating_add(1))
}

/// Without `\r\n`, `\n` or `\r` at the end.
pub fn trim_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
