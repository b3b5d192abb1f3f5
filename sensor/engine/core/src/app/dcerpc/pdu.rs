//! Protocol data units of DCE/RPC: the connection-oriented header (C706 chapter 12, version 5) with the bodies of bind,
//! bind_ack, request and response, and the connectionless header (version 4). Knows no flows and no transactions.

use crate::app::wire::Reader;
use crate::json::hex;

/// Packet types (C706 table 12-1; MS-RPCE 2.2.2.10 and MS-RPCH add AUTH3 and RTS).
pub const REQUEST: u8 = 0;
pub const RESPONSE: u8 = 2;
pub const FAULT: u8 = 3;
pub const REJECT: u8 = 6;
pub const BIND: u8 = 11;
pub const BIND_ACK: u8 = 12;
pub const BIND_NAK: u8 = 13;
pub const ALTER_CONTEXT: u8 = 14;
pub const ALTER_CONTEXT_RESP: u8 = 15;

/// Names of packet types as EVE writes them.
pub const TYPES: [&str; 21] = [
    "REQUEST",
    "PING",
    "RESPONSE",
    "FAULT",
    "WORKING",
    "NOCALL",
    "REJECT",
    "ACK",
    "CL_CANCEL",
    "FACK",
    "CANCEL_ACK",
    "BIND",
    "BINDACK",
    "BINDNAK",
    "ALTER_CONTEXT",
    "ALTER_CONTEXT_RESP",
    "AUTH3",
    "SHUTDOWN",
    "CO_CANCEL",
    "ORPHANED",
    "RTS",
];

/// Bytes of the connection-oriented header.
pub const HEADER_LEN: usize = 16;
/// Bytes of the connectionless header.
pub const DATAGRAM_HEADER_LEN: usize = 80;

/// The connection-oriented header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    pub version: u8,
    pub minor: u8,
    pub kind: u8,
    pub flags: u8,
    pub little: bool,
    /// Bytes of the whole unit, this header included.
    pub frag_len: u16,
    pub call_id: u32,
}

impl Header {
    pub fn read(data: &[u8]) -> Option<Header> {
        let drep = *data.get(4)?;
        let mut reader = Reader::new(data, drep & 0x10 != 0);
        let (version, minor, kind, flags) = (reader.u8()?, reader.u8()?, reader.u8()?, reader.u8()?);
        reader.skip(4)?;
        let frag_len = reader.u16()?;
        reader.skip(2)?;
        let call_id = reader.u32()?;
        Some(Header { version, minor, kind, flags, little: drep & 0x10 != 0, frag_len, call_id })
    }
    pub fn first(&self) -> bool {
        self.flags & 1 != 0
    }
    pub fn last(&self) -> bool {
        self.flags & 2 != 0
    }
    /// Version, type, data representation and length are such as occur.
    pub fn plausible(&self, data: &[u8]) -> bool {
        let drep = data.get(4..8).unwrap_or_default();
        self.version == 5
            && self.minor <= 1
            && usize::from(self.kind) < TYPES.len()
            && usize::from(self.frag_len) >= HEADER_LEN
            && matches!(drep, [0x00 | 0x01 | 0x10 | 0x11, 0..=3, 0, 0])
    }
}

/// A presentation context: an interface a client asks for, and the server's answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// In the order it is written.
    pub uuid: [u8; 16],
    pub version: u16,
    pub minor: u16,
    pub context: u16,
    /// It was asked for in the first fragment of a bind.
    pub first: bool,
    /// The server's answer: result and reason.
    pub answer: Option<(u16, u16)>,
}

impl Interface {
    pub fn accepted(&self) -> bool {
        matches!(self.answer, Some((0, _)))
    }
}

/// Bytes of a UUID on the wire in the order it is written: three of its fields follow the byte order of the sender.
pub fn uuid(mut bytes: [u8; 16], little: bool) -> [u8; 16] {
    if little {
        for range in [0..4, 4..6, 6..8] {
            if let Some(field) = bytes.get_mut(range) {
                field.reverse();
            }
        }
    }
    bytes
}

