//! The header fields of one message: the raw block once, and spans into it. Knows no policy beyond joining repeats.

/// Most fields of one message; Suricata's limit.
pub const FIELDS_MAX: usize = 1024;
/// Bytes and fields room is made for before it is known how many there are: hardly a message has more.
const HEAD_USUAL: usize = 2 << 10;
const FIELDS_USUAL: usize = 24;
/// Repeats of one field that are joined to it; later ones are dropped, so that joining stays linear.
const REPEATS_MAX: u8 = 64;
/// Most bytes of joined and unfolded values of a message: interleaved repeats would otherwise copy each other over and over.
const EXTRA_MAX: usize = 256 << 10;

/// Headers the parser or a buffer asks for by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Known {
    Accept,
    AcceptEncoding,
    AcceptLanguage,
    Authorization,
    Connection,
    ContentDisposition,
    ContentEncoding,
    ContentLength,
    ContentRange,
    ContentType,
    Cookie,
    Expect,
    Host,
    Location,
    Referer,
    Server,
    SetCookie,
    TransferEncoding,
    Upgrade,
    UserAgent,
    Other,
}

const KNOWN_COUNT: usize = Known::Other as usize;

impl Known {
    /// By name, whatever its case.
    fn of(name: &[u8]) -> Known {
        let first = name.first().map_or(0, u8::to_ascii_lowercase);
        let candidate: (Known, &str) = match (name.len(), first) {
            (4, _) => (Known::Host, "host"),
            (6, b'a') => (Known::Accept, "accept"),
            (6, b'c') => (Known::Cookie, "cookie"),
            (6, b'e') => (Known::Expect, "expect"),
            (6, _) => (Known::Server, "server"),
            (7, b'r') => (Known::Referer, "referer"),
            (7, _) => (Known::Upgrade, "upgrade"),
            (8, _) => (Known::Location, "location"),
            (10, b'c') => (Known::Connection, "connection"),
            (10, b's') => (Known::SetCookie, "set-cookie"),
            (10, _) => (Known::UserAgent, "user-agent"),
            (12, _) => (Known::ContentType, "content-type"),
            (13, b'c') => (Known::ContentRange, "content-range"),
            (13, _) => (Known::Authorization, "authorization"),
            (14, _) => (Known::ContentLength, "content-length"),
            (15, _) if matches!(name.get(7), Some(b'l' | b'L')) => (Known::AcceptLanguage, "accept-language"),
            (15, _) => (Known::AcceptEncoding, "accept-encoding"),
            (16, _) => (Known::ContentEncoding, "content-encoding"),
            (17, _) => (Known::TransferEncoding, "transfer-encoding"),
            (19, _) => (Known::ContentDisposition, "content-disposition"),
            _ => return Known::Other,
        };
        if name.eq_ignore_ascii_case(candidate.1.as_bytes()) {
            candidate.0
        } else {
            Known::Other
        }
    }
}

/// A stretch of `raw`, or of `extra` for what is not contiguous on the wire.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    start: u32,
    len: u32,
    extra: bool,
}

#[derive(Clone, Copy, Debug)]
struct Field {
    name: Span,
    value: Span,
    known: Known,
    hash: u16,
    repeats: u8,
}

/// What adding a field found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    pub missing_colon: bool,
    pub invalid: bool,
    pub repeated: bool,
    /// A second Content-Length; the first stays in force.
    pub repeated_length: bool,
    pub too_many: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Headers {
    /// The block as it came, line ends included.
    pub raw: Vec<u8>,
    extra: Vec<u8>,
    fields: Vec<Field>,
    known: [u16; KNOWN_COUNT],
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c)
}

/// Token characters (RFC 9110 section 5.6.2).
fn is_token(byte: u8) -> bool {
    matches!(byte,
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*'
        | b'+' | b'.' | b'^' | b'`' | b'|' | b'~')
}

fn hash_name(name: &[u8]) -> u16 {
    name.iter()
        .fold(5381u16, |hash, byte| hash.wrapping_mul(33).wrapping_add(u16::from(byte.to_ascii_lowercase())))
}

impl Headers {
    pub fn clear(&mut self) {
        *self = Headers::default();
    }
    pub fn len(&self) -> usize {
        self.fields.len()
    }
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    fn bytes(&self, span: Span) -> &[u8] {
        let from = if span.extra { &self.extra } else { &self.raw };
        let start = span.start as usize;
        from.get(start..start.saturating_add(span.len as usize)).unwrap_or(&[])
    }

