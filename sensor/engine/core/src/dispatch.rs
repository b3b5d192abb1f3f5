//! Which worker gets a frame, and the batches in which frames travel there.

use crate::capture::Frame;
use crate::time::Timestamp;
use std::sync::Arc;

/// A batch is handed over at this many bytes or frames.
const BATCH_BYTES: usize = 256 * 1024;
const BATCH_FRAMES: usize = 1024;

/// Frames copied out of the reader's buffer.
#[derive(Default)]
pub struct FrameBatch {
    data: Vec<u8>,
    frames: Vec<Entry>,
    /// The capture file they are from.
    file: Option<Arc<str>>,
}

struct Entry {
    start: usize,
    len: usize,
    ts: Timestamp,
    wire_len: u32,
    link_type: u16,
    number: u64,
}

impl FrameBatch {
    /// Whether it holds frames of another file.
    pub fn is_of_another(&self, file: &Arc<str>) -> bool {
        self.file.as_ref().is_some_and(|own| !Arc::ptr_eq(own, file))
    }

    pub fn file(&self) -> Option<&Arc<str>> {
        self.file.as_ref()
    }

    pub fn push(&mut self, frame: &Frame<'_>, number: u64, file: &Arc<str>) {
        self.file.get_or_insert_with(|| Arc::clone(file));
        self.frames.push(Entry {
            start: self.data.len(),
            len: frame.data.len(),
            ts: frame.ts,
            wire_len: frame.wire_len,
            link_type: frame.link_type,
            number,
        });
        self.data.extend_from_slice(frame.data);
    }

    pub fn is_full(&self) -> bool {
        self.data.len() >= BATCH_BYTES || self.frames.len() >= BATCH_FRAMES
    }

    pub fn each(&self, mut take: impl FnMut(&Frame<'_>, u64)) {
        for entry in &self.frames {
            let data = self.data.get(entry.start..entry.start.saturating_add(entry.len)).unwrap_or(&[]);
            let frame = Frame { data, ts: entry.ts, wire_len: entry.wire_len, link_type: entry.link_type };
            take(&frame, entry.number);
        }
    }
}

/// The worker for a frame: by its outermost address pair, whichever way it goes; frames without IP go to the first.
pub fn worker_of(frame: &Frame<'_>, workers: usize) -> usize {
    let hash = address_pair(frame).map_or(0, |(a, b)| {
        let mixed = (a ^ b).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ (mixed >> 32)
    });
    usize::try_from(hash % (workers.max(1) as u64)).unwrap_or(0)
}

/// Folds of the outermost source and destination address.
fn address_pair(frame: &Frame<'_>) -> Option<(u64, u64)> {
    let data = frame.data;
    let at = match frame.link_type {
        1 => ethernet(data)?,
        113 => 16,
        276 => 20,
        0 | 108 => 4,
        12 | 14 | 101 | 228 | 229 => 0,
        _ => return None,
    };
    let ip = data.get(at..)?;
    match ip.first()? >> 4 {
        4 => Some((fold(ip.get(12..16)?), fold(ip.get(16..20)?))),
        6 => Some((fold(ip.get(8..24)?), fold(ip.get(24..40)?))),
        _ => None,
    }
}

/// Offset of the IP header behind Ethernet and VLAN tags.
fn ethernet(data: &[u8]) -> Option<usize> {
    let mut at = 12usize;
    for _ in 0..4 {
        let kind = u16::from_be_bytes([*data.get(at)?, *data.get(at.checked_add(1)?)?]);
        match kind {
            0x8100 | 0x88a8 | 0x9100 => at = at.checked_add(4)?,
            0x0800 | 0x86dd => return at.checked_add(2),
            _ => return None,
        }
    }
    None
}

fn fold(bytes: &[u8]) -> u64 {
    bytes.chunks(4).fold(0u64, |sum, chunk| {
        let word = chunk.iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
        sum.rotate_left(13) ^ word
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(data: &[u8]) -> Frame<'_> {
        Frame { data, ts: Timestamp(0), wire_len: 0, link_type: 101 }
    }

    #[test]
    fn both_directions_go_to_one_worker() {
        let mut there = vec![0x45; 20];
        there[12..20].copy_from_slice(&[10, 0, 0, 1, 192, 168, 7, 9]);
        let mut back = there.clone();
        back[12..20].copy_from_slice(&[192, 168, 7, 9, 10, 0, 0, 1]);
        for workers in 1..9 {
            assert_eq!(worker_of(&frame(&there), workers), worker_of(&frame(&back), workers));
        }
        assert_eq!(worker_of(&frame(&[]), 4), 0);
    }

    #[test]
    fn batches_give_back_what_was_put_in() {
        let mut batch = FrameBatch::default();
        batch.push(&frame(b"one"), 1, &"a.pcap".into());
        batch.push(&frame(b""), 2, &"a.pcap".into());
        let mut seen = Vec::new();
        batch.each(|f, n| seen.push((f.data.to_vec(), n)));
        assert_eq!(seen, [(b"one".to_vec(), 1), (Vec::new(), 2)]);
        assert!(!batch.is_full());
    }
}
