//! What the engine answers a script during a call: about the packet, its flow, the rule and the transaction in hand.

use super::{Effect, ScriptTest, Scripts, VALUE_MAX};
use crate::app::file::{File, FileState};
use crate::app::{LogFor, Protocol, Transaction, View};
use crate::decode::packet::L4;
use crate::decode::Packet;
use crate::detect::buffers;
use crate::detect::cx::EvalCx;
use crate::detect::effects::Action;
use crate::detect::rule::Rule;
use crate::detect::tx_run::INSTANCES_MAX;
use crate::direction::Dir;
use crate::event::header::{date_time, legacy_date_time};
use crate::flow::Flow;
use crate::json::JsonWriter;
use crate::time::Timestamp;
use mlua::{BString, Error, FromLua, IntoLua, IntoLuaMulti, Lua, MultiValue, Result, Table, Value};

/// One call's surroundings.
pub struct Asked<'c> {
    pub cx: &'c EvalCx<'c>,
    pub scripts: &'c Scripts,
}

/// The table that `match` is called with.
pub fn arguments(lua: &Lua, test: &ScriptTest, cx: &EvalCx<'_>, view: Option<View<'_>>) -> Result<Table> {
    let args = lua.create_table()?;
    let needs = &test.script.needs;
    if needs.packet {
        args.raw_set("packet", lua.create_string(cx.packet.frame)?)?;
    }
    if needs.payload {
        args.raw_set("payload", lua.create_string(cx.packet.payload())?)?;
    }
    for sticky in &needs.sticky {
        let found = read(cx, sticky.buffer, 0, sticky.dir);
        if let Some(found) = found.filter(|_| test.key.as_ref() != Some(&sticky.key)) {
            args.raw_set(sticky.key.as_str(), lua.create_string(found.data)?)?;
        }
    }
    if let (Some(key), Some(view)) = (&test.key, view) {
        args.raw_set(key.as_str(), lua.create_string(view.data)?)?;
        args.raw_set("offset", view.offset)?;
    }
    Ok(args)
}

/// Instance `index` of a sticky buffer; without `dir` in the direction in hand, or the only one it exists in.
fn read<'c>(cx: &'c EvalCx<'_>, buffer: u16, index: usize, dir: Option<Dir>) -> Option<View<'c>> {
    let (tx, protocol) = cx.tx?;
    let (buffer, local) = buffers::all().get(usize::from(buffer))?.of(protocol)?;
    let usual = if buffer.progress[cx.dir].is_some() { cx.dir } else { cx.dir.opposite() };
    let dir = dir.unwrap_or(usual);
    if index > 0 && !buffer.multi {
        return None;
    }
    buffer.progress[dir].and_then(|_| buffers::read(tx, local, index, dir))
}

/// Argument `at` of a question.
fn argument<T: FromLua>(lua: &Lua, rest: &MultiValue, at: usize) -> Result<T> {
    T::from_lua(rest.get(at).cloned().unwrap_or(Value::Nil), lua)
}

fn direction(lua: &Lua, rest: &MultiValue, at: usize) -> Result<Option<Dir>> {
    match argument::<Option<String>>(lua, rest, at)?.as_deref() {
        None => Ok(None),
        Some("to_server" | "toserver") => Ok(Some(Dir::ToServer)),
        Some("to_client" | "toclient") => Ok(Some(Dir::ToClient)),
        Some(other) => Err(Error::runtime(format!("`{other}` is no direction; use to_server or to_client"))),
    }
}

