//! asn1: overflows in ASN.1 elements.

use super::{number, Keyword, Kind};
use crate::detect::builder::{some_value, RuleBuilder};
use crate::detect::diagnostic::Refusal;
use crate::detect::program::asn1::{Asn1, From};
use crate::detect::program::Op;

pub static ASN1: Keyword = Keyword {
    name: "asn1",
    kind: Kind::Payload,
    doc: "ASN.1 elements that overflow: bitstring_overflow, double_overflow, oversize_length N; looked for from \
          absolute_offset N or relative_offset N on.",
    example: "asn1:bitstring_overflow, oversize_length 500, relative_offset 1;",
    accepts: &[
        "asn1:bitstring_overflow;",
        "asn1:double_overflow, bitstring_overflow, relative_offset 54, oversize_length 2048;",
        "asn1:oversize_length 5 absolute_offset 5;",
    ],
    refuses: &["asn1;", "asn1:foo;", "asn1:oversize_length;", "asn1:oversize_length -1;"],
    parse: asn1,
    ..Keyword::EMPTY
};

fn asn1(rule: &mut RuleBuilder<'_>, value: Option<&str>) -> Result<(), Refusal> {
    let value = some_value("asn1", value, "bitstring_overflow, relative_offset 1")?;
    let mut test =
        Asn1 { from: From::Start(0), oversize: None, bitstring_overflow: false, double_overflow: false };
    let mut words = value.split([',', ' ']).filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        let mut size = || {
            words.next().and_then(number::unsigned).filter(|n| *n <= u64::from(u32::MAX)).ok_or_else(|| {
                Refusal::error(format!("{word} has no number behind it"), format!("write {word} 54"))
            })
        };
        match word {
            "bitstring_overflow" => test.bitstring_overflow = true,
            "double_overflow" => test.double_overflow = true,
            "oversize_length" => test.oversize = Some(size()?),
            "absolute_offset" => test.from = From::Start(size()? as i64),
            "relative_offset" => {
                let offset = words.next().and_then(number::signed).filter(|n| i32::try_from(*n).is_ok());
                test.from = From::Match(offset.ok_or_else(|| {
                    Refusal::error("relative_offset has no number behind it", "write relative_offset 54")
                })?);
            }
            _ => {
                return Err(Refusal::error(
                    format!("`{word}` is no option of asn1"),
                    "use bitstring_overflow, double_overflow, oversize_length N, absolute_offset N or relative_offset N",
                ));
            }
        }
    }
    rule.push_relative(Op::Asn1(test), test.relative());
    Ok(())
}
