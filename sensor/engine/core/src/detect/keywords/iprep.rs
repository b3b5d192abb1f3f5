//! iprep: the reputation of the packet's addresses (Suricata manual, "IP Reputation Keyword").

use super::side::Side;
use super::{number, Keyword, Kind};
use crate::detect::builder::{some_value, RuleBuilder};
use crate::detect::diagnostic::Refusal;
use crate::detect::program::number::NumberTest;
use crate::detect::reputation::SCORE_MAX;
use std::sync::Arc;

pub static IPREP: Keyword = Keyword {
    name: "iprep",
    kind: Kind::Packet,
    doc: "Reputation of an address: any|src|dst|both,CATEGORY,<|<=|>|>=|=,SCORE, or any|src|dst|both,CATEGORY,isset|isnotset. \
          Needs `reputation-categories-file` and `reputation-files` in the configuration; without them the rule is skipped.",
    example: "iprep:src,Bot,>,30;",
    refuses: &["iprep;", "iprep:src,Bot;", "iprep:here,Bot,isset;", "iprep:src,Bot,?,30;", "iprep:src,Bot,>,200;"],
    parse,
    ..Keyword::EMPTY
};

enum Wanted {
    IsSet,
    IsNotSet,
    Score(NumberTest),
}

fn parse(rule: &mut RuleBuilder<'_>, value: Option<&str>) -> Result<(), Refusal> {
    let value = some_value("iprep", value, "src,CATEGORY,>,30")?;
    let wrong = || {
        Refusal::error(
            format!("`{value}` is no test of a reputation"),
            "write iprep:any|src|dst|both,CATEGORY,>,30; or iprep:src,CATEGORY,isset|isnotset; scores go from 0 to 127",
        )
    };
    let parts: Vec<&str> = value.split(',').map(str::trim).collect();
    let (side, category, wanted) = match parts.as_slice() {
        [side, category, "isset"] => (side, category, Wanted::IsSet),
        [side, category, "isnotset"] => (side, category, Wanted::IsNotSet),
        [side, category, operator @ ("<" | "<=" | ">" | ">=" | "="), score] => {
            let test = number::test("iprep", &format!("{operator}{score}"), u64::from(SCORE_MAX));
            (side, category, Wanted::Score(test.map_err(|_| wrong())?))
        }
        _ => return Err(wrong()),
    };
    let side = Side::read(side).ok_or_else(wrong)?;
    let table = Arc::clone(&rule.shared.outside().reputation);
    if !table.is_configured() {
        return Err(Refusal::skip("`iprep` needs `reputation-categories-file` in the configuration"));
    }
    let Some(category) = table.category_of(category) else {
        let fix = match super::nearest(category, table.names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "add it to reputation-categories-file, or use a category that is there".to_owned(),
        };
        return Err(Refusal::error(format!("there is no reputation category `{category}`"), fix));
    };
    rule.ip_only_test(move |cx| {
        cx.packet.ip_version != 0
            && side.holds(cx.packet, |addr| match (&wanted, table.of(addr, category)) {
                (Wanted::IsSet, score) => score.is_some(),
                (Wanted::IsNotSet, score) => score.is_none(),
                (Wanted::Score(test), score) => score.is_some_and(|n| test.holds(u64::from(n))),
            })
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::decode::{Addr, Packet};
    use crate::detect::cx::PacketCx;
    use crate::detect::diagnostic::Severity;
    use crate::detect::reputation::tests::example;
    use crate::detect::shared::Shared;
    use crate::detect::test_rules::rule_with;
    use crate::direction::Dir;
    use crate::time::Timestamp;
    use std::sync::Arc;

    fn matches(option: &str) -> Option<bool> {
        let mut shared = Shared::default();
        shared.outside().reputation = Arc::new(example());
        let rule = rule_with(&format!("alert ip any any -> any any ({option} sid:1;)"), &mut shared).ok()?;
        let mut packet = Packet::new(&[], Timestamp::default(), 1, 0, 1);
        packet.ip_version = 4;
        (packet.src, packet.dst) = (Addr::v4([10, 1, 2, 3]), Addr::v4([192, 0, 2, 1]));
        let cx = PacketCx { packet: &packet, flow: None, dir: Dir::ToServer };
        Some(rule.packet_tests.iter().all(|test| test.matches(&cx)))
    }

    #[test]
    fn scores_and_membership() {
        for (option, holds) in [
            ("iprep:src,Bot,>,30;", true),
            ("iprep:src,Bot,>=,91;", false),
            ("iprep:any,Bot,=,90;", true),
            ("iprep:both,Bot,isset;", false),
            ("iprep:dst,Bot,<,30;", false),
            ("iprep:dst, Bot, isnotset;", true),
        ] {
            assert_eq!(matches(option), Some(holds), "{option}");
        }
        assert_eq!(matches("iprep:src,Bat,isset;"), None);
    }

    #[test]
    fn without_categories_the_rule_is_skipped() {
        let found = crate::detect::test_rules::options("iprep:src,Bot,>,30;").err().unwrap();
        assert_eq!(found[0].severity, Severity::Skip);
    }
}
