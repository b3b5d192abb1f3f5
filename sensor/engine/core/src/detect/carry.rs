//! From one ruleset to the next: what flows and transactions keep by the numbers of the old one gets those of the new one
//! (docs/adr/0006). Made beside the workers; they only look up.

use super::names::Names;
use super::raw::RawRule;
use super::rule::Rule;
use super::ruleset::Ruleset;
use super::state::{FlowDetect, Left, TxDetect};
use super::window::Windows;
use crate::app::Parser;
use crate::direction::Dir;
use crate::flow::Flow;
use std::collections::HashMap;
use std::hash::Hash;

/// New numbers by old ones; None: gone.
type Numbers = Vec<Option<u32>>;

/// What became of the numbers of a ruleset.
pub struct Carry {
    /// Rules that say the same.
    rules: Numbers,
    flowbits: Numbers,
    flowints: Numbers,
    variables: Numbers,
    /// Every number stays what it was.
    same: bool,
}

impl Carry {
    pub fn new(old: &Ruleset, new: &Ruleset) -> Carry {
        let by_id: HashMap<(u32, u32), &Rule> = new.rules.iter().map(|r| ((r.gid, r.sid), r)).collect();
        let unchanged = |rule: &Rule| {
            let now = by_id.get(&(rule.gid, rule.sid))?;
            rule.texts.same_rule(&now.texts).then_some(now.number)
        };
        let rules: Numbers = old.rules.iter().map(unchanged).collect();
        old.rest();
        new.rest();
        let (was, is): (&Names, &Names) = (&old.names, &new.names);
        let flowbits = numbers(was.flowbits(), is.flowbits());
        let flowints = numbers(was.flowints(), is.flowints());
        let variables = numbers(was.variables(), is.variables());
        let same = old.rules.len() == new.rules.len()
            && [&rules, &flowbits, &flowints, &variables]
                .iter()
                .all(|list| (0u32..).zip(list.iter()).all(|(at, number)| *number == Some(at)));
        Carry { rules, flowbits, flowints, variables, same }
    }

    /// Gives a flow and all that it holds the new numbers.
    pub fn flow(&self, flow: &mut Flow) {
        if self.same {
            return;
        }
        self.left(&mut flow.detect);
        if let Some(parser) = flow.app.parser.as_mut() {
            self.transactions(parser.as_mut());
        }
        for (_, parser) in flow.app.retired.iter_mut() {
            self.transactions(parser.as_mut());
        }
        if let Some(frames) = flow.app.frames.as_mut() {
            for dir in Dir::BOTH {
                for frame in &mut frames[dir].live {
                    frame.matched = frame.matched.iter().filter_map(|rule| of(&self.rules, *rule)).collect();
                }
            }
        }
    }

    fn left(&self, detect: &mut FlowDetect) {
        let Some(left) = detect.if_left() else { return };
        let Left { flowbits, flowints, flowvars, context, pktvars, tags: _, store: _ } = left;
        *flowbits = flowbits.iter().filter_map(|id| of(&self.flowbits, *id)).collect();
        flowbits.sort_unstable();
        flowints.retain_mut(|(id, _)| renumber(&self.flowints, id));
        flowints.sort_unstable();
        for list in [flowvars, context, pktvars] {
            list.retain_mut(|(id, _)| renumber(&self.variables, id));
        }
    }

    fn transactions(&self, parser: &mut dyn Parser) {
        for id in parser.tx_ids() {
            let Some(tx) = parser.tx_mut(id) else { continue };
            for dir in Dir::BOTH {
                self.transaction(&mut tx.meta_mut().detect[dir]);
            }
        }
    }

    fn transaction(&self, state: &mut TxDetect) {
        state.partial.retain_mut(|known| renumber(&self.rules, &mut known.rule));
        state.partial.sort_unstable_by_key(|known| known.rule);
        // What still stands of growing buffers is scanned anew, with the new groups.
        state.windows = Windows::default();
    }
}

fn of(numbers: &Numbers, old: u32) -> Option<u32> {
    numbers.get(old as usize).copied().flatten()
}

fn renumber(numbers: &Numbers, number: &mut u32) -> bool {
    match of(numbers, *number) {
        Some(new) => {
            *number = new;
            true
        }
        None => false,
    }
}

fn numbers<T: Eq + Hash>(old: &[T], new: &[T]) -> Numbers {
    let by_name: HashMap<&T, u32> = new.iter().zip(0u32..).collect();
    old.iter().map(|name| by_name.get(name).copied()).collect()
}

/// Whether two rules say the same, wherever they are written.
pub fn says_the_same(a: &RawRule<'_>, b: &RawRule<'_>) -> bool {
    fn header<'r>(r: &RawRule<'r>) -> [&'r str; 7] {
        [r.action, r.protocol, r.src, r.sport, r.arrow, r.dst, r.dport]
    }
    header(a) == header(b)
        && a.options.len() == b.options.len()
        && a.options.iter().zip(&b.options).all(|(a, b)| (a.keyword, a.value) == (b.keyword, b.value))
}
