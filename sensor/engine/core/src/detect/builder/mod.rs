//! From rule text (already split into header and options) to a `Rule`, or to diagnostics that say what to mend.
//! Runs at load time only.

mod draft;
mod finish;

use super::buffers;
pub use draft::{ContentDraft, Item, List, Place};

pub use super::diagnostic::{Diagnostic, RawOption, RawRule, Refusal, Severity};
use super::header;
use super::keywords::{self, Entry};
use super::program::{Amount, Op};
use super::rule::*;
use super::shared::Shared;
use crate::app::ProtocolId;
use crate::direction::Dir;

/// A rule being built. Keywords write into it.
pub struct RuleBuilder<'a> {
    pub shared: &'a mut Shared,
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
    pub warnings: Vec<(usize, String)>,
    /// Index of the option in hand.
    pub option: usize,
}

/// Builds one rule. Warnings of rules that load go to `shared.warnings`.
pub fn build(raw: &RawRule, shared: &mut Shared) -> Result<Rule, Vec<Diagnostic>> {
    let mut found: Vec<(Option<usize>, Refusal)> = Vec::new();
    let mut builder = RuleBuilder::new(raw, shared);
    if let Err(refusal) = builder.header(raw) {
        found.push((None, refusal));
    }
    for (at, option) in raw.options.iter().enumerate() {
        builder.option = at;
        let name = option.keyword.trim().to_ascii_lowercase();
        if let Err(refusal) = builder.take(&name, option.value.as_deref()) {
            found.push((Some(at), refusal));
        }
    }
    let sid = builder.rule.sid;
    let diagnostic = |at: Option<usize>, refusal| {
        Diagnostic::new(raw, at.and_then(|at| raw.options.get(at)), sid, refusal)
    };
    // Consistency is judged only when every part was understood: one mistake should give one diagnostic.
    let finished = if found.is_empty() { builder.finish() } else { Err(found) };
    match finished {
        Ok((rule, warnings)) => {
            shared.warnings.extend(warnings.into_iter().map(|(at, reason)| {
                let warning = Refusal { severity: Severity::Warning, reason, fix: String::new() };
                diagnostic(Some(at), warning)
            }));
            Ok(rule)
        }
        Err(found) => Err(found.into_iter().map(|(at, refusal)| diagnostic(at, refusal)).collect()),
    }
}

impl<'a> RuleBuilder<'a> {
    fn new(raw: &RawRule, shared: &'a mut Shared) -> Self {
        RuleBuilder {
            shared,
            rule: Rule::empty(raw.file.clone(), raw.line),
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
            warnings: Vec::new(),
            option: 0,
        }
    }

