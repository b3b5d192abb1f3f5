//! Scripts of rules: `lua` and `luaxform` in a sandboxed Lua 5.4 with Suricata's script API (user guide, "Lua Scripting for
//! Detection", "Lua Libraries"). Off unless the configuration allows it.
//!
//! A script is read and its `init` run once, when rules are compiled. Each worker then has a state of its own per script, made
//! at its first call. The libraries are Lua text (prelude.lua) over few questions that `answers` answers from the packet, the
//! flow and the transaction: protocols come in by the names of their sticky buffers and integer keywords alone.

mod answers;
mod library;
mod needs;
mod settings;
mod state;
#[cfg(test)]
mod tests;

pub use needs::{Needs, Sticky};
pub use settings::Settings;

use super::cx::EvalCx;
use super::dataset::Dataset;
use super::names::Names;
use crate::app::View;
use crate::flow::Flow;
use library::Surroundings;
use mlua::{BString, Value};
use state::{Failure, State};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

/// A script as rules hold it. Immutable.
#[derive(Debug)]
pub struct Script {
    /// Its place among the scripts of the ruleset; each mention in a rule is one of its own, as in Suricata.
    pub number: u32,
    /// As the rule names it.
    pub name: String,
    source: Vec<u8>,
    settings: Arc<Settings>,
    /// byte_extract and byte_math variables of the rule that stand before it.
    variables: Vec<String>,
    pub needs: Needs,
}

/// A script as a test of a rule.
#[derive(Clone, Debug)]
pub struct ScriptTest {
    pub script: Arc<Script>,
    pub negated: bool,
    /// Under which name the script gets the bytes in hand, where it stands among the tests of a buffer.
    pub key: Option<String>,
}

/// What a call must have: `match` for rules, `transform` for luaxform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    Match,
    Transform,
}

impl Entry {
    fn function(self) -> &'static str {
        match self {
            Entry::Match => "match",
            Entry::Transform => "transform",
        }
    }
}

impl Script {
    /// Reads the script and runs its `init`. The error says what is wrong with it.
    pub fn load(
        number: u32,
        name: &str,
        source: Vec<u8>,
        settings: &Arc<Settings>,
        variables: &[String],
        entry: Entry,
    ) -> Result<Script, String> {
        let mut script = Script {
            number,
            name: name.to_owned(),
            source,
            settings: Arc::clone(settings),
            variables: variables.to_vec(),
            needs: Needs::default(),
        };
        let state = State::open(&script, entry, &Surroundings::default())?;
        script.needs = state.init(entry)?;
        Ok(script)
    }
}

/// What scripts did wrong, by the names of Suricata's `stats.detect.lua`.
#[derive(Clone, Copy, Debug, Default)]
pub struct LuaCounters {
    pub errors: u64,
    pub blocked_function_errors: u64,
    pub instruction_limit_errors: u64,
    pub memory_limit_errors: u64,
}

/// A change that a script made to the flow; done once the rule in hand is evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Effect {
    Int(u32, u32),
    Var(u32, Vec<u8>),
}

/// Values of flow variables, as those that pcre captures.
const VALUE_MAX: usize = 1024;
const VALUES_MAX: usize = 32;

/// A worker's scripts: a state each, made when first called, and what they left to do.
#[derive(Default)]
pub struct Scripts {
    states: RefCell<HashMap<u32, Option<State>>>,
    effects: RefCell<Vec<Effect>>,
    /// There are effects.
    pending: Cell<bool>,
    counters: Cell<LuaCounters>,
    around: Surroundings,
    flowints: HashMap<String, u32>,
    flowvars: HashMap<String, u32>,
}

impl Scripts {
    pub fn new(names: &Names, datasets: &[Arc<Dataset>]) -> Scripts {
        Scripts {
            around: Surroundings { datasets: Arc::new(datasets.to_vec()) },
            flowints: names.flowint_numbers().map(|(name, id)| (name.to_owned(), id)).collect(),
            flowvars: names.flowvar_numbers().map(|(name, id)| (name.to_owned(), id)).collect(),
            ..Scripts::default()
        }
    }

