//! byte_extract and byte_math: numbers kept in variables for later tests.

use super::bytes::{amount, missing, unknown_option, Reading};
use super::{number, Keyword, Kind};
use crate::detect::builder::{some_value, RuleBuilder};
use crate::detect::diagnostic::Refusal;
use crate::detect::program::number::Endian;
use crate::detect::program::{Amount, Arithmetic, Op};

pub static BYTE_EXTRACT: Keyword = Keyword {
    name: "byte_extract",
    kind: Kind::Payload,
    doc: "Keeps a number of the payload in a variable: bytes, offset, name [, relative, multiplier N, align 2|4, string ...].",
    example: "byte_extract:1,0,length; content:\"abc\"; within:length;",
    accepts: &[
        "byte_extract:1,0,n; content:\"abc\"; offset:n;",
        "byte_extract:2,0,n,string,dec;",
        "byte_extract:4,4,n,relative,multiplier 2,little,align 4;",
    ],
    refuses: &["byte_extract;", "byte_extract:1,0;", "byte_extract:9,0,n;", "byte_extract:1,0,n,align 3;", "byte_extract:1,0,7;"],
    parse: byte_extract,
    ..Keyword::EMPTY
};

fn byte_extract(rule: &mut RuleBuilder<'_>, value: Option<&str>) -> Result<(), Refusal> {
    const EXAMPLE: &str = "1,0,name";
    let value = some_value("byte_extract", value, EXAMPLE)?;
    let mut parts = value.split(',').map(str::trim);
    let bytes = amount(rule, "number of bytes", parts.next())?;
    let offset = amount(rule, "offset", Some(parts.next().ok_or_else(|| missing("byte_extract", EXAMPLE))?))?;
    let name = parts.next().ok_or_else(|| missing("byte_extract", EXAMPLE))?;
    let mut reading = Reading::default();
    let (mut multiplier, mut align) = (1, 1);
    for option in parts {
        if reading.take(option)? {
            continue;
        }
        match option.split_once(' ').unwrap_or((option, "")) {
            ("multiplier", n) => {
                multiplier = number::unsigned(n).filter(|n| (1..=65_535).contains(n)).ok_or_else(|| {
                    Refusal::error(format!("`{option}` is out of range"), "write multiplier 1 to 65535")
                })?;
            }
            ("align", "2") => align = 2,
            ("align", "4") => align = 4,
            _ => {
                return Err(unknown_option(
                    "byte_extract",
                    option,
                    "relative, multiplier N, big, little, string, hex, dec, oct, align 2, align 4 or dce",
                ));
            }
        }
    }
    let field = reading.field("byte_extract", bytes, offset, reading.text)?;
    let variable = rule.define(name)?;
    rule.push_relative(Op::Extract { field, variable, multiplier, align }, reading.relative);
    Ok(())
}

pub static BYTE_MATH: Keyword = Keyword {
    name: "byte_math",
    kind: Kind::Payload,
    doc: "Computes with a number of the payload and keeps the result: bytes N, offset N, oper + - * / << >>, rvalue N, result name [, relative, endian E, string B, bitmask M].",
    example: "byte_math:bytes 1, offset 0, oper +, rvalue 10, result length;",
    accepts: &[
        "byte_math:bytes 1, offset 0, oper +, rvalue 10, result n; content:\"a\"; offset:n;",
        "byte_extract:1,0,m; byte_math:bytes m, offset 1, oper <<, rvalue m, result n, relative, endian little, bitmask 0x0f;",
        "byte_math:bytes 4,offset 0,oper -,rvalue 3,result n,string dec;",
    ],
    refuses: &[
        "byte_math;",
        "byte_math:bytes 1, offset 0;",
        "byte_math:bytes 1, offset 0, oper %, rvalue 10, result n;",
        "byte_math:bytes 1, offset 0, oper /, rvalue 0, result n;",
        "byte_math:bytes 1, offset 0, oper +, rvalue x, result n;",
    ],
    parse: byte_math,
    ..Keyword::EMPTY
};

fn byte_math(rule: &mut RuleBuilder<'_>, value: Option<&str>) -> Result<(), Refusal> {
    const EXAMPLE: &str = "bytes 1, offset 0, oper +, rvalue 10, result name";
    let value = some_value("byte_math", value, EXAMPLE)?;
    let mut reading = Reading::default();
    let (mut bytes, mut offset, mut right, mut operator, mut result) = (None, None, None, None, None);
    for option in value.split(',').map(str::trim) {
        let (key, text) = option.split_once(char::is_whitespace).map_or((option, ""), |(k, t)| (k, t.trim()));
        match (key, text) {
            ("bytes", n) => bytes = Some(amount(rule, "number of bytes", Some(n))?),
            ("offset", n) => offset = Some(amount(rule, "offset", Some(n))?),
            ("rvalue", n) => right = Some(amount(rule, "rvalue", Some(n))?),
            ("result", name) => result = Some(name),
            ("oper", symbol) => {
                operator = Some(match symbol {
                    "+" => Arithmetic::Add,
                    "-" => Arithmetic::Subtract,
                    "*" => Arithmetic::Multiply,
                    "/" => Arithmetic::Divide,
                    "<<" => Arithmetic::ShiftLeft,
                    ">>" => Arithmetic::ShiftRight,
                    _ => {
                        return Err(Refusal::error(
                            format!("`{symbol}` is not an operation"),
                            "use + - * / << or >>",
                        ));
                    }
                });
            }
            ("endian", "big") => reading.endian = Endian::Big,
            ("endian", "little") => reading.endian = Endian::Little,
            ("endian", "dce") => reading.endian = Endian::Dce,
            ("string", base @ ("hex" | "dec" | "oct")) => {
                reading.text = true;
                reading.take(base)?;
            }
            _ => {
                if !reading.take(option)? {
                    return Err(unknown_option(
                        "byte_math",
                        option,
                        "bytes, offset, oper, rvalue, result, relative, endian, string, dce or bitmask",
                    ));
                }
            }
        }
    }
    let (Some(bytes), Some(offset), Some(operator), Some(right), Some(result)) =
        (bytes, offset, operator, right, result)
    else {
        return Err(missing("byte_math", EXAMPLE));
    };
    if operator == Arithmetic::Divide && right == Amount::Fixed(0) {
        return Err(Refusal::error("byte_math divides by zero", "write another rvalue"));
    }
    let field = reading.field("byte_math", bytes, offset, false)?;
    let variable = rule.define(result)?;
    rule.push_relative(
        Op::Math { field, operator, value: right, variable, bitmask: reading.bitmask },
        reading.relative,
    );
    Ok(())
}
