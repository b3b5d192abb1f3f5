//! pcre: a regular expression on the payload or a buffer.

use super::{text, Keyword, Kind};
use crate::detect::buffers;
use crate::detect::builder::{some_value, Item, Place, RuleBuilder};
use crate::detect::diagnostic::Refusal;
use crate::detect::names::JSON_PREFIX;
use crate::detect::pcre::{Options, Regex};
use crate::detect::program::{Capture, Op, Pcre};
use crate::detect::rule::OnMatch;
use crate::flow::Flow;

pub static PCRE: Keyword = Keyword {
    name: "pcre",
    kind: Kind::Payload,
    doc: "A Perl-compatible regular expression, /pattern/modifiers: i s m x A E G as in PCRE (G = ungreedy), R = behind the \
          match before, O = without limits, B = raw payload, and one buffer letter: U I H D P Q M C S Y V W Z.",
    example: "pcre:\"/User-Agent: [a-z]{4}$/Ri\";",
    accepts: &[
        "pcre:\"/ab+c/\";",
        "pcre:!\"/ab+c/i\";",
        "content:\"a\"; pcre:\"/^b/Rsmx\";",
        "pcre:\"/a\\/b/\";",
        "pcre:\"/(?P<flow_name>a)/\";",
        "pcre:\"/(a)(b)/, flow:one, pkt:two\";",
    ],
    refuses: &["pcre;", "pcre:\"ab\";", "pcre:\"/a(/\";", "pcre:\"/a/k\";", "pcre:\"/b/R\";"],
    parse: pcre,
    ..Keyword::EMPTY
};

/// The legacy modifier of a buffer letter.
fn buffer_of(letter: char) -> Option<&'static str> {
    Some(match letter {
        'U' => "http_uri",
        'I' => "http_raw_uri",
        'H' => "http_header",
        'D' => "http_raw_header",
        'P' => "http_client_body",
        'Q' => "http_server_body",
        'M' => "http_method",
        'C' => "http_cookie",
        'S' => "http_stat_code",
        'Y' => "http_stat_msg",
        'V' => "http_user_agent",
        'W' => "http_host",
        'Z' => "http_raw_host",
        _ => return None,
    })
}

fn pcre(rule: &mut RuleBuilder<'_>, value: Option<&str>) -> Result<(), Refusal> {
    let value = some_value("pcre", value, "\"/pattern/i\"")?;
    let (outer, value) = text::negation(value);
    let (inner, value) = text::negation(text::quoted("pcre", value)?);
    let negated = outer != inner;
    let body = value.strip_prefix('/').ok_or_else(|| {
        Refusal::error("the expression does not start with /", "write pcre:\"/pattern/modifiers\";")
    })?;
    let (pattern, modifiers) = body.rsplit_once('/').ok_or_else(|| {
        Refusal::error("the expression has no closing /", "write pcre:\"/pattern/modifiers\";")
    })?;
    let (letters, names) = modifiers.split_once(',').unwrap_or((modifiers, ""));
    let mut options = Options::default();
    let (mut relative, mut raw) = (false, false);
    let mut buffer: Option<&'static str> = None;
    for letter in letters.trim().chars() {
        match letter {
            'i' => options.caseless = true,
            's' => options.dot_all = true,
            'm' => options.multi_line = true,
            'x' => options.extended = true,
            'A' => options.anchored = true,
            'E' => options.dollar_end_only = true,
            'G' => options.ungreedy = true,
            'O' => options.no_limits = true,
            'R' => relative = true,
            'B' => raw = true,
            _ => {
                let found = buffer_of(letter).ok_or_else(|| {
                    Refusal::error(
                        format!("`{letter}` is not a pcre modifier"),
                        "use i s m x A E G O R B or a buffer letter (U I H D P Q M C S Y V W Z)",
                    )
                })?;
                if buffer.is_some_and(|b| b != found) {
                    return Err(Refusal::error(
                        "two buffer letters in one expression",
                        "keep one, and write a second pcre for the other buffer",
                    ));
                }
                buffer = Some(found);
            }
        }
    }
    let lower_host = matches!(buffer, Some("http_host"));
    if lower_host && !options.caseless && pattern_has_upper(pattern) {
        return Err(Refusal::error(
            "the host name buffer is in lower case, the pattern has upper case letters",
            "write the pattern in lower case or add the i modifier",
        ));
    }
    let regex = Regex::new(pattern.as_bytes(), options).map_err(|reason| {
        Refusal::error(
            format!("the expression does not compile: {reason}"),
            "mend the pattern (it is PCRE2's syntax)",
        )
    })?;
    let captures = captures(rule, &regex, pattern, names)?;
    let list = target(rule, buffer, raw)?;
    let has_sticky = rule.current != 0 && list == rule.current;
    if relative && !has_sticky && !has_position(rule, list) {
        return Err(Refusal::error(
            "modifier R needs a match before it in the same buffer",
            "put a content or pcre before, or remove R",
        ));
    }
    let op = Op::Pcre(Pcre { regex, negated, relative, captures, retry: false });
    if list == rule.current {
        rule.push_op(op);
    } else if let Some(found) = rule.lists.get_mut(list) {
        found.items.push(Item::Op(op));
    }
    Ok(())
}

