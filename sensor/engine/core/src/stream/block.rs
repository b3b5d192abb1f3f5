//! A run of bytes of a stream, by absolute offset. It must not know what lies beyond its ends.

/// How far `to` lies beyond `from`, for use as an index; 0 when it does not.
#[inline]
pub(super) fn distance(from: u64, to: u64) -> usize {
    to.saturating_sub(from) as usize
}

/// A run of bytes. `data[head..]` is live, `offset` is the stream offset of `data[head]`.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub offset: u64,
    head: usize,
    data: Vec<u8>,
}

impl Block {
    pub fn new(offset: u64, bytes: &[u8]) -> Self {
        Block { offset, head: 0, data: bytes.to_vec() }
    }

    #[inline]
    pub fn bytes(&self) -> &[u8] {
        self.data.get(self.head..).unwrap_or(&[])
    }

    #[inline]
    pub fn len(&self) -> u64 {
        self.data.len().saturating_sub(self.head) as u64
    }

    #[inline]
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.len())
    }

    /// Bytes of memory held.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.data.capacity()
    }

    #[inline]
    pub fn extend(&mut self, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
    }

    /// Moves the live bytes to memory of their own size; without any nothing stays allocated.
    pub fn shrink(&mut self) {
        self.data = self.bytes().to_vec();
        self.head = 0;
    }

    /// The part of [start, end) that the block holds, as a slice with its offset.
    pub fn part(&self, start: u64, end: u64) -> Option<(u64, &[u8])> {
        let from = start.max(self.offset);
        let to = end.min(self.end());
        if from >= to {
            return None;
        }
        let slice = self.bytes().get(distance(self.offset, from)..distance(self.offset, to))?;
        Some((from, slice))
    }

    /// Overwrites what the block holds of `bytes` at `offset`.
    pub fn overwrite(&mut self, offset: u64, bytes: &[u8]) {
        let from = offset.max(self.offset);
        let to = offset.saturating_add(bytes.len() as u64).min(self.end());
        if from >= to {
            return;
        }
        let at = self.head.saturating_add(distance(self.offset, from));
        let len = distance(from, to);
        let source = distance(offset, from);
        if let (Some(target), Some(source)) =
            (self.data.get_mut(at..at.saturating_add(len)), bytes.get(source..source.saturating_add(len)))
        {
            target.copy_from_slice(source);
        }
    }

    /// Forgets the bytes before `keep`. Moves memory only when the dead part is the larger one.
    pub fn forget(&mut self, keep: u64) {
        let dead = keep.min(self.end()).saturating_sub(self.offset);
        if dead == 0 {
            return;
        }
        self.head = self.head.saturating_add(dead as usize);
        self.offset = self.offset.saturating_add(dead);
        let live = self.data.len().saturating_sub(self.head);
        if self.head >= live {
            self.data.copy_within(self.head.., 0);
            self.data.truncate(live);
            self.head = 0;
        }
    }
}
