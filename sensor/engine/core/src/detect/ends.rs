//! Which of a packet's ends are inside the network that the rules guard. Most rules are about what comes in, goes out or
//! stays inside, so packets meet only the groups of rules that such ends can match: nothing is searched for in vain.

use super::endpoints::{AddrSet, Arrow};
use super::rule::Rule;
use crate::decode::Packet;
use std::collections::HashMap;
use std::sync::Arc;

/// Inclusive.
type Addresses = (u128, u128);

/// Where source and destination are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    source_inside: bool,
    destination_inside: bool,
}

impl Ends {
    pub const COUNT: usize = 4;
    pub const ALL: [usize; Ends::COUNT] = [0, 1, 2, 3];

    /// Below `COUNT`.
    #[inline]
    pub fn number(self) -> usize {
        usize::from(self.source_inside) | usize::from(self.destination_inside) << 1
    }
}

/// Which ends a rule's header may match, a bit for each by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matching(u8);

/// Groups are compiled and held for each two ends: where more than so many of the four can match a rule on average, it
/// takes too much of both, and gains little.
const MATCHING_MAX: usize = 2;

impl Matching {
    const ALL: Matching = Matching(0b1111);

    pub fn has(self, number: usize) -> bool {
        self.0 >> number & 1 == 1
    }
}

/// The network that the rules guard: the addresses that most of them name, or take away (`$HOME_NET`, as a rule). Without any,
/// all is inside.
#[derive(Default)]
pub struct Guarded(AddrSet);

impl Guarded {
    pub fn by(rules: &[Rule]) -> Guarded {
        let mut named: HashMap<&[Addresses], usize, ahash::RandomState> = HashMap::default();
        let sets = rules.iter().flat_map(|rule| [&rule.src, &rule.dst]).filter_map(|set| set.0.as_deref());
        for set in sets {
            let count = named.entry(set).or_default();
            *count = count.saturating_add(1);
        }
        let mut counted: HashMap<Vec<Addresses>, usize> = HashMap::new();
        for (set, times) in named {
            // A set and what it leaves say the same; the one that does not begin with the first address stands for both.
            let is_turned = set.first().is_some_and(|(from, _)| *from == 0);
            let key = if is_turned { complement(set) } else { set.to_vec() };
            let count = counted.entry(key).or_default();
            *count = count.saturating_add(times);
        }
        let most = counted.into_iter().max_by(|(a, m), (b, n)| m.cmp(n).then_with(|| b.cmp(a)));
        Guarded(AddrSet(most.map(|(set, _)| Arc::from(set))))
    }

    #[inline]
    pub fn ends(&self, packet: &Packet<'_>) -> Ends {
        Ends { source_inside: self.0.contains(packet.src), destination_inside: self.0.contains(packet.dst) }
    }

    /// The ends that each rule is to be grouped for: those that it can match, or all where that is not worth it.
    pub fn matching(&self, rules: &[Rule]) -> Vec<Matching> {
        let matching: Vec<Matching> = rules.iter().map(|rule| self.possible(rule)).collect();
        let sum =
            matching.iter().fold(0, |sum: usize, ends| sum.saturating_add(ends.0.count_ones() as usize));
        if sum > rules.len().saturating_mul(MATCHING_MAX) {
            return vec![Matching::ALL; rules.len()];
        }
        matching
    }

    /// The ends that the rule's addresses leave possible.
    fn possible(&self, rule: &Rule) -> Matching {
        let (source, destination) = (self.sides(&rule.src), self.sides(&rule.dst));
        let is_possible = |number: usize, first: Sides, second: Sides| {
            let (source_inside, destination_inside) = (number & 1 == 1, number >> 1 == 1);
            first.has(source_inside) && second.has(destination_inside)
        };
        let is_turned = rule.arrow != Arrow::Right;
        let left = Ends::ALL.into_iter().filter(|number| {
            is_possible(*number, source, destination)
                || (is_turned && is_possible(*number, destination, source))
        });
        Matching(left.fold(0, |bits, number| bits | 1 << number))
    }

