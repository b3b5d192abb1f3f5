//! Literals searched for in small data without Hyperscan, whose tables are too large to stay in the cache between the small
//! payloads that most packets carry. The four bytes at every position are looked up in a table; where it says so, the
//! literals that have them are compared. Knows no rules; answers with the ids it was given.

use super::fast_pattern::strength;
use super::gather::{self, pair_hash, word, Table, CASE, GRAM_BYTES, PAIR_BITS};
use std::collections::HashSet;
use std::sync::LazyLock;

/// Of a literal that is shorter than a gram.
const PAIR_BYTES: usize = 2;

/// More literals are not looked for.
const LITERALS_MAX: usize = u16::MAX as usize - 1;

/// (id, bytes, whatever the case)
type Literal = (u32, Box<[u8]>, bool);

/// A set of literals.
pub struct Grams {
    known: Known,
    /// Entries of bucket n: entries[starts[n]..starts[n + 1]]; there is a power of two of buckets.
    starts: Box<[u32]>,
    bucket_shift: u32,
    entries: Box<[Entry]>,
    literals: Box<[Literal]>,
    /// Some literal was left out, as it is a single byte, which would be looked for nearly everywhere.
    pub lacks_some: bool,
}

/// The grams that some literal has. The sizes are so that small sets, which many kinds of packets have of their own, leave the
/// fastest cache to others.
enum Known {
    Small(Box<Table<SMALL>>),
    Medium(Box<Table<MEDIUM>>),
    Large(Box<Table<LARGE>>),
}

const SMALL: usize = 1 << 7;
const MEDIUM: usize = 1 << 10;
const LARGE: usize = 1 << 12;

/// One bit in so many is set at most (but in the largest).
const SPARSE: usize = 64;

/// A literal behind its key.
struct Entry {
    /// The bytes that are looked up, the first of them lowest.
    key: u32,
    /// The bits of `key` that count: shorter literals have fewer.
    mask: u32,
    /// Where in the literal the key stands.
    at: u32,
    /// Index in `literals`.
    literal: u32,
}

impl Grams {
    pub fn build(mut literals: Vec<Literal>) -> Grams {
        let all = literals.len();
        literals.retain(|(_, bytes, _)| bytes.len() >= PAIR_BYTES);
        literals.truncate(LITERALS_MAX);
        let lacks_some = literals.len() < all;
        let mut entries: Vec<Entry> = (0u32..)
            .zip(&literals)
            .filter_map(|(literal, (_, bytes, _))| Entry::of(bytes, literal))
            .collect();
        let bits = entries.len().max(2).next_power_of_two().trailing_zeros();
        let bucket_shift = PAIR_BITS.saturating_sub(bits);
        let bucket = |entry: &Entry| pair_hash(entry.key) >> bucket_shift;
        entries.sort_by_key(|entry| (bucket(entry), entry.literal));
        let starts = (0..=1u32 << bits.min(PAIR_BITS))
            .map(|end| entries.partition_point(|entry| bucket(entry) < end))
            .map(|start| u32::try_from(start).unwrap_or(u32::MAX))
            .collect();
        let known = Known::of(&entries);
        Grams { known, starts, bucket_shift, entries: entries.into(), literals: literals.into(), lacks_some }
    }

    /// Appends what stands in `data` to `found`, as (id, end offset); one that stands there often may come more than once.
    #[inline]
    pub fn find(&self, data: &[u8], found: &mut Vec<(u32, u32)>) {
        match &self.known {
            Known::Small(known) => self.each(data, known, found),
            Known::Medium(known) => self.each(data, known, found),
            Known::Large(known) => self.each(data, known, found),
        }
    }

    #[inline]
    fn each<const N: usize>(&self, data: &[u8], known: &Table<N>, found: &mut Vec<(u32, u32)>) {
        gather::each(known, data, |gram, at| self.compare(gram, data, at, found));
    }

    /// Compares the literals that may stand where `data` has `gram` at `at`.
    fn compare(&self, gram: u32, data: &[u8], at: usize, found: &mut Vec<(u32, u32)>) {
        for entry in self.bucket(gram) {
            let Some((id, literal, nocase)) = self.literals.get(entry.literal as usize) else { continue };
            let Some(start) = at.checked_sub(entry.at as usize) else { continue };
            let end = start.saturating_add(literal.len());
            let Some(bytes) = data.get(start..end) else { continue };
            let stands = if *nocase { bytes.eq_ignore_ascii_case(literal) } else { *bytes == **literal };
            // A run of one byte finds the same literal at every position.
            if stands && found.last().is_none_or(|(last, _)| last != id) {
                found.push((*id, u32::try_from(end).unwrap_or(u32::MAX)));
            }
        }
    }

    #[inline]
    fn bucket(&self, gram: u32) -> impl Iterator<Item = &Entry> {
        let bucket = (pair_hash(gram) >> self.bucket_shift) as usize;
        let (from, to) = match self.starts.get(bucket..bucket.saturating_add(2)) {
            Some([from, to]) => (*from as usize, *to as usize),
            _ => (0, 0),
        };
        let entries = self.entries.get(from..to).unwrap_or_default();
        entries.iter().filter(move |entry| gram & entry.mask == entry.key)
    }
}

impl Entry {
    /// None: the literal is a single byte.
    fn of(bytes: &[u8], literal: u32) -> Option<Entry> {
        let of = |length, mask| rarest(bytes, length).map(|(at, key)| Entry { key, mask, at, literal });
        of(GRAM_BYTES, u32::MAX).or_else(|| of(PAIR_BYTES, 0xffff))
    }

