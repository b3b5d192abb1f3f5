//! HPACK (RFC 7541): header blocks to fields, with the dynamic table of one direction. Knows nothing of frames or streams.
//!
//! A capture may begin in the middle of a connection: an index that was never seen gives a field with a status, not an end.

use super::huffman;
use std::collections::VecDeque;

/// Bytes an entry costs beside its name and value (section 4.1).
const ENTRY_OVERHEAD: usize = 32;
/// Table size before anybody says otherwise (RFC 9113 section 6.5.2).
const TABLE_DEFAULT: usize = 4096;
/// Bytes of names and values one header block may come to: indexed fields expand a byte to a table entry of kilobytes.
const BLOCK_MAX: usize = 512 << 10;
/// Fields of one header block: each may cost a byte on the wire.
const FIELDS_MAX: usize = 4096;
/// Bits an integer may have (section 5.1): lengths and sizes beyond are lies.
const INTEGER_MAX_SHIFT: u32 = 28;

macro_rules! fixed {
    ($($name:literal $value:literal,)*) => { &[$((concat!($name).as_bytes(), concat!($value).as_bytes()),)*] };
}

/// Appendix A.
#[rustfmt::skip]
const STATIC: &[(&[u8], &[u8])] = fixed![
    ":authority" "", ":method" "GET", ":method" "POST", ":path" "/", ":path" "/index.html", ":scheme" "http",
    ":scheme" "https", ":status" "200", ":status" "204", ":status" "206", ":status" "304", ":status" "400",
    ":status" "404", ":status" "500", "accept-charset" "", "accept-encoding" "gzip, deflate", "accept-language" "",
    "accept-ranges" "", "accept" "", "access-control-allow-origin" "", "age" "", "allow" "", "authorization" "",
    "cache-control" "", "content-disposition" "", "content-encoding" "", "content-language" "", "content-length" "",
    "content-location" "", "content-range" "", "content-type" "", "cookie" "", "date" "", "etag" "", "expect" "",
    "expires" "", "from" "", "host" "", "if-match" "", "if-modified-since" "", "if-none-match" "", "if-range" "",
    "if-unmodified-since" "", "last-modified" "", "link" "", "location" "", "max-forwards" "",
    "proxy-authenticate" "", "proxy-authorization" "", "range" "", "referer" "", "refresh" "", "retry-after" "",
    "server" "", "set-cookie" "", "strict-transport-security" "", "transfer-encoding" "", "user-agent" "", "vary" "",
    "via" "", "www-authenticate" "",
];

/// How a field came out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    #[default]
    Good,
    /// Not a field: the sender set its table to this many bytes.
    SizeUpdate(u64),
    /// An index nobody defined, or not in the part of the connection that was seen.
    NotIndexed,
    IndexZero,
    IntegerOverflow,
    /// A string that is no valid Huffman code, or longer than the block.
    BadString,
}

