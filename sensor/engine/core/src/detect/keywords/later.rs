//! Names Suricata knows and this build does not have yet: rules with them are skipped and counted apart from wrong ones.

/// Protocols of rule headers.
pub const LATER_PROTOCOLS: &[&str] =
    &["ssl", "llmnr", "template", "msn", "jabber", "irc", "ether", "arp", "vxlan"];

/// Decoders whose events are not raised yet (first part of an event's name).
pub const LATER_DECODERS: &[&str] = &[
    "ppp",
    "pppoe",
    "gre",
    "vxlan",
    "geneve",
    "teredo",
    "mpls",
    "erspan",
    "vntag",
    "ieee8021ah",
    "nsh",
    "sctp",
    "chdlc",
    "dce",
    "ltnull",
    "ethernet",
    "arp",
    "esp",
    "udp",
    "tcp",
    "ipv4",
    "ipv6",
    "icmpv4",
    "icmpv6",
    "vlan",
    "sll",
    "sll2",
    "ipraw",
    "too_many_layers",
    "stream",
];

/// Keywords.
pub const LATER: &[&str] =
    &["geoip", "lua", "luaxform", "ether.hdr", "igmp.hdr", "igmp.type", "tcp.wscale", "vxlan_vni"];
