//! The patterns of rules over packets or streams, and which of them a packet's port leaves out.

use super::databases::Databases;
use super::endpoints::{Arrow, PortSet};
use super::fast_pattern::strength;
use super::ports::{is_narrow, PortTable};
use super::prefilter::{Prefilter, PrefilterBuilder};
use super::rule::{FastPattern, Rule};
use crate::direction::Dir;
use std::collections::HashMap;

/// The pattern by which a group finds a rule.
pub type Lead<'r, 'l> = &'l dyn Fn(&'r Rule) -> Option<&'r FastPattern>;

/// What is as strong as about four letters says enough without the port.
const ANY_PORT_MIN_STRENGTH: u32 = 14;

/// Fast patterns over one kind of bytes: those of rules for any port, and those that only packets of this port are worth.
#[derive(Default)]
pub struct PatternGroups {
    pub any: Option<Prefilter>,
    pub by_port: Option<(PortTable, Vec<Prefilter>)>,
}

impl PatternGroups {
    pub fn build<'r>(
        rules: &[&'r Rule],
        dir: Dir,
        lead: Lead<'r, '_>,
        databases: &Databases,
    ) -> PatternGroups {
        let of_rule = |rule: &&'r Rule| Some((rule.number, lead(rule)?, narrow_ports(rule, dir)));
        let led: Vec<(u32, &FastPattern, Option<PortSet>)> = rules.iter().filter_map(of_rule).collect();
        // One search for what may stand anywhere takes less than another one for this port's. Unless the patterns of ports are
        // the most, and all packets would pay for them; or are weak, and would be found in what comes from any port.
        let is_searched =
            |lead: &FastPattern| !lead.is_anchored() && strength(&lead.bytes) >= ANY_PORT_MIN_STRENGTH;
        let searched = || led.iter().filter(|(_, lead, _)| is_searched(lead));
        let of_ports = searched().filter(|(_, _, ports)| ports.is_some()).count();
        let as_one = of_ports <= searched().count() / 2;
        let mut any = PrefilterBuilder::default();
        let mut narrow: Vec<(u32, &PortSet)> = Vec::new();
        let mut by_number: HashMap<u32, &FastPattern> = HashMap::new();
        for (number, lead, ports) in &led {
            match ports.as_ref().filter(|_| !(as_one && is_searched(lead))) {
                Some(ports) => {
                    narrow.push((*number, ports));
                    by_number.insert(*number, lead);
                }
                None => any.add(lead, *number),
            }
        }
        let any = if any.is_empty() { None } else { Some(any.build(databases)) };
        if narrow.is_empty() {
            return PatternGroups { any, by_port: None };
        }
        let table = PortTable::build(&narrow);
        let mut prefilters = Vec::with_capacity(table.groups.len());
        for group in &table.groups {
            let mut builder = PrefilterBuilder::default();
            for number in group {
                by_number.get(number).into_iter().for_each(|lead| builder.add(lead, *number));
            }
            prefilters.push(builder.build(databases));
        }
        PatternGroups { any, by_port: Some((table, prefilters)) }
    }

    /// The prefilters that apply to a server port.
    #[inline]
    pub fn for_port(&self, port: u16) -> impl Iterator<Item = &Prefilter> {
        let special = self.by_port.as_ref().and_then(|(table, list)| list.get(table.group(port)?));
        self.any.iter().chain(special)
    }

    pub fn prefilters(&self) -> impl Iterator<Item = &Prefilter> {
        self.any.iter().chain(self.by_port.iter().flat_map(|(_, list)| list))
    }
}

/// The rule's port set on the server's side of this direction, when it is worth grouping by.
pub fn narrow_ports(rule: &Rule, dir: Dir) -> Option<PortSet> {
    let set = match dir {
        Dir::ToServer => &rule.dst_ports,
        Dir::ToClient => &rule.src_ports,
    };
    (rule.arrow == Arrow::Right && is_narrow(set)).then(|| set.clone())
}
