//! From a port to the group of rules that name it, so that a payload meets only patterns of rules that can match it.

use super::rule::PortSet;
use std::collections::HashMap;

/// A port set that covers more ports than this is treated as `any` when rules are grouped (the header test still decides):
/// a negated list would otherwise be a member of nearly every group.
const WIDE_PORTS: u32 = 2048;

/// Whether the set is narrow enough to be worth a group of its own.
pub fn is_narrow(set: &PortSet) -> bool {
    set.0.as_ref().is_some_and(|ranges| {
        ranges
            .iter()
            .map(|(from, to)| u32::from(*to).saturating_sub(u32::from(*from)).saturating_add(1))
            .sum::<u32>()
            <= WIDE_PORTS
    })
}

/// Maps each port to a group; 0 = no group.
pub struct PortTable {
    group_of: Box<[u16]>,
    /// Members of group n + 1.
    pub groups: Vec<Vec<u32>>,
}

impl PortTable {
    /// `members`: (member, its ports). Ports with the same members share a group.
    pub fn build(members: &[(u32, &PortSet)]) -> Self {
        let mut by_port: Vec<Vec<u32>> = vec![Vec::new(); 65_536];
        for (member, set) in members {
            for (from, to) in set.0.iter().flatten() {
                for slot in by_port.iter_mut().take(usize::from(*to) + 1).skip(usize::from(*from)) {
                    slot.push(*member);
                }
            }
        }
        let mut known: HashMap<Vec<u32>, u16> = HashMap::new();
        let mut groups = Vec::new();
        let group_of = by_port
            .into_iter()
            .map(|mut list| {
                if list.is_empty() {
                    return 0;
                }
                list.dedup();
                *known.entry(list).or_insert_with_key(|list| {
                    groups.push(list.clone());
                    u16::try_from(groups.len()).unwrap_or(u16::MAX)
                })
            })
            .collect();
        PortTable { group_of, groups }
    }

    /// Index into `groups` for a port.
    #[inline]
    pub fn group(&self, port: u16) -> Option<usize> {
        self.group_of.get(usize::from(port)).and_then(|g| usize::from(*g).checked_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_with_equal_members_share_a_group() {
        let a = PortSet(Some(vec![(80, 81), (8080, 8080)]));
        let b = PortSet(Some(vec![(80, 80)]));
        let table = PortTable::build(&[(1, &a), (2, &b)]);
        assert_eq!(table.groups, [vec![1, 2], vec![1]]);
        assert_eq!(table.group(80), Some(0));
        assert_eq!(table.group(81), table.group(8080));
        assert_eq!(table.group(82), None);
        assert!(
            is_narrow(&a)
                && !is_narrow(&PortSet(Some(vec![(0, 79), (81, 65535)])))
                && !is_narrow(&PortSet(None))
        );
    }
}
