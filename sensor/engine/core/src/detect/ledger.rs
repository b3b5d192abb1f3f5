//! The thresholds that workers share, and the questions that nobody can answer yet. Matches count in the order of the capture: a
//! worker that is ahead of others asks and goes on, and hears later whether its match alerts (docs/adr/0005).

use super::threshold::{Counts, Question};
use std::collections::VecDeque;

/// A question that waits for its answer: which of its worker's it is, and where in the capture it was asked (`team`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    number: u64,
    pub place: u64,
    pub ending: u64,
}

/// One worker's questions, in the order of the capture.
#[derive(Default)]
struct Asked {
    next: u64,
    open: VecDeque<(Ticket, Question)>,
    /// By the numbers of their tickets.
    answers: VecDeque<(u64, bool)>,
}

/// The table and all that wait for it.
pub struct Ledger {
    pub counts: Counts,
    /// By worker.
    asked: Box<[Asked]>,
}

impl Ledger {
    pub fn new(workers: usize) -> Ledger {
        Ledger { counts: Counts::default(), asked: (0..workers).map(|_| Asked::default()).collect() }
    }

    /// Takes down a question that cannot be answered yet: a worker asks in the order of the capture. None: it is no worker's.
    pub fn note(&mut self, worker: usize, place: u64, ending: u64, question: Question) -> Option<Ticket> {
        let asked = self.asked.get_mut(worker)?;
        asked.next = asked.next.wrapping_add(1);
        let ticket = Ticket { number: asked.next, place, ending };
        asked.open.push_back((ticket, question));
        Some(ticket)
    }

    /// Answers, in the order of the capture, what can be answered. `others_past`: whether all but a worker are past a place of
    /// its; they ask nothing more that would come before.
    pub fn settle(&mut self, others_past: impl Fn(usize, u64, u64) -> bool) {
        loop {
            let fronts = self.asked.iter().enumerate().filter_map(|(worker, asked)| {
                asked.open.front().map(|(ticket, _)| (ticket.place, ticket.ending, worker))
            });
            let Some((place, ending, worker)) = fronts.min() else { return };
            if !others_past(worker, place, ending) {
                return;
            }
            let Some(asked) = self.asked.get_mut(worker) else { return };
            let Some((ticket, question)) = asked.open.pop_front() else { return };
            asked.answers.push_back((ticket.number, self.counts.admits(&question)));
        }
    }

    /// What was answered to a worker's question, told once. What was answered before and never asked for is forgotten.
    pub fn answer(&mut self, worker: usize, ticket: &Ticket) -> Option<bool> {
        let answers = &mut self.asked.get_mut(worker)?.answers;
        while answers.front().is_some_and(|(number, _)| *number < ticket.number) {
            answers.pop_front();
        }
        answers.front().filter(|(number, _)| *number == ticket.number)?;
        answers.pop_front().map(|(_, admits)| admits)
    }
}
