//! What detection keeps on flows and transactions between packets.

use super::tag::Tagged;
use super::window::Windows;
use crate::direction::PerDir;

/// Per transaction and direction.
#[derive(Default)]
pub struct TxDetect {
    /// Progress up to which every buffer was prefiltered, plus one; 0 = nothing yet.
    pub prefiltered: u8,
    /// Inspection of this direction is over.
    pub done: bool,
    /// Files that stood in it when it was last inspected.
    pub files: usize,
    /// Rules that reached some of their buffers, sorted by rule.
    pub partial: Vec<PartialMatch>,
    /// What was scanned of growing buffers.
    pub windows: Windows,
}

/// A rule that matched on this transaction so far.
#[derive(Clone, Copy, Debug)]
pub struct PartialMatch {
    pub rule: u32,
    /// Bit i: buffer test i of the rule matched.
    pub matched: u32,
    /// Alerted, or can no longer match.
    pub finished: bool,
}

impl PartialMatch {
    /// Nothing matched yet.
    pub fn new(rule: u32) -> Self {
        PartialMatch { rule, matched: 0, finished: false }
    }
}

/// Per flow.
#[derive(Default)]
pub struct FlowDetect {
    /// Set flowbits, sorted by id.
    pub flowbits: Vec<u32>,
    /// (id, value), sorted by id.
    pub flowints: Vec<(u32, u32)>,
    /// Captured flow variables: (id, value).
    pub flowvars: Vec<(u32, Vec<u8>)>,
    /// Variables for the context of alerts, the newest of each.
    pub context: Vec<(u32, Vec<u8>)>,
    /// Variables captured from the packet in hand.
    pub pktvars: Vec<(u32, Vec<u8>)>,
    /// Tags in force on the session.
    pub tags: Vec<Tagged>,
    /// A pass rule matched: nothing more alerts on this flow.
    pub passed: bool,
    /// A drop rule matched that would have stopped the whole flow, were the sensor in its way.
    pub dropped: bool,
    /// A rule wants no event at the flow's end.
    pub unlogged: bool,
    /// The rule (sid) that asked for all files of a direction to be stored.
    pub store: PerDir<Option<u32>>,
    /// IP-only rules were matched, per direction.
    pub ip_only_done: PerDir<bool>,
}

impl FlowDetect {
    /// No rule left anything on the flow.
    pub fn is_empty(&self) -> bool {
        self.flowbits.is_empty()
            && self.flowints.is_empty()
            && self.flowvars.is_empty()
            && self.pktvars.is_empty()
    }
    pub fn bit(&self, id: u32) -> bool {
        self.flowbits.binary_search(&id).is_ok()
    }
    pub fn set_bit(&mut self, id: u32) {
        if let Err(at) = self.flowbits.binary_search(&id) {
            self.flowbits.insert(at, id);
        }
    }
    pub fn unset_bit(&mut self, id: u32) {
        if let Ok(at) = self.flowbits.binary_search(&id) {
            self.flowbits.remove(at);
        }
    }
    pub fn int(&self, id: u32) -> Option<u32> {
        self.flowints
            .binary_search_by_key(&id, |e| e.0)
            .ok()
            .and_then(|at| self.flowints.get(at))
            .map(|e| e.1)
    }
    pub fn set_int(&mut self, id: u32, value: u32) {
        match self.flowints.binary_search_by_key(&id, |e| e.0) {
            Ok(at) => {
                if let Some(entry) = self.flowints.get_mut(at) {
                    entry.1 = value;
                }
            }
            Err(at) => self.flowints.insert(at, (id, value)),
        }
    }
}
