//! DNS messages (RFC 1035 section 4) taken apart: header, names, records. Knows nothing of flows, rules or JSON.
//!
//! All text a message yields (names, record data) is copied once into one arena, `Message::text`; everything else is a
//! `Span` into it, so a message costs two allocations however many names it has.

use super::rrtype;

/// Bytes of a DNS header.
pub const HEADER_LEN: usize = 12;
/// Longest name kept, in bytes of text. RFC 1035 allows 255; Suricata keeps 1025, and rules on long tunnelling names rely on it.
pub const NAME_MAX: usize = 1025;
/// Labels read of one name: a legal name has at most 127.
pub const LABELS_MAX: usize = 255;
/// Compression pointers followed in one name: a legal name has at most 127 labels, so it needs no more pointers.
pub const POINTERS_MAX: usize = 127;
/// Text made of one message, as a multiple of its length (plus a floor): compression lets 11 bytes stand for 1025, and
/// this keeps the cost of a message linear in its size. Real zone transfers stay far below.
pub const TEXT_PER_BYTE: usize = 16;
const TEXT_FLOOR: usize = 4096;
/// Pure-pointer names remembered, since most records of an answer point at the same one or two names.
const REMEMBERED: usize = 4;

/// Oddities found in a message; the value is the index of the event in `super::EVENTS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oddity {
    MalformedData = 0,
    NotRequest = 1,
    NotResponse = 2,
    ZFlagSet = 3,
    InvalidOpcode = 4,
    NameTooLong = 5,
    InfiniteLoop = 6,
    TooManyLabels = 7,
    InvalidAdditionals = 8,
    InvalidAuthorities = 9,
}

/// A stretch of `Message::text`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    start: u32,
    len: u32,
}

/// A name as text, "www.example.com", the root being empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Name {
    pub text: Span,
    /// Cut by one of the caps.
    pub truncated: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    pub id: u16,
    pub flags: u16,
    /// Announced numbers of queries, answers, authorities, additionals.
    pub counts: [u16; 4],
}

impl Header {
    /// None when there are fewer than 12 bytes.
    pub fn read(data: &[u8]) -> Option<Header> {
        Some(Header {
            id: be16(data, 0)?,
            flags: be16(data, 2)?,
            counts: [be16(data, 4)?, be16(data, 6)?, be16(data, 8)?, be16(data, 10)?],
        })
    }
    pub fn is_response(&self) -> bool {
        self.flags & 0x8000 != 0
    }
    pub fn opcode(&self) -> u8 {
        ((self.flags >> 11) & 0xf) as u8
    }
    pub fn rcode(&self) -> u8 {
        (self.flags & 0xf) as u8
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Query {
    pub name: Name,
    pub rrtype: u16,
}

#[derive(Clone, Copy, Debug)]
pub struct Record {
    pub name: Name,
    pub rrtype: u16,
    pub ttl: u32,
    pub data: Rdata,
}

/// Record data of the types that are logged or matched; all others are `Other`.
#[derive(Clone, Copy, Debug)]
pub enum Rdata {
    A([u8; 4]),
    Aaaa([u8; 16]),
    /// NS, CNAME, PTR, and the exchange of MX.
    Name(Name),
    /// Length-prefixed strings.
    Txt(Span),
    Null(Span),
    Soa(Soa),
    Srv {
        priority: u16,
        weight: u16,
        port: u16,
        target: Name,
    },
    Sshfp {
        algorithm: u8,
        kind: u8,
        fingerprint: Span,
    },
    /// EDNS options: code, length, data each (RFC 6891 section 6.1.2).
    Opt(Span),
    Other,
}

#[derive(Clone, Copy, Debug)]
pub struct Soa {
    pub mname: Name,
    pub rname: Name,
    pub serial: u32,
    pub refresh: u32,
    pub retry: u32,
    pub expire: u32,
    pub minimum: u32,
}

/// One message, request or response. When it is malformed it holds what stood before the fault.
#[derive(Debug, Default)]
pub struct Message {
    pub header: Header,
    pub queries: Vec<Query>,
    pub answers: Vec<Record>,
    pub authorities: Vec<Record>,
    pub additionals: Vec<Record>,
    /// Names inside record data: NS, CNAME, PTR, MX, SRV targets, the primary server of SOA.
    pub inner_names: Vec<Name>,
    text: Vec<u8>,
    /// Bit = `Oddity`.
    pub oddities: u16,
}

impl Message {
    /// Takes one whole message apart. None when there is not even a header.
    pub fn read(data: &[u8]) -> Option<Message> {
        let header = Header::read(data)?;
        let mut message = Message {
            header,
            // Names are no longer than their wire form unless they are compressed.
            text: Vec::with_capacity(data.len().min(512)),
            ..Message::default()
        };
        if header.flags & 0x0040 != 0 {
            message.mark(Oddity::ZFlagSet);
        }
        // 0 to 6 are assigned (RFC 6895 section 2.2, RFC 8490).
        if header.opcode() > 6 {
            message.mark(Oddity::InvalidOpcode);
        }
        let mut reader = Reader {
            data,
            at: HEADER_LEN,
            text_left: data.len().saturating_mul(TEXT_PER_BYTE).saturating_add(TEXT_FLOOR),
            remembered: [(u16::MAX, Name::default()); REMEMBERED],
            next_slot: 0,
        };
        message.sections(&mut reader);
        Some(message)
    }

    fn sections(&mut self, reader: &mut Reader) {
        let [queries, answers, authorities, additionals] = self.header.counts;
        for _ in 0..queries {
            match reader.query(self) {
                Some(query) => self.queries.push(query),
                None => return self.mark(Oddity::MalformedData),
            }
        }
        let Some(records) = reader.records(self, answers, |m| &mut m.answers) else {
            return self.mark(Oddity::MalformedData);
        };
        debug_assert_eq!(records, usize::from(answers));
        if reader.records(self, authorities, |m| &mut m.authorities).is_none() {
            return self.mark(Oddity::InvalidAuthorities);
        }
        if reader.records(self, additionals, |m| &mut m.additionals).is_none() {
            self.mark(Oddity::InvalidAdditionals);
        }
    }

    pub fn mark(&mut self, oddity: Oddity) {
        self.oddities |= 1 << oddity as u16;
    }
    pub fn text(&self, span: Span) -> &[u8] {
        let start = span.start as usize;
        self.text.get(start..start.saturating_add(span.len as usize)).unwrap_or_default()
    }
    pub fn name(&self, name: Name) -> &[u8] {
        self.text(name.text)
    }

    fn keep(&mut self, bytes: &[u8]) -> Span {
        let start = self.text.len();
        self.text.extend_from_slice(bytes);
        self.span_from(start)
    }
    fn span_from(&self, start: usize) -> Span {
        // Bounded by TEXT_PER_BYTE times a message of at most 64 KiB, far below u32.
        Span { start: start as u32, len: self.text.len().saturating_sub(start) as u32 }
    }
}

struct Reader<'a> {
    data: &'a [u8],
    at: usize,
    text_left: usize,
    remembered: [(u16, Name); REMEMBERED],
    next_slot: usize,
}

impl Reader<'_> {
    fn query(&mut self, message: &mut Message) -> Option<Query> {
        let (name, at) = self.name(message, self.at)?;
        let rrtype = be16(self.data, at)?;
        // The class behind it is IN, or of no interest; but it must be there.
        be16(self.data, at.saturating_add(2))?;
        self.at = at.saturating_add(4);
        Some(Query { name, rrtype })
    }

