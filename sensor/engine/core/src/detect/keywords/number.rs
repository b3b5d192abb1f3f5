//! Numbers as rules write them.

use crate::detect::diagnostic::Refusal;
use crate::detect::program::number::NumberTest;

/// Decimal, or hexadecimal with 0x.
pub fn unsigned(text: &str) -> Option<u64> {
    let text = text.trim();
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None if text.starts_with('+') => None,
        None => text.parse().ok(),
    }
}

/// Bytes, with a unit or not: 100, 10KB, 5 MB.
pub fn bytes(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_uppercase();
    let (digits, factor) = [("KB", 1 << 10), ("MB", 1 << 20), ("GB", 1 << 30)]
        .iter()
        .find_map(|(unit, factor)| text.strip_suffix(unit).map(|d| (d.to_owned(), *factor)))
        .unwrap_or((text, 1u64));
    unsigned(&digits)?.checked_mul(factor)
}

/// As `unsigned`, with an optional minus.
pub fn signed(text: &str) -> Option<i64> {
    let text = text.trim();
    match text.strip_prefix('-') {
        Some(rest) => unsigned(rest).and_then(|n| 0i64.checked_sub_unsigned(n)),
        None => unsigned(text).map(|n| n as i64),
    }
}

/// `5`, `!5`, `<5`, `<=5`, `>5`, `>=5`, `5-9`, `5<>9`, `!5-9` (ends excluded), `&0x40=0x40`, `&0x40!=0`.
/// `read` turns the text of one number into its value.
pub fn test_with(text: &str, read: &dyn Fn(&str) -> Option<u64>) -> Option<NumberTest> {
    let text = text.trim();
    let range = |text: &str| -> Option<(u64, u64)> {
        let (low, high) = text.split_once("<>").or_else(|| text.split_once('-'))?;
        let (low, high) = (read(low.trim())?, read(high.trim())?);
        (low < high).then_some((low, high))
    };
    let after = |mark: &str| text.strip_prefix(mark).map(str::trim_start);
    if let Some(rest) = after("&") {
        let (mask, value, negated) = match rest.split_once("!=") {
            Some((mask, value)) => (mask, value, true),
            None => rest.split_once('=').map(|(m, v)| (m, v, false))?,
        };
        let (mask, value) = (read(mask.trim())?, read(value.trim())?);
        return Some(if negated {
            NumberTest::NotMasked(mask, value)
        } else {
            NumberTest::Masked(mask, value)
        });
    }
    if let Some(rest) = after("!=").or_else(|| after("!")) {
        if let Some((low, high)) = range(rest) {
            return Some(NumberTest::NotBetween(low, high));
        }
        return read(rest).map(NumberTest::NotEqual);
    }
    if let Some(rest) = after("<=") {
        return read(rest).map(NumberTest::LessOrEqual);
    }
    if let Some(rest) = after(">=") {
        return read(rest).map(NumberTest::GreaterOrEqual);
    }
    if let Some(rest) = after("<") {
        return read(rest).map(NumberTest::Less);
    }
    if let Some(rest) = after(">") {
        return read(rest).map(NumberTest::Greater);
    }
    if let Some(rest) = after("=") {
        return read(rest).map(NumberTest::Equal);
    }
    if let Some((low, high)) = range(text) {
        return Some(NumberTest::Between(low, high));
    }
    read(text).map(NumberTest::Equal)
}

/// A number test whose numbers are at most `max`.
pub fn test(name: &str, text: &str, max: u64) -> Result<NumberTest, Refusal> {
    named_test(name, text, max, &unsigned)
}

/// As `test`, with names for some of the numbers.
pub fn named_test(
    name: &str,
    text: &str,
    max: u64,
    read: &dyn Fn(&str) -> Option<u64>,
) -> Result<NumberTest, Refusal> {
    test_with(text, &|part| read(part).filter(|n| *n <= max)).ok_or_else(|| {
        Refusal::error(
            format!("`{text}` is no test of a number up to {max}"),
            format!("write {name}:5; {name}:!5; {name}:>5; {name}:<5; or {name}:5<>9; (ends excluded)"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form() {
        let test = |text| test_with(text, &unsigned);
        assert_eq!(test("5"), Some(NumberTest::Equal(5)));
        assert_eq!(test(" 0x10 "), Some(NumberTest::Equal(16)));
        assert_eq!(test("! 5"), Some(NumberTest::NotEqual(5)));
        assert_eq!(test("<= 5"), Some(NumberTest::LessOrEqual(5)));
        assert_eq!(test("5<>9"), Some(NumberTest::Between(5, 9)));
        assert_eq!(test("5-9"), Some(NumberTest::Between(5, 9)));
        assert_eq!(test("!5-9"), Some(NumberTest::NotBetween(5, 9)));
        assert_eq!(test("&0x40!=0"), Some(NumberTest::NotMasked(0x40, 0)));
        for wrong in ["", "x", "9<>5", "5-5", "-1", "&4", "<"] {
            assert_eq!(test(wrong), None, "{wrong}");
        }
        assert_eq!(signed("-8"), Some(-8));
    }
}
