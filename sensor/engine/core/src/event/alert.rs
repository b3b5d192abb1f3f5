//! The alert event: which rule, on what, with the application's own facts beside it.

use super::flow::flow_counts;
use super::header::{Endpoints, Place};
use super::heartbeat::HEARTBEAT_SID;
use super::xff::Client;
use super::{metadata, Events, Lane};
use crate::app::LogFor;
use crate::base64;
use crate::decode::{link_type_name, Origin, Packet};
use crate::detect::effects::Action;
use crate::detect::rule::Rule;
use crate::detect::ruleset::Ruleset;
use crate::detect::run::Hit;
use crate::direction::Dir;
use crate::flow::Flow;

/// The transaction a datagram made: what a rule on an application protocol found in a datagram belongs to it.
fn datagram_tx(rule: &Rule, flow: Option<&Flow>) -> Option<u64> {
    const UDP: u8 = 17;
    let flow = flow.filter(|flow| flow.proto == UDP && !rule.protocols.is_empty())?;
    let newest = flow.app.parser.as_ref()?.tx_ids().end.checked_sub(1)?;
    Some(newest)
}

/// The flow's transaction, when it holds just one.
fn only_tx(flow: Option<&Flow>) -> Option<u64> {
    let ids = flow?.app.parser.as_ref()?.tx_ids();
    (ids.end.saturating_sub(ids.start) == 1).then_some(ids.start)
}

impl Events {
    /// Writes one alert; one that is not sure to be sent waits until it is known (`aside`).
    pub fn alert(&mut self, rules: &Ruleset, hit: &Hit, packet: &Packet<'_>, flow: Option<&Flow>, dir: Dir) {
        let before = (self.json.len(), self.marks.before());
        self.write_alert(rules, hit, packet, flow, dir);
        if let Some(ticket) = hit.ticket {
            self.set_aside(before, ticket, flow.map(|flow| flow.id), packet.ts);
        }
    }

    fn write_alert(
        &mut self,
        rules: &Ruleset,
        hit: &Hit,
        packet: &Packet<'_>,
        flow: Option<&Flow>,
        dir: Dir,
    ) {
        if let Some(matched) = &mut self.heartbeat {
            *matched |= rules.rule(hit.rule).is_some_and(|rule| rule.sid == HEARTBEAT_SID);
            return;
        }
        if !self.config.alert {
            return;
        }
        let (Some(rule), Some(fixed)) = (rules.rule(hit.rule), rules.alert_json(hit.rule)) else { return };
        let ends = Endpoints::of_packet(packet);
        let known = hit.tx.or_else(|| datagram_tx(rule, flow));
        let guessed = known.is_none().then(|| only_tx(flow).filter(|_| self.config.guess_tx)).flatten();
        let hit = &Hit { tx: known.or(guessed), ..*hit };
        let xff = self.config.xff_alert.as_ref().zip(flow);
        let client = xff.and_then(|(xff, flow)| Some((xff.overwrite, xff.client_of(flow, hit.tx)?)));
        let named = Client::in_place(&client, dir);
        let place = Place { tx_id: hit.tx, client: named, ..Place::of_packet(packet, flow) };
        self.begin("alert", place, ends);
        let out = &mut self.json;
        if guessed.is_some() {
            out.bool("tx_guessed", true);
        }
        out.open_object("alert");
        out.raw_members(fixed);
        let references = if self.config.references { rule.texts.references() } else { Vec::new() };
        if !references.is_empty() {
            out.open_array("references");
            references.iter().for_each(|reference| out.item_str(reference));
            out.close_array();
        }
        if let Some(flow) = flow.filter(|_| !rule.context.is_empty()) {
            metadata::context(out, &self.names, &rule.context, &flow.detect);
        }
        if let Some(src_is_target) = rule.target_src {
            let (target, source) = if src_is_target {
                ((ends.src, ends.src_port), (ends.dst, ends.dst_port))
            } else {
                ((ends.dst, ends.dst_port), (ends.src, ends.src_port))
            };
            for (key, (addr, port)) in [("source", source), ("target", target)] {
                out.open_object(key);
                out.address("ip", addr, ends.ip_version);
                if ends.has_ports() {
                    out.uint("port", u64::from(port));
                }
                out.close();
            }
        }
        out.close();
        if let Action::Drop | Action::Reject = hit.action {
            out.open_object("haidang");
            out.str("rule_action", if hit.action == Action::Drop { "drop" } else { "reject" });
            out.close();
        }
        if let Some(flow) = flow {
            self.alert_context(hit, flow, dir);
            Client::beside(&client, &mut self.json);
        }
        if let (Some(facts), Some(flow)) = (&hit.frame, flow) {
            self.frame_object(facts, flow, packet, dir);
        }
        self.alert_bytes(hit, packet, flow, dir);
        self.end(Lane::Alert, packet.ts);
    }