impl Status {
    /// What EVE writes for a field that could not be decoded.
    pub fn eve_error(self) -> &'static str {
        match self {
            Status::Good | Status::SizeUpdate(_) => "",
            Status::NotIndexed => "HTTP2HeaderDecodeNotIndexed",
            Status::IndexZero => "HTTP2HeaderDecodeIndex0",
            Status::IntegerOverflow => "HTTP2HeaderDecodeIntegerOverflow",
            Status::BadString => "HTTP2HeaderDecodeError",
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Field {
    pub name: Vec<u8>,
    pub value: Vec<u8>,
    pub status: Status,
}

/// The dynamic table of one direction.
#[derive(Debug)]
pub struct Decoder {
    entries: VecDeque<(Vec<u8>, Vec<u8>)>,
    size: usize,
    /// Bytes the table may hold now.
    limit: usize,
    /// The most this sensor gives it, whatever the peers settle on.
    cap: usize,
}

impl Decoder {
    /// `cap`: bytes the table may ever hold (`max-table-size`).
    pub fn new(cap: usize) -> Decoder {
        Decoder { entries: VecDeque::new(), size: 0, limit: TABLE_DEFAULT.min(cap), cap }
    }

    /// The receiver allowed another table size (SETTINGS_HEADER_TABLE_SIZE).
    pub fn allow(&mut self, bytes: u64) {
        // The sender tells when it uses more; what it may no longer use goes at once.
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX).min(self.cap);
        if bytes < self.limit {
            self.resize(bytes);
        }
    }

    fn resize(&mut self, bytes: usize) {
        self.limit = bytes.min(self.cap);
        self.evict(0);
    }

    fn evict(&mut self, room: usize) {
        while self.size.saturating_add(room) > self.limit {
            let Some((name, value)) = self.entries.pop_back() else { break };
            self.size = self.size.saturating_sub(cost(&name, &value));
        }
    }

    fn add(&mut self, name: &[u8], value: &[u8]) {
        let needed = cost(name, value);
        self.evict(needed);
        if needed <= self.limit {
            self.size = self.size.saturating_add(needed);
            self.entries.push_front((name.to_vec(), value.to_vec()));
        }
    }

    fn entry(&self, index: u64) -> Result<(&[u8], &[u8]), Status> {
        let at = usize::try_from(index).map_err(|_| Status::NotIndexed)?;
        let at = at.checked_sub(1).ok_or(Status::IndexZero)?;
        if let Some((name, value)) = STATIC.get(at) {
            return Ok((name, value));
        }
        let (name, value) = self.entries.get(at.saturating_sub(STATIC.len())).ok_or(Status::NotIndexed)?;
        Ok((name, value))
    }

    /// Decodes one header block, appending its fields to `out`. False: something in it could not be decoded.
    pub fn block(&mut self, data: &[u8], out: &mut Vec<Field>) -> bool {
        let mut rest = data;
        let mut good = true;
        let mut bytes: usize = 0;
        let first = out.len();
        while !rest.is_empty() {
            if bytes > BLOCK_MAX || out.len().saturating_sub(first) > FIELDS_MAX {
                return false;
            }
            let mut field = Field::default();
            if let Err(status) = self.field(&mut rest, &mut field) {
                field.status = status;
                good = false;
                let lost = matches!(status, Status::IntegerOverflow | Status::BadString);
                out.push(field);
                if lost {
                    return false; // where the next field begins is unknown
                }
                continue;
            }
            bytes = bytes.saturating_add(cost(&field.name, &field.value));
            out.push(field);
        }
        good
    }

    fn field(&mut self, rest: &mut &[u8], field: &mut Field) -> Result<(), Status> {
        let first = rest.first().copied().unwrap_or(0);
        if first & 0x80 != 0 {
            let index = integer(rest, 7)?;
            let (name, value) = self.entry(index)?;
            (field.name, field.value) = (name.to_vec(), value.to_vec());
            return Ok(());
        }
        if first & 0xe0 == 0x20 {
            let bytes = integer(rest, 5)?;
            field.status = Status::SizeUpdate(bytes);
            self.resize(usize::try_from(bytes).unwrap_or(usize::MAX));
            return Ok(());
        }
        let keep = first & 0xc0 == 0x40;
        let index = integer(rest, if keep { 6 } else { 4 })?;
        let mut unknown = None;
        if index == 0 {
            field.name = string(rest)?;
        } else {
            match self.entry(index) {
                Ok((name, _)) => field.name = name.to_vec(),
                Err(status) => unknown = Some(status),
            }
        }
        field.value = string(rest)?;
        if keep {
            // Kept even with an unknown name: later indexes count it.
            self.add(&field.name, &field.value);
        }
        match unknown {
            Some(status) => Err(status),
            None => Ok(()),
        }
    }
}

fn cost(name: &[u8], value: &[u8]) -> usize {
    name.len().saturating_add(value.len()).saturating_add(ENTRY_OVERHEAD)
}

/// An integer with a prefix of `bits` bits (section 5.1).
fn integer(rest: &mut &[u8], bits: u32) -> Result<u64, Status> {
    let (first, mut tail) = rest.split_first().ok_or(Status::BadString)?;
    let mask = 0xffu8.wrapping_shr(8u32.saturating_sub(bits));
    let mut value = u64::from(first & mask);
    if first & mask == mask {
        let mut shift: u32 = 0;
        loop {
            let (byte, after) = tail.split_first().ok_or(Status::BadString)?;
            tail = after;
            if shift > INTEGER_MAX_SHIFT {
                return Err(Status::IntegerOverflow);
            }
            value = value.saturating_add(u64::from(byte & 0x7f).wrapping_shl(shift));
            shift = shift.saturating_add(7);
            if byte & 0x80 == 0 {
                break;
            }
        }
    }
    *rest = tail;
    if value > u64::from(u32::MAX) {
        return Err(Status::IntegerOverflow);
    }
    Ok(value)
}

/// A string literal (section 5.2).
fn string(rest: &mut &[u8]) -> Result<Vec<u8>, Status> {
    let coded = rest.first().is_some_and(|b| b & 0x80 != 0);
    let len = integer(rest, 7)?;
    let len = usize::try_from(len).map_err(|_| Status::BadString)?;
    let (bytes, tail) = rest.split_at_checked(len).ok_or(Status::BadString)?;
    *rest = tail;
    if !coded {
        return Ok(bytes.to_vec());
    }
    let mut out = Vec::with_capacity(len.saturating_mul(2));
    if huffman::decode(bytes, &mut out) {
        Ok(out)
    } else {
        Err(Status::BadString)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(decoder: &mut Decoder, data: &[u8]) -> Vec<(String, String)> {
        let mut out = Vec::new();
        assert!(decoder.block(data, &mut out));
        out.into_iter()
            .map(|f| (String::from_utf8(f.name).unwrap(), String::from_utf8(f.value).unwrap()))
            .collect()
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn decodes_the_requests_of_the_rfc() {
        // RFC 7541 C.4: three requests with Huffman coding over one table.
        let mut decoder = Decoder::new(4096);
        let first = b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff";
        let common =
            [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")];
        assert_eq!(block(&mut decoder, first), pairs(&common));
        let second = b"\x82\x86\x84\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf";
        let mut more = common.to_vec();
        more.push(("cache-control", "no-cache"));
        assert_eq!(block(&mut decoder, second), pairs(&more));
        let third = b"\x82\x87\x85\xbf\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf";
        let last = [
            (":method", "GET"),
            (":scheme", "https"),
            (":path", "/index.html"),
            (":authority", "www.example.com"),
            ("custom-key", "custom-value"),
        ];
        assert_eq!(block(&mut decoder, third), pairs(&last));
        assert_eq!(decoder.size, 164);
    }

    #[test]
    fn the_table_stays_under_its_cap() {
        let mut decoder = Decoder::new(100);
        let mut out = Vec::new();
        assert!(decoder
            .block(b"\x3f\xe1\xff\x03\x40\x01a\x01b\x40\x01c\x01d\x40\x01e\x01f\x40\x01g\x01h", &mut out));
        assert!(decoder.size <= 100 && decoder.entries.len() == 2);
        assert_eq!(out[0].status, Status::SizeUpdate(65536));
    }

    #[test]
    fn what_was_not_seen_is_said() {
        let mut decoder = Decoder::new(4096);
        let mut out = Vec::new();
        assert!(!decoder.block(b"\xfe\x80\x82", &mut out));
        assert_eq!(out[0].status, Status::NotIndexed);
        assert_eq!(out[1].status, Status::IndexZero);
        assert_eq!(out[2].name, b":method");
        assert!(!decoder.block(b"\x7f\xff\xff\xff\xff\xff\xff\xff", &mut out));
        assert_eq!(out.last().unwrap().status, Status::IntegerOverflow);
    }
}
