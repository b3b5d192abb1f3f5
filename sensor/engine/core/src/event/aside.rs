//! Alerts that are written and not yet sent: whether a threshold lets them pass is known when the other workers have come as far
//! (`detect::ledger`). They go out behind events that were written later.

use super::buffer::{Lane, MarksBefore};
use super::Events;
use crate::detect::ledger::Ticket;
use crate::flow::Flow;
use crate::team;
use crate::time::Timestamp;
use std::collections::{HashSet, VecDeque};

/// Alerts that may wait; then the worker waits for the others, so that one far ahead holds no endless list.
const WAITING_MAX: usize = 4096;

struct Late {
    ticket: Ticket,
    /// The flow that is to know that it alerted.
    flow_id: Option<u64>,
    /// Empty: alerts are not written.
    line: Vec<u8>,
    ts: Timestamp,
}

/// One worker's alerts that wait.
#[derive(Default)]
pub(super) struct Aside {
    /// In the order of their tickets.
    alerts: VecDeque<Late>,
    /// Flows that proved to have alerted, and do not know it yet.
    alerted: HashSet<u64>,
    passed: u64,
    held: u64,
}

impl Events {
    /// Takes back the alert that was written since, until its ticket is answered.
    pub(super) fn set_aside(
        &mut self,
        (start, marks): (usize, MarksBefore),
        ticket: Ticket,
        flow_id: Option<u64>,
        ts: Timestamp,
    ) {
        let line = self.json.split_off(start);
        self.marks.go_back(marks);
        self.aside.alerts.push_back(Late { ticket, flow_id, line, ts });
        while self.aside.alerts.len() > WAITING_MAX {
            self.decide_first(true);
        }
    }

    /// Sends those that may be sent. `wait`: all of it is to be known.
    pub fn decide(&mut self, wait: bool) {
        while self.decide_first(wait) {}
    }

    /// (passed, held): alerts that waited, and what became of them.
    pub fn late_alerts(&self) -> (u64, u64) {
        (self.aside.passed, self.aside.held)
    }

    /// Tells a flow that is over whether one of its alerts that waited has passed.
    pub fn tell_alerted(&mut self, flow: &mut Flow) {
        if !flow.alert_waits {
            return;
        }
        if flow.alerted {
            let own = self.aside.alerts.iter_mut().filter(|alert| alert.flow_id == Some(flow.id));
            own.for_each(|alert| alert.flow_id = None);
        }
        while self.aside.alerts.iter().any(|alert| alert.flow_id == Some(flow.id)) {
            self.decide_first(true);
        }
        flow.alerted |= self.aside.alerted.remove(&flow.id);
    }

    /// Whether there was one, and its answer.
    fn decide_first(&mut self, wait: bool) -> bool {
        let Some(first) = self.aside.alerts.front() else { return false };
        let passes = match team::answer(&first.ticket, wait) {
            Some(passes) => passes,
            None if !wait => return false,
            // It cannot be; an alert too many is better than one lost.
            None => true,
        };
        let Some(alert) = self.aside.alerts.pop_front() else { return false };
        if !passes {
            self.aside.held = self.aside.held.saturating_add(1);
            return true;
        }
        self.aside.passed = self.aside.passed.saturating_add(1);
        self.aside.alerted.extend(alert.flow_id);
        if !alert.line.is_empty() {
            self.json.raw_line(&alert.line);
            self.marks.push(Lane::Alert, "alert", self.json.len(), alert.ts);
        }
        true
    }
}
