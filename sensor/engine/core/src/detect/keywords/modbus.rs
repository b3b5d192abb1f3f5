//! The keyword `modbus` (Suricata manual, "Modbus Keyword"): function, access, unit, address and value of a request.

use super::{number, Keyword, Kind};
use crate::app::modbus::message::{access, access_of, category, category_of};
use crate::app::{ProtocolId, Transaction};
use crate::detect::builder::{some_value, RuleBuilder};
use crate::detect::cx::EvalCx;
use crate::detect::diagnostic::Refusal;
use crate::detect::program::number::NumberTest;
use crate::detect::rule::TxTest;
use crate::direction::Dir;

/// Written addresses whose values are looked at: a request writes at most 1,968 coils.
const ADDRESSES_MAX: u64 = 2048;

pub static MODBUS: Keyword = Keyword {
    name: "modbus",
    aliases: &[],
    kind: Kind::App,
    doc: "A Modbus request by `function N[, subfunction N]` (or a kind of functions), by `access read|write [discretes|coils|\
          input|holding][, address X[, value X]]`, each also behind `unit X,`; X is 5, <5, >5 or 5<>9.",
    example: "modbus:access write holding, address 500, value >200;",
    accepts: &[
        "modbus:function 21;",
        "modbus:function !user;",
        "modbus: function 8, subfunction 4;",
        "modbus: access read;",
        "modbus: access write coils, address 1<>9, value 1;",
        "modbus: unit 10;",
        "modbus: unit 10<>20, function 21;",
        "modbus: unit 10, access write holding, address >500, value >200;",
    ],
    refuses: &[
        "modbus;",
        "modbus: function nonsense;",
        "modbus: access write input;",
        "modbus: access read holding, address 1, value 1;",
        "modbus: unit 300;",
        "modbus: flow 1;",
    ],
    parse: |rule, value| parse(rule, value),
};

#[derive(Default)]
struct Wanted {
    unit: Option<NumberTest>,
    function: Option<Function>,
    /// `access` bits: read or write, and one kind of table.
    access: u8,
    address: Option<NumberTest>,
    value: Option<NumberTest>,
}

enum Function {
    Code(u64, Option<u64>),
    /// `category` bits.
    Kind(u8),
}

fn parse(rule: &mut RuleBuilder<'_>, value: Option<&str>) -> Result<(), Refusal> {
    let value = some_value("modbus", value, "function 21")?;
    let protocol =
        ProtocolId::find("modbus").ok_or_else(|| Refusal::skip("this build has no modbus".to_owned()))?;
    let mut wanted = Wanted::default();
    for part in value.trim_matches('"').split(',').map(str::trim) {
        let (word, rest) = part.split_once(char::is_whitespace).unwrap_or((part, ""));
        read(&mut wanted, &word.to_ascii_lowercase(), rest.trim()).ok_or_else(|| {
            Refusal::error(
                format!("`{part}` is nothing to ask of a Modbus request here"),
                "write e.g. modbus: function 8, subfunction 4; or modbus: access write holding, address 500, value >200;",
            )
        })?;
    }
    rule.limits.push((vec![protocol], "modbus".to_owned()));
    rule.implied_dirs.push((Dir::ToServer, "modbus".to_owned()));
    rule.rule.tx_tests.push(Box::new(Request { protocol, wanted }));
    Ok(())
}

/// Takes one part of the value; None: it makes no sense, or not at this place.
fn read(wanted: &mut Wanted, word: &str, rest: &str) -> Option<()> {
    let test = |max: u64| number::test("modbus", rest, max).ok();
    let first = wanted.function.is_none() && wanted.access == 0;
    match word {
        "unit" if first && wanted.unit.is_none() => wanted.unit = Some(test(255)?),
        "function" if first => wanted.function = Some(function(rest)?),
        "subfunction" => match &mut wanted.function {
            Some(Function::Code(_, sub @ None)) => {
                *sub = Some(number::unsigned(rest).filter(|n| *n <= 0xffff)?)
            }
            _ => return None,
        },
        "access" if first => wanted.access = access(rest)?,
        "address" if wanted.access & access::TABLES != 0 && wanted.address.is_none() => {
            wanted.address = Some(test(0xffff)?);
        }
        "value"
            if wanted.access & access::WRITE != 0 && wanted.address.is_some() && wanted.value.is_none() =>
        {
            wanted.value = Some(test(0xffff)?);
        }
        _ => return None,
    }
    Some(())
}

