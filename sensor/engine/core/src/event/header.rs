//! What every event begins with: time, flow, type, endpoints (Suricata manual, "EVE JSON format, common section").

use super::community_id;
use super::ether::Ether;
use super::xff::Client;
use super::{metadata, EveConfig, Events, JsonWriter};
use crate::decimal;
use crate::decode::packet::L4;
use crate::decode::{Addr, Packet};
use crate::detect::FlowDetect;
use crate::direction::Dir;
use crate::flow::Flow;
use crate::time::Timestamp;

/// The two ends as an event names them.
#[derive(Clone, Copy, Debug)]
pub struct Endpoints {
    pub src: Addr,
    pub dst: Addr,
    pub src_port: u16,
    pub dst_port: u16,
    pub ip_version: u8,
    pub proto: u8,
    pub icmp: Option<(u8, u8)>,
}

impl Endpoints {
    /// As in the packet.
    pub fn of_packet(packet: &Packet<'_>) -> Endpoints {
        let icmp = match packet.l4 {
            L4::Icmp { kind, code, .. } => Some((kind, code)),
            _ => None,
        };
        Endpoints {
            src: packet.src,
            dst: packet.dst,
            src_port: packet.src_port,
            dst_port: packet.dst_port,
            ip_version: packet.ip_version,
            proto: packet.proto,
            icmp,
        }
    }

    /// As in the flow, `from` which end.
    pub fn of_flow(flow: &Flow, dir: Dir) -> Endpoints {
        let ends = Endpoints {
            src: flow.src,
            dst: flow.dst,
            src_port: flow.src_port,
            dst_port: flow.dst_port,
            ip_version: flow.ip_version,
            proto: flow.proto,
            icmp: flow.icmp,
        };
        match dir {
            Dir::ToServer => ends,
            Dir::ToClient => Endpoints {
                src: ends.dst,
                dst: ends.src,
                src_port: ends.dst_port,
                dst_port: ends.src_port,
                ..ends
            },
        }
    }

    pub fn has_ports(&self) -> bool {
        matches!(self.proto, 6 | 17 | 132)
    }
}

/// Where an event stands in the capture and in the flows.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub ts: Timestamp,
    pub flow_id: Option<u64>,
    pub parent_id: Option<u64>,
    pub packet_number: Option<u64>,
    pub vlan: &'a [u16],
    pub pkt_src: Option<&'static str>,
    pub ether: Option<Ether>,
    pub tx_id: Option<u64>,
    /// What stands for the client's address.
    pub client: Option<Client<'a>>,
    /// What rules left on the flow.
    pub detect: Option<&'a FlowDetect>,
}

