//! The words of commands and replies (RFC 5321 section 4).

/// Whether a line begins with a command, in any case.
pub fn verb(line: &[u8], word: &[u8]) -> bool {
    line.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word))
}

/// Whether a line looks like some command: a word of letters.
pub fn is_verb(line: &[u8]) -> bool {
    let word = line.split(|b| *b == b' ').next().unwrap_or(&[]);
    (3..=10).contains(&word.len()) && word.iter().all(u8::is_ascii_alphabetic)
}

/// What stands behind a command of `len` bytes and one separator, up to the next space (options follow, RFC 1870).
pub fn parameter(line: &[u8], len: usize) -> &[u8] {
    let rest = line.get(len.saturating_add(1)..).unwrap_or(&[]);
    let start = rest.iter().position(|b| *b != b' ').unwrap_or(rest.len());
    let rest = rest.get(start..).unwrap_or(&[]);
    rest.split(|b| *b == b' ').next().unwrap_or(&[])
}

/// A reply code that servers use (RFC 5321 section 4.2.3, RFC 3463, RFC 4954, RFC 7504); anything else is no reply.
pub fn code(line: &[u8]) -> Option<u16> {
    const CODES: &[u16] = &[
        211, 214, 220, 221, 235, 250, 251, 252, 334, 354, 401, 402, 421, 435, 450, 451, 452, 454, 455, 500,
        501, 502, 503, 504, 511, 521, 522, 525, 530, 534, 535, 538, 541, 543, 550, 551, 552, 553, 554, 555,
    ];
    let number = std::str::from_utf8(line.get(..3)?).ok()?.parse().ok()?;
    CODES.contains(&number).then_some(number)
}
