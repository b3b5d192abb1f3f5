//! Tables of what is remembered about hosts for a while, in packet time. What has expired is swept out each time the table
//! has doubled, so that it holds at most twice what is alive and a sweep costs nothing by the entry.

use crate::time::Timestamp;
use ahash::RandomState;
use hashbrown::HashMap;
use std::hash::Hash;

/// Smaller tables are not swept.
const SWEPT_MIN: usize = 1024;

pub struct Expiring<K, V> {
    /// The keys of the hash are drawn per process: addresses are chosen by the attacker. No output depends on their order.
    pub entries: HashMap<K, V, RandomState>,
    sweep_at: usize,
    swept: Timestamp,
}

impl<K, V> Default for Expiring<K, V> {
    fn default() -> Self {
        Expiring {
            entries: HashMap::with_hasher(RandomState::new()),
            sweep_at: SWEPT_MIN,
            swept: Timestamp::default(),
        }
    }
}

impl<K: Eq + Hash, V> Expiring<K, V> {
    /// Before a new entry: sweeps if it is time to, and says whether there are fewer entries than `max`. A full table is
    /// swept once a second at most.
    pub fn has_room(&mut self, max: usize, now: Timestamp, is_alive: impl Fn(&V) -> bool) -> bool {
        let count = self.entries.len();
        if count >= self.sweep_at.min(max) && (count < max || now.seconds_since(self.swept) > 0) {
            self.entries.retain(|_, entry| is_alive(entry));
            self.sweep_at = self.entries.len().saturating_mul(2).max(SWEPT_MIN);
            self.swept = now;
        }
        self.entries.len() < max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_at_most_twice_what_is_alive() {
        let mut table = Expiring::default();
        let mut most = 0;
        for second in 0..100_000u64 {
            let now = Timestamp::from_parts(second, 0);
            assert!(table.has_room(50_000, now, |start: &Timestamp| now.seconds_since(*start) < 2_000));
            table.entries.insert(second, now);
            most = most.max(table.entries.len());
        }
        assert!((2_000..=4_000).contains(&most), "{most}");
    }

    #[test]
    fn a_full_table_keeps_what_is_alive() {
        let mut table = Expiring::default();
        let at = |second| Timestamp::from_parts(second, 0);
        for n in 0..SWEPT_MIN {
            assert!(table.has_room(SWEPT_MIN, at(1), |_| true));
            table.entries.insert(n, ());
        }
        assert!(!table.has_room(SWEPT_MIN, at(1), |()| true));
        assert!(!table.has_room(SWEPT_MIN, at(2), |()| true));
        assert!(table.has_room(SWEPT_MIN, at(3), |()| false));
    }
}
