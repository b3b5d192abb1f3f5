//! A file put together from READs or WRITEs at offsets: chunks that come before their turn wait, those that overlap what is
//! there already are left out.

use crate::app::file::{File, FileState};
use std::collections::BTreeMap;

/// One file with its chunks.
pub struct Chunks {
    pub file: File,
    /// Bytes that are there from the start on.
    tracked: u64,
    /// The chunk under way: where its next byte belongs and how many are still to come.
    at: u64,
    left: u64,
    /// Chunks before their turn: bytes by offset, and whether some of them were lost.
    waiting: BTreeMap<u64, (Vec<u8>, bool)>,
    /// Offset under which the chunk under way waits; None: it is in order, or not wanted.
    early: Option<u64>,
    wanted: bool,
    held: u64,
}

impl Chunks {
    pub fn new(name: &[u8]) -> Chunks {
        Chunks {
            file: File::open(name),
            tracked: 0,
            at: 0,
            left: 0,
            waiting: BTreeMap::new(),
            early: None,
            wanted: true,
            held: 0,
        }
    }
    /// Bytes and number of chunks that wait.
    pub fn waiting(&self) -> (u64, usize) {
        (self.held, self.waiting.len())
    }
    /// The chunk at `offset` would be written over bytes that are there.
    pub fn overlaps(&self, offset: u64) -> bool {
        offset < self.tracked
    }
    /// A chunk of `len` bytes begins; `update` brings its bytes. It takes the place of a shorter one that waits there.
    pub fn begin(&mut self, offset: u64, len: u64) {
        if self.left > 0 {
            // The one before never ended.
            let lost = self.left;
            self.lose(lost);
        }
        (self.at, self.left) = (offset, len);
        let waits = |(held, gap): &(Vec<u8>, bool)| !gap && held.len() as u64 >= len;
        self.wanted = offset >= self.tracked && !self.waiting.get(&offset).is_some_and(waits);
        self.early = (self.wanted && offset > self.tracked).then_some(offset);
        let shorter = self.early.and_then(|offset| self.waiting.insert(offset, (Vec::new(), false)));
        if let Some((bytes, _)) = shorter {
            self.held = self.held.saturating_sub(bytes.len() as u64);
        }
    }
    /// The next bytes of the chunk under way; what is more than it has is left alone.
    pub fn update(&mut self, data: &[u8]) {
        let taken = usize::try_from(self.left).unwrap_or(usize::MAX).min(data.len());
        let data = data.get(..taken).unwrap_or_default();
        self.left = self.left.saturating_sub(taken as u64);
        match self.early.and_then(|offset| self.waiting.get_mut(&offset)) {
            Some((held, _)) => {
                held.extend_from_slice(data);
                self.held = self.held.saturating_add(taken as u64);
            }
            None if self.wanted => {
                self.file.append(data);
                self.tracked = self.tracked.saturating_add(taken as u64);
            }
            None => {}
        }
        self.settle();
    }
    /// `len` bytes of the chunk under way are lost.
    pub fn lose(&mut self, len: u64) {
        let len = len.min(self.left);
        self.left = self.left.saturating_sub(len);
        match self.early.and_then(|offset| self.waiting.get_mut(&offset)) {
            Some((held, gap)) => {
                // Nothing behind the hole can be placed: the chunk ends here, and the file with it.
                *gap = true;
                self.held = self.held.saturating_sub(held.len() as u64);
                held.clear();
            }
            None if self.wanted => {
                self.file.gap(len);
                self.tracked = self.tracked.saturating_add(len);
            }
            None => {}
        }
        self.settle();
    }
    /// At the end of a chunk: those whose turn has come follow.
    fn settle(&mut self) {
        if self.left > 0 {
            return;
        }
        self.early = None;
        self.wanted = true;
        while let Some(entry) = self.waiting.first_entry() {
            if *entry.key() > self.tracked {
                break;
            }
            let (offset, (bytes, gap)) = entry.remove_entry();
            self.held = self.held.saturating_sub(bytes.len() as u64);
            if offset == self.tracked && !gap {
                self.file.append(&bytes);
                self.tracked = self.tracked.saturating_add(bytes.len() as u64);
            } else {
                self.file.gaps |= gap;
            }
        }
    }
    /// The stream ended before the file was closed.
    pub fn cut(&mut self) {
        self.waiting.clear();
        self.held = 0;
        self.file.close(FileState::Truncated);
    }
    /// The file is over.
    pub fn close(&mut self) {
        let cut = self.left > 0 || self.file.gaps;
        self.waiting.clear();
        self.held = 0;
        self.file.close(if cut { FileState::Truncated } else { FileState::Closed });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(chunks: &mut Chunks, offset: u64, data: &[u8]) {
        chunks.begin(offset, data.len() as u64);
        for byte in data {
            chunks.update(&[*byte]);
        }
    }

    #[test]
    fn puts_chunks_in_order() {
        let mut chunks = Chunks::new(b"f");
        put(&mut chunks, 6, b"ghi");
        put(&mut chunks, 3, b"def");
        assert_eq!(chunks.waiting(), (6, 2));
        put(&mut chunks, 0, b"abc");
        assert_eq!(chunks.waiting(), (0, 0));
        assert!(chunks.overlaps(8) && !chunks.overlaps(9));
        put(&mut chunks, 0, b"xyz");
        chunks.close();
        assert_eq!(chunks.file.data().map(|view| view.data.to_vec()), Some(b"abcdefghi".to_vec()));
        assert_eq!((chunks.file.size, chunks.file.state), (9, FileState::Closed));
    }

    #[test]
    fn a_chunk_that_comes_again_before_its_turn_is_taken_once_and_the_longer_one_counts() {
        let mut chunks = Chunks::new(b"f");
        for early in [b"gh".as_slice(), b"ghi", b"ghi", b"x"] {
            put(&mut chunks, 6, early);
        }
        assert_eq!(chunks.waiting(), (3, 1));
        put(&mut chunks, 0, b"abcdef");
        assert_eq!(chunks.waiting(), (0, 0));
        chunks.close();
        assert_eq!(chunks.file.data().map(|view| view.data.to_vec()), Some(b"abcdefghi".to_vec()));
        assert_eq!(chunks.file.state, FileState::Closed);
    }

    #[test]
    fn a_hole_cuts_the_file() {
        let mut chunks = Chunks::new(b"f");
        chunks.begin(0, 10);
        chunks.update(b"abc");
        chunks.lose(4);
        chunks.update(b"hij");
        chunks.close();
        assert_eq!((chunks.file.size, chunks.file.gaps, chunks.file.state), (10, true, FileState::Truncated));
    }
}
