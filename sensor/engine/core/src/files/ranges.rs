//! Files that come in pieces: answers with `Content-Range` are put together from several requests, also of several flows
//! (Suricata manual, `app-layer.protocols.http.byterange`).
//!
//! Pieces belong together when the same two hosts exchange them under one name and of one total size. Frames are dealt to
//! workers by the address pair, so all of them meet in one worker, and a replay with any number of workers agrees.

use crate::app::digest::{FileWants, HELD_MAX};
use crate::app::file::{File, FileState, Piece};
use crate::decode::Addr;
use crate::flow::Flow;
use crate::setting::{number, size};
use crate::time::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

/// Bytes of pieces that wait for those before them, where the configuration does not say (Suricata: 100 MiB).
const MEMCAP: u64 = 100 << 20;
/// Seconds of packet time without a new byte after which a file is given up (Suricata: 60).
const TIMEOUT_SECONDS: u64 = 60;
/// Files in progress; beyond it the oldest goes. An empty one without a name costs below 2 KiB, and `memcap` bounds the rest.
const WHOLES_MAX: usize = 4096;
/// Memory that a stretch of bytes costs besides them: a server may send each byte in a stretch of its own.
const STRETCH_COST: u64 = 64;

/// Between whom pieces go.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ends {
    client: Addr,
    server: Addr,
    ip_version: u8,
}

impl Ends {
    pub fn of(flow: &Flow) -> Ends {
        Ends { client: flow.src, server: flow.dst, ip_version: flow.ip_version }
    }
}

/// Whose file it is.
#[derive(PartialEq, Eq, Hash)]
pub struct Key {
    ends: Ends,
    /// SHA-256 of host and path, which may be long: a key outlives its file by `timeout`.
    whole: [u8; 32],
    total: u64,
}

/// A file that is being put together.
pub struct Whole {
    pub file: File,
    /// Bytes that stand in order from the start.
    next: u64,
    total: u64,
    /// Stretches beyond it, by offset.
    waiting: BTreeMap<u64, Vec<u8>>,
    waiting_bytes: u64,
    /// Bytes of memory counted for it.
    cost: u64,
    until: Timestamp,
}

impl Whole {
    /// Takes what has come of a piece since the last call.
    pub fn write(&mut self, piece: &mut Piece) {
        let bytes = std::mem::take(&mut piece.bytes);
        let at = piece.at;
        piece.at = at.saturating_add(bytes.len() as u64);
        if at > self.next {
            self.hold(at, bytes);
            return;
        }
        self.append(at, &bytes);
        while let Some(first) = self.waiting.first_entry().filter(|e| *e.key() <= self.next) {
            let (at, bytes) = first.remove_entry();
            self.waiting_bytes = self.waiting_bytes.saturating_sub(bytes.len() as u64);
            self.append(at, &bytes);
        }
    }

    /// `bytes`, which begin at or before the end of what stands; what is known already counts as it came first.
    fn append(&mut self, at: u64, bytes: &[u8]) {
        let known = usize::try_from(self.next.saturating_sub(at)).unwrap_or(usize::MAX);
        let room = usize::try_from(self.total.saturating_sub(at)).unwrap_or(usize::MAX).min(bytes.len());
        if let Some(fresh) = bytes.get(known..room) {
            self.file.observe(fresh);
            self.next = self.next.saturating_add(fresh.len() as u64);
        }
    }

    fn hold(&mut self, at: u64, bytes: Vec<u8>) {
        let before = self.waiting.range_mut(..=at).next_back();
        if let Some((start, held)) = before {
            let end = start.saturating_add(held.len() as u64);
            if end == at {
                self.waiting_bytes = self.waiting_bytes.saturating_add(bytes.len() as u64);
                held.extend_from_slice(&bytes);
                return;
            }
            if end >= at.saturating_add(bytes.len() as u64) {
                return;
            }
        }
        self.waiting_bytes = self.waiting_bytes.saturating_add(bytes.len() as u64);
        if let Some(old) = self.waiting.insert(at, bytes) {
            self.waiting_bytes = self.waiting_bytes.saturating_sub(old.len() as u64);
        }
    }

