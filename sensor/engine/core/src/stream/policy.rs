//! Which bytes win when TCP segments overlap, by the operating system of the receiver (Novak and Sturges, "Target-Based
//! TCP Stream Reassembly", 2007), and which host has which policy (`host-os-policy`).

use crate::decode::Addr;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Names as in suricata.yaml's `host-os-policy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum OsPolicy {
    #[default]
    Bsd,
    /// Differs from BSD in fragments only.
    BsdRight,
    OldLinux,
    Linux,
    Solaris,
    HpUx10,
    HpUx11,
    Irix,
    MacOs,
    Windows,
    Vista,
    Windows2k3,
    First,
    Last,
}

impl OsPolicy {
    pub const ALL: [(&'static str, OsPolicy); 15] = [
        ("bsd", OsPolicy::Bsd),
        ("bsd-right", OsPolicy::BsdRight),
        ("old-linux", OsPolicy::OldLinux),
        ("linux", OsPolicy::Linux),
        ("old-solaris", OsPolicy::Solaris),
        ("solaris", OsPolicy::Solaris),
        ("hpux10", OsPolicy::HpUx10),
        ("hpux11", OsPolicy::HpUx11),
        ("irix", OsPolicy::Irix),
        ("macos", OsPolicy::MacOs),
        ("windows", OsPolicy::Windows),
        ("vista", OsPolicy::Vista),
        ("windows2k3", OsPolicy::Windows2k3),
        ("first", OsPolicy::First),
        ("last", OsPolicy::Last),
    ];

    pub fn find(name: &str) -> Option<OsPolicy> {
        Self::ALL.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|&(_, policy)| policy)
    }

    /// Whether the new segment's bytes replace an older segment's where both have data. Extents are [start, end).
    pub fn new_wins(self, old: (u64, u64), new: (u64, u64)) -> bool {
        let starts_before = new.0 < old.0;
        let same_start = new.0 == old.0;
        match self {
            OsPolicy::First | OsPolicy::Vista => false,
            OsPolicy::Last => true,
            OsPolicy::Bsd | OsPolicy::BsdRight | OsPolicy::HpUx10 | OsPolicy::Irix | OsPolicy::MacOs => {
                starts_before
            }
            OsPolicy::Linux => starts_before || (same_start && new.1 > old.1),
            OsPolicy::OldLinux => starts_before || (same_start && new.1 >= old.1),
            OsPolicy::Windows | OsPolicy::Windows2k3 => starts_before && new.1 > old.1,
            OsPolicy::Solaris | OsPolicy::HpUx11 => new.1 > old.1 || (new.1 == old.1 && new.0 <= old.0),
        }
    }
}

/// Node `host-os-policy`: policy name -> list of networks. The longest prefix wins; no match means BSD.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "BTreeMap<String, Networks>")]
pub struct HostPolicies {
    /// (prefix length on the 128-bit scale, masked address, policy), longest prefix first.
    networks: Vec<(u32, u128, OsPolicy)>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Networks {
    None(()),
    One(String),
    Many(Vec<String>),
}

impl TryFrom<BTreeMap<String, Networks>> for HostPolicies {
    type Error = String;

    fn try_from(node: BTreeMap<String, Networks>) -> Result<Self, String> {
        let mut networks = Vec::new();
        for (name, list) in node {
            let policy =
                OsPolicy::find(&name).ok_or_else(|| format!("host-os-policy: unknown policy \"{name}\""))?;
            let list = match list {
                Networks::None(()) => Vec::new(),
                Networks::One(text) => text.split(',').map(|part| part.trim().to_owned()).collect(),
                Networks::Many(list) => list,
            };
            for text in list {
                let (prefix, addr) = parse_network(&text)
                    .ok_or_else(|| format!("host-os-policy.{name}: \"{text}\" is not a network"))?;
                networks.push((prefix, addr & mask(prefix), policy));
            }
        }
        networks.sort_by_key(|network| std::cmp::Reverse(network.0));
        Ok(HostPolicies { networks })
    }
}

fn mask(prefix: u32) -> u128 {
    u128::MAX.checked_shl(128u32.saturating_sub(prefix)).unwrap_or(0)
}

fn parse_network(text: &str) -> Option<(u32, u128)> {
    let (addr, prefix) = match text.split_once('/') {
        Some((addr, prefix)) => (addr, Some(prefix.parse::<u32>().ok()?)),
        None => (text, None),
    };
    match addr.parse::<IpAddr>().ok()? {
        IpAddr::V4(v4) => {
            let prefix = prefix.unwrap_or(32);
            (prefix <= 32).then(|| (prefix.saturating_add(96), Addr::v4(v4.octets()).0))
        }
        IpAddr::V6(v6) => {
            let prefix = prefix.unwrap_or(128);
            (prefix <= 128).then(|| (prefix, u128::from(v6)))
        }
    }
}

impl HostPolicies {
    /// The policy of the host that receives at `addr`.
    pub fn of(&self, addr: Addr) -> OsPolicy {
        self.networks
            .iter()
            .find(|(prefix, network, _)| addr.0 & mask(*prefix) == *network)
            .map(|&(_, _, policy)| policy)
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_prefix_wins() {
        let hosts: HostPolicies = serde_json::from_str(
            r#"{"windows": ["0.0.0.0/0"], "linux": ["10.0.0.0/8", "10.1.2.3", "8762:2352:6241:7245:E000::/67"], "vista": null, "old-linux": "10.9.0.0/16"}"#,
        )
        .unwrap();
        assert_eq!(hosts.of(Addr::v4([10, 3, 3, 3])), OsPolicy::Linux);
        assert_eq!(hosts.of(Addr::v4([10, 9, 3, 3])), OsPolicy::OldLinux);
        assert_eq!(hosts.of(Addr::v4([192, 168, 3, 3])), OsPolicy::Windows);
        assert_eq!(hosts.of(Addr(1)), OsPolicy::Bsd);
        assert!(serde_json::from_str::<HostPolicies>(r#"{"windows": ["x"]}"#).is_err());
        assert!(serde_json::from_str::<HostPolicies>(r#"{"dos": []}"#).is_err());
    }
}
