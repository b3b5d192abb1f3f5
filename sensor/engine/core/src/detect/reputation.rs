//! Reputation of addresses (Suricata manual, "IP Reputation"): categories by short name, and a score of 1 to 127 for addresses
//! and networks in a category. Read once, when rules are compiled; afterwards nothing changes.

use crate::decode::Addr;
use hashbrown::HashMap;
use serde_json::Value;
use std::net::IpAddr;
use std::path::Path;

/// Highest number of a category, as in Suricata.
const CATEGORY_MAX: u8 = 60;
/// Highest score.
pub const SCORE_MAX: u8 = 127;
/// A list of ten million entries is a mistake, not a list.
const ENTRIES_MAX: usize = 10_000_000;
const BITS: u8 = 128;
/// Bits in front of an IPv4 address where it is held as ::ffff:a.b.c.d.
const V4_BITS: u8 = 96;

#[derive(Default)]
pub struct Reputation {
    categories: HashMap<String, u8>,
    /// (category, score) by (length of the network's prefix, its address).
    scores: HashMap<(u8, u128), Vec<(u8, u8)>, ahash::RandomState>,
    entries: usize,
    /// Prefix lengths that occur, longest first.
    lengths: Vec<u8>,
}

impl Reputation {
    /// Reads what `reputation-categories-file`, `default-reputation-path` and `reputation-files` name. The error says what is
    /// wrong with which line of which file.
    pub fn read(document: &Value) -> Result<Reputation, String> {
        let mut reputation = Reputation::default();
        let Some(categories) = document["reputation-categories-file"].as_str() else { return Ok(reputation) };
        reputation.take(Path::new(categories), Reputation::category)?;
        let folder = Path::new(document["default-reputation-path"].as_str().unwrap_or_default());
        for name in document["reputation-files"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            reputation.take(&folder.join(name), Reputation::score)?;
        }
        let mut lengths: Vec<u8> = reputation.scores.keys().map(|(length, _)| *length).collect();
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        lengths.dedup();
        reputation.lengths = lengths;
        Ok(reputation)
    }

    /// Whether there is a list of categories at all.
    pub fn is_configured(&self) -> bool {
        !self.categories.is_empty()
    }

    pub fn category_of(&self, name: &str) -> Option<u8> {
        self.categories.get(name).copied()
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.categories.keys().map(String::as_str)
    }

    /// The score of the address in the category: that of the smallest network it is listed in, which is 0 when that is listed
    /// in other categories only. None: no list has it.
    pub fn of(&self, addr: Addr, category: u8) -> Option<u8> {
        let listed = self.lengths.iter().find_map(|n| self.scores.get(&(*n, masked(addr.0, *n))))?;
        Some(listed.iter().find(|(known, _)| *known == category).map_or(0, |(_, score)| *score))
    }

    fn take(
        &mut self,
        path: &Path,
        line_into: fn(&mut Reputation, &str) -> Option<()>,
    ) -> Result<(), String> {
        let bytes = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
        for (number, line) in (1u32..).zip(String::from_utf8_lossy(&bytes).lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if self.entries >= ENTRIES_MAX {
                return Err(format!("{}:{number}: more than {ENTRIES_MAX} entries", path.display()));
            }
            line_into(self, line).ok_or_else(|| {
                format!(
                    "{}:{number}: `{line}` is not understood; write NUMBER,NAME,DESCRIPTION in the categories file and \
                     ADDRESS,CATEGORY,SCORE in the others",
                    path.display()
                )
            })?;
        }
        Ok(())
    }

    /// `1,BadHosts,Known bad hosts`
    fn category(&mut self, line: &str) -> Option<()> {
        let mut parts = line.splitn(3, ',').map(str::trim);
        let number = parts.next()?.parse::<u8>().ok().filter(|n| (1..=CATEGORY_MAX).contains(n))?;
        let name = parts.next().filter(|name| !name.is_empty())?;
        self.categories.insert(name.to_owned(), number);
        Some(())
    }

    /// `1.2.3.4,1,101` or `1.1.1.0/24,6,88`; the last line about a network and category counts.
    fn score(&mut self, line: &str) -> Option<()> {
        let mut parts = line.splitn(3, ',').map(str::trim);
        let address = parts.next()?;
        let category = parts.next()?.parse::<u8>().ok().filter(|n| *n <= CATEGORY_MAX)?;
        let score = parts.next()?.parse::<u8>().ok().filter(|n| *n <= SCORE_MAX)?;
        let (address, prefix) = match address.split_once('/') {
            None => (address, None),
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().ok()?)),
        };
        let (addr, front) = match address.parse::<IpAddr>().ok()? {
            IpAddr::V4(v4) => (Addr::v4(v4.octets()), V4_BITS),
            IpAddr::V6(v6) => (Addr::v6(v6.octets()), 0),
        };
        let length = match prefix {
            None => BITS,
            Some(prefix) => front.checked_add(prefix).filter(|n| *n <= BITS)?,
        };
        let listed = self.scores.entry((length, masked(addr.0, length))).or_default();
        match listed.iter_mut().find(|(known, _)| *known == category) {
            Some(held) => held.1 = score,
            None => {
                listed.push((category, score));
                self.entries = self.entries.saturating_add(1);
            }
        }
        Some(())
    }
}

/// The first `length` bits.
fn masked(addr: u128, length: u8) -> u128 {
    let kept = u32::from(BITS.saturating_sub(length));
    addr & u128::MAX.checked_shl(kept).unwrap_or(0)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Categories Bot (1) and Good (2), with a network, a host in it, and one of IPv6.
    pub fn example() -> Reputation {
        let mut reputation = Reputation::default();
        for line in ["1,Bot,Infected hosts", "2, Good, Well known"] {
            reputation.category(line).unwrap();
        }
        for line in ["10.0.0.0/8,1,20", "10.1.2.3,1,90", "2001:db8::/32,2,5", "10.1.2.4,2,7"] {
            reputation.score(line).unwrap();
        }
        reputation.lengths = vec![128, 104, 32];
        reputation
    }

    #[test]
    fn the_smallest_network_counts() {
        let table = example();
        assert_eq!(table.of(Addr::v4([10, 1, 2, 3]), 1), Some(90));
        assert_eq!(table.of(Addr::v4([10, 9, 2, 4]), 1), Some(20));
        assert_eq!(table.of(Addr::v4([10, 1, 2, 4]), 1), Some(0), "listed by itself, in another category");
        assert_eq!(table.of(Addr::v4([11, 1, 2, 3]), 1), None);
        assert_eq!(table.of(Addr(0x2001_0db8 << 96 | 1), 2), Some(5));
    }

    #[test]
    fn a_wrong_line_is_told() {
        let folder = std::env::temp_dir().join(format!("haidang-reputation-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("categories"), "# comment\n1,Bot,Infected\n").unwrap();
        std::fs::write(folder.join("good"), "1.2.3.4,1,101\n").unwrap();
        std::fs::write(folder.join("bad"), "1.2.3.4,1,101\n1.2.3.4,1,200\n").unwrap();
        let with = |file: &str| {
            Reputation::read(&serde_json::json!({
                "reputation-categories-file": folder.join("categories").to_str(),
                "default-reputation-path": folder.to_str(), "reputation-files": [file],
            }))
        };
        assert_eq!(with("good").unwrap().of(Addr::v4([1, 2, 3, 4]), 1), Some(101));
        assert!(with("bad").err().unwrap().contains("bad:2: "));
        assert!(with("absent").err().unwrap().contains("absent"));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