fn function(text: &str) -> Option<Function> {
    if let Some(code) = number::unsigned(text) {
        return (1..=255).contains(&code).then_some(Function::Code(code, None));
    }
    let (negated, name) = super::text::negation(text);
    let all = category::ASSIGNED | category::UNASSIGNED | category::USER | category::RESERVED;
    let kind = match name.to_ascii_lowercase().as_str() {
        "assigned" => category::ASSIGNED,
        "unassigned" => category::UNASSIGNED,
        "public" => category::ASSIGNED | category::UNASSIGNED,
        "user" => category::USER,
        "reserved" => category::RESERVED,
        "all" => all,
        _ => return None,
    };
    Some(Function::Kind(if negated { all & !kind } else { kind }))
}

fn access(text: &str) -> Option<u8> {
    let mut words = text.split_whitespace();
    let way = match words.next()?.to_ascii_lowercase().as_str() {
        "read" => access::READ,
        "write" => access::WRITE,
        _ => return None,
    };
    let table = match words.next().map(str::to_ascii_lowercase).as_deref() {
        None => 0,
        Some("coils") => access::COILS,
        Some("holding") => access::HOLDING,
        // Nobody can write these.
        Some("discretes") if way == access::READ => access::DISCRETES,
        Some("input") if way == access::READ => access::INPUT,
        Some(_) => return None,
    };
    words.next().is_none().then_some(way | table)
}

struct Request {
    protocol: ProtocolId,
    wanted: Wanted,
}

impl TxTest for Request {
    fn dir(&self) -> Option<Dir> {
        Some(Dir::ToServer)
    }
    fn progress(&self) -> u8 {
        0
    }
    fn protocol(&self) -> Option<ProtocolId> {
        Some(self.protocol)
    }
    fn matches(&self, tx: &dyn Transaction, _dir: Dir, _cx: &EvalCx<'_>) -> bool {
        self.holds(tx).unwrap_or(false)
    }
}

impl Request {
    fn holds(&self, tx: &dyn Transaction) -> Option<bool> {
        let wanted = &self.wanted;
        let number = |name: &str| tx.number(name, Dir::ToServer);
        if wanted.unit.is_some_and(|unit| !number("modbus.unit").is_some_and(|n| unit.holds(n))) {
            return None;
        }
        let code = number("modbus.function")?;
        let plain = u8::try_from(code).ok()?;
        match wanted.function {
            None => {}
            Some(Function::Code(function, None)) => return Some(code == function),
            Some(Function::Code(function, Some(sub))) => {
                return Some(code == function && number("modbus.subfunction") == Some(sub));
            }
            Some(Function::Kind(kinds)) => return Some(category_of(plain) & kinds != 0),
        }
        if access_of(plain) & wanted.access != wanted.access {
            return None;
        }
        let Some(address) = wanted.address else { return Some(true) };
        let write = wanted.access & access::WRITE != 0;
        let [at, quantity] = if write {
            [number("modbus.write_address")?, number("modbus.write_quantity")?]
        } else {
            [number("modbus.read_address")?, number("modbus.read_quantity")?]
        };
        let mut spanned = at..at.saturating_add(quantity.min(ADDRESSES_MAX));
        let value_holds = |at: u64| {
            let written = || tx.number_at("modbus.written", usize::try_from(at).ok()?, Dir::ToServer);
            wanted.value.is_none_or(|value| written().is_some_and(|n| value.holds(n)))
        };
        Some(spanned.any(|at| address.holds(at) && value_holds(at)))
    }
}
