//! The flow event, written once when a flow ends.

use super::header::{timestamp, Endpoints, Place};
use super::{Events, JsonWriter, Lane};
use crate::direction::Dir;
use crate::flow::Flow;
use crate::time::Timestamp;

/// Packets and bytes of both directions.
pub(super) fn flow_counts(out: &mut JsonWriter, flow: &Flow) {
    out.uint("pkts_toserver", flow.packets[Dir::ToServer]);
    out.uint("pkts_toclient", flow.packets[Dir::ToClient]);
    out.uint("bytes_toserver", flow.bytes[Dir::ToServer]);
    out.uint("bytes_toclient", flow.bytes[Dir::ToClient]);
}

/// Where the end of a flow stands: in no packet.
pub(super) fn flow_place(flow: &Flow, now: Timestamp) -> Place<'_> {
    Place {
        ts: now,
        flow_id: Some(flow.id),
        parent_id: flow.parent_id(),
        packet_number: None,
        vlan: flow.vlan.get(..usize::from(flow.vlan_count)).unwrap_or(&[]),
        pkt_src: None,
        ether: None,
        tx_id: None,
        client: None,
        detect: Some(&flow.detect),
    }
}

/// Each flag of a set by its name.
pub(super) fn tcp_flags(out: &mut JsonWriter, flags: u8) {
    for (bit, name) in ["fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr"].iter().enumerate() {
        if flags & (1u8 << bit) != 0 {
            out.bool(name, true);
        }
    }
}

impl Events {
    /// Writes the flow's end. `now` is the packet time at which it was noticed.
    pub fn flow(&mut self, flow: &Flow, now: Timestamp) {
        if !self.config.flow || flow.detect.unlogged {
            return;
        }
        self.begin("flow", flow_place(flow, now), Endpoints::of_flow(flow, Dir::ToServer));
        let out = &mut self.json;
        if let Some(spi) = flow.spi {
            out.uint("spi", u64::from(spi));
        }
        if let Some((kind, code)) = flow.icmp_response {
            out.uint("response_icmp_type", u64::from(kind));
            out.uint("response_icmp_code", u64::from(code));
        }
        match flow.app.protocol {
            Some(protocol) => out.str("app_proto", protocol.get().name),
            None if flow.app.failed() => out.str("app_proto", "failed"),
            None => {}
        }
        for (key, dir) in [("app_proto_ts", Dir::ToServer), ("app_proto_tc", Dir::ToClient)] {
            match flow.app.seen[dir] {
                Some(seen) if flow.app.protocol.is_some_and(|p| p != seen) => out.str(key, seen.get().name),
                _ => {}
            }
        }
        if let Some(original) = flow.app.original {
            out.str("app_proto_orig", original.get().name);
        }
        if let Some(expected) = flow.app.expected {
            out.str("app_proto_expected", expected.get().name);
        }
        out.open_object("flow");
        flow_counts(out, flow);
        timestamp(out, "start", flow.start);
        timestamp(out, "end", flow.last);
        out.uint("age", flow.last.seconds().saturating_sub(flow.start.seconds()));
        out.str("state", if flow.bypassed { "bypassed" } else { flow.state.eve_name() });
        out.str("reason", flow.reason.eve_name());
        out.bool("alerted", flow.alerted);
        if flow.detect.passed {
            out.str("action", "pass");
        } else if flow.detect.dropped {
            out.str("action", "drop");
        }
        if let Some(exceptions) = &flow.exceptions {
            out.open_array("exception_policy");
            for (target, policy) in exceptions.iter() {
                out.open();
                out.str("target", target);
                out.str("policy", policy.eve_name());
                out.close();
            }
            out.close_array();
        }
        if flow.app.tx_count > 0 && self.config.version >= 8 {
            out.uint("tx_cnt", flow.app.tx_count);
        }
        out.close();
        if let Some(session) = &flow.tcp {
            out.open_object("tcp");
            let [to_server, to_client] = Dir::BOTH.map(|d| session.side(d).tcp_flags());
            let all = to_server | to_client;
            out.hex("tcp_flags", &[all]);
            out.hex("tcp_flags_ts", &[to_server]);
            out.hex("tcp_flags_tc", &[to_client]);
            tcp_flags(out, all);
            out.str("state", session.state_name());
            for (key, dir) in [("ts_gap", Dir::ToServer), ("tc_gap", Dir::ToClient)] {
                if session.side(dir).had_gap() {
                    out.bool(key, true);
                }
            }
            for (key, dir) in [("ts_max_regions", Dir::ToServer), ("tc_max_regions", Dir::ToClient)] {
                out.uint(key, session.side(dir).regions_max() as u64);
            }
            out.close();
        }
        super::ether::of_flow(out, flow, Dir::ToServer);
        self.end(Lane::Log, now);
    }
}
