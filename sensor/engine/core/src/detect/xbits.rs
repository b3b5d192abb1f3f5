//! xbits and hostbits: named bits on an address or a pair of addresses, with an expiry in packet time.
//! The one table workers share; only rules with these keywords touch it, through sharded locks.

use crate::decode::Addr;
use crate::time::Timestamp;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
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

const SHARDS: usize = 16;
/// Entries per shard: about a million in all, 64 bytes each. When a shard is full its expired bits go first; if none has
/// expired the new bit is not set, so that a flood of addresses cannot push out bits that are in use.
const SHARD_MAX: usize = 65_536;

type Shard = HashMap<(u32, Subject), Timestamp, ahash::RandomState>;

#[derive(Default)]
pub struct XbitTable {
    hasher: ahash::RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

impl XbitTable {
    fn shard<T>(&self, key: &(u32, Subject), work: impl FnOnce(&mut Shard) -> T) -> Option<T> {
        let mut hasher = self.hasher.build_hasher();
        std::hash::Hash::hash(key, &mut hasher);
        let shard = self.shards.get(hasher.finish() as usize % SHARDS)?;
        let mut guard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        Some(work(&mut guard))
    }

    /// Whether the bit is set at `now`.
    pub fn is_set(&self, bit: u32, subject: Subject, now: Timestamp) -> bool {
        let key = (bit, subject);
        self.shard(&key, |shard| shard.get(&key).is_some_and(|until| *until >= now)).unwrap_or(false)
    }

    pub fn set(&self, bit: u32, subject: Subject, now: Timestamp, seconds: u64) {
        let key = (bit, subject);
        self.shard(&key, |shard| {
            if shard.len() >= SHARD_MAX && !shard.contains_key(&key) {
                shard.retain(|_, until| *until >= now);
                if shard.len() >= SHARD_MAX {
                    return;
                }
            }
            shard.insert(key, now.plus_seconds(seconds));
        });
    }

    pub fn unset(&self, bit: u32, subject: Subject) {
        let key = (bit, subject);
        self.shard(&key, |shard| {
            shard.remove(&key);
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
        table.set(1, pair, at(10), 5);
        assert!(table.is_set(1, Subject::pair(Addr(1), Addr(2)), at(15)));
        assert!(!table.is_set(1, pair, at(16)));
        assert!(!table.is_set(2, pair, at(11)));
        table.unset(1, pair);
        assert!(!table.is_set(1, pair, at(11)));
    }
}
