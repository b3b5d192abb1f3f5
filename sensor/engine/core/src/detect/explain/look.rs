//! One attempt of a rule, condition by condition. Every answer comes from the functions by which detection asks; here is only
//! that all are asked, where detection leaves off at the first that fails.

use super::conditions::{Condition, Conditions, ProgramConditions, What};
use super::facts;
use crate::app::{ProtocolId, View};
use crate::detect::buffers;
use crate::detect::cx::{EvalCx, PacketCx};
use crate::detect::endpoints::Arrow;
use crate::detect::eval::{shape, Scene};
use crate::detect::program::Program;
use crate::detect::rule::{BufferTest, Rule, Target};
use crate::detect::ruleset::Ruleset;
use crate::detect::tx_eval::Verdict as TxVerdict;
use crate::detect::watch::Subject;
use serde_json::{json, Value};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Holds,
    Fails,
    /// More of the transaction may still make it hold.
    Open,
    /// What it hangs on failed, or was not there.
    Unasked,
    /// A script says it, which is run only when the rule is.
    Unknown,
}

impl Verdict {
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Holds => "holds",
            Verdict::Fails => "fails",
            Verdict::Open => "open",
            Verdict::Unasked => "not asked",
            Verdict::Unknown => "unknown",
        }
    }

    fn lacks(self) -> bool {
        matches!(self, Verdict::Fails | Verdict::Open | Verdict::Unasked)
    }
}

#[derive(Clone, Debug)]
pub struct Answer {
    pub verdict: Verdict,
    /// Number of the packet at which it held; None: the packet at hand.
    pub earlier: Option<u64>,
    pub seen: Value,
    /// Bits that a test which fails has all the same.
    pub credit: u32,
}

impl Answer {
    pub const UNASKED: Answer =
        Answer { verdict: Verdict::Unasked, earlier: None, seen: Value::Null, credit: 0 };

    pub fn of(holds: bool, seen: Value) -> Answer {
        Answer { verdict: if holds { Verdict::Holds } else { Verdict::Fails }, seen, ..Answer::UNASKED }
    }
}

impl Answer {
    /// Bits that are missing, one at least; None: it does not fail.
    fn lack(&self, condition: &Condition) -> Option<u32> {
        // What was looked at and fails is nearer than what was not even there.
        let unasked = u32::from(matches!(self.verdict, Verdict::Unasked | Verdict::Open));
        self.verdict
            .lacks()
            .then(|| condition.weight.saturating_sub(self.credit).max(1).saturating_add(unasked))
    }
}

/// A rule with its conditions, at one place.
pub struct Look<'a> {
    pub rules: &'a Ruleset,
    pub rule: &'a Rule,
    pub conditions: &'a Conditions,
    pub scene: &'a Scene<'a>,
    /// What was looked at is to be told too: it costs more than to ask.
    pub detail: bool,
}

/// How far an attempt is from a match: less is nearer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lack {
    /// That the conditions have which do not hold.
    pub bits: u32,
    /// Conditions that stand behind the first that fails.
    behind: usize,
}

impl Lack {
    pub const MOST: Lack = Lack { bits: u32::MAX, behind: usize::MAX };

    pub fn of(conditions: &Conditions, answers: &[Answer]) -> Lack {
        // Whether a pattern led to the rule follows from the others.
        let pairs = || conditions.list.iter().zip(answers).filter(|(c, _)| c.what != What::Prefilter);
        let bits = pairs().filter_map(|(condition, answer)| answer.lack(condition)).sum();
        let behind = pairs().skip_while(|(_, answer)| !answer.verdict.lacks()).count();
        Lack { bits, behind }
    }
}

