//! From a port to the group of rules that name it, so that a payload meets only patterns of rules that can match it.

use super::endpoints::PortSet;
use std::collections::{BTreeMap, HashMap};

const PORTS: usize = 1 << 16;

/// Ports of a page: most pages name no group, and those are one, so that what packets look up stays in the cache.
const PAGE: usize = 64;

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
    /// Which page of `group_of` each `PAGE` ports have.
    pages: Box<[u16]>,
    group_of: Vec<u16>,
    /// Members of group n + 1.
    pub groups: Vec<Vec<u32>>,
}

impl PortTable {
    /// `members`: (member, its ports). Ports with the same members share a group.
    pub fn build(members: &[(u32, &PortSet)]) -> Self {
        // Where members begin and end, in the order of the ports: between two such places the members are the same.
        let mut edges: Vec<(u32, bool, usize)> = Vec::new();
        for (at, (_, set)) in members.iter().enumerate() {
            for (from, to) in set.0.iter().flatten() {
                edges.push((u32::from(*from), true, at));
                edges.push((u32::from(*to).saturating_add(1), false, at));
            }
        }
        edges.sort_unstable();
        let mut known: HashMap<Vec<u32>, u16> = HashMap::new();
        let mut groups = Vec::new();
        let mut group_of = vec![0; PORTS];
        // By place in `members`, whose order the groups keep; a member with two ranges here is open twice.
        let mut open: BTreeMap<usize, u32> = BTreeMap::new();
        let mut edges = edges.into_iter().peekable();
        while let Some((port, opens, at)) = edges.next() {
            let count = open.entry(at).or_default();
            *count = if opens { count.saturating_add(1) } else { count.saturating_sub(1) };
            if *count == 0 {
                open.remove(&at);
            }
            let Some((next, ..)) = edges.peek().filter(|(next, ..)| *next != port) else { continue };
            if open.is_empty() {
                continue;
            }
            let mut list: Vec<u32> = open.keys().filter_map(|at| Some(members.get(*at)?.0)).collect();
            list.dedup();
            let group = *known.entry(list).or_insert_with_key(|list| {
                groups.push(list.clone());
                u16::try_from(groups.len()).unwrap_or(u16::MAX)
            });
            if let Some(slots) = group_of.get_mut(port as usize..*next as usize) {
                slots.fill(group);
            }
        }
        let mut table = PortTable { pages: Box::default(), group_of: vec![0; PAGE], groups };
        let place = |page: &[u16]| match page.iter().all(|group| *group == 0) {
            true => 0,
            false => {
                let at = table.group_of.len();
                table.group_of.extend_from_slice(page);
                at.wrapping_div(PAGE) as u16
            }
        };
        table.pages = group_of.chunks(PAGE).map(place).collect();
        table
    }

    /// Index into `groups` for a port.
    #[inline]
    pub fn group(&self, port: u16) -> Option<usize> {
        let (page, within) = (usize::from(port) / PAGE, usize::from(port) % PAGE);
        let page = usize::from(*self.pages.get(page)?);
        self.group_of
            .get(page.saturating_mul(PAGE).saturating_add(within))
            .and_then(|g| usize::from(*g).checked_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_ports_group_has_the_members_that_name_it(
            sets in proptest::collection::vec(proptest::collection::vec((0u16..40, 0u16..6), 1..4), 0..6),
            high: bool,
        ) {
            let base = if high { u16::MAX - 45 } else { 0 };
            let range = |(from, more): &(u16, u16)| (base + from, base + from + more);
            let sets: Vec<PortSet> =
                sets.iter().map(|set| PortSet(Some(set.iter().map(range).collect()))).collect();
            let members: Vec<(u32, &PortSet)> = (100u32..).zip(&sets).collect();
            let table = PortTable::build(&members);
            for port in (0..50).chain(u16::MAX - 50..=u16::MAX) {
                let named: Vec<u32> =
                    members.iter().filter(|(_, set)| any_range(set, port)).map(|(member, _)| *member).collect();
                let found = table.group(port).map_or(&[][..], |group| &table.groups[group]);
                prop_assert_eq!(found, named, "port {}", port);
            }
        }
    }

    /// The ranges may overlap here.
    fn any_range(set: &PortSet, port: u16) -> bool {
        set.0.iter().flatten().any(|(from, to)| (*from..=*to).contains(&port))
    }

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
