//! Frames of Initial packets: CRYPTO of the IETF's QUIC (RFC 9000 section 19), the crypto stream of Google's.

use super::header::varint;
use crate::app::cursor::Cursor;

/// A client hello of Google's QUIC (draft-tsvwg-quic-protocol section 5): tags in order, and two of their values.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Chlo {
    pub tags: Vec<[u8; 4]>,
    pub sni: Option<Vec<u8>>,
    pub user_agent: Option<Vec<u8>>,
}

/// What an Initial packet holds that is of interest.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A stretch of the TLS handshake.
    Crypto {
        offset: u64,
        data: &'a [u8],
    },
    Chlo(Chlo),
}

/// Tags of one hello at most: clients send about 30.
const TAGS_MAX: usize = 256;

/// None: a frame is cut.
pub fn read(data: &[u8]) -> Option<Vec<Frame<'_>>> {
    let mut c = Cursor(data);
    let mut found = Vec::new();
    while let Some(kind) = c.u8() {
        match kind {
            // PADDING, PING.
            0 | 1 => {}
            2 | 3 => ack(&mut c, kind == 3)?,
            6 => {
                let offset = varint(&mut c)?;
                let len = usize::try_from(varint(&mut c)?).ok()?;
                found.push(Frame::Crypto { offset, data: c.take(len)? });
            }
            // CONNECTION_CLOSE: nothing of interest follows.
            _ => break,
        }
    }
    Some(found)
}

/// RFC 9000 section 19.3.
fn ack(c: &mut Cursor<'_>, with_ecn: bool) -> Option<()> {
    varint(c)?; // largest acknowledged
    varint(c)?; // delay
    let ranges = varint(c)?;
    varint(c)?; // first range
    for _ in 0..ranges {
        varint(c)?;
        varint(c)?;
    }
    if with_ecn {
        for _ in 0..3 {
            varint(c)?;
        }
    }
    Some(())
}

/// Frames of Google's QUIC: of the stream frames, those that begin with a CHLO.
pub fn read_google(data: &[u8]) -> Vec<Frame<'_>> {
    let mut c = Cursor(data);
    let mut found = Vec::new();
    while let Some(kind) = c.u8() {
        match kind {
            0 | 1 | 7 => {}
            _ if kind & 0x80 != 0 => {
                let Some(data) = google_stream(&mut c, kind) else { break };
                found.extend(chlo(data).map(Frame::Chlo));
            }
            _ => break,
        }
    }
    found
}

/// The flags 1FDOOOSS say which fields there are and how long.
fn google_stream<'a>(c: &mut Cursor<'a>, flags: u8) -> Option<&'a [u8]> {
    c.take(usize::from(flags & 3).saturating_add(1))?; // stream id
    let offset_len = match flags >> 2 & 7 {
        0 => 0,
        n => usize::from(n).saturating_add(1),
    };
    c.take(offset_len)?;
    let len = if flags & 0x20 != 0 { usize::from(c.be16()?) } else { c.len() };
    c.take(len)
}

fn chlo(data: &[u8]) -> Option<Chlo> {
    let mut c = Cursor(data);
    if c.take(4)? != b"CHLO" {
        return None;
    }
    let count = usize::from(c.le16()?);
    c.take(2)?;
    let mut index = Cursor(c.take(count.checked_mul(8)?)?);
    let values = c.rest();
    let mut chlo = Chlo::default();
    let mut start = 0usize;
    while let Some(tag) = index.take(4).and_then(|t| <[u8; 4]>::try_from(t).ok()) {
        let end = index.le32()? as usize;
        let value = values.get(start..end);
        start = end;
        match &tag {
            b"SNI\0" => chlo.sni = value.map(<[u8]>::to_vec),
            b"UAID" => chlo.user_agent = value.map(<[u8]>::to_vec),
            _ => {}
        }
        if chlo.tags.len() < TAGS_MAX {
            chlo.tags.push(tag);
        }
    }
    Some(chlo)
}
