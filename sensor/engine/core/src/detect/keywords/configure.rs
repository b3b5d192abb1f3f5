//! config: what a matching rule changes in how a flow or transaction is logged (Suricata manual, "Config Rules").

use super::{Keyword, Kind};
use crate::decode::Packet;
use crate::detect::builder::{some_value, RuleBuilder};
use crate::detect::diagnostic::Refusal;
use crate::detect::rule::{OnMatch, Unlogged};
use crate::flow::Flow;

pub static CONFIG: Keyword = Keyword {
    name: "config",
    kind: Kind::Meta,
    doc: "Leaves something out of the log: `logging disable, type tx, scope tx` the record of the transaction that matched, \
          `type flow, scope flow` the event at the flow's end. The action `config` in the header raises no alert.",
    example: "dns.query; content:\"a\"; config:logging disable, type tx, scope tx;",
    accepts: &[
        "dns.query; content:\"a\"; config:logging disable, type tx, scope tx;",
        "config: logging disable, type flow, scope flow;",
    ],
    refuses: &[
        "config;",
        "config:logging enable, type tx, scope tx;",
        "dns.query; content:\"a\"; config:logging disable;",
        "dns.query; content:\"a\"; config:logging disable, type flow, scope tx;",
        "config:logging disable, type tx, scope tx;",
    ],
    parse,
    ..Keyword::EMPTY
};

fn parse(rule: &mut RuleBuilder<'_>, value: Option<&str>) -> Result<(), Refusal> {
    let value = some_value("config", value, "logging disable, type tx, scope tx")?;
    let words: Vec<&str> = value.split(',').flat_map(str::split_whitespace).collect();
    match words.as_slice() {
        ["logging", "disable", "type", "tx", "scope", "tx"] => {
            rule.rule.unlogged = Some(Unlogged::Tx);
            Ok(())
        }
        ["logging", "disable", "type", "flow", "scope", "flow"] => {
            rule.rule.unlogged = Some(Unlogged::Flow);
            rule.rule.on_match.push(Box::new(LeaveFlowOut));
            Ok(())
        }
        _ => Err(Refusal::error(
            format!("`{value}` is nothing a rule can change"),
            "write config:logging disable, type tx, scope tx; or config:logging disable, type flow, scope flow;",
        )),
    }
}

struct LeaveFlowOut;

impl OnMatch for LeaveFlowOut {
    fn apply(&self, _packet: &Packet<'_>, flow: Option<&mut Flow>, _captures: &[(u32, Vec<u8>)]) {
        if let Some(flow) = flow {
            flow.detect.unlogged = true;
        }
    }
}
