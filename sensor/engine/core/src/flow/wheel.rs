//! A timing wheel of one-second slots over packet time. A packet never touches it: a flow's entry is looked at when its
//! slot comes round and is put back when the flow has lived on, so the cost is one visit per flow and timeout period.

/// Slots; deadlines further away wait in the last slot and are put back from there. 1024 s covers the default timeouts.
const SLOTS: u64 = 1024;

/// Room that an emptied slot keeps. A flood fills one slot after another: each would keep its room for the largest second.
const SLOT_KEPT: usize = 64;

/// A claim that flow `index` may end; stale when the flow's `ticket` has moved on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub index: u32,
    pub ticket: u32,
}

pub(super) struct Wheel {
    slots: Vec<Vec<Entry>>,
    /// Second up to which (exclusive) all slots were visited; None before the first packet.
    second: Option<u64>,
    held: usize,
}

impl Wheel {
    pub fn new() -> Self {
        Wheel { slots: (0..SLOTS).map(|_| Vec::new()).collect(), second: None, held: 0 }
    }

    fn slot_mut(&mut self, second: u64) -> Option<&mut Vec<Entry>> {
        self.slots.get_mut((second % SLOTS) as usize)
    }

    /// Asks for a visit at `deadline` (seconds), or as near to it as the wheel reaches.
    pub fn insert(&mut self, deadline: u64, entry: Entry) {
        let second = *self.second.get_or_insert(deadline);
        let at = deadline.clamp(second, second.saturating_add(SLOTS - 1));
        if let Some(slot) = self.slot_mut(at) {
            slot.push(entry);
            self.held = self.held.saturating_add(1);
        }
    }

    /// Starts the clock; later calls do nothing.
    pub fn start(&mut self, now: u64) {
        self.second.get_or_insert(now);
    }

    /// Whether `advance(now)` has slots to visit.
    #[inline]
    pub fn is_due(&self, now: u64) -> bool {
        self.second.is_some_and(|second| second < now)
    }

    /// Takes every entry whose slot lies before second `now`, in slot order, into `due`.
    pub fn advance(&mut self, now: u64, due: &mut Vec<Entry>) {
        let Some(second) = self.second else { return };
        if second >= now {
            return;
        }
        let visits = (now - second).min(SLOTS);
        for at in second..second.saturating_add(visits) {
            if let Some(slot) = self.slot_mut(at) {
                let taken = slot.len();
                due.append(slot);
                slot.shrink_to(SLOT_KEPT);
                self.held = self.held.saturating_sub(taken);
            }
        }
        self.second = Some(now);
    }

    /// Takes the entry with the nearest deadline, for eviction.
    pub fn pop_nearest(&mut self) -> Option<Entry> {
        if self.held == 0 {
            return None;
        }
        let second = self.second?;
        for at in second..second.saturating_add(SLOTS) {
            let Some(slot) = self.slot_mut(at) else { break };
            if let Some(entry) = slot.pop() {
                self.held = self.held.saturating_sub(1);
                return Some(entry);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_give_back_what_a_flood_took() {
        let (mut wheel, mut due) = (Wheel::new(), Vec::new());
        for second in 0..SLOTS {
            wheel.start(second);
            for index in 0..5_000 {
                wheel.insert(second, Entry { index, ticket: 0 });
            }
            wheel.advance(second + 1, &mut due);
            assert_eq!(due.len(), 5_000);
            due.clear();
        }
        assert!(wheel.slots.iter().all(|slot| slot.capacity() <= SLOT_KEPT));
    }
}
