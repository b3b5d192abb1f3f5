//! What the layers share: the table of link types, of ethertypes and of IP protocols, and the state of the frame in
//! hand. To add a layer: one file, and one line in one of these tables.

use super::checksum::Policy;
use super::counters::Counters;
use super::defrag::Defrag;
use super::packet::{Origin, Packet};
use super::{
    chdlc, ethernet, events, gre, icmp, ipv4, ipv6, mpls, nsh, null, ppp, raw, sll, tags, tcp, udp, vlan,
};
use super::{ipip, transport, Config};

const LINK_TYPE_ETHERNET: u16 = 1;
const LINK_TYPE_IPV4: u16 = 228;
const LINK_TYPE_IPV6: u16 = 229;

/// Decodes `packet.frame[at..end]` and whatever it carries.
pub(super) type Layer = for<'a> fn(&mut State, &mut Packet<'a>, usize, usize);

/// LINKTYPE_ number, libpcap's name of it, decoder. The most common first.
const LINK_TYPES: &[(u16, &str, Layer)] = &[
    (1, "EN10MB", ethernet::decode),
    (113, "LINUX_SLL", sll::decode_v1),
    (276, "LINUX_SLL2", sll::decode_v2),
    (101, "RAW", raw::decode),
    (12, "RAW", raw::decode), // DLT_RAW where LINKTYPE_ was not asked
    (14, "RAW", raw::decode), // the same on OpenBSD
    (228, "IPv4", raw::decode),
    (229, "IPv6", raw::decode),
    (0, "NULL", null::decode),
    (108, "LOOP", null::decode),
    (109, "ENC", null::decode_enc),
    (9, "PPP", ppp::decode),
    (50, "PPP_SERIAL", ppp::decode), // HDLC-like framing
    (51, "PPP_ETHER", ppp::decode_pppoe_link),
    (104, "C_HDLC", chdlc::decode),
];

/// libpcap's name of a link type.
pub fn link_type_name(link_type: u16) -> Option<&'static str> {
    LINK_TYPES.iter().find(|(number, ..)| *number == link_type).map(|(_, name, _)| *name)
}

/// Ethertype, decoder.
const ETHERTYPES: &[(u16, Layer)] = &[
    (0x0800, ipv4::decode),
    (0x86dd, ipv6::decode),
    (0x8100, vlan::decode),
    (0x88a8, vlan::decode),
    (0x9100, vlan::decode),
    (0x0806, ethernet::decode_arp),
    (0x8864, ppp::decode_pppoe_session),
    (0x8863, ppp::decode_pppoe_discovery),
    (0x8847, mpls::decode),
    (0x8848, mpls::decode),
    (0x8926, tags::decode_vntag),
    (0x893f, tags::decode_etag),
    (0x88e7, tags::decode_itag),
    (0x8903, tags::decode_fabricpath),
    (0x894f, nsh::decode),
];

/// IP protocol number, decoder; for both IP versions. What depends on the version is in ipv4.rs and ipv6.rs.
const PROTOCOLS: &[(u8, Layer)] = &[
    (6, tcp::decode),
    (17, udp::decode),
    (132, transport::decode_sctp),
    (50, transport::decode_esp),
    (4, ipip::decode_ipv4),
    (41, ipip::decode_ipv6),
    (47, gre::decode),
];

/// IP protocol number, decoder; IPv4 only.
const PROTOCOLS_V4: &[(u8, Layer)] = &[(1, icmp::v4::decode), (2, transport::decode_igmp)];

/// IP protocol number, decoder; IPv6 only.
const PROTOCOLS_V6: &[(u8, Layer)] = &[(58, icmp::v6::decode)];

/// A packet inside the packet just decoded.
#[derive(Clone, Copy)]
pub(super) struct Inner {
    pub layer: Layer,
    pub at: u32,
    pub end: u32,
    pub origin: Origin,
    pub link_type: u16,
}

/// Everything one frame's layers need besides its bytes.
pub(super) struct State {
    pub config: Config,
    pub counters: Counters,
    pub checksums: Policy,
    pub defrag: Defrag,
    /// Layers taken off the frame in hand, over all packets nested in it.
    pub layers: u8,
    pub inner: Option<Inner>,
}

impl State {
    pub fn event(&mut self, packet: &mut Packet<'_>, code: u16) {
        if !packet.events.set(code) {
            return;
        }
        if let Some(count) = self.counters.events.get_mut(usize::from(code)) {
            *count = count.saturating_add(1);
        }
    }

    /// An event that makes the packet invalid: it is counted and matched by header rules only.
    #[cold]
    pub fn invalid(&mut self, packet: &mut Packet<'_>, code: u16) {
        self.event(packet, code);
        packet.invalid = true;
    }

    /// Counts a layer; false (with the event) when the frame has too many.
    #[inline]
    pub fn enter(&mut self, packet: &mut Packet<'_>) -> bool {
        self.layers = self.layers.saturating_add(1);
        if self.layers > self.config.max_layers {
            self.invalid(packet, events::TOO_MANY_LAYERS);
            return false;
        }
        true
    }

