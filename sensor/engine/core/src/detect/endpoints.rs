//! Whom a rule is about: the addresses, the ports and the arrow of its header.

use std::sync::Arc;

/// Addresses of a rule header: sorted, disjoint inclusive ranges of `Addr` values; None = any. Thousands of rules share one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AddrSet(pub Option<Arc<[(u128, u128)]>>);

impl AddrSet {
    #[inline]
    pub fn contains(&self, addr: crate::decode::Addr) -> bool {
        match &self.0 {
            None => true,
            Some(ranges) => {
                let at = ranges.partition_point(|r| r.1 < addr.0);
                ranges.get(at).is_some_and(|r| r.0 <= addr.0)
            }
        }
    }
}

/// Ports of a rule header: sorted, disjoint inclusive ranges; None = any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PortSet(pub Option<Vec<(u16, u16)>>);

impl PortSet {
    #[inline]
    pub fn contains(&self, port: u16) -> bool {
        match &self.0 {
            None => true,
            Some(ranges) => {
                let at = ranges.partition_point(|r| r.1 < port);
                ranges.get(at).is_some_and(|r| r.0 <= port)
            }
        }
    }
}

/// Arrow of a rule header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrow {
    /// `->`
    Right,
    /// `<>`
    Both,
    /// `=>`: one rule over both directions of a transaction (Suricata 8).
    Transaction,
}
