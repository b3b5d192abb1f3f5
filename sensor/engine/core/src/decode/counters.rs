//! What decode counts, under Suricata's names in EVE stats.

use super::events;

macro_rules! counters {
    ($($(#[$doc:meta])* $field:ident = $name:literal,)*) => {
        /// One worker's decode counters.
        #[derive(Clone, Debug)]
        pub struct Counters {
            $($(#[$doc])* pub $field: u64,)*
            /// Packets by decoder event code.
            pub events: [u64; events::NAMES.len()],
        }

        impl Default for Counters {
            fn default() -> Self {
                Counters { $($field: 0,)* events: [0; events::NAMES.len()] }
            }
        }

        impl Counters {
            /// Every counter with its dotted name; events as `decoder.event.*`.
            pub fn for_each(&self, mut each: impl FnMut(&str, u64)) {
                $(each($name, self.$field);)*
                for (name, value) in events::NAMES.iter().zip(self.events) {
                    if *name == "decoder.too_many_layers" {
                        each(name, value);
                    } else {
                        let bare = name.strip_prefix("decoder.").unwrap_or(name);
                        each(&format!("decoder.event.{bare}"), value);
                    }
                }
                each("decoder.avg_pkt_size", self.bytes.checked_div(self.pkts).unwrap_or(0));
            }
        }
    };
}

counters! {
    pkts = "decoder.pkts",
    bytes = "decoder.bytes",
    /// Packets some layer could not make sense of.
    invalid = "decoder.invalid",
    ipv4 = "decoder.ipv4",
    ipv6 = "decoder.ipv6",
    ethernet = "decoder.ethernet",
    arp = "decoder.arp",
    unknown_ethertype = "decoder.unknown_ethertype",
    chdlc = "decoder.chdlc",
    raw = "decoder.raw",
    null = "decoder.null",
    sll = "decoder.sll",
    sll2 = "decoder.sll2",
    tcp = "decoder.tcp",
    udp = "decoder.udp",
    sctp = "decoder.sctp",
    esp = "decoder.esp",
    icmpv4 = "decoder.icmpv4",
    icmpv6 = "decoder.icmpv6",
    igmp = "decoder.igmp",
    ppp = "decoder.ppp",
    pppoe = "decoder.pppoe",
    geneve = "decoder.geneve",
    gre = "decoder.gre",
    vlan = "decoder.vlan",
    vlan_qinq = "decoder.vlan_qinq",
    vlan_qinqinq = "decoder.vlan_qinqinq",
    vxlan = "decoder.vxlan",
    vntag = "decoder.vntag",
    etag = "decoder.etag",
    ieee8021ah = "decoder.ieee8021ah",
    teredo = "decoder.teredo",
    ipv4_in_ipv4 = "decoder.ipv4_in_ipv4",
    ipv6_in_ipv4 = "decoder.ipv6_in_ipv4",
    ipv4_in_ipv6 = "decoder.ipv4_in_ipv6",
    ipv6_in_ipv6 = "decoder.ipv6_in_ipv6",
    mpls = "decoder.mpls",
    max_pkt_size = "decoder.max_pkt_size",
    erspan = "decoder.erspan",
    nsh = "decoder.nsh",
    /// Frames of a link type nothing here decodes.
    unknown_link_type = "decoder.unknown_link_type",
    ipv4_fragments = "defrag.ipv4.fragments",
    ipv4_reassembled = "defrag.ipv4.reassembled",
    ipv6_fragments = "defrag.ipv6.fragments",
    ipv6_reassembled = "defrag.ipv6.reassembled",
    /// Datagrams or fragments given up because a cap was reached.
    max_frag_hits = "defrag.max_frag_hits",
    /// Datagrams given up because a fragment did not come in time.
    defrag_timeouts = "defrag.tracker_timeout",
}
