//! xbits and hostbits: bits on addresses, across flows.

use super::{Keyword, Kind};
use crate::decode::Packet;
use crate::detect::builder::{some_value, RuleBuilder};
use crate::detect::diagnostic::Refusal;
use crate::detect::rule::OnMatch;
use crate::detect::xbits::{Bit, Subject};
use crate::flow::Flow;
use crate::team;

/// Seconds a bit lasts when the rule does not say (Suricata manual, xbits: 30; hostbits: 300).
const XBIT_SECONDS: u64 = 30;
const HOSTBIT_SECONDS: u64 = 300;

#[derive(Clone, Copy)]
enum By {
    Src,
    Dst,
    Pair,
}

impl By {
    fn subject(self, packet: &Packet<'_>) -> Option<Subject> {
        if packet.ip_version == 0 {
            return None;
        }
        Some(match self {
            By::Src => Subject::Host(packet.src),
            By::Dst => Subject::Host(packet.dst),
            By::Pair => Subject::pair(packet.src, packet.dst),
        })
    }
}

#[derive(Clone, Copy)]
enum Change {
    Set,
    Unset,
    Toggle,
}

struct ChangeBit {
    bit: Bit,
    by: By,
    change: Change,
    seconds: u64,
}

impl OnMatch for ChangeBit {
    fn apply(&self, packet: &Packet<'_>, _flow: Option<&mut Flow>, _captures: &[(u32, Vec<u8>)]) {
        let Some(subject) = self.by.subject(packet) else { return };
        team::in_turn(|team| {
            let on = match self.change {
                Change::Set => true,
                Change::Unset => false,
                Change::Toggle => !team.xbits.is_set(self.bit, subject, packet.ts),
            };
            if on {
                team.xbits.set(self.bit, subject, packet.ts, self.seconds);
            } else {
                team.xbits.unset(self.bit, subject);
            }
        });
    }
}

pub static XBITS: Keyword = Keyword {
    name: "xbits",
    kind: Kind::Flow,
    doc: "Named bits on addresses: set|unset|toggle|isset|isnotset,name,track ip_src|ip_dst|ip_pair[,expire SECONDS].",
    example: "xbits:set,seen,track ip_src,expire 60;",
    accepts: &["xbits:set,seen,track ip_src,expire 60;", "xbits:isset, seen, track ip_pair;", "xbits:noalert;"],
    refuses: &["xbits;", "xbits:set,seen;", "xbits:set,seen,track me;", "xbits:foo,seen,track ip_src;"],
    parse: |rule, value| {
        let value = some_value("xbits", value, "set,name,track ip_src")?;
        let mut parts = value.split(',').map(str::trim);
        let command = parts.next().unwrap_or("");
        if command == "noalert" {
            rule.rule.noalert = true;
            return Ok(());
        }
        let name = parts.next().unwrap_or("");
        let by = match parts.next().and_then(|p| p.strip_prefix("track")).map(str::trim) {
            Some("ip_src") => By::Src,
            Some("ip_dst") => By::Dst,
            Some("ip_pair") => By::Pair,
            _ => return Err(wrong("xbits", value)),
        };
        let seconds = match parts.next() {
            None => XBIT_SECONDS,
            Some(part) => part
                .strip_prefix("expire")
                .and_then(|n| n.trim().parse().ok())
                .filter(|n| *n > 0)
                .ok_or_else(|| wrong("xbits", value))?,
        };
        bit(rule, "xbits", value, command, name, by, seconds)
    },
    ..Keyword::EMPTY
};

pub static HOSTBITS: Keyword = Keyword {
    name: "hostbits",
    kind: Kind::Flow,
    doc: "Named bits on one address: set|unset|toggle|isset|isnotset,name[,src|dst].",
    example: "hostbits:set,seen,src;",
    accepts: &["hostbits:set,seen;", "hostbits:isset,seen,dst;", "hostbits:noalert;"],
    refuses: &["hostbits;", "hostbits:set;", "hostbits:set,seen,both;"],
    parse: |rule, value| {
        let value = some_value("hostbits", value, "set,name,src")?;
        let mut parts = value.split(',').map(str::trim);
        let command = parts.next().unwrap_or("");
        if command == "noalert" {
            rule.rule.noalert = true;
            return Ok(());
        }
        let name = parts.next().unwrap_or("");
        let by = match parts.next() {
            None | Some("src") => By::Src,
            Some("dst") => By::Dst,
            Some(_) => return Err(wrong("hostbits", value)),
        };
        bit(rule, "hostbits", value, command, name, by, HOSTBIT_SECONDS)
    },
    ..Keyword::EMPTY
};

fn wrong(keyword: &str, value: &str) -> Refusal {
    Refusal::error(
        format!("`{value}` is not understood"),
        match keyword {
            "xbits" => {
                "write xbits:set|unset|toggle|isset|isnotset,NAME,track ip_src|ip_dst|ip_pair,expire SECONDS;"
            }
            _ => "write hostbits:set|unset|toggle|isset|isnotset,NAME,src|dst;",
        },
    )
}

fn bit(
    rule: &mut RuleBuilder<'_>,
    keyword: &str,
    value: &str,
    command: &str,
    name: &str,
    by: By,
    seconds: u64,
) -> Result<(), Refusal> {
    if name.is_empty() {
        return Err(wrong(keyword, value));
    }
    let bit = Bit::named(keyword, name);
    let change = match command {
        "set" => Change::Set,
        "unset" => Change::Unset,
        "toggle" => Change::Toggle,
        "isset" | "isnotset" => {
            let wanted = command == "isset";
            rule.shared_test(move |cx| {
                let is_set = |subject| team::in_turn(|team| team.xbits.is_set(bit, subject, cx.packet.ts));
                by.subject(cx.packet).is_some_and(|subject| is_set(subject) == wanted)
            });
            return Ok(());
        }
        _ => return Err(wrong(keyword, value)),
    };
    rule.rule.on_match.push(Box::new(ChangeBit { bit, by, change, seconds }));
    Ok(())
}