impl Asked<'_> {
    pub fn answer(&self, lua: &Lua, what: &str, rest: &MultiValue) -> Result<MultiValue> {
        match what.split_once('.') {
            Some(("packet", what)) => packet(lua, self.cx.packet, what),
            Some(("flow", what)) => match self.cx.flow {
                Some(flow) => flow_facts(lua, flow, what),
                None => none(),
            },
            Some(("rule", what)) => match self.cx.rule {
                Some(rule) => rule_facts(lua, rule, what),
                None => none(),
            },
            _ => self.more(lua, what, rest),
        }
    }

    fn more(&self, lua: &Lua, what: &str, rest: &MultiValue) -> Result<MultiValue> {
        match what {
            "flowint" => self.int(&argument::<Option<String>>(lua, rest, 0)?).into_lua_multi(lua),
            "flowint_set" => {
                let name: Option<String> = argument(lua, rest, 0)?;
                let value = u32::try_from(argument::<i64>(lua, rest, 1)?.max(0)).unwrap_or(u32::MAX);
                if let Some(id) = name.and_then(|name| self.scripts.flowints.get(&name).copied()) {
                    self.scripts.effect(Effect::Int(id, value));
                }
                value.into_lua_multi(lua)
            }
            "flowvar" => {
                let name: Option<String> = argument(lua, rest, 0)?;
                self.var(&name).map(BString::from).into_lua_multi(lua)
            }
            "flowvar_set" => {
                let name: Option<String> = argument(lua, rest, 0)?;
                let mut value = Vec::from(argument::<BString>(lua, rest, 1)?);
                value.truncate(VALUE_MAX);
                if let Some(id) = name.and_then(|name| self.scripts.flowvars.get(&name).copied()) {
                    self.scripts.effect(Effect::Var(id, value));
                }
                none()
            }
            "bytevar" => {
                let name: Option<String> = argument(lua, rest, 0)?;
                let names = self.cx.rule.map_or(&[][..], |rule| &rule.variables);
                let at = name.and_then(|name| names.iter().position(|known| *known == name));
                let value = at.and_then(|at| self.cx.variables.get(at)).copied();
                // Lua's integers are signed; the bits are the same.
                value.map(|n| n as i64).into_lua_multi(lua)
            }
            _ => self.transaction(lua, what, rest),
        }
    }

    /// The value of a flowint, with what the script itself has just set.
    fn int(&self, name: &Option<String>) -> Option<u32> {
        let id = self.scripts.flowints.get(name.as_ref()?).copied()?;
        let effects = self.scripts.effects.borrow();
        let set = effects.iter().rev().find_map(|effect| match effect {
            Effect::Int(known, value) if *known == id => Some(*value),
            _ => None,
        });
        set.or_else(|| self.cx.flow?.detect.int(id))
    }

    fn var(&self, name: &Option<String>) -> Option<Vec<u8>> {
        let id = self.scripts.flowvars.get(name.as_ref()?).copied()?;
        let effects = self.scripts.effects.borrow();
        let set = effects.iter().rev().find_map(|effect| match effect {
            Effect::Var(known, value) if *known == id => Some(value.clone()),
            _ => None,
        });
        let held = || {
            let vars = &self.cx.flow?.detect.left().flowvars;
            vars.iter().rev().find(|(known, _)| *known == id).map(|(_, value)| value.clone())
        };
        set.or_else(held)
    }

    fn transaction(&self, lua: &Lua, what: &str, rest: &MultiValue) -> Result<MultiValue> {
        let Some((tx, protocol)) = self.cx.tx else {
            return match what {
                "buffers" => lua.create_table()?.into_lua_multi(lua),
                "provides" => false.into_lua_multi(lua),
                _ => none(),
            };
        };
        match what {
            "protocol" => protocol.get().name.into_lua_multi(lua),
            "tx_id" => tx.meta().id.into_lua_multi(lua),
            "provides" => {
                let name: String = argument(lua, rest, 0)?;
                let entry = buffers::find(&name).and_then(|at| buffers::all().get(usize::from(at)));
                entry.is_some_and(|entry| entry.of(protocol).is_some()).into_lua_multi(lua)
            }
            "buffer" | "buffers" => {
                let name: String = argument(lua, rest, 0)?;
                let dir = direction(lua, rest, 1)?;
                let buffer = buffers::find(&name)
                    .ok_or_else(|| Error::runtime(format!("`{name}` is no sticky buffer")))?;
                if what == "buffer" {
                    return match read(self.cx, buffer, 0, dir) {
                        Some(view) => (lua.create_string(view.data)?, view.offset).into_lua_multi(lua),
                        None => none(),
                    };
                }
                let list = lua.create_table()?;
                // As many instances as rules look at.
                for index in 0..usize::from(INSTANCES_MAX) {
                    let Some(view) = read(self.cx, buffer, index, dir) else { break };
                    list.raw_push(lua.create_string(view.data)?)?;
                }
                list.into_lua_multi(lua)
            }
            "number" => {
                let name: String = argument(lua, rest, 0)?;
                let dir = direction(lua, rest, 1)?.unwrap_or(self.cx.dir);
                let index = argument::<Option<usize>>(lua, rest, 2)?.unwrap_or(0);
                tx.number_at(&name, index, dir).map(|n| n as i64).into_lua_multi(lua)
            }
            "record" => record(lua, tx, protocol.get())?.into_lua_multi(lua),
            "file" => match tx.files(self.cx.dir).iter().enumerate().next_back() {
                Some((at, file)) => file_facts(lua, tx, at, file)?.into_lua_multi(lua),
                None => none(),
            },
            _ => Err(Error::runtime(format!("the engine has no answer to `{what}`"))),
        }
    }
}

