//! Why a rule alerts or does not, flow by flow and condition by condition. The verdict is detection's own: this looks on while
//! it works, and asks every condition where detection leaves off at the first that fails.
//!
//! Of each flow the attempt is kept that came nearest: the one whose conditions that failed tell the least. The first of these
//! is what kept the rule from matching.

mod bytes;
mod conditions;
mod facts;
mod look;
mod program;
mod report;

pub use bytes::written;
pub use facts::dir_name;

use super::eval::Scene;
use super::packet_groups::is_ip_only;
use super::rule::Rule;
use super::ruleset::Ruleset;
use super::run::Hit;
use super::watch::{Outcome, Subject, Watch, ALL_DONE};
use crate::decode::{Addr, Origin};
use crate::direction::Dir;
use crate::event::header::Endpoints;
use crate::time::Timestamp;
use conditions::{Conditions, What};
use look::{Answer, Lack, Look, Verdict};
use std::collections::{BTreeMap, HashMap};

/// Flows that are told of. Of more, those are left out that are furthest from a match.
const FLOWS_MAX: usize = 4096;

/// Transactions whose answers of before are remembered.
const REMEMBERED_MAX: usize = 65_536;

/// One try of the rule.
#[derive(Clone)]
struct Attempt {
    packet: u64,
    ts: Timestamp,
    dir: Dir,
    is_end_of_flow: bool,
    /// Transaction.
    tx: Option<u64>,
    /// Detection tried the rule here: a pattern led to it, or it has none.
    tried: bool,
    answers: Vec<Answer>,
    lack: Lack,
    outcome: Option<Outcome>,
}

impl Attempt {
    /// Smaller is nearer to an alert.
    fn rank(&self) -> (u8, Lack, bool) {
        let place = match self.outcome {
            Some(Outcome::Alert) => 0,
            Some(_) => 1,
            None => 2,
        };
        (place, self.lack, !self.tried)
    }
}

/// What is told of one flow.
struct OfFlow {
    id: Option<u64>,
    ends: Endpoints,
    app_proto: Option<&'static str>,
    /// Packets that came to detection.
    packets: u64,
    attempts: u64,
    tried: u64,
    matched: u64,
    alerts: u64,
    held_back: BTreeMap<&'static str, u64>,
    passed_over: u64,
    passed_by: Option<u32>,
    nearest: Option<Attempt>,
}

/// Watches one rule.
pub struct Explainer {
    rule: u32,
    conditions: Conditions,
    ip_only: bool,
    flows: HashMap<Option<u64>, OfFlow>,
    order: Vec<Option<u64>>,
    left_out: u64,
    /// Answers that still count, by flow, transaction and direction.
    remembered: HashMap<(u64, u64, Dir), Vec<Option<Answer>>>,
    /// The flow of the packet at hand.
    flow: Option<u64>,
    /// The subject at hand was looked at.
    looked: bool,
    in_hand: Option<Attempt>,
    /// Matches of the packet at hand whose outcome is not yet known.
    matches: Vec<Attempt>,
    packets: u64,
    alerts: u64,
    /// Attempts in which detection and the conditions do not say the same.
    disagreements: u64,
}

impl Explainer {
    /// The error: there is no such rule, or what its options became cannot be retraced.
    pub fn new(
        document: &serde_json::Value,
        rules: &Ruleset,
        gid: u32,
        sid: u32,
    ) -> Result<Explainer, String> {
        let rule = rules.rules.iter().find(|rule| (rule.gid, rule.sid) == (gid, sid));
        let rule = rule.ok_or_else(|| format!("no rule of gid {gid} and sid {sid} was loaded"))?;
        let cannot = || "what the rule's options became cannot be retraced".to_owned();
        let raw = rule.texts.raw().ok_or_else(cannot)?;
        let (again, origins) = super::compile::retrace(document, &raw, &rule.texts)?.ok_or_else(cannot)?;
        drop(again);
        Ok(Explainer {
            rule: rule.number,
            conditions: Conditions::of(rule, &raw, &origins),
            ip_only: is_ip_only(rule),
            flows: HashMap::new(),
            order: Vec::new(),
            left_out: 0,
            remembered: HashMap::new(),
            flow: None,
            looked: false,
            in_hand: None,
            matches: Vec::new(),
            packets: 0,
            alerts: 0,
            disagreements: 0,
        })
    }

    fn of_flow(&mut self) -> Option<&mut OfFlow> {
        self.flows.get_mut(&self.flow)
    }

