//! Where a content may stand: offset, depth, distance, within, startswith, endswith.

use super::content::twice;
use super::{Keyword, Kind};
use crate::detect::builder::{no_value, some_value, RuleBuilder};
use crate::detect::diagnostic::Refusal;
use crate::detect::program::Amount;

/// Largest distance or within, and largest offset or depth (Suricata's limits).
const POSITION_MAX: i64 = 1_048_576;
const ABSOLUTE_MAX: i64 = 65_535;

fn position(
    rule: &RuleBuilder<'_>,
    name: &str,
    value: Option<&str>,
    (low, high): (i64, i64),
) -> Result<Amount, Refusal> {
    let value = some_value(name, value, "4")?;
    match rule.amount(value) {
        Some(Amount::Fixed(n)) if n < low || n > high => Err(Refusal::error(
            format!("{name} {n} is out of range"),
            format!("write a number from {low} to {high}"),
        )),
        Some(amount) => Ok(amount),
        None => Err(Refusal::error(
            format!("`{value}` is neither a number nor a variable defined before"),
            "write a number, or define the variable with byte_extract or byte_math first",
        )),
    }
}

fn mixed(name: &str) -> Refusal {
    Refusal::error(
        format!(
            "`{name}` mixes absolute (offset, depth, startswith) and relative (distance, within) positions"
        ),
        "use one kind for one content",
    )
}

fn shorter(name: &str, amount: Amount, len: usize) -> Result<(), Refusal> {
    match amount {
        Amount::Fixed(n) if usize::try_from(n).is_ok_and(|n| n < len) => Err(Refusal::error(
            format!("{name} {n} is less than the {len} bytes of the content: it can never match"),
            format!("write {name}:{len}; or more"),
        )),
        _ => Ok(()),
    }
}

pub static OFFSET: Keyword = Keyword {
    name: "offset",
    kind: Kind::ContentModifier,
    doc: "The content starts at this byte or later (0 = first).",
    example: "content:\"abc\"; offset:4;",
    accepts: &["content:\"abc\"; offset:4;", "byte_extract:1,0,n; content:\"abc\"; offset:n;"],
    refuses: &[
        "offset:4;",
        "content:\"abc\"; offset:-1;",
        "content:\"abc\"; offset:x;",
        "content:\"abc\"; offset:1; offset:2;",
        "content:\"a\"; content:\"abc\"; distance:0; offset:1;",
    ],
    parse: |rule, value| {
        let amount = position(rule, "offset", value, (0, ABSOLUTE_MAX))?;
        let content = rule.content("offset")?;
        if content.is_relative() {
            return Err(mixed("offset"));
        }
        if content.starts_with || content.offset.is_some() {
            return Err(twice("offset"));
        }
        content.offset = Some(amount);
        Ok(())
    },
    ..Keyword::EMPTY
};

pub static DEPTH: Keyword = Keyword {
    name: "depth",
    kind: Kind::ContentModifier,
    doc: "The content lies within this many bytes, counted from offset.",
    example: "content:\"abc\"; depth:10;",
    accepts: &["content:\"abc\"; depth:3;", "content:\"abc\"; depth:5; offset:5;"],
    refuses: &["depth:4;", "content:\"abc\"; depth:2;", "content:\"abc\"; depth:x;"],
    parse: |rule, value| {
        let amount = position(rule, "depth", value, (0, ABSOLUTE_MAX))?;
        let content = rule.content("depth")?;
        if content.is_relative() {
            return Err(mixed("depth"));
        }
        if content.starts_with || content.depth.is_some() {
            return Err(twice("depth"));
        }
        shorter("depth", amount, content.bytes.len())?;
        content.depth = Some(amount);
        Ok(())
    },
    ..Keyword::EMPTY
};

pub static STARTSWITH: Keyword = Keyword {
    name: "startswith",
    kind: Kind::ContentModifier,
    doc: "The content stands at the very start of the buffer.",
    example: "content:\"abc\"; startswith;",
    accepts: &["content:\"abc\"; startswith;", "content:\"abc\"; startswith; endswith;"],
    refuses: &[
        "startswith;",
        "content:\"abc\"; depth:5; startswith;",
        "content:\"abc\"; distance:1; startswith;",
    ],
    parse: |rule, value| {
        no_value("startswith", value)?;
        let content = rule.content("startswith")?;
        if content.is_relative() {
            return Err(mixed("startswith"));
        }
        if content.starts_with || content.depth.is_some() || content.offset.is_some() {
            return Err(Refusal::error(
                "startswith says the position already",
                "remove offset, depth or the second startswith",
            ));
        }
        content.starts_with = true;
        content.offset = Some(Amount::Fixed(0));
        content.depth = i64::try_from(content.bytes.len()).ok().map(Amount::Fixed);
        Ok(())
    },
    ..Keyword::EMPTY
};

pub static ENDSWITH: Keyword = Keyword {
    name: "endswith",
    kind: Kind::ContentModifier,
    doc: "The content ends at the last byte of the buffer.",
    example: "content:\"abc\"; endswith;",
    accepts: &["content:\"abc\"; endswith;", "content:!\"abc\"; endswith;"],
    refuses: &["endswith;", "content:\"abc\"; endswith; endswith;"],
    parse: |rule, value| {
        no_value("endswith", value)?;
        let content = rule.content("endswith")?;
        if content.ends_with {
            return Err(twice("endswith"));
        }
        content.ends_with = true;
        Ok(())
    },
    ..Keyword::EMPTY
};

pub static DISTANCE: Keyword = Keyword {
    name: "distance",
    kind: Kind::ContentModifier,
    doc: "The content starts this many bytes or more behind the end of the match before.",
    example: "content:\"abc\"; content:\"def\"; distance:2;",
    accepts: &[
        "content:\"abc\"; content:\"def\"; distance:2;",
        "content:\"abc\"; content:\"def\"; distance:-3;",
        "content:\"abc\"; distance:0;",
    ],
    refuses: &[
        "distance:4;",
        "content:\"abc\"; content:\"def\"; distance:1; distance:2;",
        "content:\"abc\"; content:\"def\"; depth:5; distance:2;",
    ],
    parse: |rule, value| {
        let amount = position(rule, "distance", value, (-POSITION_MAX, POSITION_MAX))?;
        let content = rule.content("distance")?;
        if content.offset.is_some() || content.depth.is_some() {
            return Err(mixed("distance"));
        }
        if content.distance.is_some() {
            return Err(twice("distance"));
        }
        content.distance = Some(amount);
        Ok(())
    },
    ..Keyword::EMPTY
};

pub static WITHIN: Keyword = Keyword {
    name: "within",
    kind: Kind::ContentModifier,
    doc: "The content ends at most this many bytes behind the match before (plus distance).",
    example: "content:\"abc\"; content:\"def\"; within:10;",
    accepts: &["content:\"abc\"; content:\"def\"; distance:1; within:3;"],
    refuses: &[
        "within:4;",
        "content:\"abc\"; content:\"def\"; within:2;",
        "content:\"abc\"; content:\"def\"; within:5; within:5;",
        "content:\"abc\"; content:\"def\"; offset:5; within:5;",
    ],
    parse: |rule, value| {
        let amount = position(rule, "within", value, (0, POSITION_MAX))?;
        let content = rule.content("within")?;
        if content.offset.is_some() || content.depth.is_some() {
            return Err(mixed("within"));
        }
        if content.within.is_some() {
            return Err(twice("within"));
        }
        shorter("within", amount, content.bytes.len())?;
        content.within = Some(amount);
        Ok(())
    },
    ..Keyword::EMPTY
};
