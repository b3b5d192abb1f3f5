//! isdataat, bsize, dsize, urilen, absent: how much there is.

use super::{number, text, Keyword, Kind};
use crate::detect::buffers;
use crate::detect::builder::{some_value, Item, Place, RuleBuilder};
use crate::detect::diagnostic::Refusal;
use crate::detect::program::number::NumberTest;
use crate::detect::program::Op;
use crate::detect::rule::Absent;

pub static ISDATAAT: Keyword = Keyword {
    name: "isdataat",
    kind: Kind::Payload,
    doc: "There is (or with ! is not) data at this position; relative = counted from the end of the match before.",
    example: "content:\"abc\"; isdataat:!1,relative;",
    accepts: &[
        "isdataat:10;",
        "content:\"a\"; isdataat:!1,relative;",
        "content:\"a\"; isdataat:4,relative,rawbytes;",
        "byte_extract:1,0,n; isdataat:n;",
    ],
    refuses: &["isdataat;", "isdataat:x;", "isdataat:-1;", "isdataat:1,foo;"],
    parse: isdataat,
    ..Keyword::EMPTY
};

fn isdataat(rule: &mut RuleBuilder<'_>, value: Option<&str>) -> Result<(), Refusal> {
    let value = some_value("isdataat", value, "10,relative")?;
    let (negated, value) = text::negation(value);
    let mut parts = value.split(',').map(str::trim);
    let first = parts.next().unwrap_or("");
    let distance = rule
        .amount(first)
        .filter(|a| !matches!(a, crate::detect::program::Amount::Fixed(n) if !(0..=65_535).contains(n)));
    let distance = distance.ok_or_else(|| {
        Refusal::error(
            format!("`{first}` is neither a number from 0 to 65535 nor a variable defined before"),
            "write isdataat:10; or isdataat:!1,relative;",
        )
    })?;
    let mut relative = false;
    for part in parts {
        match part {
            "relative" => relative = true,
            "rawbytes" => {}
            _ => {
                return Err(Refusal::error(
                    format!("`{part}` is no option of isdataat"),
                    "use relative or rawbytes",
                ));
            }
        }
    }
    rule.push_relative(Op::DataAt { distance, relative, negated }, relative);
    Ok(())
}

pub static BSIZE: Keyword = Keyword {
    name: "bsize",
    kind: Kind::Payload,
    doc: "Length of the selected sticky buffer in bytes.",
    example: "http.uri; bsize:>1000;",
    accepts: &["tcp.hdr; bsize:20;", "tcp.hdr; bsize:20<>40;", "tcp.hdr; bsize:!20;"],
    refuses: &["bsize:5;", "tcp.hdr; bsize:x;", "tcp.hdr; bsize;"],
    parse: |rule, value| {
        let value = some_value("bsize", value, ">10")?;
        let test = number::test("bsize", value, u64::MAX)?;
        if rule.current == 0 {
            return Err(Refusal::error(
                "bsize has no sticky buffer before it",
                "select a buffer first (http.uri; bsize:5;), or use dsize for the payload",
            ));
        }
        rule.push_op(Op::Size(test));
        Ok(())
    },
    ..Keyword::EMPTY
};

pub static DSIZE: Keyword = Keyword {
    name: "dsize",
    kind: Kind::Packet,
    doc: "Length of the packet's payload in bytes; keeps the rule to single packets.",
    example: "dsize:>100;",
    accepts: &["dsize:0;", "dsize:>10;", "dsize:<10;", "dsize:10<>20;", "dsize:!5;"],
    refuses: &["dsize;", "dsize:x;", "dsize:70000;", "dsize:20<>10;"],
    parse: |rule, value| {
        let value = some_value("dsize", value, ">100")?;
        let test = number::test("dsize", value, 65_534)?;
        rule.needs_packet = true;
        let narrow = |length: u64| u32::try_from(length).unwrap_or(u32::MAX);
        let (least, greatest) = rule.rule.payload_len;
        rule.rule.payload_len =
            (least.max(narrow(test.min())), greatest.min(test.max().map_or(u32::MAX, narrow)));
        rule.dsize_max = test.max().filter(|_| matches!(test, NumberTest::Equal(_)));
        rule.packet_test(move |cx| test.holds(u64::from(cx.packet.payload_len)));
        Ok(())
    },
    ..Keyword::EMPTY
};

pub static URILEN: Keyword = Keyword {
    name: "urilen",
    kind: Kind::App,
    doc: "Length of the HTTP URI in bytes; `,raw` = as sent, `,norm` (default) = normalised.",
    example: "urilen:>100;",
    refuses: &["urilen;", "urilen:x;", "urilen:5,foo;"],
    parse: |rule, value| {
        let value = some_value("urilen", value, ">100")?;
        let (value, form) = value.split_once(',').unwrap_or((value, "norm"));
        let test = number::test("urilen", value, 65_535)?;
        let name = match form.trim() {
            "norm" => "http.uri",
            "raw" => "http.uri.raw",
            other => {
                return Err(Refusal::error(format!("`{other}` is no form of the URI"), "use norm or raw"));
            }
        };
        let buffer =
            buffers::find(name).ok_or_else(|| Refusal::skip(format!("this build has no buffer `{name}`")))?;
        let list = rule.plain_list(Place::App(buffer));
        if let Some(found) = rule.lists.get_mut(list) {
            found.items.push(Item::Op(Op::Size(test)));
        }
        Ok(())
    },
    ..Keyword::EMPTY
};

pub static ABSENT: Keyword = Keyword {
    name: "absent",
    kind: Kind::Payload,
    doc: "The selected sticky buffer does not exist; `absent:or_else` = does not exist, or matches what follows.",
    example: "http.referer; absent;",
    accepts: &["tcp.hdr; absent;", "tcp.hdr; absent:or_else; content:!\"x\";"],
    refuses: &["absent;", "tcp.hdr; absent:foo;", "tcp.hdr; content:\"a\"; absent;"],
    parse: |rule, value| {
        let absent = match value {
            None => Absent::Only,
            Some("or_else") => Absent::OrElse,
            Some(other) => {
                return Err(Refusal::error(
                    format!("`{other}` is no option of absent"),
                    "write absent; or absent:or_else;",
                ));
            }
        };
        if rule.current == 0 || !rule.list().items.is_empty() {
            return Err(Refusal::error(
                "absent must come right behind a sticky buffer",
                "write e.g. http.referer; absent;",
            ));
        }
        rule.list().absent = absent;
        Ok(())
    },
    ..Keyword::EMPTY
};
