//! Who wins where fragments overlap: the reassembly of the host that receives them (Novak, "Target-Based Fragmentation
//! Reassembly", 2005; Suricata manual, `host-os-policy`).

use super::super::packet::Addr;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// The fragment that begins first; of two that begin together, the one that came first.
    #[default]
    Bsd,
    /// The opposite of `Bsd` where the older begins first or together.
    BsdRight,
    /// The fragment that begins first; of two that begin together, the one that came last.
    Linux,
    /// The older, unless the newer begins before it and ends after it.
    Windows,
    /// The older, unless the newer begins before it and ends with or after it.
    Solaris,
    /// The one that came first.
    First,
    /// The one that came last.
    Last,
}

impl Policy {
    /// The policy of an operating system as `host-os-policy` names it.
    pub fn of_os(name: &str) -> Option<Policy> {
        Some(match name {
            "bsd" | "hpux10" | "irix" => Policy::Bsd,
            "bsd-right" => Policy::BsdRight,
            "linux" | "old-linux" => Policy::Linux,
            "windows" | "vista" | "windows2k3" => Policy::Windows,
            "solaris" => Policy::Solaris,
            "first" | "old-solaris" | "hpux11" | "macos" => Policy::First,
            "last" => Policy::Last,
            _ => return None,
        })
    }

    /// Whether the newer fragment's bytes replace the older's where both have some; both are (start, end) as they came.
    pub fn newer_wins(self, older: (u32, u32), newer: (u32, u32)) -> bool {
        match self {
            Policy::Bsd => newer.0 < older.0,
            Policy::BsdRight => newer.0 >= older.0,
            Policy::Linux => newer.0 <= older.0,
            Policy::Windows => newer.0 < older.0 && newer.1 > older.1,
            Policy::Solaris => newer.0 < older.0 && newer.1 >= older.1,
            Policy::First => false,
            Policy::Last => true,
        }
    }
}

/// Policies by receiving host.
#[derive(Clone, Debug, Default)]
pub struct HostPolicies {
    pub default: Policy,
    /// (network, prefix length in bits of 128, policy); the longest prefix that holds the host decides. IPv4 networks are
    /// IPv4-mapped, so an IPv4 /8 has 104 bits.
    pub networks: Vec<(Addr, u8, Policy)>,
}

impl HostPolicies {
    pub fn of(&self, host: Addr) -> Policy {
        let holds = |net: Addr, bits: u8| {
            let ignored = 128u32.saturating_sub(u32::from(bits));
            (net.0 ^ host.0).checked_shr(ignored).unwrap_or(0) == 0
        };
        self.networks
            .iter()
            .filter(|(net, bits, _)| holds(*net, *bits))
            .max_by_key(|(_, bits, _)| *bits)
            .map_or(self.default, |&(_, _, policy)| policy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_decides() {
        let hosts = HostPolicies {
            default: Policy::Bsd,
            networks: vec![
                (Addr::v4([10, 0, 0, 0]), 104, Policy::Windows),
                (Addr::v4([10, 1, 0, 0]), 112, Policy::Linux),
            ],
        };
        assert_eq!(hosts.of(Addr::v4([10, 1, 2, 3])), Policy::Linux);
        assert_eq!(hosts.of(Addr::v4([10, 2, 2, 3])), Policy::Windows);
        assert_eq!(hosts.of(Addr::v4([11, 0, 0, 1])), Policy::Bsd);
        assert_eq!(hosts.of(Addr(1)), Policy::Bsd);
    }
}
