//! Header and payload chain, which both versions share (RFC 2408 section 3.1, RFC 7296 section 3.1 and 3.2).

/// Payloads of a message that are looked at; a long real message has about twenty.
const PAYLOADS_MAX: usize = 256;
const HEADER_LEN: usize = 28;
const GENERIC_LEN: usize = 4;

#[derive(Clone, Copy, Debug, Default)]
pub struct Header {
    pub init_spi: u64,
    pub resp_spi: u64,
    pub next: u8,
    pub major: u8,
    pub minor: u8,
    pub exchange: u8,
    pub flags: u8,
    pub message_id: u32,
    len: u32,
}

impl Header {
    /// The header and what stands behind it; None when it is cut or of an unknown version.
    pub fn read(data: &[u8]) -> Option<(Header, &[u8])> {
        let eight =
            |at: usize| -> Option<u64> { Some(u64::from_be_bytes(data.get(at..)?.first_chunk().copied()?)) };
        let four =
            |at: usize| -> Option<u32> { Some(u32::from_be_bytes(data.get(at..)?.first_chunk().copied()?)) };
        let body = data.get(HEADER_LEN..)?;
        let [next, version, exchange, flags] = four(16)?.to_be_bytes();
        let header = Header {
            init_spi: eight(0)?,
            resp_spi: eight(8)?,
            next,
            major: version >> 4,
            minor: version & 15,
            exchange,
            flags,
            message_id: four(20)?,
            len: four(24)?,
        };
        matches!(header.major, 1 | 2).then_some((header, body))
    }

    /// Bytes the header announces behind itself.
    pub fn body_len(&self) -> usize {
        (self.len as usize).saturating_sub(HEADER_LEN)
    }
}

/// One payload: its type, its content and the type it says comes next.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'a> {
    pub kind: u8,
    pub next: u8,
    pub content: &'a [u8],
}

/// The payloads of a chain, in order; it ends early where one is cut.
pub struct Chain<'a> {
    kind: u8,
    rest: &'a [u8],
    count: usize,
}

impl<'a> Chain<'a> {
    pub fn new(first: u8, bytes: &'a [u8]) -> Chain<'a> {
        Chain { kind: first, rest: bytes, count: 0 }
    }
    /// The type announced for what would come next; 0 behind the last payload.
    pub fn next_kind(&self) -> u8 {
        self.kind
    }
}

impl<'a> Iterator for Chain<'a> {
    type Item = Payload<'a>;
    fn next(&mut self) -> Option<Payload<'a>> {
        if self.kind == 0 || self.count >= PAYLOADS_MAX {
            return None;
        }
        let (content, next, rest) = split(self.rest)?;
        let payload = Payload { kind: self.kind, next, content };
        (self.kind, self.rest) = (next, rest);
        self.count = self.count.saturating_add(1);
        Some(payload)
    }
}

/// Content, next type and rest behind a generic payload header.
pub fn split(bytes: &[u8]) -> Option<(&[u8], u8, &[u8])> {
    let &[next, _, high, low] = bytes.first_chunk::<GENERIC_LEN>()?;
    let len = usize::from(u16::from_be_bytes([high, low]));
    let (whole, rest) = bytes.split_at_checked(len)?;
    Some((whole.get(GENERIC_LEN..)?, next, rest))
}

pub fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}
