//! Thresholds at run time (Suricata manual, "Thresholding keywords"): counts per rule and tracked address, in packet time.

use super::effects::{Action, RateFilter, SuppressTrack, Threshold, ThresholdKind, Track};
use super::expiring::Expiring;
use super::ledger::Ticket;
use super::rule::Rule;
use crate::decode::Packet;
use crate::team;
use crate::time::Timestamp;

/// Entries kept at most; beyond it the table starts anew (counted by the caller's alert totals: an alert too many is better
/// than one lost).
const ENTRIES_MAX: usize = 262_144;

/// gid and sid: they stay when rulesets come and go.
pub type RuleId = (u32, u32);

/// Whose matches are counted together.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    rule: RuleId,
    a: u128,
    b: u128,
}

impl Key {
    fn new(rule: RuleId, track: Track, packet: &Packet<'_>, flow_id: Option<u64>) -> Key {
        let (a, b) = match track {
            Track::BySrc => (packet.src.0, 0),
            Track::ByDst => (packet.dst.0, 0),
            // Both ends, whichever of them sent.
            Track::ByBoth => (packet.src.0.min(packet.dst.0), packet.src.0.max(packet.dst.0)),
            Track::ByRule => (0, 0),
            Track::ByFlow => (u128::from(flow_id.unwrap_or(0)), 1),
        };
        Key { rule, a, b }
    }
}

/// Does this match alert?
#[derive(Clone, Copy)]
pub struct Question {
    key: Key,
    threshold: Threshold,
    now: Timestamp,
}

impl Question {
    pub fn new(rule: RuleId, threshold: &Threshold, packet: &Packet<'_>, flow_id: Option<u64>) -> Question {
        let key = Key::new(rule, threshold.track, packet, flow_id);
        Question { key, threshold: *threshold, now: packet.ts }
    }
}

/// Whether a match alerts.
#[derive(Clone, Copy)]
pub enum Verdict {
    Alerts,
    Held,
    /// It is known when the other workers have come as far.
    Later(Ticket),
}

impl Verdict {
    fn of(admits: bool) -> Verdict {
        if admits {
            Verdict::Alerts
        } else {
            Verdict::Held
        }
    }
}

/// The matches of a rule with a rate filter.
#[derive(Clone, Copy)]
struct Rate {
    start: Timestamp,
    seconds: u32,
    count: u32,
    /// The other action holds until then.
    until: Option<Timestamp>,
}

#[derive(Clone, Copy)]
struct Count {
    start: Timestamp,
    /// 0: it has no end.
    seconds: u32,
    count: u32,
    /// Backoff: the count at which the next alert is due. Both: an alert was given in this period.
    next: u64,
}

impl Rate {
    fn is_alive(&self, now: Timestamp) -> bool {
        match self.until {
            Some(until) => now <= until,
            None => now.seconds_since(self.start) <= u64::from(self.seconds),
        }
    }
}

impl Count {
    fn is_alive(&self, now: Timestamp) -> bool {
        self.seconds == 0 || now.seconds_since(self.start) < u64::from(self.seconds)
    }
}

/// A table of thresholds.
#[derive(Default)]
pub struct Counts {
    counts: Expiring<Key, Count>,
    rates: Expiring<Key, Rate>,
}

/// One worker's thresholds: those of its own flows here, all others in the table of the team.
#[derive(Default)]
pub struct Thresholds {
    of_flows: Counts,
}

/// Whether threshold.config silences the rule on this packet.
pub fn is_suppressed(rule: &Rule, packet: &Packet<'_>) -> bool {
    rule.suppress.iter().any(|suppress| {
        let holds = |address| suppress.addresses.contains(address);
        match suppress.track {
            None => true,
            Some(SuppressTrack::Source) => holds(packet.src),
            Some(SuppressTrack::Destination) => holds(packet.dst),
            Some(SuppressTrack::Either) => holds(packet.src) || holds(packet.dst),
        }
    })
}

impl Thresholds {
    /// Counts a match of a rule with a rate filter; the action that holds instead of its own, if so many came.
    pub fn rate(
        &mut self,
        rule: RuleId,
        filter: &RateFilter,
        packet: &Packet<'_>,
        flow_id: Option<u64>,
    ) -> Option<Action> {
        match filter.track {
            Track::ByFlow => self.of_flows.rate(rule, filter, packet, flow_id),
            _ => team::count_in_turn(|counts| counts.rate(rule, filter, packet, flow_id)),
        }
    }

    /// Counts a match. `may_be_late`: nothing but the alert itself depends on the answer.
    pub fn admits(
        &mut self,
        rule: RuleId,
        threshold: &Threshold,
        packet: &Packet<'_>,
        flow_id: Option<u64>,
        may_be_late: bool,
    ) -> Verdict {
        let question = Question::new(rule, threshold, packet, flow_id);
        match threshold.track {
            Track::ByFlow => Verdict::of(self.of_flows.admits(&question)),
            _ if may_be_late => team::ask(question).map_or_else(Verdict::Later, Verdict::of),
            _ => Verdict::of(team::count_in_turn(|counts| counts.admits(&question))),
        }
    }
}

