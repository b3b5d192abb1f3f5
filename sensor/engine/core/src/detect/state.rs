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

/// What rules left on a flow. Most flows bear nothing of it.
#[derive(Default)]
pub struct Left {
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
    /// The rule (sid) that asked for all files of a direction to be stored.
    pub store: PerDir<Option<u32>>,
}

static NOTHING: Left = Left {
    flowbits: Vec::new(),
    flowints: Vec::new(),
    flowvars: Vec::new(),
    context: Vec::new(),
    pktvars: Vec::new(),
    tags: Vec::new(),
    store: PerDir::new(None, None),
};

/// Per flow. Every flow bears it, so it stays small.
#[derive(Default)]
pub struct FlowDetect {
    left: Option<Box<Left>>,
    /// A pass rule matched: nothing more alerts on this flow.
    pub passed: bool,
    /// A drop rule matched that would have stopped the whole flow, were the sensor in its way.
    pub dropped: bool,
    /// A rule wants no event at the flow's end.
    pub unlogged: bool,
    /// IP-only rules were matched, per direction.
    pub ip_only_done: PerDir<bool>,
}

impl FlowDetect {
    /// What rules left on the flow, to read.
    #[inline]
    pub fn left(&self) -> &Left {
        self.left.as_deref().unwrap_or(&NOTHING)
    }
    /// ... to add to.
    pub fn left_mut(&mut self) -> &mut Left {
        self.left.get_or_insert_default()
    }
    /// ... to change what is there.
    #[inline]
    pub fn if_left(&mut self) -> Option<&mut Left> {
        self.left.as_deref_mut()
    }
    /// No rule left anything on the flow that events show.
    pub fn is_empty(&self) -> bool {
        let left = self.left();
        left.flowbits.is_empty()
            && left.flowints.is_empty()
            && left.flowvars.is_empty()
            && left.pktvars.is_empty()
    }
    #[inline]
    pub fn bit(&self, id: u32) -> bool {
        self.left().flowbits.binary_search(&id).is_ok()
    }
    pub fn set_bit(&mut self, id: u32) {
        let bits = &mut self.left_mut().flowbits;
        if let Err(at) = bits.binary_search(&id) {
            bits.insert(at, id);
        }
    }
    pub fn unset_bit(&mut self, id: u32) {
        let Some(left) = self.if_left() else { return };
        if let Ok(at) = left.flowbits.binary_search(&id) {
            left.flowbits.remove(at);
        }
    }
    pub fn int(&self, id: u32) -> Option<u32> {
        let ints = &self.left().flowints;
        ints.binary_search_by_key(&id, |e| e.0).ok().and_then(|at| ints.get(at)).map(|e| e.1)
    }
    pub fn set_int(&mut self, id: u32, value: u32) {
        let ints = &mut self.left_mut().flowints;
        match ints.binary_search_by_key(&id, |e| e.0) {
            Ok(at) => ints.get_mut(at).into_iter().for_each(|entry| entry.1 = value),
            Err(at) => ints.insert(at, (id, value)),
        }
    }
}
