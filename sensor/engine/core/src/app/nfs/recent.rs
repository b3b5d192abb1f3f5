//! A map that keeps the newest entries: what a flow remembers of handles and of calls, within bounds.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Keys come from the wire, hence the standard library's keyed hash.
pub struct Recent<K, V> {
    entries: HashMap<K, V>,
    /// Oldest first. A key that was taken out stays here until its turn comes.
    order: VecDeque<K>,
    max: usize,
}

impl<K: Hash + Eq + Clone, V> Recent<K, V> {
    /// Keeps at most `max` entries.
    pub fn new(max: usize) -> Recent<K, V> {
        Recent { entries: HashMap::new(), order: VecDeque::new(), max }
    }

    pub fn insert(&mut self, key: K, value: V) {
        if self.entries.insert(key.clone(), value).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > self.max {
            if let Some(oldest) = self.order.pop_front() {
                self.entries.remove(&oldest);
            }
        }
    }

    pub fn take(&mut self, key: &K) -> Option<V> {
        self.entries.remove(key)
    }

    pub fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.entries.get(key)
    }
}
