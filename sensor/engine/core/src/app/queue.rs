//! The transactions of one flow in the order they began: ids grow by one, any may be freed, the front in O(1). For protocols
//! whose messages or exchanges are small and come one after another.

use super::Transaction;
use std::collections::VecDeque;
use std::ops::Range;

pub struct Queue<T> {
    txs: VecDeque<T>,
    next_id: u64,
    /// Held at most; beyond it the oldest go.
    max: usize,
    /// Those that the parser had in its hands since `take_changed`.
    changed: Vec<u64>,
    all_changed: bool,
}

impl<T: Transaction> Queue<T> {
    pub fn new(max: usize) -> Queue<T> {
        Queue { txs: VecDeque::new(), next_id: 0, max, changed: Vec::new(), all_changed: false }
    }
    /// Adds what `make` makes of the new id.
    pub fn push(&mut self, make: impl FnOnce(u64) -> T) -> &mut T {
        if self.txs.len() >= self.max {
            self.txs.pop_front();
        }
        let tx = make(self.next_id);
        self.changed.push(self.next_id);
        self.next_id = self.next_id.saturating_add(1);
        self.txs.push_back(tx);
        let last = self.txs.len().saturating_sub(1);
        #[allow(clippy::indexing_slicing)] // one was pushed
        &mut self.txs[last]
    }
    pub fn ids(&self) -> Range<u64> {
        self.txs.front().map_or(self.next_id, |tx| tx.meta().id)..self.next_id
    }
    pub fn get(&self, id: u64) -> Option<&dyn Transaction> {
        Some(self.txs.get(self.index(id)?)?)
    }
    pub fn get_mut(&mut self, id: u64) -> Option<&mut dyn Transaction> {
        let at = self.index(id)?;
        Some(self.txs.get_mut(at)?)
    }
    pub fn remove(&mut self, id: u64) {
        if let Some(at) = self.index(id) {
            self.txs.remove(at);
        }
    }
    pub fn len(&self) -> usize {
        self.txs.len()
    }
    /// Oldest first.
    pub fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut T> {
        self.all_changed = true;
        self.txs.iter_mut()
    }
    /// As what it is.
    pub fn typed(&self, id: u64) -> Option<&T> {
        self.txs.get(self.index(id)?)
    }
    /// As what it is.
    pub fn typed_mut(&mut self, id: u64) -> Option<&mut T> {
        let at = self.index(id)?;
        self.changed.push(id);
        self.txs.get_mut(at)
    }
    /// The newest.
    pub fn last_mut(&mut self) -> Option<&mut T> {
        let last = self.txs.back_mut()?;
        self.changed.push(last.meta().id);
        Some(last)
    }

    /// Answers `Parser::take_changed`.
    pub fn take_changed(&mut self) -> Option<Vec<u64>> {
        let changed = std::mem::take(&mut self.changed);
        (!std::mem::take(&mut self.all_changed)).then_some(changed)
    }

    /// Without a hole the place follows from the id.
    fn index(&self, id: u64) -> Option<usize> {
        let first = self.txs.front()?.meta().id;
        let guess = usize::try_from(id.checked_sub(first)?).ok()?;
        match self.txs.get(guess) {
            Some(tx) if tx.meta().id == id => Some(guess),
            _ => self.txs.binary_search_by_key(&id, |tx| tx.meta().id).ok(),
        }
    }
}

/// The methods of `Parser` that a field `txs: Queue<_>` answers.
macro_rules! answers_from_queue {
    () => {
        fn tx_ids(&self) -> std::ops::Range<u64> {
            self.txs.ids()
        }
        fn tx(&self, id: u64) -> Option<&dyn crate::app::Transaction> {
            self.txs.get(id)
        }
        fn tx_mut(&mut self, id: u64) -> Option<&mut dyn crate::app::Transaction> {
            self.txs.get_mut(id)
        }
        fn drop_tx(&mut self, id: u64) {
            self.txs.remove(id);
        }
        fn take_changed(&mut self) -> Option<Vec<u64>> {
            self.txs.take_changed()
        }
    };
}
pub(super) use answers_from_queue;
