//! Anomaly events: what decode, stream and the app layer found odd.

use super::header::{Endpoints, Place};
use super::record::place;
use super::{Events, Lane};
use crate::app::{ProtocolId, Transaction};
use crate::decode::Packet;
use crate::detect::engine_events;
use crate::flow::Flow;

/// What `packethdr` shows of a packet: its headers, most often.
const HEADER_BYTES: usize = 32;

impl Events {
    /// Writes the engine events of a packet that policy asks for.
    pub fn packet_anomalies(&mut self, packet: &Packet<'_>, flow: Option<&Flow>) {
        if packet.events.is_empty() || !(self.config.anomaly_decode || self.config.anomaly_stream) {
            return;
        }
        for code in packet.events.as_slice() {
            let (kind, wanted) = if engine_events::is_stream(*code) {
                ("stream", self.config.anomaly_stream)
            } else {
                ("decode", self.config.anomaly_decode)
            };
            let Some(name) = engine_events::name(*code).filter(|_| wanted) else { continue };
            let place = Place::of_packet(packet, flow);
            self.begin("anomaly", place, Endpoints::of_packet(packet));
            self.json.open_object("anomaly");
            self.json.str("type", kind);
            self.json.str("event", &name);
            self.json.close();
            if self.config.anomaly_packet_header {
                self.packet_bytes(packet, HEADER_BYTES);
            }
            self.end(Lane::Evidence, packet.ts);
        }
    }

    /// Writes the new app-layer events of a transaction (`bits`: which).
    pub fn tx_anomalies(
        &mut self,
        flow: &Flow,
        packet: &Packet<'_>,
        protocol: ProtocolId,
        tx: &dyn Transaction,
        bits: u128,
    ) {
        if !self.config.anomaly_applayer {
            return;
        }
        for (index, name) in protocol.get().events.iter().enumerate().take(crate::app::tx::EVENTS_MAX) {
            if bits >> index & 1 != 0 {
                self.app_anomaly(flow, packet, Some(tx.meta().id), protocol.get().name, name, "proto_parser");
            }
        }
    }

    /// Writes one event of recognition or parsing.
    pub fn app_anomaly(
        &mut self,
        flow: &Flow,
        packet: &Packet<'_>,
        tx: Option<u64>,
        app: &str,
        name: &str,
        layer: &str,
    ) {
        if !self.config.anomaly_applayer {
            return;
        }
        let place = Place { tx_id: tx, ..place(flow, packet) };
        self.begin("anomaly", place, Endpoints::of_packet(packet));
        let out = &mut self.json;
        out.open_object("anomaly");
        out.str("app_proto", app);
        out.str("type", "applayer");
        out.str("event", name);
        out.str("layer", layer);
        out.close();
        self.end(Lane::Evidence, packet.ts);
    }
}
