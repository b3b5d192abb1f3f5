//! Records of the app layer: one per transaction, and one per file.

use super::ether::Ether;
use super::header::{Endpoints, Place};
use super::xff::Client;
use super::{Events, FileRecord, Lane};
use crate::app::digest::Storing;
use crate::app::file::File;
use crate::app::tls::TLS;
use crate::app::{LogFor, ProtocolId, Transaction};
use crate::decode::Packet;
use crate::direction::Dir;
use crate::flow::Flow;

/// The type of record that `xff` under `http` is about.
const HTTP_RECORD: &str = "http";

impl Events {
    /// Writes a transaction's record.
    pub fn transaction(
        &mut self,
        flow: &Flow,
        packet: &Packet<'_>,
        protocol: ProtocolId,
        tx: &dyn Transaction,
    ) {
        let record = protocol.get().record;
        if !self.config.protocol(protocol) {
            return;
        }
        let place = Place { tx_id: Some(tx.meta().id), ..place(flow, packet) };
        for index in 0..tx.records() {
            self.record(flow, packet, protocol, tx, index, place);
        }
        for more in tx.more_records() {
            if !self.config.record(more) {
                continue;
            }
            self.begin(more, place, Endpoints::of_flow(flow, tx.meta().dir()));
            self.json.open_object(record);
            tx.log(&mut self.json, LogFor::Alert);
            self.json.close();
            self.json.open_object(more);
            tx.log_more(more, &mut self.json);
            self.json.close();
            self.end(Lane::Log, packet.ts);
        }
    }

    /// Writes one record of a transaction.
    fn record(
        &mut self,
        flow: &Flow,
        packet: &Packet<'_>,
        protocol: ProtocolId,
        tx: &dyn Transaction,
        index: usize,
        place: Place<'_>,
    ) {
        let record = protocol.get().record;
        let (before, comma) = self.json.mark();
        let dir = tx.meta().dir();
        let xff = self.config.xff_http.as_ref().filter(|_| record == HTTP_RECORD);
        let client = xff.and_then(|xff| Some((xff.overwrite, xff.client(tx)?)));
        let place = Place { client: Client::in_place(&client, dir), ..place };
        self.begin(record, place, Endpoints::of_flow(flow, dir));
        self.json.open_object(record);
        // TLS that took over from another protocol (STARTTLS and the like) names it.
        if let Some(original) = flow.app.original.filter(|id| *id != protocol && record == TLS.record) {
            self.json.str("from_proto", original.get().name);
        }
        let empty = self.json.len();
        tx.log_record(index, &mut self.json, self.config.record_options(record));
        if self.json.len() == empty {
            // Nothing to say, e.g. of a window update.
            self.json.truncate(before, comma);
            return;
        }
        self.json.close();
        Client::beside(&client, &mut self.json);
        tx.log_beside(&mut self.json, LogFor::Record, self.config.record_options(record));
        self.end(Lane::Log, packet.ts);
    }

    /// Writes a file's record.
    pub fn file(
        &mut self,
        flow: &Flow,
        packet: &Packet<'_>,
        protocol: ProtocolId,
        tx: &dyn Transaction,
        file: &File,
        dir: Dir,
    ) {
        let keep = match (self.keep_file_records, file.storing(), file.sums().and_then(|s| s.sha256)) {
            (true, Storing::Yes(id), Some(sha256)) => Some((id, sha256)),
            _ => None,
        };
        if !self.config.files && keep.is_none() {
            return;
        }
        let (start, comma) = self.json.mark();
        let client = self.config.xff_files.as_ref().and_then(|xff| Some((xff.overwrite, xff.client(tx)?)));
        let place = Place { client: Client::in_place(&client, dir), ..place(flow, packet) };
        self.begin("fileinfo", place, Endpoints::of_flow(flow, dir));
        let out = &mut self.json;
        if !protocol.get().record.is_empty() {
            out.open_object(protocol.get().record);
            tx.log(out, LogFor::Alert);
            out.close();
            tx.log_beside(out, LogFor::Alert, self.config.record_options(protocol.get().record));
        }
        out.str("app_proto", protocol.get().name);
        out.open_object("fileinfo");
        file.log(out, tx.meta().id, LogFor::Record);
        out.close();
        Client::beside(&client, out);
        if let Some((id, sha256)) = keep {
            let mut json = self.json.as_bytes().get(start..).unwrap_or(&[]).to_vec();
            json.extend_from_slice(b"}\n");
            self.file_records.push(FileRecord { id, sha256, json });
        }
        if self.config.files {
            self.end(Lane::Evidence, packet.ts);
        } else {
            self.json.truncate(start, comma);
        }
    }
}

pub(super) fn place<'a>(flow: &'a Flow, packet: &Packet<'_>) -> Place<'a> {
    Place {
        ts: packet.ts,
        flow_id: Some(flow.id),
        parent_id: flow.parent_id(),
        packet_number: (packet.number != 0).then_some(packet.number),
        vlan: flow.vlan.get(..usize::from(flow.vlan_count)).unwrap_or(&[]),
        pkt_src: Some(packet.origin.eve_name()),
        ether: Ether::of_packet(packet).or_else(|| Ether::of_ends(flow)),
        tx_id: None,
        client: None,
        detect: Some(&flow.detect),
    }
}