    /// Bytes of memory for its name and the stretches that wait.
    fn held(&self) -> u64 {
        let stretches = (self.waiting.len() as u64).saturating_mul(STRETCH_COST);
        self.waiting_bytes.saturating_add(stretches).saturating_add(self.file.name.len() as u64)
    }

    /// Nothing is missing.
    pub fn is_whole(&self) -> bool {
        self.next >= self.total
    }
}

/// One worker's table. Its map is keyed by what an attacker chose, hence the standard library's keyed hash.
pub struct Ranges {
    wholes: HashMap<Arc<Key>, Whole>,
    /// Oldest first, with the time at which each is to be looked at again.
    order: VecDeque<(Timestamp, Arc<Key>)>,
    memcap: u64,
    timeout: u64,
    pub memory: u64,
    /// Files given up on for want of memory.
    pub refused: u64,
    /// Files that were given up on since the last look.
    pub dropped: Vec<File>,
}

impl Ranges {
    /// `document` is the engine's configuration document.
    pub fn new(document: &Value) -> Ranges {
        let node = &document["app-layer"]["protocols"]["http"]["byterange"];
        let timeout = number(&node["timeout"]).and_then(|n| u64::try_from(n).ok());
        Ranges {
            wholes: HashMap::new(),
            order: VecDeque::new(),
            memcap: size(&node["memcap"]).unwrap_or(MEMCAP),
            timeout: timeout.unwrap_or(TIMEOUT_SECONDS),
            memory: 0,
            refused: 0,
            dropped: Vec::new(),
        }
    }

    /// Takes the file that `piece` is of out of the table, or begins it; `put` takes it back.
    pub fn take(&mut self, ends: Ends, piece: &Piece, now: Timestamp) -> (Arc<Key>, Whole) {
        self.expire(now);
        let key = Key { ends, whole: Sha256::digest(&piece.whole).into(), total: piece.total };
        if let Some((key, whole)) = self.wholes.remove_entry(&key) {
            self.memory = self.memory.saturating_sub(whole.cost);
            return (key, whole);
        }
        while self.order.len() >= WHOLES_MAX {
            self.drop_oldest();
        }
        let whole = Whole {
            file: File::named(piece.name.clone()),
            next: 0,
            total: piece.total,
            waiting: BTreeMap::new(),
            waiting_bytes: 0,
            cost: 0,
            until: now,
        };
        let key = Arc::new(key);
        self.order.push_back((now.plus_seconds(self.timeout), Arc::clone(&key)));
        (key, whole)
    }

    /// Puts a file back that is not whole yet.
    pub fn put(&mut self, key: Arc<Key>, mut whole: Whole, wants: &FileWants, now: Timestamp) {
        // Until a rule decides, the first bytes of a file that may be stored are held too.
        let undecided = if wants.may_store { whole.next.min(HELD_MAX as u64) } else { 0 };
        whole.cost = whole.held().saturating_add(undecided);
        whole.until = now.plus_seconds(self.timeout);
        if self.memory.saturating_add(whole.cost) > self.memcap {
            self.refused = self.refused.saturating_add(1);
            self.dropped.push(whole.file);
            return;
        }
        self.memory = self.memory.saturating_add(whole.cost);
        self.wholes.insert(key, whole);
    }

