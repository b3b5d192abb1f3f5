//! lua and luaxform: scripts that test and transform (Suricata manual, "Lua Scripting for Detection"). How scripts run is in
//! detect::lua.

use super::file_hash::places;
use super::{text, Keyword, Kind};
use crate::app::{ProtocolId, Transaction};
use crate::detect::buffers;
use crate::detect::builder::{some_value, Item, List, Place, RuleBuilder};
use crate::detect::cx::EvalCx;
use crate::detect::diagnostic::{Refusal, Severity};
use crate::detect::endpoints::Arrow;
use crate::detect::lua::{Entry, Script, ScriptTest};
use crate::detect::program::Op;
use crate::detect::rule::TxTest;
use crate::detect::transforms::LuaTransform;
use crate::direction::Dir;
use std::sync::Arc;

/// Arguments of luaxform, as in Suricata.
const ARGUMENTS_MAX: usize = 10;

/// A script is a page of text; what is larger is something else.
const SCRIPT_BYTES_MAX: u64 = 1 << 20;

pub static LUA: Keyword = Keyword {
    name: "lua",
    kind: Kind::Payload,
    doc: "A script decides: [!]FILE, in `default-rule-path` or beside the rules. Its `init` says what it is given, its \
          `match` returns 1 or 0, in a sandbox with Suricata's script API. Needs `security.lua.allow-rules: yes` in the \
          configuration; without it the rule is skipped.",
    example: "lua:script.lua;",
    refuses: &["lua;", "lua:!;"],
    parse,
    ..Keyword::EMPTY
};

pub static LUAXFORM: Keyword = Keyword {
    name: "luaxform",
    kind: Kind::Transform,
    doc: "The buffer becomes what a script's `transform(input, args)` returns, a text and its length: FILE[, ARGUMENT ...]. \
          Needs `security.lua.allow-rules: yes` in the configuration; without it the rule is skipped.",
    example: "http.uri; luaxform:transform.lua, bytes 4; content:\"abc\";",
    refuses: &["luaxform;", "luaxform:transform.lua;"],
    parse: |rule, value| {
        let value = some_value("luaxform", value, "transform.lua")?;
        let mut parts = value.split(',').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let arguments: Vec<String> = parts.map(str::to_owned).collect();
        if arguments.len() > ARGUMENTS_MAX {
            return Err(Refusal::error(
                format!("luaxform has {} arguments, and takes {ARGUMENTS_MAX}", arguments.len()),
                "write fewer, or put them into one",
            ));
        }
        let script = load(rule, "luaxform", name, Entry::Transform)?;
        rule.transform(Box::new(LuaTransform { script, arguments }))
    },
    ..Keyword::EMPTY
};

/// Finds, reads and tries the script.
fn load(rule: &mut RuleBuilder<'_>, keyword: &str, name: &str, entry: Entry) -> Result<Arc<Script>, Refusal> {
    if name.is_empty() {
        return Err(Refusal::error(
            format!("`{keyword}` names no script"),
            format!("write {keyword}:script.lua;"),
        ));
    }
    if !rule.shared.outside().lua.allowed {
        return Err(Refusal {
            severity: Severity::Skip,
            reason: format!("`{keyword}` needs `security.lua.allow-rules: yes` in the configuration"),
            fix: "set it once you trust the scripts of your rules".to_owned(),
        });
    }
    let all = places(rule, name);
    let fix = "name a file in default-rule-path or beside the rules file";
    let Some(path) = all.iter().find(|path| path.is_file()) else {
        return Err(Refusal::error(format!("there is no script `{name}`"), fix));
    };
    let unreadable = |why: String| Refusal::error(format!("{}: {why}", path.display()), fix);
    let size = std::fs::metadata(path).map_err(|e| unreadable(e.to_string()))?.len();
    if size > SCRIPT_BYTES_MAX {
        return Err(unreadable(format!("{size} bytes are no script; {SCRIPT_BYTES_MAX} are the most")));
    }
    let source = std::fs::read(path).map_err(|e| unreadable(e.to_string()))?;
    let outside = rule.shared.outside();
    let number = outside.scripts;
    outside.scripts = number.saturating_add(1);
    let settings = Arc::clone(&outside.lua);
    let script = Script::load(number, name, source, &settings, &rule.rule.variables, entry);
    let script =
        script.map_err(|why| Refusal::error(format!("script `{name}`: {why}"), "mend the script"))?;
    for name in &script.needs.flowints {
        rule.shared.flowints.number(name);
    }
    for name in &script.needs.flowvars {
        rule.shared.flowvars.number(&format!("flow:{name}"));
    }
    Ok(Arc::new(script))
}

fn parse(rule: &mut RuleBuilder<'_>, value: Option<&str>) -> Result<(), Refusal> {
    let (negated, name) = text::negation(some_value("lua", value, "script.lua")?);
    let script = load(rule, "lua", name.trim(), Entry::Match)?;
    let needs = script.needs.clone();
    let test =
        |key: Option<&str>| ScriptTest { script: Arc::clone(&script), negated, key: key.map(str::to_owned) };
    for name in needs.names() {
        rule.shared.files.magic |= name == buffers::MAGIC_NAME;
        rule.rule.asked.push(name);
    }
    if !needs.protocols.is_empty() {
        rule.limits.push((needs.protocols.clone(), format!("lua:{name}")));
    }
    if let Some(dir) = needs.dir.filter(|_| rule.rule.arrow != Arrow::Transaction) {
        rule.implied_dirs.push((dir, format!("lua:{name}")));
    }
    if needs.buffer {
        if rule.current == 0 {
            return Err(Refusal::error(
                "the script needs a buffer, and no sticky buffer is selected",
                "select one before, e.g. http.uri; lua:script.lua;",
            ));
        }
        rule.push_op(Op::Script(test(Some("buffer"))));
    } else if needs.stream {
        if let Some(payload) = rule.lists.first_mut() {
            payload.items.push(Item::Op(Op::Script(test(Some("stream")))));
        }
    } else if let Some(sticky) = needs.sticky.first() {
        // A list of its own: what stands before and behind the keyword goes on with the buffer it had.
        let mut list = List::new(Place::App(sticky.buffer), rule.option);
        list.dir = sticky.dir;
        list.items.push(Item::Op(Op::Script(test(Some(&sticky.key)))));
        rule.lists.push(list);
        if let Some(dir) = sticky.dir.filter(|_| rule.rule.arrow != Arrow::Transaction) {
            rule.implied_dirs.push((dir, sticky.key.clone()));
        }
    } else {
        let about_packets = needs.packet || needs.payload;
        let about_protocol = !needs.protocols.is_empty()
            || (!about_packets && (!rule.rule.protocols.is_empty() || rule.rule.arrow == Arrow::Transaction));
        if about_protocol {
            rule.rule.tx_tests.push(Box::new(OnTransactions));
        } else {
            // Every packet counts: without a test of packets the rule would be one about addresses alone.
            rule.packet_test(|_| true);
        }
        rule.rule.scripts.push(test(None));
    }
    Ok(())
}

/// Makes the rule one about transactions; the script is asked whenever something of one is new.
struct OnTransactions;

impl TxTest for OnTransactions {
    fn dir(&self) -> Option<Dir> {
        None
    }
    fn progress(&self) -> u8 {
        0
    }
    fn protocol(&self) -> Option<ProtocolId> {
        None
    }
    fn matches(&self, _tx: &dyn Transaction, _dir: Dir, _cx: &EvalCx<'_>) -> bool {
        true
    }
}
