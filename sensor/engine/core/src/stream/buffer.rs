//! The bytes of one side of a connection, by absolute stream offset: a contiguous window, and blocks beyond holes. Resolves
//! overlaps by policy. It must not know sequence numbers, ACKs or who reads it.

use super::block::{distance, Block};
use super::policy::OsPolicy;
use smallvec::SmallVec;
use std::collections::VecDeque;

/// Blocks beyond holes that one side may hold: more holes than this are an attack on the list, not a lossy network.
const BLOCKS_MAX: usize = 1024;
/// Segment extents remembered for overlap resolution; beyond it neighbours are joined. A full window of 1 MiB in
/// full-size segments needs about 720.
const EXTENTS_MAX: usize = 1024;
/// Room made for them with the second one.
const EXTENTS_USUAL: usize = 4;
/// A segment's payload cannot be longer (IP's total length), so extents that start further back cannot overlap.
const SEGMENT_MAX: u64 = 65_535;
/// Bytes compared per byte of a new segment: older segments that overlap one another this often are an attack on the
/// comparison; the rest of them then loses.
const COMPARE_FACTOR: usize = 32;
/// Window memory beyond this is given back when everything in it is used up but what stays for frames.
const IDLE_BYTES: usize = 1024;

/// What became of an insertion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inserted {
    /// The segment overlapped data still held.
    pub overlap: bool,
    /// ... and said something else there.
    pub differs: bool,
    /// There were too many holes: not stored.
    pub refused: bool,
}

/// What stands at an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At<'a> {
    /// Bytes from there to the end of their block, with up to `back` bytes before it: (bytes, offset of the first).
    Bytes(&'a [u8]),
    /// A hole of this many bytes with data beyond.
    Hole(u64),
    /// Nothing, and nothing beyond.
    End,
}

/// Idle it holds no memory of its own: millions of idle flows stand in a busy sensor.
#[derive(Debug, Default)]
pub struct Buffer {
    first: Block,
    /// None until there is a hole.
    beyond: Option<Box<Beyond>>,
    /// Extents [start, end) of the segments that came, by start; those wholly below `floor` are dropped. One needs no memory
    /// of its own: a request or an answer that waits for more.
    extents: SmallVec<[(u64, u64); 1]>,
    /// Extents at the front that are known to lie below `floor`.
    dead: u32,
    /// Bytes below are used up: they no longer change.
    floor: u64,
}

/// What stands beyond holes.
#[derive(Debug, Default)]
struct Beyond {
    blocks: VecDeque<Block>,
    bytes: u64,
    /// Most blocks that there were at a time.
    most: usize,
}

static NO_BLOCKS: VecDeque<Block> = VecDeque::new();

impl Buffer {
    /// The blocks beyond holes.
    #[inline]
    fn later(&self) -> &VecDeque<Block> {
        self.beyond.as_deref().map_or(&NO_BLOCKS, |beyond| &beyond.blocks)
    }

    /// Takes the first block beyond a hole if `wanted` says so.
    fn pop_later(&mut self, wanted: impl Fn(&Block, &Block) -> bool) -> Option<Block> {
        let beyond = self.beyond.as_deref_mut()?;
        let first = &self.first;
        beyond.blocks.front().filter(|next| wanted(first, next))?;
        let next = beyond.blocks.pop_front()?;
        beyond.bytes = beyond.bytes.saturating_sub(next.len());
        Some(next)
    }

    /// Most separate stretches of bytes held at a time, the one in order included.
    pub fn regions_max(&self) -> usize {
        self.beyond.as_ref().map_or(0, |beyond| beyond.most).saturating_add(1)
    }

    /// Stores a segment's bytes at stream offset `offset`. Bytes below the used-up floor are ignored.
    #[inline]
    pub fn insert(&mut self, offset: u64, bytes: &[u8], policy: OsPolicy) -> Inserted {
        if self.later().is_empty() && offset == self.first.end() && offset >= self.floor {
            self.first.extend(bytes);
            self.push_extent((offset, offset.saturating_add(bytes.len() as u64)));
            return Inserted::default();
        }
        self.insert_anywhere(offset, bytes, policy)
    }

    fn insert_anywhere(&mut self, offset: u64, bytes: &[u8], policy: OsPolicy) -> Inserted {
        let end = offset.saturating_add(bytes.len() as u64);
        let start = offset.max(self.floor);
        let Some(bytes) = bytes.get(distance(offset, start)..).filter(|b| !b.is_empty()) else {
            return Inserted::default();
        };
        let mut inserted = Inserted::default();
        if self.later().len() >= BLOCKS_MAX && start > self.first.end() {
            inserted.refused = true;
            return inserted;
        }
        let extent = (offset, end);
        match self.resolve(start, bytes, extent, policy, &mut inserted) {
            Some(resolved) => self.store(start, &resolved),
            None => self.store(start, bytes),
        }
        self.push_extent(extent);
        if let Some(beyond) = self.beyond.as_deref_mut() {
            beyond.most = beyond.blocks.len().max(beyond.most);
        }
        inserted
    }

