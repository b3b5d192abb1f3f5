//! flowbits and flowint: what one rule leaves on the flow for another.

use super::{Keyword, Kind};
use crate::decode::Packet;
use crate::detect::builder::{some_value, RuleBuilder};
use crate::detect::diagnostic::Refusal;
use crate::detect::rule::OnMatch;
use crate::flow::Flow;

pub static FLOWBITS: Keyword = Keyword {
    name: "flowbits",
    kind: Kind::Flow,
    doc: "Named bits on the flow: set, unset, toggle, isset and isnotset (a|b = one of them), noalert.",
    example: "flowbits:set,seen.login; flowbits:noalert;",
    accepts: &[
        "flowbits:set,a;",
        "flowbits:unset, a;",
        "flowbits:toggle,a;",
        "flowbits:isset,a|b;",
        "flowbits:isnotset,a;",
        "flowbits:noalert;",
    ],
    refuses: &["flowbits;", "flowbits:set;", "flowbits:foo,a;", "flowbits:noalert,a;"],
    parse: flowbits,
    ..Keyword::EMPTY
};

#[derive(Clone, Copy)]
enum Change {
    Set,
    Unset,
    Toggle,
}

struct ChangeBit(Change, u32);

impl OnMatch for ChangeBit {
    fn apply(&self, _packet: &Packet<'_>, flow: Option<&mut Flow>, _captures: &[(u32, Vec<u8>)]) {
        let Some(flow) = flow else { return };
        let on = match self.0 {
            Change::Set => true,
            Change::Unset => false,
            Change::Toggle => !flow.detect.bit(self.1),
        };
        if on {
            flow.detect.set_bit(self.1);
        } else {
            flow.detect.unset_bit(self.1);
        }
    }
}

fn flowbits(rule: &mut RuleBuilder<'_>, value: Option<&str>) -> Result<(), Refusal> {
    let value = some_value("flowbits", value, "set,name")?;
    let (command, name) =
        value.split_once(',').map_or((value.trim(), None), |(c, n)| (c.trim(), Some(n.trim())));
    if command == "noalert" {
        if name.is_some() {
            return Err(Refusal::error("flowbits:noalert takes no name", "write flowbits:noalert;"));
        }
        rule.rule.noalert = true;
        return Ok(());
    }
    let name = name.filter(|n| !n.is_empty()).ok_or_else(|| {
        Refusal::error(format!("flowbits:{command} has no name"), format!("write flowbits:{command},name;"))
    })?;
    let change = match command {
        "set" => Change::Set,
        "unset" => Change::Unset,
        "toggle" => Change::Toggle,
        "isset" | "isnotset" => {
            let ids: Vec<u32> = name.split('|').map(|n| rule.shared.flowbits.number(n.trim())).collect();
            rule.rule.bits_read.extend(&ids);
            let wanted = command == "isset";
            rule.packet_test(move |cx| {
                cx.flow.is_some_and(|flow| ids.iter().any(|id| flow.detect.bit(*id) == wanted))
            });
            return Ok(());
        }
        _ => {
            return Err(Refusal::error(
                format!("`{command}` is no flowbits command"),
                "use set, unset, toggle, isset, isnotset or noalert",
            ));
        }
    };
    if name.contains('|') {
        rule.warn("a|b is one name here: only isset and isnotset take alternatives");
    }
    let id = rule.shared.flowbits.number(name);
    rule.rule.bits_set.push(id);
    rule.rule.on_match.push(Box::new(ChangeBit(change, id)));
    Ok(())
}

pub static FLOWINT: Keyword = Keyword {
    name: "flowint",
    kind: Kind::Flow,
    doc: "Named counters on the flow: name,+|-|=,value changes; name,==|!=|<|<=|>|>=,value and name,isset|notset test.",
    example: "flowint:logins,+,1; flowint:logins,>,5;",
    accepts: &[
        "flowint:n,+,1;",
        "flowint: n, =, 0;",
        "flowint:n,notset;",
        "flowint:n,isset; flowint:n,>,5;",
        "flowint:n,==,m;",
    ],
    refuses: &["flowint;", "flowint:n;", "flowint:n,?,1;", "flowint:n,+;", "flowint:n,isset,1;"],
    parse: flowint,
    ..Keyword::EMPTY
};

/// A number or another counter.
#[derive(Clone, Copy)]
enum Source {
    Number(u32),
    Counter(u32),
}

impl Source {
    fn read(self, flow: &Flow) -> Option<u32> {
        match self {
            Source::Number(n) => Some(n),
            Source::Counter(id) => flow.detect.int(id),
        }
    }
}

struct ChangeInt {
    id: u32,
    change: fn(u32, u32) -> u32,
    source: Source,
}

impl OnMatch for ChangeInt {
    fn apply(&self, _packet: &Packet<'_>, flow: Option<&mut Flow>, _captures: &[(u32, Vec<u8>)]) {
        let Some(flow) = flow else { return };
        if let Some(value) = self.source.read(flow) {
            let now = flow.detect.int(self.id).unwrap_or(0);
            flow.detect.set_int(self.id, (self.change)(now, value));
        }
    }
}

fn flowint(rule: &mut RuleBuilder<'_>, value: Option<&str>) -> Result<(), Refusal> {
    let value = some_value("flowint", value, "name,+,1")?;
    let wrong = || {
        Refusal::error(
            format!("`{value}` is no flowint"),
            "write flowint:name,OP,VALUE; with + - = == != < <= > >=, or flowint:name,isset|notset;",
        )
    };
    let parts: Vec<&str> = value.split(',').map(str::trim).collect();
    let (name, operator, operand) = match parts.as_slice() {
        [name, operator] => (*name, *operator, None),
        [name, operator, operand] => (*name, *operator, Some(*operand)),
        _ => return Err(wrong()),
    };
    if name.is_empty() {
        return Err(wrong());
    }
    let id = rule.shared.flowints.number(name);
    let wanted = match operator {
        "isset" => Some(true),
        "notset" | "isnotset" => Some(false),
        _ => None,
    };
    if let Some(wanted) = wanted {
        if operand.is_some() {
            return Err(wrong());
        }
        rule.packet_test(move |cx| cx.flow.is_some_and(|flow| flow.detect.int(id).is_some() == wanted));
        return Ok(());
    }
    let operand = operand.filter(|o| !o.is_empty()).ok_or_else(wrong)?;
    let source = match operand.parse::<u32>() {
        Ok(n) => Source::Number(n),
        Err(_) if operand.starts_with(|c: char| c.is_ascii_digit() || c == '-') => return Err(wrong()),
        Err(_) => Source::Counter(rule.shared.flowints.number(operand)),
    };
    let change: Option<fn(u32, u32) -> u32> = match operator {
        "+" => Some(u32::saturating_add),
        "-" => Some(u32::saturating_sub),
        "=" => Some(|_, value| value),
        _ => None,
    };
    if let Some(change) = change {
        rule.rule.on_match.push(Box::new(ChangeInt { id, change, source }));
        return Ok(());
    }
    let holds: fn(u32, u32) -> bool = match operator {
        "==" => |a, b| a == b,
        "!=" => |a, b| a != b,
        "<" => |a, b| a < b,
        "<=" => |a, b| a <= b,
        ">" => |a, b| a > b,
        ">=" => |a, b| a >= b,
        _ => return Err(wrong()),
    };
    rule.packet_test(move |cx| {
        cx.flow.is_some_and(
            |flow| matches!((flow.detect.int(id), source.read(flow)), (Some(a), Some(b)) if holds(a, b)),
        )
    });
    Ok(())
}
