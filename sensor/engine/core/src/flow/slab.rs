//! Where flows live: numbered slots that never move. It must not know how flows are found or when they end.

use super::entry::Flow;
use super::key::{FlowKey, KeyRest};

/// Slots per chunk: the slab grows without moving what it holds.
const CHUNK: usize = 128;

#[derive(Default)]
pub(super) struct Slot {
    pub flow: Option<Flow>,
    /// What lookups find it by, beside the flow's addresses, and the hash of both.
    pub key: KeyRest,
    pub hash: u64,
    /// Number of the frame that began it, and that packet's depth: the same however many tables there are.
    pub born: u64,
    /// Second of the wheel's next visit.
    pub visit_at: u64,
    /// The wheel entry that is in force.
    pub ticket: u32,
    /// Still found by lookups (not ended).
    pub linked: bool,
}

impl Slot {
    /// Whether it is the flow of this key that lives here.
    #[inline]
    pub fn has(&self, key: &FlowKey) -> bool {
        let between = |flow: &Flow| key.is_between(flow.src, flow.dst);
        self.key == key.rest && self.flow.as_ref().is_some_and(between)
    }
}

#[derive(Default)]
pub(super) struct Slab {
    chunks: Vec<Box<[Slot]>>,
    free: Vec<u32>,
    /// Slots ever handed out.
    used: u32,
}

impl Slab {
    #[inline]
    pub fn get(&self, index: u32) -> Option<&Slot> {
        let at = index as usize;
        self.chunks.get(at / CHUNK)?.get(at % CHUNK)
    }

    #[inline]
    pub fn get_mut(&mut self, index: u32) -> Option<&mut Slot> {
        let at = index as usize;
        self.chunks.get_mut(at / CHUNK)?.get_mut(at % CHUNK)
    }

    /// All flows there are.
    pub fn flows_mut(&mut self) -> impl Iterator<Item = &mut Flow> {
        self.chunks.iter_mut().flatten().filter_map(|slot| slot.flow.as_mut())
    }

    /// A slot that holds no flow. None: all 2^32 are in use.
    pub fn take(&mut self) -> Option<u32> {
        if let Some(index) = self.free.pop() {
            return Some(index);
        }
        let index = self.used;
        if index as usize >= self.chunks.len().saturating_mul(CHUNK) {
            self.chunks.push((0..CHUNK).map(|_| Slot::default()).collect());
        }
        self.used = self.used.checked_add(1)?;
        Some(index)
    }

    /// The slot holds no flow any more.
    pub fn give_back(&mut self, index: u32) {
        self.free.push(index);
    }
}
