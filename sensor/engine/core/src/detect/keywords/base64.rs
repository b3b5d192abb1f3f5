//! base64_decode and base64_data.

use super::{Keyword, Kind};
use crate::detect::builder::{no_value, Item, Place, RuleBuilder};
use crate::detect::diagnostic::Refusal;
use crate::detect::program::Op;

pub static BASE64_DECODE: Keyword = Keyword {
    name: "base64_decode",
    kind: Kind::Payload,
    doc: "Decodes base64 at this place for base64_data: bytes N, offset N, relative.",
    example: "base64_decode:bytes 40, offset 2, relative; base64_data; content:\"abc\";",
    accepts: &[
        "base64_decode; base64_data; content:\"abc\";",
        "content:\"x\"; base64_decode:bytes 10,offset 1,relative; base64_data; content:\"abc\";",
    ],
    refuses: &["base64_decode:foo;", "base64_decode:bytes x;"],
    parse: decode,
    ..Keyword::EMPTY
};

fn decode(rule: &mut RuleBuilder<'_>, value: Option<&str>) -> Result<(), Refusal> {
    let (mut offset, mut bytes, mut relative) = (0, None, false);
    for part in value.unwrap_or("").split(',').map(str::trim).filter(|p| !p.is_empty()) {
        let wrong = || {
            Refusal::error(
                format!("`{part}` is no option of base64_decode"),
                "use bytes N, offset N and relative",
            )
        };
        match part.split_once(char::is_whitespace).unwrap_or((part, "")) {
            ("relative", "") => relative = true,
            ("bytes", n) => bytes = Some(n.trim().parse::<u32>().map_err(|_| wrong())?),
            ("offset", n) => offset = n.trim().parse::<u32>().map_err(|_| wrong())?,
            _ => return Err(wrong()),
        }
    }
    rule.push_relative(Op::Base64 { offset, relative, bytes, inner: None }, relative);
    Ok(())
}

pub static BASE64_DATA: Keyword = Keyword {
    name: "base64_data",
    kind: Kind::Buffer,
    doc: "What base64_decode made of the buffer before.",
    example: "base64_decode; base64_data; content:\"abc\";",
    accepts: &["base64_decode; base64_data; content:\"abc\"; pcre:\"/b/\";"],
    refuses: &["base64_data; content:\"abc\";", "base64_decode; base64_data:1; content:\"abc\";"],
    parse: |rule, value| {
        no_value("base64_data", value)?;
        let parent = rule
            .lists
            .iter()
            .rposition(|list| list.items.iter().any(|item| matches!(item, Item::Op(Op::Base64 { .. }))));
        let parent = parent.ok_or_else(|| {
            Refusal::error("base64_data has no base64_decode before it", "put base64_decode before it")
        })?;
        rule.select(Place::Base64(parent))
    },
    ..Keyword::EMPTY
};
