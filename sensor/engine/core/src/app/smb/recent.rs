//! A map of what a flow must remember (names, trees, open calls): beyond its capacity it forgets the oldest.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

pub struct Recent<K, V> {
    map: HashMap<K, (u64, V)>,
    /// Keys in the order they came, with the number under which; those replaced or removed since stay for a while.
    order: VecDeque<(K, u64)>,
    next: u64,
    capacity: usize,
}

impl<K: Hash + Eq + Clone, V> Recent<K, V> {
    pub fn new(capacity: usize) -> Self {
        Recent { map: HashMap::new(), order: VecDeque::new(), next: 0, capacity }
    }
    pub fn insert(&mut self, key: K, value: V) {
        self.next = self.next.wrapping_add(1);
        self.order.push_back((key.clone(), self.next));
        self.map.insert(key, (self.next, value));
        while self.map.len() > self.capacity {
            let Some((oldest, number)) = self.order.pop_front() else { break };
            if self.map.get(&oldest).is_some_and(|(n, _)| *n == number) {
                self.map.remove(&oldest);
            }
        }
        if self.order.len() > self.capacity.saturating_mul(2) {
            let map = &self.map;
            self.order.retain(|(key, number)| map.get(key).is_some_and(|(n, _)| n == number));
        }
    }
    pub fn get(&self, key: &K) -> Option<&V> {
        self.map.get(key).map(|(_, value)| value)
    }
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.map.get_mut(key).map(|(_, value)| value)
    }
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.map.remove(key).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_the_oldest_and_keeps_what_was_renewed() {
        let mut recent = Recent::new(2);
        recent.insert(1, "a");
        recent.insert(2, "b");
        recent.insert(1, "c");
        recent.insert(3, "d");
        assert_eq!((recent.get(&1), recent.get(&2), recent.get(&3)), (Some(&"c"), None, Some(&"d")));
        for n in 0..1000 {
            recent.insert(n, "x");
            recent.remove(&n);
        }
        assert!(recent.order.len() <= 5);
    }
}