impl<'a> Place<'a> {
    /// Of an event about one packet.
    pub fn of_packet(packet: &'a Packet<'_>, flow: Option<&'a Flow>) -> Place<'a> {
        Place {
            ts: packet.ts,
            flow_id: flow.map(|f| f.id),
            parent_id: flow.and_then(Flow::parent_id),
            packet_number: (packet.number != 0).then_some(packet.number),
            vlan: packet.vlan.get(..usize::from(packet.vlan_count)).unwrap_or(&[]),
            pkt_src: Some(packet.origin.eve_name()),
            ether: Ether::of_packet(packet),
            tx_id: None,
            client: None,
            detect: flow.map(|f| &f.detect),
        }
    }
}

impl Events {
    /// Opens the event and writes the common members.
    pub(super) fn begin(&mut self, kind: &'static str, place: Place<'_>, ends: Endpoints) {
        self.kind = kind;
        let out = &mut self.json;
        begin(out, &self.config, kind, place, ends);
        if let Some(state) = place.detect.filter(|_| self.config.common_metadata) {
            metadata::write(out, &self.names, state);
        }
        if let Some(id) = place.tx_id {
            out.uint("tx_id", id);
        }
    }
}

fn begin(out: &mut JsonWriter, config: &EveConfig, kind: &str, place: Place<'_>, ends: Endpoints) {
    out.open();
    timestamp(out, "timestamp", place.ts);
    if let Some(id) = place.flow_id {
        out.uint("flow_id", id);
    }
    if let Some(id) = place.parent_id {
        out.uint("parent_id", id);
    }
    if let Some(number) = place.packet_number {
        out.uint("pcap_cnt", number);
    }
    out.str("event_type", kind);
    if !config.sensor_name.is_empty() {
        out.str("host", &config.sensor_name);
    }
    if !place.vlan.is_empty() {
        out.open_array("vlan");
        for id in place.vlan {
            out.item_uint(u64::from(*id));
        }
        out.close_array();
    }
    if ends.ip_version != 0 {
        let named = |end| place.client.filter(|c| c.end == end).map(|c| c.address);
        match named(Dir::ToServer) {
            Some(address) => out.str("src_ip", address),
            None => out.address("src_ip", ends.src, ends.ip_version),
        }
        if ends.has_ports() {
            out.uint("src_port", u64::from(ends.src_port));
        }
        match named(Dir::ToClient) {
            Some(address) => out.str("dest_ip", address),
            None => out.address("dest_ip", ends.dst, ends.ip_version),
        }
        if ends.has_ports() {
            out.uint("dest_port", u64::from(ends.dst_port));
        }
        match proto_name(ends.proto) {
            Some(name) => out.str("proto", name),
            None => out.fmt("proto", format_args!("{:03}", ends.proto)),
        }
        if let Some((kind, code)) = ends.icmp {
            out.uint("icmp_type", u64::from(kind));
            out.uint("icmp_code", u64::from(code));
        }
        if config.version >= 8 {
            out.uint("ip_v", u64::from(ends.ip_version));
        }
        if config.community_id {
            out.str("community_id", &community_id::of(&ends, config.community_id_seed));
        }
    }
    if let Some(source) = place.pkt_src {
        out.str("pkt_src", source);
    }
    if let Some(ether) = place.ether.filter(|_| config.ethernet) {
        ether.write(out, &ends, config.version);
    }
}

/// `2016-07-13T22:42:07.573103+0000`, always in UTC so that a replay gives the same bytes anywhere.
pub fn timestamp(out: &mut JsonWriter, key: &str, ts: Timestamp) {
    out.plain(key, &digits(ts));
}

/// EVE's form of a time as text: `2015-10-06T15:16:43.137833+0000`.
pub fn date_time(ts: Timestamp) -> String {
    String::from_utf8_lossy(&digits(ts)).into_owned()
}

/// Suricata's older form, as in fast.log: `11/24/2009-18:57:25.179869`.
pub fn legacy_date_time(ts: Timestamp) -> String {
    let text = date_time(ts);
    let part = |range| text.get(range).unwrap_or_default();
    format!("{}/{}/{}-{}", part(5..7), part(8..10), part(0..4), part(11..26))
}

/// The text of EVE's form; written by hand, for every event has one or more.
fn digits(ts: Timestamp) -> [u8; 31] {
    let (year, month, day) = date(ts.seconds() / 86_400);
    let of_day = ts.seconds() % 86_400;
    let [y1, y2, y3, y4, mo1, mo2, d1, d2] = decimal::eight((year * 100 + month) * 100 + day);
    let [_, _, h1, h2, mi1, mi2, s1, s2] =
        decimal::eight((of_day / 3600 * 100 + of_day / 60 % 60) * 100 + of_day % 60);
    let [_, _, f1, f2, f3, f4, f5, f6] = decimal::eight(u64::from(ts.subsec_micros()));
    [
        y1, y2, y3, y4, b'-', mo1, mo2, b'-', d1, d2, b'T', h1, h2, b':', mi1, mi2, b':', s1, s2, b'.', f1,
        f2, f3, f4, f5, f6, b'+', b'0', b'0', b'0', b'0',
    ]
}

/// (year, month, day) of a day count since 1970-01-01, in the proleptic Gregorian calendar.
fn date(days: u64) -> (u64, u64, u64) {
    // Years are counted from March, in eras of 400 years, so that the leap day is the last of its year.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// Protocol names as EVE spells them.
pub fn proto_name(proto: u8) -> Option<&'static str> {
    Some(match proto {
        0 => "HOPOPT",
        1 => "ICMP",
        2 => "IGMP",
        4 => "IPIP",
        6 => "TCP",
        17 => "UDP",
        41 => "IPv6",
        43 => "IPv6-Route",
        44 => "IPv6-Frag",
        46 => "RSVP",
        47 => "GRE",
        50 => "ESP",
        51 => "AH",
        58 => "IPv6-ICMP",
        59 => "IPv6-NoNxt",
        60 => "IPv6-Opts",
        88 => "EIGRP",
        89 => "OSPFIGP",
        103 => "PIM",
        112 => "VRRP",
        115 => "L2TP",
        132 => "SCTP",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_agree_with_the_calendar() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(11_017), (2000, 3, 1));
        assert_eq!(date(20_778), (2026, 11, 21));
        let mut out = JsonWriter::new();
        timestamp(&mut out, "t", Timestamp::from_parts(1_468_449_727, 573_103_999));
        assert_eq!(out.as_bytes(), br#""t":"2016-07-13T22:42:07.573103+0000""#);
    }
}
