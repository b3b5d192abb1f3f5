//! Content transfer encodings (RFC 2045 section 6), undone as the bytes come.

use super::config::Config;
use super::entity::Encoding;
use super::header::nibble;

/// Decoded bytes are handed on in stretches of this many.
const BATCH: usize = 512;

#[derive(Default)]
pub struct Decoder {
    encoding: Encoding,
    /// Base64: up to four sextets of a group.
    group: u32,
    have: u8,
    /// Quoted-printable: what may become an escape (`=`, `=4`), or white space that may end the line.
    held: Vec<u8>,
    trouble: bool,
}

impl Decoder {
    pub fn none() -> Decoder {
        Decoder::default()
    }
    pub fn new(encoding: Encoding, config: &Config) -> Decoder {
        let wanted = match encoding {
            Encoding::Plain => true,
            Encoding::Base64 => config.decode_base64,
            Encoding::QuotedPrintable => config.decode_quoted_printable,
        };
        Decoder { encoding: if wanted { encoding } else { Encoding::Plain }, ..Decoder::default() }
    }
    pub fn is_encoded(&self) -> bool {
        self.encoding.is_encoded()
    }
    pub fn is_base64(&self) -> bool {
        self.encoding == Encoding::Base64
    }
    /// Whether something was not in the encoding since the last call.
    pub fn take_trouble(&mut self) -> bool {
        std::mem::take(&mut self.trouble)
    }
    /// Bytes are missing: a group begun before them cannot be finished.
    pub fn restart(&mut self) {
        self.have = 0;
        self.group = 0;
        self.held.clear();
    }

    /// Takes (a piece of) a line without its line end. True: the line end belongs to the content.
    pub fn push(&mut self, piece: &[u8], line_ends: bool, out: &mut dyn FnMut(&[u8])) -> bool {
        match self.encoding {
            Encoding::Plain => {
                out(piece);
                true
            }
            Encoding::Base64 => {
                self.base64(piece, out);
                false
            }
            Encoding::QuotedPrintable => self.quoted(piece, line_ends, out),
        }
    }

    /// The content is over; a group without its padding is decoded as far as it goes.
    pub fn finish(&mut self, out: &mut dyn FnMut(&[u8])) {
        if self.encoding == Encoding::Base64 {
            self.trouble |= self.have == 1;
            let mut rest = Vec::new();
            self.flush_group(&mut rest);
            out(&rest);
        } else if !self.held.is_empty() {
            out(&std::mem::take(&mut self.held));
        }
    }

    fn base64(&mut self, piece: &[u8], out: &mut dyn FnMut(&[u8])) {
        let mut batch = Vec::with_capacity(BATCH.min(piece.len()));
        for byte in piece {
            if *byte == b'=' {
                self.flush_group(&mut batch);
                continue;
            }
            let Some(sextet) = sextet(*byte) else {
                // White space says nothing; anything else is skipped, as mail readers do.
                self.trouble |= !byte.is_ascii_whitespace();
                continue;
            };
            self.group = self.group << 6 | u32::from(sextet);
            self.have = self.have.saturating_add(1);
            if self.have == 4 {
                let [_, a, b, c] = self.group.to_be_bytes();
                batch.extend_from_slice(&[a, b, c]);
                self.group = 0;
                self.have = 0;
                if batch.len() >= BATCH {
                    out(&batch);
                    batch.clear();
                }
            }
        }
        if !batch.is_empty() {
            out(&batch);
        }
    }

    /// The bytes of a group that is not full.
    fn flush_group(&mut self, out: &mut Vec<u8>) {
        let group = match self.have {
            2 => self.group << 12,
            3 => self.group << 6,
            _ => 0,
        };
        let [_, a, b, _] = group.to_be_bytes();
        match self.have {
            2 => out.push(a),
            3 => out.extend_from_slice(&[a, b]),
            _ => {}
        }
        self.group = 0;
        self.have = 0;
    }

    fn quoted(&mut self, piece: &[u8], line_ends: bool, out: &mut dyn FnMut(&[u8])) -> bool {
        let joined;
        let mut rest = piece;
        if !self.held.is_empty() {
            let mut text = std::mem::take(&mut self.held);
            text.extend_from_slice(piece);
            joined = text;
            rest = &joined;
        }
        if line_ends {
            // White space at a line's end was put there on the way (RFC 2045 section 6.7 rule 3).
            rest = rest.trim_ascii_end();
        }
        loop {
            let at = memchr::memchr(b'=', rest).unwrap_or(rest.len());
            let (text, escape) = rest.split_at(at);
            if !text.is_empty() {
                out(text);
            }
            match escape {
                [] => return true,
                [b'='] if line_ends => return false,
                [b'='] | [b'=', _] if !line_ends => {
                    self.held.extend_from_slice(escape);
                    return true;
                }
                [b'=', high, low, after @ ..] if nibble(*high).is_some() && nibble(*low).is_some() => {
                    let byte = nibble(*high).unwrap_or(0) << 4 | nibble(*low).unwrap_or(0);
                    out(&[byte]);
                    rest = after;
                }
                [mark, after @ ..] => {
                    self.trouble = true;
                    out(&[*mark]);
                    rest = after;
                }
            }
        }
    }
}

fn sextet(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte.wrapping_sub(b'A'),
        b'a'..=b'z' => byte.wrapping_sub(b'a').wrapping_add(26),
        b'0'..=b'9' => byte.wrapping_sub(b'0').wrapping_add(52),
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

/// The whole of a short base64 text.
pub fn base64(text: &[u8]) -> Vec<u8> {
    let mut decoder = Decoder { encoding: Encoding::Base64, ..Decoder::default() };
    let mut out = Vec::new();
    decoder.base64(text, &mut |bytes| out.extend_from_slice(bytes));
    decoder.finish(&mut |bytes| out.extend_from_slice(bytes));
    out
}

/// The whole of a text in the Q encoding of headers (RFC 2047 section 4.2): an underscore is a space.
pub fn quoted_text(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text.iter().map(|b| if *b == b'_' { b' ' } else { *b }).collect();
    let mut decoder = Decoder { encoding: Encoding::QuotedPrintable, ..Decoder::default() };
    let mut out = Vec::new();
    decoder.quoted(&spaced, false, &mut |bytes| out.extend_from_slice(bytes));
    decoder.finish(&mut |bytes| out.extend_from_slice(bytes));
    out
}
