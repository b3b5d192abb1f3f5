//! What leads to rules in single packets: what must stand at one place, which is looked up cheaply, unless many rules have that
//! in common.

use super::class::Class;
use super::fast_pattern::is_telling;
use super::rule::{Bounds, FastPattern, Rule};
use crate::direction::Dir;
use std::collections::HashMap;

/// More rules than this are not led by the same bytes at the same place: those belong to the protocol.
const SAME_PLACE_MAX: usize = 2;

/// How many rules about a class of packets in a direction have the same bytes at the same place.
pub struct Places<'r>(HashMap<(Class, Dir, Bounds, &'r [u8]), usize, ahash::RandomState>);

impl<'r> Places<'r> {
    pub fn of(rules: &'r [Rule]) -> Places<'r> {
        let mut places = Places(HashMap::default());
        for rule in rules.iter().filter(|rule| rule.payload.is_some()) {
            let Some(lead) = rule.packet_lead().filter(|lead| lead.buffer.is_none()) else { continue };
            for (class, dir) in groups(rule) {
                let count = places.0.entry((class, dir, lead.bounds, &lead.bytes)).or_default();
                *count = count.saturating_add(1);
            }
        }
        places
    }

    /// The pattern that leads to the rule there. What many rules have at one place tells none from another: those are led by
    /// what sets them apart, if that is not weak.
    pub fn lead<'a>(&self, rule: &'a Rule, class: Class, dir: Dir) -> Option<&'a FastPattern> {
        let lead = rule.packet_lead()?;
        let count = self.0.get(&(class, dir, lead.bounds, lead.bytes.as_slice()));
        let is_common = count.is_some_and(|count| *count > SAME_PLACE_MAX);
        let own = rule.fast_pattern.as_ref().filter(|own| is_common && is_telling(&own.bytes));
        Some(own.unwrap_or(lead))
    }

    /// What leads to the rule in packets in place of its own pattern, in some group at least.
    pub fn placed<'a>(&self, rule: &'a Rule) -> Option<&'a FastPattern> {
        let is_own =
            |lead: &FastPattern| rule.fast_pattern.as_ref().is_some_and(|own| std::ptr::eq(own, lead));
        let mut leads = groups(rule).filter_map(|(class, dir)| self.lead(rule, class, dir));
        leads.find(|lead| !is_own(lead))
    }
}

/// The groups that a rule is in.
fn groups(rule: &Rule) -> impl Iterator<Item = (Class, Dir)> + '_ {
    let pairs = Class::ALL.into_iter().flat_map(|class| Dir::BOTH.map(|dir| (class, dir)));
    pairs.filter(|(class, dir)| class.has(rule, *dir))
}
