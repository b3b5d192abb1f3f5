//! Base64 decoding as rules ask for it (RFC 4648, RFC 2045): tolerant of cut and dirty input, never of unbounded output.

/// What to do with bytes outside of the alphabet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The whole input must be valid, padding included; otherwise nothing is decoded.
    Strict,
    /// Decoding ends at the first invalid byte.
    Rfc4648,
    /// Invalid bytes (line breaks, spaces ...) are skipped.
    Rfc2045,
}

fn value(byte: u8) -> Option<u32> {
    let v = match byte {
        b'A'..=b'Z' => byte.wrapping_sub(b'A'),
        b'a'..=b'z' => byte.wrapping_sub(b'a').wrapping_add(26),
        b'0'..=b'9' => byte.wrapping_sub(b'0').wrapping_add(52),
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(v))
}

/// With padding (RFC 4648, section 4).
pub fn encode(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3).saturating_mul(4));
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (at, shift) in [18u32, 12, 6, 0].into_iter().enumerate() {
            let digit = ALPHABET.get((group >> shift & 63) as usize).filter(|_| at <= chunk.len());
            out.push(digit.map_or('=', |d| char::from(*d)));
        }
    }
    out
}

/// Appends the decoded bytes to `out`.
pub fn decode(input: &[u8], mode: Mode, out: &mut Vec<u8>) {
    if mode == Mode::Strict && !is_strict(input) {
        return;
    }
    let (mut group, mut count) = (0u32, 0u8);
    for byte in input {
        match value(*byte) {
            Some(v) => {
                group = group << 6 | v;
                count = count.wrapping_add(1);
                if count == 4 {
                    let [_, a, b, c] = group.to_be_bytes();
                    out.extend_from_slice(&[a, b, c]);
                    (group, count) = (0, 0);
                }
            }
            None if mode == Mode::Rfc2045 && *byte != b'=' => {}
            None => break,
        }
    }
    // A cut group still gives its whole bytes.
    match count {
        2 => out.extend_from_slice(&[(group >> 4) as u8]),
        3 => out.extend_from_slice(&[(group >> 10) as u8, (group >> 2) as u8]),
        _ => {}
    }
}

fn is_strict(input: &[u8]) -> bool {
    let digits = input.iter().take_while(|b| value(**b).is_some()).count();
    let padding = input.len().saturating_sub(digits);
    let all_padding = input.iter().skip(digits).all(|b| *b == b'=');
    input.len() % 4 == 0 && padding <= 2 && all_padding
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(input: &str, mode: Mode) -> Vec<u8> {
        let mut out = Vec::new();
        decode(input.as_bytes(), mode, &mut out);
        out
    }

    #[test]
    fn decodes_in_every_mode() {
        assert_eq!(decoded("Zm9vYmFy", Mode::Strict), b"foobar");
        assert_eq!(decoded("Zm9vYg==", Mode::Strict), b"foob");
        assert_eq!(decoded("Zm9vYg=", Mode::Strict), b"");
        assert_eq!(decoded("Zm 9v Ym Fy", Mode::Rfc2045), b"foobar");
        assert_eq!(decoded("Zm9v Ym Fy", Mode::Rfc4648), b"foo");
        assert_eq!(decoded("nn", Mode::Rfc4648), [0x9e]);
    }
}