    pub fn iter(&self) -> impl Iterator<Item = (Known, &[u8], &[u8])> {
        self.fields.iter().map(|f| (f.known, self.bytes(f.name), self.bytes(f.value)))
    }
    /// The value of a header, repeats joined by ", ".
    pub fn get(&self, known: Known) -> Option<&[u8]> {
        let at = *self.known.get(known as usize)?;
        let field = self.fields.get(usize::from(at.checked_sub(1)?))?;
        Some(self.bytes(field.value))
    }
    /// The value of the first header of this name, in any case.
    pub fn find(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(_, n, _)| n.eq_ignore_ascii_case(name.as_bytes())).map(|(_, _, value)| value)
    }
    /// Adds the line that stands at `start..end` of `raw`, without its line end.
    pub fn add_raw(&mut self, start: usize, end: usize) -> Added {
        self.add(start, end, false)
    }
    /// Adds a line put together from folded pieces.
    pub fn add_folded(&mut self, line: &[u8]) -> Added {
        let start = self.extra.len();
        self.extra.extend_from_slice(line);
        self.add(start, self.extra.len(), true)
    }

    fn add(&mut self, start: usize, end: usize, extra: bool) -> Added {
        let mut added = Added::default();
        if self.fields.len() >= FIELDS_MAX {
            added.too_many = true;
            return added;
        }
        let from = if extra { &self.extra } else { &self.raw };
        let Some(line) = from.get(start..end) else {
            return added;
        };
        let colon = memchr::memchr(b':', line);
        let (name_len, mut value_at) = match colon {
            Some(at) => (at, at.saturating_add(1)),
            None => {
                added.missing_colon = true;
                (0, 0)
            }
        };
        added.invalid = colon == Some(0);
        let mut name = line.get(..name_len).unwrap_or(&[]);
        let mut lead = 0;
        let known;
        let mut hash = 0;
        if name.iter().all(|b| is_token(*b)) {
            known = Known::of(name);
            if known == Known::Other {
                hash = hash_name(name);
            }
        } else {
            added.invalid = true;
            let trimmed =
                name.iter().rposition(|b| !is_space(*b) && *b != 0).map_or(0, |at| at.saturating_add(1));
            name = name.get(..trimmed).unwrap_or(&[]);
            // A CR left in front of a name by a stray line end is no part of it.
            lead = name.iter().take_while(|b| is_space(**b)).count();
            name = name.get(lead..).unwrap_or(&[]);
            if memchr::memchr(0, name).is_some() {
                let clean: Vec<u8> = name.iter().copied().filter(|b| *b != 0).collect();
                (known, hash) = (Known::of(&clean), hash_name(&clean));
            } else {
                (known, hash) = (Known::of(name), hash_name(name));
            }
        }
        while line.get(value_at).is_some_and(|b| matches!(b, b' ' | b'\t')) {
            value_at = value_at.saturating_add(1);
        }
        let value_end = line
            .iter()
            .rposition(|b| !is_space(*b))
            .map_or(value_at, |at| at.saturating_add(1).max(value_at));
        let span = |from: usize, to: usize| Span {
            start: u32::try_from(start.saturating_add(from)).unwrap_or(u32::MAX),
            len: u32::try_from(to.saturating_sub(from)).unwrap_or(0),
            extra,
        };
        let field = Field {
            name: span(lead, lead.saturating_add(name.len())),
            value: span(value_at, value_end),
            known,
            hash,
            repeats: 0,
        };
        match self.same_name(&field) {
            Some(at) if !added.missing_colon => {
                added.repeated = true;
                added.repeated_length = known == Known::ContentLength;
                self.join(at, field.value);
            }
            _ => {
                self.fields.push(field);
                if let (Some(slot), Ok(at)) =
                    (self.known.get_mut(known as usize), u16::try_from(self.fields.len()))
                {
                    *slot = at;
                }
            }
        }
        added
    }

    /// Makes room for the header block at the front of `data`: most come whole, and stand until their answer was inspected.
    pub fn make_room(&mut self, data: &[u8]) {
        let usual = data.get(..HEAD_USUAL).unwrap_or(data);
        let end = memchr::memmem::find(usual, b"\r\n\r\n").map(|at| at.saturating_add(4));
        let head = end.and_then(|end| usual.get(..end)).unwrap_or(usual);
        let lines = memchr::memchr_iter(b'\n', head).count();
        self.raw.reserve_exact(head.len());
        self.fields.reserve_exact(lines.saturating_sub(1).min(FIELDS_USUAL));
    }

    fn same_name(&self, field: &Field) -> Option<usize> {
        if let Some(at) = self.known.get(field.known as usize) {
            return usize::from(*at).checked_sub(1);
        }
        let name = self.bytes(field.name);
        self.fields.iter().position(|other| {
            other.hash == field.hash
                && other.known == Known::Other
                && self.bytes(other.name).eq_ignore_ascii_case(name)
        })
    }

    fn join(&mut self, at: usize, value: Span) {
        let Some(field) = self.fields.get_mut(at) else {
            return;
        };
        let repeats = field.repeats;
        field.repeats = repeats.saturating_add(1);
        if repeats >= REPEATS_MAX || field.known == Known::ContentLength || self.extra.len() > EXTRA_MAX {
            return;
        }
        let old = field.value;
        let mut joined = Vec::with_capacity((old.len as usize).saturating_add(value.len as usize));
        joined.extend_from_slice(self.bytes(old));
        joined.extend_from_slice(b", ");
        joined.extend_from_slice(self.bytes(value));
        let start = self.extra.len();
        self.extra.extend_from_slice(&joined);
        if let (Some(field), Ok(start), Ok(len)) =
            (self.fields.get_mut(at), u32::try_from(start), u32::try_from(joined.len()))
        {
            field.value = Span { start, len, extra: true };
        }
    }
}

/// Whether `needle` (lower case) occurs in `value`, whatever the case and whatever NULs stand between: servers' readers stop or
/// skip there, so both readings must be seen.
pub fn contains_token(value: &[u8], needle: &[u8]) -> bool {
    let at = |from: usize| {
        let mut rest =
            value.get(from..).unwrap_or(&[]).iter().filter(|b| **b != 0).map(u8::to_ascii_lowercase);
        needle.iter().all(|b| rest.next() == Some(*b))
    };
    (0..value.len()).any(at)
}
