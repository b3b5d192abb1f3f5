//! The asn1 test: walks ASN.1 elements (X.690) from a place in the data and asks each whether it is an overflow. Knows nothing
//! of the protocols that carry them.

use crate::app::ber::{Header, UNIVERSAL};

/// Elements that are looked at (Suricata's default for `asn1-max-frames`).
const ELEMENTS_MAX: usize = 256;
const BIT_STRING: u32 = 3;
const REAL: u32 = 9;
/// Bytes of the buffer that a number in decimal form must not exceed.
const REAL_TEXT_MAX: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// This many bytes behind the start.
    Start(i64),
    /// This many bytes behind the match before.
    Match(i64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asn1 {
    pub from: From,
    /// An element is longer than this.
    pub oversize: Option<u64>,
    /// A bit string leaves more bits unused than it has.
    pub bitstring_overflow: bool,
    /// A number in decimal form is longer than a standard buffer.
    pub double_overflow: bool,
}

impl Asn1 {
    pub fn relative(&self) -> bool {
        matches!(self.from, From::Match(_))
    }

    /// `pos`: the position the match before left.
    pub fn holds(&self, data: &[u8], pos: usize) -> bool {
        let at = match self.from {
            From::Start(offset) => offset,
            From::Match(offset) => i64::try_from(pos).unwrap_or(i64::MAX).saturating_add(offset),
        };
        let Some(mut rest) = usize::try_from(at).ok().and_then(|at| data.get(at..)) else { return false };
        // Into what is constructed, over what is primitive: the order of the bytes, so the cost is linear and no stack is kept.
        for _ in 0..ELEMENTS_MAX {
            let Ok(header) = Header::read(rest) else { return false };
            let inside = rest.get(header.header_len..).unwrap_or_default();
            let Some(len) = header.len else {
                rest = inside;
                continue;
            };
            let Some(content) = inside.get(..len) else { return false };
            if self.overflows(&header, content) {
                return true;
            }
            rest = if header.constructed { inside } else { inside.get(len..).unwrap_or_default() };
        }
        false
    }

    fn overflows(&self, header: &Header, content: &[u8]) -> bool {
        if self.oversize.is_some_and(|max| content.len() as u64 > max) {
            return true;
        }
        if header.class != UNIVERSAL || header.constructed {
            return false;
        }
        match (header.tag, content.split_first()) {
            (BIT_STRING, Some((unused, bits))) => {
                self.bitstring_overflow && usize::from(*unused) > bits.len().saturating_mul(8)
            }
            // Neither binary nor special (X.690 section 8.5.6): the number stands there as text.
            (REAL, Some((first, _))) => {
                self.double_overflow && first & 0xc0 == 0 && content.len() > REAL_TEXT_MAX
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Asn1 =
        Asn1 { from: From::Start(0), oversize: Some(2048), bitstring_overflow: true, double_overflow: true };

    fn long(tag: u8, first: u8, len: u16) -> Vec<u8> {
        let mut out = vec![tag, 0x82];
        out.extend(len.to_be_bytes());
        out.resize(4 + usize::from(len), first);
        out
    }

    #[test]
    fn finds_each_overflow() {
        assert!(ALL.holds(&long(4, 0, 2049), 0) && !ALL.holds(&long(4, 0, 2048), 0));
        assert!(ALL.holds(&long(9, 0, 257), 0) && !ALL.holds(&long(9, 0, 256), 0));
        assert!(!ALL.holds(&long(9, 0x80, 257), 0));
        assert!(ALL.holds(b"\x03\x02\x09\xff", 0) && !ALL.holds(b"\x03\x02\x08\xff", 0));
        assert!(ALL.holds(b"\x30\x07\x02\x01\x05\x03\x02\x09\xff", 0));
        assert!(ALL.holds(b"\x30\x80\x03\x02\x09\xff\x00\x00", 0));
        assert!(!ALL.holds(b"\x30\x82\x10\x00\x04\x01a", 0));
        assert!(!ALL.holds(b"", 0) && !ALL.holds(b"\x30\x84\xff\xff\xff\xff", 0));
    }

    #[test]
    fn begins_where_it_is_told() {
        let data = b"abc\x03\x02\x09\xff";
        assert!(!ALL.holds(data, 3));
        assert!(Asn1 { from: From::Start(3), ..ALL }.holds(data, 0));
        assert!(Asn1 { from: From::Match(1), ..ALL }.holds(data, 2));
        assert!(!Asn1 { from: From::Match(-9), ..ALL }.holds(data, 2));
        assert!(!Asn1 { from: From::Start(99), ..ALL }.holds(data, 0));
    }

    #[test]
    fn looks_at_so_many_elements_and_no_more() {
        let within = [b"\x02\x00".repeat(ELEMENTS_MAX - 1), b"\x03\x02\x09\xff".to_vec()].concat();
        let beyond = [b"\x02\x00".repeat(ELEMENTS_MAX), b"\x03\x02\x09\xff".to_vec()].concat();
        assert!(ALL.holds(&within, 0) && !ALL.holds(&beyond, 0));
    }
}
