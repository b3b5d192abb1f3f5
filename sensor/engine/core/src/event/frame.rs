//! Frames in events: the `frame` object of an alert, and the event of its own (Suricata manual, "Frames").

use super::header::Endpoints;
use super::record::place;
use super::{Events, Lane};
use crate::app::frames::{self, FrameFacts};
use crate::base64;
use crate::decode::{Origin, Packet};
use crate::direction::Dir;
use crate::flow::Flow;
use crate::stream::{Chunk, StreamSide};

impl Events {
    /// Writes an event for each frame of the direction that is whole, or has grown enough, and was not written yet.
    pub fn frames(&mut self, flow: &Flow, packet: &Packet<'_>, dir: Dir) {
        if !self.config.frame {
            return;
        }
        let Some(frames) = &flow.app.frames else { return };
        let at_end = packet.origin == Origin::FlowEnd;
        let side = flow.tcp.as_ref().map(|s| s.side(dir));
        for frame in &frames[dir].live {
            if side.is_some_and(|s| !frame.is_loggable(s.edge_offset(at_end), at_end)) {
                continue;
            }
            let ends = Endpoints::of_packet(packet);
            self.begin("frame", place(flow, packet), ends);
            self.json.str("app_proto", frame.facts.protocol.get().name);
            self.frame_object(&frame.facts, flow, packet, dir);
            self.end(Lane::Log, packet.ts);
        }
    }

    /// The object `frame`, bytes included.
    pub(super) fn frame_object(&mut self, facts: &FrameFacts, flow: &Flow, packet: &Packet<'_>, dir: Dir) {
        let at_end = packet.origin == Origin::FlowEnd;
        let max = self.config.payload_buffer_bytes;
        let side = flow.tcp.as_ref().map(|s| s.side(dir));
        let (bytes, length, complete) = match side {
            Some(side) => {
                let edge = side.edge_offset(at_end);
                let received = side.edge_offset(true).saturating_sub(facts.offset);
                let complete = facts.end().map_or(at_end, |end| edge >= end);
                (stream_bytes(facts, side, at_end, max), facts.len.unwrap_or(received), complete)
            }
            None => {
                let start = usize::try_from(facts.offset).unwrap_or(usize::MAX);
                let rest = packet.payload().get(start..).unwrap_or(&[]);
                let length = facts.len.unwrap_or(rest.len() as u64);
                let whole = usize::try_from(length).ok().and_then(|len| rest.get(..len));
                let shown = whole.unwrap_or(rest);
                (shown.get(..max).unwrap_or(shown).to_vec(), length, whole.is_some())
            }
        };
        let out = &mut self.json;
        out.open_object("frame");
        out.str("type", frames::name(facts.protocol, facts.kind));
        out.uint("id", facts.id);
        out.str("direction", if dir == Dir::ToServer { "toserver" } else { "toclient" });
        if side.is_some() {
            out.uint("stream_offset", facts.offset);
        }
        out.uint("length", length);
        out.bool("complete", complete);
        if !bytes.is_empty() {
            out.str("payload", &base64::encode(&bytes));
            out.bytes("payload_printable", &crate::json::printable(&bytes));
        }
        if let Some(tx) = facts.tx {
            out.uint("tx_id", tx);
        }
        out.close();
    }
}

/// What stands of a frame in its stream, holes told in words as Suricata tells them.
fn stream_bytes(facts: &FrameFacts, side: &StreamSide, at_end: bool, max: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let edge = side.edge_offset(at_end);
    let end = facts.end().map_or(edge, |end| end.min(edge));
    let mut at = facts.offset;
    while at < end && bytes.len() < max {
        let left = end.saturating_sub(at);
        let step = match side.chunk_at(at, at_end) {
            Chunk::None => break,
            Chunk::Data(data) => {
                let len = usize::try_from(left).unwrap_or(usize::MAX).min(data.len());
                bytes.extend_from_slice(data.get(..len).unwrap_or(data));
                len as u64
            }
            Chunk::Gap(len) => {
                let len = len.min(left);
                bytes.extend_from_slice(format!("[{len} bytes missing]").as_bytes());
                len
            }
        };
        at = at.saturating_add(step.max(1));
    }
    bytes.truncate(max);
    bytes
}
