//! Keywords that say what a rule is, not what it matches: msg, sid, classtype, reference, metadata, target, requires ...

use super::{text, Keyword, Kind};
use crate::detect::builder::{no_value, some_value, RuleBuilder};
use crate::detect::diagnostic::Refusal;
use crate::detect::effects::{Action, Tag, TagUnit};
use std::collections::HashMap;

/// The Suricata version whose rule language this build speaks, for `requires`.
const COMPATIBLE: (u32, u32, u32) = (8, 0, 0);

/// A keyword that is one 32-bit number.
fn id(name: &str, value: Option<&str>, low: u32) -> Result<u32, Refusal> {
    let value = some_value(name, value, "1")?;
    let bare = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
    bare.parse::<u32>().ok().filter(|n| *n >= low).ok_or_else(|| {
        Refusal::error(
            format!("`{value}` is not a number from {low} to {}", u32::MAX),
            format!("write {name}:1;"),
        )
    })
}

fn once(seen: &mut bool, name: &str) -> Result<(), Refusal> {
    if std::mem::replace(seen, true) {
        return Err(Refusal::error(format!("`{name}` is there twice"), "remove one"));
    }
    Ok(())
}

pub static SID: Keyword = Keyword {
    name: "sid",
    kind: Kind::Meta,
    doc: "The rule's number; unique together with gid.",
    example: "sid:1000001;",
    refuses: &["sid;", "sid:0;", "sid:x;", "sid:5000000000;"],
    parse: |rule, value| {
        rule.rule.sid = id("sid", value, 1)?;
        once(&mut rule.has_sid, "sid")
    },
    ..Keyword::EMPTY
};

pub static GID: Keyword = Keyword {
    name: "gid",
    kind: Kind::Meta,
    doc: "The group the sid belongs to; 1 when not given.",
    example: "gid:1;",
    accepts: &["gid:1;"],
    refuses: &["gid;", "gid:x;"],
    parse: |rule, value| {
        rule.rule.gid = id("gid", value, 0)?;
        Ok(())
    },
    ..Keyword::EMPTY
};

pub static REV: Keyword = Keyword {
    name: "rev",
    kind: Kind::Meta,
    doc: "Revision of the rule.",
    example: "rev:2;",
    accepts: &["rev:2;"],
    refuses: &["rev;", "rev:x;", "rev:-1;", "rev:1; rev:2;"],
    parse: |rule, value| {
        rule.rule.rev = id("rev", value, 0)?;
        once(&mut rule.has_rev, "rev")
    },
    ..Keyword::EMPTY
};

pub static MSG: Keyword = Keyword {
    name: "msg",
    kind: Kind::Meta,
    doc: "The text of the alert.",
    example: "msg:\"Something was seen\";",
    accepts: &["msg:\"a \\\"b\\\" \\; c\";"],
    refuses: &["msg;", "msg:bare;"],
    parse: |rule, value| {
        let value = some_value("msg", value, "\"...\"")?;
        text::quoted("msg", value)?;
        once(&mut rule.has_msg, "msg")
    },
    ..Keyword::EMPTY
};

/// The text of the alert, from the value of `msg`.
pub fn message(value: &str) -> Result<String, Refusal> {
    text::quoted("msg", value).map(text::plain)
}

pub static CLASSTYPE: Keyword = Keyword {
    name: "classtype",
    kind: Kind::Meta,
    doc: "A class of classification.config; gives the alert its category and priority.",
    example: "classtype:trojan-activity;",
    accepts: &["classtype:trojan-activity;"],
    refuses: &["classtype;"],
    parse: |rule, value| {
        let value = some_value("classtype", value, "misc-activity")?;
        let value = value.trim_matches('"');
        match rule.shared.classes.get(value).cloned() {
            Some(class) => {
                rule.rule.class_description = class.description;
                if !rule.has_priority {
                    rule.rule.priority = class.priority;
                }
            }
            None if rule.shared.classes.is_empty() => {}
            None => rule.warn(format!(
                "class `{value}` is not in classification.config: the default priority applies"
            )),
        }
        Ok(())
    },
    ..Keyword::EMPTY
};

pub static PRIORITY: Keyword = Keyword {
    name: "priority",
    kind: Kind::Meta,
    doc: "1 (highest) to 255; stands above the class's own.",
    example: "priority:1;",
    accepts: &["priority:1;"],
    refuses: &["priority;", "priority:256;", "priority:x;"],
    parse: |rule, value| {
        let n = id("priority", value, 0)?;
        rule.rule.priority = u8::try_from(n)
            .map_err(|_| Refusal::error(format!("priority {n} is out of range"), "write 1 to 255"))?;
        rule.has_priority = true;
        Ok(())
    },
    ..Keyword::EMPTY
};

