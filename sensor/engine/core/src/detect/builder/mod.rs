//! From rule text (already split into header and options) to a `Rule`, or to diagnostics that say what to mend.
//! Runs at load time only.

mod check;
mod draft;
mod finish;
pub mod origins;
mod selection;

pub use draft::{ContentDraft, Item, List, Place};
pub use origins::Origins;

pub use super::diagnostic::{Diagnostic, Refusal, Severity};
use super::header;
use super::keywords::{self, Entry};
use super::program::Amount;
use super::raw::RawRule;
use super::rule::*;
use super::shared::Shared;
use super::texts::{RuleTexts, Texts};
use crate::app::ProtocolId;
use crate::direction::Dir;
use std::borrow::Cow;

/// A rule being built. Keywords write into it.
pub struct RuleBuilder<'a> {
    pub shared: &'a mut Shared,
    pub raw: &'a RawRule<'a>,
    pub texts: &'a Texts,
    pub rule: Rule,
    pub lists: Vec<List>,
    /// List the next content goes to; 0 = payload.
    pub current: usize,
    /// The sticky buffer was selected once more and has taken nothing since.
    pub reselected: bool,
    /// (list, item) the next content modifier speaks of.
    pub last_content: Option<(usize, usize)>,
    /// A keyword looks at single packets, so contents do too (flags, ttl, dsize ...).
    pub needs_packet: bool,
    pub has_stream_size: bool,
    pub has_sid: bool,
    pub has_rev: bool,
    pub has_msg: bool,
    pub has_fast_pattern: bool,
    /// The largest payload that dsize allows.
    pub dsize_max: Option<u64>,
    pub has_priority: bool,
    /// Directions that keywords imply, with the keyword's name.
    pub implied_dirs: Vec<(Dir, String)>,
    /// Protocols that keywords are limited to, with the keyword's name.
    pub limits: Vec<(Vec<ProtocolId>, String)>,
    /// Tests of one file, as they come in.
    pub file_tests: Vec<FileTest>,
    pub warnings: Vec<(usize, String)>,
    /// Index of the option in hand.
    pub option: usize,
    /// Some: it is to be known afterwards.
    origins: Option<Origins>,
}

/// Builds one rule, which keeps `texts`. Warnings of rules that load go to `shared.warnings`.
pub fn build(raw: &RawRule<'_>, texts: &RuleTexts, shared: &mut Shared) -> Result<Rule, Vec<Diagnostic>> {
    build_noting(raw, texts, shared, None).map(|(rule, _)| rule)
}

/// The same of a rule that is known to load, with what its options became.
pub fn origins(raw: &RawRule<'_>, texts: &RuleTexts, shared: &mut Shared) -> Option<(Rule, Origins)> {
    let (rule, origins) = build_noting(raw, texts, shared, Some(Origins::default())).ok()?;
    Some((rule, origins?))
}

fn build_noting(
    raw: &RawRule<'_>,
    texts: &RuleTexts,
    shared: &mut Shared,
    origins: Option<Origins>,
) -> Result<(Rule, Option<Origins>), Vec<Diagnostic>> {
    let mut found: Vec<(Option<usize>, Refusal)> = Vec::new();
    let mut builder = RuleBuilder::new(raw, texts, shared);
    builder.origins = origins;
    if let Err(refusal) = builder.header(raw) {
        found.push((None, refusal));
    }
    builder.note_origins(None);
    for (at, option) in raw.options.iter().enumerate() {
        builder.option = at;
        let name = lower_case(option.keyword.trim());
        if let Err(refusal) = builder.take(&name, option.value) {
            found.push((Some(at), refusal));
        }
        builder.note_origins(Some(at));
    }
    let sid = builder.rule.sid;
    let diagnostic = |at: Option<usize>, refusal| {
        Diagnostic::new(raw, at.and_then(|at| raw.options.get(at)), sid, refusal)
    };
    // Consistency is judged only when every part was understood: one mistake should give one diagnostic.
    let finished = if found.is_empty() { builder.finish() } else { Err(found) };
    match finished {
        Ok((rule, warnings, origins)) => {
            shared.warnings.extend(warnings.into_iter().map(|(at, reason)| {
                let warning = Refusal { severity: Severity::Warning, reason, fix: String::new() };
                diagnostic(Some(at), warning)
            }));
            Ok((rule, origins))
        }
        Err(found) => Err(found.into_iter().map(|(at, refusal)| diagnostic(at, refusal)).collect()),
    }
}

impl<'a> RuleBuilder<'a> {
    fn new(raw: &'a RawRule<'a>, texts: &'a RuleTexts, shared: &'a mut Shared) -> Self {
        RuleBuilder {
            shared,
            raw,
            texts: texts.all(),
            rule: Rule::empty(texts.clone()),
            lists: vec![List::new(Place::Payload, 0)],
            current: 0,
            reselected: false,
            last_content: None,
            needs_packet: false,
            has_stream_size: false,
            has_sid: false,
            has_rev: false,
            has_msg: false,
            has_fast_pattern: false,
            dsize_max: None,
            has_priority: false,
            implied_dirs: Vec::new(),
            limits: Vec::new(),
            file_tests: Vec::new(),
            warnings: Vec::new(),
            option: 0,
            origins: None,
        }
    }

