//! One packet meets the ruleset: prefilter, evaluation, transactions, then thresholds and the order of alerts.

use super::class::Class;
use super::effects::Action;
use super::eval::{Match, Scene};
use super::gate::Outside;
use super::ledger::Ticket;
use super::lua::{LuaCounters, Scripts};
use super::packet_groups::PacketGroups;
use super::prefilter::{Prefilter, ScanState};
use super::rule::Rule;
use super::ruleset::Ruleset;
use super::tag;
use super::threshold::{is_suppressed, Thresholds, Verdict};
use super::watch::{Outcome, Searched, Subject, Watch, ALL_DONE};
use crate::app::frames::FrameFacts;
use crate::decode::{Origin, Packet};
use crate::direction::Dir;
use crate::flow::Flow;

/// A rule that matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    pub rule: u32,
    /// The transaction it matched on.
    pub tx: Option<u64>,
    /// Whose transaction that is, when an upgrade has replaced its parser: index in `AppState::retired`.
    pub retired: Option<usize>,
    /// The bytes were those of the reassembled stream.
    pub stream: bool,
    /// The frame it matched on.
    pub frame: Option<FrameFacts>,
    /// The rule's action, or the one a rate filter puts in its place.
    pub action: Action,
    /// Whether its threshold lets it alert is not known yet.
    pub ticket: Option<Ticket>,
}

/// What detection counts, named as in Suricata's `stats.detect`.
#[derive(Clone, Copy, Debug, Default)]
pub struct DetectCounters {
    pub alerts: u64,
    pub alerts_suppressed: u64,
    pub alert_queue_overflow: u64,
    pub candidates: u64,
}

/// One worker's detection: scan memory, scratch lists, threshold state.
pub struct Detector {
    pub(super) scan: ScanState,
    pub(super) candidates: Vec<u32>,
    /// Rules about transactions whose pattern is in the packet or stretch of stream in hand.
    pub(super) payload_led: Vec<u32>,
    pub(super) hits: Vec<Hit>,
    pub(super) scripts: Scripts,
    thresholds: Thresholds,
    /// The packet in hand belongs to a session or host that a rule tagged.
    pub tagged: bool,
    /// Suricata's `packet-alert-max`.
    alerts_per_packet: usize,
    pub counters: DetectCounters,
    /// Somebody looks on.
    pub watch: Option<Box<dyn Watch>>,
}

impl Detector {
    pub fn new(rules: &Ruleset, alerts_per_packet: usize) -> Result<Detector, String> {
        let mut scan = ScanState::default();
        rules.fit(&mut scan)?;
        Ok(Detector {
            scan,
            candidates: Vec::new(),
            payload_led: Vec::new(),
            hits: Vec::new(),
            scripts: Scripts::new(&rules.names, &rules.datasets),
            thresholds: Thresholds::default(),
            tagged: false,
            alerts_per_packet,
            counters: DetectCounters::default(),
            watch: None,
        })
    }

    /// Goes on where the detector of the ruleset before stands.
    pub fn follow(&mut self, before: &mut Detector) {
        std::mem::swap(&mut self.thresholds, &mut before.thresholds);
        self.watch = before.watch.take();
        self.counters = before.counters;
        self.scripts.count_on(before.script_counters());
        let (scan, old) = (&mut self.scan, &before.scan);
        (scan.scans, scan.scanned_bytes, scan.failures) = (old.scans, old.scanned_bytes, old.failures);
    }

    /// Scans that libhs gave up; every rule of the group was looked at instead.
    pub fn scan_failures(&self) -> u64 {
        self.scan.failures
    }

    /// What scripts did wrong.
    pub fn script_counters(&self) -> LuaCounters {
        self.scripts.counters()
    }

    /// Inspects one packet; returns what is to be alerted, in rule order. When that is written, `skip_raw` moves the stream on.
    pub fn packet(
        &mut self,
        rules: &Ruleset,
        packet: &Packet<'_>,
        flow: Option<&mut Flow>,
        dir: Dir,
    ) -> &[Hit] {
        match self.watch.take() {
            None => self.inspect(rules, packet, flow, dir, &mut ()),
            Some(mut watch) => {
                self.inspect(rules, packet, flow, dir, &mut *watch);
                self.watch = Some(watch);
            }
        }
        &self.hits
    }

