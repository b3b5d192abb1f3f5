//! content, uricontent and the modifiers of a content that say how it compares. Positions are in position.rs.

use super::{text, Keyword, Kind};
use crate::detect::buffers;
use crate::detect::builder::{no_value, some_value, ContentDraft, Item, Place, RuleBuilder};
use crate::detect::diagnostic::Refusal;
use crate::detect::fast_pattern::Ask;

/// Longest content in bytes: several times what anybody writes.
const LEN_MAX: usize = 4096;

pub static CONTENT: Keyword = Keyword {
    name: "content",
    kind: Kind::Payload,
    doc: "Bytes that must (or with ! must not) occur in the payload or the selected buffer. |0d 0a| writes bytes in hex.",
    example: "content:\"GET /\";",
    accepts: &[
        "content:\"abc\";",
        "content:!\"abc\";",
        "content:\"a|0d 0A|b\";",
        "content:\"a\\;b\\\"\\\\\";",
    ],
    refuses: &["content;", "content:\"\";", "content:abc;", "content:\"|0|\";", "content:\"a\\x\";"],
    parse: content,
    ..Keyword::EMPTY
};

fn draft(value: Option<&str>) -> Result<ContentDraft, Refusal> {
    let value = some_value("content", value, "\"...\"")?;
    let (negated, value) = text::negation(value);
    let bytes = text::bytes(text::quoted("content", value)?)?;
    if bytes.is_empty() || bytes.len() > LEN_MAX {
        return Err(Refusal::error(
            format!("the content has {} bytes", bytes.len()),
            format!("write 1 to {LEN_MAX} bytes; split a longer content in two with distance:0; within:N;"),
        ));
    }
    Ok(ContentDraft { bytes, negated, ..ContentDraft::default() })
}

fn content(rule: &mut RuleBuilder<'_>, value: Option<&str>) -> Result<(), Refusal> {
    let draft = draft(value)?;
    rule.push(Item::Content(draft));
    Ok(())
}

pub static URICONTENT: Keyword = Keyword {
    name: "uricontent",
    kind: Kind::Payload,
    doc: "The old form of content with http_uri.",
    example: "uricontent:\"/index\";",
    refuses: &["uricontent;"],
    parse: uricontent,
    ..Keyword::EMPTY
};

fn uricontent(rule: &mut RuleBuilder<'_>, value: Option<&str>) -> Result<(), Refusal> {
    let draft = draft(value)?;
    let Some(buffer) = buffers::find("http.uri") else {
        return Err(Refusal::skip("this build has no http"));
    };
    let list = rule.plain_list(Place::App(buffer));
    if let Some(found) = rule.lists.get_mut(list) {
        found.items.push(Item::Content(draft));
        rule.last_content = Some((list, found.items.len().saturating_sub(1)));
    }
    Ok(())
}

pub static NOCASE: Keyword = Keyword {
    name: "nocase",
    kind: Kind::ContentModifier,
    doc: "The content matches in upper and lower case (ASCII).",
    example: "content:\"abc\"; nocase;",
    accepts: &["content:\"abc\"; nocase;"],
    refuses: &["nocase;", "content:\"a\"; nocase:1;", "content:\"a\"; nocase; nocase;"],
    parse: |rule, value| {
        no_value("nocase", value)?;
        let content = rule.content("nocase")?;
        if content.nocase {
            return Err(twice("nocase"));
        }
        content.nocase = true;
        Ok(())
    },
    ..Keyword::EMPTY
};

pub static RAWBYTES: Keyword = Keyword {
    name: "rawbytes",
    kind: Kind::ContentModifier,
    doc: "Accepted for compatibility: contents always see raw bytes.",
    example: "content:\"abc\"; rawbytes;",
    accepts: &["content:\"abc\"; rawbytes;"],
    refuses: &["rawbytes;"],
    parse: |rule, value| {
        no_value("rawbytes", value)?;
        rule.content("rawbytes")?.rawbytes = true;
        Ok(())
    },
    ..Keyword::EMPTY
};

pub static REPLACE: Keyword = Keyword {
    name: "replace",
    kind: Kind::ContentModifier,
    doc: "Accepted and ignored: a passive sensor changes no packets.",
    example: "content:\"abc\"; replace:\"xyz\";",
    accepts: &["content:\"abc\"; replace:\"xyz\";"],
    refuses: &["replace:\"xyz\";", "content:\"abc\"; replace:\"long\";"],
    parse: |rule, value| {
        let value = some_value("replace", value, "\"...\"")?;
        let bytes = text::bytes(text::quoted("replace", value)?)?;
        let content = rule.content("replace")?;
        if bytes.len() != content.bytes.len() {
            return Err(Refusal::error(
                "the replacement is not as long as its content",
                "write as many bytes as the content has",
            ));
        }
        content.replaced = true;
        rule.warn("replace has no effect: a passive sensor changes no packets");
        Ok(())
    },
    ..Keyword::EMPTY
};

pub static FAST_PATTERN: Keyword = Keyword {
    name: "fast_pattern",
    kind: Kind::ContentModifier,
    doc: "The prefilter uses this content; `only` asks for nothing more, `offset,length` uses a part of it.",
    example: "content:\"abc\"; fast_pattern;",
    accepts: &[
        "content:\"abc\"; fast_pattern;",
        "content:\"abc\"; fast_pattern:only;",
        "content:\"abcdef\"; fast_pattern:2,3;",
        "content:!\"abc\"; fast_pattern;",
    ],
    refuses: &[
        "fast_pattern;",
        "content:\"abc\"; fast_pattern:2,3;",
        "content:\"abc\"; fast_pattern:x;",
        "content:!\"abc\"; offset:3; fast_pattern;",
        "content:\"abc\"; offset:3; fast_pattern:only;",
        "content:\"abc\"; fast_pattern; fast_pattern;",
    ],
    parse: fast_pattern,
    ..Keyword::EMPTY
};

fn fast_pattern(rule: &mut RuleBuilder<'_>, value: Option<&str>) -> Result<(), Refusal> {
    rule.content("fast_pattern")?;
    if std::mem::replace(&mut rule.has_fast_pattern, true) {
        return Err(Refusal::error("the rule has a fast_pattern already", "keep it on one content"));
    }
    let content = rule.content("fast_pattern")?;
    let placed = content.is_relative() || content.offset.is_some() || content.depth.is_some();
    if content.negated && placed {
        return Err(Refusal::error(
            "a negated content with a position cannot be the fast pattern",
            "put fast_pattern on another content",
        ));
    }
    content.ask = match value {
        None => Ask::Yes,
        Some("only") => {
            if placed || content.negated {
                return Err(Refusal::error(
                    "fast_pattern:only does not go with a position or a negation",
                    "use fast_pattern; alone",
                ));
            }
            Ask::Only
        }
        Some(value) => {
            let part = value.split_once(',').and_then(|(offset, length)| {
                Some((offset.trim().parse::<usize>().ok()?, length.trim().parse::<usize>().ok()?))
            });
            match part {
                Some((offset, length))
                    if length > 0 && offset.saturating_add(length) <= content.bytes.len() =>
                {
                    Ask::Chop(offset, length)
                }
                _ => {
                    return Err(Refusal::error(
                        format!("`{value}` is no part of the content"),
                        "write fast_pattern; fast_pattern:only; or fast_pattern:offset,length; within the content",
                    ));
                }
            }
        }
    };
    Ok(())
}

pub(super) fn twice(name: &str) -> Refusal {
    Refusal::error(format!("`{name}` is there twice for one content"), "remove one of them")
}
