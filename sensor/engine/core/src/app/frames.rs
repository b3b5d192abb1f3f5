//! Frames of a flow: stretches of its streams and datagrams that rules look into by name. Kept only of the kinds that rules or
//! the log ask for, and only until they were inspected.

use super::{ParseCx, Protocol, ProtocolId, PROTOCOLS};
use crate::direction::{Dir, PerDir};
use crate::stream::StreamSide;
use std::collections::VecDeque;

/// The kind of the frame that is the whole of a direction's stream (`frame:tls.stream`); every protocol on TCP has it.
pub const STREAM: u8 = 63;
/// Frames of a direction that wait for inspection; more at once than one call reports is an attack: the oldest go.
const LIVE_MAX: usize = 1024;
/// Bytes that must be new before a frame without a known end, or far from it, is looked at or logged (Suricata's figure).
const GROWN_BYTES: u64 = 2500;
/// Bytes of a growing frame that are looked at again together with the new ones: the longest TLS record.
pub const WINDOW_BYTES: u64 = 18 << 10;

/// The kind of a frame by its name.
pub fn find(protocol: &Protocol, name: &str) -> Option<u8> {
    if name == "stream" && protocol.tcp {
        return Some(STREAM);
    }
    let at = protocol.frames.iter().position(|f| f.eq_ignore_ascii_case(name))?;
    u8::try_from(at).ok().filter(|kind| *kind < STREAM)
}

/// The name of a kind.
pub fn name(protocol: ProtocolId, kind: u8) -> &'static str {
    match kind {
        STREAM => "stream",
        _ => protocol.get().frames.get(usize::from(kind)).copied().unwrap_or("unknown"),
    }
}

/// Which frames somebody wants: a bit per kind, by protocol.
#[derive(Clone, Debug, Default)]
pub struct FrameChoice(Vec<u64>);

impl FrameChoice {
    /// Every frame of every protocol.
    pub fn all() -> FrameChoice {
        FrameChoice(vec![u64::MAX; PROTOCOLS.len()])
    }
    pub fn add(&mut self, protocol: ProtocolId, kind: u8) {
        self.0.resize(PROTOCOLS.len(), 0);
        if let Some(bits) = self.0.get_mut(usize::from(protocol.0)) {
            *bits |= 1u64 << (kind & STREAM);
        }
    }
    #[inline]
    pub fn has(&self, protocol: ProtocolId, kind: u8) -> bool {
        self.0.get(usize::from(protocol.0)).is_some_and(|bits| bits >> (kind & STREAM) & 1 != 0)
    }
    #[inline]
    pub fn any(&self, protocol: ProtocolId) -> bool {
        self.0.get(usize::from(protocol.0)).is_some_and(|bits| *bits != 0)
    }
}

/// What an event says of a frame besides its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameFacts {
    pub protocol: ProtocolId,
    pub kind: u8,
    /// Counts from 1 in each direction of a flow.
    pub id: u64,
    /// Of its first byte, in the direction's stream or in the datagram.
    pub offset: u64,
    pub len: Option<u64>,
    pub tx: Option<u64>,
}

impl FrameFacts {
    /// One past the last byte, once known.
    pub fn end(&self) -> Option<u64> {
        self.len.map(|len| self.offset.saturating_add(len))
    }
}

/// A frame that waits.
#[derive(Clone, Debug)]
pub struct LiveFrame {
    pub facts: FrameFacts,
    /// Stream offset up to which it was inspected.
    pub seen: u64,
    pub logged: bool,
    /// Rules that matched on it.
    pub matched: Vec<u32>,
}

impl LiveFrame {
    /// Whether it is to be inspected now that the stream is known up to `edge`.
    pub fn is_due(&self, edge: u64, at_end: bool) -> bool {
        let reach = self.facts.end().map_or(edge, |end| end.min(edge));
        let whole = self.facts.end() == Some(reach);
        reach > self.seen && (whole || at_end || reach.saturating_sub(self.seen) >= GROWN_BYTES)
    }

    /// Whether its event is to be written now.
    pub fn is_loggable(&self, edge: u64, at_end: bool) -> bool {
        let known = edge.saturating_sub(self.facts.offset);
        !self.logged && (at_end || self.facts.len.is_none_or(|len| known >= len || known >= GROWN_BYTES))
    }
}

/// The frames of one direction.
#[derive(Default)]
pub struct DirFrames {
    pub live: VecDeque<LiveFrame>,
    next_id: u64,
    /// The stream frame was made.
    stream_begun: bool,
}

/// The frames of one flow.
pub type FlowFrames = PerDir<DirFrames>;