impl Look<'_> {
    /// The answers, in the order of the conditions. `known`: answers of before that still count.
    pub fn answers(&self, subject: &Subject<'_>, known: &[Option<Answer>]) -> Vec<Answer> {
        let mut answers = vec![Answer::UNASKED; self.conditions.list.len()];
        self.header(subject, &mut answers);
        let mut cx = match subject {
            Subject::Transaction { tx, protocol, .. } => self.scene.tx_cx(self.rule, *tx, *protocol),
            _ => self.scene.packet_cx(self.rule),
        };
        let is_shallow = match subject {
            Subject::Packet => self.rule.is_app() || self.rule.frame().is_some(),
            _ => false,
        };
        if is_shallow {
            return answers;
        }
        let pairs = self.rule.buffers.iter().zip(&self.conditions.buffers);
        for (test, (absent, program)) in pairs {
            self.buffer(test, *absent, program, subject, known, &mut cx, &mut answers);
        }
        let mut set =
            |at: usize, answer: Answer| answers.get_mut(at).into_iter().for_each(|a| *a = answer.clone());
        for (at, condition) in self.conditions.list.iter().enumerate() {
            match (condition.what, subject) {
                (What::TxTest(test), Subject::Transaction { tx, protocol, .. }) => {
                    if let Some(test) = self.rule.tx_tests.get(test) {
                        let said = self.scene.tx_verdict(self.rule, &**test, *tx, *protocol, &cx);
                        set(at, Answer { verdict: of_tx(said), ..Answer::UNASKED });
                    }
                }
                (What::Script, _) => set(at, Answer { verdict: Verdict::Unknown, ..Answer::UNASKED }),
                (What::Shared(test), _) => {
                    let cx = self.packet_cx();
                    if let Some(test) = self.rule.shared_tests.get(test) {
                        set(at, Answer::of(test.matches(&cx), Value::Null));
                    }
                }
                _ => {}
            }
        }
        if let Some(program) = &self.rule.payload {
            self.payload(program, &mut cx, &mut answers);
        }
        for (answer, known) in answers.iter_mut().zip(known) {
            if let (true, Some(known)) = (answer.verdict.lacks(), known) {
                *answer = known.clone();
            }
        }
        answers
    }

    fn packet_cx(&self) -> PacketCx<'_> {
        PacketCx { packet: self.scene.packet, flow: self.scene.flow, dir: self.scene.dir }
    }

    fn header(&self, subject: &Subject<'_>, answers: &mut [Answer]) {
        let (rule, scene) = (self.rule, self.scene);
        // With <> the way round of which more holds.
        let ends = || {
            self.conditions.list.iter().filter_map(|c| match c.what {
                What::End(end) => Some(end),
                _ => None,
            })
        };
        let right = |turned: bool| ends().filter(|end| scene.end_holds(rule, *end, turned)).count();
        let turned = match rule.arrow {
            Arrow::Right => false,
            Arrow::Both => right(true) > right(false),
            Arrow::Transaction => scene.dir == crate::direction::Dir::ToClient,
        };
        for (condition, answer) in self.conditions.list.iter().zip(answers) {
            let holds = match condition.what {
                What::Transport => scene.transport(rule),
                What::End(end) => scene.end_holds(rule, end, turned),
                What::Flow => scene.flow_condition(rule),
                What::Protocol => match subject {
                    Subject::Transaction { protocol, .. } => rule.protocols.contains(protocol),
                    Subject::Frame { facts, .. } => rule.protocols.contains(&facts.protocol),
                    Subject::Packet => scene.protocol(rule),
                },
                What::PacketTest(test) => {
                    rule.packet_tests.get(test).is_some_and(|test| test.matches(&self.packet_cx()))
                }
                _ => continue,
            };
            let facts = || facts::of(condition, self.rules, rule, scene);
            *answer = Answer::of(holds, if self.detail { facts() } else { Value::Null });
        }
    }

    #[allow(clippy::too_many_arguments)] // the parts of one scene; a struct would only rename them
    fn buffer(
        &self,
        test: &BufferTest,
        absent: Option<usize>,
        program: &ProgramConditions,
        subject: &Subject<'_>,
        known: &[Option<Answer>],
        cx: &mut EvalCx<'_>,
        answers: &mut [Answer],
    ) {
        let mut best: Option<Vec<(usize, Answer)>> = None;
        let mut holds = |view: View<'_>| {
            let shaped;
            let view = match test.transforms.as_slice() {
                [] => view,
                transforms if transforms.iter().all(|t| t.may_prefilter()) => {
                    shaped = shape(test, view.data, cx.scripts);
                    View { data: &shaped, offset: 0, complete: view.complete }
                }
                _ => {
                    let unknown = |at: &usize| (*at, Answer { verdict: Verdict::Unknown, ..Answer::UNASKED });
                    best = Some(program.tests.iter().map(unknown).collect());
                    return true;
                }
            };
            let (all_hold, here) = self.program(&test.program, program, view, cx);
            let missing = |list: &[(usize, Answer)]| self.missing(list);
            if all_hold || best.as_ref().is_none_or(|best| missing(&here) < missing(best)) {
                best = Some(here);
            }
            all_hold
        };
        let said = match subject {
            Subject::Transaction { tx, protocol, .. } => {
                let dir = self.buffer_dir(test, *protocol);
                self.scene.buffer_verdict(self.rule, test, dir, *tx, *protocol, holds)
            }
            Subject::Frame { facts, view } => match test.target {
                Target::Frame(protocol, kind) if (protocol, kind) == (facts.protocol, facts.kind) => {
                    if holds(*view) {
                        TxVerdict::Yes
                    } else {
                        TxVerdict::No
                    }
                }
                _ => TxVerdict::No,
            },
            Subject::Packet => {
                let bytes = match test.target {
                    Target::Packet(read) => read(self.scene.packet),
                    _ => None,
                };
                if bytes.is_some_and(|bytes| holds(View::whole(bytes))) {
                    TxVerdict::Yes
                } else {
                    TxVerdict::No
                }
            }
        };
        let mut set =
            |at: usize, answer: Answer| answers.get_mut(at).into_iter().for_each(|a| *a = answer.clone());
        let seen_some = best.is_some();
        if let Some(at) = absent {
            set(at, Answer { verdict: of_tx(said), seen: json!({ "exists": seen_some }), ..Answer::UNASKED });
        }
        match best {
            Some(best) => best.into_iter().for_each(|(at, answer)| set(at, answer)),
            // Nothing is asked of a buffer that must not, or need not, be there and is not.
            None if said == TxVerdict::Yes => {
                let held =
                    Answer { verdict: Verdict::Holds, seen: json!({ "exists": false }), ..Answer::UNASKED };
                program.tests.iter().for_each(|at| set(*at, held.clone()));
            }
            None => {
                if let Some(first) =
                    program.tests.first().filter(|at| !matches!(known.get(**at), Some(Some(_))))
                {
                    let verdict = of_tx(said);
                    set(*first, Answer { verdict, seen: json!({ "exists": false }), ..Answer::UNASKED });
                }
            }
        }
    }

    /// The direction in which to read a buffer. When the rule looks the wrong way, the bytes are those of this one: what else
    /// fails is told apart from that.
    fn buffer_dir(&self, test: &BufferTest, protocol: ProtocolId) -> Option<crate::direction::Dir> {
        let (asked, here) = (test.dir?, self.scene.dir);
        let Target::App(number) = test.target else { return Some(asked) };
        let buffer = buffers::all().get(usize::from(number)).and_then(|entry| entry.of(protocol));
        let is_turned = self.rule.arrow != Arrow::Transaction
            && self.rule.flow.dir == Some(asked)
            && asked != here
            && buffer.is_some_and(|(buffer, _)| buffer.progress[here].is_some());
        Some(if is_turned { here } else { asked })
    }

    fn missing(&self, list: &[(usize, Answer)]) -> u32 {
        list.iter().filter_map(|(at, answer)| answer.lack(self.conditions.list.get(*at)?)).sum()
    }

    fn payload(&self, program: &Program, cx: &mut EvalCx<'_>, answers: &mut [Answer]) {
        let stream = self.scene.payload_stream(self.rule).map(|data| ("stream", data));
        let packet = self.scene.payload_packet(self.rule).map(|data| ("packet", data));
        let mut best: Option<Vec<(usize, Answer)>> = None;
        for (from, data) in stream.into_iter().chain(packet) {
            let (all_hold, mut here) = self.program(program, &self.conditions.payload, View::whole(data), cx);
            for (_, answer) in &mut here {
                if let Some(seen) = answer.seen.as_object_mut() {
                    seen.insert("from".to_owned(), json!(from));
                }
            }
            if best.as_ref().is_none_or(|best| self.missing(&here) < self.missing(best)) {
                best = Some(here);
            }
            if all_hold {
                break;
            }
        }
        for (at, answer) in best.into_iter().flatten() {
            answers.get_mut(at).into_iter().for_each(|slot| *slot = answer.clone());
        }
    }
}

fn of_tx(verdict: TxVerdict) -> Verdict {
    match verdict {
        TxVerdict::Yes => Verdict::Holds,
        TxVerdict::No => Verdict::Fails,
        TxVerdict::Later => Verdict::Open,
    }
}