    /// Reads a section; None when it is cut or one of its records is malformed.
    fn records(
        &mut self,
        message: &mut Message,
        count: u16,
        section: fn(&mut Message) -> &mut Vec<Record>,
    ) -> Option<usize> {
        for _ in 0..count {
            let record = self.record(message)?;
            section(message).push(record);
        }
        Some(section(message).len())
    }

    fn record(&mut self, message: &mut Message) -> Option<Record> {
        let (name, at) = self.name(message, self.at)?;
        let rrtype = be16(self.data, at)?;
        let ttl = be32(self.data, at.saturating_add(4))?;
        let len = usize::from(be16(self.data, at.saturating_add(8))?);
        let start = at.saturating_add(10);
        let end = start.saturating_add(len);
        let raw = self.data.get(start..end)?;
        let data = self.rdata(message, rrtype, start, raw)?;
        match data {
            Rdata::Name(inner) | Rdata::Srv { target: inner, .. } => message.inner_names.push(inner),
            Rdata::Soa(soa) => message.inner_names.push(soa.mname),
            _ => {}
        }
        self.at = end;
        Some(Record { name, rrtype, ttl, data })
    }

    fn rdata(&mut self, message: &mut Message, kind: u16, start: usize, raw: &[u8]) -> Option<Rdata> {
        Some(match kind {
            rrtype::A => match <[u8; 4]>::try_from(raw) {
                Ok(address) => Rdata::A(address),
                Err(_) => Rdata::Other,
            },
            rrtype::AAAA => match <[u8; 16]>::try_from(raw) {
                Ok(address) => Rdata::Aaaa(address),
                Err(_) => Rdata::Other,
            },
            // Updates (RFC 2136) delete by records without data.
            _ if raw.is_empty() => Rdata::Other,
            rrtype::NS | rrtype::CNAME | rrtype::PTR => Rdata::Name(self.name(message, start)?.0),
            rrtype::MX => Rdata::Name(self.name(message, start.saturating_add(2))?.0),
            rrtype::TXT => Rdata::Txt(message.keep(raw)),
            rrtype::NULL => Rdata::Null(message.keep(raw)),
            rrtype::OPT => Rdata::Opt(message.keep(raw)),
            rrtype::SOA => {
                let (mname, at) = self.name(message, start)?;
                let (rname, at) = self.name(message, at)?;
                let field = |n: usize| be32(self.data, at.saturating_add(n.saturating_mul(4)));
                Rdata::Soa(Soa {
                    mname,
                    rname,
                    serial: field(0)?,
                    refresh: field(1)?,
                    retry: field(2)?,
                    expire: field(3)?,
                    minimum: field(4)?,
                })
            }
            rrtype::SRV => Rdata::Srv {
                priority: be16(raw, 0)?,
                weight: be16(raw, 2)?,
                port: be16(raw, 4)?,
                target: self.name(message, start.saturating_add(6))?.0,
            },
            rrtype::SSHFP => Rdata::Sshfp {
                algorithm: *raw.first()?,
                kind: *raw.get(1)?,
                fingerprint: message.keep(raw.get(2..)?),
            },
            _ => Rdata::Other,
        })
    }