    fn expire(&mut self, now: Timestamp) {
        while self.order.front().is_some_and(|(at, _)| *at < now) {
            let Some((_, key)) = self.order.pop_front() else { return };
            match self.wholes.get(&key).map(|whole| whole.until) {
                Some(until) if until >= now => self.order.push_back((until, key)),
                _ => self.forget(&key),
            }
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((_, key)) = self.order.pop_front() {
            self.forget(&key);
        }
    }

    fn forget(&mut self, key: &Key) {
        if let Some(whole) = self.wholes.remove(key) {
            self.memory = self.memory.saturating_sub(whole.cost);
            self.dropped.push(whole.file);
        }
    }

    /// Files that were given up on, cut where they are.
    pub fn take_dropped(&mut self) -> Vec<File> {
        let mut dropped = std::mem::take(&mut self.dropped);
        for file in &mut dropped {
            file.close(FileState::Truncated);
        }
        dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ends() -> Ends {
        Ends { client: Addr::v4([10, 0, 0, 1]), server: Addr::v4([10, 0, 0, 2]), ip_version: 4 }
    }

    fn at(second: u64) -> Timestamp {
        Timestamp::from_parts(second, 0)
    }

    /// Gives `bytes` at offset `start` of the file /f of `total` bytes; the file when it is whole.
    fn give(ranges: &mut Ranges, total: u64, start: u64, bytes: &[u8], now: Timestamp) -> Option<File> {
        let mut piece =
            Piece { whole: b"a/f".to_vec(), total, at: start, bytes: bytes.to_vec(), ..Piece::default() };
        let wants = FileWants { sha256: true, ..FileWants::default() };
        let (key, mut whole) = ranges.take(ends(), &piece, now);
        if whole.file.is_undecided() {
            whole.file.decide(&wants, None);
        }
        whole.write(&mut piece);
        if whole.is_whole() {
            whole.file.close(FileState::Closed);
            return Some(whole.file);
        }
        ranges.put(key, whole, &wants, now);
        None
    }

    #[test]
    fn any_order_and_overlap_gives_the_same_file() {
        let text = b"0123456789abcdef";
        let cuts: [&[(usize, usize)]; 4] = [
            &[(0, 6), (6, 12), (12, 16)],
            &[(12, 16), (6, 12), (0, 6)],
            &[(4, 10), (8, 16), (0, 5)],
            &[(10, 12), (12, 16), (2, 10), (2, 4), (0, 3)],
        ];
        let mut sums = Vec::new();
        for cut in cuts {
            let mut ranges = Ranges::new(&Value::Null);
            let mut whole = None;
            for (from, to) in cut {
                assert!(whole.is_none());
                whole = give(&mut ranges, 16, *from as u64, &text[*from..*to], at(1));
            }
            let whole = whole.unwrap();
            assert_eq!((whole.size, ranges.memory), (16, 0));
            sums.push(whole.sums().unwrap().sha256);
        }
        assert!(sums[0].is_some() && sums.iter().all(|sum| *sum == sums[0]));
    }

    #[test]
    fn single_bytes_and_long_names_count_for_what_they_cost() {
        let mut ranges = Ranges::new(&Value::Null);
        for at_byte in 0..10 {
            assert!(give(&mut ranges, 1000, 500 + 2 * at_byte, b"x", at(1)).is_none());
        }
        assert_eq!(ranges.memory, 10 * (1 + STRETCH_COST));
        let mut piece = Piece { name: vec![b'n'; 5000], total: 9, at: 0, bytes: vec![1], ..Piece::default() };
        let (key, mut whole) = ranges.take(ends(), &piece, at(1));
        whole.write(&mut piece);
        ranges.put(key, whole, &FileWants::default(), at(1));
        assert_eq!(ranges.memory, 10 * (1 + STRETCH_COST) + 5000);
    }

    #[test]
    fn memory_and_time_are_bounded() {
        let mut ranges = Ranges::new(&json!({"app-layer": {"protocols": {"http": {
            "byterange": {"memcap": 200, "timeout": 10}}}}}));
        assert!(give(&mut ranges, 1000, 500, &[1; 60], at(1)).is_none());
        assert_eq!((ranges.memory, ranges.refused), (60 + STRETCH_COST, 0));
        assert!(give(&mut ranges, 1000, 700, &[1; 60], at(2)).is_none());
        assert_eq!((ranges.memory, ranges.refused, ranges.take_dropped().len()), (0, 1, 1));
        assert!(give(&mut ranges, 1000, 500, &[1; 60], at(3)).is_none());
        assert!(give(&mut ranges, 2000, 500, &[1; 10], at(30)).is_none());
        assert_eq!((ranges.memory, ranges.take_dropped().len()), (10 + STRETCH_COST, 1));
        for total in 0..2 * WHOLES_MAX as u64 {
            give(&mut ranges, 10_000 + total, 5, b"x", at(31));
        }
        assert!(ranges.wholes.len() <= WHOLES_MAX && ranges.order.len() <= WHOLES_MAX);
    }
}
