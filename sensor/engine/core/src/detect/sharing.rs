//! Rules that say the same as one in force take its programs over: they are in memory once, their expressions compiled.

use super::program::Program;
use super::rule::Rule;
use super::ruleset::Ruleset;
use std::collections::HashMap;

/// The rules in force, if there are any, for those that are being built.
pub struct Sharing<'a> {
    by_id: HashMap<(u32, u32), &'a Rule>,
}

impl<'a> Sharing<'a> {
    pub fn with(in_force: Option<&'a Ruleset>) -> Self {
        let rules = in_force.iter().flat_map(|in_force| &in_force.rules);
        let by_id = rules.map(|rule| ((rule.gid, rule.sid), rule)).collect();
        Sharing { by_id }
    }

    /// To be called as soon as a rule is built: the next one is built in the memory that is free then.
    pub fn take_over(&self, rule: &mut Rule) {
        let known = self.by_id.get(&(rule.gid, rule.sid));
        if let Some(known) = known.filter(|known| known.texts.same_rule(&rule.texts)) {
            take_over(rule, known);
        }
    }
}

/// What a rule says decides its programs, but for those with a number of their own ruleset.
fn take_over(rule: &mut Rule, known: &Rule) {
    let payloads = rule.payload.iter_mut().zip(&known.payload);
    let buffers = rule.buffers.iter_mut().zip(&known.buffers);
    let buffers = buffers.map(|(own, known)| (&mut own.program, &known.program));
    for (own, known) in payloads.chain(buffers).filter(|(_, known)| known.is_of_any_ruleset()) {
        *own = Program::clone(known);
    }
}

#[cfg(test)]
mod tests {
    use super::super::compile::{compile, Earlier};
    use super::super::test_rules::block;
    use super::*;
    use serde_json::Value;
    use std::ptr;

    fn ruleset(lines: &[&str], in_force: Option<&Ruleset>) -> Ruleset {
        compile(&Value::Null, block(lines), false, Earlier { in_force, ..Earlier::NOTHING })
            .unwrap()
            .0
            .ruleset
    }

    /// The rule's programs: where their tests stand.
    fn programs(ruleset: &Ruleset, sid: u32) -> Vec<*const ()> {
        let rule = ruleset.rules.iter().find(|rule| rule.sid == sid).unwrap();
        let all = rule.payload.iter().chain(rule.buffers.iter().map(|buffer| &buffer.program));
        all.map(|program| ptr::from_ref(program.ops()).cast()).collect()
    }

    #[test]
    fn the_same_rules_have_the_same_programs() {
        let changing = |word: &str| format!("alert tcp any any -> any any (content:\"{word}\"; sid:3;)");
        let lines = [
            "alert tcp any any -> any any (content:\"abc\"; pcre:\"/a.c/\"; sid:1;)",
            "alert http any any -> any any (content:\"abc\"; http.uri; content:\"/x\"; sid:2;)",
            &changing("abc"),
            "alert tcp any any -> any any (content:\"abc\"; pcre:\"/(?P<flow_x>b)/\"; sid:4;)",
            "alert http any any -> any any (content:\"abc\"; http.host; content:\"x\"; dataset:set,d,type string; sid:5;)",
        ];
        let old = ruleset(&lines, None);
        let mut new = lines;
        let changed = changing("abd");
        new[2] = &changed;
        new.reverse(); // numbers change
        let new = ruleset(&new, Some(&old));
        assert_eq!((old.rules.len(), new.rules.len()), (5, 5));
        let same = |sid| {
            let (old, new) = (programs(&old, sid), programs(&new, sid));
            old.iter().zip(&new).map(|(old, new)| old == new).collect::<Vec<_>>()
        };
        assert_eq!(same(1), [true]);
        assert_eq!(same(2), [true, true]);
        assert_eq!(same(3), [false], "it says something else");
        assert_eq!(same(4), [false], "it captures into a variable of its ruleset's");
        assert_eq!(same(5), [true, false], "the set is its ruleset's");
        let third = ruleset(&lines, Some(&new));
        drop(old);
        drop(new);
        assert!(third.rules.iter().all(|rule| rule.payload.is_some()));
    }
}
