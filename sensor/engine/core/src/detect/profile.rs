//! What rules cost: how often each is tried and matches and how long that takes, and the same of the searches that lead to
//! them. The time between two looks at the clock is that of the look, so of a try that takes no longer than one nothing is
//! left; it is taken off.

use super::eval::Scene;
use super::places::Places;
use super::program::Op;
use super::rule::{FastPattern, Rule, Target};
use super::ruleset::Ruleset;
use super::run::Hit;
use super::watch::{Outcome, Searched, Subject, Watch, ALL_DONE};
use super::{buffers, explain};
use crate::app::frames;
use crate::stage_clock::ticks;
use serde_json::{json, Value};
use std::collections::HashMap;
use std::time::Instant;

/// Looks at the clock of which the shortest is what a look takes.
const LOOKS: usize = 1000;

/// Patterns of fewer bytes than this are in much that is not meant.
const SHORT_PATTERN_BYTES: usize = 4;

/// A rule is led to in vain when it is tried this often for one match.
const VAIN_CHECKS: u64 = 100;

#[derive(Clone, Copy, Default)]
struct Cost {
    checks: u64,
    matches: u64,
    alerts: u64,
    /// How often a pattern led to it.
    led: u64,
    ticks: u64,
    longest: u64,
}

#[derive(Clone, Copy, Default)]
struct SearchCost {
    searches: u64,
    bytes: u64,
    /// Rules led to, each as often as it was.
    led: u64,
    ticks: u64,
}

/// Keeps the costs of all rules.
pub struct Profiler {
    rules: Vec<Cost>,
    searches: HashMap<Searched, SearchCost>,
    begun: u64,
    started: u64,
    started_at: Instant,
    /// Ticks that looking at the clock takes.
    look: u64,
    packets: u64,
    candidates: u64,
}

impl Profiler {
    pub fn new(rules: &Ruleset) -> Profiler {
        let look = (0..LOOKS).map(|_| {
            let before = ticks();
            ticks().saturating_sub(before)
        });
        Profiler {
            rules: vec![Cost::default(); rules.rules.len()],
            searches: HashMap::new(),
            begun: 0,
            look: look.min().unwrap_or(0),
            started: ticks(),
            started_at: Instant::now(),
            packets: 0,
            candidates: 0,
        }
    }

    fn passed(&self) -> u64 {
        ticks().saturating_sub(self.begun).saturating_sub(self.look)
    }
}

impl Watch for Profiler {
    fn begin(&mut self, _rules: &Ruleset, _scene: &Scene<'_>, _passed: bool) {
        self.packets = self.packets.saturating_add(1);
    }

    fn searches(&mut self) {
        self.begun = ticks();
    }

    fn searched(&mut self, what: Searched, bytes: usize, found: &[u32]) {
        let passed = self.passed();
        let cost = self.searches.entry(what).or_default();
        cost.searches = cost.searches.saturating_add(1);
        cost.bytes = cost.bytes.saturating_add(bytes as u64);
        cost.led = cost.led.saturating_add(found.len() as u64);
        cost.ticks = cost.ticks.saturating_add(passed);
        for number in found {
            let rule = self.rules.get_mut(*number as usize);
            rule.into_iter().for_each(|cost| cost.led = cost.led.saturating_add(1));
        }
    }

    fn collected(&mut self, candidates: &[u32], _led: &[u32]) {
        self.candidates = self.candidates.saturating_add(candidates.len() as u64);
    }

    fn tries(&mut self, _rules: &Ruleset, rule: u32, _scene: &Scene<'_>, _subject: Subject<'_>) {
        if rule != ALL_DONE {
            self.begun = ticks();
        }
    }

    fn tried(&mut self, rule: u32, matched: bool) {
        let passed = self.passed();
        let Some(cost) = self.rules.get_mut(rule as usize) else { return };
        cost.checks = cost.checks.saturating_add(1);
        cost.matches = cost.matches.saturating_add(u64::from(matched));
        cost.ticks = cost.ticks.saturating_add(passed);
        cost.longest = cost.longest.max(passed);
    }

    fn settled(&mut self, _rules: &Ruleset, hit: &Hit, outcome: Outcome) {
        let cost = self.rules.get_mut(hit.rule as usize).filter(|_| outcome == Outcome::Alert);
        cost.into_iter().for_each(|cost| cost.alerts = cost.alerts.saturating_add(1));
    }

