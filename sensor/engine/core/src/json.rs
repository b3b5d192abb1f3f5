//! A JSON writer over one growing byte buffer. It never fails; it must not know events.

use crate::base64;
use crate::decimal::{self, EIGHT_DIGITS};
use crate::decode::Addr;
use std::fmt::Write as _;

/// Appends JSON to a buffer: open an object, put fields, close it. Commas are placed for the caller.
#[derive(Default)]
pub struct JsonWriter {
    out: Vec<u8>,
    /// Whether the next element needs a comma before it.
    comma: bool,
}

impl JsonWriter {
    pub fn new() -> Self {
        Self::default()
    }
    pub fn as_bytes(&self) -> &[u8] {
        &self.out
    }
    pub fn len(&self) -> usize {
        self.out.len()
    }
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }
    pub fn clear(&mut self) {
        self.out.clear();
        self.comma = false;
    }
    /// Takes the buffer and goes on in `next`, an empty one.
    pub fn take(&mut self, next: Vec<u8>) -> Vec<u8> {
        self.comma = false;
        std::mem::replace(&mut self.out, next)
    }
    /// Cuts back to an earlier length, e.g. to drop an object that turned out empty.
    pub fn truncate(&mut self, len: usize, comma: bool) {
        self.out.truncate(len);
        self.comma = comma;
    }
    /// (length, comma state), to give to `truncate`.
    pub fn mark(&self) -> (usize, bool) {
        (self.out.len(), self.comma)
    }

    /// Takes what was written from `start` on: whole lines.
    pub fn split_off(&mut self, start: usize) -> Vec<u8> {
        self.comma = false;
        self.out.split_off(start.min(self.out.len()))
    }
    /// Appends a ready-made line, between two others.
    pub fn raw_line(&mut self, line: &[u8]) {
        self.out.extend_from_slice(line);
    }

    #[inline]
    fn separate(&mut self) {
        if self.comma {
            self.out.push(b',');
        }
        self.comma = true;
    }
    /// Begins an anonymous object (an event, or an array element).
    pub fn open(&mut self) {
        self.separate();
        self.out.push(b'{');
        self.comma = false;
    }
    pub fn close(&mut self) {
        self.out.push(b'}');
        self.comma = true;
    }
    /// Ends an event: closes the object and the line.
    pub fn end_line(&mut self) {
        self.out.extend_from_slice(b"}\n");
        self.comma = false;
    }
    /// Writes a key; the value must follow.
    #[inline]
    pub fn key(&mut self, key: &str) {
        self.separate();
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.comma = false;
    }
    pub fn open_object(&mut self, key: &str) {
        self.key(key);
        self.out.push(b'{');
    }
    pub fn open_array(&mut self, key: &str) {
        self.key(key);
        self.out.push(b'[');
    }
    pub fn close_array(&mut self) {
        self.out.push(b']');
        self.comma = true;
    }
    pub fn str(&mut self, key: &str, value: &str) {
        self.key(key);
        self.quoted(value.as_bytes());
        self.comma = true;
    }
    /// Bytes from the wire as a string: valid UTF-8 stays, any other byte becomes `\xHH` text, controls are escaped.
    pub fn bytes(&mut self, key: &str, value: &[u8]) {
        self.key(key);
        self.quoted(value);
        self.comma = true;
    }
    /// As `bytes`, with a key that comes from the wire too.
    pub fn bytes_under(&mut self, key: &[u8], value: &[u8]) {
        self.separate();
        self.quoted(key);
        self.out.push(b':');
        self.quoted(value);
        self.comma = true;
    }
    /// As `bytes`, but at most `max` bytes of the value; what is left out is counted at the end of the text.
    pub fn bytes_limited(&mut self, key: &str, value: &[u8], max: usize) {
        self.key(key);
        self.limited(value, max);
        self.comma = true;
    }
    /// As `bytes_limited`, as an array element.
    pub fn item_limited(&mut self, value: &[u8], max: usize) {
        self.separate();
        self.limited(value, max);
    }
    pub fn uint(&mut self, key: &str, value: u64) {
        self.key(key);
        self.number(value);
        self.comma = true;
    }
    pub fn int(&mut self, key: &str, value: i64) {
        self.key(key);
        // Writing into a Vec cannot fail.
        let _ = write!(Fmt(&mut self.out), "{value}");
        self.comma = true;
    }
    /// null for what JSON has no number for.
    pub fn float(&mut self, key: &str, value: f64) {
        self.key(key);
        let _ = if value.is_finite() {
            write!(Fmt(&mut self.out), "{value:?}")
        } else {
            write!(Fmt(&mut self.out), "null")
        };
        self.comma = true;
    }
    /// Bytes in base64 with padding.
    pub fn base64(&mut self, key: &str, value: &[u8]) {
        self.str(key, &base64::encode(value));
    }
    /// The same, as an array element.
    pub fn item_base64(&mut self, value: &[u8]) {
        self.item_str(&base64::encode(value));
    }
    /// Bytes as text with dots for what cannot be printed.
    pub fn printable(&mut self, key: &str, value: &[u8]) {
        self.bytes(key, &printable(value));
    }
    /// Bytes as lower-case hex digits.
    pub fn hex(&mut self, key: &str, value: &[u8]) {
        self.key(key);
        self.out.push(b'"');
        for byte in value {
            self.out.extend_from_slice(&hex(*byte));
        }
        self.out.push(b'"');
        self.comma = true;
    }
    /// ASCII that needs no escaping as a string.
    pub fn plain(&mut self, key: &str, text: &[u8]) {
        self.key(key);
        self.out.push(b'"');
        self.out.extend_from_slice(text);
        self.out.push(b'"');
        self.comma = true;
    }
    /// An IP address as a string, see `Addr::write`.
    pub fn address(&mut self, key: &str, address: Addr, version: u8) {
        self.key(key);
        self.out.push(b'"');
        address.write(version, &mut self.out);
        self.out.push(b'"');
        self.comma = true;
    }
    pub fn bool(&mut self, key: &str, value: bool) {
        self.key(key);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        self.comma = true;
    }
    /// Formats into a string value without a temporary; the text must need no escaping.
    pub fn fmt(&mut self, key: &str, value: std::fmt::Arguments<'_>) {
        self.key(key);
        self.out.push(b'"');
        let _ = Fmt(&mut self.out).write_fmt(value);
        self.out.push(b'"');
        self.comma = true;
    }
    /// Appends ready-made JSON as the value of `key`.
    pub fn raw(&mut self, key: &str, json: &[u8]) {
        self.key(key);
        self.out.extend_from_slice(json);
        self.comma = true;
    }
    /// Appends ready-made `"key":value,...` members to the open object.
    pub fn raw_members(&mut self, json: &[u8]) {
        if !json.is_empty() {
            self.separate();
            self.out.extend_from_slice(json);
        }
    }
    pub fn item_str(&mut self, value: &str) {
        self.item_bytes(value.as_bytes());
    }
    pub fn item_bytes(&mut self, value: &[u8]) {
        self.separate();
        self.quoted(value);
    }
    /// Formats an array element; the text must need no escaping.
    pub fn item_fmt(&mut self, value: std::fmt::Arguments<'_>) {
        self.separate();
        self.out.push(b'"');
        let _ = Fmt(&mut self.out).write_fmt(value);
        self.out.push(b'"');
    }
    pub fn item_uint(&mut self, value: u64) {
        self.separate();
        self.number(value);
    }

    fn number(&mut self, value: u64) {
        if value < EIGHT_DIGITS {
            let (digits, count) = decimal::leading(value);
            let end = self.out.len() + count;
            self.out.extend_from_slice(&digits);
            self.out.truncate(end);
        } else {
            self.number(value / EIGHT_DIGITS);
            self.out.extend_from_slice(&decimal::eight(value % EIGHT_DIGITS));
        }
    }

    fn quoted(&mut self, value: &[u8]) {
        self.out.push(b'"');
        if value.is_ascii() {
            self.escaped(value);
        } else {
            for chunk in value.utf8_chunks() {
                self.escaped(chunk.valid().as_bytes());
                for byte in chunk.invalid() {
                    self.out.extend_from_slice(b"\\\\x");
                    self.out.extend_from_slice(&hex(*byte));
                }
            }
        }
        self.out.push(b'"');
    }

    fn limited(&mut self, value: &[u8], max: usize) {
        let Some((head, tail)) = value.split_at_checked(max).filter(|(_, tail)| !tail.is_empty()) else {
            return self.quoted(value);
        };
        self.quoted(head);
        self.out.pop(); // the closing quote
        let _ = write!(Fmt(&mut self.out), "[truncated {} additional bytes]\"", tail.len());
    }

    /// `bytes` are UTF-8.
    fn escaped(&mut self, bytes: &[u8]) {
        // Most text stays as it is: it is looked through by the block.
        let mut plain = 0;
        while let Some(block) = bytes.get(plain..).and_then(|rest| rest.first_chunk::<16>()) {
            if block.iter().fold(0, |found, byte| found | special(*byte)) != 0 {
                break;
            }
            plain += block.len();
        }
        let mut start = 0;
        for (at, &byte) in bytes.iter().enumerate().skip(plain) {
            if special(byte) == 0 {
                continue;
            }
            self.out.extend_from_slice(&bytes[start..at]);
            start = at + 1;
            match byte {
                b'"' => self.out.extend_from_slice(b"\\\""),
                b'\\' => self.out.extend_from_slice(b"\\\\"),
                b'\n' => self.out.extend_from_slice(b"\\n"),
                b'\r' => self.out.extend_from_slice(b"\\r"),
                b'\t' => self.out.extend_from_slice(b"\\t"),
                0x08 => self.out.extend_from_slice(b"\\b"),
                0x0c => self.out.extend_from_slice(b"\\f"),
                other => {
                    let _ = write!(Fmt(&mut self.out), "\\u{other:04x}");
                }
            }
        }
        self.out.extend_from_slice(&bytes[start..]);
    }
}

