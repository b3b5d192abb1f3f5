//! One side of a connection: its sequence numbers as the state machine keeps them, its bytes, and the pull interface by
//! which the app and detect stages read them. Must not know protocols or rules.

use super::buffer::{At, Buffer, Inserted};
use super::memory::{MemoryGauge, Share};
use super::tracking::Tracking;

/// Used-up bytes that may stay for frames: a frame's inspection window and the largest chunk in front of it.
const HELD_MAX: u64 = 64 << 10;

/// `StreamSide::held` when nothing is: no stream is that long.
const NOTHING_HELD: u64 = u64::MAX;

/// What stands next in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunk<'a> {
    /// Nothing (yet).
    None,
    Data(&'a [u8]),
    /// This many bytes are lost.
    Gap(u64),
}

/// A stretch of the stream for raw inspection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawView<'a> {
    pub data: &'a [u8],
    /// Absolute stream offset of data[0].
    pub offset: u64,
}

/// Offsets that few streams have.
#[derive(Debug)]
struct Limits {
    /// Offset at which raw inspection ends; 0 is none. What stood before it when it was set is still inspected.
    raw: u64,
    /// Bytes from here on stay for frames that are still to be inspected; `NOTHING_HELD`: none.
    held: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { raw: 0, held: NOTHING_HELD }
    }
}

#[derive(Debug)]
pub struct StreamSide {
    pub(super) t: Tracking,
    pub(super) buffer: Buffer,
    share: Share,
    app_pos: u64,
    raw_pos: u64,
    /// Offset up to which the peer has acknowledged.
    acked: u64,
    /// Bytes of the stream to reassemble; 0 is no limit.
    depth: u64,
    raw_chunk_size: u32,
    app_off: bool,
    raw_off: bool,
    raw_now: bool,
    limits: Option<Box<Limits>>,
    pub(super) depth_reached: bool,
    /// FIN acknowledged or connection closed: no byte comes any more.
    pub(super) ended: bool,
    /// A state behind TIME-WAIT in `TcpState`, the client's FIN first or the connection closed: raw inspection waits for no more.
    pub(super) closing: bool,
    /// Used-up bytes stay.
    kept: bool,
    /// The connection is closed.
    pub(super) closed: bool,
    /// A hole was given up on.
    pub(super) gap: bool,
    /// ... since the last packet was done with.
    pub(super) gap_fresh: bool,
}

impl StreamSide {
    pub(super) fn new(gauge: &MemoryGauge, depth: u64, raw_chunk_size: u32, raw: bool) -> Self {
        StreamSide {
            t: Tracking::default(),
            buffer: Buffer::default(),
            share: Share::new(gauge),
            app_pos: 0,
            raw_pos: 0,
            acked: 0,
            depth,
            raw_chunk_size,
            app_off: false,
            raw_off: !raw,
            raw_now: false,
            limits: None,
            depth_reached: false,
            ended: false,
            closing: false,
            kept: false,
            closed: false,
            gap: false,
            gap_fresh: false,
        }
    }

    pub(super) fn gauge(&self) -> &MemoryGauge {
        self.share.gauge()
    }

    #[inline]
    fn held(&self) -> u64 {
        self.limits.as_deref().map_or(NOTHING_HELD, |limits| limits.held)
    }

    #[inline]
    fn raw_limit(&self) -> u64 {
        self.limits.as_deref().map_or(0, |limits| limits.raw)
    }

    /// Stream offset of sequence number `seq`, which may lie before the stream's start (negative).
    #[inline]
    pub(super) fn offset_of(&self, seq: u32) -> i64 {
        // Unwrapped near what was acknowledged, the best known place of the 32-bit window.
        let near = self.acked;
        let first = self.t.isn.wrapping_add(1);
        let skipped = u32::from(self.t.urgent_dropped);
        let near_seq = first.wrapping_add(near as u32).wrapping_add(skipped);
        (near as i64).saturating_add(i64::from(seq.wrapping_sub(near_seq) as i32))
    }