    fn report(&mut self, rules: &Ruleset) -> Value {
        let nanos = u64::try_from(self.started_at.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let passed = ticks().saturating_sub(self.started).max(1);
        let of_ticks = |ticks: u64| {
            let nanos = u128::from(ticks).saturating_mul(u128::from(nanos));
            u64::try_from(nanos.checked_div(u128::from(passed)).unwrap_or(0)).unwrap_or(u64::MAX)
        };
        let mut costs: Vec<(&Rule, &Cost)> =
            rules.rules.iter().zip(&self.rules).filter(|(_, cost)| cost.checks > 0 || cost.led > 0).collect();
        costs.sort_by_key(|(rule, cost)| (std::cmp::Reverse(cost.ticks), rule.number));
        let places = Places::of(&rules.rules);
        let mut searches: Vec<(&Searched, &SearchCost)> = self.searches.iter().collect();
        searches.sort_by_key(|(what, cost)| (std::cmp::Reverse(cost.ticks), **what));
        let sum = |of: fn(&Cost) -> u64| self.rules.iter().map(of).fold(0, u64::saturating_add);
        json!({
            "packets": self.packets,
            "rules_loaded": rules.rules.len(),
            "rules_tried": self.rules.iter().filter(|cost| cost.checks > 0).count(),
            "checks": sum(|cost| cost.checks),
            "matches": sum(|cost| cost.matches),
            "alerts": sum(|cost| cost.alerts),
            "packet_candidates": self.candidates,
            "ns": nanos,
            "rules_ns": of_ticks(sum(|cost| cost.ticks)),
            "searches_ns": of_ticks(self.searches.values().map(|c| c.ticks).fold(0, u64::saturating_add)),
            "rules": costs.iter().map(|(rule, cost)| json!({
                "gid": rule.gid,
                "sid": rule.sid,
                "rev": rule.rev,
                "msg": rule.texts.msg(),
                "checks": cost.checks,
                "matches": cost.matches,
                "alerts": cost.alerts,
                "led": cost.led,
                "ns": of_ticks(cost.ticks),
                "longest_ns": of_ticks(cost.longest),
                "pattern": pattern(rule.fast_pattern.as_ref()),
                "packet_pattern": pattern(places.placed(rule)),
                "why": why(rule, cost),
            })).collect::<Vec<Value>>(),
            "groups": searches.iter().map(|(what, cost)| json!({
                "group": name(**what),
                "searches": cost.searches,
                "bytes": cost.bytes,
                "led": cost.led,
                "ns": of_ticks(cost.ticks),
            })).collect::<Vec<Value>>(),
        })
    }
}

fn pattern(fast: Option<&FastPattern>) -> Value {
    fast.map_or(Value::Null, |fast| json!(explain::written(&fast.bytes)))
}

/// What makes a rule cost much: words that the command explains.
fn why(rule: &Rule, cost: &Cost) -> Vec<&'static str> {
    let mut why = Vec::new();
    match &rule.fast_pattern {
        None => why.push("no-pattern"),
        Some(fast) if fast.bytes.len() < SHORT_PATTERN_BYTES && !fast.is_anchored() => {
            why.push("short-pattern")
        }
        Some(_) => {}
    }
    if cost.led > VAIN_CHECKS && cost.led > cost.matches.saturating_mul(VAIN_CHECKS) {
        why.push("common-pattern");
    }
    let programs = || rule.buffers.iter().map(|test| &test.program).chain(&rule.payload);
    let has = |wanted: fn(&Op) -> bool| programs().any(|program| program.ops().iter().any(wanted));
    if has(|op| matches!(op, Op::Pcre(_))) {
        why.push("pcre");
    }
    if has(|op| matches!(op, Op::Script(_))) || !rule.scripts.is_empty() {
        why.push("script");
    }
    if rule.buffers.iter().any(|test| !test.transforms.is_empty()) {
        why.push("transform");
    }
    if rule.buffers.iter().any(|test| is_streaming(test.target)) {
        why.push("body");
    }
    why
}

/// Whether a buffer is looked at again as it grows.
fn is_streaming(target: Target) -> bool {
    let Target::App(number) = target else { return false };
    let entry = buffers::all().get(usize::from(number));
    entry.is_some_and(|entry| {
        let mut kept = entry.providers.iter().filter_map(|(p, local)| buffers::buffer(*p, *local));
        kept.any(|buffer| buffer.streaming)
    })
}

fn name(what: Searched) -> String {
    let way = explain::dir_name;
    match what {
        Searched::Packet(dir) => format!("packet {}", way(dir)),
        Searched::Unstreamed(dir) => format!("packet outside any stream {}", way(dir)),
        Searched::Young(dir) => format!("start of stream {}", way(dir)),
        Searched::Stream(dir) => format!("stream {}", way(dir)),
        Searched::Buffer(protocol, dir, local) => {
            let name = buffers::buffer(protocol, local).map_or("", |buffer| buffer.name);
            format!("{} {name} {}", protocol.get().name, way(dir))
        }
        Searched::Frame(protocol, kind) => {
            format!("frame {}.{}", protocol.get().name, frames::name(protocol, kind))
        }
    }
}