    /// Counts on from what was counted before.
    pub fn count_on(&self, counters: LuaCounters) {
        self.counters.set(counters);
    }

    pub fn counters(&self) -> LuaCounters {
        self.counters.get()
    }

    /// Runs a script as a test; `view` are the bytes it stands on. A script that fails matches neither way.
    pub fn holds(&self, test: &ScriptTest, cx: &EvalCx<'_>, view: Option<View<'_>>) -> bool {
        let needs = &test.script.needs;
        // As in Suricata: what a script needs and the packet lacks is no match, whatever stands before the name.
        if (needs.payload && cx.packet.payload().is_empty()) || (needs.packet && cx.packet.frame.is_empty()) {
            return false;
        }
        let result = self.with(&test.script, Entry::Match, |state| {
            state.call(cx, self, |lua| answers::arguments(lua, test, cx, view))
        });
        match result {
            Some(Value::Integer(n)) => (n == 1) != test.negated,
            Some(Value::Number(n)) => (n == 1.0) != test.negated,
            Some(_) => test.negated,
            None => false,
        }
    }

    /// What a script makes of a buffer; None: the buffer stays as it is.
    pub fn transform(&self, script: &Arc<Script>, arguments: &[String], input: &[u8]) -> Option<Vec<u8>> {
        let result = self.with(script, Entry::Transform, |state| state.transform(input, arguments));
        let (text, len): (BString, usize) = result.flatten()?;
        let mut text = Vec::from(text);
        text.truncate(len);
        Some(text)
    }

    /// Calls into the script's state; None: it failed, which is counted, and told once.
    fn with<T>(
        &self,
        script: &Arc<Script>,
        entry: Entry,
        call: impl FnOnce(&State) -> Result<T, Failure>,
    ) -> Option<T> {
        // The state is taken out for the time of the call: nothing else can enter it.
        let known = self.states.borrow_mut().remove(&script.number);
        let Some(state) = known.unwrap_or_else(|| self.open(script, entry)) else {
            self.states.borrow_mut().insert(script.number, None);
            return None;
        };
        let result = call(&state);
        if let Err(failure) = &result {
            self.count(failure);
            if !state.complained.replace(true) {
                library::tell(&script.name, "error", failure.reason.as_bytes());
            }
        }
        self.states.borrow_mut().insert(script.number, Some(state));
        result.ok()
    }

    /// None, for good: the script cannot even begin.
    fn open(&self, script: &Arc<Script>, entry: Entry) -> Option<State> {
        let opened = State::open(script, entry, &self.around).and_then(|state| state.begin().map(|()| state));
        opened
            .map_err(|reason| {
                library::tell(&script.name, "error", reason.as_bytes());
                self.count(&Failure::other(reason));
            })
            .ok()
    }

    fn count(&self, failure: &Failure) {
        let mut counters = self.counters.get();
        failure.count(&mut counters);
        self.counters.set(counters);
    }

    /// Does what scripts asked for on the flow.
    #[inline]
    pub fn settle(&self, flow: Option<&mut Flow>) {
        if self.pending.replace(false) {
            self.settle_all(flow);
        }
    }

    #[cold]
    fn settle_all(&self, flow: Option<&mut Flow>) {
        let effects = std::mem::take(&mut *self.effects.borrow_mut());
        let Some(flow) = flow else { return };
        for effect in effects {
            match effect {
                Effect::Int(id, value) => flow.detect.set_int(id, value),
                Effect::Var(id, value) => set_var(&mut flow.detect.left_mut().flowvars, id, value),
            }
        }
    }

    fn effect(&self, effect: Effect) {
        self.effects.borrow_mut().push(effect);
        self.pending.set(true);
    }
}

/// Sets a flow variable: of several values that pcre captured under one name the newest, which is the one scripts see.
fn set_var(vars: &mut Vec<(u32, Vec<u8>)>, id: u32, value: Vec<u8>) {
    let room = vars.len() < VALUES_MAX;
    match vars.iter_mut().rev().find(|(known, _)| *known == id) {
        Some(held) => held.1 = value,
        None if room => vars.push((id, value)),
        None => {}
    }
}
