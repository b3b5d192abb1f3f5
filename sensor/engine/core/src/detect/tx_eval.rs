//! Evaluation of one rule on one transaction: each of its tests is asked until it is decided.

use super::buffers;
use super::cx::EvalCx;
use super::endpoints::Arrow;
use super::eval::{shape, Scene};
use super::rule::{Absent, BufferTest, Rule, Target, TxTest};
use super::state::PartialMatch;
use super::tx_run::INSTANCES_MAX;
use crate::app::{ProtocolId, Transaction, View};
use crate::direction::Dir;

/// A rule may have this many buffer and transaction tests that are remembered one by one.
const TESTS_MAX: usize = 32;

/// How one test of a rule stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Yes,
    /// Cannot match any more.
    No,
    /// Needs more of the transaction.
    Later,
}

impl Scene<'_> {
    /// Tries what is still open of a rule on a transaction. Some(captures): the whole rule matches now.
    pub(super) fn try_rule(
        &self,
        rule: &Rule,
        tx: &dyn Transaction,
        protocol: ProtocolId,
        complete: bool,
        known: &mut PartialMatch,
    ) -> Option<Vec<(u32, Vec<u8>)>> {
        if known.matched == 0 && !self.admits(rule) {
            return None;
        }
        let mut cx = self.tx_cx(rule, tx, protocol);
        let tests = rule.buffers.len().saturating_add(rule.tx_tests.len());
        let mut open = false;
        for at in 0..tests.min(TESTS_MAX) {
            let bit = 1u32 << at;
            if known.matched & bit != 0 {
                continue;
            }
            let verdict = match rule.buffers.get(at) {
                Some(test) => self.buffer_test(rule, test, tx, protocol, &mut cx),
                None => match rule.tx_tests.get(at.saturating_sub(rule.buffers.len())) {
                    Some(test) => self.tx_verdict(rule, &**test, tx, protocol, &cx),
                    None => Verdict::No,
                },
            };
            match verdict {
                Verdict::Yes => known.matched |= bit,
                Verdict::No => {
                    known.finished = true;
                    return None;
                }
                Verdict::Later => open = true,
            }
        }
        if open {
            known.finished = complete && rule.arrow != Arrow::Transaction;
            return None;
        }
        if rule.payload.is_some() && self.payload(rule, &mut cx).is_none() {
            return None;
        }
        if !self.last_word(rule, &cx) {
            return None;
        }
        known.finished = true;
        Some(cx.captures)
    }

    fn buffer_test(
        &self,
        rule: &Rule,
        test: &BufferTest,
        tx: &dyn Transaction,
        protocol: ProtocolId,
        cx: &mut EvalCx<'_>,
    ) -> Verdict {
        self.buffer_verdict(rule, test, test.dir, tx, protocol, |view| self.shaped(test, view, cx))
    }

    /// What a buffer test says of a transaction; `holds` runs its program on one instance. `dir`: the test's own, unless it is
    /// asked what would be in another.
    #[inline]
    pub(super) fn buffer_verdict(
        &self,
        rule: &Rule,
        test: &BufferTest,
        dir: Option<Dir>,
        tx: &dyn Transaction,
        protocol: ProtocolId,
        mut holds: impl FnMut(View<'_>) -> bool,
    ) -> Verdict {
        let number = match test.target {
            Target::App(number) => number,
            Target::Packet(read) => {
                return match read(self.packet) {
                    Some(bytes) if holds(View::whole(bytes)) => Verdict::Yes,
                    _ => Verdict::Later,
                }
            }
            Target::Payload | Target::Frame(..) => return Verdict::No,
        };
        let Some((buffer, local)) = buffers::all().get(usize::from(number)).and_then(|e| e.of(protocol))
        else {
            return Verdict::No;
        };
        let dir = match (rule.arrow, dir) {
            (_, Some(dir)) => dir,
            (Arrow::Transaction, None) => match buffer.progress[Dir::ToServer] {
                Some(_) => Dir::ToServer,
                None => Dir::ToClient,
            },
            (_, None) => self.dir,
        };
        let Some(needed) = buffer.progress[dir] else { return Verdict::No };
        let progress = tx.progress(dir);
        let finished = progress >= protocol.get().complete[dir];
        if progress < needed && !buffer.streaming {
            return Verdict::Later;
        }
        let mut seen = false;
        for index in 0..if buffer.multi { INSTANCES_MAX } else { 1 } {
            let Some(view) = buffers::read(tx, local, usize::from(index), dir) else { break };
            seen = true;
            if test.absent != Absent::Only && holds(view) {
                return Verdict::Yes;
            }
        }
        let final_word = finished || !(buffer.streaming || buffer.multi);
        match (seen, test.absent) {
            (false, Absent::Only | Absent::OrElse) if final_word => Verdict::Yes,
            (true, Absent::Only) => Verdict::No,
            (true, _) if final_word => Verdict::No,
            (false, _) if finished => Verdict::No,
            _ => Verdict::Later,
        }
    }

    /// What a test of a transaction says.
    #[inline]
    pub(super) fn tx_verdict(
        &self,
        rule: &Rule,
        test: &dyn TxTest,
        tx: &dyn Transaction,
        protocol: ProtocolId,
        cx: &EvalCx<'_>,
    ) -> Verdict {
        let dir = test.dir().unwrap_or(self.dir);
        if rule.arrow != Arrow::Transaction && dir != self.dir {
            Verdict::No
        } else if test.progress() > tx.progress(dir) {
            Verdict::Later
        } else if test.matches(tx, dir, cx) {
            Verdict::Yes
        } else if tx.progress(dir) >= protocol.get().complete[dir] && !test.needs_events() {
            Verdict::No
        } else {
            Verdict::Later
        }
    }

    pub(super) fn shaped(&self, test: &BufferTest, view: View<'_>, cx: &mut EvalCx<'_>) -> bool {
        if test.transforms.is_empty() {
            return self.buffer(test, view, cx);
        }
        let shaped = shape(test, view.data, cx.scripts);
        self.buffer(test, View { data: &shaped, offset: 0, complete: view.complete }, cx)
    }
}
