//! What a packet and its flow show of the fields that a condition asks about, by the condition's keyword.

use super::conditions::{Condition, What};
use crate::decode::packet::L4;
use crate::detect::engine_events;
use crate::detect::eval::{End, Scene};
use crate::detect::names::BitName;
use crate::detect::rule::Rule;
use crate::detect::ruleset::Ruleset;
use crate::direction::Dir;
use serde_json::{json, Map, Value};

pub fn dir_name(dir: Dir) -> &'static str {
    match dir {
        Dir::ToServer => "to_server",
        Dir::ToClient => "to_client",
    }
}

/// Names and values; empty where nothing is known to say.
pub fn of(condition: &Condition, rules: &Ruleset, rule: &Rule, scene: &Scene<'_>) -> Value {
    let (packet, flow) = (scene.packet, scene.flow);
    let mut facts = Map::new();
    let mut put = |name: &str, value: Value| drop(facts.insert(name.to_owned(), value));
    match condition.what {
        What::Transport => put("packet", json!(kind(scene))),
        What::End(End::Source) => put("source", json!(packet.src.display(packet.ip_version))),
        What::End(End::SourcePort) => put("source_port", json!(packet.src_port)),
        What::End(End::Destination) => put("destination", json!(packet.dst.display(packet.ip_version))),
        What::End(End::DestinationPort) => put("destination_port", json!(packet.dst_port)),
        What::Flow => {
            put("direction", json!(dir_name(scene.dir)));
            put("established", json!(packet.established));
            put("has_flow", json!(flow.is_some()));
            if packet.is_fragment {
                put("fragment", json!(true));
            }
        }
        What::Protocol => {
            let known = flow.and_then(|flow| flow.app.protocol);
            put("app_proto", json!(known.map_or("none", |p| p.get().name)));
        }
        What::PacketTest(_) => of_keyword(&condition.keyword, rules, rule, scene, &mut put),
        _ => {}
    }
    Value::Object(facts)
}

fn of_keyword(
    keyword: &str,
    rules: &Ruleset,
    rule: &Rule,
    scene: &Scene<'_>,
    put: &mut impl FnMut(&str, Value),
) {
    let (packet, flow) = (scene.packet, scene.flow);
    match keyword {
        "dsize" => put("payload_bytes", json!(packet.payload_len)),
        "ttl" => put("ttl", json!(packet.ttl)),
        "ip_proto" => put("proto", json!(packet.proto)),
        "l3_proto" => put("ip_version", json!(packet.ip_version)),
        "sameip" => put("source", json!(packet.src.display(packet.ip_version))),
        "tcp.flags" | "flags" => {
            put("flags", json!(packet.tcp().map(|tcp| flag_letters(tcp.flags))));
        }
        "tcp.seq" | "seq" => put("seq", json!(packet.tcp().map(|tcp| tcp.seq))),
        "tcp.ack" | "ack" => put("ack", json!(packet.tcp().map(|tcp| tcp.ack))),
        "tcp.window" | "window" => put("window", json!(packet.tcp().map(|tcp| tcp.window))),
        "tcp.mss" => put("mss", json!(packet.tcp().and_then(|tcp| tcp.mss))),
        "tcp.wscale" => put("wscale", json!(packet.tcp().and_then(|tcp| tcp.window_scale))),
        "itype" | "icode" | "icmp_id" | "icmp_seq" => {
            if let L4::Icmp { kind, code, id, seq, .. } = packet.l4 {
                put("itype", json!(kind));
                put("icode", json!(code));
                put("icmp_id", json!(id));
                put("icmp_seq", json!(seq));
            }
        }
        "vlan.id" | "vlan.layers" => {
            let tags = packet.vlan.get(..usize::from(packet.vlan_count)).unwrap_or_default();
            put("vlan", json!(tags.iter().map(|tag| tag & 0x0fff).collect::<Vec<u16>>()));
        }
        "stream_size" => {
            if let Some(session) = flow.and_then(|flow| flow.tcp.as_deref()) {
                put("client_bytes", json!(session.bytes_seen(Dir::ToServer)));
                put("server_bytes", json!(session.bytes_seen(Dir::ToClient)));
            }
        }
        "app-layer-protocol" => {
            let known = flow.and_then(|flow| flow.app.protocol);
            put("app_proto", json!(known.map_or("none", |p| p.get().name)));
        }
        "decode-event" | "stream-event" | "engine-event" => {
            let names = packet.events.as_slice().iter().filter_map(|code| engine_events::name(*code));
            put("events", json!(names.collect::<Vec<String>>()));
        }
        "flowbits" => {
            let names = rules.names.flowbits();
            let set = flow.map(|flow| flow.detect.left().flowbits.as_slice()).unwrap_or_default();
            let name = |id: &u32| names.get(*id as usize).map(bit_name);
            put("set", json!(set.iter().filter_map(name).collect::<Vec<&str>>()));
            let setters =
                rules.rules.iter().filter(|r| r.bits_set.iter().any(|b| rule.bits_read.contains(b)));
            put("set_by_sid", json!(setters.map(|r| r.sid).collect::<Vec<u32>>()));
        }
        "flowint" => {
            let ints = flow.map(|flow| flow.detect.left().flowints.as_slice()).unwrap_or_default();
            for (id, value) in ints {
                put(rules.names.flowint(*id).unwrap_or_default(), json!(value));
            }
        }
        name if name.starts_with("flow.") => {
            if let Some(flow) = flow {
                put("pkts_toserver", json!(flow.packets.to_server));
                put("pkts_toclient", json!(flow.packets.to_client));
                put("bytes_toserver", json!(flow.bytes.to_server));
                put("bytes_toclient", json!(flow.bytes.to_client));
            }
        }
        _ => {}
    }
}

fn bit_name(name: &BitName) -> &str {
    match name {
        BitName::Plain(name) | BitName::TrafficId(name) | BitName::TrafficLabel(name) => name,
    }
}

/// Header protocols as rules name them.
fn kind(scene: &Scene<'_>) -> String {
    let packet = scene.packet;
    match packet.l4 {
        L4::Tcp(_) => "tcp".to_owned(),
        L4::Udp => "udp".to_owned(),
        L4::Icmp { v6: false, .. } => "icmpv4".to_owned(),
        L4::Icmp { v6: true, .. } => "icmpv6".to_owned(),
        L4::Sctp => "sctp".to_owned(),
        _ if packet.arp_off.is_some() => "arp".to_owned(),
        _ if packet.ip_version == 0 => "no IP".to_owned(),
        _ => format!("ip protocol {}", packet.proto),
    }
}

fn flag_letters(flags: u8) -> String {
    let letters = "FSRPAUEC".chars().enumerate();
    let set: String = letters.filter(|(bit, _)| flags >> bit & 1 == 1).map(|(_, letter)| letter).collect();
    if set.is_empty() {
        "0".to_owned()
    } else {
        set
    }
}
