//! What an explainer saw, as JSON. The form is described in docs/guide (rules-bench).

use super::conditions::{Condition, What};
use super::facts::dir_name;
use super::look::{Answer, Lack, Verdict};
use super::{Attempt, Explainer, OfFlow};
use crate::detect::ruleset::Ruleset;
use crate::detect::watch::Outcome;
use serde_json::{json, Map, Value};

pub fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Alert => "alert",
        Outcome::Passed => "passed",
        Outcome::Passes => "passes",
        Outcome::Suppressed => "suppressed",
        Outcome::Threshold => "threshold",
        Outcome::RateFilter => "rate filter",
        Outcome::Noalert => "noalert",
        Outcome::Overflow => "packet-alert-max",
    }
}

pub fn write(all: &Explainer, rules: &Ruleset) -> Value {
    let Some(rule) = rules.rule(all.rule) else { return Value::Null };
    let raw = rule.texts.raw();
    let mut flows: Vec<&OfFlow> = all.order.iter().filter_map(|id| all.flows.get(id)).collect();
    flows.sort_by_key(|of| of.nearest.as_ref().map_or((3, Lack::MOST, true), Attempt::rank));
    json!({
        "gid": rule.gid,
        "sid": rule.sid,
        "rev": rule.rev,
        "msg": rule.texts.msg(),
        "file": raw.as_ref().map(|raw| raw.file),
        "line": raw.as_ref().map(|raw| raw.line),
        "verdict": if all.alerts > 0 { "match" } else { "no match" },
        "alerts": all.alerts,
        "packets": all.packets,
        "flows_left_out": all.left_out,
        "disagreements": all.disagreements,
        "flows": flows.into_iter().map(|of| flow(all, of)).collect::<Vec<Value>>(),
    })
}

fn flow(all: &Explainer, of: &OfFlow) -> Value {
    let ends = of.ends;
    json!({
        "flow_id": of.id,
        "src_ip": of.address(ends.src),
        "src_port": ends.src_port,
        "dest_ip": of.address(ends.dst),
        "dest_port": ends.dst_port,
        "ip_version": ends.ip_version,
        "proto": ends.proto,
        "app_proto": of.app_proto,
        "packets": of.packets,
        "attempts": of.attempts,
        "tried": of.tried,
        "matched": of.matched,
        "alerts": of.alerts,
        "verdict": if of.alerts > 0 { "match" } else if of.matched > 0 { "held back" } else { "no match" },
        "held_back": of.held_back,
        "packets_passed_over": of.passed_over,
        "passed_by_sid": of.passed_by,
        "nearest": of.nearest.as_ref().map(|attempt| attempt_json(all, attempt)),
    })
}

fn attempt_json(all: &Explainer, attempt: &Attempt) -> Value {
    let list = &all.conditions.list;
    let fails = |(_, (condition, answer)): &(usize, (&Condition, &Answer))| {
        condition.what != What::Prefilter
            && matches!(answer.verdict, Verdict::Fails | Verdict::Open | Verdict::Unasked)
    };
    let pairs = || list.iter().zip(&attempt.answers).enumerate();
    let failed = match attempt.outcome {
        Some(_) => None,
        // Everything that could be asked holds: a script said no, or no pattern led here.
        None => pairs()
            .find(fails)
            .or_else(|| match attempt.tried {
                true => pairs().find(|(_, (_, answer))| answer.verdict == Verdict::Unknown),
                false => pairs().find(|(_, (condition, _))| condition.what == What::Prefilter),
            })
            .map(|(at, _)| at),
    };
    json!({
        "pcap_cnt": attempt.packet,
        "timestamp_ns": attempt.ts.0,
        "direction": dir_name(attempt.dir),
        "is_end_of_flow": attempt.is_end_of_flow,
        "tx_id": attempt.tx,
        "tried": attempt.tried,
        "outcome": attempt.outcome.map(outcome_name),
        "failed": failed,
        "conditions": pairs().map(|(_, (condition, answer))| condition_json(condition, answer))
            .collect::<Vec<Value>>(),
    })
}

fn condition_json(condition: &Condition, answer: &Answer) -> Value {
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| drop(out.insert(name.to_owned(), value));
    put("keyword", json!(condition.keyword));
    put("text", json!(condition.text));
    put("buffer", json!(condition.buffer));
    put("options", json!(condition.options));
    put("line", json!(condition.line));
    put("column", json!(condition.column));
    put("verdict", json!(answer.verdict.name()));
    put("held_in_packet", json!(answer.earlier));
    if answer.seen.as_object().is_some_and(|seen| !seen.is_empty()) {
        put("seen", answer.seen.clone());
    }
    Value::Object(out)
}
