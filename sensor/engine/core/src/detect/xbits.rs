//! xbits and hostbits: named bits on an address or a pair of addresses, with an expiry in packet time. The workers of a replay
//! share one table (`team`); rulesets come and go above it, so bits go by their names, not by numbers of a ruleset.

use super::expiring::Expiring;
use crate::decode::Addr;
use crate::time::Timestamp;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

/// What a bit hangs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    Host(Addr),
    /// In ascending order.
    Pair(Addr, Addr),
}

impl Subject {
    pub fn pair(a: Addr, b: Addr) -> Self {
        Subject::Pair(a.min(b), a.max(b))
    }
}

/// A bit by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bit(u64);

impl Bit {
    /// The two keywords keep bits of their own. Two names of a ruleset that fall on one number are not to be feared in 2^64.
    pub fn named(keyword: &str, name: &str) -> Bit {
        let mut hasher = DefaultHasher::new();
        (keyword, name).hash(&mut hasher);
        Bit(hasher.finish())
    }
}

const SHARDS: usize = 16;
/// Entries per shard: about a million in all, 64 bytes each. When a shard is full of bits that are in use a new one is not
/// set, so that a flood of addresses cannot push out others.
const SHARD_MAX: usize = 65_536;

/// Until when bits are set.
type Shard = Expiring<(Bit, Subject), Timestamp>;

#[derive(Default)]
pub struct XbitTable {
    hasher: ahash::RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

impl XbitTable {
    fn shard<T>(&self, key: &(Bit, Subject), work: impl FnOnce(&mut Shard) -> T) -> Option<T> {
        let shard = self.shards.get(self.hasher.hash_one(key) as usize % SHARDS)?;
        let mut guard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        Some(work(&mut guard))
    }

    /// Whether the bit is set at `now`.
    pub fn is_set(&self, bit: Bit, subject: Subject, now: Timestamp) -> bool {
        let key = (bit, subject);
        self.shard(&key, |shard| shard.entries.get(&key).is_some_and(|until| *until >= now)).unwrap_or(false)
    }

    pub fn set(&self, bit: Bit, subject: Subject, now: Timestamp, seconds: u64) {
        let key = (bit, subject);
        self.shard(&key, |shard| {
            let has_room = shard.has_room(SHARD_MAX, now, |until| *until >= now);
            if has_room || shard.entries.contains_key(&key) {
                shard.entries.insert(key, now.plus_seconds(seconds));
            }
        });
    }

    pub fn unset(&self, bit: Bit, subject: Subject) {
        let key = (bit, subject);
        self.shard(&key, |shard| {
            shard.entries.remove(&key);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_expire_in_packet_time() {
        let table = XbitTable::default();
        let at = |s| Timestamp::from_parts(s, 0);
        let pair = Subject::pair(Addr(2), Addr(1));
        let [one, two] = ["a", "b"].map(|name| Bit::named("xbits", name));
        table.set(one, pair, at(10), 5);
        assert!(table.is_set(one, Subject::pair(Addr(1), Addr(2)), at(15)));
        assert!(!table.is_set(one, pair, at(16)));
        assert!(!table.is_set(two, pair, at(11)));
        table.unset(one, pair);
        assert!(!table.is_set(one, pair, at(11)));
    }
}
