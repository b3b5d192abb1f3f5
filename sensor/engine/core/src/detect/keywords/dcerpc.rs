//! dcerpc.iface and dcerpc.opnum: which remote procedure a DCE/RPC call is about, over TCP, UDP or a named pipe of SMB.

use super::{number, Keyword, Kind};
use crate::app::dcerpc::pdu::Interface;
use crate::app::{ProtocolId, Transaction};
use crate::detect::builder::{some_value, RuleBuilder};
use crate::detect::cx::EvalCx;
use crate::detect::diagnostic::Refusal;
use crate::detect::program::number::NumberTest;
use crate::detect::rule::TxTest;
use crate::direction::Dir;

/// Some test of a call.
struct CallTest<T>(T);

impl<T: Fn(&dyn Transaction, Dir) -> bool + Send + Sync> TxTest for CallTest<T> {
    fn dir(&self) -> Option<Dir> {
        None
    }
    fn progress(&self) -> u8 {
        0
    }
    /// Several: the builder was told which.
    fn protocol(&self) -> Option<ProtocolId> {
        None
    }
    fn matches(&self, tx: &dyn Transaction, dir: Dir, _cx: &EvalCx<'_>) -> bool {
        (self.0)(tx, dir)
    }
}

fn add(
    rule: &mut RuleBuilder<'_>,
    name: &str,
    test: impl Fn(&dyn Transaction, Dir) -> bool + Send + Sync + 'static,
) {
    let carriers = ["dcerpc", "smb"].into_iter().filter_map(ProtocolId::find).collect();
    rule.limits.push((carriers, name.to_owned()));
    rule.rule.tx_tests.push(Box::new(CallTest(test)));
}

/// `367abb81-9844-35f1-ad32-98f038001003`
fn uuid(text: &str) -> Option<[u8; 16]> {
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    let mut groups = text.split('-');
    let shaped = GROUPS.iter().all(|len| {
        groups.next().is_some_and(|g| g.len() == *len && g.bytes().all(|b| b.is_ascii_hexdigit()))
    });
    if !shaped || groups.next().is_some() {
        return None;
    }
    Some(u128::from_str_radix(&text.replace('-', ""), 16).ok()?.to_be_bytes())
}

/// `>1`, `=1`, `!1`, `<2`
fn version(text: &str) -> Option<NumberTest> {
    let (operator, rest) = text.split_at_checked(1)?;
    let n = rest.trim().parse::<u16>().ok().map(u64::from)?;
    Some(match operator {
        ">" => NumberTest::Greater(n),
        "<" => NumberTest::Less(n),
        "=" => NumberTest::Equal(n),
        "!" => NumberTest::NotEqual(n),
        _ => return None,
    })
}

pub static IFACE: Keyword = Keyword {
    name: "dcerpc.iface",
    aliases: &["dce_iface"],
    kind: Kind::App,
    doc: "The interface a DCE/RPC call is about, by its UUID [, a test of its version: <N >N =N !N] [, any_frag]; the server must \
          have accepted it. `any_frag` takes interfaces that were asked for outside of a bind's first fragment, too.",
    example: "dcerpc.iface:367abb81-9844-35f1-ad32-98f038001003;",
    accepts: &[
        "dcerpc.iface:367abb81-9844-35f1-ad32-98f038001003;",
        "dcerpc.iface: 367ABB81-9844-35f1-ad32-98f038001003, >1;",
        "dce_iface:367abb81-9844-35f1-ad32-98f038001003,=1,any_frag;",
        "dce_iface:367abb81-9844-35f1-ad32-98f038001003,any_frag;",
    ],
    refuses: &[
        "dcerpc.iface;",
        "dcerpc.iface:367abb81;",
        "dcerpc.iface:367abb81-9844-35f1-ad32-98f038001003,>x;",
        "dcerpc.iface:367abb81-9844-35f1-ad32-98f038001003,?1;",
    ],
    parse: |rule, value| {
        const NAME: &str = "dcerpc.iface";
        let value = some_value(NAME, value, "367abb81-9844-35f1-ad32-98f038001003")?.trim_matches('"');
        let mut parts = value.split(',').map(str::trim);
        let written = parts.next().unwrap_or_default();
        let wanted = uuid(written).ok_or_else(|| {
            Refusal::error(format!("`{written}` is no UUID"), "write it as 367abb81-9844-35f1-ad32-98f038001003")
        })?;
        let (mut tested, mut any_frag) = (None, false);
        for part in parts {
            match part {
                "any_frag" => any_frag = true,
                _ => {
                    tested = Some(version(part).ok_or_else(|| {
                        Refusal::error(format!("`{part}` is neither any_frag nor a test of the version"), "write e.g. >1 or =1")
                    })?);
                }
            }
        }
        let holds = move |i: &Interface| {
            i.uuid == wanted
                && i.accepted()
                && (i.first || any_frag)
                && tested.is_none_or(|t: NumberTest| t.holds(u64::from(i.version)))
        };
        add(rule, NAME, move |tx, _| tx.interfaces().iter().any(holds));
        Ok(())
    },
};

pub static OPNUM: Keyword = Keyword {
    name: "dcerpc.opnum",
    aliases: &["dce_opnum"],
    kind: Kind::App,
    doc: "The number of the procedure called: a list of numbers and ranges, or one test with an operator.",
    example: "dcerpc.opnum:15,18-20;",
    accepts: &[
        "dcerpc.opnum:15;",
        "dce_opnum:12,26,62,61,6000-6001;",
        "dcerpc.opnum:>3;",
        "dcerpc.opnum: 1 - 3 , 5;",
    ],
    refuses: &[
        "dcerpc.opnum;",
        "dcerpc.opnum:x;",
        "dcerpc.opnum:1,;",
        "dcerpc.opnum:5-3;",
        "dcerpc.opnum:70000;",
    ],
    parse: |rule, value| {
        const NAME: &str = "dcerpc.opnum";
        let value = some_value(NAME, value, "15")?.trim_matches('"').trim();
        if !value.starts_with(|c: char| c.is_ascii_digit()) {
            let test = number::test(NAME, value, u64::from(u16::MAX))?;
            add(rule, NAME, move |tx, dir| tx.number(NAME, dir).is_some_and(|n| test.holds(n)));
            return Ok(());
        }
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for part in value.split(',') {
            let (low, high) = part.split_once('-').unwrap_or((part, part));
            let read = |text: &str| text.trim().parse::<u16>().ok().map(u64::from);
            match (read(low), read(high)) {
                (Some(low), Some(high)) if low <= high => ranges.push((low, high)),
                _ => {
                    return Err(Refusal::error(
                        format!("`{}` is no number or range of numbers", part.trim()),
                        "write e.g. dcerpc.opnum:15,18-20;",
                    ));
                }
            }
        }
        add(rule, NAME, move |tx, dir| {
            tx.number(NAME, dir).is_some_and(|n| ranges.iter().any(|(low, high)| (*low..=*high).contains(&n)))
        });
        Ok(())
    },
};
