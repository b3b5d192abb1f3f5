//! What byte_test, byte_jump, byte_extract and byte_math have in common, and the first two.

use super::{number, Keyword, Kind};
use crate::detect::builder::{some_value, RuleBuilder};
use crate::detect::diagnostic::Refusal;
use crate::detect::program::number::{Endian, Format, BINARY_MAX, TEXT_MAX};
use crate::detect::program::{Amount, Compare, Field, JumpFrom, Op};

/// Options that say how a number is read.
#[derive(Default)]
pub(super) struct Reading {
    pub relative: bool,
    pub endian: Endian,
    pub text: bool,
    pub base: Option<u32>,
    pub bitmask: Option<u64>,
}

impl Reading {
    /// Takes one option; false = not one of these.
    pub fn take(&mut self, option: &str) -> Result<bool, Refusal> {
        match option {
            "relative" => self.relative = true,
            "big" => self.endian = Endian::Big,
            "little" => self.endian = Endian::Little,
            "dce" => self.endian = Endian::Dce,
            "string" => self.text = true,
            "hex" => self.base = Some(16),
            "dec" => self.base = Some(10),
            "oct" => self.base = Some(8),
            _ => match option.strip_prefix("bitmask") {
                Some(mask) => {
                    let mask = number::unsigned(mask).filter(|m| *m > 0 && *m <= u64::from(u32::MAX));
                    self.bitmask = Some(mask.ok_or_else(|| {
                        Refusal::error(
                            format!("`{option}` is not a mask"),
                            "write bitmask 0x00ff (1 to 4 bytes, not 0)",
                        )
                    })?);
                }
                None => return Ok(false),
            },
        }
        Ok(true)
    }

    pub fn field(&self, name: &str, bytes: Amount, offset: Amount, zero: bool) -> Result<Field, Refusal> {
        if self.base.is_some() && !self.text {
            return Err(Refusal::error(
                format!("{name} has hex, dec or oct without string"),
                "add string, or remove the base",
            ));
        }
        let format =
            if self.text { Format::Text(self.base.unwrap_or(10)) } else { Format::Binary(self.endian) };
        let max = if self.text { TEXT_MAX } else { BINARY_MAX };
        if let Amount::Fixed(n) = bytes {
            let low = if zero { 0 } else { 1 };
            if !usize::try_from(n).is_ok_and(|n| (low..=max).contains(&n)) {
                return Err(Refusal::error(
                    format!("{name} cannot read {n} bytes"),
                    format!("write {low} to {BINARY_MAX} bytes, or to {TEXT_MAX} with string"),
                ));
            }
        }
        Ok(Field { bytes, offset, relative: self.relative, format })
    }
}

pub(super) fn amount(rule: &RuleBuilder<'_>, what: &str, text: Option<&str>) -> Result<Amount, Refusal> {
    let text = text.unwrap_or("");
    let fits = |a: &Amount| !matches!(a, Amount::Fixed(n) if n.unsigned_abs() > 1 << 40);
    let found = rule.amount(text);
    // Values may be as large as 64 bits; offsets and lengths may not.
    found.filter(|a| what == "value" || fits(a)).ok_or_else(|| {
        Refusal::error(
            format!("the {what} `{text}` is neither a number nor a variable defined before"),
            "write a number (decimal or 0x hex), or define the variable with byte_extract or byte_math first",
        )
    })
}

pub(super) fn unknown_option(name: &str, option: &str, known: &str) -> Refusal {
    Refusal::error(format!("`{option}` is no option of {name}"), format!("use {known}"))
}

pub(super) fn missing(name: &str, example: &str) -> Refusal {
    Refusal::error(format!("{name} has too few parts"), format!("write {name}:{example};"))
}

pub static BYTE_TEST: Keyword = Keyword {
    name: "byte_test",
    kind: Kind::Payload,
    doc: "Compares a number in the payload: bytes, operator, value, offset [, relative, big|little, string, hex|dec|oct, bitmask M].",
    example: "byte_test:2,>,1000,0,relative;",
    accepts: &[
        "byte_test:2,>,1000,0;",
        "byte_test:1,!&,0x80,3,relative,little;",
        "byte_test:5,=,12345,0,string,dec;",
        "byte_test:0,>,4000,0,string,dec;",
        "byte_test:1,=,0x07,0,bitmask 0xF8;",
        "byte_test:4,<=,5,-4,relative;",
        "byte_extract:1,0,n; byte_test:1,=,n,1;",
    ],
    refuses: &[
        "byte_test;",
        "byte_test:2,>;",
        "byte_test:9,>,1,0;",
        "byte_test:2,?,1,0;",
        "byte_test:2,>,x,0;",
        "byte_test:2,>,1,0,foo;",
        "byte_test:2,>,1,0,dec;",
    ],
    parse: byte_test,
    ..Keyword::EMPTY
};