/// A UUID in text, as `{}` of `format!`.
pub struct Text(pub [u8; 16]);

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = [b'-'; 36];
        let digits = (0usize..).zip(&mut text).filter(|(at, _)| !matches!(at, 8 | 13 | 18 | 23));
        for ((_, slot), digit) in digits.zip(self.0.iter().flat_map(|byte| hex(*byte))) {
            *slot = digit;
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

/// Contexts of a bind or alter_context; `body` is what stands behind the header. None: cut short.
pub fn bind(header: &Header, body: &[u8]) -> Option<Vec<Interface>> {
    let mut reader = Reader::new(body, header.little);
    reader.skip(8)?;
    let count = reader.u8()?;
    reader.skip(3)?;
    let mut found = Vec::new();
    for _ in 0..count {
        let context = reader.u16()?;
        let syntaxes = usize::from(reader.u8()?);
        reader.skip(1)?;
        let id = uuid(reader.array()?, header.little);
        let (version, minor) = (reader.u16()?, reader.u16()?);
        reader.skip(syntaxes.saturating_mul(20))?;
        found.push(Interface { uuid: id, version, minor, context, first: header.first(), answer: None });
    }
    Some(found)
}

/// Results of a bind_ack or alter_context_resp, as (result, reason), in the order asked. None: cut short.
pub fn bind_ack(header: &Header, body: &[u8]) -> Option<Vec<(u16, u16)>> {
    let mut reader = Reader::new(body, header.little);
    reader.skip(8)?;
    let address = usize::from(reader.u16()?);
    reader.skip(address)?;
    // Results are aligned to 4 bytes, counted from the header, itself a multiple of 4.
    reader.skip(reader.at().wrapping_neg() & 3)?;
    let count = reader.u8()?;
    reader.skip(3)?;
    let mut found = Vec::new();
    for _ in 0..count {
        found.push((reader.u16()?, reader.u16()?));
        reader.skip(20)?;
    }
    Some(found)
}

/// The body of a request: (context, opnum, stub data). The object's UUID, when there is one, and what authenticates the call
/// count as stub data, as in Suricata.
pub fn request<'a>(header: &Header, body: &'a [u8]) -> Option<(u16, u16, &'a [u8])> {
    let mut reader = Reader::new(body, header.little);
    reader.skip(4)?;
    let (context, opnum) = (reader.u16()?, reader.u16()?);
    Some((context, opnum, reader.rest()))
}

/// The stub data of a response over a pipe. Over TCP Suricata counts the 8 bytes before it, too.
pub fn response(body: &[u8]) -> Option<&[u8]> {
    body.get(8..)
}

/// The connectionless header.
#[derive(Clone, Copy, Debug)]
pub struct Datagram {
    pub kind: u8,
    pub flags: u8,
    pub little: bool,
    pub interface: [u8; 16],
    pub version: u32,
    pub activity: [u8; 16],
    pub sequence: u32,
    pub opnum: u16,
    pub len: u16,
    pub fragment: u16,
}

impl Datagram {
    pub fn read(data: &[u8]) -> Option<Datagram> {
        let drep = *data.get(4)?;
        let little = drep & 0x10 != 0;
        let mut reader = Reader::new(data, little);
        reader.skip(1)?;
        let (kind, flags) = (reader.u8()?, reader.u8()?);
        reader.skip(5 + 16)?;
        let interface = uuid(reader.array()?, little);
        // Suricata shows its fields swapped whatever the sender's byte order.
        let activity = uuid(reader.array()?, true);
        reader.skip(4)?;
        let (version, sequence, opnum) = (reader.u32()?, reader.u32()?, reader.u16()?);
        reader.skip(4)?;
        let (len, fragment) = (reader.u16()?, reader.u16()?);
        reader.skip(2)?;
        Some(Datagram { kind, flags, little, interface, version, activity, sequence, opnum, len, fragment })
    }
    /// Not a fragment, or the last of them.
    pub fn last(&self) -> bool {
        self.flags & 0x04 == 0 || self.flags & 0x02 != 0
    }
    /// Whether the first bytes can be such a header.
    pub fn plausible(data: &[u8]) -> bool {
        matches!(data, [4, 0..=10, _, flags2, drep0, drep1, ..]
            if flags2 & 0xfc == 0 && drep0 & 0xee == 0 && *drep1 <= 3)
            && data.len() >= DATAGRAM_HEADER_LEN
    }
}
