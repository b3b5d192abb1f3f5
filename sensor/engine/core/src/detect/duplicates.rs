//! Of rules with the same gid and sid only one is loaded: the one with the highest rev, else the first, as in Suricata.

use super::diagnostic::{Diagnostic, Refusal, Severity};
use super::raw::{RawOption, RawRule, RawRules};
use std::collections::hash_map::Entry;
use std::collections::HashMap;

/// The rules that give way, by number, each with what is to be said of it; in the order in which they were found.
pub fn find(rules: &RawRules) -> Vec<(usize, Diagnostic)> {
    let mut kept: HashMap<(&str, &str), (usize, u64), ahash::RandomState> = HashMap::default();
    let mut losers = Vec::new();
    let Some(reader) = rules.reader() else { return losers };
    for number in 0..rules.len() {
        let Some(rule) = reader.rule(number) else { continue };
        let Some(sid) = value(&rule, "sid") else { continue };
        let gid = value(&rule, "gid").unwrap_or("1");
        let rev = whole(value(&rule, "rev").unwrap_or("0"));
        let (winner, highest) = match kept.entry((gid, sid)) {
            Entry::Vacant(free) => {
                free.insert((number, rev));
                continue;
            }
            Entry::Occupied(taken) => taken.into_mut(),
        };
        let newer = rev > *highest;
        let loser = if newer { std::mem::replace(winner, number) } else { number };
        *highest = rev.max(*highest);
        if let (Some(loses), Some(wins)) = (reader.rule(loser), reader.rule(*winner)) {
            losers.push((loser, diagnostic(&loses, &wins, newer)));
        }
    }
    losers
}

fn diagnostic(loser: &RawRule<'_>, winner: &RawRule<'_>, is_older: bool) -> Diagnostic {
    let place = format!("{}:{}", winner.file, winner.line);
    let (severity, reason) = match is_older {
        true => (Severity::Warning, format!("replaced by a higher rev at {place}")),
        false => (Severity::Error, format!("duplicate of the rule at {place}")),
    };
    let fix = "remove one of the two, or give it a sid of its own".to_owned();
    let option = loser.options.iter().find(|option| is(option, "sid"));
    let sid = whole(option.and_then(|option| option.value).unwrap_or_default());
    let refusal = Refusal { severity, reason, fix };
    Diagnostic::new(loser, option, u32::try_from(sid).unwrap_or(0), refusal)
}

fn is(option: &RawOption<'_>, keyword: &str) -> bool {
    option.keyword.trim() == keyword
}

/// The value of the last option of this name; "" when it has none.
fn value<'a>(rule: &RawRule<'a>, keyword: &str) -> Option<&'a str> {
    let option = rule.options.iter().rev().find(|option| is(option, keyword))?;
    Some(option.value.unwrap_or_default())
}

/// 0: not a whole number of up to ten digits.
fn whole(text: &str) -> u64 {
    const DIGITS_MAX: usize = 10;
    let digits = text.len() <= DIGITS_MAX && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::raw::RawRulesBuilder;

    fn rules(identities: &[(&str, Option<&str>, Option<&str>)]) -> RawRules {
        let mut builder = RawRulesBuilder::default();
        for (line, (sid, gid, rev)) in (1u32..).zip(identities) {
            builder.begin("a.rules", line, ["alert", "ip", "any", "any", "->", "any", "any"]);
            for (column, (keyword, value)) in
                (9u32..).zip([("gid", *gid), ("rev", *rev), ("sid", Some(*sid))])
            {
                if value.is_some_and(|value| !value.is_empty()) {
                    builder.option(RawOption { keyword, value, line, column });
                }
            }
        }
        builder.finish()
    }

    fn told(identities: &[(&str, Option<&str>, Option<&str>)]) -> Vec<(usize, Severity, String)> {
        let losers = find(&rules(identities)).into_iter();
        losers.map(|(number, said)| (number, said.severity, said.reason)).collect()
    }

    #[test]
    fn the_first_stays_unless_a_later_one_is_newer() {
        assert_eq!(
            told(&[("1", None, None), ("2", None, None), ("1", Some("2"), None), ("", None, None)]),
            []
        );
        assert_eq!(
            told(&[
                ("1", None, Some("2")),
                ("1", Some("1"), Some("2")),
                ("1", None, Some("3")),
                ("1", None, None)
            ]),
            [
                (1, Severity::Error, "duplicate of the rule at a.rules:1".to_owned()),
                (0, Severity::Warning, "replaced by a higher rev at a.rules:3".to_owned()),
                (3, Severity::Error, "duplicate of the rule at a.rules:3".to_owned()),
            ]
        );
    }

    #[test]
    fn it_is_said_where_the_sid_stands() {
        let (_, said) = find(&rules(&[("7", None, Some("1")), ("7", None, Some("1"))])).remove(0);
        assert_eq!((said.line, said.column, said.sid, said.keyword.as_str()), (2, 11, 7, "sid"));
    }
}