pub static REFERENCE: Keyword = Keyword {
    name: "reference",
    kind: Kind::Meta,
    doc: "Where to read more: a type of reference.config and a value.",
    example: "reference:cve,2021-44228;",
    accepts: &["reference:cve,2021-44228;", "reference: url , example.org/a,b;"],
    refuses: &["reference;", "reference:cve;"],
    parse: |rule, value| {
        let value = some_value("reference", value, "cve,2021-44228")?;
        let known = &rule.texts.references;
        let found = reference(value, known)?;
        if found.prefix.is_none() && !known.is_empty() {
            rule.warn(format!("reference type `{}` is not in reference.config", found.kind));
        }
        Ok(())
    },
    ..Keyword::EMPTY
};

/// The value of `reference`.
pub struct Reference<'a> {
    kind: &'a str,
    target: &'a str,
    prefix: Option<&'a str>,
}

pub fn reference<'a>(
    value: &'a str,
    prefixes: &'a HashMap<String, String>,
) -> Result<Reference<'a>, Refusal> {
    let (kind, target) = value
        .split_once(',')
        .ok_or_else(|| Refusal::error("the reference has no value", "write reference:type,value;"))?;
    let kind = kind.trim();
    let prefix = prefixes.get(kind).or_else(|| {
        prefixes.iter().find(|(known, _)| known.eq_ignore_ascii_case(kind)).map(|(_, prefix)| prefix)
    });
    let target = target.trim().trim_matches('"');
    Ok(Reference { kind, target, prefix: prefix.map(String::as_str) })
}

impl Reference<'_> {
    /// With the prefix of its type; a value that names its scheme is whole.
    pub fn full(&self) -> String {
        let target = text::plain(self.target);
        let prefix = self.prefix.filter(|_| !target.contains("://"));
        format!("{}{target}", prefix.unwrap_or_default())
    }
}

pub static METADATA: Keyword = Keyword {
    name: "metadata",
    kind: Kind::Meta,
    doc: "Key and value pairs that go with the alert.",
    example: "metadata:created_at 2024_01_01, severity Major;",
    accepts: &["metadata:a b, c d e;", "metadata:lonely;"],
    refuses: &["metadata;"],
    parse: |_rule, value| {
        some_value("metadata", value, "key value")?;
        Ok(())
    },
    ..Keyword::EMPTY
};

/// Keys and values of a value of `metadata`.
pub fn pairs(value: &str) -> impl Iterator<Item = (&str, &str)> {
    let parts = value.trim_matches('"').split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| {
        let (key, value) = part.split_once(char::is_whitespace).unwrap_or((part, ""));
        (key, value.trim())
    })
}

pub static TARGET: Keyword = Keyword {
    name: "target",
    kind: Kind::Meta,
    doc: "Which side is attacked: src_ip or dest_ip.",
    example: "target:dest_ip;",
    accepts: &["target:dest_ip;", "target:src_ip;"],
    refuses: &["target;", "target:both;"],
    parse: |rule, value| {
        rule.rule.target_src = Some(match some_value("target", value, "dest_ip")? {
            "src_ip" => true,
            "dest_ip" => false,
            other => {
                return Err(Refusal::error(format!("`{other}` is no side"), "use src_ip or dest_ip"));
            }
        });
        Ok(())
    },
    ..Keyword::EMPTY
};

pub static NOALERT: Keyword = Keyword {
    name: "noalert",
    kind: Kind::Meta,
    doc: "The rule acts (flowbits ...) without an alert.",
    example: "noalert;",
    accepts: &["noalert;"],
    refuses: &["noalert:1;"],
    parse: |rule, value| {
        no_value("noalert", value)?;
        rule.rule.noalert = true;
        Ok(())
    },
    ..Keyword::EMPTY
};

pub static ALERT: Keyword = Keyword {
    name: "alert",
    kind: Kind::Meta,
    doc: "The rule alerts although its action (pass) does not say so.",
    example: "alert;",
    accepts: &["alert;"],
    refuses: &["alert:1;"],
    parse: |rule, value| {
        no_value("alert", value)?;
        if rule.rule.action == Action::Pass {
            rule.warn("alert has no effect on a pass rule in this build");
        }
        rule.rule.noalert = false;
        Ok(())
    },
    ..Keyword::EMPTY
};

pub static TAG: Keyword = Keyword {
    name: "tag",
    kind: Kind::Meta,
    doc: "Keeps packets after the alert: session or host, count, packets|seconds|bytes, and src or dst for host.",
    example: "tag:session,5,packets;",
    accepts: &["tag:session;", "tag:session,5,packets;", "tag:host,10,seconds,src;"],
    refuses: &["tag;", "tag:flow,5,packets;", "tag:session,x,packets;", "tag:host,5,packets;"],
    parse: tag,
    ..Keyword::EMPTY
};

