//! The Basic Encoding Rules (ITU-T X.690) as far as protocols need them: elements with definite lengths, one after another.
//! LDAP forbids indefinite lengths (RFC 4511 section 5.1), Kerberos has DER, and SNMP in the field has neither. Nothing here
//! recurses or copies: a caller opens the elements it knows, so its own grammar bounds the depth.

/// Class bits of the identifier.
pub const UNIVERSAL: u8 = 0;
pub const APPLICATION: u8 = 1;
pub const CONTEXT: u8 = 2;

/// Universal tags.
pub const BOOLEAN: u32 = 1;
pub const INTEGER: u32 = 2;
pub const OCTET_STRING: u32 = 4;
pub const OBJECT_ID: u32 = 6;
pub const ENUMERATED: u32 = 10;
pub const SEQUENCE: u32 = 16;
pub const SET: u32 = 17;

/// Sub-identifiers of an object identifier that are written: RFC 2578 section 3.5 allows no more.
const ARCS_MAX: usize = 128;

/// Why an element could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The bytes end before the element does; so many bytes must stand from its start, as far as that is known.
    Short(usize),
    Malformed,
}

/// Identifier and length of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub class: u8,
    pub constructed: bool,
    pub tag: u32,
    /// Bytes of identifier and length.
    pub header_len: usize,
    /// Bytes of the content; None: indefinite, up to an end-of-contents element.
    pub len: Option<usize>,
}

impl Header {
    /// Bytes of the element as a whole.
    pub fn total(&self) -> Option<usize> {
        self.header_len.checked_add(self.len?)
    }

    pub fn read(data: &[u8]) -> Result<Header, Trouble> {
        let mut at = 0usize;
        let mut next = || {
            let byte = data.get(at).copied();
            at = at.saturating_add(1);
            byte.ok_or(Trouble::Short(at))
        };
        let first = next()?;
        let mut tag = u32::from(first & 0x1f);
        if tag == 0x1f {
            tag = 0;
            loop {
                let byte = next()?;
                if tag > u32::MAX >> 7 {
                    return Err(Trouble::Malformed);
                }
                tag = tag << 7 | u32::from(byte & 0x7f);
                if byte & 0x80 == 0 {
                    break;
                }
            }
        }
        let short = next()?;
        let len = match short {
            0..=0x7f => Some(usize::from(short)),
            0x80 => None,
            0xff => return Err(Trouble::Malformed),
            _ => {
                let mut len = 0usize;
                for _ in 0..short & 0x7f {
                    if len > usize::MAX >> 8 {
                        return Err(Trouble::Malformed);
                    }
                    len = len << 8 | usize::from(next()?);
                }
                Some(len)
            }
        };
        Ok(Header { class: first >> 6, constructed: first & 0x20 != 0, tag, header_len: at, len })
    }
}

/// One element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    pub class: u8,
    pub constructed: bool,
    pub tag: u32,
    pub content: &'a [u8],
}

impl<'a> Element<'a> {
    pub fn is(&self, class: u8, tag: u32) -> bool {
        self.class == class && self.tag == tag
    }
    /// The elements inside; None when it is primitive.
    pub fn open(&self) -> Option<Reader<'a>> {
        self.constructed.then_some(Reader(self.content))
    }
    /// The value of an INTEGER or ENUMERATED of up to eight bytes.
    pub fn integer(&self) -> Option<i64> {
        integer(self.content)
    }
}

/// Two's complement, up to eight bytes (a leading zero byte beyond them is no value).
pub fn integer(content: &[u8]) -> Option<i64> {
    let first = *content.first()?;
    if content.len() > 8 {
        return None;
    }
    let fill = if first & 0x80 != 0 { -1i64 } else { 0 };
    Some(content.iter().fold(fill, |value, byte| value << 8 | i64::from(*byte)))
}

