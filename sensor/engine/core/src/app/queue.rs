//! The transactions of one flow in the order they began: ids grow by one, any may be freed, the front in O(1). For protocols
//! whose messages or exchanges are small and come one after another.

use super::changed::Changed;
use super::Transaction;
use std::collections::VecDeque;
use std::ops::Range;

pub struct Queue<T> {
    txs: VecDeque<T>,
    next_id: u64,
    /// Held at most; beyond it the oldest go.
    max: usize,
    changed: Changed,
}

impl<T: Transaction> Queue<T> {
    pub fn new(max: usize) -> Queue<T> {
        Queue { txs: VecDeque::new(), next_id: 0, max, changed: Changed::default() }
    }
    /// Adds what `make` makes of the new id.
    pub fn push(&mut self, make: impl FnOnce(u64) -> T) -> &mut T {
        if self.txs.len() >= self.max {
            self.txs.pop_front();
        }
        let id = self.next_id;
        self.next_id = id.saturating_add(1);
        self.txs.push_back(make(id));
        self.changed.note(id, self.txs.len());
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
    pub fn remove(&mut self, id: u64) -> Option<T> {
        let at = self.index(id)?;
        self.txs.remove(at)
    }
    /// Gives the oldest up.
    pub fn pop_oldest(&mut self) -> Option<T> {
        self.txs.pop_front()
    }
    pub fn len(&self) -> usize {
        self.txs.len()
    }
    /// The id that the next one gets.
    pub fn next_id(&self) -> u64 {
        self.next_id
    }
    /// The oldest for which `wanted` holds.
    pub fn find_mut(&mut self, wanted: impl Fn(&T) -> bool) -> Option<&mut T> {
        let at = self.txs.iter().position(wanted)?;
        self.changed_at(at)
    }
    /// The newest for which `wanted` holds, among the last `most`.
    pub fn find_last_mut(&mut self, most: usize, wanted: impl Fn(&T) -> bool) -> Option<&mut T> {
        let behind = self.txs.iter().rev().take(most).position(wanted)?;
        self.changed_at(self.txs.len().checked_sub(behind.saturating_add(1))?)
    }
    /// Oldest first.
    pub fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut T> {
        self.changed.note_all();
        self.txs.iter_mut()
    }
    /// As what it is.
    pub fn typed(&self, id: u64) -> Option<&T> {
        self.txs.get(self.index(id)?)
    }
    /// As what it is.
    pub fn typed_mut(&mut self, id: u64) -> Option<&mut T> {
        self.changed_at(self.index(id)?)
    }
    /// As what it is, for what shows in no buffer, number or record: it does not count as changed.
    pub fn quiet_mut(&mut self, id: u64) -> Option<&mut T> {
        let at = self.index(id)?;
        self.txs.get_mut(at)
    }
    /// The newest.
    pub fn last_mut(&mut self) -> Option<&mut T> {
        self.changed_at(self.txs.len().checked_sub(1)?)
    }
    fn changed_at(&mut self, at: usize) -> Option<&mut T> {
        let held = self.txs.len();
        let tx = self.txs.get_mut(at)?;
        self.changed.note(tx.meta().id, held);
        Some(tx)
    }

    /// Answers `Parser::take_changed`.
    pub fn take_changed(&mut self) -> Option<Vec<u64>> {
        self.changed.take()
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

/// The methods of `Parser` that a field `txs: Queue<_>` answers. `freed` names a method that is given each one that goes.
macro_rules! answers_from_queue {
    () => {
        answers_from_queue!(@shared);
        fn drop_tx(&mut self, id: u64) {
            let _ = self.txs.remove(id);
        }
    };
    ($freed:ident) => {
        answers_from_queue!(@shared);
        fn drop_tx(&mut self, id: u64) {
            if let Some(tx) = self.txs.remove(id) {
                self.$freed(&tx);
            }
        }
    };
    (@shared) => {
        fn tx_ids(&self) -> std::ops::Range<u64> {
            self.txs.ids()
        }
        fn tx(&self, id: u64) -> Option<&dyn crate::app::Transaction> {
            self.txs.get(id)
        }
        fn tx_mut(&mut self, id: u64) -> Option<&mut dyn crate::app::Transaction> {
            self.txs.get_mut(id)
        }
        fn take_changed(&mut self) -> Option<Vec<u64>> {
            self.txs.take_changed()
        }
    };
}
pub(super) use answers_from_queue;
