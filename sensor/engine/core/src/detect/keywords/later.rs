//! Names Suricata knows and this build does not have yet: rules with them are skipped and counted apart from wrong ones.

/// Protocols of rule headers.
pub const LATER_PROTOCOLS: &[&str] = &["ssl", "llmnr", "template", "msn", "jabber", "irc", "vxlan"];

/// Keywords.
pub const LATER: &[&str] = &["vxlan_vni"];
