//! The stages behind the flow table, for one packet of a flow, one without a flow, and the end of a flow.

use super::shed::{self, Shed};
use super::zones::Zones;
use crate::app::driver::Driver;
use crate::app::frames;
use crate::decode::{Origin, Packet};
use crate::detect::ruleset::Ruleset;
use crate::detect::run::{skip_raw, Detector};
use crate::direction::Dir;
use crate::event::Events;
use crate::files::FileStage;
use crate::flow::{Flow, FlowState, FlowTable};
use crate::stage_clock::{lap, Stage};
use crate::stream::{self, Streams};
use std::sync::Arc;

/// Stretches of raw data with holes between them that are still inspected when a flow ends; honest ones have one or two.
const LAST_STRETCHES_MAX: usize = 64;

/// The stages behind the flow table.
pub(super) struct Stages {
    pub(super) rules: Arc<Ruleset>,
    pub(super) streams: Streams,
    pub(super) driver: Driver,
    pub(super) detector: Detector,
    pub(super) files: FileStage,
    pub(super) events: Events,
    pub(super) shed: Shed,
    pub(super) zones: Zones,
}

impl Stages {
    /// Whether the packet goes no further: it is in an exclusion zone, or would make a flow while memory is short.
    #[inline]
    pub(super) fn leaves_out(&mut self, packet: &Packet<'_>, flows: &FlowTable) -> bool {
        if self.zones.hold(packet) {
            return true;
        }
        let is_shed = self.shed.level >= shed::NEW_FLOWS && !flows.knows(packet);
        self.shed.dropped_packets = self.shed.dropped_packets.saturating_add(is_shed.into());
        is_shed
    }

    /// Stream, app, detect, event: one packet of a flow.
    pub(super) fn packet(&mut self, flow: &mut Flow, packet: &mut Packet<'_>, dir: Dir) {
        if self.shed.level >= shed::LARGE_FLOWS && !flow.bypassed {
            self.shed_if_large(flow);
        }
        if flow.bypassed {
            return;
        }
        let mut dir = dir;
        // As the flow stood before this packet: the one that completes a handshake is not yet part of an established flow.
        let established = flow.state != FlowState::New;
        if packet.tcp().is_some() {
            let (turned, update) = stream::packet(&mut self.streams, flow, packet, dir);
            lap(Stage::Stream);
            dir = turned;
            for side in update.iter() {
                if self.driver.stream(flow, side, packet) {
                    dir = dir.opposite();
                }
            }
            lap(Stage::App);
            packet.established = established;
            if let Some(session) = flow.tcp.as_mut() {
                session.packet_done(&mut self.streams, packet);
            }
            lap(Stage::Stream);
        } else {
            packet.established = Dir::BOTH.iter().all(|d| flow.packets[*d] > 0);
            // An ICMP error belongs to the flow it quotes, but is none of its data.
            let own = packet.proto == flow.proto;
            if own && packet.payload_len > 0 && self.driver.datagram(flow, dir, packet) {
                dir = dir.opposite();
            }
            lap(Stage::App);
        }
        self.inspect(flow, packet, dir, false);
    }

    fn inspect(&mut self, flow: &mut Flow, packet: &Packet<'_>, dir: Dir, at_end: bool) {
        if flow.bypassed {
            return;
        }
        flow.app.announce(dir);
        if flow.app.touched || flow.app.dirty[dir] {
            flow.app.live.begin(dir);
        }
        if flow.app.touched {
            self.files.begin(flow);
            lap(Stage::App);
        }
        let hits = self.detector.packet(&self.rules, packet, Some(flow), dir);
        lap(Stage::Evaluation);
        let ended = packet.origin == Origin::FlowEnd;
        if flow.app.touched || ended {
            self.files.end(flow, at_end);
            lap(Stage::App);
        }
        for hit in hits {
            self.events.alert(&self.rules, hit, packet, Some(flow), dir);
        }
        if hits.is_empty() && self.detector.tagged {
            self.events.tagged_packet(packet, Some(flow));
        }
        skip_raw(flow, packet, dir);
        self.events.packet_anomalies(packet, Some(flow));
        if flow.app.frames.is_some() {
            self.events.frames(flow, packet, dir);
            let side = flow.tcp.as_mut().map(|s| s.side_mut(dir));
            frames::settle(&mut flow.app.frames, dir, side, ended, self.events.config.frame);
        }
        if let Some(parser) = flow.app.parser.as_mut() {
            if flow.app.touched {
                for id in flow.app.live.turn() {
                    parser.inspected(*id, dir);
                }
            }
        }
        self.log_app(flow, packet, Some(dir).filter(|_| !at_end));
        lap(Stage::Event);
    }