fn none() -> Result<MultiValue> {
    Ok(MultiValue::from_iter([Value::Nil]))
}

fn packet(lua: &Lua, packet: &Packet<'_>, what: &str) -> Result<MultiValue> {
    let has_ports = matches!(packet.l4, L4::Tcp(_) | L4::Udp | L4::Sctp);
    match what {
        "payload" => lua.create_string(packet.payload())?.into_lua_multi(lua),
        "packet" => lua.create_string(packet.frame)?.into_lua_multi(lua),
        "pcap_cnt" => packet.number.into_lua_multi(lua),
        "timestamp" => (packet.ts.seconds(), packet.ts.subsec_micros()).into_lua_multi(lua),
        "timestring_legacy" => legacy_date_time(packet.ts).into_lua_multi(lua),
        "timestring_iso8601" => date_time(packet.ts).into_lua_multi(lua),
        "sp" => has_ports.then_some(packet.src_port).into_lua_multi(lua),
        "dp" => has_ports.then_some(packet.dst_port).into_lua_multi(lua),
        "tuple" if packet.ip_version != 0 => {
            let version = packet.ip_version;
            let last = match packet.l4 {
                L4::Icmp { kind, code, .. } => (u16::from(kind), u16::from(code)),
                _ => (packet.src_port, packet.dst_port),
            };
            let ends = (packet.src.display(version), packet.dst.display(version));
            (version, ends.0, ends.1, packet.proto, last.0, last.1).into_lua_multi(lua)
        }
        _ => none(),
    }
}

fn flow_facts(lua: &Lua, flow: &Flow, what: &str) -> Result<MultiValue> {
    let time = |ts: Timestamp| (ts.seconds(), ts.subsec_micros());
    match what {
        "id" => (flow.id as i64).into_lua_multi(lua),
        "has_alerts" => flow.alerted.into_lua_multi(lua),
        "timestamps" => {
            let ((start, start_micros), (last, last_micros)) = (time(flow.start), time(flow.last));
            (start, last, start_micros, last_micros).into_lua_multi(lua)
        }
        "timestring_legacy" => legacy_date_time(flow.start).into_lua_multi(lua),
        "timestring_iso8601" => date_time(flow.start).into_lua_multi(lua),
        "stats" => {
            let (to_server, to_client) = (Dir::ToServer, Dir::ToClient);
            (flow.packets[to_server], flow.bytes[to_server], flow.packets[to_client], flow.bytes[to_client])
                .into_lua_multi(lua)
        }
        "tuple" => {
            let last = match flow.icmp {
                Some((icmp_type, code)) => (u16::from(icmp_type), u16::from(code)),
                None => (flow.src_port, flow.dst_port),
            };
            let version = flow.ip_version;
            let ends = (flow.src.display(version), flow.dst.display(version));
            (version, ends.0, ends.1, flow.proto, last.0, last.1).into_lua_multi(lua)
        }
        "app_layer_proto" => {
            let app = &flow.app;
            let name = |id: Option<crate::app::ProtocolId>| id.map_or("unknown", |id| id.get().name);
            let known = if app.protocol.is_none() && app.failed() { "failed" } else { name(app.protocol) };
            let seen = (name(app.seen[Dir::ToServer]), name(app.seen[Dir::ToClient]));
            (known, seen.0, seen.1, name(app.original), name(app.expected)).into_lua_multi(lua)
        }
        _ => none(),
    }
}

