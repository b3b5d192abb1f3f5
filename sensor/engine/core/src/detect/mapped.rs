//! Files mapped into memory, read-only. The only place of `detect` that calls mmap. It must not know what the bytes mean.
//!
//! A mapped file must not shrink: what is then read of it ends the process. Whoever maps a file has made sure that nobody
//! else can write to it, and its writers replace files instead of changing them.

use std::ffi::{c_int, c_void};
use std::fs::File;
use std::io;
use std::ops::{Deref, Range};
use std::os::fd::AsRawFd;
use std::ptr::{self, NonNull};
use std::sync::Arc;

const PROT_READ: c_int = 1;
const MAP_PRIVATE: c_int = 2;
const MAP_POPULATE: c_int = 0x8000;
const MADV_DONTNEED: c_int = 4;

extern "C" {
    fn mmap(
        at: *mut c_void,
        len: usize,
        protection: c_int,
        flags: c_int,
        file: c_int,
        offset: i64,
    ) -> *mut c_void;
    fn munmap(at: *mut c_void, len: usize) -> c_int;
    fn madvise(at: *mut c_void, len: usize, advice: c_int) -> c_int;
}

/// A whole file.
pub struct Mapping {
    at: NonNull<u8>,
    len: usize,
}

// SAFETY: the memory is read-only for as long as it is mapped.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the file, which may be closed afterwards. `at_once`: its pages are brought in, for all of them are about to be read.
    pub fn new(file: &File, at_once: bool) -> io::Result<Mapping> {
        let flags = MAP_PRIVATE | if at_once { MAP_POPULATE } else { 0 };
        let len = usize::try_from(file.metadata()?.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        if len == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // SAFETY: a new mapping at an address of the kernel's choice; the descriptor is open.
        let at = unsafe { mmap(ptr::null_mut(), len, PROT_READ, flags, file.as_raw_fd(), 0) };
        // MAP_FAILED is -1.
        if at.addr() == usize::MAX {
            return Err(io::Error::last_os_error());
        }
        let at = NonNull::new(at.cast()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Mapping { at, len })
    }

    /// Gives the pages back to the system, which brings in anew those that are read again.
    pub fn release_pages(&self) {
        // SAFETY: the range is this mapping; its pages are those of a file and were never written to. A refusal changes
        // nothing.
        unsafe { madvise(self.at.as_ptr().cast(), self.len, MADV_DONTNEED) };
    }
}

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `len` readable bytes are mapped there until the drop; see the module's comment for files that shrink.
        unsafe { std::slice::from_raw_parts(self.at.as_ptr(), self.len) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` and unmapped once.
        unsafe { munmap(self.at.as_ptr().cast(), self.len) };
    }
}

/// Bytes that are our own, or a part of a mapped file.
pub enum Bytes {
    Own(Vec<u8>),
    Mapped(Arc<Mapping>, Range<usize>),
}

impl Bytes {
    /// They will not be read for a while: pages of a file are given back to the system.
    pub fn rest(&self) {
        if let Bytes::Mapped(file, _) = self {
            file.release_pages();
        }
    }
}

impl Default for Bytes {
    fn default() -> Self {
        Bytes::Own(Vec::new())
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::Own(bytes)
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Own(bytes) => bytes,
            Bytes::Mapped(file, range) => file.get(range.clone()).unwrap_or(&[]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_holds_the_files_bytes() {
        let path = std::env::temp_dir().join(format!("haidang-mapped-{}", std::process::id()));
        std::fs::write(&path, b"some bytes").unwrap();
        let mapping = Arc::new(Mapping::new(&File::open(&path).unwrap(), true).unwrap());
        std::fs::remove_file(&path).unwrap();
        assert_eq!(&**mapping, b"some bytes");
        Bytes::Mapped(Arc::clone(&mapping), 0..1).rest();
        assert_eq!(&*Bytes::Mapped(Arc::clone(&mapping), 5..10), b"bytes");
        assert_eq!(&*Bytes::Mapped(mapping, 5..11), b"");
    }

    #[test]
    fn an_empty_file_is_refused() {
        let path = std::env::temp_dir().join(format!("haidang-mapped-empty-{}", std::process::id()));
        std::fs::write(&path, b"").unwrap();
        assert!(Mapping::new(&File::open(&path).unwrap(), false).is_err());
        std::fs::remove_file(&path).unwrap();
    }
}
