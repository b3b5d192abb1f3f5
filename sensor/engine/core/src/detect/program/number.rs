//! Reading numbers out of a buffer (byte_test, byte_jump, byte_extract, byte_math) and comparing them.

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Endian {
    #[default]
    Big,
    Little,
    /// As the DCE/RPC fragment says of itself: the evaluation settles it.
    Dce,
}

/// How the bytes of a number are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Binary(Endian),
    /// Text digits of this base (8, 10 or 16), as C's strtoull reads them.
    Text(u32),
}

/// Longest binary number, in bytes.
pub const BINARY_MAX: usize = 8;
/// Longest text number, in bytes (a u64 in octal has 22 digits, and a sign).
pub const TEXT_MAX: usize = 23;

/// Reads `count` bytes at the start of `data`; answers the value and the bytes used up.
pub fn extract(data: &[u8], count: usize, format: Format) -> Option<(u64, usize)> {
    let bytes = data.get(..count)?;
    match format {
        Format::Binary(endian) => {
            if count > BINARY_MAX {
                return None;
            }
            let fold = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
            let value = match endian {
                Endian::Big => bytes.iter().fold(0, fold),
                Endian::Little | Endian::Dce => bytes.iter().rev().fold(0, fold),
            };
            Some((value, count))
        }
        Format::Text(base) => text(bytes, base),
    }
}

/// Leading white space, an optional sign, an optional 0x in base 16, then digits up to the first other byte.
fn text(bytes: &[u8], base: u32) -> Option<(u64, usize)> {
    let mut at = bytes.iter().take_while(|b| b.is_ascii_whitespace() || **b == 0x0b).count();
    let negative = bytes.get(at) == Some(&b'-');
    if matches!(bytes.get(at), Some(b'-' | b'+')) {
        at = at.saturating_add(1);
    }
    let prefixed = base == 16
        && bytes.get(at) == Some(&b'0')
        && matches!(bytes.get(at.saturating_add(1)), Some(b'x' | b'X'))
        && bytes.get(at.saturating_add(2)).is_some_and(u8::is_ascii_hexdigit);
    if prefixed {
        at = at.saturating_add(2);
    }
    let mut value: u64 = 0;
    let mut digits = 0usize;
    for byte in bytes.get(at..)? {
        let Some(digit) = char::from(*byte).to_digit(base) else {
            break;
        };
        value = value.checked_mul(u64::from(base))?.checked_add(u64::from(digit))?;
        digits = digits.saturating_add(1);
    }
    if digits == 0 {
        return None;
    }
    let value = if negative { value.wrapping_neg() } else { value };
    Some((value, at.saturating_add(digits)))
}

/// Comparison against one or two numbers, as the integer keywords write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberTest {
    Equal(u64),
    NotEqual(u64),
    Less(u64),
    LessOrEqual(u64),
    Greater(u64),
    GreaterOrEqual(u64),
    /// Both ends excluded.
    Between(u64, u64),
    /// Outside of, both ends included in the outside.
    NotBetween(u64, u64),
    /// (mask, value): masked bits equal value.
    Masked(u64, u64),
    NotMasked(u64, u64),
}

impl NumberTest {
    #[inline]
    pub fn holds(self, value: u64) -> bool {
        match self {
            NumberTest::Equal(n) => value == n,
            NumberTest::NotEqual(n) => value != n,
            NumberTest::Less(n) => value < n,
            NumberTest::LessOrEqual(n) => value <= n,
            NumberTest::Greater(n) => value > n,
            NumberTest::GreaterOrEqual(n) => value >= n,
            NumberTest::Between(low, high) => value > low && value < high,
            NumberTest::NotBetween(low, high) => value <= low || value >= high,
            NumberTest::Masked(mask, n) => value & mask == n,
            NumberTest::NotMasked(mask, n) => value & mask != n,
        }
    }

    /// The largest value that can pass; None = no bound.
    pub fn max(self) -> Option<u64> {
        match self {
            NumberTest::Equal(n) | NumberTest::LessOrEqual(n) => Some(n),
            NumberTest::Less(n) | NumberTest::Between(_, n) => Some(n.saturating_sub(1)),
            _ => None,
        }
    }

    /// The smallest value that can pass.
    pub fn min(self) -> u64 {
        match self {
            NumberTest::Equal(n) | NumberTest::GreaterOrEqual(n) => n,
            NumberTest::Greater(n) | NumberTest::Between(n, _) => n.saturating_add(1),
            _ => 0,
        }
    }

    /// Whether the test may be answered while the value can still grow; None = not yet.
    pub fn holds_for_growing(self, value: u64) -> Option<bool> {
        match self {
            NumberTest::Greater(n) if value > n => Some(true),
            NumberTest::GreaterOrEqual(n) if value >= n => Some(true),
            NumberTest::Less(n) if value >= n => Some(false),
            NumberTest::LessOrEqual(n) | NumberTest::Equal(n) if value > n => Some(false),
            NumberTest::NotEqual(n) if value > n => Some(true),
            NumberTest::Between(_, high) if value >= high => Some(false),
            NumberTest::NotBetween(_, high) if value >= high => Some(true),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_binary_in_both_orders() {
        assert_eq!(extract(&[1, 2, 3], 2, Format::Binary(Endian::Big)), Some((0x0102, 2)));
        assert_eq!(extract(&[1, 2, 3], 3, Format::Binary(Endian::Little)), Some((0x030201, 3)));
        assert_eq!(extract(&[1], 2, Format::Binary(Endian::Big)), None);
    }

    #[test]
    fn reads_text_up_to_the_first_other_byte() {
        assert_eq!(extract(b"12ab", 4, Format::Text(10)), Some((12, 2)));
        assert_eq!(extract(b" 0x1Fz", 6, Format::Text(16)), Some((0x1f, 5)));
        assert_eq!(extract(b"xyz", 3, Format::Text(10)), None);
        assert_eq!(extract(b"99999999999999999999999", 23, Format::Text(10)), None);
    }
}
