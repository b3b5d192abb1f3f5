//! The driver: feeds streams and datagrams to recognition and parsers, and keeps the caps that hold for all of them.

mod asked;
mod config;
mod counters;

use super::expectation::Expectations;
use super::flow_state::Recognition;
use super::frames::{self, FrameChoice};
use super::recognise::{Enabled, Guess, Recogniser, RECOGNISE_MAX_BYTES};
use super::{Outcome, ParseCx, ProtocolId, PROTOCOLS};
use crate::decode::{Origin, Packet};
use crate::direction::{Dir, PerDir};
use crate::flow::{ExceptionPolicy, Flow};
use crate::stream::{Chunk, StreamSide};
pub use counters::AppCounters;
use serde_json::Value;
use std::collections::HashSet;
use std::num::NonZeroU64;

/// Flow-level app events, `app-layer-event:` without a protocol; code = index (bit in `AppState::events`).
pub const EVENTS: &[&str] = &[
    "applayer_mismatch_protocol_both_directions",
    "applayer_wrong_direction_first_data",
    "applayer_detect_protocol_only_one_direction",
    "applayer_proto_detection_skipped",
    "applayer_no_tls_after_starttls",
    "applayer_unexpected_protocol",
];
const MISMATCH: u8 = 0;
const ONE_DIRECTION: u8 = 2;
const NO_TLS: u8 = 4;
const UNEXPECTED: u8 = 5;

/// What a parser may leave unconsumed. The largest legal unit of any protocol here is a TLS record of 16 KiB + 2 KiB or a
/// DNS message of 64 KiB; handshakes and header blocks are reassembled by their parsers under caps of their own.
const PENDING_MAX_BYTES: usize = 128 * 1024;

/// Datagrams in a direction after which recognition gives up.
const RECOGNISE_MAX_DATAGRAMS: u64 = 8;

/// One worker's driver.
pub struct Driver {
    recogniser: Recogniser,
    /// What each protocol's parser is made with; see `config::of`.
    configs: Vec<Value>,
    /// Flows that parsers announced.
    expectations: Expectations,
    /// Frames that rules or the log ask for.
    pub frames: FrameChoice,
    pub counters: AppCounters,
    /// What becomes of a flow whose parser gave up.
    error_policy: Option<ExceptionPolicy>,
}

impl Driver {
    /// Parsers that begin from now on are told what another driver's would be.
    pub fn configure_as(&mut self, other: Driver) {
        self.configs = other.configs;
    }

    /// `document` is the configuration; `inspected` names the sticky buffers that rules look at.
    pub fn new(document: &Value, inspected: &HashSet<&str>) -> Driver {
        let protocols = document.pointer("/app-layer/protocols").unwrap_or(&Value::Null);
        Driver {
            recogniser: Recogniser::new(protocols),
            configs: PROTOCOLS.iter().map(|p| config::of(p, document, inspected)).collect(),
            expectations: Expectations::default(),
            frames: FrameChoice::default(),
            error_policy: ExceptionPolicy::of(document, "/app-layer/error-policy"),
            counters: AppCounters::new(),
        }
    }

