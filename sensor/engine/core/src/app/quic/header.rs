//! QUIC packet headers: the long header of RFC 8999 and RFC 9000 section 17, QUIC v2 (RFC 9369), and Google's: the public
//! header of Q039 to Q043 (draft-hamilton-early-deployment-quic section 5) and the long one of Q044 to Q046.

use crate::app::cursor::Cursor;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version(pub u32);

impl Version {
    pub const V2: Version = Version(0x6b33_43cf);
    pub const Q039: Version = Version(0x5130_3339);
    pub const Q040: Version = Version(0x5130_3430);
    pub const Q043: Version = Version(0x5130_3433);
    pub const Q044: Version = Version(0x5130_3434);
    pub const Q045: Version = Version(0x5130_3435);
    pub const Q046: Version = Version(0x5130_3436);

    /// Google's QUIC before it took the packet format of the IETF, as far as hellos are read.
    pub fn is_google(self) -> bool {
        self.has_public_header() || matches!(self, Version::Q044 | Version::Q045 | Version::Q046)
    }

    /// Q039 to Q043. Of earlier ones numbers are little-endian, and nobody speaks them any more.
    fn has_public_header(self) -> bool {
        self == Version::Q039 || (Version::Q040.0..=Version::Q043.0).contains(&self.0)
    }
}

/// As EVE has it.
impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Version::V2 => f.write_str("v2"),
            google if google.is_google() => google.0.to_be_bytes().escape_ascii().fmt(f),
            Version(other) => write!(f, "{other:x}"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Initial,
    ZeroRtt,
    Handshake,
    Retry,
    VersionNegotiation,
    /// A short header: everything behind it is encrypted.
    Short,
}

#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    pub kind: Kind,
    pub version: Version,
    /// Destination connection id.
    pub dcid: &'a [u8],
    /// Bytes of the header up to the packet number.
    pub len: usize,
    /// Bytes of the packet behind the header; what follows is another packet of the same datagram.
    pub payload_len: usize,
}

impl<'a> Header<'a> {
    /// None when it is cut, or announces more than there is.
    pub fn read(data: &'a [u8]) -> Option<Header<'a>> {
        let mut c = Cursor(data);
        let first = c.u8()?;
        if first & 0x80 == 0 {
            return Some(Header::public(data).unwrap_or(Header {
                kind: Kind::Short,
                version: Version::default(),
                dcid: &[],
                len: 1,
                payload_len: c.len(),
            }));
        }
        let version = Version(c.be32()?);
        let kind = kind(first, version)?;
        let dcid = if version.is_google() {
            // Two lengths of four bits each, 0 or 3 less than they mean.
            let lengths = c.u8()?;
            let len = |nibble: u8| if nibble == 0 { 0 } else { usize::from(nibble).saturating_add(3) };
            let dcid = c.take(len(lengths >> 4))?;
            c.take(len(lengths & 0xf))?;
            dcid
        } else {
            let len = c.u8()?;
            let dcid = c.take(usize::from(len))?;
            let len = c.u8()?;
            c.take(usize::from(len))?;
            dcid
        };
        let payload_len = match kind {
            Kind::Initial if version.is_google() => {
                c.take(4)?; // packet number
                c.take(12)?; // message authentication hash
                c.len()
            }
            Kind::Initial | Kind::Handshake | Kind::ZeroRtt if !version.is_google() => {
                if kind == Kind::Initial {
                    let token = usize::try_from(varint(&mut c)?).ok()?;
                    c.take(token)?;
                }
                usize::try_from(varint(&mut c)?).ok().filter(|len| *len <= c.len())?
            }
            _ => c.len(),
        };
        Some(Header { kind, version, dcid, len: data.len().saturating_sub(c.len()), payload_len })
    }

    /// Google's public header, when it names a version: a client's does until it has been answered.
    fn public(data: &'a [u8]) -> Option<Header<'a>> {
        const VERSION: u8 = 0x01;
        const RESET: u8 = 0x02;
        const CONNECTION_ID: u8 = 0x08;
        const NUMBER_LENGTHS: [usize; 4] = [1, 2, 4, 6];
        let mut c = Cursor(data);
        let flags = c.u8()?;
        if flags & (VERSION | RESET) != VERSION {
            return None;
        }
        let dcid = c.take(if flags & CONNECTION_ID == 0 { 0 } else { 8 })?;
        let version = Some(Version(c.be32()?)).filter(|version| version.has_public_header())?;
        c.take(*NUMBER_LENGTHS.get(usize::from(flags >> 4 & 3))?)?;
        c.take(12)?; // message authentication hash
        let payload_len = c.len();
        let len = data.len().saturating_sub(payload_len);
        Some(Header { kind: Kind::Initial, version, dcid, len, payload_len })
    }
}

fn kind(first: u8, version: Version) -> Option<Kind> {
    const IETF: [Kind; 4] = [Kind::Initial, Kind::ZeroRtt, Kind::Handshake, Kind::Retry];
    const V2: [Kind; 4] = [Kind::Retry, Kind::Initial, Kind::ZeroRtt, Kind::Handshake];
    let bits = usize::from(first >> 4 & 3);
    match version {
        Version(0) => Some(Kind::VersionNegotiation),
        Version::Q044 | Version::Q045 => match first & 0x7f {
            0x7f => Some(Kind::Initial),
            0x7e => Some(Kind::Retry),
            0x7d => Some(Kind::Handshake),
            0x7c => Some(Kind::ZeroRtt),
            _ => None,
        },
        _ if version.has_public_header() => None,
        Version::V2 => V2.get(bits).copied(),
        _ => IETF.get(bits).copied(),
    }
}

/// A variable-length integer (RFC 9000 section 16).
pub fn varint(c: &mut Cursor<'_>) -> Option<u64> {
    let first = c.u8()?;
    let more = (1usize << (first >> 6)).saturating_sub(1);
    let start = u64::from(first & 0x3f);
    Some(c.take(more)?.iter().fold(start, |sum, byte| sum << 8 | u64::from(*byte)))
}
