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