    /// Takes what the stream has ready in `dir`. True: the flow turned out to run the other way and was swapped.
    pub fn stream(&mut self, flow: &mut Flow, dir: Dir, packet: &Packet<'_>) -> bool {
        let at_end = packet.origin == Origin::FlowEnd;
        let Some(mut session) = flow.tcp.take() else { return false };
        let mut swapped = false;
        let mut dir = dir;
        loop {
            let side = session.side(dir);
            match side.app_chunk(at_end) {
                Chunk::None => break,
                Chunk::Gap(len) => {
                    self.counters.gap(flow);
                    self.gap(flow, dir, len, packet, session.side_mut(dir));
                    session.side_mut(dir).app_consume(len);
                }
                Chunk::Data(data) => {
                    let len = data.len();
                    let ends_at_gap = side.app_gap_behind(len, at_end);
                    let news = flow.app.parser.is_none();
                    match self.recognised(flow, true, dir, data, session.is_midstream()) {
                        Next::Wait if !at_end && !ends_at_gap => break,
                        Next::Wait | Next::GiveUp => {
                            session.side_mut(dir).app_disable();
                            if Dir::BOTH.iter().all(|d| flow.app.recognition[*d] == Recognition::Failed) {
                                session.side_mut(dir.opposite()).app_disable();
                            }
                            break;
                        }
                        Next::Swapped => {
                            session.swap();
                            dir = dir.opposite();
                            swapped = true;
                            continue;
                        }
                        Next::Parse if news && flow.app.first_dir == Some(dir.opposite()) => {
                            // The other side spoke first and was not enough to know by: its turn comes first.
                            flow.tcp = Some(session);
                            self.stream(flow, dir.opposite(), packet);
                            match flow.tcp.take() {
                                Some(back) => session = back,
                                None => return swapped,
                            }
                            continue;
                        }
                        Next::Parse => {}
                    }
                    let eof = at_end || side.app_finished();
                    if len < flow.app.wanted[dir] as usize && !eof && !ends_at_gap {
                        break;
                    }
                    let mut cx = self.stream_cx(flow, packet, eof, side);
                    let mut consumed = self.parse(flow, dir, data, &mut cx);
                    self.collect_frames(flow, dir, &cx, Some(session.side_mut(dir)));
                    if ends_at_gap {
                        // What the parser left will never be whole: it goes, and the gap is next.
                        consumed = len;
                    }
                    session.side_mut(dir).app_consume(consumed as u64);
                    self.after(flow, &mut session, &mut cx);
                    if consumed < len
                        && (at_end
                            || consumed == 0
                            || flow.app.wanted[dir] as usize > len.saturating_sub(consumed))
                    {
                        break;
                    }
                }
            }
            if flow.app.stopped {
                break;
            }
        }
        if flow.app.stopped {
            session.side_mut(Dir::ToServer).app_disable();
            session.side_mut(Dir::ToClient).app_disable();
        }
        let side = session.side(dir);
        if (at_end || side.app_finished() || side.depth_reached()) && !flow.app.closed[dir] {
            flow.app.closed[dir] = true;
            self.close(flow, dir, packet, session.side_mut(dir));
        }
        flow.tcp = Some(session);
        swapped
    }

    /// Takes one datagram. True: the flow was swapped.
    pub fn datagram(&mut self, flow: &mut Flow, dir: Dir, packet: &Packet<'_>) -> bool {
        let data = packet.payload();
        if data.is_empty() || flow.app.stopped {
            return false;
        }
        match self.recognised(flow, false, dir, data, false) {
            Next::Parse => {}
            Next::Swapped => {
                let mut cx = self.cx(flow, packet, false);
                self.parse(flow, dir.opposite(), data, &mut cx);
                self.collect_frames(flow, dir.opposite(), &cx, None);
                return true;
            }
            Next::Wait | Next::GiveUp => {
                if flow.packets[dir] < RECOGNISE_MAX_DATAGRAMS && flow.app.protocol.is_none() {
                    flow.app.recognition[dir] = Recognition::Pending;
                }
                return false;
            }
        }
        let mut cx = self.cx(flow, packet, false);
        self.parse(flow, dir, data, &mut cx);
        self.expectations.add(flow, &mut cx.expect, packet.ts);
        self.collect_frames(flow, dir, &cx, None);
        false
    }

    fn cx(&self, flow: &Flow, packet: &Packet<'_>, eof: bool) -> ParseCx {
        ParseCx {
            ts: packet.ts,
            datagram: packet.tcp().is_none() && packet.origin != Origin::FlowEnd,
            src_port: flow.src_port,
            dst_port: flow.dst_port,
            eof,
            changing: flow.app.original.is_some()
                && Dir::BOTH.iter().any(|d| flow.app.recognition[*d] == Recognition::Pending),
            frames_off: flow.app.parser_protocol.is_none_or(|p| !self.frames.any(p)),
            ..ParseCx::default()
        }
    }

    fn stream_cx(&self, flow: &Flow, packet: &Packet<'_>, eof: bool, side: &StreamSide) -> ParseCx {
        ParseCx { stream_offset: side.app_position(), ..self.cx(flow, packet, eof) }
    }

