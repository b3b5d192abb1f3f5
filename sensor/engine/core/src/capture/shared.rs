//! A capture file that several workers read, each at its own pace. All of them see the same bytes: of a file that is still being
//! written they agree where it ends. Knows no formats.

use super::error::{directory, CaptureError};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// An open regular file.
pub struct SharedFile {
    path: PathBuf,
    file: File,
    /// Bytes that it is known to have; nobody reads beyond.
    size: AtomicU64,
    /// Nobody asks again: somebody has used all up and found nothing more.
    ended: Mutex<bool>,
}

impl SharedFile {
    pub fn open(path: &Path) -> Result<SharedFile, CaptureError> {
        let file = File::open(path).map_err(|e| CaptureError::io(path, None, &e))?;
        let facts = file.metadata().map_err(|e| CaptureError::io(path, None, &e))?;
        if facts.is_dir() {
            return Err(directory(path));
        }
        let size = AtomicU64::new(facts.len());
        Ok(SharedFile { path: path.to_path_buf(), file, size, ended: Mutex::new(false) })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes that it is known to have.
    pub fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    /// Whether there is more than `size`, which was used up; the answer is the same for all.
    fn grows(&self, size: u64) -> io::Result<bool> {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if self.size() > size {
            return Ok(true);
        }
        if !*ended {
            let now = self.file.metadata()?.len();
            *ended = now <= size;
            self.size.fetch_max(now, Ordering::AcqRel);
        }
        Ok(!*ended)
    }
}

/// One reader's place in it.
pub(super) struct Place {
    file: Arc<SharedFile>,
    at: u64,
}

impl Place {
    pub fn start(file: Arc<SharedFile>) -> Place {
        Place { file, at: 0 }
    }
}

impl Read for Place {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut size = self.file.size();
        while self.at >= size {
            if !self.file.grows(size)? {
                return Ok(0);
            }
            size = self.file.size();
        }
        let room = usize::try_from(size.saturating_sub(self.at)).unwrap_or(usize::MAX).min(buffer.len());
        // Nothing where there was something: the file has shrunk, and ends here.
        let count = self.file.file.read_at(buffer.get_mut(..room).unwrap_or_default(), self.at)?;
        self.at = self.at.saturating_add(count as u64);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn readers_agree_on_the_end_of_a_growing_file_and_outlive_its_shrinking() {
        let path = std::env::temp_dir().join(format!("haidang-shared-{}", std::process::id()));
        let mut file = File::create(&path).unwrap();
        file.write_all(b"abc").unwrap();
        let shared = Arc::new(SharedFile::open(&path).unwrap());
        let [mut one, mut two, mut three] = [(); 3].map(|()| Place::start(Arc::clone(&shared)));
        let read = |place: &mut Place| {
            let mut buffer = [0; 2];
            let count = place.read(&mut buffer).unwrap();
            String::from_utf8_lossy(&buffer[..count]).into_owned()
        };
        assert_eq!([read(&mut one), read(&mut one)], ["ab", "c"]);
        file.write_all(b"de").unwrap();
        assert_eq!([read(&mut one), read(&mut one)], ["de", ""]);
        file.write_all(b"too late").unwrap();
        assert_eq!([read(&mut two), read(&mut two), read(&mut two), read(&mut two)], ["ab", "cd", "e", ""]);
        file.set_len(1).unwrap();
        assert_eq!([read(&mut three), read(&mut three)], ["a", ""]);
        std::fs::remove_file(&path).unwrap();
    }
}