    /// What it sets in its word: all, when the literal is shorter than a gram, as any bytes may follow it.
    fn bits(&self) -> u32 {
        if self.mask == u32::MAX {
            gather::bits(self.key)
        } else {
            u32::MAX
        }
    }
}

impl Known {
    fn of(entries: &[Entry]) -> Known {
        let bits: usize = entries.iter().map(|entry| entry.bits().count_ones() as usize).sum();
        let words = bits.saturating_mul(SPARSE).div_ceil(u32::BITS as usize);
        if words <= SMALL {
            Known::Small(bits_of(entries))
        } else if words <= MEDIUM {
            Known::Medium(bits_of(entries))
        } else {
            Known::Large(bits_of(entries))
        }
    }
}

fn bits_of<const N: usize>(entries: &[Entry]) -> Box<Table<N>> {
    let mut known = Box::new([0; N]);
    for entry in entries {
        known.get_mut(word::<N>(entry.key)).into_iter().for_each(|word| *word |= entry.bits());
    }
    known
}

/// The bytes of a literal that are in the least data, folded, and where they stand; None: it is shorter.
fn rarest(literal: &[u8], length: usize) -> Option<(u32, u32)> {
    let keys = literal.windows(length).map(|bytes| (key(bytes), strength(bytes)));
    // The last of equals: literals of one kind begin alike.
    let (at, (key, _)) =
        keys.enumerate().max_by_key(|(_, (key, strength))| (!COMMON.contains(key), *strength))?;
    Some((u32::try_from(at).ok()?, key))
}

fn key(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |key, byte| key << 8 | u32::from(byte | CASE))
}

/// What much of the traffic holds, folded.
const COMMON_TEXT: &[u8] = b"http/1.1 200 ok\r\nhost: www.com\r\nuser-agent: mozilla/5.0 (windows nt 10.0; win64; x64) \
    applewebkit/537.36 (khtml, like gecko) chrome safari/537.36\r\naccept: text/html,application/xhtml+xml\r\n\
    accept-encoding: gzip, deflate\r\naccept-language: en-us\r\nconnection: keep-alive\r\ncontent-type: text/html; \
    charset=utf-8\r\ncontent-length: 10\r\ncache-control: no-cache\r\nserver: apache\r\ndate: gmt\r\nlast-modified: \
    expires: set-cookie: referer: http:// https:// <html><head><title></title></head><body></body></html>\
    get / post / .com .net .org name= value= \0\0\0\0\0\x01\0\0\0\xff\xff\xff\xff aaaaaa";

/// The grams of `COMMON_TEXT`.
static COMMON: LazyLock<HashSet<u32>> = LazyLock::new(|| COMMON_TEXT.windows(GRAM_BYTES).map(key).collect());

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn found(literals: &[(Vec<u8>, bool)], data: &[u8]) -> BTreeSet<u32> {
        let made = (0u32..)
            .zip(literals)
            .map(|(id, (bytes, nocase))| (id, bytes.as_slice().into(), *nocase))
            .collect();
        let mut hits = Vec::new();
        Grams::build(made).find(data, &mut hits);
        for (id, end) in &hits {
            let (literal, nocase) = &literals[*id as usize];
            let here = &data[*end as usize - literal.len()..*end as usize];
            assert!(if *nocase { here.eq_ignore_ascii_case(literal) } else { here == literal });
        }
        hits.into_iter().map(|(id, _)| id).collect()
    }

    #[test]
    fn finds_literals_of_every_length_at_every_place() {
        for length in 2..20usize {
            for behind in 0..20usize {
                for before in 0..10usize {
                    let literal: Vec<u8> = (0..length).map(|n| b'a' + n as u8).collect();
                    let data = [vec![b'.'; before], literal.clone(), vec![b'.'; behind]].concat();
                    let known = found(&[(literal, false)], &data);
                    assert_eq!(
                        known,
                        BTreeSet::from([0]),
                        "{length} bytes, {before} before, {behind} behind"
                    );
                }
            }
        }
    }

    #[test]
    fn a_single_byte_is_left_out() {
        let grams = Grams::build(vec![(7, b"ab"[..].into(), false), (8, b"x"[..].into(), false)]);
        assert!(grams.lacks_some);
        let mut hits = Vec::new();
        grams.find(b"xabx", &mut hits);
        assert_eq!(hits, [(7, 3)]);
        assert!(!Grams::build(Vec::new()).lacks_some);
    }

    proptest! {
        #[test]
        fn agrees_with_comparing_all(
            literals in prop::collection::vec((prop::collection::vec(prop_oneof![0x40u8..0x44, 0x60u8..0x64, Just(0)], 2..9), any::<bool>()), 1..80),
            data in prop::collection::vec(prop_oneof![0x40u8..0x44, 0x60u8..0x64, Just(0)], 0..60),
        ) {
            let stands = |(literal, nocase): &(Vec<u8>, bool)| data.windows(literal.len()).any(|here| {
                if *nocase { here.eq_ignore_ascii_case(literal) } else { here == *literal }
            });
            let expected: BTreeSet<u32> = (0u32..).zip(&literals).filter(|(_, l)| stands(l)).map(|(id, _)| id).collect();
            prop_assert_eq!(found(&literals, &data), expected);
        }
    }
}
