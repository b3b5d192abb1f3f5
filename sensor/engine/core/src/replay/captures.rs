//! The captures of a replay: file after file, frames numbered through all of them. They are read once. One worker takes frames
//! as they are read; several take blocks of them, which whoever is furthest reads for all.

use super::Shared;
use crate::capture::bpf::CaptureFilter;
use crate::capture::{self, FileSource, Frame, Source};
use crate::dispatch::{Block, Dispatch, Entry};
use crate::team::lock;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Frames between two looks at the clock of progress.
const PROGRESS_FRAMES: u64 = 1024;

/// Bytes between the worker furthest behind and the one furthest ahead, who then waits.
const BYTES_MAX: usize = 32 << 20;

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
    /// The block that is being filled, for `block` alone.
    begun: Block,
}

impl Reader {
    pub fn new(shared: Arc<Shared>, paths: Vec<PathBuf>, filter: CaptureFilter) -> Reader {
        let (paths, begun) = (paths.into_iter(), Block::default());
        Reader { shared, filter, paths, open: None, number: 0, done_bytes: 0, begun }
    }

    /// The name of the file that is read now; None: all are read, or the replay is to stop.
    fn file(&mut self) -> Option<Arc<str>> {
        // Before another is opened: a pipe's other end may never come.
        if self.shared.stop.load(Ordering::Relaxed) {
            return None;
        }
        while self.open.is_none() {
            let path = self.paths.next()?;
            match capture::open(&path) {
                Ok(source) => self.open = Some((source, path.to_string_lossy().into())),
                Err(error) => self.shared.warn(error.to_string()),
            }
        }
        self.open.as_ref().map(|(_, name)| Arc::clone(name))
    }

    /// What `make` makes of the next frame of the file that is read now, where it begins in its buffer, and its number; None:
    /// there is no other, or the replay is to stop.
    #[inline]
    fn next<T>(&mut self, make: impl FnOnce(&Frame<'_>, usize, u64) -> T) -> Option<T> {
        let (source, _) = self.open.as_mut()?;
        loop {
            if self.number % PROGRESS_FRAMES == 0 {
                self.shared.progress(self.done_bytes.saturating_add(source.position().0));
                if self.shared.stop.load(Ordering::Relaxed) {
                    return None;
                }
            }
            match source.next_placed()? {
                Err(error) => {
                    self.shared.warn(error.to_string());
                    return None;
                }
                // Frames that the filter leaves out are as if they had not been captured.
                Ok((frame, _)) if !self.filter.admits(frame.link_type, frame.data, frame.wire_len) => {}
                Ok((frame, place)) => {
                    self.number = self.number.saturating_add(1);
                    return Some(make(&frame, place, self.number));
                }
            }
        }
    }

    /// The file that is read now is over.
    fn end(&mut self) {
        let Some((source, _)) = self.open.take() else { return };
        self.done_bytes = self.done_bytes.saturating_add(source.position().0);
        self.shared.progress(self.done_bytes);
        source.warnings().iter().for_each(|warning| self.shared.warn(warning.clone()));
    }

    /// Gives every frame, with its number and its file's name.
    pub fn each(mut self, mut take: impl FnMut(&Frame<'_>, u64, &Arc<str>)) {
        while let Some(name) = self.file() {
            while self.next(|frame, _, number| take(frame, number, &name)).is_some() {}
            self.end();
        }
    }

    /// The next frames of a file, where they were read, and its name; None: as for `file`. `spare` is filled with those after
    /// them.
    fn block(&mut self, dispatch: &Dispatch, mut spare: Block) -> Option<(Block, Arc<str>)> {
        loop {
            let name = self.file()?;
            if let Some((source, _)) = &mut self.open {
                source.hand_over(spare.clear());
            }
            while let Some(entry) = self.next(|frame, place, number| {
                let worker = dispatch.of_frame(frame).and_then(|worker| u16::try_from(worker).ok());
                Entry::new(frame, place, number, worker)
            }) {
                let given = self.open.as_mut().and_then(|(source, _)| source.given());
                let Some(buffer) = given else {
                    self.begun.push(entry);
                    continue;
                };
                let mut block = std::mem::replace(&mut self.begun, spare);
                self.begun.push(entry);
                block.fill(buffer);
                if !block.is_empty() {
                    return Some((block, name));
                }
                spare = block;
            }
            let mut block = std::mem::take(&mut self.begun);
            block.fill(self.open.as_mut().map(|(source, _)| source.last()).unwrap_or_default());
            self.end();
            if !block.is_empty() {
                return Some((block, name));
            }
            spare = block;
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
    /// To be filled again.
    spare: Vec<Block>,
}

impl Ready {
    fn next(&self, worker: usize) -> Option<&Named> {
        let at = self.taken.get(worker)?.checked_sub(self.gone)?;
        self.blocks.get(usize::try_from(at).ok()?)
    }

    fn bytes(&self) -> usize {
        self.blocks.iter().fold(0, |sum, (block, _)| sum.saturating_add(block.bytes()))
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
            if ready.bytes() < BYTES_MAX || self.shared.stop.load(Ordering::Relaxed) {
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
        let spare = lock(&self.ready).spare.pop().unwrap_or_default();
        let (block, name) = reader.block(dispatch, spare)?;
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
            if let Some(block) = Arc::into_inner(block) {
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

    /// Most frames fit into a buffer; one in the middle does not.
    fn length(frame: u32) -> usize {
        if frame == 3_333 {
            400_000
        } else {
            300 + frame as usize * 37 % 900
        }
    }

    /// Frames of raw IPv4 (link type 101) with a number in them, in files of `count` each.
    fn files(name: &str, files: u32, count: u32) -> Vec<PathBuf> {
        let file = |at: u32| {
            let mut data = Vec::new();
            let header: [u32; 6] = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65535, 101];
            header.iter().for_each(|word| data.extend(word.to_le_bytes()));
            for frame in 0..count {
                let length = length(frame);
                [frame, 0, length as u32, length as u32]
                    .iter()
                    .for_each(|word| data.extend(word.to_le_bytes()));
                let start = data.len();
                data.extend([0x45, 0, 1, 44, 0, 0, 0, 0, 64, 6]);
                data.extend([0, 0, 10, 0, 0, (frame % 200) as u8, 10, 1, 0, 1]);
                data.resize(start + length - 1, frame as u8);
                data.push(!frame as u8);
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
        const FRAMES: u32 = 30_000;
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
                    let (at, count) = ((number - 1) / u64::from(FRAMES), (number - 1) as u32 % FRAMES);
                    assert!(name.ends_with(&format!("-{at}")) && frame.data.len() == length(count), "{name}");
                    let (inner, last) = (frame.data[20..].split_last().unwrap(), !count as u8);
                    assert!(inner.1.iter().all(|byte| *byte == count as u8) && *inner.0 == last);
                    if worker == 0 && number % 10_000 == 0 {
                        std::thread::sleep(Duration::from_millis(20));
                        assert!(lock(&ready.ready).bytes() <= BYTES_MAX + 1_000_000);
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
        let mut paths = files("stop", 1, 50_000);
        paths.push("absent".into());
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
        assert!(lock(&shared.warnings).is_empty(), "no other file is opened");
        paths.retain(|path| path.exists());
        paths.iter().for_each(|path| std::fs::remove_file(path).unwrap());
    }
}