    #[inline]
    pub fn link_layer(&mut self, packet: &mut Packet<'_>) {
        let end = packet.frame.len();
        match LINK_TYPES.iter().find(|(link_type, ..)| *link_type == packet.link_type) {
            Some((_, _, layer)) => layer(self, packet, 0, end),
            None => self.counters.unknown_link_type = self.counters.unknown_link_type.saturating_add(1),
        }
    }

    /// Goes on by ethertype; false when nothing decodes it.
    #[inline]
    pub fn network_layer(&mut self, packet: &mut Packet<'_>, ethertype: u16, at: usize, end: usize) -> bool {
        match ETHERTYPES.iter().find(|(number, _)| *number == ethertype) {
            Some((_, layer)) => {
                if self.enter(packet) {
                    layer(self, packet, at, end);
                }
                true
            }
            None => {
                self.counters.unknown_ethertype = self.counters.unknown_ethertype.saturating_add(1);
                false
            }
        }
    }

    /// Goes on by IP protocol; false when nothing decodes it.
    #[inline]
    pub fn transport_layer(&mut self, packet: &mut Packet<'_>, at: usize, end: usize) -> bool {
        let by_version = if packet.ip_version == 4 { PROTOCOLS_V4 } else { PROTOCOLS_V6 };
        let found = PROTOCOLS.iter().chain(by_version).find(|(number, _)| *number == packet.proto);
        packet.l4_off = at as u32;
        packet.l4_end = end as u32;
        match found {
            Some((_, layer)) => {
                layer(self, packet, at, end);
                true
            }
            None => {
                packet.l4 = super::packet::L4::Other;
                set_payload(packet, at, end);
                false
            }
        }
    }

    /// A fragment whose data is `packet.frame[at..end]`.
    #[cold]
    pub fn fragment(&mut self, packet: &mut Packet<'_>, at: usize, end: usize) {
        let v4 = packet.ip_version == 4;
        let outcome = self.defrag.add(packet, at, end);
        let counters = &mut self.counters;
        let (fragments, reassembled) = if v4 {
            (&mut counters.ipv4_fragments, &mut counters.ipv4_reassembled)
        } else {
            (&mut counters.ipv6_fragments, &mut counters.ipv6_reassembled)
        };
        *fragments = fragments.saturating_add(1);
        *reassembled = reassembled.saturating_add(u64::from(outcome.complete));
        let lost = outcome.evicted.saturating_add(u64::from(outcome.ignored));
        counters.max_frag_hits = counters.max_frag_hits.saturating_add(lost);
        counters.defrag_timeouts = counters.defrag_timeouts.saturating_add(outcome.timed_out);
        for (happened, in_v4, in_v6) in [
            (outcome.overlap, events::IPV4_FRAG_OVERLAP, events::IPV6_FRAG_OVERLAP),
            (outcome.too_large, events::IPV4_FRAG_PKT_TOO_LARGE, events::IPV6_FRAG_PKT_TOO_LARGE),
            (outcome.ignored, events::IPV4_FRAG_IGNORED, events::IPV6_FRAG_IGNORED),
        ] {
            if happened {
                self.event(packet, if v4 { in_v4 } else { in_v6 });
            }
        }
        if outcome.complete {
            self.inner = Some(Inner {
                layer: if v4 { ipv4::decode } else { ipv6::decode },
                at: 0,
                end: self.defrag.whole.len() as u32,
                origin: Origin::Defrag,
                link_type: if v4 { LINK_TYPE_IPV4 } else { LINK_TYPE_IPV6 },
            });
        }
    }

    /// Announces a packet nested at `packet.frame[at..end]`.
    pub fn nest(&mut self, layer: Layer, at: usize, end: usize, origin: &'static str) {
        if at >= end {
            return;
        }
        self.inner = Some(Inner {
            layer,
            at: at as u32,
            end: end as u32,
            origin: Origin::Tunnel(origin),
            link_type: Packet::LINK_TYPE_RAW,
        });
    }

    /// The same for an Ethernet frame.
    pub fn nest_ethernet(&mut self, layer: Layer, at: usize, end: usize, origin: &'static str) {
        self.nest(layer, at, end, origin);
        if let Some(inner) = &mut self.inner {
            inner.link_type = LINK_TYPE_ETHERNET;
        }
    }
}

/// Whether any layer decodes the ethertype.
pub(super) fn is_ethertype(ethertype: u16) -> bool {
    ETHERTYPES.iter().any(|(number, _)| *number == ethertype)
}

#[inline]
pub(super) fn set_payload(packet: &mut Packet<'_>, at: usize, end: usize) {
    packet.payload_off = at as u32;
    packet.payload_len = end.saturating_sub(at) as u32;
}

/// The `N` bytes at `at`, if they end before `end`.
#[inline]
pub(super) fn chunk<const N: usize>(frame: &[u8], at: usize, end: usize) -> Option<&[u8; N]> {
    frame.get(at..end)?.first_chunk()
}