    fn header(&mut self, raw: &RawRule<'_>) -> Result<(), Refusal> {
        let rule = &mut self.rule;
        rule.action = header::action(raw.action).ok_or_else(|| {
            Refusal::error(
                format!("unknown action `{}`", raw.action),
                "use alert, pass, drop, reject or config",
            )
        })?;
        rule.noalert = raw.action == "config";
        rule.arrow = header::arrow(raw.arrow).ok_or_else(|| {
            Refusal::error(
                format!("unknown direction `{}`", raw.arrow),
                "use ->, <> or => (there is no <-: turn source and destination round)",
            )
        })?;
        let (protocol, hook) = match raw.protocol.split_once(':') {
            Some((protocol, hook)) => (protocol, Some(hook)),
            None => (raw.protocol, None),
        };
        let protocol = protocol.to_ascii_lowercase();
        if let Some(transport) = header::transport(&protocol) {
            rule.transport = transport;
        } else {
            rule.transport = Transport::App;
            rule.protocols = keywords::app::protocols(&protocol)?;
        }
        for (text, slot) in [(raw.src, &mut rule.src), (raw.dst, &mut rule.dst)] {
            *slot = self.shared.addresses(text).map_err(|reason| {
                Refusal::error(reason, "write an address, a network, any, or a list of them in [ ]")
            })?;
        }
        for (text, slot) in [(raw.sport, &mut rule.src_ports), (raw.dport, &mut rule.dst_ports)] {
            *slot = self.shared.ports(text).map_err(|reason| {
                Refusal::error(reason, "write a port, a range (1024:2048), any, or a list of them in [ ]")
            })?;
        }
        match hook {
            Some(hook) => keywords::app::hook(self, &protocol, hook),
            None => Ok(()),
        }
    }

    /// One option: a keyword of the registry, a sticky buffer or a legacy modifier.
    fn take(&mut self, name: &str, value: Option<&str>) -> Result<(), Refusal> {
        // An empty value (`keyword:;`) is none, and surrounding space never counts.
        let value = value.map(str::trim).filter(|v| !v.is_empty());
        match keywords::find(name) {
            Some(Entry::Keyword(keyword)) => (keyword.parse)(self, value),
            Some(Entry::Buffer(buffer)) => self.select_app(name, buffer, value),
            Some(Entry::Number(_, number)) => keywords::tx_number::declared(self, number, value),
            Some(Entry::Modifier(buffer)) => {
                no_value(name, value)?;
                self.modify(name, buffer)
            }
            Some(Entry::Later) => {
                self.lists.push(List::new(Place::Later, self.option));
                self.current = self.lists.len().saturating_sub(1);
                Err(Refusal::skip(format!("keyword `{name}` is not supported by this build yet")))
            }
            None => Err(keywords::unknown(name)),
        }
    }

    pub fn packet_test(&mut self, test: impl Fn(&super::cx::PacketCx<'_>) -> bool + Send + Sync + 'static) {
        self.rule.packet_tests.push(Box::new(PacketFn { test, ip_only: false }));
    }

    /// A packet test that leaves the rule an IP-only rule (`PacketTest::ip_only`).
    pub fn ip_only_test(&mut self, test: impl Fn(&super::cx::PacketCx<'_>) -> bool + Send + Sync + 'static) {
        self.rule.packet_tests.push(Box::new(PacketFn { test, ip_only: true }));
    }

    /// A test of what workers share, which has to wait for the others: it is made when all else holds.
    pub fn shared_test(&mut self, test: impl Fn(&super::cx::PacketCx<'_>) -> bool + Send + Sync + 'static) {
        self.rule.shared_tests.push(Box::new(PacketFn { test, ip_only: true }));
    }

    pub fn warn(&mut self, reason: impl Into<String>) {
        self.warnings.push((self.option, reason.into()));
    }

    /// A number as written or a variable defined before.
    pub fn amount(&self, text: &str) -> Option<Amount> {
        if let Some(n) = keywords::number::signed(text) {
            return Some(Amount::Fixed(n));
        }
        let at = self.rule.variables.iter().position(|v| v == text)?;
        u8::try_from(at).ok().map(Amount::Variable)
    }

    /// Numbers a new variable (byte_extract, byte_math). The same name again is the same variable.
    pub fn define(&mut self, name: &str) -> Result<u8, Refusal> {
        let wrong = |reason: String| Refusal::error(reason, "use a short name of letters, digits and _");
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
            return Err(wrong(format!("`{name}` is not a variable name")));
        }
        let at = match self.rule.variables.iter().position(|v| v == name) {
            Some(at) => at,
            None => {
                self.rule.variables.push(name.to_owned());
                self.rule.variables.len().saturating_sub(1)
            }
        };
        if at >= super::cx::VARIABLES_MAX {
            return Err(wrong(format!("more than {} variables", super::cx::VARIABLES_MAX)));
        }
        u8::try_from(at).map_err(|_| wrong("too many variables".to_owned()))
    }
}

/// Keywords are nearly always in lower case already.
fn lower_case(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|b| b.is_ascii_uppercase()) {
        name.to_ascii_lowercase().into()
    } else {
        name.into()
    }
}

struct PacketFn<F> {
    test: F,
    ip_only: bool,
}

impl<F: Fn(&super::cx::PacketCx<'_>) -> bool + Send + Sync> PacketTest for PacketFn<F> {
    fn matches(&self, cx: &super::cx::PacketCx<'_>) -> bool {
        (self.test)(cx)
    }
    fn ip_only(&self) -> bool {
        self.ip_only
    }
}

/// Refuses a value where a keyword takes none.
pub fn no_value(name: &str, value: Option<&str>) -> Result<(), Refusal> {
    match value {
        None => Ok(()),
        Some(value) => Err(Refusal::error(
            format!("`{name}` takes no value, but has `{value}`"),
            format!("write {name};"),
        )),
    }
}

/// The value of a keyword that needs one.
pub fn some_value<'v>(name: &str, value: Option<&'v str>, example: &str) -> Result<&'v str, Refusal> {
    value.ok_or_else(|| Refusal::error(format!("`{name}` needs a value"), format!("e.g. {name}:{example};")))
}

#[cfg(test)]
mod tests;
