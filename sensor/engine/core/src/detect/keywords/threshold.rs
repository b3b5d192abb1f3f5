//! threshold and detection_filter: how often a matching rule alerts. Counting is done at run time by the alert stage.

use super::{Keyword, Kind};
use crate::detect::builder::{some_value, RuleBuilder};
use crate::detect::diagnostic::Refusal;
use crate::detect::effects::{Threshold, ThresholdKind, Track};

pub static THRESHOLD: Keyword = Keyword {
    name: "threshold",
    kind: Kind::Threshold,
    doc: "type limit|threshold|both|backoff, track by_src|by_dst|by_both|by_rule|by_flow, count N, seconds N (backoff: multiplier N).",
    example: "threshold:type limit, track by_src, count 1, seconds 60;",
    accepts: &[
        "threshold:type limit, track by_src, count 1, seconds 60;",
        "threshold: type both,track by_dst,seconds 30,count 5;",
        "threshold:type backoff, track by_flow, count 1, multiplier 10;",
    ],
    refuses: &[
        "threshold;",
        "threshold:type foo, track by_src, count 1, seconds 60;",
        "threshold:type limit, track by_src, seconds 60;",
        "threshold:type limit, track by_src, count 0, seconds 60;",
        "threshold:type limit, track me, count 1, seconds 60;",
    ],
    parse: |rule, value| {
        let value = some_value("threshold", value, "type limit, track by_src, count 1, seconds 60")?;
        set(rule, value, true)
    },
    ..Keyword::EMPTY
};

pub static DETECTION_FILTER: Keyword = Keyword {
    name: "detection_filter",
    kind: Kind::Threshold,
    doc: "Alerts only after count matches within seconds: track by_src|by_dst|by_rule|by_both|by_flow, count N, seconds N.",
    example: "detection_filter:track by_src, count 30, seconds 60;",
    accepts: &["detection_filter:track by_src, count 30, seconds 60;"],
    refuses: &[
        "detection_filter;",
        "detection_filter:track by_src, count 30;",
        "detection_filter:type limit, track by_src, count 3, seconds 60;",
        "threshold:type limit, track by_src, count 1, seconds 60; detection_filter:track by_src, count 30, seconds 60;",
    ],
    parse: |rule, value| {
        let value = some_value("detection_filter", value, "track by_src, count 30, seconds 60")?;
        set(rule, value, false)
    },
    ..Keyword::EMPTY
};

/// A type of threshold that counts to a number.
pub fn kind(name: &str) -> Option<ThresholdKind> {
    Some(match name {
        "limit" => ThresholdKind::Limit,
        "threshold" => ThresholdKind::Threshold,
        "both" => ThresholdKind::Both,
        _ => return None,
    })
}

/// What is counted apart.
pub fn track(name: &str) -> Option<Track> {
    Some(match name {
        "by_src" => Track::BySrc,
        "by_dst" => Track::ByDst,
        "by_both" => Track::ByBoth,
        "by_rule" => Track::ByRule,
        "by_flow" => Track::ByFlow,
        _ => return None,
    })
}

fn set(rule: &mut RuleBuilder<'_>, value: &str, typed: bool) -> Result<(), Refusal> {
    let wrong = |reason: String| {
        Refusal::error(
            reason,
            "write type limit|threshold|both, track by_src|by_dst|by_both|by_rule|by_flow, count N, seconds N",
        )
    };
    let (mut kind, mut track, mut count, mut seconds, mut multiplier) = (None, None, None, None, None);
    for part in value.split(',').map(str::trim) {
        let (key, text) = part.split_once(char::is_whitespace).map_or((part, ""), |(k, t)| (k, t.trim()));
        let number = || {
            let n = text.parse::<u32>().ok().filter(|n| *n > 0);
            n.ok_or_else(|| wrong(format!("`{part}` is not a number above 0")))
        };
        match key {
            "type" if typed => {
                kind = Some(match text {
                    "backoff" => ThresholdKind::Backoff { multiplier: 0 },
                    _ => self::kind(text).ok_or_else(|| wrong(format!("`{text}` is no type")))?,
                });
            }
            "track" => {
                track = Some(self::track(text).ok_or_else(|| wrong(format!("`{text}` cannot be tracked")))?);
            }
            "count" => count = Some(number()?),
            "seconds" => seconds = Some(number()?),
            "multiplier" => multiplier = Some(number()?),
            _ => return Err(wrong(format!("`{part}` is not understood"))),
        }
    }
    let kind = match (typed, kind) {
        (false, _) => ThresholdKind::DetectionFilter,
        (true, Some(ThresholdKind::Backoff { .. })) => ThresholdKind::Backoff {
            multiplier: multiplier.ok_or_else(|| wrong("type backoff has no multiplier".to_owned()))?,
        },
        (true, Some(kind)) => kind,
        (true, None) => return Err(wrong("the type is missing".to_owned())),
    };
    let backoff = matches!(kind, ThresholdKind::Backoff { .. });
    let seconds = seconds.or(backoff.then_some(0));
    match (track, count, seconds) {
        (Some(track), Some(count), Some(seconds)) => {
            match rule.rule.threshold.map(|t| t.kind) {
                None => {}
                // Two thresholds of different types are accepted, as by Suricata; the later one counts.
                Some(other) if typed && other != ThresholdKind::DetectionFilter && other != kind => {
                    rule.warn("a second threshold takes the place of the first");
                }
                Some(_) => {
                    return Err(Refusal::error(
                        "the rule has a threshold or detection_filter already",
                        "keep one of them",
                    ));
                }
            }
            rule.rule.threshold = Some(Threshold { kind, track, count, seconds });
            Ok(())
        }
        _ => Err(wrong("track, count or seconds is missing".to_owned())),
    }
}
