//! Alerts that are written and not yet sent: whether a threshold lets them pass is known when the other workers have come as far
//! (`detect::ledger`). They go out behind events that were written later.

use super::buffer::Lane;
use super::Events;
use crate::detect::ledger::Ticket;
use crate::team;
use crate::time::Timestamp;
use std::collections::{HashSet, VecDeque};

/// Alerts that may wait; then the worker waits for the others, so that one far ahead holds no endless list.
const WAITING_MAX: usize = 4096;

struct Alert {
    ticket: Ticket,
    /// The flow that is to know that it alerted.
    flow_id: Option<u64>,
    lines: Vec<u8>,
    ends: Vec<(u32, Lane)>,
    ts: Timestamp,
}

/// One worker's alerts that wait.
#[derive(Default)]
pub struct Aside {
    /// In the order of their tickets.
    alerts: VecDeque<Alert>,
    /// Flows that proved to have alerted, and do not know it yet.
    alerted: HashSet<u64>,
    /// Alerts that passed, and that did not, since the caller last took the numbers.
    pub passed: u64,
    pub suppressed: u64,
}

impl Events {
    /// Where the buffer ends, for `set_aside`.
    pub fn mark(&self) -> (usize, usize) {
        (self.json.len(), self.marks.len())
    }

    /// Takes back what was written since `mark`, until `ticket` is answered.
    pub fn set_aside(&mut self, mark: (usize, usize), ticket: Ticket, flow_id: Option<u64>, ts: Timestamp) {
        let lines = self.json.split_off(mark.0);
        let ends = self.marks.split_off(mark.1, mark.0);
        self.aside.alerts.push_back(Alert { ticket, flow_id, lines, ends, ts });
        while self.aside.alerts.len() > WAITING_MAX {
            self.decide_first(true);
        }
    }

    /// Sends what may be sent. `wait`: all of it is to be known.
    pub fn decide(&mut self, wait: bool) {
        while self.decide_first(wait) {}
    }

    /// Whether the flow, which is over, alerted by one of those that wait.
    pub fn has_alerted(&mut self, flow_id: u64) -> bool {
        while self.aside.alerts.iter().any(|alert| alert.flow_id == Some(flow_id)) {
            self.decide_first(true);
        }
        self.aside.alerted.remove(&flow_id)
    }

    fn decide_first(&mut self, wait: bool) -> bool {
        let Some(first) = self.aside.alerts.front() else { return false };
        let Some(passes) = team::answer(&first.ticket, wait) else { return false };
        let Some(alert) = self.aside.alerts.pop_front() else { return false };
        if !passes {
            self.aside.suppressed = self.aside.suppressed.saturating_add(1);
            return true;
        }
        self.aside.passed = self.aside.passed.saturating_add(1);
        self.aside.alerted.extend(alert.flow_id);
        let start = self.json.len();
        self.json.raw_lines(&alert.lines);
        for (end, lane) in alert.ends {
            self.marks.push(lane, start.saturating_add(end as usize), alert.ts);
        }
        true
    }
}