impl DirFrames {
    fn add(&mut self, protocol: ProtocolId, kind: u8, offset: u64, len: Option<u64>, tx: Option<u64>) {
        const OPEN_MAX: usize = 64; // frames stand in one another, but not deep: an open one is among the newest
        let known = self
            .live
            .iter_mut()
            .rev()
            .take(OPEN_MAX)
            .find(|f| f.facts.offset == offset && f.facts.kind == kind && f.facts.protocol == protocol);
        if let Some(frame) = known.filter(|f| f.facts.len.is_none()) {
            frame.facts.len = len;
            frame.facts.tx = tx.or(frame.facts.tx);
            return;
        }
        if self.live.len() >= LIVE_MAX {
            self.live.pop_front();
        }
        self.next_id = self.next_id.saturating_add(1);
        let facts = FrameFacts { protocol, kind, id: self.next_id, offset, len, tx };
        self.live.push_back(LiveFrame { facts, seen: offset, logged: false, matched: Vec::new() });
    }

    /// First byte of the stream that some frame still needs.
    fn needs(&self) -> Option<u64> {
        self.live.iter().map(|f| f.facts.offset.max(f.seen.saturating_sub(WINDOW_BYTES))).min()
    }
}

/// Keeps what a parser reported of `dir`, as far as it is wanted; the bytes stay in `side` (none: a datagram).
pub fn collect(
    frames: &mut Option<Box<FlowFrames>>,
    choice: &FrameChoice,
    protocol: ProtocolId,
    dir: Dir,
    cx: &ParseCx,
    side: Option<&mut StreamSide>,
) {
    if !choice.any(protocol) {
        return;
    }
    let first = frames.as_ref().is_none_or(|f| !f[dir].stream_begun);
    let stream = side.is_some() && first && choice.has(protocol, STREAM);
    let mut added = stream;
    if stream {
        let mine = &mut frames.get_or_insert_default()[dir];
        mine.stream_begun = true;
        mine.add(protocol, STREAM, cx.stream_offset, None, None);
    }
    for frame in cx.frames.iter().filter(|f| choice.has(protocol, f.kind)) {
        let offset = cx.stream_offset.saturating_add_signed(frame.at);
        frames.get_or_insert_default()[dir].add(protocol, frame.kind, offset, frame.len, frame.tx);
        added = true;
    }
    if let (true, Some(side), Some(frames)) = (added, side, frames) {
        side.hold(frames[dir].needs());
    }
}

/// After a packet of `dir` was inspected and logged: frames nobody needs any more go, and with them their bytes.
pub fn settle(
    frames: &mut Option<Box<FlowFrames>>,
    dir: Dir,
    side: Option<&mut StreamSide>,
    at_end: bool,
    log: bool,
) {
    let Some(frames) = frames else { return };
    let mine = &mut frames[dir];
    let Some(side) = side else {
        mine.live.clear();
        return;
    };
    if mine.live.is_empty() {
        return;
    }
    let edge = side.edge_offset(at_end);
    mine.live.retain_mut(|frame| {
        frame.logged |= frame.is_loggable(edge, at_end);
        if frame.is_due(edge, at_end) {
            frame.seen = frame.facts.end().map_or(edge, |end| end.min(edge));
        }
        let over = at_end || frame.facts.end().is_some_and(|end| frame.seen >= end);
        !over || (log && !frame.logged)
    });
    side.hold(mine.needs());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dns() -> ProtocolId {
        ProtocolId::find("dns").unwrap()
    }

    #[test]
    fn keeps_only_what_is_wanted() {
        let mut choice = FrameChoice::default();
        let mut frames = None;
        let mut cx = ParseCx::default();
        cx.frame(0, 2, Some(12));
        collect(&mut frames, &choice, dns(), Dir::ToServer, &cx, None);
        assert!(frames.is_none());
        choice.add(dns(), 0);
        collect(&mut frames, &choice, dns(), Dir::ToServer, &cx, None);
        let facts = frames.as_ref().unwrap().to_server.live[0].facts;
        assert_eq!((facts.id, facts.offset, facts.end()), (1, 2, Some(14)));
        settle(&mut frames, Dir::ToServer, None, false, false);
        assert!(frames.unwrap().to_server.live.is_empty());
    }

    #[test]
    fn learns_the_end_of_an_open_frame() {
        let mut frames = DirFrames::default();
        frames.add(dns(), 0, 10, None, Some(1));
        frames.add(dns(), 0, 10, Some(5), None);
        assert_eq!(frames.live.len(), 1);
        assert_eq!((frames.live[0].facts.len, frames.live[0].facts.tx), (Some(5), Some(1)));
        assert!(!frames.live[0].is_due(14, false), "not whole yet");
        assert!(frames.live[0].is_due(15, false));
        frames.add(dns(), 0, 10, Some(5), None);
        assert_eq!(frames.live.len(), 2, "a closed frame is not opened again");
    }

    #[test]
    fn old_frames_give_way() {
        let mut frames = DirFrames::default();
        for at in 0..3000 {
            frames.add(dns(), 0, at, Some(1), None);
        }
        assert_eq!(frames.live.len(), LIVE_MAX);
        assert_eq!(frames.live[0].facts.offset, 3000 - LIVE_MAX as u64);
    }
}