    fn sides(&self, set: &AddrSet) -> Sides {
        match (&set.0, &self.0 .0) {
            (Some(set), Some(inside)) => {
                Sides { outside: !is_within(set, inside), inside: overlap(set, inside) }
            }
            _ => Sides { outside: true, inside: true },
        }
    }
}

/// Whether some of a rule's addresses are outside, and inside.
#[derive(Clone, Copy)]
struct Sides {
    outside: bool,
    inside: bool,
}

impl Sides {
    fn has(self, inside: bool) -> bool {
        if inside {
            self.inside
        } else {
            self.outside
        }
    }
}

/// The addresses that a sorted set leaves.
fn complement(set: &[Addresses]) -> Vec<Addresses> {
    let mut left = Vec::with_capacity(set.len().saturating_add(1));
    let mut next = Some(0u128);
    for &(from, to) in set {
        match next.zip(from.checked_sub(1)) {
            Some((next, before)) if next <= before => left.push((next, before)),
            _ => {}
        }
        next = to.checked_add(1);
    }
    left.extend(next.map(|next| (next, u128::MAX)));
    left
}

fn overlap(one: &[Addresses], other: &[Addresses]) -> bool {
    one.iter().any(|(from, to)| {
        let at = other.partition_point(|(_, end)| end < from);
        other.get(at).is_some_and(|(start, _)| start <= to)
    })
}

fn is_within(one: &[Addresses], other: &[Addresses]) -> bool {
    one.iter().all(|(from, to)| {
        let at = other.partition_point(|(_, end)| end < from);
        other.get(at).is_some_and(|(start, end)| start <= from && to <= end)
    })
}

#[cfg(test)]
mod tests {
    use super::super::test_rules;
    use super::*;
    use crate::decode::packet::Addr;
    use crate::direction::Dir;
    use crate::time::Timestamp;
    use proptest::prelude::*;

    const HOME: &str = "[10.0.0.0/8,192.168.0.0/16]";

    fn rule(source: &str, arrow: &str, destination: &str) -> Rule {
        let text = format!("alert udp {source} any {arrow} {destination} any (content:\"abc\"; sid:1;)");
        test_rules::rule(&text).unwrap_or_else(|_| panic!("{text}"))
    }

