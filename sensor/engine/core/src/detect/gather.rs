//! Which positions of data may hold a four-byte gram of a set, by a table of hashes: eight positions at once where the
//! processor can gather (AVX2), else one after the other. Both answer alike. Knows no literals.

/// Bytes of a gram.
pub const GRAM_BYTES: usize = 4;

/// The upper bits of a product with it hang on all of the other factor (it is the golden ratio's).
const FACTOR: u32 = 0x9e37_79b1;

/// Of the hash, the lower bits hang on a gram's first two bytes only.
pub const PAIR_BITS: u32 = u16::BITS;

/// In its word a gram has a bit of the lower half, numbered by the bits of the hash from here on, which hang on its first
/// three bytes only,
const LOW_BITS: u32 = 20;
/// and one of the upper half, numbered by those from here on, which hang on all four.
const HIGH_BITS: u32 = 28;

/// What numbers the bits of half a word.
const BIT_MASK: u32 = HALF - 1;
const HALF: u32 = u32::BITS / 2;

/// Positions that are looked up at once, and the bytes read for it.
const WINDOW_GRAMS: usize = 16;
const WINDOW_BYTES: usize = 24;

/// A word for each value of some bits of the hash that hang on a gram's first two bytes; in it two bits are set for each gram
/// of the set.
pub type Table<const N: usize> = [u32; N];

/// Of the hash, the upper bits hang on all of the gram.
#[inline(always)]
pub fn hash(gram: u32) -> u32 {
    gram.wrapping_mul(FACTOR)
}

/// The part of the hash that hangs on a gram's first two bytes only, as the upper bits.
#[inline(always)]
pub fn pair_hash(gram: u32) -> u32 {
    hash(gram) << PAIR_BITS
}

/// The bits in its word of a gram of which `length` bytes are known: whatever the others are.
#[inline(always)]
pub fn bits(gram: u32, length: usize) -> u32 {
    let hash = hash(gram);
    let (low, high) = (1 << (hash >> LOW_BITS & BIT_MASK), 1 << (hash >> HIGH_BITS & BIT_MASK) << HALF);
    match length {
        GRAM_BYTES => low | high,
        3 => low | u32::MAX << HALF,
        _ => u32::MAX,
    }
}

/// The word of a gram.
#[inline(always)]
pub fn word<const N: usize>(gram: u32) -> usize {
    let spare = u32::BITS.saturating_sub(N.trailing_zeros());
    pair_hash(gram).checked_shr(spare).unwrap_or(0) as usize
}

/// Calls `found` with each gram (in lower case) that the table knows, and its position in `data`; behind the data
/// stand zeros.
#[inline]
pub fn each<const N: usize>(table: &Table<N>, data: &[u8], found: impl FnMut(u32, usize)) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        return unsafe { avx2::each(table, data, found) };
    }
    windows(data, |window| one_by_one(table, window), found);
}

/// Goes through the data by windows, of which `known` tells the positions (a bit each).
#[inline(always)]
fn windows(data: &[u8], known: impl Fn(&[u8; WINDOW_BYTES]) -> u32, mut found: impl FnMut(u32, usize)) {
    let mut at = 0usize;
    while let Some(window) = data.get(at..).and_then(|rest| rest.first_chunk()) {
        tell(known(window), window, at, &mut found);
        at = at.saturating_add(WINDOW_GRAMS);
    }
    while let Some(rest) = data.get(at..).filter(|rest| !rest.is_empty()) {
        let mut last = [0u8; WINDOW_BYTES];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        let valid = 1u32.checked_shl(rest.len() as u32).map_or(u32::MAX, |end| end.wrapping_sub(1));
        tell(known(&last) & valid, &last, at, &mut found);
        at = at.saturating_add(WINDOW_GRAMS);
    }
}

#[inline(always)]
fn tell(mut places: u32, window: &[u8; WINDOW_BYTES], at: usize, found: &mut impl FnMut(u32, usize)) {
    while places != 0 {
        let place = places.trailing_zeros() as usize;
        places &= places.wrapping_sub(1);
        found(gram(window, place), at.saturating_add(place));
    }
}

/// The gram at a place of the window, in lower case.
#[inline(always)]
fn gram(window: &[u8; WINDOW_BYTES], place: usize) -> u32 {
    let bytes: Option<&[u8; GRAM_BYTES]> = window.get(place..).and_then(|rest| rest.first_chunk());
    bytes.map_or(0, |bytes| u32::from_le_bytes(bytes.map(|byte| byte.to_ascii_lowercase())))
}

