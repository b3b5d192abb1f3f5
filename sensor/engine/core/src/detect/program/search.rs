//! Finding one literal in a buffer: case-sensitive by memchr's substring finder, otherwise by its rarest byte.

use memchr::memmem;
use std::sync::OnceLock;

/// A prebuilt search for one literal. Allocates at the first search alone.
pub enum Literal {
    Exact(ExactLiteral),
    Nocase(NocaseLiteral),
}

pub struct ExactLiteral {
    bytes: Box<[u8]>,
    /// Made at the first search, for most rules are never tried; boxed, for it is ten times the size of everything else in a
    /// test.
    finder: OnceLock<Box<memmem::Finder<'static>>>,
}

/// Case-insensitive (ASCII) literal, held in lower case.
pub struct NocaseLiteral {
    lower: Box<[u8]>,
    /// Position of the byte that is rarest in traffic, and its two cases.
    rare_at: usize,
    rare: [u8; 2],
}

/// Rough commonness of a byte in protocol traffic; only its order matters.
fn commonness(byte: u8) -> u8 {
    match byte {
        b' ' | 0 | b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' | b'/' | b'.' => 200,
        b'a'..=b'z' => match byte {
            b'j' | b'q' | b'x' | b'z' => 60,
            b'k' | b'v' | b'w' | b'y' | b'b' => 110,
            _ => 150,
        },
        b'0'..=b'9' | b'-' | b'=' | b'\r' | b'\n' | b':' | 0xff => 120,
        b'A'..=b'Z' | b'_' | b'%' | b'&' | b';' | b',' => 90,
        _ => 40,
    }
}

impl Literal {
    pub fn new(bytes: &[u8], nocase: bool) -> Self {
        // A literal without letters has one case only.
        if !nocase || !bytes.iter().any(u8::is_ascii_alphabetic) {
            return Literal::Exact(ExactLiteral { bytes: bytes.into(), finder: OnceLock::new() });
        }
        let lower: Box<[u8]> = bytes.to_ascii_lowercase().into();
        let (rare_at, byte) =
            lower.iter().copied().enumerate().min_by_key(|(_, b)| commonness(*b)).unwrap_or((0, 0));
        Literal::Nocase(NocaseLiteral { lower, rare_at, rare: [byte, byte.to_ascii_uppercase()] })
    }

    /// As held: in lower case when case does not matter.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Literal::Exact(literal) => &literal.bytes,
            Literal::Nocase(literal) => &literal.lower,
        }
    }

    pub fn is_nocase(&self) -> bool {
        matches!(self, Literal::Nocase(_))
    }

    pub fn len(&self) -> usize {
        self.bytes().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Position of the first occurrence.
    #[inline]
    pub fn find(&self, hay: &[u8]) -> Option<usize> {
        match self {
            Literal::Exact(literal) => literal.finder().find(hay),
            Literal::Nocase(literal) => literal.find(hay),
        }
    }

    /// Whether `hay` is exactly the literal.
    #[inline]
    pub fn equals(&self, hay: &[u8]) -> bool {
        match self {
            Literal::Exact(literal) => *literal.bytes == *hay,
            Literal::Nocase(literal) => hay.eq_ignore_ascii_case(&literal.lower),
        }
    }
}

impl ExactLiteral {
    #[inline]
    fn finder(&self) -> &memmem::Finder<'static> {
        self.finder.get_or_init(|| Box::new(memmem::Finder::new(&self.bytes).into_owned()))
    }
}

impl NocaseLiteral {
    fn find(&self, hay: &[u8]) -> Option<usize> {
        let last_start = hay.len().checked_sub(self.lower.len())?;
        // The rare byte can stand only where the whole literal still fits around it.
        let window = hay.get(self.rare_at..=last_start.saturating_add(self.rare_at))?;
        let try_at = |at: usize| {
            hay.get(at..at.saturating_add(self.lower.len()))
                .is_some_and(|part| part.eq_ignore_ascii_case(&self.lower))
        };
        let [low, high] = self.rare;
        if low == high {
            memchr::memchr_iter(low, window).find(|at| try_at(*at))
        } else {
            memchr::memchr2_iter(low, high, window).find(|at| try_at(*at))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(needle: &[u8], hay: &[u8], nocase: bool) -> Option<usize> {
        hay.windows(needle.len()).position(
            |w| {
                if nocase {
                    w.eq_ignore_ascii_case(needle)
                } else {
                    w == needle
                }
            },
        )
    }

    proptest! {
        #[test]
        fn finds_what_the_naive_search_finds(
            needle in proptest::collection::vec(prop_oneof![Just(b'a'), Just(b'B'), Just(b'z'), Just(b'0')], 1..5),
            hay in proptest::collection::vec(prop_oneof![Just(b'a'), Just(b'A'), Just(b'b'), Just(b'Z'), Just(b'0')], 0..40),
            nocase: bool,
        ) {
            prop_assert_eq!(Literal::new(&needle, nocase).find(&hay), naive(&needle, &hay, nocase));
        }
    }
}
