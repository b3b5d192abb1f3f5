//! What the app layer has ready for the log after a packet: records, files, anomalies; then finished transactions go.

use super::Events;
use crate::app::driver::EVENTS;
use crate::app::file::FileState;
use crate::app::{Parser, ProtocolId};
use crate::decode::Packet;
use crate::direction::Dir;
use crate::flow::Flow;

impl Events {
    /// Writes what is ready on this flow and frees transactions nobody needs. `dir`: the packet's, files of which are written
    /// with it; None: the flow is over, all is ready.
    pub fn app(&mut self, flow: &mut Flow, packet: &Packet<'_>, dir: Option<Dir>) {
        self.flow_app_events(flow, packet);
        if dir.is_none() || Dir::BOTH.iter().all(|d| flow.app.retired_inspected[*d]) {
            for (protocol, mut parser) in flow.app.retired.take_all() {
                for id in parser.tx_ids() {
                    self.one(flow, packet, protocol, &mut *parser, id, None);
                }
            }
        }
        let touched = std::mem::take(&mut flow.app.touched);
        if !touched && dir.is_some() {
            return;
        }
        // The parser is taken out so that records may look at the flow while transactions are marked.
        if let (Some(protocol), Some(mut parser)) = (flow.app.parser_protocol, flow.app.parser.take()) {
            let mut freed = 0usize;
            for id in flow.app.live.turn() {
                if !self.one(flow, packet, protocol, &mut *parser, *id, dir) {
                    freed = freed.saturating_add(1);
                }
            }
            flow.app.live.done(freed, &*parser);
            flow.app.parser = Some(parser);
        }
    }

    /// Whether the transaction is still held.
    fn one(
        &mut self,
        flow: &Flow,
        packet: &Packet<'_>,
        protocol: ProtocolId,
        parser: &mut dyn Parser,
        id: u64,
        dir: Option<Dir>,
    ) -> bool {
        let entry = protocol.get();
        let at_end = dir.is_none();
        let Some(tx) = parser.tx(id) else { return false };
        let meta = tx.meta();
        let fresh = meta.events & !meta.events_logged;
        if fresh != 0 {
            self.tx_anomalies(flow, packet, protocol, tx, fresh);
        }
        let reached = |d: Dir, steps: u8| meta.skip[d] || tx.progress(d) >= steps;
        let ready = at_end || Dir::BOTH.iter().all(|d| reached(*d, entry.log_at[*d]));
        let complete = Dir::BOTH.iter().all(|d| reached(*d, entry.complete[*d]));
        let write = ready && !meta.logged;
        if write {
            self.transaction(flow, packet, protocol, tx);
        }
        let inspected = Dir::BOTH.iter().all(|d| meta.skip[*d] || meta.detect[*d].done);
        let gone = at_end || (complete && inspected && ready);
        let mut wrote_file = false;
        let passes = |of: Dir| gone || dir == Some(of);
        for of in Dir::BOTH.into_iter().filter(|of| passes(*of)) {
            for file in tx.files(of) {
                if !file.logged && (at_end || file.state != FileState::Open) {
                    self.file(flow, packet, protocol, tx, file, of);
                    wrote_file = true;
                }
            }
        }
        if gone {
            parser.drop_tx(id);
            return false;
        }
        if !(write || wrote_file || fresh != 0) {
            return true;
        }
        let Some(tx) = parser.tx_mut(id) else { return false };
        for of in Dir::BOTH.into_iter().filter(|of| passes(*of)) {
            for file in tx.files_mut(of) {
                file.logged |= file.state != FileState::Open;
            }
        }
        let meta = tx.meta_mut();
        meta.logged |= write;
        meta.events_logged |= fresh;
        true
    }

    fn flow_app_events(&mut self, flow: &mut Flow, packet: &Packet<'_>) {
        let fresh = flow.app.events & !flow.app.events_logged;
        if fresh == 0 {
            return;
        }
        flow.app.events_logged |= fresh;
        let app = flow.app.protocol.map_or("unknown", |p| p.get().name);
        for (index, name) in EVENTS.iter().enumerate() {
            if fresh >> index & 1 != 0 {
                self.app_anomaly(flow, packet, None, app, &name.to_ascii_uppercase(), "proto_detect");
            }
        }
    }
}