    fn packet(source: Addr, destination: Addr) -> Packet<'static> {
        let mut packet = Packet::new(&[], Timestamp::default(), 1, 0, 101);
        (packet.ip_version, packet.l4) = (4, crate::decode::packet::L4::Udp);
        (packet.src, packet.dst) = (source, destination);
        packet
    }

    #[test]
    fn what_most_rules_name_or_take_away_is_guarded() {
        let out = format!("!{HOME}");
        let rules = [
            rule(HOME, "->", &out),
            rule(&out, "->", "any"),
            rule("172.16.0.0/12", "->", "any"),
            rule("172.16.0.0/12", "->", "172.16.0.0/12"),
        ];
        // Three times the one, half of them turned round; three times the other: the lesser address decides.
        let guarded = Guarded::by(&rules);
        assert_eq!(guarded.0, rules[0].src);
        assert_eq!(Guarded::by(&rules[2..]).0, rules[2].src);
        assert_eq!(Guarded::by(&[rule("any", "->", "any")]).0, AddrSet(None));
    }

    #[test]
    fn rules_are_for_the_ends_that_they_can_match() {
        let out = format!("!{HOME}");
        let home = Guarded(rule(HOME, "->", "any").src);
        let (inside, outside) = (Addr::v4([10, 1, 2, 3]), Addr::v4([8, 8, 8, 8]));
        let numbers = [(outside, outside), (inside, outside), (outside, inside), (inside, inside)]
            .map(|(source, destination)| home.ends(&packet(source, destination)).number());
        assert_eq!(numbers, [0, 1, 2, 3]);
        for (rule, bits) in [
            (rule("any", "->", "any"), 0b1111),
            (rule(HOME, "->", &out), 0b0010),
            (rule(&out, "->", HOME), 0b0100),
            (rule(HOME, "->", "any"), 0b1010),
            (rule(HOME, "<>", &out), 0b0110),
            (rule("10.2.0.0/16", "->", "10.3.0.1"), 0b1000),
            (rule("[10.2.0.0/16,9.9.9.9]", "->", &out), 0b0011),
            (rule("any", "->", "[224.0.0.1,ff02::1]"), 0b0011),
        ] {
            assert_eq!(home.possible(&rule), Matching(bits), "{:?} {:?}", rule.src, rule.dst);
        }
    }

    fn addresses() -> impl Strategy<Value = String> {
        let item = ("!?", 0u8..3, 0u8..3).prop_map(|(not, a, b)| format!("{not}10.{a}.{b}.0/24"));
        let list = prop::collection::vec(item, 1..4).prop_map(|items| format!("[{}]", items.join(",")));
        prop_oneof![Just("any".to_owned()), list]
    }

    proptest! {
        #[test]
        fn no_rule_is_kept_from_a_packet_that_its_addresses_match(
            rules in prop::collection::vec((addresses(), prop::sample::select(vec!["->", "<>"]), addresses()), 1..5),
            ends in (0u8..4, 0u8..4, 0u8..4, 0u8..4),
        ) {
            let rules: Vec<Rule> = rules
                .iter()
                .map(|(source, arrow, destination)| {
                    format!("alert udp {source} any {arrow} {destination} any (content:\"abc\"; sid:1;)")
                })
                .filter_map(|text| test_rules::rule(&text).ok()) // a list may take away all that it names
                .collect();
            let guarded = Guarded::by(&rules);
            let packet = packet(Addr::v4([10, ends.0, ends.1, 7]), Addr::v4([10, ends.2, ends.3, 7]));
            let number = guarded.ends(&packet).number();
            for rule in &rules {
                let straight = rule.src.contains(packet.src) && rule.dst.contains(packet.dst);
                let turned = rule.src.contains(packet.dst) && rule.dst.contains(packet.src);
                if straight || (rule.arrow == Arrow::Both && turned) {
                    prop_assert!(guarded.possible(rule).has(number), "{:?} {:?}", rule.src, rule.dst);
                }
            }
        }

        #[test]
        fn what_a_set_leaves_and_itself_are_all(bounds in prop::collection::btree_set(any::<u128>(), 0..9)) {
            let bounds: Vec<u128> = bounds.into_iter().collect();
            let set: Vec<Addresses> = bounds.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
            let left = complement(&set);
            prop_assert_eq!(complement(&left), set.clone());
            prop_assert!(!overlap(&set, &left));
            prop_assert!(is_within(&set, &set) && is_within(&left, &[(0, u128::MAX)]));
        }
    }

    #[test]
    fn transactions_are_matched_from_both_sides() {
        let home = Guarded(rule(HOME, "->", "any").src);
        let text = format!("alert http {HOME} any => !{HOME} any (http.uri; content:\"abc\"; sid:1;)");
        let rule = test_rules::rule(&text).unwrap_or_else(|_| panic!("{text}"));
        assert_eq!((rule.arrow, rule.flow.dir), (Arrow::Transaction, None::<Dir>));
        assert_eq!(home.possible(&rule), Matching(0b0110));
    }

    #[test]
    fn rules_that_most_ends_can_match_are_not_grouped_by_them() {
        let bits = |rules: &[Rule]| -> Vec<u8> {
            Guarded::by(rules).matching(rules).into_iter().map(|matching| matching.0).collect()
        };
        let out = format!("!{HOME}");
        let mut rules = vec![rule(HOME, "->", &out), rule("any", "->", HOME), rule("any", "->", "any")];
        assert_eq!(bits(&rules), [0b1111; 3], "seven in all");
        rules.push(rule(&out, "->", HOME));
        assert_eq!(bits(&rules), [0b0010, 0b1100, 0b1111, 0b0100], "eight of four");
    }
}
