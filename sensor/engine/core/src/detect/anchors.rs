//! Literals that can stand at one place only: their first bytes are looked up there, which costs a few cycles where a search
//! would cost hundreds. Knows no rules; answers with the ids it was given.

/// Most places looked at in one piece of data: beyond it a search is cheaper.
const PROBES_MAX: usize = 8;

/// Bytes of a literal that are looked up at once; what is longer is compared when they agree.
const KEY_BYTES: usize = 8;

const WORD_BITS: usize = u64::BITS as usize;

/// Bits of `Probe::known` for each literal.
const KNOWN_BITS: usize = 8;

/// A literal that stands at `at`.
pub struct Anchored {
    pub at: u32,
    pub bytes: Box<[u8]>,
    pub nocase: bool,
    pub id: u32,
}

impl Anchored {
    /// Where it stands, and how many of its bytes are looked up: a power of two, so that few places have several lengths.
    fn place(&self) -> (u32, usize) {
        (self.at, 1 << self.bytes.len().clamp(1, KEY_BYTES).ilog2())
    }

    fn equals(&self, data: &[u8]) -> bool {
        if self.nocase {
            data.eq_ignore_ascii_case(&self.bytes)
        } else {
            *data == *self.bytes
        }
    }
}

/// The literals of one place whose keys have one length.
struct Probe {
    at: u32,
    key_bytes: u32,
    /// The bits of eight bytes that are in a key.
    key_mask: u64,
    /// A bit for each hash that some key has, of a power of two: most data is told by it from all literals, without a look
    /// at what lies elsewhere in memory.
    known: Box<[u64]>,
    known_shift: u32,
    shift: u32,
    /// Literals of bucket n: literals[starts[n]..starts[n + 1]], each with its key.
    starts: Box<[u32]>,
    literals: Box<[(u64, Anchored)]>,
}

/// All anchored literals of a prefilter.
#[derive(Default)]
pub struct Anchors {
    probes: Box<[Probe]>,
    /// No literal begins at this offset or behind.
    end: u64,
}

impl Anchors {
    /// Takes the literals of the busiest places; gives back the others, which are to be searched for.
    pub fn build(literals: Vec<Anchored>) -> (Anchors, Vec<Anchored>) {
        let mut places: Vec<(u32, usize)> = literals.iter().map(Anchored::place).collect();
        places.sort_unstable();
        let mut counted: Vec<(usize, (u32, usize))> =
            places.chunk_by(|a, b| a == b).filter_map(|same| Some((same.len(), *same.first()?))).collect();
        counted.sort_unstable_by_key(|(count, place)| (std::cmp::Reverse(*count), *place));
        counted.truncate(PROBES_MAX);
        let (mut kept, mut rest): (Vec<Vec<Anchored>>, Vec<Anchored>) = (Vec::new(), Vec::new());
        kept.resize_with(counted.len(), Vec::new);
        for literal in literals {
            let slot = counted.iter().position(|(_, place)| *place == literal.place());
            match slot.and_then(|slot| kept.get_mut(slot)) {
                Some(same) => same.push(literal),
                None => rest.push(literal),
            }
        }
        let probes: Box<[Probe]> = kept.into_iter().filter_map(Probe::build).collect();
        let end = probes.iter().map(|probe| u64::from(probe.at).saturating_add(1)).max().unwrap_or(0);
        (Anchors { probes, end }, rest)
    }

    /// Calls `found` with the id of each literal that stands at its place. data[0] stands at `offset` of the whole buffer.
    #[inline]
    pub fn find(&self, data: &[u8], offset: u64, mut found: impl FnMut(u32)) {
        if offset >= self.end {
            return;
        }
        let skipped = u32::try_from(offset).unwrap_or(u32::MAX);
        for probe in &self.probes {
            let Some(here) = probe.at.checked_sub(skipped).and_then(|at| data.get(at as usize..)) else {
                continue;
            };
            if here.len() < probe.key_bytes as usize {
                continue;
            }
            let key = key(here, probe.key_mask);
            for (_, literal) in probe.bucket(key).iter().filter(|(own, _)| *own == key) {
                if here.get(..literal.bytes.len()).is_some_and(|bytes| literal.equals(bytes)) {
                    found(literal.id);
                }
            }
        }
    }
}

impl Probe {
    fn build(literals: Vec<Anchored>) -> Option<Probe> {
        let (at, key_bytes) = literals.first()?.place();
        let (shift, buckets) = sized(literals.len().saturating_mul(2));
        let (known_shift, known_bits) = sized(literals.len().saturating_mul(KNOWN_BITS).max(WORD_BITS));
        let unused = KEY_BYTES.saturating_sub(key_bytes).saturating_mul(8);
        let key_mask = u64::MAX.checked_shr(u32::try_from(unused).ok()?)?;
        let mut keyed: Vec<(u64, Anchored)> =
            literals.into_iter().map(|literal| (key(&literal.bytes, key_mask), literal)).collect();
        keyed.sort_by_key(|(key, literal)| (hash(*key, shift), literal.id));
        let starts = (0..=buckets)
            .map(|bucket| keyed.partition_point(|(key, _)| hash(*key, shift) < bucket))
            .map(|start| u32::try_from(start).unwrap_or(u32::MAX))
            .collect();
        let mut known = vec![0u64; known_bits / WORD_BITS];
        for (key, _) in &keyed {
            let bit = hash(*key, known_shift);
            known.get_mut(bit / WORD_BITS).into_iter().for_each(|word| *word |= 1 << (bit % WORD_BITS));
        }
        let key_bytes = u32::try_from(key_bytes).ok()?;
        let (known, literals) = (known.into(), keyed.into());
        Some(Probe { at, key_bytes, key_mask, known, known_shift, shift, starts, literals })
    }