/// Elements one after another.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// The element at the front, and moves behind it.
    pub fn element(&mut self) -> Result<Element<'a>, Trouble> {
        let header = Header::read(self.0)?;
        let total = header.total().ok_or(Trouble::Malformed)?;
        let (whole, rest) = self.0.split_at_checked(total).ok_or(Trouble::Short(total))?;
        self.0 = rest;
        let content = whole.get(header.header_len..).unwrap_or_default();
        Ok(Element { class: header.class, constructed: header.constructed, tag: header.tag, content })
    }
    /// The next element, when it is a universal one with this tag.
    pub fn universal(&mut self, tag: u32) -> Option<Element<'a>> {
        self.expect_tag(UNIVERSAL, tag)
    }
    /// The next element when class and tag are these; else nothing is taken.
    pub fn expect_tag(&mut self, class: u8, tag: u32) -> Option<Element<'a>> {
        let mut ahead = *self;
        let element = ahead.next().filter(|e| e.is(class, tag))?;
        *self = ahead;
        Some(element)
    }
    /// The inside of `[tag] EXPLICIT`, when that is what comes next.
    pub fn explicit(&mut self, tag: u32) -> Option<Reader<'a>> {
        self.expect_tag(CONTEXT, tag)?.open()
    }
    pub fn sequence(&mut self) -> Option<Reader<'a>> {
        self.universal(SEQUENCE)?.open()
    }
    pub fn integer(&mut self) -> Option<i64> {
        self.universal(INTEGER)?.integer()
    }
    pub fn octets(&mut self) -> Option<&'a [u8]> {
        Some(self.universal(OCTET_STRING)?.content)
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Element<'a>;
    /// Ends at the first thing that is no element.
    fn next(&mut self) -> Option<Element<'a>> {
        self.element().ok()
    }
}

/// An object identifier in dotted form; None when it is malformed.
pub fn object_id(content: &[u8]) -> Option<String> {
    use std::fmt::Write as _;
    let mut text = String::new();
    let (mut value, mut arcs, mut whole) = (0u64, 0usize, false);
    for byte in content {
        if value > u64::MAX >> 7 || arcs >= ARCS_MAX {
            return None;
        }
        value = value << 7 | u64::from(byte & 0x7f);
        whole = byte & 0x80 == 0;
        if !whole {
            continue;
        }
        // The first sub-identifier holds two arcs (X.690 section 8.19.4). Writing to a String cannot fail.
        let _ = match (arcs, value) {
            (0, 0..40) => write!(text, "0.{value}"),
            (0, 40..80) => write!(text, "1.{}", value.saturating_sub(40)),
            (0, _) => write!(text, "2.{}", value.saturating_sub(80)),
            _ => write!(text, ".{value}"),
        };
        (value, arcs) = (0, arcs.saturating_add(1));
    }
    whole.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_elements() {
        let mut r = Reader(b"\x02\x01\x05\x04\x81\x02hi\x30\x03\x02\x01\xff\x1f\x81\x00\x00");
        assert_eq!(r.integer(), Some(5));
        assert_eq!(r.octets(), Some(&b"hi"[..]));
        assert_eq!(r.sequence().and_then(|mut s| s.integer()), Some(-1));
        assert_eq!(r.next().map(|e| (e.tag, e.content.len())), Some((128, 0)));
        assert!(r.is_empty());
    }

    #[test]
    fn says_how_much_is_missing() {
        assert_eq!(Reader(b"").element(), Err(Trouble::Short(1)));
        assert_eq!(Reader(b"\x30\x82\x01").element(), Err(Trouble::Short(4)));
        assert_eq!(Reader(b"\x30\x05\x00").element(), Err(Trouble::Short(7)));
        assert_eq!(Reader(b"\x30\x80\x00\x00").element(), Err(Trouble::Malformed));
        assert_eq!(
            Reader(b"\x30\x89\xff\xff\xff\xff\xff\xff\xff\xff\xff").element(),
            Err(Trouble::Malformed)
        );
        assert_eq!(Reader(b"\x1f\xff\xff\xff\xff\xff\xff\x00").element(), Err(Trouble::Malformed));
    }

    #[test]
    fn reads_numbers_and_names() {
        assert_eq!(integer(b"\x00\x80"), Some(128));
        assert_eq!(integer(b"\x80"), Some(-128));
        assert_eq!(integer(b""), None);
        assert_eq!(integer(&[1; 9]), None);
        assert_eq!(object_id(b"\x2b\x06\x01\x02\x01").as_deref(), Some("1.3.6.1.2.1"));
        assert_eq!(object_id(b"\x88\x37\x03").as_deref(), Some("2.999.3"));
        assert_eq!(object_id(b"\x01").as_deref(), Some("0.1"));
        assert_eq!(object_id(b"\x2b\x86"), None);
        assert_eq!(object_id(&[0xff; 12]), None);
        assert_eq!(object_id(&[1; 200]), None);
    }
}
