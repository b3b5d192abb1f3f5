//! The captures of a replay as its readers see them: file after file, frames numbered through all of them. Each reader reads for
//! itself; what cannot be read twice (a pipe) has one reader, which hands frames to all workers.

use super::Shared;
use crate::capture::bpf::CaptureFilter;
use crate::capture::{self, CaptureError, FileSource, Frame, SharedFile, Source};
use crate::dispatch::FrameBatch;
use crate::team::lock;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, Mutex};

/// Frames between two looks at the clock of progress.
const PROGRESS_FRAMES: u64 = 1024;

pub struct Captures {
    shared: Arc<Shared>,
    paths: Vec<PathBuf>,
    filter: CaptureFilter,
    readers: usize,
    /// Files under way, by their place in `paths`.
    open: Mutex<HashMap<usize, Opened>>,
}

struct Opened {
    /// None: it cannot be opened, which was told.
    file: Option<Arc<SharedFile>>,
    /// Readers who have still to come.
    awaited: usize,
}

/// Whether every reader can read it for itself. What is missing is told when its turn comes.
pub fn is_shareable(path: &Path) -> bool {
    path.as_os_str() != "-" && std::fs::metadata(path).map_or(true, |facts| facts.is_file() || facts.is_dir())
}

impl Captures {
    pub fn new(shared: Arc<Shared>, paths: Vec<PathBuf>, filter: CaptureFilter, readers: usize) -> Captures {
        Captures { shared, paths, filter, readers, open: Mutex::default() }
    }

    /// Gives every frame of every file, numbered from 1 through all of them, with the file's name. Every reader gets the same.
    pub fn each(&self, reader: usize, mut take: impl FnMut(&Frame<'_>, u64, &Arc<str>)) {
        let mut number = 0u64;
        let mut done_bytes = 0u64;
        for (at, path) in self.paths.iter().enumerate() {
            let name: Arc<str> = path.to_string_lossy().into();
            let mut source = match self.source(at, path) {
                Ok(Some(source)) => source,
                Ok(None) => continue,
                Err(error) => {
                    self.warn(reader, error.to_string());
                    continue;
                }
            };
            loop {
                if self.shared.stop.load(Ordering::Relaxed) {
                    return;
                }
                match source.next() {
                    None => break,
                    Some(Err(error)) => {
                        self.warn(reader, error.to_string());
                        break;
                    }
                    // Frames that the filter leaves out are as if they had not been captured.
                    Some(Ok(frame)) if !self.filter.admits(frame.link_type, frame.data, frame.wire_len) => {}
                    Some(Ok(frame)) => {
                        number = number.saturating_add(1);
                        take(&frame, number, &name);
                    }
                }
                if number % PROGRESS_FRAMES == 0 {
                    self.shared.progress(reader, done_bytes.saturating_add(source.position().0));
                }
            }
            done_bytes = done_bytes.saturating_add(source.position().0);
            self.shared.progress(reader, done_bytes);
            for warning in source.warnings() {
                self.warn(reader, warning.clone());
            }
        }
    }

    /// All readers see the same: one tells of it.
    fn warn(&self, reader: usize, text: String) {
        if reader == 0 {
            self.shared.warn(text);
        }
    }

    /// None: it cannot be opened, which was told.
    fn source(&self, at: usize, path: &Path) -> Result<Option<FileSource>, CaptureError> {
        if !is_shareable(path) {
            return capture::open(path).map(Some);
        }
        let file = {
            let mut open = lock(&self.open);
            let opened = open.entry(at).or_insert_with(|| {
                let file = SharedFile::open(path).map(Arc::new);
                let file = file.map_err(|error| self.shared.warn(error.to_string())).ok();
                Opened { file, awaited: self.readers }
            });
            opened.awaited = opened.awaited.saturating_sub(1);
            let file = opened.file.clone();
            if opened.awaited == 0 {
                open.remove(&at);
            }
            file
        };
        file.map(|file| capture::open_shared(&file)).transpose()
    }

    /// Reads for workers that cannot: every frame goes to all of them, copied once.
    pub fn hand_out(&self, workers: &[SyncSender<Arc<FrameBatch>>]) {
        let mut open = FrameBatch::default();
        // A worker is gone only when the replay is being dropped.
        let send = |batch: FrameBatch| {
            let batch = Arc::new(batch);
            workers.iter().for_each(|worker| drop(worker.send(Arc::clone(&batch))));
        };
        self.each(0, |frame, number, file| {
            if open.is_of_another(file) {
                send(std::mem::take(&mut open));
            }
            open.push(frame, number, file);
            if open.is_full() {
                send(std::mem::take(&mut open));
            }
        });
        send(open);
    }
}

/// Takes what `hand_out` gives.
pub fn handed(frames: &Receiver<Arc<FrameBatch>>, mut take: impl FnMut(&Frame<'_>, u64, &Arc<str>)) {
    while let Ok(batch) = frames.recv() {
        if let Some(file) = batch.file() {
            batch.each(|frame, number| take(frame, number, file));
        }
    }
}