    #[inline]
    fn bucket(&self, key: u64) -> &[(u64, Anchored)] {
        let bit = hash(key, self.known_shift);
        if self.known.get(bit / WORD_BITS).is_none_or(|word| word >> (bit % WORD_BITS) & 1 == 0) {
            return &[];
        }
        let bucket = hash(key, self.shift);
        match self.starts.get(bucket..bucket.saturating_add(2)) {
            Some([from, to]) if from < to => {
                self.literals.get(*from as usize..*to as usize).unwrap_or_default()
            }
            _ => &[],
        }
    }
}

/// The first bytes of a literal or of data, case and its like ignored: what differs in more is told apart by comparing.
#[inline]
fn key(bytes: &[u8], mask: u64) -> u64 {
    const CASE: u64 = 0x2020_2020_2020_2020;
    let eight = match bytes.first_chunk::<KEY_BYTES>() {
        Some(eight) => u64::from_le_bytes(*eight),
        None => bytes.iter().rev().fold(0, |key, byte| key << 8 | u64::from(*byte)),
    };
    (eight | CASE) & mask
}

/// The shift of a hash that leaves at least so many values, two at the least, and how many they are.
fn sized(values: usize) -> (u32, usize) {
    let values = values.max(2).next_power_of_two();
    (u64::BITS.saturating_sub(values.trailing_zeros()), values)
}

#[inline]
fn hash(key: u64, shift: u32) -> usize {
    // The upper bits of a product with an odd constant (the golden ratio's) depend on all of the key.
    key.wrapping_mul(0x9e37_79b9_7f4a_7c15).checked_shr(shift).unwrap_or(0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn anchored(at: u32, bytes: &[u8], nocase: bool, id: u32) -> Anchored {
        Anchored { at, bytes: bytes.into(), nocase, id }
    }

    fn found(anchors: &Anchors, data: &[u8], offset: u64) -> Vec<u32> {
        let mut ids = Vec::new();
        anchors.find(data, offset, |id| ids.push(id));
        ids.sort_unstable();
        ids
    }

    #[test]
    fn stands_at_its_place_only() {
        let (anchors, rest) = Anchors::build(vec![
            anchored(0, b"GET ", false, 1),
            anchored(0, b"get ", true, 2),
            anchored(4, b"\xffSMB", false, 3),
            anchored(0, b"long literal", false, 4),
        ]);
        assert!(rest.is_empty());
        assert_eq!(found(&anchors, b"GET /", 0), [1, 2]);
        assert_eq!(found(&anchors, b"get /", 0), [2]);
        assert_eq!(found(&anchors, b"xGET /", 0), [0u32; 0]);
        assert_eq!(found(&anchors, b"long literal", 0), [4]);
        assert_eq!(found(&anchors, b"long literax", 0), [0u32; 0]);
        assert_eq!(found(&anchors, b"....\xffSMB", 0), [3]);
        assert_eq!(found(&anchors, b"..\xffSMB", 2), [3], "behind the start of the buffer");
        assert_eq!(found(&anchors, b"\xffSM", 4), [0u32; 0]);
        assert_eq!(found(&Anchors::default(), b"GET ", 0), [0u32; 0]);
    }

    #[test]
    fn rare_places_are_given_back() {
        let many = (0..40u32).map(|at| anchored(at, b"ab", false, at)).collect();
        let (_, rest) = Anchors::build(many);
        assert_eq!(rest.len(), 40 - PROBES_MAX);
    }

    proptest! {
        #[test]
        fn agrees_with_comparing_all(
            literals in prop::collection::vec((0u32..4, prop::collection::vec(0x40u8..0x48, 1..11), any::<bool>()), 0..60),
            data in prop::collection::vec(prop_oneof![0x40u8..0x48, 0x60u8..0x68], 0..16),
            offset in 0u64..5,
        ) {
            let made = || literals.iter().enumerate().map(|(id, (at, bytes, nocase))| anchored(*at, bytes, *nocase, id as u32));
            let (anchors, rest) = Anchors::build(made().collect());
            let mut ids = found(&anchors, &data, offset);
            let whole = [vec![0u8; offset as usize], data.clone()].concat();
            let stands = |l: &Anchored| u64::from(l.at) >= offset
                && whole.get(l.at as usize..l.at as usize + l.bytes.len()).is_some_and(|bytes| l.equals(bytes));
            ids.extend(rest.iter().filter(|l| stands(l)).map(|l| l.id));
            ids.sort_unstable();
            let expected: Vec<u32> = made().filter(stands).map(|l| l.id).collect();
            prop_assert_eq!(ids, expected);
        }
    }
}
