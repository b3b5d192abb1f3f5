//! Who wins where fragments overlap: the reassembly of the host that receives them (Novak, "Target-Based Fragmentation
//! Reassembly", 2005). Systems that treat TCP segments and fragments alike do not exist, hence a policy of its own.

use crate::stream::OsPolicy;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The fragment that begins first; of two that begin together, the one that came first.
    Bsd,
    /// The newer, unless it begins before the older.
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

impl From<OsPolicy> for Policy {
    fn from(os: OsPolicy) -> Policy {
        match os {
            OsPolicy::Bsd | OsPolicy::HpUx10 | OsPolicy::Irix => Policy::Bsd,
            OsPolicy::BsdRight => Policy::BsdRight,
            OsPolicy::Linux | OsPolicy::OldLinux => Policy::Linux,
            OsPolicy::Windows | OsPolicy::Vista | OsPolicy::Windows2k3 => Policy::Windows,
            OsPolicy::Solaris => Policy::Solaris,
            OsPolicy::First | OsPolicy::HpUx11 | OsPolicy::MacOs => Policy::First,
            OsPolicy::Last => Policy::Last,
        }
    }
}

impl Policy {
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
