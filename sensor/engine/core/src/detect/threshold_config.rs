//! threshold.config: suppressions, thresholds and rate filters laid over loaded rules (Suricata manual, "Global-Thresholds").
//! Runs at load time; what it leaves on rules is applied by the alert stage.

use super::diagnostic::{Diagnostic, Severity};
use super::effects::{Action, RateFilter, Suppress, SuppressTrack, Threshold};
use super::endpoints::AddrSet;
use super::header;
use super::keywords::threshold;
use super::rule::Rule;
use serde_json::Value;

/// One directive.
#[derive(Debug, PartialEq)]
struct Directive {
    gid: u32,
    /// 0 = every rule of the group; with a group of 0, every rule.
    sid: u32,
    effect: Effect,
}

#[derive(Debug, PartialEq)]
enum Effect {
    Suppress(Suppress),
    Threshold(Threshold),
    Rate(RateFilter),
}

/// Lays the directives of the configuration over the rules; what is wrong with them.
pub fn apply(document: &Value, rules: &mut [Rule]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let file = document["threshold-file"].as_str().unwrap_or("threshold.config");
    for entry in document["threshold-config"].as_array().into_iter().flatten() {
        let line = entry.get(0).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
        let text = entry.get(1).and_then(Value::as_str).unwrap_or_default();
        match read(text) {
            Ok(directive) => directive.apply(rules),
            Err(reason) => found.push(Diagnostic {
                file: file.to_owned(),
                line,
                column: 1,
                severity: Severity::Warning,
                sid: 0,
                keyword: text.split_whitespace().next().unwrap_or_default().to_owned(),
                reason,
                fix: "write suppress, threshold or rate_filter, then gen_id N, sig_id N and what it needs"
                    .to_owned(),
            }),
        }
    }
    found
}

impl Directive {
    fn apply(&self, rules: &mut [Rule]) {
        for rule in rules {
            let named = rule.gid == self.gid && rule.sid == self.sid;
            let covered = self.sid == 0 && (self.gid == 0 || rule.gid == self.gid);
            if !named && !covered {
                continue;
            }
            match &self.effect {
                Effect::Suppress(suppress) => rule.suppress.push(suppress.clone()),
                // What is said of one rule goes before what is said of many, and that before nothing.
                Effect::Threshold(threshold) if named || rule.threshold.is_none() => {
                    rule.threshold = Some(*threshold);
                }
                Effect::Threshold(_) => {}
                Effect::Rate(rate) if named || rule.rate_filter.is_none() => rule.rate_filter = Some(*rate),
                Effect::Rate(_) => {}
            }
        }
    }
}

fn read(text: &str) -> Result<Directive, String> {
    let (kind, rest) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
    let mut gid = None;
    let mut sid = None;
    let (mut track, mut ip, mut count, mut seconds) = (None, None, None, None);
    let (mut form, mut action, mut timeout) = (None, None, None);
    for part in parts(rest) {
        let (key, value) = part.split_once(char::is_whitespace).map_or((part, ""), |(k, v)| (k, v.trim()));
        let number = || value.parse::<u32>().map(Some).map_err(|_| format!("`{part}` has no number"));
        match key {
            "gen_id" => gid = number()?,
            "sig_id" => sid = number()?,
            "track" => track = Some(value),
            "ip" => ip = Some(value),
            "count" => count = number()?,
            "seconds" => seconds = number()?,
            "timeout" => timeout = number()?,
            "type" => form = Some(value),
            "new_action" => action = Some(value),
            _ => return Err(format!("`{part}` is not understood")),
        }
    }
    let (Some(gid), Some(sid)) = (gid, sid) else {
        return Err("gen_id or sig_id is missing".to_owned());
    };
    let tracked = || track.and_then(threshold::track).ok_or_else(|| "track is missing or unknown".to_owned());
    let counted = || match (count, seconds) {
        (Some(count), Some(seconds)) if count > 0 => Ok((count, seconds)),
        _ => Err("count or seconds is missing or 0".to_owned()),
    };
    let effect = match kind {
        "suppress" => {
            let track = match track {
                None if ip.is_none() => None,
                Some("by_src") => Some(SuppressTrack::Source),
                Some("by_dst") => Some(SuppressTrack::Destination),
                Some("by_either") => Some(SuppressTrack::Either),
                _ => return Err("a suppression tracks by_src, by_dst or by_either".to_owned()),
            };
            let addresses = match (track, ip) {
                (None, _) => AddrSet(None),
                (Some(_), Some(ip)) => header::addresses(&ip.replace(' ', ""))?,
                (Some(_), None) => return Err("ip is missing".to_owned()),
            };
            Effect::Suppress(Suppress { track, addresses })
        }
        "threshold" | "event_filter" => {
            let kind = form.and_then(threshold::kind).ok_or("type is missing or unknown")?;
            let (count, seconds) = counted()?;
            Effect::Threshold(Threshold { kind, track: tracked()?, count, seconds })
        }
        "rate_filter" => {
            let new_action = match action {
                Some("alert") => Action::Alert,
                Some("pass") => Action::Pass,
                Some("drop") => Action::Drop,
                Some("reject") => Action::Reject,
                _ => return Err("new_action is none of alert, pass, drop, reject".to_owned()),
            };
            let (count, seconds) = counted()?;
            let timeout = timeout.ok_or("timeout is missing")?;
            Effect::Rate(RateFilter { track: tracked()?, count, seconds, new_action, timeout })
        }
        _ => return Err(format!("`{kind}` is no directive")),
    };
    Ok(Directive { gid, sid, effect })
}