    /// The segment's bytes after older segments that win have had their say; None: no older segment is touched.
    fn resolve(
        &self,
        start: u64,
        bytes: &[u8],
        extent: (u64, u64),
        policy: OsPolicy,
        inserted: &mut Inserted,
    ) -> Option<Vec<u8>> {
        let reach = start.saturating_sub(SEGMENT_MAX.saturating_mul(2));
        let from = self.extents.partition_point(|e| e.0 < reach);
        let mut resolved: Option<Vec<u8>> = None;
        let mut budget = bytes.len().saturating_mul(COMPARE_FACTOR);
        for &old in self.extents.get(from..).unwrap_or(&[]) {
            if old.0 >= extent.1 {
                break;
            }
            let (lo, hi) = (old.0.max(start), old.1.min(extent.1));
            if lo >= hi {
                continue;
            }
            inserted.overlap = true;
            let out = resolved.get_or_insert_with(|| bytes.to_vec());
            let keep_old = !policy.new_wins(old, extent);
            let index = self.later().partition_point(|block| block.end() <= lo);
            for block in std::iter::once(&self.first).chain(self.later().range(index..)) {
                if block.offset >= hi {
                    break;
                }
                let Some((at, held)) = block.part(lo, hi) else {
                    continue;
                };
                budget = budget.saturating_sub(held.len());
                let place = distance(start, at);
                let Some(new) = bytes.get(place..place.saturating_add(held.len())) else {
                    continue;
                };
                // A segment sent again, and altered, is a retransmission and no overlap: Suricata stays silent on it too.
                inserted.differs |= old != extent && new != held;
                if keep_old {
                    if let Some(target) = out.get_mut(place..place.saturating_add(held.len())) {
                        target.copy_from_slice(held);
                    }
                }
            }
            if budget == 0 {
                break;
            }
        }
        resolved
    }

    /// Writes resolved bytes: over what is there, and into holes.
    fn store(&mut self, start: u64, bytes: &[u8]) {
        let end = start.saturating_add(bytes.len() as u64);
        self.first.overwrite(start, bytes);
        let mut at = start.max(self.first.offset);
        if at <= self.first.end() {
            at = at.max(self.first.end());
            // Grow the window up to the next block; what lies beyond goes on below.
            let stop = self.later().front().map_or(end, |next| next.offset.min(end));
            if at < stop {
                self.first.extend(slice_of(bytes, start, at, stop));
                at = stop;
            }
        }
        if at < end {
            self.store_beyond(start, bytes, at);
        }
        self.absorb();
    }

    /// Writes what of the bytes lies at `at` and behind, beyond a hole.
    fn store_beyond(&mut self, start: u64, bytes: &[u8], mut at: u64) {
        let end = start.saturating_add(bytes.len() as u64);
        let Beyond { blocks, bytes: held, .. } = &mut **self.beyond.get_or_insert_default();
        let mut index = blocks.partition_point(|block| block.end() < at);
        while at < end {
            let tail = index.saturating_add(1) == blocks.len();
            match blocks.get_mut(index) {
                Some(block) if block.offset <= at && at < block.end() => {
                    block.overwrite(start, bytes);
                    at = block.end();
                    index = index.saturating_add(1);
                }
                Some(block) if block.end() <= at && block.offset < at => {
                    if tail && block.end() == at {
                        let piece = slice_of(bytes, start, at, end);
                        block.extend(piece);
                        *held = held.saturating_add(piece.len() as u64);
                        at = end;
                    } else {
                        index = index.saturating_add(1);
                    }
                }
                next => {
                    let stop = next.map_or(end, |block| block.offset.min(end));
                    let piece = slice_of(bytes, start, at, stop);
                    *held = held.saturating_add(piece.len() as u64);
                    blocks.insert(index, Block::new(at, piece));
                    at = stop;
                    index = index.saturating_add(1);
                }
            }
        }
    }

    /// Joins the blocks that the window has reached. Each byte is moved at most once.
    fn absorb(&mut self) {
        while let Some(next) = self.pop_later(|first, next| next.offset <= first.end()) {
            if self.first.len() == 0 {
                self.first = next;
            } else {
                self.first.extend(next.bytes());
            }
        }
    }

    fn push_extent(&mut self, extent: (u64, u64)) {
        if self.extents.len() >= EXTENTS_MAX {
            // Neighbours become one segment: overlap decisions get coarser, the list stays short.
            let mut joined = SmallVec::with_capacity(EXTENTS_MAX);
            for pair in self.extents.chunks(2) {
                let start = pair.first().map_or(0, |e| e.0);
                let end = pair.iter().map(|e| e.1).max().unwrap_or(start);
                let reach = end.min(start.saturating_add(SEGMENT_MAX));
                joined.push((start, reach));
            }
            self.extents = joined;
            self.dead = 0;
        }
        if !self.extents.is_empty() && !self.extents.spilled() {
            self.extents.grow(EXTENTS_USUAL);
        }
        match self.extents.last() {
            Some(last) if last.0 > extent.0 => {
                let at = self.extents.partition_point(|e| e.0 <= extent.0);
                let before = at.checked_sub(1).and_then(|i| self.extents.get(i));
                if before != Some(&extent) {
                    self.extents.insert(at, extent);
                    self.dead = self.dead.min(at as u32);
                }
            }
            Some(last) if *last == extent => {}
            _ => self.extents.push(extent),
        }
    }