    fn inspect<W: Watch + ?Sized>(
        &mut self,
        rules: &Ruleset,
        packet: &Packet<'_>,
        mut flow: Option<&mut Flow>,
        dir: Dir,
        watch: &mut W,
    ) {
        self.hits.clear();
        if let Some(flow) = flow.as_deref_mut() {
            flow.detect.if_left().into_iter().for_each(|left| left.pktvars.clear());
        }
        self.tagged = false;
        let passed = flow.as_ref().is_some_and(|f| f.detect.passed);
        watch.begin(rules, &Scene { packet, flow: flow.as_deref(), dir, scripts: &self.scripts }, passed);
        if passed {
            return;
        }
        let groups = rules.groups(packet);
        self.collect(rules, &groups.packet, packet, flow.as_deref(), dir, watch);
        self.evaluate(rules, packet, flow.as_deref_mut(), dir, watch);
        if let Some(flow) = flow.as_deref_mut() {
            self.transactions(rules, &groups.tx, packet, flow, dir, watch);
            self.frames(rules, packet, flow, dir, watch);
        }
        self.tagged = tag::packet(packet, flow.as_deref_mut(), rules.tags_hosts);
        self.settle(rules, packet, flow.as_deref_mut(), watch);
        watch.end();
        for hit in &self.hits {
            let Some(rule) = rules.rule(hit.rule) else { continue };
            for tag in &rule.tags {
                tag::alerted((rule.gid, rule.sid), tag, packet, flow.as_deref_mut());
            }
        }
    }

    /// Fills `candidates` with the rules worth evaluating, sorted, each once.
    fn collect<W: Watch + ?Sized>(
        &mut self,
        rules: &Ruleset,
        groups: &PacketGroups,
        packet: &Packet<'_>,
        flow: Option<&Flow>,
        dir: Dir,
        watch: &mut W,
    ) {
        self.candidates.clear();
        let class = Class::of(packet);
        let group = groups.group(class, dir);
        for code in packet.events.as_slice() {
            self.candidates.extend_from_slice(groups.for_event(*code));
        }
        let port = match dir {
            Dir::ToServer => packet.dst_port,
            Dir::ToClient => packet.src_port,
        };
        if packet.origin != Origin::FlowEnd {
            group.always.collect(port, packet.payload_len, flow, &mut self.candidates);
            if packet.ip_version != 0 && flow.is_none_or(|f| !f.detect.ip_only_done[dir]) {
                self.candidates.extend_from_slice(&group.ip_only.rest);
                self.candidates.extend_from_slice(group.ip_only.by_src.lookup(packet.src));
                self.candidates.extend_from_slice(group.ip_only.by_dst.lookup(packet.dst));
            }
        }
        if packet.payload_len > 0 && !packet.no_inspect && packet.origin != Origin::FlowEnd {
            let payload = packet.payload();
            let (patterns, what) = if class == Class::Tcp && !packet.stream_added {
                (&group.unstreamed, Searched::Unstreamed(dir))
            } else {
                (&group.packet, Searched::Packet(dir))
            };
            self.scan_all(patterns.for_port(port), payload, what, watch);
            self.scan_all(group.young.for_packet(flow, port), payload, Searched::Young(dir), watch);
            self.candidates.extend_from_slice(group.lengths.of(packet.payload_len));
        }
        if let Some(session) = flow.and_then(|f| f.tcp.as_ref()) {
            if let Some(raw) = session.side(dir).raw_chunk(packet.origin == Origin::FlowEnd) {
                self.scan_all(group.stream.for_port(port), raw.data, Searched::Stream(dir), watch);
                if packet.origin == Origin::FlowEnd {
                    // Rules without a pattern look at what came last too; of a packet's header there is nothing to see.
                    let mut plain = Vec::new();
                    group.always.collect(port, 0, flow, &mut plain);
                    plain.retain(|number| rules.rule(*number).is_some_and(|r| r.payload.is_some()));
                    self.candidates.append(&mut plain);
                }
            }
        }
        self.candidates.sort_unstable();
        self.candidates.dedup();
        self.payload_led.clear();
        let led = &mut self.payload_led;
        let outside = Outside::new(packet, flow.is_some(), dir);
        self.candidates.retain(|number| {
            let Some(gate) = rules.gates.get(*number as usize) else { return false };
            if gate.is_app() {
                led.push(*number);
                return false;
            }
            outside.passes(gate)
        });
        watch.collected(&self.candidates, &self.payload_led);
        self.counters.candidates = self.counters.candidates.saturating_add(self.candidates.len() as u64);
    }