    fn collect_frames(&self, flow: &mut Flow, dir: Dir, cx: &ParseCx, side: Option<&mut StreamSide>) {
        if let Some(protocol) = flow.app.parser_protocol {
            frames::collect(&mut flow.app.frames, &self.frames, protocol, dir, cx, side);
        }
    }

    /// Tells the parser that a direction is over.
    fn close(&mut self, flow: &mut Flow, dir: Dir, packet: &Packet<'_>, side: &mut StreamSide) {
        let mut cx = self.stream_cx(flow, packet, true, side);
        if let Some(parser) = flow.app.parser.as_mut() {
            parser.close(dir, &mut cx);
            flow.app.tx_count = parser.tx_ids().end;
            touch(flow);
            self.collect_frames(flow, dir, &cx, Some(side));
        }
    }

    fn gap(&mut self, flow: &mut Flow, dir: Dir, len: u64, packet: &Packet<'_>, side: &mut StreamSide) {
        flow.app.wanted[dir] = 0;
        if flow.app.recognition[dir] == Recognition::Pending && flow.app.protocol.is_none() {
            flow.app.recognition[dir] = Recognition::Failed;
        }
        if flow.app.stopped {
            return;
        }
        let mut cx = self.stream_cx(flow, packet, false, side);
        let Some(parser) = flow.app.parser.as_mut() else { return };
        if parser.gap(dir, len, &mut cx) == Outcome::Broken {
            flow.app.stopped = true;
        }
        touch(flow);
        self.collect_frames(flow, dir, &cx, Some(side));
    }

    /// Gives data to the parser; returns how much of it is used up.
    fn parse(&mut self, flow: &mut Flow, dir: Dir, data: &[u8], cx: &mut ParseCx) -> usize {
        let Some(parser) = flow.app.parser.as_mut() else {
            return data.len();
        };
        let before = parser.tx_ids().end;
        let outcome = parser.parse(dir, data, cx);
        flow.app.tx_count = parser.tx_ids().end;
        let begun = flow.app.tx_count.saturating_sub(before);
        self.counters.txs_begun(flow.app.parser_protocol, cx.datagram, begun);
        touch(flow);
        match outcome {
            Outcome::Done => {
                flow.app.wanted[dir] = 0;
                data.len()
            }
            Outcome::NeedMore { consumed, needed } => {
                let consumed = consumed.min(data.len());
                let left = data.len().saturating_sub(consumed);
                let wanted = needed.max(left.saturating_add(1));
                flow.app.wanted[dir] = u32::try_from(wanted).unwrap_or(u32::MAX);
                if left > PENDING_MAX_BYTES || wanted > PENDING_MAX_BYTES {
                    self.broken(flow);
                }
                consumed
            }
            Outcome::Broken => {
                self.broken(flow);
                data.len()
            }
        }
    }

    fn broken(&mut self, flow: &mut Flow) {
        flow.app.stopped = true;
        flow.except("app_layer_error", self.error_policy);
        self.counters.parser_error(flow);
    }