fn byte_test(rule: &mut RuleBuilder<'_>, value: Option<&str>) -> Result<(), Refusal> {
    const EXAMPLE: &str = "2,>,1000,0,relative";
    let value = some_value("byte_test", value, EXAMPLE)?;
    let mut parts = value.split(',').map(str::trim);
    let bytes = amount(rule, "number of bytes", parts.next())?;
    let operator = parts.next().ok_or_else(|| missing("byte_test", EXAMPLE))?;
    let (negated, symbol) = super::text::negation(operator);
    let compare = match symbol {
        "<" => Compare::Less,
        "<=" => Compare::LessOrEqual,
        "=" | "==" | "" if !symbol.is_empty() || negated => Compare::Equal,
        ">=" => Compare::GreaterOrEqual,
        ">" => Compare::Greater,
        "&" => Compare::And,
        "^" => Compare::Xor,
        _ => {
            return Err(Refusal::error(
                format!("`{operator}` is not an operator"),
                "use < <= = >= > & ^, or one of them behind !",
            ));
        }
    };
    let compared = amount(rule, "value", Some(parts.next().ok_or_else(|| missing("byte_test", EXAMPLE))?))?;
    let offset = amount(rule, "offset", Some(parts.next().ok_or_else(|| missing("byte_test", EXAMPLE))?))?;
    let mut reading = Reading::default();
    for option in parts {
        if !reading.take(option)? {
            return Err(unknown_option(
                "byte_test",
                option,
                "relative, big, little, string, hex, dec, oct, dce or bitmask",
            ));
        }
    }
    let field = reading.field("byte_test", bytes, offset, reading.text)?;
    rule.push_relative(
        Op::Test { field, compare, value: compared, negated, bitmask: reading.bitmask },
        reading.relative,
    );
    Ok(())
}

pub static BYTE_JUMP: Keyword = Keyword {
    name: "byte_jump",
    kind: Kind::Payload,
    doc: "Moves the position by a number in the payload: bytes, offset [, relative, multiplier N, align, from_beginning, from_end, post_offset N ...].",
    example: "byte_jump:4,0,relative,little,post_offset -1;",
    accepts: &[
        "byte_jump:4,12;",
        "byte_jump:4,0,relative,multiplier 2,little,align,from_beginning;",
        "byte_jump:2,0,relative,string,dec,from_end,post_offset -26;",
        "byte_jump:0,0,relative,post_offset -8;",
    ],
    refuses: &["byte_jump;", "byte_jump:9,0;", "byte_jump:4;", "byte_jump:4,0,foo;", "byte_jump:4,x;"],
    parse: byte_jump,
    ..Keyword::EMPTY
};

fn byte_jump(rule: &mut RuleBuilder<'_>, value: Option<&str>) -> Result<(), Refusal> {
    const EXAMPLE: &str = "4,0,relative";
    let value = some_value("byte_jump", value, EXAMPLE)?;
    let mut parts = value.split(',').map(str::trim);
    let bytes = amount(rule, "number of bytes", parts.next())?;
    let offset = amount(rule, "offset", Some(parts.next().ok_or_else(|| missing("byte_jump", EXAMPLE))?))?;
    let mut reading = Reading::default();
    let (mut multiplier, mut align) = (1, 1);
    let mut from = JumpFrom::Here;
    let mut post_offset = Amount::Fixed(0);
    for option in parts {
        if reading.take(option)? {
            continue;
        }
        match option.split_once(' ').unwrap_or((option, "")) {
            ("align", "") => align = 4,
            ("from_beginning", "") => from = JumpFrom::Beginning,
            ("from_end", "") => from = JumpFrom::End,
            ("multiplier", n) => {
                multiplier = number::unsigned(n).filter(|n| (1..=65_535).contains(n)).ok_or_else(|| {
                    Refusal::error(format!("`{option}` is out of range"), "write multiplier 1 to 65535")
                })?;
            }
            ("post_offset", n) => post_offset = amount(rule, "post_offset", Some(n.trim()))?,
            _ => {
                return Err(unknown_option(
                    "byte_jump",
                    option,
                    "relative, multiplier N, big, little, string, hex, dec, oct, align, from_beginning, from_end, post_offset N or dce",
                ));
            }
        }
    }
    // A jump without a number goes by post_offset alone, whatever the number would have been.
    reading.text &= bytes != Amount::Fixed(0);
    reading.base = reading.base.filter(|_| reading.text);
    let field = reading.field("byte_jump", bytes, offset, true)?;
    rule.push_relative(Op::Jump { field, multiplier, align, from, post_offset }, reading.relative);
    Ok(())
}
