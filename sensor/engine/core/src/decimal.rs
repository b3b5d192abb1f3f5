//! Numbers as decimal digits, eight at a time and without a loop: every event has some twenty.

/// So many numbers have eight digits at most.
pub const EIGHT_DIGITS: u64 = 100_000_000;

const ZEROS: u64 = 0x3030_3030_3030_3030;

/// The eight digits of a number below `EIGHT_DIGITS`, with leading zeros, as ASCII.
#[inline]
pub fn eight(value: u64) -> [u8; 8] {
    (values(value) | ZEROS).to_le_bytes()
}

/// The same without leading zeros, and how many digits that leaves; what is behind them means nothing.
#[inline]
pub fn leading(value: u64) -> ([u8; 8], usize) {
    let values = values(value);
    let zeros = (values.trailing_zeros() / u8::BITS).min(7);
    let digits = (values | ZEROS) >> (zeros * u8::BITS);
    (digits.to_le_bytes(), 8usize.saturating_sub(zeros as usize))
}

/// What the digits are worth, the first in the lowest byte.
#[inline]
fn values(value: u64) -> u64 {
    // Fields of the word are divided at once: each has room for the product, and the mask takes off what the shift brings in
    // from the next. n * 5243 >> 19 is n / 100 for n < 10,000, and n * 103 >> 10 is n / 10 for n < 100.
    let fours = (value / 10_000) | ((value % 10_000) << 32);
    let hundreds = (fours.wrapping_mul(5243) >> 19) & 0x0000_007f_0000_007f;
    let pairs = hundreds | fours.wrapping_sub(hundreds.wrapping_mul(100)) << 16;
    let tens = (pairs.wrapping_mul(103) >> 10) & 0x000f_000f_000f_000f;
    tens | pairs.wrapping_sub(tens.wrapping_mul(10)) << 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_that_formatting_gives() {
        let ends = [0, 9_999, 10_000, 99_999_999];
        let all = (0..=10_000).chain((0..EIGHT_DIGITS).step_by(9_973)).chain(ends);
        for value in all.chain((0..10_000).map(|four| four * 10_000)) {
            assert_eq!(eight(value), *format!("{value:08}").as_bytes());
            let (digits, count) = leading(value);
            assert_eq!(digits[..count], *value.to_string().as_bytes());
        }
    }
}