    /// Makes sure the direction's protocol is known.
    fn recognised(&mut self, flow: &mut Flow, tcp: bool, dir: Dir, data: &[u8], midstream: bool) -> Next {
        if flow.app.recognition[dir] == Recognition::Known {
            return if flow.app.parser.is_some() { Next::Parse } else { Next::GiveUp };
        }
        if flow.app.recognition[dir] == Recognition::Failed {
            return self.failed(flow, dir, data);
        }
        if flow.app.first_dir.is_none() && self.expected(flow, tcp, dir) {
            return if flow.app.parser.is_some() { Next::Parse } else { Next::GiveUp };
        }
        flow.app.first_dir.get_or_insert(dir);
        let guess = self.recogniser.guess(tcp, dir, data, (flow.dst_port, flow.src_port), midstream);
        match (guess, flow.app.protocol) {
            (Guess::Is(id), None) => {
                self.start(flow, tcp, dir, id);
                flow.app.seen[dir] = Some(id);
            }
            (Guess::Reversed(id), None) => {
                flow.swap();
                self.start(flow, tcp, dir.opposite(), id);
                flow.app.seen[dir.opposite()] = Some(id);
                return Next::Swapped;
            }
            (Guess::Is(id) | Guess::Reversed(id), Some(known)) => {
                flow.app.seen[dir] = Some(id);
                flow.app.recognition[dir] = Recognition::Known;
                if id != known {
                    event(flow, MISMATCH);
                }
            }
            (Guess::Unknown | Guess::Unsure, Some(_)) => {
                // One direction is known: the other follows it.
                flow.app.recognition[dir] = Recognition::Known;
                if guess == Guess::Unknown && flow.app.seen[dir.opposite()].is_none() {
                    event(flow, ONE_DIRECTION);
                }
            }
            (Guess::Unsure, None) => return Next::Wait,
            (Guess::Unknown, None) => {
                flow.app.recognition[dir] = Recognition::Failed;
                if flow.app.expected.is_some_and(|e| e.get().name == "tls") {
                    event(flow, NO_TLS);
                }
                if flow.app.recognition[dir.opposite()] == Recognition::Failed {
                    self.counters.unknown(!tcp);
                }
                return if tcp { self.failed(flow, dir, data) } else { Next::GiveUp };
            }
        }
        if flow.app.parser.is_some() {
            Next::Parse
        } else {
            Next::GiveUp
        }
    }

    /// What to do with a direction that says nothing by itself: servers that greet first (FTP, SMTP) are known by what the
    /// client answers, so a short greeting waits for it.
    fn failed(&self, flow: &Flow, dir: Dir, data: &[u8]) -> Next {
        let open = flow.app.recognition[dir.opposite()] == Recognition::Pending;
        if open && flow.app.protocol.is_none() && data.len() < RECOGNISE_MAX_BYTES {
            Next::Wait
        } else {
            Next::GiveUp
        }
    }

    /// A flow that another one announced needs no recognition.
    fn expected(&mut self, flow: &mut Flow, tcp: bool, dir: Dir) -> bool {
        let Some(expected) = self.expectations.take(flow) else { return false };
        flow.parent = NonZeroU64::new(expected.parent);
        flow.app.first_dir = Some(dir);
        flow.app.recognition = PerDir::new(Recognition::Known, Recognition::Known);
        self.start(flow, tcp, dir, expected.protocol);
        if let Some(parser) = flow.app.parser.as_mut() {
            parser.expected(&expected.note);
        }
        true
    }

    fn start(&mut self, flow: &mut Flow, tcp: bool, dir: Dir, id: ProtocolId) {
        flow.app.protocol = Some(id);
        flow.app.recognition[dir] = Recognition::Known;
        if flow.app.recognition[dir.opposite()] == Recognition::Failed {
            flow.app.recognition[dir.opposite()] = Recognition::Known;
            event(flow, ONE_DIRECTION);
        }
        if flow.app.expected.take().is_some_and(|expected| expected != id) {
            event(flow, UNEXPECTED);
        }
        self.counters.flow_begun(id, !tcp);
        if self.recogniser.enabled(id) == Enabled::Yes {
            let config = self.configs.get(usize::from(id.0)).unwrap_or(&Value::Null);
            let parser = (id.get().new)(config);
            flow.app.depth_due = true;
            // Some protocols have one transaction, from the beginning.
            let begun = parser.tx_ids().end;
            flow.app.parser = Some(parser);
            flow.app.parser_protocol = Some(id);
            self.counters.txs_begun(flow.app.parser_protocol, !tcp, begun);
        }
    }
}

enum Next {
    Parse,
    Wait,
    GiveUp,
    Swapped,
}

/// Something changed: both directions are to be inspected, and the log has a look.
fn touch(flow: &mut Flow) {
    if let Some(parser) = flow.app.parser.as_mut() {
        flow.app.live.parsed(&mut **parser);
    }
    flow.app.dirty = PerDir::new(true, true);
    flow.app.touched = true;
}

fn event(flow: &mut Flow, index: u8) {
    flow.app.events |= 1u16 << (index & 15);
}
