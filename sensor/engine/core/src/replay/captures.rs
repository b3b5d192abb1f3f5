//! The captures of a replay: file after file, frames numbered through all of them. They are read once. One worker takes frames
//! as they are read; several take blocks of them, which whoever is furthest reads for all.

use super::Shared;
use crate::capture::bpf::CaptureFilter;
use crate::capture::{self, FileSource, Frame, Source};
use crate::dispatch::{Block, Dispatch};
use crate::team::lock;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Frames between two looks at the clock of progress.
const PROGRESS_FRAMES: u64 = 1024;

/// Blocks between the worker furthest behind and the one furthest ahead, who then waits (32 MiB).
const BLOCKS_MAX: usize = 128;

/// How long a wait for room lasts before a look whether the replay is to stop.
const LOOK: Duration = Duration::from_millis(50);

/// Goes through the captures.
pub struct Reader {
    shared: Arc<Shared>,
    filter: CaptureFilter,
    paths: std::vec::IntoIter<PathBuf>,
    open: Option<(FileSource, Arc<str>)>,
    /// Frames so far.
    number: u64,
    /// Bytes of the files before.
    done_bytes: u64,
}

impl Reader {
    pub fn new(shared: Arc<Shared>, paths: Vec<PathBuf>, filter: CaptureFilter) -> Reader {
        Reader { shared, filter, paths: paths.into_iter(), open: None, number: 0, done_bytes: 0 }
    }

    /// The name of the file that is read now; None: all are read, or the replay is to stop.
    fn file(&mut self) -> Option<Arc<str>> {
        while self.open.is_none() {
            let path = self.paths.next()?;
            match capture::open(&path) {
                Ok(source) => self.open = Some((source, path.to_string_lossy().into())),
                Err(error) => self.shared.warn(error.to_string()),
            }
        }
        let (_, name) = self.open.as_ref().filter(|_| !self.shared.stop.load(Ordering::Relaxed))?;
        Some(Arc::clone(name))
    }

