//! flowvar and pktvar: what `pcre` captured before, looked into (Suricata manual, "flowvar", "pktvar").

use super::{text, Keyword, Kind};
use crate::detect::builder::{some_value, RuleBuilder};
use crate::detect::diagnostic::Refusal;
use crate::detect::program::search::Literal;
use crate::flow::Flow;

type Values = fn(&Flow) -> &[(u32, Vec<u8>)];

pub static FLOWVAR: Keyword = Keyword {
    name: "flowvar",
    kind: Kind::Flow,
    doc: "A variable that a pcre captured on this flow holds the content: NAME,\"content\"; ! before it = does not.",
    example: "flowvar:who,\"admin\";",
    accepts: &["flowvar:who,\"admin\";", "flowvar:who,!\"|61 62|\";"],
    refuses: &["flowvar;", "flowvar:who;", "flowvar:who,\"\";", "flowvar:,\"a\";", "flowvar:who,\"|6|\";"],
    parse: |rule, value| variable(rule, "flowvar", "flow", value, |flow| &flow.detect.left().flowvars),
    ..Keyword::EMPTY
};

pub static PKTVAR: Keyword = Keyword {
    name: "pktvar",
    kind: Kind::Flow,
    doc: "A variable that a pcre captured on this packet holds the content: NAME,\"content\"; ! before it = does not.",
    example: "pktvar:who,\"admin\";",
    accepts: &["pktvar:who,\"admin\";", "pktvar:who,!\"|61 62|\";"],
    refuses: &["pktvar;", "pktvar:who;", "pktvar:who,\"\";", "pktvar:,\"a\";"],
    parse: |rule, value| variable(rule, "pktvar", "pkt", value, |flow| &flow.detect.left().pktvars),
    ..Keyword::EMPTY
};

fn variable(
    rule: &mut RuleBuilder<'_>,
    keyword: &'static str,
    scope: &str,
    value: Option<&str>,
    values: Values,
) -> Result<(), Refusal> {
    let value = some_value(keyword, value, "NAME,\"content\"")?;
    let wrong = || {
        Refusal::error(
            format!("`{value}` does not name a variable and a content"),
            format!("write {keyword}:NAME,\"content\";"),
        )
    };
    let (name, content) = value.split_once(',').ok_or_else(wrong)?;
    let (negated, content) = text::negation(content.trim());
    let bytes = text::bytes(text::quoted(keyword, content)?)?;
    if name.trim().is_empty() || bytes.is_empty() {
        return Err(wrong());
    }
    let id = rule.shared.flowvars.number(&format!("{scope}:{}", name.trim()));
    let literal = Literal::new(&bytes, false);
    rule.packet_test(move |cx| {
        let Some(flow) = cx.flow else { return false };
        let mut held = values(flow).iter().filter(|(known, _)| *known == id).map(|(_, v)| v).peekable();
        held.peek().is_some() && held.any(|v| literal.find(v).is_some()) != negated
    });
    Ok(())
}
