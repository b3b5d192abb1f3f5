//! The tests of one buffer, one by one, with the bytes they looked at.

use super::bytes::{self, Near};
use super::conditions::{weight, ProgramConditions};
use super::look::{Answer, Look};
use crate::app::View;
use crate::detect::cx::EvalCx;
use crate::detect::eval::INSPECTION_BUDGET;
use crate::detect::program::probe::{Step, Trace};
use crate::detect::program::{Content, Op, Program};
use serde_json::{json, Value};

impl Look<'_> {
    /// Every test of a program on one view. Behind one that fails, those go on that do not hang on where it matched.
    pub fn program(
        &self,
        program: &Program,
        conditions: &ProgramConditions,
        view: View<'_>,
        cx: &mut EvalCx<'_>,
    ) -> (bool, Vec<(usize, Answer)>) {
        let ops = program.ops();
        let mut answers: Vec<(usize, Answer)> =
            conditions.tests.iter().chain(&conditions.decoded).map(|at| (*at, Answer::UNASKED)).collect();
        let mut put = |at: Option<&usize>, answer: Answer| {
            let slot = answers.iter_mut().find(|(own, _)| Some(own) == at);
            slot.into_iter().for_each(|(_, slot)| *slot = answer.clone());
        };
        let (mut first, mut pos, mut all_hold) = (0, 0, None);
        while first < ops.len() || all_hold.is_none() {
            cx.budget = INSPECTION_BUDGET;
            let (held, trace) = program.trace(first, pos, view, cx);
            all_hold.get_or_insert(held);
            let stop = if held { ops.len() } else { first.saturating_add(trace.reached()) };
            for at in first..stop {
                let step = trace.held(at.saturating_sub(first), held);
                put(conditions.tests.get(at), Answer::of(true, self.seen(view, step, None)));
            }
            if let Some((inner, decoded)) = trace.inner() {
                let inside = ops.iter().find_map(|op| match op {
                    Op::Base64 { inner: Some(inner), .. } => Some(inner),
                    _ => None,
                });
                if let Some(inside) = inside {
                    self.decoded(inside, inner, decoded, held, conditions, &mut put);
                }
            }
            if held {
                break;
            }
            let Some(op) = ops.get(stop) else { break };
            let decoded_some = matches!(op, Op::Base64 { .. }) && trace.inner().is_some();
            let tries = trace.tries();
            let step = tries.first().copied().unwrap_or_default();
            put(conditions.tests.get(stop), self.failed(op, view, step, tries, decoded_some));
            let behind = stop.saturating_add(1);
            (first, pos) = if op.sets_position() {
                let next = ops.iter().enumerate().skip(behind).find(|(_, op)| !op.is_relative());
                (next.map_or(ops.len(), |(at, _)| at), 0)
            } else {
                (behind, step.pos)
            };
        }
        (all_hold.unwrap_or(false), answers)
    }

    fn decoded(
        &self,
        program: &Program,
        trace: &Trace,
        decoded: &[u8],
        held: bool,
        conditions: &ProgramConditions,
        put: &mut impl FnMut(Option<&usize>, Answer),
    ) {
        let view = View::whole(decoded);
        for (at, op) in program.ops().iter().enumerate() {
            let answer = if held || at < trace.reached() {
                Answer::of(true, self.seen(view, trace.held(at, held), None))
            } else if at == trace.reached() {
                let step = trace.tries().first().copied().unwrap_or_default();
                self.failed(op, view, step, trace.tries(), false)
            } else {
                Answer::UNASKED
            };
            put(conditions.decoded.get(at), answer);
        }
    }

    fn seen(&self, view: View<'_>, step: Step, near: Option<(Near, &Content)>) -> Value {
        if self.detail {
            seen(view, step, near)
        } else {
            Value::Null
        }
    }

    /// The test at which a program stopped. `holds`: it was not this one but what it decoded.
    fn failed(&self, op: &Op, view: View<'_>, step: Step, tries: &[Step], holds: bool) -> Answer {
        let near = match op {
            Op::Content(content) if !content.negated => {
                bytes::nearest(content, view, tries).map(|near| (near, content))
            }
            _ => None,
        };
        let credit = near.map_or(0, |(near, content)| near.credit(content, weight(op)));
        Answer { credit, ..Answer::of(holds, self.seen(view, step, near)) }
    }
}

/// What a test looked at, and where it nearly held.
fn seen(view: View<'_>, step: Step, near: Option<(Near, &Content)>) -> Value {
    let place = near.map(|(near, _)| near.offset).or(step.found.map(|(start, _)| start));
    let place = place.or(step.window.map(|(start, _)| start)).unwrap_or(step.pos);
    json!({
        "exists": true,
        "length": view.data.len(),
        "offset": view.offset,
        "is_complete": view.complete,
        "excerpt": bytes::excerpt(view, place),
        "position": step.pos,
        "window": step.window,
        "found": step.found,
        "number": step.number,
        "nearest": near.map(|(near, content)| near.json(content, view)),
    })
}