fn tag(rule: &mut RuleBuilder<'_>, value: Option<&str>) -> Result<(), Refusal> {
    let value = some_value("tag", value, "session,5,packets")?;
    let wrong = || {
        Refusal::error(
            format!("`{value}` is no tag"),
            "write tag:session,COUNT,packets|seconds|bytes; or tag:host,COUNT,UNIT,src|dst;",
        )
    };
    let mut parts = value.split(',').map(str::trim);
    let kind = parts.next().unwrap_or("");
    let count = match parts.next() {
        Some(count) => Some(count.parse::<u32>().map_err(|_| wrong())?),
        None => None,
    };
    let unit = match parts.next() {
        Some("packets") | None => TagUnit::Packets,
        Some("seconds") => TagUnit::Seconds,
        Some("bytes") => TagUnit::Bytes,
        Some(_) => return Err(wrong()),
    };
    let host_src = match (kind, parts.next()) {
        ("session", None) => None,
        ("host", Some("src")) => Some(true),
        ("host", Some("dst")) => Some(false),
        _ => return Err(wrong()),
    };
    if host_src.is_some() && count.is_none() {
        return Err(wrong());
    }
    rule.rule.tags.push(Tag { host_src, count, unit });
    Ok(())
}

pub static REQUIRES: Keyword = Keyword {
    name: "requires",
    kind: Kind::Meta,
    doc: "Loads the rule only where the engine has what it names: feature X, version >= N, keyword X.",
    example: "requires:version >= 7.0.4;",
    accepts: &["requires:version >= 7.0.4;", "requires:version >= 7 < 9, keyword content;"],
    refuses: &[
        "requires;",
        "requires:foo bar;",
        "requires:version > x;",
        "requires:version >= 99;",
        "requires:feature geoip;",
        "requires:keyword no_such;",
    ],
    parse: requires,
    ..Keyword::EMPTY
};

fn requires(rule: &mut RuleBuilder<'_>, value: Option<&str>) -> Result<(), Refusal> {
    let value = some_value("requires", value, "version >= 7.0.4")?;
    let wrong = |part: &str| {
        Refusal::error(
            format!("`{part}` is no requirement"),
            "write requires:version >= 7.0.4; requires:keyword NAME; or requires:feature NAME;",
        )
    };
    for part in value.split(',').map(str::trim) {
        let (kind, rest) = part.split_once(char::is_whitespace).ok_or_else(|| wrong(part))?;
        let met = match kind {
            "version" => {
                let alternatives: Option<Vec<bool>> = rest.split('|').map(version_meets).collect();
                alternatives.ok_or_else(|| wrong(part))?.contains(&true)
            }
            "keyword" => matches!(
                super::find(rest.trim()),
                Some(
                    super::Entry::Keyword(_)
                        | super::Entry::Number(..)
                        | super::Entry::Buffer(_)
                        | super::Entry::Modifier(_)
                )
            ),
            "feature" => has_feature(rule, rest.trim()),
            _ => return Err(wrong(part)),
        };
        if !met {
            return Err(Refusal::skip(format!("the rule requires `{part}`")));
        }
    }
    Ok(())
}

/// Features as `requires:feature` names them: some hang on the machine.
fn has_feature(rule: &mut RuleBuilder<'_>, name: &str) -> bool {
    match name {
        "pcre2" | "hyperscan" | "ja3" | "ja4" | "output::file-store" => true,
        "magic" | "libmagic" => rule.shared.outside().has_magic(),
        _ => false,
    }
}

/// `>= 7.0.4 < 8`: all of them.
fn version_meets(text: &str) -> Option<bool> {
    let mut met = true;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c.is_ascii_digit())?;
        let (operator, after) = rest.split_at_checked(end)?;
        let end = after.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '-').unwrap_or(after.len());
        let (version, next) = after.split_at_checked(end)?;
        let mut numbers = version.split(['.', '-']).map(|n| n.parse::<u32>().unwrap_or(0));
        let mut number = || numbers.next().unwrap_or(0);
        let wanted = (number(), number(), number());
        met &= match operator.trim() {
            ">=" => COMPATIBLE >= wanted,
            ">" => COMPATIBLE > wanted,
            "<" => COMPATIBLE < wanted,
            "<=" => COMPATIBLE <= wanted,
            "=" | "==" => COMPATIBLE == wanted,
            _ => return None,
        };
        rest = next.trim();
    }
    Some(met)
}

/// Accepted keywords that have no effect on what matches in a passive sensor.
macro_rules! no_effect {
    ($id:ident, $name:literal, $doc:literal, $accepts:expr) => {
        pub static $id: Keyword = Keyword {
            name: $name,
            kind: Kind::Meta,
            doc: $doc,
            example: concat!($name, ";"),
            accepts: $accepts,
            parse: |_rule, _value| Ok(()),
            ..Keyword::EMPTY
        };
    };
}

no_effect!(
    BYPASS,
    "bypass",
    "Accepted; the engine decides itself what it need not look at any more.",
    &["bypass;"]
);
no_effect!(PREFILTER, "prefilter", "Accepted; the engine chooses its prefilter itself.", &["prefilter;"]);
no_effect!(
    NFQ_SET_MARK,
    "nfq_set_mark",
    "Accepted; it speaks to an inline firewall.",
    &["nfq_set_mark:0x1/0xff;"]
);
no_effect!(
    TLS_STORE,
    "tls.store",
    "Accepted; certificates are not stored by this build, and matching does not depend on it.",
    &["tls.store;"]
);
