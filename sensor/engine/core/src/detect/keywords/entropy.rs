//! entropy: how evenly the bytes of the selected buffer are spread (Suricata manual, "entropy"; Shannon, bits per byte).

use super::{Keyword, Kind};
use crate::detect::builder::{some_value, RuleBuilder};
use crate::detect::diagnostic::Refusal;
use crate::detect::program::{Lookup, Op};

/// Bits per byte at most.
const ENTROPY_MAX: f64 = 8.0;

pub static ENTROPY: Keyword = Keyword {
    name: "entropy",
    kind: Kind::Payload,
    doc: "Shannon entropy of the buffer in bits per byte, 0.0 to 8.0: [bytes N,] [offset N,] value TEST, where TEST is as in \
          integer keywords; bytes 0 or none is all from the offset on.",
    example: "file.data; entropy:bytes 64, offset 0, value > 4.3;",
    accepts: &[
        "file.data; entropy:bytes 64, offset 0, value > 4.3;",
        "content:\"a\"; entropy:value >= 7;",
        "http.uri; entropy: offset 1, value 2.5-4.5;",
        "http.uri; entropy:value !=3;",
    ],
    refuses: &[
        "entropy;",
        "http.uri; entropy:bytes 5;",
        "http.uri; entropy:value > 9;",
        "http.uri; entropy:value x;",
        "http.uri; entropy:value 5-4;",
        "http.uri; entropy:value 4, value 5;",
        "http.uri; entropy:size 4, value 5;",
    ],
    parse,
    ..Keyword::EMPTY
};

fn parse(rule: &mut RuleBuilder<'_>, value: Option<&str>) -> Result<(), Refusal> {
    let value = some_value("entropy", value, "bytes 64, value > 4.3")?;
    let wrong = || {
        Refusal::error(
            format!("`{value}` is no test of entropy"),
            "write entropy:bytes N, offset N, value > X; with X from 0.0 to 8.0",
        )
    };
    let (mut bytes, mut offset, mut test) = (None, None, None);
    for part in value.split(',').map(str::trim) {
        let (name, rest) = part.split_once(char::is_whitespace).ok_or_else(wrong)?;
        let rest = rest.trim();
        let fresh = match name {
            "bytes" => bytes.replace(rest.parse::<usize>().map_err(|_| wrong())?).is_none(),
            "offset" => offset.replace(rest.parse::<usize>().map_err(|_| wrong())?).is_none(),
            "value" => test.replace(Test::read(rest).ok_or_else(wrong)?).is_none(),
            _ => false,
        };
        if !fresh {
            return Err(wrong());
        }
    }
    rule.push_op(Op::Lookup(Box::new(Entropy {
        bytes: bytes.filter(|n| *n > 0),
        offset: offset.unwrap_or(0),
        test: test.ok_or_else(wrong)?,
    })));
    Ok(())
}

/// What the entropy is compared with; ranges leave their ends out, as for integer keywords.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Test {
    Less(f64),
    LessOrEqual(f64),
    Equal(f64),
    NotEqual(f64),
    GreaterOrEqual(f64),
    Greater(f64),
    Between(f64, f64),
    NotBetween(f64, f64),
}

impl Test {
    fn read(text: &str) -> Option<Test> {
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|n| (0.0..=ENTROPY_MAX).contains(n));
        let range = |text: &str| -> Option<(f64, f64)> {
            let (low, high) = text.split_once("<>").or_else(|| text.split_once('-'))?;
            let (low, high) = (number(low)?, number(high)?);
            (low < high).then_some((low, high))
        };
        let after = |mark: &str| text.strip_prefix(mark);
        if let Some(rest) = after("!=").or_else(|| after("!")) {
            return match range(rest) {
                Some((low, high)) => Some(Test::NotBetween(low, high)),
                None => number(rest).map(Test::NotEqual),
            };
        }
        if let Some(rest) = after("<=") {
            return number(rest).map(Test::LessOrEqual);
        }
        if let Some(rest) = after(">=") {
            return number(rest).map(Test::GreaterOrEqual);
        }
        if let Some(rest) = after("<") {
            return number(rest).map(Test::Less);
        }
        if let Some(rest) = after(">") {
            return number(rest).map(Test::Greater);
        }
        if let Some((low, high)) = range(text) {
            return Some(Test::Between(low, high));
        }
        number(text.strip_prefix('=').unwrap_or(text)).map(Test::Equal)
    }

    /// Numbers a rule writes out are never exact logarithms: equal means equal to four decimals.
    fn holds(self, entropy: f64) -> bool {
        const NEAR: f64 = 0.000_05;
        match self {
            Test::Less(n) => entropy < n,
            Test::LessOrEqual(n) => entropy <= n,
            Test::Equal(n) => (entropy - n).abs() < NEAR,
            Test::NotEqual(n) => (entropy - n).abs() >= NEAR,
            Test::GreaterOrEqual(n) => entropy >= n,
            Test::Greater(n) => entropy > n,
            Test::Between(low, high) => entropy > low && entropy < high,
            Test::NotBetween(low, high) => entropy <= low || entropy >= high,
        }
    }
}

struct Entropy {
    /// None: to the end.
    bytes: Option<usize>,
    offset: usize,
    test: Test,
}

impl Lookup for Entropy {
    fn holds(&self, data: &[u8], _captures: &mut Vec<(u32, Vec<u8>)>) -> bool {
        self.would_hold(data)
    }

    fn would_hold(&self, data: &[u8]) -> bool {
        let Some(rest) = data.get(self.offset..).filter(|rest| !rest.is_empty()) else { return false };
        let wanted = match self.bytes {
            None => Some(rest),
            Some(bytes) => rest.get(..bytes),
        };
        wanted.is_some_and(|bytes| self.test.holds(entropy(bytes)))
    }
}

/// Bits per byte; `bytes` is not empty.
#[allow(clippy::arithmetic_side_effects)] // floating point does not overflow into a panic
fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0u64; 256];
    for byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count = count.saturating_add(1);
        }
    }
    let len = bytes.len() as f64;
    let spread = counts.iter().filter(|n| **n > 0).map(|n| {
        let share = *n as f64 / len;
        share * share.log2()
    });
    -spread.sum::<f64>() + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_is_in_bits_per_byte() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(entropy(b"aaaa"), 0.0);
        assert_eq!(entropy(b"abab"), 1.0);
        assert_eq!(entropy(&all), 8.0);
        let test = Entropy { bytes: Some(2), offset: 2, test: Test::Equal(1.0) };
        let mut none = Vec::new();
        assert!(test.holds(b"aaab", &mut none));
        assert!(!test.holds(b"aaa", &mut none), "there are not so many bytes");
        assert!(!test.holds(b"", &mut none));
    }

    #[test]
    fn ranges_leave_their_ends_out() {
        let test = Test::read("1-2").unwrap();
        assert!(!test.holds(1.0) && test.holds(1.5));
        assert_eq!(Test::read("!1-2"), Some(Test::NotBetween(1.0, 2.0)));
        assert_eq!(Test::read("> 3.5"), Some(Test::Greater(3.5)));
        assert_eq!(Test::read("-1"), None);
    }
}
