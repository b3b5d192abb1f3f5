//! From an address to the rules whose header names it, for rules that are about addresses alone.

use super::endpoints::AddrSet;
use crate::decode::Addr;

/// Of an IPv4 address, the bits by which the search for its interval is narrowed.
const HEAD_BITS: u32 = 12;

/// Sorted elementary intervals, each with the rules that cover it.
#[derive(Default)]
pub struct AddressIndex {
    starts: Vec<u128>,
    /// How many intervals begin up to the first IPv4 address with each value of the head bits.
    heads: Vec<u32>,
    rules: Vec<Box<[u32]>>,
}

impl AddressIndex {
    /// `sets`: (rule, addresses); sets that are `any` are ignored (they belong in a plain list).
    pub fn build(sets: &[(u32, &AddrSet)]) -> Self {
        let mut edges: Vec<(u128, bool, u32)> = Vec::new();
        for (rule, set) in sets {
            for (from, to) in set.0.as_deref().into_iter().flatten() {
                edges.push((*from, true, *rule));
                if let Some(after) = to.checked_add(1) {
                    edges.push((after, false, *rule));
                }
            }
        }
        edges.sort_unstable();
        let mut index = AddressIndex::default();
        let mut open: std::collections::BTreeSet<u32> = std::collections::BTreeSet::new();
        let mut at = 0;
        while let Some(&(start, _, _)) = edges.get(at) {
            while let Some(&(edge, opens, rule)) = edges.get(at) {
                if edge != start {
                    break;
                }
                if opens {
                    open.insert(rule);
                } else {
                    open.remove(&rule);
                }
                at = at.saturating_add(1);
            }
            // A range that ends where the rule's next one begins sorts as close-then-open; both are applied above.
            index.starts.push(start);
            index.rules.push(open.iter().copied().collect());
        }
        index.heads = (0..=1u128 << HEAD_BITS)
            .map(|head| Addr::v4([0; 4]).0.saturating_add(head << (u32::BITS - HEAD_BITS)))
            .map(|first| u32::try_from(index.up_to(first)).unwrap_or(u32::MAX))
            .collect();
        index
    }

    /// How many intervals begin at or before `addr`.
    fn up_to(&self, addr: u128) -> usize {
        self.starts.partition_point(|start| *start <= addr)
    }

    #[inline]
    pub fn lookup(&self, addr: Addr) -> &[u32] {
        let head = (addr.0 as u32 >> (u32::BITS - HEAD_BITS)) as usize;
        let after = match self.heads.get(head..head.saturating_add(2)) {
            Some([from, to]) if addr.is_v4() => {
                let near = self.starts.get(*from as usize..*to as usize).unwrap_or_default();
                (*from as usize).saturating_add(near.partition_point(|start| *start <= addr.0))
            }
            _ => self.up_to(addr.0),
        };
        after.checked_sub(1).and_then(|at| self.rules.get(at)).map_or(&[], |r| r)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_a_linear_search_for_both_families(
            ranges in prop::collection::vec((any::<u32>(), 0u128..1 << 22, any::<bool>()), 0..40),
            probes in prop::collection::vec((any::<prop::sample::Index>(), -2i128..3), 1..40),
        ) {
            let sets: Vec<(u32, AddrSet)> = (0u32..)
                .zip(&ranges)
                .map(|(rule, (first, more, v6))| {
                    let family = if *v6 { 0x2001_0db8_u128 << 96 } else { Addr::v4([0; 4]).0 };
                    let from = family + u128::from(*first);
                    (rule, AddrSet(Some(vec![(from, from + more)].into())))
                })
                .collect();
            let refs: Vec<(u32, &AddrSet)> = sets.iter().map(|(n, s)| (*n, s)).collect();
            let index = AddressIndex::build(&refs);
            let edges: Vec<u128> =
                sets.iter().filter_map(|(_, s)| s.0.as_deref()?.first()).flat_map(|(a, b)| [*a, *b]).chain([0]).collect();
            for (edge, off) in &probes {
                let addr = edge.get(&edges).saturating_add_signed(*off);
                let expected: Vec<u32> =
                    sets.iter().filter(|(_, s)| s.contains(Addr(addr))).map(|(n, _)| *n).collect();
                prop_assert_eq!(index.lookup(Addr(addr)), expected, "at {:x}", addr);
            }
        }
    }

    #[test]
    fn agrees_with_a_linear_search() {
        let sets = [
            (1, AddrSet(Some(vec![(10, 20), (30, 40)].into()))),
            (2, AddrSet(Some(vec![(15, 35)].into()))),
            (3, AddrSet(Some(vec![(21, 29), (u128::MAX - 1, u128::MAX)].into()))),
        ];
        let refs: Vec<(u32, &AddrSet)> = sets.iter().map(|(n, s)| (*n, s)).collect();
        let index = AddressIndex::build(&refs);
        for addr in (0..50).chain([u128::MAX - 2, u128::MAX - 1, u128::MAX]) {
            let expected: Vec<u32> =
                sets.iter().filter(|(_, s)| s.contains(Addr(addr))).map(|(n, _)| *n).collect();
            assert_eq!(index.lookup(Addr(addr)), expected, "at {addr}");
        }
    }
}