/// The parts between commas; commas inside brackets belong to a list of addresses.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0u32;
    text.split(move |c| {
        match c {
            '[' => depth = depth.saturating_add(1),
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
    .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::effects::{ThresholdKind, Track};
    use serde_json::json;

    fn rules() -> Vec<Rule> {
        (1..=3)
            .map(|sid| {
                let mut rule = Rule::empty(Default::default());
                (rule.gid, rule.sid) = (1, sid);
                rule
            })
            .collect()
    }

    #[test]
    fn directives_reach_the_rules_they_name() {
        let mut rules = rules();
        let lines = json!({"threshold-config": [
            [1, "suppress gen_id 1, sig_id 2"],
            [2, "suppress gen_id 1, sig_id 3, track by_src, ip [10.0.0.0/8, !10.1.0.0/16]"],
            [3, "threshold gen_id 1, sig_id 1, type limit, track by_src, count 1, seconds 600"],
            [4, "threshold gen_id 0, sig_id 0, type threshold, track by_dst, count 5, seconds 60"],
            [5, "rate_filter gen_id 1, sig_id 0, track by_rule, count 9, seconds 6, new_action drop, timeout 60"],
        ]});
        assert_eq!(apply(&lines, &mut rules), []);
        assert_eq!(rules[1].suppress.len(), 1);
        let addresses = &rules[2].suppress[0].addresses;
        assert!(addresses.contains(crate::decode::Addr::v4([10, 2, 0, 1])));
        assert!(!addresses.contains(crate::decode::Addr::v4([10, 1, 0, 1])));
        assert_eq!(rules[0].threshold.unwrap().kind, ThresholdKind::Limit);
        assert_eq!(rules[1].threshold.unwrap().track, Track::ByDst);
        assert!(rules.iter().all(|r| r.rate_filter.unwrap().new_action == Action::Drop));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for text in [
            "suppress gen_id 1",
            "suppress gen_id 1, sig_id 2, track by_src",
            "suppress gen_id 1, sig_id 2, track by_src, ip nonsense",
            "suppress gen_id x, sig_id 2",
            "threshold gen_id 1, sig_id 1, type foo, track by_src, count 1, seconds 600",
            "threshold gen_id 1, sig_id 1, type limit, track by_src, count 0, seconds 600",
            "rate_filter gen_id 1, sig_id 1, track by_src, count 1, seconds 1, new_action x, timeout 1",
            "nonsense gen_id 1, sig_id 1",
            "",
        ] {
            let found = apply(&json!({"threshold-config": [[7, text]]}), &mut rules());
            assert_eq!((found.len(), found[0].line), (1, 7), "{text}");
        }
    }
}
