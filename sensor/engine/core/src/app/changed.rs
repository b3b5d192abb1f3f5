//! What a parser had in its hands since it was asked last, so that a packet costs no look at all that is open.

/// Answers `Parser::take_changed`. It never names more ids than the parser holds: beyond that it says "all", which is no more
/// work to look through.
#[derive(Debug, Default)]
pub struct Changed {
    ids: Vec<u64>,
    all: bool,
}

impl Changed {
    /// Transaction `id` of the `held` that there are is being changed.
    pub fn note(&mut self, id: u64, held: usize) {
        if self.all || self.ids.last() == Some(&id) {
            return;
        }
        if held <= 1 || self.ids.len() >= held {
            self.note_all();
        } else {
            self.ids.push(id);
        }
    }
    pub fn note_all(&mut self) {
        self.all = true;
        self.ids = Vec::new();
    }
    /// The ids in any order, None: all.
    pub fn take(&mut self) -> Option<Vec<u64>> {
        let ids = std::mem::take(&mut self.ids);
        (!std::mem::take(&mut self.all)).then_some(ids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_each_once_in_a_row_and_never_more_than_are_held() {
        let mut changed = Changed::default();
        assert_eq!(changed.take(), Some(vec![]));
        for id in [3, 3, 3, 4, 3] {
            changed.note(id, 3);
        }
        assert_eq!(changed.take(), Some(vec![3, 4, 3]));
        for id in 0..1_000_000 {
            changed.note(id % 7, 7);
            assert!(changed.ids.len() <= 7);
        }
        assert_eq!(changed.take(), None);
        assert_eq!(changed.take(), Some(vec![]));
        changed.note(5, 1);
        assert_eq!(changed.take(), None);
    }
}