    fn alert_context(&mut self, hit: &Hit, flow: &Flow, dir: Dir) {
        let out = &mut self.json;
        if self.config.metadata {
            let held = match hit.retired {
                Some(at) => flow.app.retired.get(at).map(|(protocol, parser)| (*protocol, parser)),
                None => flow.app.parser_protocol.zip(flow.app.parser.as_ref()),
            };
            let tx = held.and_then(|(protocol, parser)| Some((protocol, parser.tx(hit.tx?)?)));
            if let Some((protocol, tx)) = tx {
                let entry = protocol.get();
                let newest = self.config.version >= 8;
                let step = |d: Dir| entry.states[d].get(usize::from(tx.progress(d))).copied();
                for (key, d) in [("ts_progress", Dir::ToServer), ("tc_progress", Dir::ToClient)] {
                    if let Some(name) = step(d).filter(|_| newest) {
                        out.str(key, name);
                    }
                }
                if !entry.record.is_empty() {
                    let (before, comma) = out.mark();
                    out.open_object(entry.record);
                    let empty = out.len();
                    tx.log_alert(out, &self.config.alert_options);
                    if out.len() == empty {
                        out.truncate(before, comma);
                    } else {
                        out.close();
                    }
                    tx.log_beside(out, LogFor::Alert, self.config.record_options(entry.record));
                }
                for more in tx.more_records() {
                    out.open_object(more);
                    tx.log_more(more, out);
                    out.close();
                }
                let files: Vec<_> =
                    Dir::BOTH.iter().flat_map(|d| tx.files(*d)).filter(|f| !f.logged).collect();
                if !files.is_empty() {
                    out.open_array("files");
                    for file in files {
                        out.open();
                        file.log(out, tx.meta().id, LogFor::Alert);
                        out.close();
                    }
                    out.close_array();
                }
            }
        }
        if let Some(protocol) = flow.app.protocol {
            out.str("app_proto", protocol.get().name);
        } else if flow.app.failed() {
            out.str("app_proto", "failed");
        }
        out.str("direction", if dir == Dir::ToServer { "to_server" } else { "to_client" });
        if self.config.metadata {
            out.open_object("flow");
            flow_counts(out, flow);
            super::header::timestamp(out, "start", flow.start);
            out.address("src_ip", flow.src, flow.ip_version);
            out.address("dest_ip", flow.dst, flow.ip_version);
            if matches!(flow.proto, 6 | 17 | 132) {
                out.uint("src_port", u64::from(flow.src_port));
                out.uint("dest_port", u64::from(flow.dst_port));
            }
            out.close();
        }
    }

    /// Payload and packet, when policy turned them on.
    fn alert_bytes(&mut self, hit: &Hit, packet: &Packet<'_>, flow: Option<&Flow>, dir: Dir) {
        if self.config.payload || self.config.payload_printable || self.config.payload_length {
            let raw = flow
                .filter(|_| hit.stream || hit.tx.is_some())
                .and_then(|f| f.tcp.as_ref())
                .map(|s| s.side(dir).held_text(self.config.payload_buffer_bytes))
                .filter(|d| !d.is_empty());
            let bytes = raw.as_deref().unwrap_or_else(|| packet.payload());
            let cut = bytes.get(..self.config.payload_buffer_bytes).unwrap_or(bytes);
            if self.config.payload_length {
                self.json.uint("payload_length", cut.len() as u64);
            }
            if self.config.payload && !cut.is_empty() {
                self.json.str("payload", &base64::encode(cut));
            }
            if self.config.payload_printable && !cut.is_empty() {
                self.json.bytes("payload_printable", &crate::json::printable(cut));
            }
            self.json.uint("stream", u64::from(raw.is_some()));
        }
        if self.config.packet && packet.origin != Origin::FlowEnd {
            self.packet_bytes(packet, usize::MAX);
        }
    }

    /// At most `max` bytes of the packet.
    pub(super) fn packet_bytes(&mut self, packet: &Packet<'_>, max: usize) {
        let out = &mut self.json;
        out.str("packet", &base64::encode(packet.frame.get(..max).unwrap_or(packet.frame)));
        out.open_object("packet_info");
        out.uint("linktype", u64::from(packet.link_type));
        if let Some(name) = link_type_name(packet.link_type).filter(|_| self.config.version >= 8) {
            out.str("linktype_name", name);
        }
        out.close();
    }

    /// Writes a packet that follows an alert of a rule with `tag`.
    pub fn tagged_packet(&mut self, packet: &Packet<'_>, flow: Option<&Flow>) {
        if !self.config.tagged_packets {
            return;
        }
        let place = Place::of_packet(packet, flow);
        self.begin("packet", place, Endpoints::of_packet(packet));
        self.packet_bytes(packet, usize::MAX);
        self.end(Lane::Evidence, packet.ts);
    }
}
