//! From an address to the rules whose header names it, for rules that are about addresses alone.

use super::rule::AddrSet;
use crate::decode::Addr;

/// Sorted elementary intervals, each with the rules that cover it.
#[derive(Default)]
pub struct AddressIndex {
    starts: Vec<u128>,
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
        index
    }

    #[inline]
    pub fn lookup(&self, addr: Addr) -> &[u32] {
        let after = self.starts.partition_point(|s| *s <= addr.0);
        after.checked_sub(1).and_then(|at| self.rules.get(at)).map_or(&[], |r| r)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
