//! What a rule says to people: message, metadata, references. It is read from the rule's text when an alert first needs it, for
//! of 40,000 rules few ever alert.

use super::carry::says_the_same;
use super::keywords::meta;
use super::raw::{RawRule, RawRules};
use std::collections::HashMap;
use std::sync::Arc;

/// The rules as written, with what their texts refer to.
#[derive(Default)]
pub struct Texts {
    pub rules: RawRules,
    /// reference.config: prefix of each reference type; empty = not given.
    pub references: HashMap<String, String>,
}

/// The texts of one rule.
#[derive(Clone, Default)]
pub struct RuleTexts {
    all: Arc<Texts>,
    number: u32,
}

impl RuleTexts {
    pub fn new(all: &Arc<Texts>, number: usize) -> Self {
        RuleTexts { all: Arc::clone(all), number: u32::try_from(number).unwrap_or(u32::MAX) }
    }

    pub fn all(&self) -> &Texts {
        &self.all
    }

    pub fn number(&self) -> u32 {
        self.number
    }

    /// The rule as written; None: the block of rules is damaged.
    pub fn raw(&self) -> Option<RawRule<'_>> {
        self.all.rules.rule(usize::try_from(self.number).ok()?)
    }

    /// Whether another rule, maybe of another ruleset, says the same.
    pub fn same_rule(&self, other: &RuleTexts) -> bool {
        match (self.raw(), other.raw()) {
            (Some(own), Some(other)) => says_the_same(&own, &other),
            _ => false,
        }
    }

    pub fn msg(&self) -> String {
        let rule = self.raw();
        let value = rule.as_ref().and_then(|rule| values(rule, meta::MSG.name).last());
        value.and_then(|value| meta::message(value).ok()).unwrap_or_default()
    }

    /// In the order written: ("created_at", "2024_01_01").
    pub fn metadata(&self) -> Vec<(String, String)> {
        let Some(rule) = self.raw() else { return Vec::new() };
        let pairs = values(&rule, meta::METADATA.name).flat_map(meta::pairs);
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    /// With their prefixes, e.g. https://nvd.nist.gov/vuln/detail/CVE-2021-44228.
    pub fn references(&self) -> Vec<String> {
        let Some(rule) = self.raw() else { return Vec::new() };
        let values = values(&rule, meta::REFERENCE.name);
        values.filter_map(|value| Some(meta::reference(value, &self.all.references).ok()?.full())).collect()
    }
}

/// The values of a keyword, as keywords get them.
fn values<'a>(rule: &'a RawRule<'_>, keyword: &'a str) -> impl Iterator<Item = &'a str> {
    let named = rule.options.iter().filter(move |option| option.keyword.trim().eq_ignore_ascii_case(keyword));
    named.filter_map(|option| option.value).map(str::trim).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use crate::detect::test_rules::{rule, split};
    use crate::detect::texts::{RuleTexts, Texts};
    use std::collections::HashMap;
    use std::sync::Arc;

    #[test]
    fn texts_are_read_from_the_rule() {
        let line =
            r#"alert ip any any -> any any (msg:"a \"b\"\; c"; METADATA: k v w, lone; sid:1; metadata:k x;)"#;
        let texts = rule(line).ok().unwrap().texts;
        assert_eq!(texts.msg(), "a \"b\"; c");
        let pairs = [("k", "v w"), ("lone", ""), ("k", "x")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(texts.metadata(), pairs);
        assert_eq!(RuleTexts::default().msg(), "");
    }

    #[test]
    fn references_get_their_prefix() {
        let line =
            "alert ip any any -> any any (reference:CVE,2021-1; reference:url,https://x.example/; sid:1;)";
        let references = HashMap::from(["cve", "url"].map(|name| (name.to_owned(), format!("{name}://"))));
        let all = Arc::new(Texts { rules: split(line).unwrap(), references });
        assert_eq!(RuleTexts::new(&all, 0).references(), ["cve://2021-1", "https://x.example/"]);
    }
}
