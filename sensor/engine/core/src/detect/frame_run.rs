//! Frames meet the ruleset: the bytes of each frame that is whole, or has grown enough, are scanned and its candidates
//! evaluated. A hole in the stream cuts a frame in parts that are inspected one by one.

use super::eval::{shape, Scene};
use super::frame_groups::FrameGroup;
use super::rule::{BufferTest, Rule, Target};
use super::ruleset::Ruleset;
use super::run::{Detector, Hit};
use super::watch::{Searched, Subject, Watch, ALL_DONE};
use crate::app::frames::{FrameFacts, LiveFrame, WINDOW_BYTES};
use crate::app::View;
use crate::decode::{Origin, Packet};
use crate::direction::Dir;
use crate::flow::Flow;
use crate::stream::{Chunk, StreamSide};

impl Detector {
    /// Inspects the frames of the packet's direction.
    pub(super) fn frames<W: Watch + ?Sized>(
        &mut self,
        rules: &Ruleset,
        packet: &Packet<'_>,
        flow: &mut Flow,
        dir: Dir,
        watch: &mut W,
    ) {
        let Some(mut frames) = flow.app.frames.take() else { return };
        let at_end = packet.origin == Origin::FlowEnd;
        for frame in &mut frames[dir].live {
            let facts = frame.facts;
            let Some(group) = rules.frame.group(facts.protocol, facts.kind) else { continue };
            // The session is looked up anew for each frame: a match may write to the flow.
            let session = flow.tcp.take();
            match session.as_ref().map(|s| s.side(dir)) {
                Some(side) => {
                    if frame.is_due(side.edge_offset(at_end), at_end) {
                        self.stream_frame(rules, group, packet, flow, dir, frame, side, watch);
                    }
                }
                None => {
                    let view = datagram_view(&facts, packet.payload());
                    self.frame(rules, group, packet, flow, dir, frame, view, watch);
                }
            }
            flow.tcp = session;
        }
        flow.app.frames = Some(frames);
    }

    /// The parts of a frame that are new, each with what stands before it.
    #[allow(clippy::too_many_arguments)] // the parts of one scene; a struct would only rename them
    fn stream_frame<W: Watch + ?Sized>(
        &mut self,
        rules: &Ruleset,
        group: &FrameGroup,
        packet: &Packet<'_>,
        flow: &mut Flow,
        dir: Dir,
        frame: &mut LiveFrame,
        side: &StreamSide,
        watch: &mut W,
    ) {
        let at_end = packet.origin == Origin::FlowEnd;
        let facts = frame.facts;
        let edge = side.edge_offset(at_end);
        let end = facts.end().map_or(edge, |end| end.min(edge));
        let mut at = frame.seen.max(facts.offset);
        while at < end {
            match side.chunk_at(at, at_end) {
                Chunk::None => return,
                Chunk::Gap(len) => at = at.saturating_add(len.max(1)),
                Chunk::Data(new) => {
                    let stop = at.saturating_add(new.len() as u64).min(end);
                    let start = at.saturating_sub(
                        side.bytes_before(at, WINDOW_BYTES.min(at.saturating_sub(facts.offset))),
                    );
                    let Chunk::Data(data) = side.chunk_at(start, at_end) else { return };
                    let len = usize::try_from(stop.saturating_sub(start)).unwrap_or(usize::MAX);
                    let complete = match facts.end() {
                        Some(last) => stop == last,
                        None => at_end && stop == end,
                    };
                    let data = data.get(..len).unwrap_or(data);
                    let view = View { data, offset: start.saturating_sub(facts.offset), complete };
                    self.frame(rules, group, packet, flow, dir, frame, view, watch);
                    at = stop;
                }
            }
        }
    }

    #[allow(clippy::too_many_arguments)] // as above
    fn frame<W: Watch + ?Sized>(
        &mut self,
        rules: &Ruleset,
        group: &FrameGroup,
        packet: &Packet<'_>,
        flow: &mut Flow,
        dir: Dir,
        frame: &mut LiveFrame,
        view: View<'_>,
        watch: &mut W,
    ) {
        self.candidates.clear();
        self.candidates.extend_from_slice(&group.always);
        for form in &group.forms {
            let test = form.shaped_by.and_then(|(rule, at)| rules.rule(rule)?.buffers.get(at));
            let first = self.candidates.len();
            watch.searches();
            match test {
                None => form.prefilter.scan(view.data, view.offset, &mut self.scan, &mut self.candidates),
                Some(test) => {
                    let shaped = shape(test, view.data, &self.scripts);
                    form.prefilter.scan(&shaped, 0, &mut self.scan, &mut self.candidates);
                }
            }
            let what = Searched::Frame(frame.facts.protocol, frame.facts.kind);
            watch.searched(what, view.data.len(), self.candidates.get(first..).unwrap_or_default());
        }
        self.candidates.sort_unstable();
        self.candidates.dedup();
        let candidates = std::mem::take(&mut self.candidates);
        for number in &candidates {
            let Some(rule) = rules.rule(*number) else { continue };
            if frame.matched.contains(number) || rule.flow.dir.is_some_and(|d| d != dir) {
                continue;
            }
            let scene = Scene { packet, flow: Some(flow), dir, scripts: &self.scripts };
            watch.tries(rules, *number, &scene, Subject::Frame { facts: frame.facts, view });
            let matched = scene.try_frame(rule, &frame.facts, view);
            watch.tried(*number, matched.is_some());
            self.scripts.settle(Some(flow));
            if let Some(captures) = matched {
                for action in &rule.on_match {
                    action.apply(packet, Some(flow), &captures);
                }
                frame.matched.push(*number);
                let facts = frame.facts;
                self.hits.push(Hit {
                    rule: *number,
                    tx: facts.tx,
                    retired: None,
                    stream: false,
                    frame: Some(facts),
                    action: rule.action,
                    ticket: None,
                });
            }
        }
        self.candidates = candidates;
        let scene = Scene { packet, flow: Some(flow), dir, scripts: &self.scripts };
        watch.tries(rules, ALL_DONE, &scene, Subject::Frame { facts: frame.facts, view });
    }
}

/// What a datagram's payload holds of a frame.
fn datagram_view<'p>(facts: &FrameFacts, payload: &'p [u8]) -> View<'p> {
    let start = usize::try_from(facts.offset).unwrap_or(usize::MAX);
    let rest = payload.get(start..).unwrap_or(&[]);
    let whole = facts.len.and_then(|len| rest.get(..usize::try_from(len).ok()?));
    View { data: whole.unwrap_or(rest), offset: 0, complete: whole.is_some() || facts.len.is_none() }
}

impl Scene<'_> {
    fn try_frame(&self, rule: &Rule, facts: &FrameFacts, view: View<'_>) -> Option<Vec<(u32, Vec<u8>)>> {
        if !self.admits(rule) {
            return None;
        }
        let mut cx = self.packet_cx(rule);
        let matches = |test: &BufferTest, cx: &mut _| match test.target {
            Target::Frame(protocol, kind) if (protocol, kind) == (facts.protocol, facts.kind) => {
                self.shaped(test, view, cx)
            }
            _ => false,
        };
        (rule.buffers.iter().all(|test| matches(test, &mut cx)) && self.last_word(rule, &cx))
            .then_some(cx.captures)
    }
}