fn one_by_one<const N: usize>(table: &Table<N>, window: &[u8; WINDOW_BYTES]) -> u32 {
    (0..WINDOW_GRAMS).fold(0, |places, place| {
        let gram = gram(window, place);
        let bits = bits(gram, GRAM_BYTES);
        let known = table.get(word::<N>(gram)).is_none_or(|word| word & bits == bits);
        places | u32::from(known) << place
    })
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::{Table, BIT_MASK, FACTOR, HALF, HIGH_BITS, LOW_BITS, PAIR_BITS, WINDOW_BYTES};
    use std::arch::x86_64::*;

    /// `super::each`.
    ///
    /// # Safety
    /// The processor has AVX2.
    #[target_feature(enable = "avx2")]
    pub unsafe fn each<const N: usize>(table: &Table<N>, data: &[u8], found: impl FnMut(u32, usize)) {
        // SAFETY: the caller's word.
        super::windows(data, |window| unsafe { known(table, window) }, found);
    }

    /// The positions of a window that the table knows.
    ///
    /// # Safety
    /// The processor has AVX2.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn known<const N: usize>(table: &Table<N>, window: &[u8; WINDOW_BYTES]) -> u32 {
        // A gather reads where it is told to: every index is below N.
        const { assert!(N.is_power_of_two() && N.trailing_zeros() <= PAIR_BITS) };
        #[rustfmt::skip]
        let grams = _mm256_setr_epi8(
            0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6,
            4, 5, 6, 7, 5, 6, 7, 8, 6, 7, 8, 9, 7, 8, 9, 10,
        );
        let factor = _mm256_set1_epi32(FACTOR as i32);
        // As signed bytes, the least 26 are then the capitals.
        let (to_least, least) =
            (_mm256_set1_epi8(i8::MIN.wrapping_sub(b'A' as i8)), _mm256_set1_epi8(i8::MIN + 26));
        let case = _mm256_set1_epi8((b'a' - b'A') as i8);
        let spare = _mm_cvtsi32_si128(u32::BITS.wrapping_sub(N.trailing_zeros()) as i32);
        let places = |from: usize| {
            // SAFETY: 16 bytes from byte 0 or 8 of a window of 24.
            let bytes = unsafe { _mm_loadu_si128(window.as_ptr().add(from).cast()) };
            let bytes = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(bytes), grams);
            let is_capital = _mm256_cmpgt_epi8(least, _mm256_add_epi8(bytes, to_least));
            let lower = _mm256_or_si256(bytes, _mm256_and_si256(is_capital, case));
            let hash = _mm256_mullo_epi32(lower, factor);
            let word = _mm256_srl_epi32(_mm256_slli_epi32::<16>(hash), spare);
            // SAFETY: `word` keeps as many bits as number the table's words.
            let words = unsafe { _mm256_i32gather_epi32::<4>(table.as_ptr().cast(), word) };
            // Bit n of a word's upper half comes to the top by a shift of 15 - n, of its lower half by 16 more.
            let mask = _mm256_set1_epi32(BIT_MASK as i32);
            let by = |number| _mm256_andnot_si256(number, mask);
            let low = _mm256_slli_epi32::<{ HALF as i32 }>(words);
            let low = _mm256_sllv_epi32(low, by(_mm256_srli_epi32::<{ LOW_BITS as i32 }>(hash)));
            let high = _mm256_sllv_epi32(words, by(_mm256_srli_epi32::<{ HIGH_BITS as i32 }>(hash)));
            _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_and_si256(low, high))) as u32
        };
        places(0) | places(8) << 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found<const N: usize>(table: &Table<N>, data: &[u8]) -> Vec<(u32, usize)> {
        let mut all = Vec::new();
        each(table, data, |gram, at| all.push((gram, at)));
        all
    }

    fn agrees<const N: usize>(words: &[u32], data: &[u8]) {
        let mut table = [0u32; N];
        table.iter_mut().zip(words.iter().cycle()).for_each(|(to, from)| *to = *from);
        let mut slowly = Vec::new();
        windows(data, |window| one_by_one(&table, window), |gram, at| slowly.push((gram, at)));
        assert_eq!(found(&table, data), slowly);
    }

    proptest! {
        #[test]
        fn all_ways_answer_alike(
            words in prop::collection::vec(any::<u32>(), 1..200),
            data in prop::collection::vec(any::<u8>(), 0..120),
        ) {
            agrees::<128>(&words, &data);
            agrees::<4096>(&words, &data);
        }
    }

    #[test]
    fn a_known_gram_is_found_at_every_place() {
        for known in 2..=GRAM_BYTES {
            let gram = u32::from_le_bytes(*b"abcd");
            let mut table = [0u32; 1024];
            table[word::<1024>(gram)] = bits(gram, known);
            for length in GRAM_BYTES..70 {
                for at in 0..=length - GRAM_BYTES {
                    let mut data = vec![0u8; length];
                    data[at..at + known].copy_from_slice(&b"aBCd"[..known]);
                    let places: Vec<usize> = found(&table, &data).iter().map(|(_, at)| *at).collect();
                    assert_eq!(places, [at], "{known} of {length} bytes");
                }
            }
            assert!(found(&table, b"").is_empty());
        }
    }
}
