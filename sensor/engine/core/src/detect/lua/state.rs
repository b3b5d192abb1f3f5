//! One script's Lua state: what it may use, how much of it, and how a call into it ends.

use super::answers::Asked;
use super::library::{self, Surroundings};
use super::{Entry, LuaCounters, Needs, Script, Scripts};
use crate::detect::buffers;
use crate::detect::cx::EvalCx;
use mlua::{
    BString, ChunkMode, Error, Function, HookTriggers, Lua, LuaOptions, MultiValue, StdLib, Table, Value,
    VmState,
};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;

/// Functions of Lua's base library that scripts do not get (Suricata manual, "Lua Sandbox and Available functions").
const BLOCKED: &[&str] =
    &["collectgarbage", "dofile", "getmetatable", "load", "loadfile", "pcall", "setmetatable", "xpcall"];

/// How often the count of instructions is looked at.
const INSTRUCTIONS_STEP: u32 = 1000;

/// What a script may take while it is loaded, whatever a call may: enough to compile it and to fill its tables.
const LOAD_CALLS: u64 = 10;

/// Why a call failed.
#[derive(Debug)]
pub struct Failure {
    pub reason: String,
    blocked: bool,
    instructions: bool,
    memory: bool,
}

impl Failure {
    pub fn other(reason: String) -> Failure {
        Failure { reason, blocked: false, instructions: false, memory: false }
    }

    pub fn count(&self, counters: &mut LuaCounters) {
        let add = |to: &mut u64, when: bool| *to = to.saturating_add(u64::from(when));
        add(&mut counters.errors, true);
        add(&mut counters.blocked_function_errors, self.blocked);
        add(&mut counters.instruction_limit_errors, self.instructions);
        add(&mut counters.memory_limit_errors, self.memory);
    }
}

/// What the limits saw in the call in hand; the state's hooks write it.
#[derive(Default)]
struct Watch {
    instructions: AtomicU64,
    limit: AtomicU64,
    over: AtomicBool,
    blocked: AtomicBool,
}

pub struct State {
    lua: Lua,
    function: Option<Function>,
    slot: Table,
    watch: Arc<Watch>,
    max_instructions: u64,
    /// Its first failure was told.
    pub complained: Cell<bool>,
}

impl State {
    /// A state with the script's text run in it. The error says what is wrong with the script.
    pub fn open(script: &Script, entry: Entry, around: &Surroundings) -> Result<State, String> {
        let settings = &script.settings;
        let watch = Arc::new(Watch::default());
        let made = make(script, around, &watch);
        let (lua, slot) = made.map_err(|e| e.to_string())?;
        let mut state = State {
            lua,
            function: None,
            slot,
            watch,
            max_instructions: settings.max_instructions,
            complained: Cell::new(false),
        };
        let chunk = state.lua.load(script.source.as_slice()).set_name(format!("@{}", script.name));
        let run = || chunk.set_mode(ChunkMode::Text).exec();
        state.watched(LOAD_CALLS, run).map_err(|failure| failure.reason)?;
        let function: Value = state.lua.globals().raw_get(entry.function()).map_err(|e| e.to_string())?;
        let Value::Function(function) = function else {
            return Err(format!("there is no function `{}` in it", entry.function()));
        };
        state.function = Some(function);
        Ok(state)
    }

    /// Runs `init`, which luaxform scripts need not have, and reads what it returns and registers.
    pub fn init(&self, entry: Entry) -> Result<Needs, String> {
        let text = |e: Error| e.to_string();
        let init: Value = self.lua.globals().raw_get("init").map_err(text)?;
        let mut needs = match (init, entry) {
            (Value::Function(init), _) => {
                let sig = self.lua.create_table().map_err(text)?;
                match self.watched(LOAD_CALLS, || init.call::<Value>(sig)).map_err(|f| f.reason)? {
                    Value::Table(table) if entry == Entry::Match => Needs::read(&table)?,
                    _ if entry == Entry::Match => return Err("init does not return a table".to_owned()),
                    _ => Needs::default(),
                }
            }
            (_, Entry::Transform) => Needs::default(),
            _ => return Err("there is no function `init` in it".to_owned()),
        };
        let listed = |name: &str| -> Result<Vec<String>, String> {
            let list: Table = self.slot.raw_get(name).map_err(text)?;
            Ok(list.sequence_values::<String>().filter_map(Result::ok).collect())
        };
        needs.flowints.extend(listed("flowint")?);
        needs.flowvars.extend(listed("flowvar")?);
        needs.wants.extend(listed("wants")?.iter().filter_map(|name| buffers::find(name)));
        Ok(needs)
    }

    /// Readies the state for calls: `thread_init`, where the script has it.
    pub fn begin(&self) -> Result<(), String> {
        let begin: Value = self.lua.globals().raw_get("thread_init").map_err(|e| e.to_string())?;
        match begin {
            Value::Function(begin) => {
                self.watched(LOAD_CALLS, || begin.call::<()>(Value::Nil)).map_err(|f| f.reason)
            }
            _ => Ok(()),
        }
    }