    fn header(&mut self, raw: &RawRule) -> Result<(), Refusal> {
        let rule = &mut self.rule;
        rule.action = header::action(&raw.action).ok_or_else(|| {
            if raw.action == "config" {
                return Refusal::skip(
                    "config rules change how flows are logged, which this build does not do yet",
                );
            }
            Refusal::error(format!("unknown action `{}`", raw.action), "use alert, pass, drop or reject")
        })?;
        rule.arrow = header::arrow(&raw.arrow).ok_or_else(|| {
            Refusal::error(
                format!("unknown direction `{}`", raw.arrow),
                "use ->, <> or => (there is no <-: turn source and destination round)",
            )
        })?;
        let (protocol, hook) = match raw.protocol.split_once(':') {
            Some((protocol, hook)) => (protocol, Some(hook)),
            None => (raw.protocol.as_str(), None),
        };
        let protocol = protocol.to_ascii_lowercase();
        if let Some(transport) = header::transport(&protocol) {
            rule.transport = transport;
        } else {
            rule.transport = Transport::App;
            rule.protocols = keywords::app::protocols(&protocol)?;
        }
        for (text, slot) in [(&raw.src, &mut rule.src), (&raw.dst, &mut rule.dst)] {
            *slot = self.shared.addresses(text).map_err(|reason| {
                Refusal::error(reason, "write an address, a network, any, or a list of them in [ ]")
            })?;
        }
        for (text, slot) in [(&raw.sport, &mut rule.src_ports), (&raw.dport, &mut rule.dst_ports)] {
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

    /// A sticky buffer of a protocol; in rules with => it may name its direction.
    fn select_app(&mut self, name: &str, buffer: u16, value: Option<&str>) -> Result<(), Refusal> {
        let dir = match (self.rule.arrow, value) {
            (Arrow::Transaction, Some("to_server" | "toserver")) => Some(Dir::ToServer),
            (Arrow::Transaction, Some("to_client" | "toclient")) => Some(Dir::ToClient),
            _ => {
                no_value(name, value)?;
                None
            }
        };
        self.select(Place::App(buffer))?;
        if dir.is_some() && self.list().dir != dir {
            if !self.list().items.is_empty() {
                self.lists.push(List::new(Place::App(buffer), self.option));
                self.current = self.lists.len().saturating_sub(1);
            }
            self.list().dir = dir;
        }
        Ok(())
    }

    /// Makes a sticky buffer the one that following tests look at.
    pub fn select(&mut self, place: Place) -> Result<(), Refusal> {
        self.check_unused()?;
        self.last_content = None;
        let same = |list: &List| match (list.place, place) {
            (Place::Payload, Place::Payload) => true,
            (Place::App(a), Place::App(b)) => a == b && !buffers::is_multi(a),
            (Place::Packet(a, _), Place::Packet(b, _)) => a == b,
            _ => false,
        };
        let plain = |list: &List| list.transforms.is_empty();
        match self.lists.iter().position(|l| same(l) && plain(l)) {
            Some(at) => {
                self.current = at;
                self.reselected = true;
            }
            None => {
                self.lists.push(List::new(place, self.option));
                self.current = self.lists.len().saturating_sub(1);
                self.reselected = false;
            }
        }
        Ok(())
    }

    /// A sticky buffer that nothing was asked of is a mistake.
    pub fn check_unused(&self) -> Result<(), Refusal> {
        match self.lists.get(self.current) {
            Some(list)
                if self.current > 0
                    && list.items.is_empty()
                    && list.absent == Absent::No
                    && !matches!(list.place, Place::Later) =>
            {
                Err(Refusal::error(
                    "the sticky buffer before has no test",
                    "add content, pcre or another test behind it, or remove the buffer",
                ))
            }
            _ => Ok(()),
        }
    }

    /// Adds a transform to the selected buffer.
    pub fn transform(&mut self, transform: Box<dyn Transform>) -> Result<(), Refusal> {
        let place = self.list().place;
        if self.current == 0 || matches!(place, Place::Base64(_)) {
            return Err(Refusal::error(
                "a transform needs a sticky buffer before it",
                "put it right behind the sticky buffer, e.g. http.uri; to_lowercase; content:...",
            ));
        }
        // Behind tests it begins a new list on the same buffer.
        if !self.list().items.is_empty() {
            self.lists.push(List::new(place, self.option));
            self.current = self.lists.len().saturating_sub(1);
        }
        self.reselected = false;
        self.list().transforms.push(transform);
        Ok(())
    }

    /// Moves the last content into the buffer of a legacy modifier.
    fn modify(&mut self, name: &str, buffer: u16) -> Result<(), Refusal> {
        if matches!(self.list().place, Place::Later) {
            return Ok(());
        }
        if self.current != 0 {
            return Err(Refusal::error(
                format!("`{name}` modifies a content, but a sticky buffer is selected"),
                "put pkt_data; before the content, or use the sticky buffer's own name",
            ));
        }
        let Some((0, at)) = self.last_content else {
            return Err(Refusal::error(
                format!("`{name}` has no content before it"),
                format!("write content:\"...\"; {name};"),
            ));
        };
        let Some(Item::Content(content)) = self.lists.first().and_then(|l| l.items.get(at)) else {
            return Err(Refusal::error(
                format!("`{name}` stands behind something that is not a content"),
                "put it right behind its content",
            ));
        };
        if content.rawbytes || content.replaced {
            return Err(Refusal::error(
                format!("`{name}` cannot be used with rawbytes or replace"),
                "remove one of them",
            ));
        }
        let target = self.plain_list(Place::App(buffer));
        let Some(payload) = self.lists.first_mut() else {
            return Ok(());
        };
        let item = payload.items.remove(at);
        if let Some(list) = self.lists.get_mut(target) {
            list.items.push(item);
            self.last_content = Some((target, list.items.len().saturating_sub(1)));
        }
        Ok(())
    }

    /// The list of a buffer without transforms, made when there is none.
    pub fn plain_list(&mut self, place: Place) -> usize {
        let found = self.lists.iter().position(|l| {
            matches!((l.place, place), (Place::App(a), Place::App(b)) if a == b) && l.transforms.is_empty()
        });
        found.unwrap_or_else(|| {
            self.lists.push(List::new(place, self.option));
            self.lists.len().saturating_sub(1)
        })
    }

    /// The list in hand. Always there: `current` is only set to lists that exist.
    #[allow(clippy::indexing_slicing)] // `current` is brought below the length first
    pub fn list(&mut self) -> &mut List {
        if self.current >= self.lists.len() {
            self.current = 0;
        }
        if self.lists.is_empty() {
            self.lists.push(List::new(Place::Payload, 0));
        }
        let at = self.current;
        &mut self.lists[at]
    }

    /// Adds a test to the list in hand.
    pub fn push(&mut self, item: Item) {
        let current = self.current;
        let is_content = matches!(item, Item::Content(_));
        let list = self.list();
        list.items.push(item);
        let at = list.items.len().saturating_sub(1);
        if is_content {
            self.last_content = Some((current, at));
        }
        self.reselected = false;
    }

    pub fn push_op(&mut self, op: Op) {
        self.push(Item::Op(op));
    }

    /// Adds a relative test: without a sticky buffer it belongs where the last content went (`http_uri`).
    pub fn push_relative(&mut self, op: Op, relative: bool) {
        match self.last_content {
            Some((list, _)) if relative && self.current == 0 && list != 0 => {
                if let Some(found) = self.lists.get_mut(list) {
                    found.items.push(Item::Op(op));
                }
            }
            _ => self.push_op(op),
        }
    }

    /// The content that the modifier `name` speaks of.
    pub fn content(&mut self, name: &str) -> Result<&mut ContentDraft, Refusal> {
        let found = self.last_content.and_then(|(list, item)| {
            match self.lists.get_mut(list)?.items.get_mut(item)? {
                Item::Content(content) => Some(content),
                Item::Op(_) => None,
            }
        });
        found.ok_or_else(|| {
            Refusal::error(
                format!("`{name}` has no content before it"),
                format!("put it right behind the content it modifies: content:\"...\"; {name};"),
            )
        })
    }

    pub fn packet_test(&mut self, test: impl Fn(&super::cx::PacketCx<'_>) -> bool + Send + Sync + 'static) {
        self.rule.packet_tests.push(Box::new(PacketFn { test, late: false }));
    }

    /// A packet test on facts that may change during the packet: it runs after everything else.
    pub fn late_test(&mut self, test: impl Fn(&super::cx::PacketCx<'_>) -> bool + Send + Sync + 'static) {
        self.rule.packet_tests.push(Box::new(PacketFn { test, late: true }));
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

struct PacketFn<F> {
    test: F,
    late: bool,
}

impl<F: Fn(&super::cx::PacketCx<'_>) -> bool + Send + Sync> PacketTest for PacketFn<F> {
    fn matches(&self, cx: &super::cx::PacketCx<'_>) -> bool {
        (self.test)(cx)
    }
    fn late(&self) -> bool {
        self.late
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
