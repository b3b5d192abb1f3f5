//! Thresholds that are not about one flow, for a team of workers: every match is asked for with its place in the capture, and
//! answered when no earlier one can come any more. So the answers are those of one worker, and no worker has to wait for the
//! others at each match: it goes on, and learns later whether its alert counts.

use super::rule::Threshold;
use super::threshold::{Counts, Key};
use crate::time::Timestamp;
use std::collections::{BTreeMap, HashMap};

/// A question's place: in the capture (see `team`), and the order in which it came there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket {
    pub place: u64,
    pub ending: u64,
    number: u64,
}

/// Does this match alert?
#[derive(Clone, Copy)]
pub struct Question {
    pub key: Key,
    pub threshold: Threshold,
    pub now: Timestamp,
}

#[derive(Default)]
pub struct Ledger {
    pub counts: Counts,
    /// Questions that wait, with the worker that has them.
    waiting: BTreeMap<Ticket, (usize, Question)>,
    /// Answers that were not fetched.
    answers: HashMap<Ticket, bool>,
    asked: u64,
}

impl Ledger {
    /// Takes a question of `worker`, whose turn it is at its place.
    pub fn ask(&mut self, worker: usize, place: u64, ending: u64, question: Question) -> Ticket {
        self.asked = self.asked.wrapping_add(1);
        let ticket = Ticket { place, ending, number: self.asked };
        self.waiting.insert(ticket, (worker, question));
        ticket
    }

    /// Answers what can be answered: `is_past(worker, place, ending)` tells whether all but that worker are past that place.
    pub fn settle(&mut self, is_past: impl Fn(usize, u64, u64) -> bool) {
        while let Some(first) = self.waiting.first_entry() {
            let (ticket, (worker, question)) = (*first.key(), *first.get());
            if !is_past(worker, ticket.place, ticket.ending) {
                return;
            }
            first.remove();
            let answer = self.counts.admits(question.key, &question.threshold, question.now);
            self.answers.insert(ticket, answer);
        }
    }

    /// The answer, once there is one; it is given once.
    pub fn answer(&mut self, ticket: &Ticket) -> Option<bool> {
        self.answers.remove(ticket)
    }
}
