//! Literals searched for in small data without Hyperscan, whose tables are too large to stay in the cache between the small
//! payloads that most packets carry. The four bytes at every position are looked up in a table; where it says so, the
//! literals that have them are compared. Knows no rules; answers with the ids it was given.

use super::fast_pattern::strength;
use super::gather::{self, hash, pair_hash, word, Table, GRAM_BYTES, PAIR_BITS};
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
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
    whole: Buckets,
    /// Those of which fewer than four bytes are known.
    parts: Buckets,
    literals: Box<[Literal]>,
    /// Some literal was left out, as it is a single byte, which would be looked for nearly everywhere.
    pub lacks_some: bool,
}

/// Entries by the upper bits of a hash of theirs.
struct Buckets {
    /// Entries of bucket n: entries[starts[n]..starts[n + 1]]; there is a power of two of buckets.
    starts: Box<[u32]>,
    shift: u32,
    entries: Box<[Entry]>,
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
        let shared = Shared::of(&literals);
        let entries: Vec<Entry> = (0u32..)
            .zip(&literals)
            .filter_map(|(literal, (_, bytes, _))| Entry::of(bytes, literal, &shared))
            .collect();
        let known = Known::of(&entries);
        let (whole, parts) = entries.into_iter().partition(|entry| entry.mask == u32::MAX);
        let whole = Buckets::of(whole, |entry| hash(entry.key));
        let parts = Buckets::of(parts, |entry| pair_hash(entry.key));
        Grams { known, whole, parts, literals: literals.into(), lacks_some }
    }

    /// Appends what stands in `data` to `found`, as (id, end offset); one that stands there often may come more than once.
    #[inline]
    pub fn find(&self, data: &[u8], found: &mut Vec<(u32, u32)>) {
        if self.literals.is_empty() {
            return;
        }
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
        let entries = self.whole.of_hash(hash(gram)).iter().chain(self.parts.of_hash(pair_hash(gram)));
        for entry in entries.filter(|entry| gram & entry.mask == entry.key) {
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
}

impl Buckets {
    fn of(mut entries: Vec<Entry>, hash: impl Fn(&Entry) -> u32) -> Buckets {
        let bits = entries.len().max(2).next_power_of_two().trailing_zeros().min(PAIR_BITS);
        let shift = u32::BITS.saturating_sub(bits);
        let bucket = |entry: &Entry| hash(entry) >> shift;
        entries.sort_by_key(|entry| (bucket(entry), entry.literal));
        let starts = (0..=1u32 << bits)
            .map(|end| entries.partition_point(|entry| bucket(entry) < end))
            .map(|start| u32::try_from(start).unwrap_or(u32::MAX))
            .collect();
        Buckets { starts, shift, entries: entries.into() }
    }

    #[inline]
    fn of_hash(&self, hash: u32) -> &[Entry] {
        if self.entries.is_empty() {
            return &[];
        }
        let bucket = (hash >> self.shift) as usize;
        let Some([from, to]) = self.starts.get(bucket..bucket.saturating_add(2)) else { return &[] };
        self.entries.get(*from as usize..*to as usize).unwrap_or_default()
    }
}

/// How often the literals of the set have a gram: one that many have leads to all of them, and is likely to be common elsewhere.
struct Shared(HashMap<u32, u32, ahash::RandomState>);

impl Shared {
    fn of(literals: &[Literal]) -> Shared {
        let mut counts = HashMap::default();
        for gram in literals.iter().flat_map(|(_, bytes, _)| bytes.windows(GRAM_BYTES).map(key)) {
            let count = counts.entry(gram).or_insert(0u32);
            *count = count.saturating_add(1);
        }
        Shared(counts)
    }

    /// By twos and powers of it.
    fn times(&self, gram: u32) -> u32 {
        self.0.get(&gram).copied().unwrap_or(1).ilog2()
    }
}

impl Entry {
    /// None: the literal is a single byte.
    fn of(bytes: &[u8], literal: u32, shared: &Shared) -> Option<Entry> {
        let length = bytes.len().min(GRAM_BYTES);
        let (at, key) = rarest(bytes, length, shared).filter(|_| length >= PAIR_BYTES)?;
        Some(Entry { key, mask: known_bits(length), at, literal })
    }

    /// What it sets in its word.
    fn bits(&self) -> u32 {
        gather::bits(self.key, (self.mask.count_ones() / u8::BITS) as usize)
    }
}

/// The bits of so many bytes of a gram.
fn known_bits(length: usize) -> u32 {
    let unknown = GRAM_BYTES.saturating_sub(length).saturating_mul(8);
    u32::MAX.checked_shr(unknown as u32).unwrap_or(0)
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

/// The bytes of a literal that are in the least data, in lower case, and where they stand; None: it is shorter.
fn rarest(literal: &[u8], length: usize, shared: &Shared) -> Option<(u32, u32)> {
    let keys = literal.windows(length).map(|bytes| (key(bytes), strength(bytes)));
    // The last of equals: literals of one kind begin alike.
    let (at, (key, _)) = keys
        .enumerate()
        .max_by_key(|(_, (key, strength))| (!COMMON.contains(key), Reverse(shared.times(*key)), *strength))?;
    Some((u32::try_from(at).ok()?, key))
}

fn key(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |key, byte| key << 8 | u32::from(byte.to_ascii_lowercase()))
}

/// What much of the traffic holds, in lower case.
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
