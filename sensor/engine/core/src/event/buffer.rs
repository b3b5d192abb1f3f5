//! Batches of events: the bytes in the order they were made, and which lane of the bus each line belongs to.

use crate::team::lock;
use crate::time::Timestamp;
use std::sync::{Arc, Mutex};

/// Lanes of the alert bus, in priority order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    Alert = 0,
    Health = 1,
    Evidence = 2,
    Log = 3,
}

/// Where each event of the buffer ends, and its lane.
#[derive(Default)]
pub struct Marks {
    ends: Vec<(u32, Lane)>,
    first: Option<Timestamp>,
    last: Timestamp,
}

/// How they stood, for `go_back`.
#[derive(Clone, Copy)]
pub struct MarksBefore(usize, Option<Timestamp>, Timestamp);

impl Marks {
    pub fn before(&self) -> MarksBefore {
        MarksBefore(self.ends.len(), self.first, self.last)
    }

    /// Forgets what was marked since.
    pub fn go_back(&mut self, MarksBefore(count, first, last): MarksBefore) {
        self.ends.truncate(count);
        (self.first, self.last) = (first, last);
    }

    pub fn push(&mut self, lane: Lane, end: usize, ts: Timestamp) {
        self.ends.push((u32::try_from(end).unwrap_or(u32::MAX), lane));
        self.first = Some(self.first.map_or(ts, |f| f.min(ts)));
        self.last = self.last.max(ts);
    }

    pub fn count(&self) -> usize {
        self.ends.len()
    }

    /// Forgets all but the first `count`.
    pub fn truncate(&mut self, count: usize) {
        self.ends.truncate(count);
    }

    pub fn into_batch(self, data: Vec<u8>, home: &Buffers) -> Batch {
        let first = self.first.unwrap_or_default();
        Batch { data, ends: self.ends, first, last: self.last, home: home.clone() }
    }
}

/// Buffers kept of those that came back.
const KEPT_MAX: usize = 4;

/// A new buffer has room for this much: more than a batch has before it is handed over.
const ROOM_BYTES: usize = 320 * 1024;

/// Buffers that come back when their batch is done with: fresh memory costs the system a page fault for every page.
#[derive(Clone, Default)]
pub struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    /// An empty one.
    pub fn get(&self) -> Vec<u8> {
        lock(&self.0).pop().unwrap_or_else(|| Vec::with_capacity(ROOM_BYTES))
    }

    fn put(&self, mut buffer: Vec<u8>) {
        let mut kept = lock(&self.0);
        if kept.len() < KEPT_MAX && (ROOM_BYTES..=2 * ROOM_BYTES).contains(&buffer.capacity()) {
            buffer.clear();
            kept.push(buffer);
        }
    }
}

/// Finished events.
pub struct Batch {
    /// NDJSON.
    pub data: Vec<u8>,
    ends: Vec<(u32, Lane)>,
    /// Packet time of the earliest and latest event.
    pub first: Timestamp,
    pub last: Timestamp,
    home: Buffers,
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.home.put(std::mem::take(&mut self.data));
    }
}

impl Batch {
    pub fn events(&self) -> usize {
        self.ends.len()
    }

    /// The batch without one lane, and how many events were left out.
    pub fn without(mut self, lane: Lane) -> (Batch, usize) {
        let (data, ends) = (std::mem::take(&mut self.data), std::mem::take(&mut self.ends));
        let mut start = 0usize;
        for (end, of) in &ends {
            let end = *end as usize;
            if *of != lane {
                self.data.extend_from_slice(data.get(start..end).unwrap_or(&[]));
                self.ends.push((u32::try_from(self.data.len()).unwrap_or(u32::MAX), *of));
            }
            start = end;
        }
        let left_out = ends.len().saturating_sub(self.ends.len());
        (self, left_out)
    }

    /// (count, NDJSON) of one lane; lane as its number.
    pub fn lane(&self, lane: u8) -> (usize, Vec<u8>) {
        let mut start = 0usize;
        let mut out = Vec::new();
        let mut count = 0usize;
        for (end, of) in &self.ends {
            let end = *end as usize;
            if *of as u8 == lane {
                out.extend_from_slice(self.data.get(start..end).unwrap_or(&[]));
                count = count.saturating_add(1);
            }
            start = end;
        }
        (count, out)
    }
}
