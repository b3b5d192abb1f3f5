//! A forward-only view of a file: a buffer that always holds the record in hand. Knows no formats.

use super::error::{directory, CaptureError};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes asked of the kernel at a time: large enough to make the call free, small enough to stay in the cache.
const READ_BYTES: usize = 256 << 10;

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
        }
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

    fn fill(&mut self, len: usize) -> Result<bool, CaptureError> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end = self.available();
        self.start = 0;
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
        let from = self.start;
        let to = from.saturating_add(len).min(self.end);
        self.start = to;
        self.offset = self.offset.saturating_add(to.saturating_sub(from) as u64);
        self.buffer.get(from..to).unwrap_or(&[])
    }
}