    /// Whether the rule could be tried on this at all.
    fn is_worth(&self, rule: &Rule, scene: &Scene<'_>, subject: &Subject<'_>) -> bool {
        match subject {
            Subject::Transaction { .. } => rule.is_app(),
            Subject::Frame { .. } => rule.frame().is_some(),
            Subject::Packet => {
                let done = scene.flow.is_some_and(|flow| flow.detect.ip_only_done[scene.dir]);
                let ended = scene.packet.origin == Origin::FlowEnd;
                let only_once = self.ip_only && done;
                let nothing_new = ended && rule.payload.is_none() && self.has_attempt();
                !only_once && !nothing_new
            }
        }
    }

    fn has_attempt(&self) -> bool {
        self.flows.get(&self.flow).is_some_and(|of| of.nearest.is_some())
    }

    fn look(&mut self, rules: &Ruleset, rule: &Rule, scene: &Scene<'_>, subject: &Subject<'_>, tried: bool) {
        let key = match (subject, scene.flow) {
            (Subject::Transaction { id, .. }, Some(flow)) => Some((flow.id, *id, scene.dir)),
            _ => None,
        };
        let known = key.and_then(|key| self.remembered.remove(&key)).unwrap_or_default();
        let mut look = Look { rules, rule, conditions: &self.conditions, scene, detail: key.is_some() };
        let mut answers = look.answers(subject, &known);
        let nearest = self.flows.get(&self.flow).and_then(|of| of.nearest.as_ref());
        let is_nearer = nearest.is_none_or(|nearest| {
            let lack = Lack::of(&self.conditions, &answers);
            lack.bits == 0 || (lack, !tried) < (nearest.lack, !nearest.tried)
        });
        if !look.detail && is_nearer {
            look.detail = true;
            answers = look.answers(subject, &known);
        }
        for (condition, answer) in self.conditions.list.iter().zip(&mut answers) {
            if condition.what == What::Prefilter {
                answer.verdict = if tried { Verdict::Holds } else { Verdict::Fails };
            }
        }
        if let (Some(key), Subject::Transaction { complete: false, .. }) = (key, subject) {
            if self.remembered.len() < REMEMBERED_MAX {
                self.remembered.insert(key, self.to_remember(&answers, known, scene.packet.number));
            }
        }
        self.in_hand = Some(Attempt {
            packet: scene.packet.number,
            ts: scene.packet.ts,
            dir: scene.dir,
            is_end_of_flow: scene.packet.origin == Origin::FlowEnd,
            tx: match subject {
                Subject::Transaction { id, .. } => Some(*id),
                Subject::Frame { facts, .. } => facts.tx,
                Subject::Packet => None,
            },
            tried,
            lack: Lack::of(&self.conditions, &answers),
            answers,
            outcome: None,
        });
    }

    /// As detection remembers: what held of a transaction goes on to hold, and with it the header.
    fn to_remember(
        &self,
        answers: &[Answer],
        known: Vec<Option<Answer>>,
        packet: u64,
    ) -> Vec<Option<Answer>> {
        let is_of_header = |what: What| {
            matches!(what, What::Transport | What::End(_) | What::Flow | What::Protocol | What::PacketTest(_))
        };
        let holds = |answer: &Answer| answer.verdict == Verdict::Holds;
        let pairs = || self.conditions.list.iter().zip(answers);
        let header = pairs().filter(|(c, _)| is_of_header(c.what)).all(|(_, answer)| holds(answer));
        let whole = |at: usize| {
            // The tests of one buffer hold together or not at all.
            let of = self.conditions.buffers.iter().find(|(absent, program)| {
                *absent == Some(at) || program.tests.contains(&at) || program.decoded.contains(&at)
            });
            of.is_none_or(|(absent, program)| {
                let mut all = absent.iter().chain(&program.tests).chain(&program.decoded);
                all.all(|at| {
                    answers.get(*at).is_some_and(|a| {
                        a.verdict != Verdict::Fails
                            && a.verdict != Verdict::Unasked
                            && a.verdict != Verdict::Open
                    })
                })
            })
        };
        let in_payload = |at: &usize| self.conditions.payload.tests.contains(at);
        let mut kept = known;
        kept.resize_with(answers.len(), || None);
        for ((at, (condition, answer)), slot) in pairs().enumerate().zip(&mut kept) {
            let counts = match condition.what {
                What::Absent(_) | What::Test => !in_payload(&at) && whole(at),
                What::TxTest(_) => true,
                what => is_of_header(what) && header,
            };
            if counts && holds(answer) && slot.is_none() {
                *slot = Some(Answer { earlier: answer.earlier.or(Some(packet)), ..answer.clone() });
            }
        }
        kept
    }

