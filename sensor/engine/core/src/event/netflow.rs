//! Netflow events: one per direction of a flow that has ended (Suricata manual, "Event type: NetFlow").

use super::flow::{flow_place, tcp_flags};
use super::header::{timestamp, Endpoints};
use super::{Events, Lane};
use crate::direction::Dir;
use crate::flow::Flow;
use crate::time::Timestamp;

impl Events {
    /// Writes both directions of the flow; the answering one only when it had packets. Only when asked for.
    pub fn netflow(&mut self, flow: &Flow, now: Timestamp) {
        if !self.config.netflow {
            return;
        }
        self.one_way(flow, now, Dir::ToServer);
        if flow.packets[Dir::ToClient] > 0 {
            self.one_way(flow, now, Dir::ToClient);
        }
    }

    fn one_way(&mut self, flow: &Flow, now: Timestamp, dir: Dir) {
        self.begin("netflow", flow_place(flow, now), Endpoints::of_flow(flow, dir));
        if let (Some(spi), out) = (flow.spi, &mut self.json) {
            out.uint("spi", u64::from(spi));
        }
        let out = &mut self.json;
        if let Some(protocol) = flow.app.seen[dir].or(flow.app.protocol) {
            out.str("app_proto", protocol.get().name);
        } else if flow.app.failed() {
            out.str("app_proto", "failed");
        }
        out.open_object("netflow");
        out.uint("pkts", flow.packets[dir]);
        out.uint("bytes", flow.bytes[dir]);
        timestamp(out, "start", flow.start);
        timestamp(out, "end", flow.last);
        out.uint("age", flow.last.seconds().saturating_sub(flow.start.seconds()));
        out.uint("min_ttl", u64::from(flow.ttl[dir].min));
        out.uint("max_ttl", u64::from(flow.ttl[dir].max));
        if flow.app.tx_count > 0 && self.config.version >= 8 {
            out.uint("tx_cnt", flow.app.tx_count);
        }
        out.close();
        if let Some(session) = &flow.tcp {
            let flags = session.side(dir).tcp_flags();
            out.open_object("tcp");
            out.hex("tcp_flags", &[flags]);
            tcp_flags(out, flags);
            out.close();
        }
        super::ether::of_flow(out, flow, dir);
        self.end(Lane::Log, now);
    }
}