    /// Offset of the first byte held.
    pub fn start(&self) -> u64 {
        self.first.offset
    }

    /// What stands at `offset`.
    #[inline]
    pub fn at(&self, offset: u64) -> At<'_> {
        if offset < self.first.end() && offset >= self.first.offset {
            let from = distance(self.first.offset, offset);
            return At::Bytes(self.first.bytes().get(from..).unwrap_or(&[]));
        }
        let later = self.later();
        if later.is_empty() {
            return At::End;
        }
        let index = later.partition_point(|block| block.end() <= offset);
        match later.get(index) {
            None => At::End,
            Some(block) if block.offset <= offset => {
                let from = distance(block.offset, offset);
                At::Bytes(block.bytes().get(from..).unwrap_or(&[]))
            }
            Some(block) => At::Hole(block.offset.saturating_sub(offset)),
        }
    }

    /// Up to `back` bytes that stand directly before `offset`, in the same block.
    pub fn before(&self, offset: u64, back: u64) -> u64 {
        std::iter::once(&self.first)
            .chain(self.later())
            .find(|block| block.offset <= offset && offset < block.end())
            .map_or(0, |block| offset.saturating_sub(block.offset).min(back))
    }

    /// One past the last byte that came.
    #[inline]
    pub fn end(&self) -> u64 {
        self.later().back().map_or_else(|| self.first.end(), Block::end)
    }

    /// One past the last byte before the first hole.
    pub fn window_end(&self) -> u64 {
        self.first.end()
    }

    /// Bytes below `floor` are used up; those below `keep` (≤ floor) are forgotten.
    #[inline]
    pub fn slide(&mut self, floor: u64, keep: u64) {
        self.floor = self.floor.max(floor);
        let floor = self.floor;
        // Where the hole is not given up yet, the window stands empty before it.
        while let Some(next) = self.pop_later(|first, next| first.end() <= floor && next.offset <= floor) {
            self.first = next;
            self.absorb();
        }
        self.first.forget(keep);
        if self.first.end() < floor {
            self.restart(floor);
        }
        if self.first.end() <= floor {
            let (live, held) = (self.first.len() as usize, self.first.capacity());
            if live == 0 && held > 0 || held > IDLE_BYTES && live < IDLE_BYTES / 2 {
                self.first.shrink();
            }
            if let Some(beyond) = self.beyond.as_deref_mut().filter(|beyond| beyond.blocks.is_empty()) {
                beyond.blocks = VecDeque::new();
            }
        }
        self.drop_extents();
    }

    /// An empty window at `offset`.
    fn restart(&mut self, offset: u64) {
        self.first = Block::new(offset, &[]);
    }

    fn drop_extents(&mut self) {
        if self.end() <= self.floor {
            self.extents = SmallVec::new();
            self.dead = 0;
            return;
        }
        while self.extents.get(self.dead as usize).is_some_and(|extent| extent.1 <= self.floor) {
            self.dead = self.dead.saturating_add(1);
        }
        // Moving the rest only when at least half is dead keeps this linear.
        let dead = self.dead as usize;
        if dead > 0 && dead >= self.extents.len() / 2 {
            self.extents.drain(..dead.min(self.extents.len()));
            self.dead = 0;
        }
    }

    /// Drops everything; nothing below `floor` will come back.
    pub fn clear(&mut self) {
        let floor = self.floor.max(self.end());
        *self = Buffer { floor, ..Buffer::default() };
        self.first.offset = floor;
    }

    /// Bytes of memory held.
    #[inline]
    pub fn memory(&self) -> u64 {
        let spilled = if self.extents.spilled() { self.extents.capacity() } else { 0 };
        let extents = spilled.saturating_mul(size_of::<(u64, u64)>());
        let beyond = self.beyond.as_deref().map_or(0, |beyond| {
            let blocks = beyond.blocks.capacity().saturating_mul(size_of::<Block>());
            beyond.bytes.saturating_add(blocks.saturating_add(size_of::<Beyond>()) as u64)
        });
        (self.first.capacity().saturating_add(extents) as u64).saturating_add(beyond)
    }
}

/// The bytes [from, to) of a run that starts at `start`.
fn slice_of(bytes: &[u8], start: u64, from: u64, to: u64) -> &[u8] {
    bytes.get(distance(start, from)..distance(start, to)).unwrap_or(&[])
}
