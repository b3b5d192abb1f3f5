//! For tests: splits a rule line as the toolchain does, and evaluates programs on plain bytes.

use super::builder::{build, origins, Diagnostic, Origins};
use super::cx::{EvalCx, VARIABLES_MAX};
use super::lua::Scripts;
use super::program::probe::Trace;
use super::program::Program;
use super::raw::{RawOption, RawRules, RawRulesBuilder};
use super::rule::Rule;
use super::shared::Shared;
use super::texts::{RuleTexts, Texts};
use crate::app::View;
use crate::decode::Packet;
use crate::direction::Dir;
use crate::time::Timestamp;
use std::sync::Arc;

const HOME: &str = "[192.168.0.0/16,10.0.0.0/8,172.16.0.0/12]";

/// Replaces variables by their usual values.
fn variable(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let name = &rest[at + 1..];
        let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
        out.push_str(match &name[..end] {
            "EXTERNAL_NET" => "any",
            "HTTP_PORTS" => "80",
            "SSH_PORTS" => "22",
            "SHELLCODE_PORTS" => "!80",
            n if n.ends_with("_PORTS") || n.ends_with("_PORT") => "[20:25,1521]",
            _ => HOME,
        });
        rest = &name[end..];
    }
    out.push_str(rest);
    out
}

/// The line's rule. None: a comment, or no rule.
pub fn split(line: &str) -> Option<RawRules> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let (head, body) = line.split_once('(')?;
    let body = body.strip_suffix(')')?;
    let mut words = Vec::new();
    let (mut word, mut depth) = (String::new(), 0i32);
    for c in head.chars() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => {}
        }
        if c.is_whitespace() {
            if depth == 0 && !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
        } else {
            word.push(c);
        }
    }
    let [action, protocol, src, sport, arrow, dst, dport] = <[String; 7]>::try_from(words).ok()?;
    let mut raw = RawRulesBuilder::default();
    let (src, sport, dst, dport) = (variable(&src), variable(&sport), variable(&dst), variable(&dport));
    raw.begin("test.rules", 1, [&action, &protocol, &src, &sport, &arrow, &dst, &dport]);
    let (mut start, mut escaped) = (0, false);
    for (at, c) in body.char_indices() {
        if c == ';' && !escaped {
            let option = body[start..at].trim();
            let (keyword, value) = option.split_once(':').map_or((option, None), |(k, v)| (k, Some(v)));
            raw.option(RawOption {
                keyword: keyword.trim(),
                value: value.map(str::trim),
                line: 1,
                column: u32::try_from(head.len() + 2 + start).unwrap(),
            });
            start = at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    Some(raw.finish())
}

/// The rules of these lines.
pub fn block(lines: &[&str]) -> RawRules {
    let mut builder = RawRulesBuilder::default();
    for line in lines {
        let raw = split(line).unwrap();
        let rule = raw.rule(0).unwrap();
        let header = [rule.action, rule.protocol, rule.src, rule.sport, rule.arrow, rule.dst, rule.dport];
        builder.begin(rule.file, rule.line, header);
        rule.options.iter().for_each(|option| builder.option(*option));
    }
    builder.finish()
}

pub fn rule(line: &str) -> Result<Rule, Vec<Diagnostic>> {
    rule_with(line, &mut Shared::default())
}

pub fn rule_with(line: &str, shared: &mut Shared) -> Result<Rule, Vec<Diagnostic>> {
    let rules = split(line).unwrap_or_else(|| panic!("not a rule: {line}"));
    let texts = Arc::new(Texts { rules, ..Texts::default() });
    build(&texts.rules.rule(0).unwrap(), &RuleTexts::new(&texts, 0), shared)
}

/// A rule of these options for any IP packet.
pub fn options(text: &str) -> Result<Rule, Vec<Diagnostic>> {
    let sid = if text.contains("sid:") || text.starts_with("sid") { "" } else { " sid:1;" };
    rule(&format!("alert ip any any -> any any ({text}{sid})"))
}

/// Runs a program on bytes; what a context has besides them is empty.
pub fn matches(program: &Program, view: View<'_>) -> bool {
    matches_within(program, view, 3000)
}

/// As `matches`, with a budget of so many steps.
pub fn matches_within(program: &Program, view: View<'_>, budget: u32) -> bool {
    on_nothing(budget, |cx| program.matches(view, cx))
}

/// As `matches`, with what was seen, and no end to the budget.
pub fn trace(program: &Program, view: View<'_>) -> (bool, Trace) {
    on_nothing(u32::MAX, |cx| program.trace(0, 0, view, cx))
}

fn on_nothing<T>(budget: u32, look: impl FnOnce(&mut EvalCx<'_>) -> T) -> T {
    let packet = Packet::new(&[], Timestamp::default(), 1, 0, 1);
    let scripts = Scripts::default();
    look(&mut EvalCx {
        rule: None,
        scripts: &scripts,
        packet: &packet,
        flow: None,
        dir: Dir::ToServer,
        tx: None,
        variables: [0; VARIABLES_MAX],
        budget,
        base64: Vec::new(),
        captures: Vec::new(),
    })
}

/// A rule with what its options became.
pub fn rule_and_origins(line: &str) -> (Rule, Origins) {
    let rules = split(line).unwrap_or_else(|| panic!("not a rule: {line}"));
    let texts = Arc::new(Texts { rules, ..Texts::default() });
    let raw = texts.rules.rule(0).unwrap();
    origins(&raw, &RuleTexts::new(&texts, 0), &mut Shared::default()).unwrap_or_else(|| panic!("{line}"))
}