impl Counts {
    fn rate(
        &mut self,
        rule: RuleId,
        filter: &RateFilter,
        packet: &Packet<'_>,
        flow_id: Option<u64>,
    ) -> Option<Action> {
        let now = packet.ts;
        if !self.rates.has_room(ENTRIES_MAX, now, |rate| rate.is_alive(now)) {
            self.rates.entries.clear();
        }
        let fresh = Rate { start: now, seconds: filter.seconds, count: 0, until: None };
        let rate = self.rates.entries.entry(Key::new(rule, filter.track, packet, flow_id)).or_insert(fresh);
        if let Some(until) = rate.until {
            if now <= until {
                return Some(filter.new_action);
            }
            *rate = fresh;
        }
        if now.seconds_since(rate.start) > u64::from(filter.seconds) {
            *rate = fresh;
        }
        rate.count = rate.count.saturating_add(1);
        if rate.count < filter.count {
            return None;
        }
        rate.until = Some(now.plus_seconds(u64::from(filter.timeout)));
        Some(filter.new_action)
    }

    /// Counts a match; true = alert.
    pub fn admits(&mut self, question: &Question) -> bool {
        let Question { key, threshold, now } = *question;
        if !self.counts.has_room(ENTRIES_MAX, now, |count| count.is_alive(now)) {
            self.counts.entries.clear();
        }
        let seconds = match threshold.kind {
            ThresholdKind::Backoff { .. } => 0,
            _ => threshold.seconds,
        };
        let fresh = Count { start: now, seconds, count: 0, next: u64::from(threshold.count) };
        let entry = self.counts.entries.entry(key).or_insert(fresh);
        entry.seconds = seconds; // the rule may have been reloaded
        if !entry.is_alive(now) {
            *entry = fresh;
        }
        entry.count = entry.count.saturating_add(1);
        let limit = threshold.count.max(1);
        match threshold.kind {
            ThresholdKind::Limit => entry.count <= limit,
            ThresholdKind::Threshold => {
                let due = entry.count >= limit;
                if due {
                    entry.count = 0;
                    entry.start = now;
                }
                due
            }
            ThresholdKind::Both => entry.count == limit,
            ThresholdKind::DetectionFilter => entry.count > threshold.count,
            ThresholdKind::Backoff { multiplier } => {
                let due = u64::from(entry.count) == entry.next;
                if due {
                    entry.next = entry.next.saturating_mul(u64::from(multiplier.max(2)));
                }
                due
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Addr;

    fn run(threshold: Threshold, seconds: &[u64]) -> Vec<bool> {
        let mut table = Counts::default();
        seconds
            .iter()
            .map(|s| {
                let mut packet = Packet::new(&[], Timestamp::from_parts(*s, 0), 1, 0, 1);
                packet.src = Addr::v4([10, 0, 0, 1]);
                table.admits(&Question::new((1, 1), &threshold, &packet, None))
            })
            .collect()
    }

    #[test]
    fn a_rate_filter_changes_the_action_for_a_while() {
        let mut table = Counts::default();
        let filter =
            RateFilter { track: Track::BySrc, count: 3, seconds: 10, new_action: Action::Pass, timeout: 5 };
        let actions: Vec<bool> = [0, 1, 2, 4, 7, 8, 9, 30]
            .iter()
            .map(|s| {
                let packet = Packet::new(&[], Timestamp::from_parts(*s, 0), 1, 0, 1);
                table.rate((1, 1), &filter, &packet, None).is_some()
            })
            .collect();
        assert_eq!(actions, [false, false, true, true, true, false, false, false]);
    }

    #[test]
    fn counts_as_the_manual_says() {
        let t = |kind, count, seconds| Threshold { kind, track: Track::BySrc, count, seconds };
        assert_eq!(run(t(ThresholdKind::Limit, 1, 60), &[0, 1, 59, 60]), [true, false, false, true]);
        assert_eq!(run(t(ThresholdKind::Threshold, 2, 60), &[0, 1, 2, 3]), [false, true, false, true]);
        assert_eq!(
            run(t(ThresholdKind::Both, 2, 60), &[0, 1, 2, 3, 61, 62]),
            [false, true, false, false, false, true]
        );
        assert_eq!(run(t(ThresholdKind::DetectionFilter, 2, 60), &[0, 1, 2, 3]), [false, false, true, true]);
        let backoff = ThresholdKind::Backoff { multiplier: 10 };
        let twelve: Vec<u64> = (0..12).collect();
        let due: Vec<usize> = run(t(backoff, 1, 0), &twelve)
            .iter()
            .enumerate()
            .filter(|(_, d)| **d)
            .map(|(i, _)| i + 1)
            .collect();
        assert_eq!(due, [1, 10]);
    }
}