/// The list the expression belongs to.
fn target(rule: &mut RuleBuilder<'_>, buffer: Option<&str>, raw: bool) -> Result<usize, Refusal> {
    let Some(name) = buffer else {
        return Ok(if raw { 0 } else { rule.current });
    };
    if raw {
        return Err(Refusal::error("B (raw payload) does not go with a buffer letter", "remove one"));
    }
    // Q is the body as file.data sees it, and goes with either of its two names.
    let number =
        if name == "http_server_body" { buffers::find("file.data") } else { buffers::find_modifier(name) };
    let number = number.ok_or_else(|| Refusal::skip(format!("this build has no buffer `{name}`")))?;
    let also = buffers::find_modifier(name);
    let same = matches!(rule.list().place, Place::App(n) if n == number || also == Some(n));
    let later = matches!(rule.list().place, Place::Later);
    if rule.current != 0 && !same && !later {
        return Err(Refusal::error(
            "a buffer letter is used while a sticky buffer is selected",
            "remove the letter, or put pkt_data; before",
        ));
    }
    Ok(if same { rule.current } else { rule.plain_list(Place::App(number)) })
}

/// Whether something in the list sets a position.
fn has_position(rule: &RuleBuilder<'_>, list: usize) -> bool {
    rule.lists.get(list).is_some_and(|l| {
        l.items.iter().any(|item| match item {
            Item::Content(_) => true,
            Item::Op(op) => !matches!(op, Op::Size(_)),
        })
    })
}

/// Upper-case letters outside of escapes and character names.
fn pattern_has_upper(pattern: &str) -> bool {
    let mut escaped = false;
    pattern.chars().any(|c| {
        let upper = !escaped && c.is_ascii_uppercase();
        escaped = !escaped && c == '\\';
        upper
    })
}

/// Variables: groups named flow_x, pkt_x or alert_x, and the list behind the modifiers in order of the groups.
fn captures(
    rule: &mut RuleBuilder<'_>,
    regex: &Regex,
    pattern: &str,
    names: &str,
) -> Result<Vec<Capture>, Refusal> {
    let mut captures = Vec::new();
    let mut add = |rule: &mut RuleBuilder<'_>, group: u32, kind: &str, name: &str| {
        let id = rule.shared.flowvars.number(&format!("{kind}:{name}"));
        captures.push(Capture { group, id });
    };
    for part in pattern.split("(?P<").skip(1).filter(|p| p.contains('>')) {
        let full = part.split('>').next().unwrap_or("");
        if let Some((kind @ ("flow" | "pkt" | "alert"), name)) = full.split_once('_') {
            if let Some(group) = regex.group(full) {
                add(rule, group, kind, name);
            }
        }
    }
    for (group, name) in (1u32..).zip(names.split(',').map(str::trim).filter(|n| !n.is_empty())) {
        let wrong = || {
            Refusal::error(
                format!("`{name}` does not name a variable for group {group}"),
                "write flow:name, pkt:name or alert:name, one for each group of the pattern",
            )
        };
        let (kind, name) = name.split_once(':').ok_or_else(wrong)?;
        if !matches!(kind, "flow" | "pkt" | "alert") || group > regex.groups() {
            return Err(wrong());
        }
        add(rule, group, kind, name);
    }
    for scope in [Scope::Flow, Scope::Packet, Scope::Alert] {
        let kept: Vec<u32> = captures
            .iter()
            .map(|c| c.id)
            .filter(|id| rule.shared.flowvars.name(*id).is_some_and(|n| n.starts_with(scope.prefix())))
            .collect();
        if !kept.is_empty() {
            if let Scope::Alert = scope {
                rule.rule.context.extend(&kept);
            }
            rule.rule.on_match.push(Box::new(KeepVariables(scope, kept)));
        }
    }
    Ok(captures)
}

/// Longest value kept on a flow, in bytes, and how many values: a hostile flow must not grow its state.
const VALUE_MAX: usize = 1024;
const VALUES_MAX: usize = 32;

impl RuleBuilder<'_> {
    /// A variable of the alert's context that a data set fills with JSON.
    pub fn keep_context(&mut self, key: &str) -> u32 {
        let id = self.shared.flowvars.number(&format!("{JSON_PREFIX}{key}"));
        self.rule.context.push(id);
        self.rule.on_match.push(Box::new(KeepVariables(Scope::Alert, vec![id])));
        id
    }
}

/// How long a captured variable lives.
#[derive(Clone, Copy)]
enum Scope {
    Flow,
    Packet,
    /// For the rule's own alert: `alert.context`.
    Alert,
}

impl Scope {
    /// In front of the names of the interner.
    fn prefix(self) -> &'static str {
        match self {
            Scope::Flow => "flow:",
            Scope::Packet => "pkt:",
            Scope::Alert => "alert:",
        }
    }
}

/// Stores the captures of a rule that matched.
struct KeepVariables(Scope, Vec<u32>);

impl OnMatch for KeepVariables {
    fn apply(
        &self,
        _packet: &crate::decode::Packet<'_>,
        flow: Option<&mut Flow>,
        captures: &[(u32, Vec<u8>)],
    ) {
        let Some(flow) = flow else { return };
        let left = flow.detect.left_mut();
        let variables = match self.0 {
            Scope::Flow => &mut left.flowvars,
            Scope::Packet => &mut left.pktvars,
            Scope::Alert => &mut left.context,
        };
        if let Scope::Alert = self.0 {
            variables.retain(|(id, _)| !self.1.contains(id));
        }
        for (id, value) in captures.iter().filter(|(id, _)| self.1.contains(id)) {
            let value = value.get(..VALUE_MAX).unwrap_or(value).to_vec();
            // A repeated name takes the newest value when it is the same capture; distinct values are all kept.
            if variables.iter().any(|(known, old)| known == id && *old == value) {
                continue;
            }
            if variables.len() < VALUES_MAX {
                variables.push((*id, value));
            }
        }
    }
}