    /// The peer acknowledged up to `ack`.
    #[inline]
    pub(super) fn acknowledge(&mut self, ack: u32) {
        let offset = self.offset_of(ack);
        if offset > self.acked as i64 {
            self.acked = offset as u64;
        }
    }

    /// What stands without a hole behind what was acknowledged is as good as acknowledged.
    pub(super) fn acknowledge_received(&mut self) {
        if let At::Bytes(bytes) = self.buffer.at(self.acked) {
            self.acked = self.acked.saturating_add(bytes.len() as u64);
        }
    }

    /// A byte of sequence space that is not in the stream (urgent data): what follows moves up by one.
    pub(super) fn skip_byte(&mut self) {
        self.t.urgent_dropped = self.t.urgent_dropped.saturating_add(1);
    }

    /// Whether data at `seq` lies beyond the depth.
    pub(super) fn beyond_depth(&self, seq: u32) -> bool {
        self.depth_reached && self.offset_of(seq) >= i64::try_from(self.depth).unwrap_or(i64::MAX)
    }

    /// Forgets what came with a SYN whose data the server did not take.
    pub(super) fn restart(&mut self) {
        self.buffer = Buffer::default();
        self.settle();
    }

    pub(super) fn reassembles(&self) -> bool {
        !(self.app_off && self.raw_off)
    }

    /// Stores a segment's bytes. The answer's second part: some bytes lay before what is still open to change.
    pub(super) fn insert(&mut self, seq: u32, bytes: &[u8]) -> (Inserted, bool) {
        let offset = self.offset_of(seq);
        let skip = offset.min(0).unsigned_abs();
        let Some(bytes) = usize::try_from(skip).ok().and_then(|skip| bytes.get(skip..)) else {
            return (Inserted::default(), true);
        };
        let offset = offset.max(0) as u64;
        let before = skip > 0 || offset < self.floor();
        let bytes = self.within_depth(offset, bytes);
        if bytes.is_empty() || !self.reassembles() {
            return (Inserted::default(), before);
        }
        let inserted = self.buffer.insert(offset, bytes, self.t.policy);
        self.settle();
        (inserted, before)
    }

