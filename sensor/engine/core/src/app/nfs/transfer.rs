//! The content of one file put together from pieces at offsets. Clients keep several requests on the way, so pieces may come
//! out of order: those ahead wait, within bounds.

use crate::app::file::{File, FileState};
use std::collections::BTreeMap;

/// Bytes that wait for a piece before them: two requests of the largest usual size, 1 MiB.
const AHEAD_MAX_BYTES: usize = 2 << 20;
/// ... and in how many parts, since each costs an entry of the map.
const AHEAD_MAX_PIECES: usize = 4096;

pub struct Transfer {
    pub file: [File; 1],
    /// Offset of the next byte the file is to get.
    next: u64,
    ahead: BTreeMap<u64, Vec<u8>>,
    ahead_bytes: usize,
    /// Where the file ends, once a reply said so.
    end: Option<u64>,
}

impl Transfer {
    pub fn new(name: &[u8]) -> Transfer {
        Transfer { file: [File::open(name)], next: 0, ahead: BTreeMap::new(), ahead_bytes: 0, end: None }
    }

    fn append(&mut self, bytes: &[u8]) {
        let [file] = &mut self.file;
        file.append(bytes);
        self.next = self.next.saturating_add(bytes.len() as u64);
    }

    /// Bytes that stand at `offset` of the file. What was had already is not taken again.
    pub fn piece(&mut self, offset: u64, bytes: &[u8]) {
        if !self.is_open() {
            return;
        }
        if offset <= self.next {
            let had = usize::try_from(self.next.saturating_sub(offset)).unwrap_or(usize::MAX);
            if let Some(fresh) = bytes.get(had..).filter(|fresh| !fresh.is_empty()) {
                self.append(fresh);
                self.settle();
                self.close_at_end();
            }
            return;
        }
        let held = self.ahead.entry(offset).or_default();
        if held.len() < bytes.len() {
            self.ahead_bytes = self.ahead_bytes.saturating_add(bytes.len()).saturating_sub(held.len());
            *held = bytes.to_vec();
        }
        while (self.ahead_bytes > AHEAD_MAX_BYTES || self.ahead.len() > AHEAD_MAX_PIECES) && self.jump() {}
    }

    /// Takes what waited and is due.
    fn settle(&mut self) {
        while let Some(entry) = self.ahead.first_entry().filter(|entry| *entry.key() <= self.next) {
            let had = usize::try_from(self.next.saturating_sub(*entry.key())).unwrap_or(usize::MAX);
            let bytes = entry.remove();
            self.ahead_bytes = self.ahead_bytes.saturating_sub(bytes.len());
            if let Some(fresh) = bytes.get(had..) {
                self.append(fresh);
            }
        }
    }

    /// Gives up what lies before the first piece that waits.
    fn jump(&mut self) -> bool {
        let Some(offset) = self.ahead.keys().next().copied() else { return false };
        let [file] = &mut self.file;
        file.gap(offset.saturating_sub(self.next));
        self.next = offset;
        self.settle();
        true
    }

    /// The file ends at `offset`: it is whole when all before it has come.
    pub fn ends_at(&mut self, offset: u64) {
        self.end = Some(offset);
        self.close_at_end();
    }

    fn close_at_end(&mut self) {
        if self.end.is_some_and(|end| self.next >= end) {
            self.close(FileState::Closed);
        }
    }

    /// The file is whole, or will not become so.
    pub fn close(&mut self, state: FileState) {
        while self.jump() {}
        let [file] = &mut self.file;
        file.close(state);
    }

    pub fn is_open(&self) -> bool {
        let [file] = &self.file;
        file.state == FileState::Open
    }
}