    /// `dir` None: the flow is over.
    fn log_app(&mut self, flow: &mut Flow, packet: &Packet<'_>, dir: Option<Dir>) {
        self.events.app(flow, packet, dir);
        for record in self.events.file_records.drain(..) {
            self.files.keep_record(&record, packet.ts.seconds());
        }
    }

    /// A packet without a flow.
    pub(super) fn lone_packet(&mut self, packet: &Packet<'_>) {
        let hits = self.detector.packet(&self.rules, packet, None, Dir::ToServer);
        lap(Stage::Evaluation);
        for hit in hits {
            self.events.alert(&self.rules, hit, packet, None, Dir::ToServer);
        }
        if hits.is_empty() && self.detector.tagged {
            self.events.tagged_packet(packet, None);
        }
        self.events.packet_anomalies(packet, None);
        self.events.arp(packet);
        lap(Stage::Event);
    }

    /// The flow is over: what the streams still hold is parsed and inspected, everything is logged.
    pub(super) fn end(&mut self, flow: &mut Flow) {
        for dir in Dir::BOTH {
            let mut packet = end_packet(flow, dir);
            if let Some(session) = flow.tcp.as_mut() {
                session.side_mut(dir).keep_all();
                packet.established = session.is_established();
                self.driver.stream(flow, dir, &packet);
                lap(Stage::App);
            }
            packet.established |= flow.tcp.is_none() && Dir::BOTH.iter().all(|d| flow.packets[*d] > 0);
            let all_seen =
                |flow: &Flow| flow.tcp.as_ref().is_none_or(|s| s.side(dir).raw_chunk(true).is_none());
            if flow.app.is_blank() && all_seen(flow) {
                continue;
            }
            for _ in 0..LAST_STRETCHES_MAX {
                self.inspect(flow, &packet, dir, false);
                if all_seen(flow) {
                    break;
                }
            }
        }
        let packet = end_packet(flow, Dir::ToServer);
        flow.app.live.begin_last();
        self.files.end(flow, true);
        lap(Stage::App);
        self.log_app(flow, &packet, None);
        self.events.tell_alerted(flow);
        self.events.netflow(flow, flow.last);
        self.events.flow(flow, flow.last);
        lap(Stage::Event);
    }
}

/// An empty packet that stands for the end of a flow. It bears the time of the flow's last packet, so that the moment at
/// which the end was noticed does not show.
fn end_packet(flow: &Flow, dir: Dir) -> Packet<'static> {
    let mut packet = Packet::new(&[], flow.last, 0, 0, 0);
    packet.origin = Origin::FlowEnd;
    packet.ip_version = flow.ip_version;
    packet.proto = flow.proto;
    let (src, dst) = ((flow.src, flow.src_port), (flow.dst, flow.dst_port));
    let ((src, src_port), (dst, dst_port)) = if dir == Dir::ToServer { (src, dst) } else { (dst, src) };
    (packet.src, packet.src_port, packet.dst, packet.dst_port) = (src, src_port, dst, dst_port);
    packet.vlan = flow.vlan;
    packet.vlan_count = flow.vlan_count;
    packet.l4 = match flow.proto {
        6 => crate::decode::packet::L4::Tcp(Default::default()),
        17 => crate::decode::packet::L4::Udp,
        _ => crate::decode::packet::L4::Other,
    };
    packet
}