    fn within_depth<'b>(&mut self, offset: u64, bytes: &'b [u8]) -> &'b [u8] {
        if self.depth == 0 {
            return bytes;
        }
        let room = self.depth.saturating_sub(offset);
        if (bytes.len() as u64) <= room {
            return bytes;
        }
        self.depth_reached = true;
        bytes.get(..room as usize).unwrap_or(bytes)
    }

    /// Whether `more` bytes may be stored under `cap`.
    pub(super) fn has_room(&self, more: usize, cap: u64) -> bool {
        self.share.allows(more as u64, cap)
    }

    #[inline]
    fn settle(&mut self) {
        self.share.set(self.buffer.memory());
    }

    fn floor(&self) -> u64 {
        match (self.app_off, self.raw_off) {
            (false, false) => self.app_pos.min(self.raw_pos),
            (false, true) => self.app_pos,
            (true, false) => self.raw_pos,
            (true, true) => u64::MAX,
        }
    }

    fn slide(&mut self) {
        if self.kept {
            return;
        }
        if !self.reassembles() && self.held() == NOTHING_HELD {
            self.buffer.clear();
        } else {
            let floor = self.floor().min(self.buffer.end());
            let held = self.held().max(floor.saturating_sub(HELD_MAX));
            // A hole that was given up on would take the held bytes before it along.
            let floor = if held < floor && self.buffer.window_end() < floor { held } else { floor };
            self.buffer.slide(floor, floor.min(held));
        }
        self.settle();
    }

    /// Offset up to which readers may go: what the peer has acknowledged, or everything.
    #[inline]
    fn edge(&self, at_end: bool) -> u64 {
        if at_end {
            u64::MAX
        } else {
            self.acked
        }
    }

    /// Contiguous bytes from the app's position to the acknowledged edge (`at_end`: to the last byte received), or the hole
    /// that stands there once data beyond it was acknowledged (`at_end`: once there is data beyond it).
    #[inline]
    pub fn app_chunk(&self, at_end: bool) -> Chunk<'_> {
        let edge = self.edge(at_end);
        if self.app_off || edge <= self.app_pos {
            return Chunk::None;
        }
        match self.buffer.at(self.app_pos) {
            At::End => Chunk::None,
            At::Hole(len) => Chunk::Gap(len),
            At::Bytes(bytes) => {
                let room = usize::try_from(edge.saturating_sub(self.app_pos)).unwrap_or(usize::MAX);
                Chunk::Data(bytes.get(..room).unwrap_or(bytes))
            }
        }
    }

    /// Behind the chunk of `len` bytes that stands ready is a hole that will not be filled any more.
    #[inline]
    pub fn app_gap_behind(&self, len: usize, at_end: bool) -> bool {
        let behind = self.app_pos.saturating_add(len as u64);
        behind < self.edge(at_end) && matches!(self.buffer.at(behind), At::Hole(_))
    }

    /// `n` bytes of data or gap are used up.
    pub fn app_consume(&mut self, n: u64) {
        if let At::Hole(_) = self.buffer.at(self.app_pos) {
            self.gap = true;
            self.gap_fresh = true;
        }
        self.app_pos = self.app_pos.saturating_add(n).min(self.buffer.end());
        self.slide();
    }

    /// Stream offset of the next byte for the app stage.
    pub fn app_position(&self) -> u64 {
        self.app_pos
    }

    /// The connection is closed or the depth reached, and everything was used up: data that nobody acknowledged before a RST
    /// waits for the end of the flow.
    pub fn app_finished(&self) -> bool {
        (self.closed && self.buffer.end() <= self.app_pos || self.depth_reached)
            && matches!(self.app_chunk(false), Chunk::None)
    }

    /// Nothing wants app data any more.
    pub fn app_disable(&mut self) {
        self.app_off = true;
        self.slide();
    }

    /// The stretch to inspect, once enough stands ready or there is a reason not to wait: a trigger, the end of the
    /// connection, the depth.
    pub fn raw_chunk(&self, at_end: bool) -> Option<RawView<'_>> {
        let edge = match self.raw_limit() {
            0 => self.edge(at_end),
            limit => self.edge(at_end).min(limit),
        };
        if self.raw_off || edge <= self.raw_pos {
            return None;
        }
        let waits = edge.saturating_sub(self.raw_pos) < u64::from(self.raw_chunk_size);
        let hurries = at_end || self.raw_now || self.closing || self.depth_reached;
        if waits && self.raw_limit() == 0 && !hurries {
            return None;
        }
        let offset = match self.buffer.at(self.raw_pos) {
            At::End => return None,
            At::Hole(len) => self.raw_pos.saturating_add(len),
            At::Bytes(_) => self.raw_pos,
        };
        let At::Bytes(bytes) = self.buffer.at(offset) else {
            return None;
        };
        let room = usize::try_from(edge.saturating_sub(offset)).unwrap_or(usize::MAX);
        let data = bytes.get(..room).unwrap_or(bytes);
        (!data.is_empty()).then_some(RawView { data, offset })
    }

    /// One past the last byte that readers may see (`at_end`: that was received).
    pub fn edge_offset(&self, at_end: bool) -> u64 {
        self.edge(at_end).min(self.buffer.end())
    }

    /// What stands at `offset`, up to the edge; used-up bytes only as far as they are held (`hold`).
    pub fn chunk_at(&self, offset: u64, at_end: bool) -> Chunk<'_> {
        let edge = self.edge(at_end);
        if edge <= offset {
            return Chunk::None;
        }
        match self.buffer.at(offset) {
            At::End => Chunk::None,
            At::Hole(len) => Chunk::Gap(len.min(edge.saturating_sub(offset))),
            At::Bytes(bytes) => {
                let room = usize::try_from(edge.saturating_sub(offset)).unwrap_or(usize::MAX);
                Chunk::Data(bytes.get(..room).unwrap_or(bytes))
            }
        }
    }

    /// Up to `back` bytes that still stand directly before `offset`, at which there must be data.
    pub fn bytes_before(&self, offset: u64, back: u64) -> u64 {
        self.buffer.before(offset, back)
    }

    /// Bytes from `from` on are to stay (as far as they still stand, and within `HELD_MAX`); None: nothing more.
    pub fn hold(&mut self, from: Option<u64>) {
        let from = from.unwrap_or(NOTHING_HELD);
        if self.held() != from {
            self.limits.get_or_insert_default().held = from;
            self.slide();
        }
    }

    /// Everything before absolute offset `upto` was inspected.
    pub fn raw_consume(&mut self, upto: u64) {
        self.raw_now = false;
        self.raw_pos = self.raw_pos.max(upto.min(self.buffer.end()));
        let limit = self.raw_limit();
        self.raw_off |= limit != 0 && self.raw_pos >= limit;
        self.slide();
    }

    /// Inspect now what there is.
    pub fn raw_trigger(&mut self) {
        self.raw_now = true;
    }

    /// Data that comes from now on is not for raw inspection (encrypted); what is held still is.
    pub fn raw_disable(&mut self) {
        let end = self.buffer.end();
        if self.raw_pos >= end {
            self.raw_off = true;
        } else if self.raw_limit() == 0 {
            self.limits.get_or_insert_default().raw = end;
        }
        self.slide();
    }

    /// Data beyond the depth came and was not kept.
    pub fn depth_reached(&self) -> bool {
        self.depth_reached
    }

    /// Bytes of the stream to reassemble from its start; 0 is no limit.
    pub fn set_depth(&mut self, bytes: u64) {
        self.depth = bytes;
    }

    /// Bytes of the stream to reassemble, where that is more than before; 0 is no limit.
    pub fn raise_depth(&mut self, bytes: u64) {
        if self.depth != 0 && (bytes == 0 || bytes > self.depth) {
            self.depth = bytes;
            self.depth_reached = false;
        }
    }

    /// A hole in this side was given up on.
    pub fn had_gap(&self) -> bool {
        self.gap
    }

    /// Most separate stretches of data held at a time (EVE `tcp.ts_max_regions`).
    pub fn regions_max(&self) -> usize {
        self.buffer.regions_max()
    }

    /// OR of the TCP flags this side sent.
    pub fn tcp_flags(&self) -> u8 {
        self.t.tcp_flags
    }

    /// Highest acknowledgement number the peer sent for this side's data.
    pub fn last_ack(&self) -> u32 {
        self.t.last_ack
    }

    /// Bytes this side has sent by its sequence numbers, SYN and FIN included (keyword `stream_size`).
    pub fn size(&self) -> u32 {
        if self.t.anchored {
            self.t.next_seq.wrapping_sub(self.t.isn)
        } else {
            0
        }
    }

    /// Offset up to which the peer has acknowledged.
    pub fn acked(&self) -> u64 {
        self.acked
    }

    /// Whether bytes are held that the peer has not acknowledged, or that nobody has read.
    pub fn has_unread(&self) -> bool {
        let end = self.buffer.end();
        (!self.app_off && end > self.app_pos) || (!self.raw_off && end > self.raw_pos)
    }

    /// Nothing more comes: what is held now stays until the flow is gone, so that its last alerts can show it.
    pub fn keep_all(&mut self) {
        self.kept = true;
    }

    /// What is held, as alerts show it: at most `max` bytes, holes as "[4 bytes missing]".
    pub fn held_text(&self, max: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut at = self.buffer.start();
        while out.len() < max {
            let len = match self.buffer.at(at) {
                At::Bytes(bytes) => {
                    let room = max.saturating_sub(out.len());
                    out.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
                    bytes.len() as u64
                }
                At::Hole(len) => {
                    out.extend_from_slice(format!("[{len} bytes missing]").as_bytes());
                    len
                }
                At::End => break,
            };
            at = at.saturating_add(len);
        }
        out.truncate(max);
        out
    }

    /// Bytes of memory held for this side's data.
    pub fn memory(&self) -> u64 {
        self.buffer.memory()
    }
}