    /// The attempt in hand is over.
    fn close(&mut self, matched: bool) {
        let Some(attempt) = self.in_hand.take() else { return };
        let tried = attempt.tried;
        let scripted = attempt.answers.iter().any(|answer| answer.verdict == Verdict::Unknown);
        if matched != (attempt.lack.bits == 0) && tried && !scripted {
            self.disagreements = self.disagreements.saturating_add(1);
        }
        let Some(of) = self.of_flow() else { return };
        of.attempts = of.attempts.saturating_add(1);
        of.tried = of.tried.saturating_add(u64::from(tried));
        if matched {
            of.matched = of.matched.saturating_add(1);
            self.matches.push(attempt);
        } else {
            self.keep(attempt);
        }
    }

    /// Keeps what is nearest.
    fn keep(&mut self, attempt: Attempt) {
        let Some(of) = self.of_flow() else { return };
        if of.nearest.as_ref().is_none_or(|nearest| attempt.rank() < nearest.rank()) {
            of.nearest = Some(attempt);
        }
    }

    /// Lets go of the half that is furthest from a match.
    fn make_room(&mut self) {
        let rank = |of: &OfFlow| of.nearest.as_ref().map_or((3, Lack::MOST, true), Attempt::rank);
        let mut ranked: Vec<_> = self.flows.iter().map(|(id, of)| (rank(of), *id)).collect();
        ranked.sort_unstable();
        for (_, id) in ranked.into_iter().skip(FLOWS_MAX / 2).filter(|(_, id)| *id != self.flow) {
            self.flows.remove(&id);
            self.left_out = self.left_out.saturating_add(1);
        }
        self.order.retain(|id| self.flows.contains_key(id));
    }
}

impl Watch for Explainer {
    fn begin(&mut self, _rules: &Ruleset, scene: &Scene<'_>, passed: bool) {
        self.packets = self.packets.saturating_add(1);
        self.flow = scene.flow.map(|flow| flow.id);
        self.looked = false;
        self.matches.clear();
        if !self.flows.contains_key(&self.flow) {
            if self.flows.len() >= FLOWS_MAX {
                self.make_room();
            }
            let ends = match scene.flow {
                Some(flow) => Endpoints::of_flow(flow, Dir::ToServer),
                None => Endpoints::of_packet(scene.packet),
            };
            self.order.push(self.flow);
            self.flows.insert(self.flow, OfFlow::new(self.flow, ends));
        }
        let known = scene.flow.and_then(|flow| flow.app.protocol).map(|protocol| protocol.get().name);
        if let Some(of) = self.of_flow() {
            of.packets = of.packets.saturating_add(1);
            of.app_proto = known.or(of.app_proto);
            of.passed_over = of.passed_over.saturating_add(u64::from(passed));
        }
    }

    fn tries(&mut self, rules: &Ruleset, number: u32, scene: &Scene<'_>, subject: Subject<'_>) {
        if number < self.rule {
            return;
        }
        let all_done = number == ALL_DONE;
        if !std::mem::replace(&mut self.looked, !all_done) {
            let Some(rule) = rules.rule(self.rule) else { return };
            if self.is_worth(rule, scene, &subject) {
                let tried = number == self.rule;
                self.look(rules, rule, scene, &subject, tried);
                if !tried {
                    self.close(false);
                }
            }
        }
    }

    fn tried(&mut self, number: u32, matched: bool) {
        if number == self.rule {
            self.close(matched);
        }
    }

    fn settled(&mut self, rules: &Ruleset, hit: &Hit, outcome: Outcome) {
        if outcome == Outcome::Passes {
            let sid = rules.rule(hit.rule).map(|rule| rule.sid);
            self.of_flow().into_iter().for_each(|of| of.passed_by = sid);
        }
        if hit.rule != self.rule {
            return;
        }
        if outcome == Outcome::Alert {
            self.alerts = self.alerts.saturating_add(1);
        }
        if let Some(of) = self.of_flow() {
            match outcome {
                Outcome::Alert => of.alerts = of.alerts.saturating_add(1),
                other => {
                    let count = of.held_back.entry(report::outcome_name(other)).or_default();
                    *count = count.saturating_add(1);
                }
            }
        }
        let at = self.matches.iter().position(|attempt| attempt.tx == hit.tx);
        if let Some(mut attempt) = at.map(|at| self.matches.swap_remove(at)) {
            attempt.outcome = Some(outcome);
            self.keep(attempt);
        }
    }

    fn report(&mut self, rules: &Ruleset) -> serde_json::Value {
        report::write(self, rules)
    }
}

impl OfFlow {
    fn new(id: Option<u64>, ends: Endpoints) -> OfFlow {
        OfFlow {
            id,
            ends,
            app_proto: None,
            packets: 0,
            attempts: 0,
            tried: 0,
            matched: 0,
            alerts: 0,
            held_back: BTreeMap::new(),
            passed_over: 0,
            passed_by: None,
            nearest: None,
        }
    }

    fn address(&self, address: Addr) -> String {
        address.display(self.ends.ip_version)
    }
}