    /// Reads the name at `at`; gives it and the position behind it. None when it runs out of the message or has a reserved label type.
    fn name(&mut self, message: &mut Message, mut at: usize) -> Option<(Name, usize)> {
        let first = at;
        let start = message.text.len();
        let cap = NAME_MAX.min(self.text_left);
        let mut behind = None;
        let mut truncated = false;
        let (mut labels, mut pointers) = (0usize, 0usize);
        let mut pure = None;
        loop {
            let byte = *self.data.get(at)?;
            match byte >> 6 {
                0 if byte == 0 => break,
                0 => {
                    let label = self.data.get(at.checked_add(1)?..)?.get(..usize::from(byte))?;
                    at = at.checked_add(1)?.checked_add(label.len())?;
                    if truncated {
                        continue; // Only on the way to the end of the name in its record.
                    }
                    labels = labels.saturating_add(1);
                    if labels > LABELS_MAX {
                        message.mark(Oddity::TooManyLabels);
                        truncated = true;
                    } else if !append(&mut message.text, start, cap, label) {
                        message.mark(Oddity::NameTooLong);
                        truncated = true;
                    }
                    if truncated && behind.is_some() {
                        break;
                    }
                }
                3 => {
                    let target = be16(self.data, at)? & 0x3fff;
                    behind = behind.or(at.checked_add(2));
                    if truncated {
                        break;
                    }
                    pointers = pointers.saturating_add(1);
                    let endless = pointers > POINTERS_MAX || usize::from(target) == at;
                    if endless || pointers > cap {
                        message.mark(if endless { Oddity::InfiniteLoop } else { Oddity::NameTooLong });
                        truncated = true;
                        break;
                    }
                    if at == first {
                        if let Some(&(_, name)) = self.remembered.iter().find(|(t, _)| *t == target) {
                            return Some((name, behind?));
                        }
                        pure = Some(target);
                    }
                    at = usize::from(target);
                }
                _ => return None,
            }
        }
        let name = Name { text: message.span_from(start), truncated };
        let work = (name.text.len as usize).saturating_add(pointers);
        self.text_left = self.text_left.saturating_sub(work);
        if let (Some(target), Some(slot)) = (pure, self.remembered.get_mut(self.next_slot)) {
            *slot = (target, name);
            self.next_slot = self.next_slot.wrapping_add(1) % REMEMBERED;
        }
        Some((name, behind.or(at.checked_add(1))?))
    }
}

/// Adds a label to the name that begins at `start`; false when it had to be cut at `cap` bytes.
fn append(text: &mut Vec<u8>, start: usize, cap: usize, label: &[u8]) -> bool {
    let mut room = cap.saturating_sub(text.len().saturating_sub(start));
    if text.len() > start && room > 0 {
        text.push(b'.');
        room = room.saturating_sub(1);
    }
    text.extend_from_slice(label.get(..room).unwrap_or(label));
    label.len() <= room
}

/// Whether a name begins well at `at`, as far as the bytes go; for recognition.
pub fn plausible_name(data: &[u8], mut at: usize) -> bool {
    let mut len = 0usize;
    loop {
        match data.get(at) {
            None | Some(0) | Some(0xc0..) => return true,
            Some(&byte) if byte < 64 => {
                len = len.saturating_add(usize::from(byte)).saturating_add(1);
                at = at.saturating_add(usize::from(byte)).saturating_add(1);
                if len > NAME_MAX {
                    return true; // Too long to be legal, but a name: the parser flags it.
                }
            }
            Some(_) => return false,
        }
    }
}

pub fn be16(data: &[u8], at: usize) -> Option<u16> {
    let bytes = data.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes(bytes.try_into().ok()?))
}

pub fn be32(data: &[u8], at: usize) -> Option<u32> {
    let bytes = data.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}
