//! DNS messages (RFC 1035 section 4) taken apart: header, names, records. Knows nothing of flows, rules or JSON.
//!
//! All text a message yields (names, record data) is copied once into one arena, `Message::text`; everything else is a
//! `Span` into it, so a message costs two allocations however many names it has.

use super::reader::{be16, Reader};

/// Bytes of a DNS header.
pub const HEADER_LEN: usize = 12;
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
    pub(super) start: u32,
    pub(super) len: u32,
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
    pub(super) text: Vec<u8>,
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
        let mut reader = Reader::new(data);
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

    /// The names that `dns.response.rrname` sees: of queries and records, then those inside record data.
    pub fn response_name(&self, index: usize) -> Option<Name> {
        let Some(mut index) = index.checked_sub(self.queries.len()) else {
            return self.queries.get(index).map(|q| q.name);
        };
        for section in [&self.answers, &self.authorities, &self.additionals] {
            match section.get(index) {
                Some(record) => return Some(record.name),
                None => index = index.checked_sub(section.len())?,
            }
        }
        self.inner_names.get(index).copied()
    }

    pub(super) fn keep(&mut self, bytes: &[u8]) -> Span {
        let start = self.text.len();
        self.text.extend_from_slice(bytes);
        self.span_from(start)
    }
    pub(super) fn span_from(&self, start: usize) -> Span {
        // Bounded by TEXT_PER_BYTE times a message of at most 64 KiB, far below u32.
        Span { start: start as u32, len: self.text.len().saturating_sub(start) as u32 }
    }
}
