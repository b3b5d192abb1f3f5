//! A forward-only view of a file: a buffer that always holds the record in hand. Knows no formats.

use super::error::{directory, CaptureError};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes asked of the kernel at a time: large enough to make the call free, small enough to stay in the cache.
const READ_BYTES: usize = 256 << 10;

/// A larger buffer is not used again.
const SPARE_BYTES_MAX: usize = 2 * READ_BYTES;

pub(super) struct Window {
    file: Box<dyn Read + Send>,
    path: PathBuf,
    buffer: Vec<u8>,
    /// The unread bytes are buffer[start..end].
    start: usize,
    end: usize,
    /// File offset of buffer[start].
    offset: u64,
    total: u64,
    eof: bool,
    /// Frames were handed out of this buffer.
    is_lent: bool,
    handover: Option<Handover>,
}

/// For those who want frames to stay where they were read: a buffer whose frames were handed out is exchanged for another.
#[derive(Default)]
struct Handover {
    given: Option<Vec<u8>>,
    spare: Vec<u8>,
}

impl Window {
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        let (file, total): (Box<dyn Read + Send>, u64) = if path.as_os_str() == "-" {
            (Box::new(std::io::stdin()), 0)
        } else {
            let file = File::open(path).map_err(|e| CaptureError::io(path, None, &e))?;
            let facts = file.metadata().map_err(|e| CaptureError::io(path, None, &e))?;
            if facts.is_dir() {
                return Err(directory(path));
            }
            let total = if facts.is_file() { facts.len() } else { 0 };
            (Box::new(file), total)
        };
        Ok(Window::over(path, file, total))
    }

    /// A window over anything that can be read; `total` is 0 when unknown.
    pub fn over(path: &Path, file: Box<dyn Read + Send>, total: u64) -> Self {
        Window {
            file,
            path: path.to_path_buf(),
            buffer: vec![0; READ_BYTES],
            start: 0,
            end: 0,
            offset: 0,
            total,
            eof: false,
            is_lent: false,
            handover: None,
        }
    }

    /// From now on buffers are exchanged (see `given`), the next one for `spare`.
    pub fn hand_over(&mut self, spare: Vec<u8>) {
        // One that held a giant is not kept.
        let spare = if spare.len() > SPARE_BYTES_MAX { Vec::new() } else { spare };
        self.handover.get_or_insert_default().spare = spare;
    }

    /// The first buffer that was exchanged since the last call: what was taken before lies in it, where it lay.
    #[inline]
    pub fn given(&mut self) -> Option<Vec<u8>> {
        self.handover.as_mut()?.given.take()
    }

    /// The buffer in which what was taken since the last `given` lies. Nothing more can be read.
    pub fn last(&mut self) -> Vec<u8> {
        (self.start, self.end, self.eof) = (0, 0, true);
        self.given().unwrap_or_else(|| std::mem::take(&mut self.buffer))
    }

    /// Where in the buffer the unread bytes begin.
    #[inline]
    pub fn place(&self) -> usize {
        self.start
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
    pub fn offset(&self) -> u64 {
        self.offset
    }
    pub fn total(&self) -> u64 {
        self.total
    }
    /// Bytes in hand, without reading on.
    #[inline]
    pub fn available(&self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// The first bytes of the file (up to 8).
    pub fn magic(&mut self) -> Result<Vec<u8>, CaptureError> {
        self.need(8)?;
        Ok(self.peek(self.available().min(8)).to_vec())
    }

    /// Makes `len` bytes available; false when the file ends before.
    #[inline]
    pub fn need(&mut self, len: usize) -> Result<bool, CaptureError> {
        if self.available() >= len {
            return Ok(true);
        }
        self.fill(len)
    }

    /// Puts the unread bytes at the front of the buffer, or of another.
    fn make_room(&mut self) {
        let unread = self.start..self.end;
        self.end = self.available();
        self.start = 0;
        let Some(handover) = self.handover.as_mut().filter(|_| self.is_lent) else {
            return self.buffer.copy_within(unread, 0);
        };
        self.is_lent = false;
        let mut other = std::mem::take(&mut handover.spare);
        other.resize(other.len().max(READ_BYTES).max(self.end), 0);
        let tail = self.buffer.get(unread).unwrap_or_default();
        other.get_mut(..tail.len()).unwrap_or_default().copy_from_slice(tail);
        let given = std::mem::replace(&mut self.buffer, other);
        // Of one that came after it nothing was handed out.
        handover.given.get_or_insert(given);
    }

    fn fill(&mut self, len: usize) -> Result<bool, CaptureError> {
        self.make_room();
        if self.buffer.len() < len {
            self.buffer.resize(len.saturating_add(READ_BYTES), 0);
        }
        while self.end < len && !self.eof {
            let space = self.buffer.get_mut(self.end..).unwrap_or_default();
            match self.file.read(space) {
                Ok(0) => self.eof = true,
                Ok(count) => self.end = self.end.saturating_add(count),
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(CaptureError::io(&self.path, Some(self.offset), &e)),
            }
        }
        Ok(self.end >= len)
    }

    /// The next `len` bytes; fewer when `need(len)` was not true.
    #[inline]
    pub fn peek(&self, len: usize) -> &[u8] {
        let end = self.start.saturating_add(len).min(self.end);
        self.buffer.get(self.start..end).unwrap_or(&[])
    }

    /// The next `len` bytes, and moves past them.
    #[inline]
    pub fn take(&mut self, len: usize) -> &[u8] {
        self.is_lent = true;
        let from = self.start;
        let to = from.saturating_add(len).min(self.end);
        self.start = to;
        self.offset = self.offset.saturating_add(to.saturating_sub(from) as u64);
        self.buffer.get(from..to).unwrap_or(&[])
    }
}
