//! ARP events (Suricata manual, "Event type: ARP"); only when asked for, since a network makes many of them.

use super::ether::mac;
use super::header::{Endpoints, Place};
use super::{Events, Lane};
use crate::decode::Packet;

impl Events {
    /// Writes the packet, when it is ARP for Ethernet and IPv4 (RFC 826).
    pub fn arp(&mut self, packet: &Packet<'_>) {
        let Some(message) = packet.arp().filter(|_| self.config.arp) else { return };
        let &[_, _, _, _, _, _, op0, op1, ref ends @ ..] = message;
        let &[s0, s1, s2, s3, s4, s5, a, b, c, d, t0, t1, t2, t3, t4, t5, e, f, g, h] = ends;
        self.begin("arp", Place::of_packet(packet, None), Endpoints::of_packet(packet));
        let out = &mut self.json;
        out.open_object("arp");
        out.str("hw_type", "ethernet");
        out.str("proto_type", "ipv4");
        out.str("opcode", opcode(u16::from_be_bytes([op0, op1])));
        mac(out, "src_mac", [s0, s1, s2, s3, s4, s5]);
        out.fmt("src_ip", format_args!("{a}.{b}.{c}.{d}"));
        mac(out, "dest_mac", [t0, t1, t2, t3, t4, t5]);
        out.fmt("dest_ip", format_args!("{e}.{f}.{g}.{h}"));
        out.close();
        self.end(Lane::Log, packet.ts);
    }
}

/// The opcodes that decoding lets through (IANA, "ARP Operation Codes").
fn opcode(code: u16) -> &'static str {
    match code {
        1 => "request",
        2 => "reply",
        3 => "request_reverse",
        4 => "reply_reverse",
        8 => "inarp_request",
        9 => "inarp_reply",
        _ => "unknown",
    }
}