    fn scan_all<'p, W: Watch + ?Sized>(
        &mut self,
        prefilters: impl Iterator<Item = &'p Prefilter>,
        data: &[u8],
        what: Searched,
        watch: &mut W,
    ) {
        for prefilter in prefilters {
            let first = self.candidates.len();
            watch.searches();
            prefilter.scan(data, 0, &mut self.scan, &mut self.candidates);
            watch.searched(what, data.len(), self.candidates.get(first..).unwrap_or_default());
        }
    }

    fn evaluate<W: Watch + ?Sized>(
        &mut self,
        rules: &Ruleset,
        packet: &Packet<'_>,
        mut flow: Option<&mut Flow>,
        dir: Dir,
        watch: &mut W,
    ) {
        let candidates = std::mem::take(&mut self.candidates);
        for number in &candidates {
            let Some(rule) = rules.rule(*number) else { continue };
            let scene = Scene { packet, flow: flow.as_deref(), dir, scripts: &self.scripts };
            watch.tries(rules, *number, &scene, Subject::Packet);
            let matched = scene.matches(rule);
            watch.tried(*number, matched.is_some());
            self.scripts.settle(flow.as_deref_mut());
            if let Some(Match { stream, captures }) = matched {
                for action in &rule.on_match {
                    action.apply(packet, flow.as_deref_mut(), &captures);
                }
                self.hits.push(Hit {
                    rule: *number,
                    tx: None,
                    retired: None,
                    stream,
                    frame: None,
                    action: rule.action,
                    ticket: None,
                });
            }
        }
        self.candidates = candidates;
        let scene = Scene { packet, flow: flow.as_deref(), dir, scripts: &self.scripts };
        watch.tries(rules, ALL_DONE, &scene, Subject::Packet);
        if let Some(flow) = flow {
            flow.detect.ip_only_done[dir] = true;
        }
    }

    /// Orders the hits, applies pass rules and thresholds, drops what is not to be alerted.
    fn settle<W: Watch + ?Sized>(
        &mut self,
        rules: &Ruleset,
        packet: &Packet<'_>,
        mut flow: Option<&mut Flow>,
        watch: &mut W,
    ) {
        if self.hits.is_empty() {
            return;
        }
        self.hits.sort_by_key(|h| (h.rule, h.tx));
        let mut passed = false;
        let mut kept = 0usize;
        let (thresholds, counters, max) = (&mut self.thresholds, &mut self.counters, self.alerts_per_packet);
        // Nothing of the packet hangs on whether one of its rules alerts.
        let may_be_late = !self.tagged && self.hits.len() <= max && !rules.runs_scripts;
        let mut judge = |hit: &mut Hit| {
            let Some(rule) = rules.rule(hit.rule) else { return Outcome::Passed };
            if passed {
                return Outcome::Passed;
            }
            let key = flow.as_ref().map(|f| f.id);
            let suppressed = is_suppressed(rule, packet);
            let verdict = match rule.threshold.as_ref().filter(|_| !suppressed) {
                None => Verdict::Alerts,
                Some(threshold) => {
                    let may_be_late = may_be_late && only_alerts(rule);
                    thresholds.admits((rule.gid, rule.sid), threshold, packet, key, may_be_late)
                }
            };
            if let Verdict::Later(ticket) = verdict {
                hit.ticket = Some(ticket);
            }
            if suppressed || matches!(verdict, Verdict::Held) {
                counters.alerts_suppressed = counters.alerts_suppressed.saturating_add(1);
                return if suppressed { Outcome::Suppressed } else { Outcome::Threshold };
            }
            let filtered =
                rule.rate_filter.and_then(|r| thresholds.rate((rule.gid, rule.sid), &r, packet, key));
            let action = filtered.unwrap_or(rule.action);
            hit.action = action;
            if action == Action::Pass && filtered.is_some() {
                counters.alerts_suppressed = counters.alerts_suppressed.saturating_add(1);
                return Outcome::RateFilter;
            }
            if action == Action::Pass {
                passed = true;
                if let Some(flow) = flow.as_deref_mut() {
                    flow.detect.passed |= for_whole_flow(rule, hit);
                }
                return Outcome::Passes;
            }
            if matches!(action, Action::Drop | Action::Reject) {
                if let Some(flow) = flow.as_deref_mut() {
                    flow.detect.dropped |= for_whole_flow(rule, hit);
                }
            }
            if rule.noalert {
                return Outcome::Noalert;
            }
            if kept >= max {
                counters.alert_queue_overflow = counters.alert_queue_overflow.saturating_add(1);
                return Outcome::Overflow;
            }
            kept = kept.saturating_add(1);
            Outcome::Alert
        };
        self.hits.retain_mut(|hit| {
            let outcome = judge(hit);
            watch.settled(rules, hit, outcome);
            outcome == Outcome::Alert
        });
        let sure = self.hits.iter().filter(|hit| hit.ticket.is_none()).count();
        self.counters.alerts = self.counters.alerts.saturating_add(sure as u64);
        if let Some(flow) = flow {
            flow.alerted |= sure > 0;
            flow.alert_waits |= sure < self.hits.len();
        }
    }
}

/// Whether a match of the rule does nothing that would hang on its threshold, besides the alert.
fn only_alerts(rule: &Rule) -> bool {
    rule.action == Action::Alert && !rule.noalert && rule.rate_filter.is_none() && rule.tags.is_empty()
}

/// An action that came from a stream, a transaction or addresses alone holds for the whole flow.
fn for_whole_flow(rule: &Rule, hit: &Hit) -> bool {
    hit.stream
        || hit.tx.is_some()
        || (rule.payload.is_none() && rule.packet_tests.is_empty() && rule.shared_tests.is_empty())
}

/// Marks the raw bytes at hand as inspected.
pub fn skip_raw(flow: &mut Flow, packet: &Packet<'_>, dir: Dir) {
    let Some(session) = flow.tcp.as_mut() else { return };
    let side = session.side_mut(dir);
    if let Some(raw) = side.raw_chunk(packet.origin == Origin::FlowEnd) {
        let end = raw.offset.saturating_add(raw.data.len() as u64);
        side.raw_consume(end);
    }
}
