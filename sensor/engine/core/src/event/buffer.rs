//! Batches of events: the bytes in the order they were made, and which lane of the bus each line belongs to, and its type.

use crate::team::lock;
use crate::time::Timestamp;
use std::borrow::Cow;
use std::sync::{Arc, Mutex};

/// Lanes of the alert bus, in priority order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    Alert = 0,
    Health = 1,
    Evidence = 2,
    Log = 3,
}

/// Where an event ends, its lane, and its type: an index.
#[derive(Clone, Copy, Debug)]
struct Mark {
    end: u32,
    lane: Lane,
    kind: u8,
}

/// Where each event of the buffer ends, its lane and its type.
#[derive(Default)]
pub struct Marks {
    ends: Vec<Mark>,
    /// The types that are there, or were before they were taken back.
    kinds: Vec<&'static str>,
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

    /// An event of this `event_type` ends at `end`.
    pub fn push(&mut self, lane: Lane, kind: &'static str, end: usize, ts: Timestamp) {
        // Mostly it is the same text at the same place, which is known without reading it.
        let known = self.kinds.iter().position(|known| std::ptr::eq(*known, kind));
        let known = known.or_else(|| self.kinds.iter().position(|known| *known == kind));
        let kind = known.unwrap_or_else(|| {
            self.kinds.push(kind);
            self.kinds.len().saturating_sub(1)
        });
        let (end, kind) = (u32::try_from(end).unwrap_or(u32::MAX), u8::try_from(kind).unwrap_or(u8::MAX));
        self.ends.push(Mark { end, lane, kind });
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
        Batch { data, ends: self.ends, kinds: self.kinds, first, last: self.last, home: home.clone() }
    }
}

/// Buffers kept of those that came back.
const KEPT_MAX: usize = 4;

/// Events are handed over when they are so much, or sooner: the other side then has few calls and bounded memory.
pub const BATCH_BYTES_MAX: usize = 1 << 20;

/// A new buffer has room for a batch, and what the last packet adds.
const ROOM_BYTES: usize = BATCH_BYTES_MAX + (64 << 10);

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
    ends: Vec<Mark>,
    kinds: Vec<&'static str>,
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
        for (mark, line) in lines(&ends, &data).filter(|(mark, _)| mark.lane != lane) {
            self.data.extend_from_slice(line);
            self.ends.push(Mark { end: u32::try_from(self.data.len()).unwrap_or(u32::MAX), ..*mark });
        }
        let left_out = ends.len().saturating_sub(self.ends.len());
        (self, left_out)
    }

    /// (count, NDJSON) of one lane; lane as its number.
    pub fn lane(&self, lane: u8) -> (usize, Vec<u8>) {
        let mut out = Vec::new();
        let mut count = 0usize;
        for (_, line) in lines(&self.ends, &self.data).filter(|(mark, _)| mark.lane as u8 == lane) {
            out.extend_from_slice(line);
            count = count.saturating_add(1);
        }
        (count, out)
    }

    /// NDJSON of the events whose `event_type` is wanted.
    pub fn only(&self, is_wanted: impl Fn(&str) -> bool) -> Cow<'_, [u8]> {
        let wanted: Vec<bool> = self.kinds.iter().map(|kind| is_wanted(kind)).collect();
        if wanted.iter().all(|is_wanted| *is_wanted) {
            return Cow::Borrowed(&self.data);
        }
        let is_wanted = |mark: &Mark| wanted.get(usize::from(mark.kind)).is_some_and(|is_wanted| *is_wanted);
        let lines = lines(&self.ends, &self.data).filter(|(mark, _)| is_wanted(mark));
        Cow::Owned(lines.map(|(_, line)| line).collect::<Vec<_>>().concat())
    }
}

/// The events of a batch, with their marks.
fn lines<'a>(ends: &'a [Mark], data: &'a [u8]) -> impl Iterator<Item = (&'a Mark, &'a [u8])> {
    let starts = std::iter::once(0).chain(ends.iter().map(|mark| mark.end as usize));
    starts.zip(ends).map(|(start, mark)| (mark, data.get(start..mark.end as usize).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(events: &[(Lane, &'static str, &str)]) -> Batch {
        let (mut marks, mut data) = (Marks::default(), Vec::new());
        for (lane, kind, line) in events {
            data.extend_from_slice(line.as_bytes());
            marks.push(*lane, kind, data.len(), Timestamp(1));
        }
        marks.into_batch(data, &Buffers::default())
    }

    #[test]
    fn events_are_told_apart_by_lane_and_type() {
        let all = [
            (Lane::Log, "flow", "a\n"),
            (Lane::Alert, "alert", "b\n"),
            (Lane::Log, "dns", "c\n"),
            (Lane::Log, "flow", "d\n"),
        ];
        let batch = batch(&all);
        assert_eq!(batch.lane(Lane::Log as u8), (3, b"a\nc\nd\n".to_vec()));
        assert_eq!(*batch.only(|kind| kind == "flow"), *b"a\nd\n");
        assert_eq!(*batch.only(|kind| kind != "flow"), *b"b\nc\n");
        assert!(matches!(batch.only(|_| true), Cow::Borrowed(b"a\nb\nc\nd\n")));
        let (rest, left_out) = batch.without(Lane::Alert);
        assert_eq!((rest.events(), left_out), (3, 1));
        assert_eq!(*rest.only(|kind| kind == "dns"), *b"c\n");
    }

    #[test]
    fn the_buffer_of_a_full_batch_comes_back() {
        let home = Buffers::default();
        let mut data = home.get();
        data.resize(BATCH_BYTES_MAX, b'\n');
        let place = data.as_ptr();
        drop(Marks::default().into_batch(data, &home));
        let again = home.get();
        assert!(again.is_empty() && again.as_ptr() == place);
    }

    #[test]
    fn what_was_taken_back_is_not_there() {
        let mut marks = Marks::default();
        marks.push(Lane::Log, "flow", 2, Timestamp(1));
        let before = marks.before();
        marks.push(Lane::Alert, "alert", 4, Timestamp(2));
        marks.go_back(before);
        marks.push(Lane::Log, "dns", 4, Timestamp(3));
        let batch = marks.into_batch(b"a\nb\n".to_vec(), &Buffers::default());
        assert_eq!(*batch.only(|kind| kind == "alert"), *b"");
        assert_eq!(*batch.only(|kind| kind == "dns"), *b"b\n");
    }
}
