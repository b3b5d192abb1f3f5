//! Header values: parameters with their continuations and character sets (RFC 2045 section 5.1, RFC 2231), encoded words
//! (RFC 2047), address lists.

use super::transfer::{base64, quoted_text};

/// Parameters of one value that are looked at.
const PARAMETERS_MAX: usize = 64;

/// Parameters of a Content-Type or Content-Disposition, names in lower case.
pub struct Parameters(Vec<(Vec<u8>, Vec<u8>)>);

/// Splits `a=b; c="d"`.
pub fn parameters(mut rest: &[u8]) -> Parameters {
    let mut found = Vec::new();
    while !rest.is_empty() && found.len() < PARAMETERS_MAX {
        let stop = rest.iter().position(|b| matches!(b, b'=' | b';')).unwrap_or(rest.len());
        let (name, after) = rest.split_at(stop);
        let name = name.trim_ascii().to_ascii_lowercase();
        match after.split_first() {
            Some((b'=', value)) => {
                let (value, after) = one_value(value);
                rest = after;
                found.push((name, value));
            }
            Some((_, after)) => rest = after,
            None => break,
        }
    }
    Parameters(found)
}

/// A token or a quoted string, and what follows the next semicolon.
fn one_value(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let text = text.trim_ascii_start();
    let mut value = Vec::new();
    let mut rest = text;
    if let Some(mut quoted) = text.strip_prefix(b"\"") {
        loop {
            match quoted {
                [] => return (value, quoted),
                [b'"', after @ ..] => {
                    rest = after;
                    break;
                }
                // A backslash quotes a quote or a backslash; before anything else it is a path separator that was not escaped.
                [b'\\', byte @ (b'"' | b'\\'), after @ ..] | [byte, after @ ..] => {
                    value.push(*byte);
                    quoted = after;
                }
            }
        }
        let stop = memchr::memchr(b';', rest).unwrap_or(rest.len());
        return (value, rest.get(stop.saturating_add(1)..).unwrap_or(&[]));
    }
    let stop = memchr::memchr(b';', rest).unwrap_or(rest.len());
    value.extend_from_slice(rest.get(..stop).unwrap_or(&[]).trim_ascii());
    (value, rest.get(stop.saturating_add(1)..).unwrap_or(&[]))
}

impl Parameters {
    /// The value of a parameter, its pieces put together and its encodings undone.
    pub fn get(&self, name: &[u8]) -> Option<Vec<u8>> {
        let plain = self.0.iter().find(|(n, _)| n == name).map(|(_, v)| encoded_words(v));
        let mut pieces: Vec<(u32, bool, &[u8])> = Vec::new();
        for (full, value) in &self.0 {
            let Some(mark) = full.strip_prefix(name).and_then(|rest| rest.strip_prefix(b"*")) else {
                continue;
            };
            let (number, extended) = match mark {
                b"" => (0, true),
                [digits @ .., b'*'] => (section(digits), true),
                digits => (section(digits), false),
            };
            pieces.push((number, extended, value));
        }
        if pieces.is_empty() {
            return plain;
        }
        pieces.sort_by_key(|(number, _, _)| *number);
        let mut out = Vec::new();
        for (at, (_, extended, value)) in pieces.into_iter().enumerate() {
            let text = if at == 0 && extended { behind_charset(value) } else { value };
            if extended {
                percent_decode(text, &mut out);
            } else {
                out.extend_from_slice(text);
            }
        }
        Some(out)
    }
}

/// Number of a continuation; what is no number sorts last.
fn section(digits: &[u8]) -> u32 {
    std::str::from_utf8(digits).ok().and_then(|d| d.parse().ok()).unwrap_or(u32::MAX)
}

/// RFC 2231 section 4: `charset'language'text`.
fn behind_charset(value: &[u8]) -> &[u8] {
    let mut quotes = memchr::memchr_iter(b'\'', value);
    match (quotes.next(), quotes.next()) {
        (Some(_), Some(second)) => value.get(second.saturating_add(1)..).unwrap_or(&[]),
        _ => value,
    }
}

fn percent_decode(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        rest = after;
        if let (b'%', [high, low, behind @ ..]) = (*byte, after) {
            if let (Some(high), Some(low)) = (nibble(*high), nibble(*low)) {
                out.push(high << 4 | low);
                rest = behind;
                continue;
            }
        }
        out.push(*byte);
    }
}

/// The value of a hexadecimal digit.
pub fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|n| u8::try_from(n).ok())
}

/// Undoes encoded words (`=?charset?B?...?=`); their bytes stay in their character set.
pub fn encoded_words(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = memchr::memmem::find(rest, b"=?") {
        let (before, word) = rest.split_at(start);
        match encoded_word(word) {
            Some((decoded, after)) => {
                // Space between two encoded words is no text (RFC 2047 section 6.2).
                if out.is_empty() || !before.trim_ascii().is_empty() {
                    out.extend_from_slice(before);
                }
                out.extend_from_slice(&decoded);
                rest = after;
            }
            None => {
                out.extend_from_slice(before);
                let (mark, after) = word.split_at(word.len().min(2));
                out.extend_from_slice(mark);
                rest = after;
            }
        }
    }
    out.extend_from_slice(rest);
    out
}

/// One encoded word at the front, and what follows it.
fn encoded_word(word: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    /// Longest encoded word: 75 by the RFC, with room for what senders really write; it also keeps the search for its end short.
    const WORD_MAX: usize = 512;
    let body = word.get(2..)?;
    let within = body.get(..WORD_MAX).unwrap_or(body);
    let charset_end = memchr::memchr(b'?', within)?;
    let (kind, text) = within.get(charset_end.saturating_add(1)..)?.split_first()?;
    let text = text.strip_prefix(b"?")?;
    let len = memchr::memmem::find(text, b"?=")?;
    let encoded = text.get(..len)?;
    let decoded = match kind {
        b'B' | b'b' => base64(encoded),
        b'Q' | b'q' => quoted_text(encoded),
        _ => return None,
    };
    let used = charset_end.saturating_add(3).saturating_add(len).saturating_add(2);
    Some((decoded, body.get(used..)?))
}

/// The items of a list of addresses: commas outside of quotes part them; empty ones are none.
pub fn addresses(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    let mut escaped = false;
    list.split(move |byte| {
        let quotes = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        quoted ^= quotes;
        *byte == b',' && !quoted
    })
    .map(<[u8]>::trim_ascii)
    .filter(|item| !item.is_empty())
}