/// Bytes as Suricata prints them: ASCII stays, line ends too, the rest is a dot.
pub fn printable(bytes: &[u8]) -> Vec<u8> {
    let shown = |b: &u8| if matches!(b, b' '..=b'~' | b'\r' | b'\n') { *b } else { b'.' };
    bytes.iter().map(shown).collect()
}

/// 0: the byte is written as it is, and not escaped.
#[inline(always)]
fn special(byte: u8) -> u8 {
    u8::from(byte < 0x20) | u8::from(byte == b'"') | u8::from(byte == b'\\') | u8::from(byte == 0x7f)
}

/// Two lower-case hex digits.
pub fn hex(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

struct Fmt<'a>(&'a mut Vec<u8>);

impl std::fmt::Write for Fmt<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_serde_reads_back() {
        let mut w = JsonWriter::new();
        w.open();
        w.str("a", "x\"\\\n\u{1}é");
        w.bytes("b", b"\xffok\x00");
        w.open_array("c");
        w.item_uint(1);
        w.item_str("two");
        w.close_array();
        w.open_object("d");
        w.int("e", -3);
        w.bool("f", true);
        w.close();
        w.uint("g", u64::MAX);
        w.end_line();
        let value: serde_json::Value = serde_json::from_slice(w.as_bytes()).unwrap();
        assert_eq!(value["a"], "x\"\\\n\u{1}é");
        assert_eq!(value["b"], "\\xffok\0");
        assert_eq!(value["c"][1], "two");
        assert_eq!(value["d"]["e"], -3);
        assert_eq!(value["g"], u64::MAX);
    }

    #[test]
    fn prints_dots_for_what_is_no_text() {
        assert_eq!(printable(b"a\x00\r\n~\x7f\xc3\xa9"), b"a.\r\n~...");
    }
}