    /// Gives frames of the file that is read now, with their numbers, until `take` says that it has enough, or the file ends.
    fn frames(&mut self, mut take: impl FnMut(&Frame<'_>, u64) -> bool) {
        let Some((source, _)) = &mut self.open else { return };
        loop {
            match source.next() {
                None => break,
                Some(Err(error)) => {
                    self.shared.warn(error.to_string());
                    break;
                }
                // Frames that the filter leaves out are as if they had not been captured.
                Some(Ok(frame)) if !self.filter.admits(frame.link_type, frame.data, frame.wire_len) => {}
                Some(Ok(frame)) => {
                    self.number = self.number.saturating_add(1);
                    if !take(&frame, self.number) {
                        return self.shared.progress(self.done_bytes.saturating_add(source.position().0));
                    }
                }
            }
            if self.number % PROGRESS_FRAMES == 0 {
                self.shared.progress(self.done_bytes.saturating_add(source.position().0));
                if self.shared.stop.load(Ordering::Relaxed) {
                    return;
                }
            }
        }
        self.done_bytes = self.done_bytes.saturating_add(source.position().0);
        self.shared.progress(self.done_bytes);
        source.warnings().iter().for_each(|warning| self.shared.warn(warning.clone()));
        self.open = None;
    }

    /// Gives every frame, with its number and its file's name.
    pub fn each(mut self, mut take: impl FnMut(&Frame<'_>, u64, &Arc<str>)) {
        while let Some(name) = self.file() {
            self.frames(|frame, number| {
                take(frame, number, &name);
                true
            });
        }
    }
}

/// A block and the name of its file.
type Named = (Arc<Block>, Arc<str>);

/// Blocks of frames for several workers, each of whom gets all of them.
pub struct Blocks {
    shared: Arc<Shared>,
    reading: Mutex<(Reader, Dispatch)>,
    ready: Mutex<Ready>,
    /// Somebody has taken a block.
    taken: Condvar,
}

#[derive(Default)]
struct Ready {
    /// Those that not all have taken.
    blocks: VecDeque<Named>,
    /// Blocks that all have taken.
    gone: u64,
    /// By worker, how many it has taken.
    taken: Vec<u64>,
    /// Emptied ones.
    spare: Vec<Block>,
}

impl Ready {
    fn next(&self, worker: usize) -> Option<&Named> {
        let at = self.taken.get(worker)?.checked_sub(self.gone)?;
        self.blocks.get(usize::try_from(at).ok()?)
    }

    /// Lets go of what all have taken.
    fn let_go(&mut self) {
        let least = self.taken.iter().copied().min().unwrap_or(u64::MAX);
        while self.gone < least && self.blocks.pop_front().is_some() {
            self.gone = self.gone.saturating_add(1);
        }
    }
}

/// One worker's way through them.
pub struct Turns {
    blocks: Arc<Blocks>,
    worker: usize,
}

impl Blocks {
    pub fn new(reader: Reader, dispatch: Dispatch, workers: usize) -> Arc<Blocks> {
        let ready = Ready { taken: vec![0; workers], ..Ready::default() };
        Arc::new(Blocks {
            shared: Arc::clone(&reader.shared),
            reading: Mutex::new((reader, dispatch)),
            ready: Mutex::new(ready),
            taken: Condvar::new(),
        })
    }

    pub fn turns(self: &Arc<Self>, worker: usize) -> Turns {
        Turns { blocks: Arc::clone(self), worker }
    }

    /// The worker's next block if it is ready; it waits while it is too far ahead to have one read.
    fn ready(&self, worker: usize) -> Option<Named> {
        let mut ready = lock(&self.ready);
        loop {
            if let Some(named) = ready.next(worker) {
                let named = (Arc::clone(&named.0), Arc::clone(&named.1));
                if let Some(taken) = ready.taken.get_mut(worker) {
                    *taken = taken.saturating_add(1);
                }
                ready.let_go();
                self.taken.notify_all();
                return Some(named);
            }
            if ready.blocks.len() < BLOCKS_MAX || self.shared.stop.load(Ordering::Relaxed) {
                return None;
            }
            let waited = self.taken.wait_timeout(ready, LOOK);
            ready = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn next(&self, worker: usize) -> Option<Named> {
        if let Some(named) = self.ready(worker) {
            return Some(named);
        }
        let mut reading = lock(&self.reading);
        // Another may have read it meanwhile.
        if let Some(named) = self.ready(worker) {
            return Some(named);
        }
        let (reader, dispatch) = &mut *reading;
        let mut block = lock(&self.ready).spare.pop().unwrap_or_default();
        let name = loop {
            let name = reader.file()?;
            reader.frames(|frame, number| {
                let worker = dispatch.of_frame(frame).and_then(|worker| u16::try_from(worker).ok());
                block.push(frame, number, worker);
                !block.is_full()
            });
            if !block.is_empty() {
                break name;
            }
        };
        lock(&self.ready).blocks.push_back((Arc::new(block), name));
        drop(reading);
        self.ready(worker)
    }
}

impl Turns {
    /// Gives every frame, with its number, whose it is (`Dispatch::of_frame`) and its file's name.
    pub fn each(self, mut take: impl FnMut(&Frame<'_>, u64, Option<u16>, &Arc<str>)) {
        while let Some((block, name)) = self.blocks.next(self.worker) {
            block.each(|frame, number, whose| take(frame, number, whose, &name));
            if let Some(mut block) = Arc::into_inner(block) {
                block.clear();
                lock(&self.blocks.ready).spare.push(block);
            }
        }
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        // It takes nothing more, and nobody waits for it.
        let mut ready = lock(&self.blocks.ready);
        if let Some(taken) = ready.taken.get_mut(self.worker) {
            *taken = u64::MAX;
        }
        ready.let_go();
        self.blocks.taken.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode;
    use crate::team::Team;
    use std::sync::atomic::{AtomicBool, AtomicU64};

    /// Frames of raw IPv4 (link type 101) with a number in them, in files of `count` each.
    fn files(name: &str, files: u32, count: u32) -> Vec<PathBuf> {
        let file = |at: u32| {
            let mut data = Vec::new();
            let header: [u32; 6] = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65535, 101];
            header.iter().for_each(|word| data.extend(word.to_le_bytes()));
            for frame in 0..count {
                [frame, 0, 300, 300].iter().for_each(|word| data.extend(word.to_le_bytes()));
                let start = data.len();
                data.extend([0x45, 0, 1, 44, 0, 0, 0, 0, 64, 6]);
                data.extend([0, 0, 10, 0, 0, (frame % 200) as u8, 10, 1, 0, 1]);
                data.resize(start + 300, 0);
            }
            let path = std::env::temp_dir().join(format!("haidang-{name}-{}-{at}", std::process::id()));
            std::fs::write(&path, data).unwrap();
            path
        };
        (0..files).map(file).collect()
    }

    fn shared() -> Arc<Shared> {
        Arc::new(Shared {
            stop: AtomicBool::new(false),
            bytes_read: AtomicU64::new(0),
            bytes_total: 0,
            warnings: Mutex::default(),
            counters: Mutex::default(),
            quarantined: Mutex::default(),
            running: Mutex::new(0),
        })
    }

    fn blocks(shared: &Arc<Shared>, paths: &[PathBuf], workers: usize) -> Arc<Blocks> {
        let filter = CaptureFilter::new(&serde_json::Value::Null).unwrap();
        let reader = Reader::new(Arc::clone(shared), paths.to_vec(), filter);
        let seen = Arc::clone(&Team::make(workers)[0].team().seen);
        Blocks::new(reader, Dispatch::new(workers, &decode::Config::default(), &seen), workers)
    }

    #[test]
    fn every_worker_gets_all_frames_in_order_though_one_lags_and_one_leaves() {
        const FRAMES: u32 = 70_000;
        let mut paths = files("blocks", 3, FRAMES);
        paths.insert(1, "absent".into());
        let shared = shared();
        let blocks = blocks(&shared, &paths, 3);
        drop(blocks.turns(2));
        let walk = |worker: usize| {
            let (turns, ready) = (blocks.turns(worker), Arc::clone(&blocks));
            std::thread::spawn(move || {
                let (mut own, mut last) = (0u64, 0);
                turns.each(|frame, number, whose, name| {
                    assert_eq!(number, last + 1);
                    last = number;
                    own += u64::from(whose.unwrap() == worker as u16);
                    let at = (number - 1) / u64::from(FRAMES);
                    assert!(name.ends_with(&format!("-{at}")) && frame.data.len() == 300, "{name}");
                    if worker == 0 && number % 20_000 == 0 {
                        std::thread::sleep(Duration::from_millis(20));
                        assert!(lock(&ready.ready).blocks.len() <= BLOCKS_MAX);
                    }
                });
                (own, last)
            })
        };
        let [one, two] = [walk(0), walk(1)].map(|thread| thread.join().unwrap());
        assert_eq!((one.1, two.1), (3 * u64::from(FRAMES), 3 * u64::from(FRAMES)));
        assert!(one.0 > 0 && two.0 > 0 && one.0 + two.0 < one.1, "the third has some too");
        assert_eq!(lock(&shared.warnings).len(), 1, "told once: {:?}", lock(&shared.warnings));
        paths.retain(|path| path.exists());
        paths.iter().for_each(|path| std::fs::remove_file(path).unwrap());
    }

    #[test]
    fn all_stop_at_one_frame() {
        let paths = files("stop", 1, 50_000);
        let shared = shared();
        let blocks = blocks(&shared, &paths, 2);
        let mut ends = [0u64; 2];
        for (worker, end) in ends.iter_mut().enumerate() {
            blocks.turns(worker).each(|_, number, _, _| {
                *end = number;
                if number == 5_000 {
                    shared.stop.store(true, Ordering::Relaxed);
                }
            });
        }
        assert!((5_000..50_000).contains(&ends[0]) && ends[0] == ends[1], "{ends:?}");
        paths.iter().for_each(|path| std::fs::remove_file(path).unwrap());
    }
}