fn rule_facts(lua: &Lua, rule: &Rule, what: &str) -> Result<MultiValue> {
    match what {
        "sid" => rule.sid.into_lua_multi(lua),
        "gid" => rule.gid.into_lua_multi(lua),
        "rev" => rule.rev.into_lua_multi(lua),
        "msg" => rule.texts.msg().into_lua_multi(lua),
        "class" => (&*rule.class_description, rule.priority).into_lua_multi(lua),
        "class_description" => (&*rule.class_description).into_lua_multi(lua),
        "priority" => rule.priority.into_lua_multi(lua),
        "action" => {
            let name = match rule.action {
                Action::Alert => "alert",
                Action::Pass => "pass",
                Action::Drop => "drop",
                Action::Reject => "reject",
            };
            name.into_lua_multi(lua)
        }
        _ => none(),
    }
}

/// The transaction's EVE object as a table.
fn record(lua: &Lua, tx: &dyn Transaction, protocol: &Protocol) -> Result<Value> {
    if protocol.record.is_empty() {
        return Ok(Value::Nil);
    }
    let mut out = JsonWriter::new();
    out.open();
    tx.log(&mut out, LogFor::Record);
    out.close();
    let json: serde_json::Value = serde_json::from_slice(out.as_bytes()).map_err(Error::external)?;
    from_json(lua, &json)
}

fn from_json(lua: &Lua, json: &serde_json::Value) -> Result<Value> {
    use serde_json::Value as Json;
    match json {
        Json::Null => Ok(Value::Nil),
        Json::Bool(b) => Ok(Value::Boolean(*b)),
        Json::Number(n) => match (n.as_i64(), n.as_u64(), n.as_f64()) {
            (Some(n), ..) => n.into_lua(lua),
            (_, Some(n), _) => (n as i64).into_lua(lua),
            (_, _, n) => n.into_lua(lua),
        },
        Json::String(text) => text.as_str().into_lua(lua),
        Json::Array(items) => {
            let list = lua.create_table_with_capacity(items.len(), 0)?;
            for item in items {
                list.raw_push(from_json(lua, item)?)?;
            }
            list.into_lua(lua)
        }
        Json::Object(members) => {
            let table = lua.create_table_with_capacity(0, members.len())?;
            for (key, value) in members {
                table.raw_set(key.as_str(), from_json(lua, value)?)?;
            }
            table.into_lua(lua)
        }
    }
}

fn file_facts(lua: &Lua, tx: &dyn Transaction, id: usize, file: &File) -> Result<Table> {
    let facts = lua.create_table()?;
    facts.raw_set("file_id", id)?;
    facts.raw_set("tx_id", tx.meta().id)?;
    facts.raw_set("name", lua.create_string(&file.name)?)?;
    facts.raw_set("size", file.size)?;
    facts.raw_set("magic", file.magic())?;
    let state = match file.state {
        FileState::Open => "OPENED",
        other => other.eve_name(),
    };
    facts.raw_set("get_state", state)?;
    facts.raw_set("is_stored", !file.sids.is_empty())?;
    if let Some(sums) = file.sums() {
        facts.raw_set("md5", sums.md5.map(|sum| crate::app::digest::hex(&sum)))?;
        facts.raw_set("sha1", sums.sha1.map(|sum| crate::app::digest::hex(&sum)))?;
        facts.raw_set("sha256", sums.sha256.map(|sum| crate::app::digest::hex(&sum)))?;
    }
    Ok(facts)
}