    /// Calls `match`: `arguments` makes what it is given, and for the time of the call its questions are answered.
    pub fn call(
        &self,
        cx: &EvalCx<'_>,
        scripts: &Scripts,
        arguments: impl FnOnce(&Lua) -> mlua::Result<Table>,
    ) -> Result<Value, Failure> {
        self.watched(1, || {
            let asked = Asked { cx, scripts };
            self.lua.scope(|scope| {
                let answer = |lua: &Lua, (what, rest): (String, MultiValue)| asked.answer(lua, &what, &rest);
                self.slot.raw_set("ask", scope.create_function(answer)?)?;
                let result = match &self.function {
                    Some(function) => arguments(&self.lua).and_then(|args| function.call::<Value>(args)),
                    None => Ok(Value::Nil),
                };
                self.slot.raw_set("ask", Value::Nil)?;
                result
            })
        })
    }

    /// Calls `transform`; None: it did not return a text and its length.
    pub fn transform(&self, input: &[u8], arguments: &[String]) -> Result<Option<(BString, usize)>, Failure> {
        self.watched(1, || {
            let Some(function) = &self.function else { return Ok(None) };
            let given = self.lua.create_sequence_from(arguments.iter().map(String::as_str))?;
            let (text, len): (Value, Value) = function.call((self.lua.create_string(input)?, given))?;
            let (Value::String(text), Some(len)) = (text, len.as_i64().and_then(|n| usize::try_from(n).ok()))
            else {
                return Ok(None);
            };
            Ok(Some((BString::from(text.as_bytes().to_vec()), len)))
        })
    }

    /// Runs something under the limits of `calls` calls.
    fn watched<T>(&self, calls: u64, run: impl FnOnce() -> mlua::Result<T>) -> Result<T, Failure> {
        let watch = &self.watch;
        watch.instructions.store(0, Ordering::Relaxed);
        watch.limit.store(self.max_instructions.saturating_mul(calls), Ordering::Relaxed);
        watch.over.store(false, Ordering::Relaxed);
        watch.blocked.store(false, Ordering::Relaxed);
        run().map_err(|error| Failure {
            reason: first_line(&error),
            blocked: watch.blocked.load(Ordering::Relaxed),
            instructions: watch.over.load(Ordering::Relaxed),
            memory: is_memory(&error),
        })
    }
}

/// The sandbox with the libraries in it, and the table through which both sides meet.
fn make(script: &Script, around: &Surroundings, watch: &Arc<Watch>) -> mlua::Result<(Lua, Table)> {
    let settings = &script.settings;
    let libs = match settings.restricted {
        true => StdLib::ALL_SAFE,
        false => StdLib::TABLE | StdLib::STRING | StdLib::UTF8 | StdLib::MATH,
    };
    let lua = Lua::new_with(libs, LuaOptions::default())?;
    let slot = lua.create_table()?;
    for (name, list) in [
        ("flowint", &script.needs.flowints),
        ("flowvar", &script.needs.flowvars),
        ("bytevar", &script.needs.bytevars),
        ("wants", &Vec::new()),
    ] {
        slot.raw_set(name, lua.create_sequence_from(list.iter().map(String::as_str))?)?;
    }
    let variables = lua.create_table()?;
    for name in &script.variables {
        variables.raw_set(name.as_str(), true)?;
    }
    slot.raw_set("variables", variables)?;
    let globals = lua.globals();
    slot.raw_set("require", globals.raw_get::<Value>("require")?)?;
    let rust = library::table(&lua, &script.name, settings, around)?;
    let prelude = lua.load(include_str!("prelude.lua")).set_name("=prelude");
    let base: Table = prelude.call((rust.clone(), slot.clone()))?;
    for (name, text) in [("=protocols", include_str!("protocols.lua")), ("=older", include_str!("older.lua"))]
    {
        lua.load(text).set_name(name).call::<()>((rust.clone(), slot.clone(), base.clone()))?;
    }
    if !settings.restricted {
        for name in BLOCKED {
            let watch = Arc::clone(watch);
            let blocked = move |_: &Lua, _: MultiValue| -> mlua::Result<()> {
                watch.blocked.store(true, Ordering::Relaxed);
                Err(Error::runtime(format!("Blocked Lua function called: {name}")))
            };
            globals.raw_set(*name, lua.create_function(blocked)?)?;
        }
    }
    let watch = Arc::clone(watch);
    lua.set_global_hook(HookTriggers::new().every_nth_instruction(INSTRUCTIONS_STEP), move |_, _| {
        let before = watch.instructions.fetch_add(u64::from(INSTRUCTIONS_STEP), Ordering::Relaxed);
        if before.saturating_add(u64::from(INSTRUCTIONS_STEP)) > watch.limit.load(Ordering::Relaxed) {
            watch.over.store(true, Ordering::Relaxed);
            return Err(Error::runtime("Instruction limit exceeded"));
        }
        Ok(VmState::Continue)
    })?;
    // The libraries are not the script's to pay for.
    lua.gc_collect()?;
    lua.set_memory_limit(lua.used_memory().saturating_add(settings.max_bytes))?;
    Ok((lua, slot))
}

/// What happened, without the trace of calls.
fn first_line(error: &Error) -> String {
    match error {
        Error::CallbackError { cause, .. } => first_line(cause),
        Error::RuntimeError(text) | Error::MemoryError(text) | Error::SyntaxError { message: text, .. } => {
            text.lines().next().unwrap_or_default().to_owned()
        }
        other => other.to_string().lines().next().unwrap_or_default().to_owned(),
    }
}

fn is_memory(error: &Error) -> bool {
    match error {
        Error::MemoryError(_) => true,
        Error::CallbackError { cause, .. } => is_memory(cause),
        _ => false,
    }
}
