//! Replay: captures in, batches of events out, on threads of their own.
//!
//! One worker reads and inspects on one thread. With more, a reader hands frames to workers by the hash of the address
//! pair, so that both directions of every flow, and all fragments of a datagram, meet in one worker.

use crate::capture::bpf::CaptureFilter;
use crate::capture::{self, Frame, Source};
use crate::detect::ruleset::Ruleset;
use crate::dispatch::{self, FrameBatch};
use crate::event::Batch;
use crate::quarantine;
use crate::stage_clock;
use crate::time::Timestamp;
use crate::worker::Worker;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{sync_channel, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Events are handed over in batches of about this size, so that the other side has few calls and bounded memory.
const BATCH_BYTES: usize = 256 * 1024;

/// Batches that may wait to be fetched; then the workers wait: a replay loses nothing.
const BATCHES_WAITING: usize = 16;

/// Batches of frames that may wait for a worker.
const FRAME_BATCHES_WAITING: usize = 8;

/// What the threads tell the outside.
#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    bytes_read: AtomicU64,
    bytes_total: AtomicU64,
    warnings: Mutex<Vec<String>>,
    counters: Mutex<Vec<(String, u64)>>,
}

impl Shared {
    fn warn(&self, text: String) {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }

    /// Adds a worker's counters to the sum, by name.
    fn add_counters(&self, more: Vec<(String, u64)>) {
        let mut sum = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, value) in more {
            match sum.iter_mut().find(|(known, _)| *known == name) {
                Some((_, total)) if name.contains("max") || name.contains("avg") => {
                    *total = (*total).max(value)
                }
                Some((_, total)) => *total = total.saturating_add(value),
                None => sum.push((name, value)),
            }
        }
    }
}

/// A replay in progress.
pub struct Replay {
    shared: Arc<Shared>,
    batches: Receiver<Batch>,
    threads: Vec<JoinHandle<()>>,
    rules: Arc<Ruleset>,
    finished: bool,
}

impl Replay {
    /// Starts reading `paths` in order. Errors are those of the configuration; what is wrong with a file becomes a warning.
    pub fn start(
        document: &Value,
        rules: &Arc<Ruleset>,
        paths: Vec<PathBuf>,
        workers: usize,
    ) -> Result<Replay, String> {
        let shared = Arc::new(Shared::default());
        let total: u64 = paths.iter().filter_map(|p| std::fs::metadata(p).ok()).map(|m| m.len()).sum();
        shared.bytes_total.store(total, Ordering::Relaxed);
        let (sender, batches) = sync_channel(BATCHES_WAITING);
        let quarantine = quarantine::path(document);
        let filter = Arc::new(CaptureFilter::new(document)?);
        let mut made = Vec::new();
        for _ in 0..workers.max(1) {
            let worker = Worker::new(document, Arc::clone(rules))?;
            made.push(Runner {
                worker,
                shared: Arc::clone(&shared),
                sender: sender.clone(),
                quarantine: quarantine.clone(),
            });
        }
        drop(sender);
        let mut threads = Vec::new();
        let spawn = |name: String, body: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new()
                .name(name)
                .spawn(body)
                .map_err(|e| format!("cannot start a thread: {e}"))
        };
        if made.len() == 1 {
            for mut runner in made {
                let (shared, filter) = (Arc::clone(&shared), Arc::clone(&filter));
                let reader = Reader { shared, paths: paths.clone(), filter };
                threads.push(spawn(
                    "worker-0".to_owned(),
                    Box::new(move || {
                        reader.each(|frame, number, file| {
                            runner.worker.set_file(file);
                            runner.frame(frame, number);
                        });
                        runner.finish(None);
                    }),
                )?);
            }
        } else {
            let workers = made.len();
            let mut senders = Vec::new();
            let last = Arc::new(Mutex::new(workers));
            for (at, mut runner) in made.into_iter().enumerate() {
                let (to_worker, frames) = sync_channel::<FrameBatch>(FRAME_BATCHES_WAITING);
                senders.push(to_worker);
                let last = Arc::clone(&last);
                threads.push(spawn(
                    format!("worker-{at}"),
                    Box::new(move || {
                        while let Ok(batch) = frames.recv() {
                            if let Some(file) = batch.file() {
                                runner.worker.set_file(file);
                            }
                            batch.each(|frame, number| runner.frame(frame, number));
                        }
                        runner.finish(Some(&last));
                    }),
                )?);
            }
            let reader = Reader { shared: Arc::clone(&shared), paths, filter };
            threads.push(spawn(
                "reader".to_owned(),
                Box::new(move || {
                    let mut open: Vec<FrameBatch> = senders.iter().map(|_| FrameBatch::default()).collect();
                    let send = |at: usize, batch: FrameBatch| {
                        if let Some(sender) = senders.get(at) {
                            // A worker is gone only when the replay is being dropped.
                            let _ = sender.send(batch);
                        }
                    };
                    reader.each(|frame, number, file| {
                        let at = dispatch::worker_of(frame, senders.len());
                        if let Some(batch) = open.get_mut(at) {
                            if batch.is_of_another(file) {
                                send(at, std::mem::take(batch));
                            }
                            batch.push(frame, number, file);
                            if batch.is_full() {
                                send(at, std::mem::take(batch));
                            }
                        }
                    });
                    for (at, batch) in open.into_iter().enumerate() {
                        send(at, batch);
                    }
                }),
            )?);
        }
        Ok(Replay { shared, batches, threads, rules: Arc::clone(rules), finished: false })
    }

    /// The next batch, or None when none came in time or all is done (`finished`).
    pub fn next_batch(&mut self, timeout: Duration) -> Option<Batch> {
        match self.batches.recv_timeout(timeout) {
            Ok(batch) => Some(batch),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                for thread in self.threads.drain(..) {
                    if thread.join().is_err() {
                        self.shared.warn("a worker thread died; its events are incomplete".to_owned());
                    }
                }
                if !self.finished {
                    self.rules.save_datasets().into_iter().for_each(|reason| self.shared.warn(reason));
                }
                self.finished = true;
                None
            }
        }
    }

    /// Every packet is through and every batch was fetched.
    pub fn finished(&self) -> bool {
        self.finished
    }

    /// (bytes read, bytes in all)
    pub fn progress(&self) -> (u64, u64) {
        (self.shared.bytes_read.load(Ordering::Relaxed), self.shared.bytes_total.load(Ordering::Relaxed))
    }

    pub fn warnings(&self) -> Vec<String> {
        self.shared.warnings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counters summed over workers that have finished.
    pub fn counters(&self) -> Vec<(String, u64)> {
        self.shared.counters.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stop after the packets in hand; what is pending is still flushed.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        self.stop();
        // Whoever waits for room gets it, so that no thread outlives the replay.
        while !self.threads.is_empty() {
            if self.next_batch(Duration::from_millis(100)).is_none() && self.finished {
                break;
            }
        }
    }
}

struct Reader {
    shared: Arc<Shared>,
    paths: Vec<PathBuf>,
    filter: Arc<CaptureFilter>,
}

impl Reader {
    /// Gives every frame of every file, numbered from 1 through all of them, with the file's name.
    fn each(&self, mut take: impl FnMut(&Frame<'_>, u64, &Arc<str>)) {
        let mut number = 0u64;
        let mut done_bytes = 0u64;
        for path in &self.paths {
            let name: Arc<str> = path.to_string_lossy().into();
            let mut source = match capture::open(path) {
                Ok(source) => source,
                Err(error) => {
                    self.shared.warn(error.to_string());
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
                        self.shared.warn(error.to_string());
                        break;
                    }
                    // Frames that the filter leaves out are as if they had not been captured.
                    Some(Ok(frame)) if !self.filter.admits(frame.link_type, frame.data, frame.wire_len) => {}
                    Some(Ok(frame)) => {
                        number = number.saturating_add(1);
                        take(&frame, number, &name);
                    }
                }
                if number % 1024 == 0 {
                    let at = done_bytes.saturating_add(source.position().0);
                    self.shared.bytes_read.store(at, Ordering::Relaxed);
                }
            }
            let (read, _) = source.position();
            done_bytes = done_bytes.saturating_add(read);
            self.shared.bytes_read.store(done_bytes, Ordering::Relaxed);
            for warning in source.warnings() {
                self.shared.warn(warning.clone());
            }
        }
    }
}

struct Runner {
    worker: Worker,
    shared: Arc<Shared>,
    sender: SyncSender<Batch>,
    quarantine: Option<PathBuf>,
}

impl Runner {
    fn frame(&mut self, frame: &Frame<'_>, number: u64) {
        self.worker.packet(frame, number);
        if self.worker.pending_bytes() >= BATCH_BYTES {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if let Some(batch) = self.worker.take_events() {
            // The receiver is gone only when the replay is being dropped.
            let _ = self.sender.send(batch);
        }
    }

    /// Ends all flows and writes the stats event; with several workers (`running`: how many are left) the last one does.
    fn finish(&mut self, running: Option<&Mutex<usize>>) {
        let sender = &self.sender;
        self.worker.finish(|worker| {
            if worker.pending_bytes() >= BATCH_BYTES {
                // The receiver is gone only when the replay is being dropped.
                worker.take_events().into_iter().for_each(|batch| drop(sender.send(batch)));
            }
        });
        self.shared.add_counters(self.worker.counters());
        self.shared.add_counters(stage_clock::take());
        if let (Some(path), false) = (&self.quarantine, self.worker.quarantine.is_empty()) {
            match quarantine::write(path, &self.worker.quarantine) {
                Ok(()) => self.shared.warn(format!(
                    "{} packets made a stage fail; they are in {}: please report them",
                    self.worker.quarantine.len(),
                    path.display()
                )),
                Err(error) => {
                    self.shared.warn(format!("{}: cannot write quarantined packets: {error}", path.display()))
                }
            }
        }
        let last = running.is_none_or(|count| {
            let mut count = count.lock().unwrap_or_else(PoisonError::into_inner);
            *count = count.saturating_sub(1);
            *count == 0
        });
        if last {
            let mut counters = self.shared.counters.lock().unwrap_or_else(PoisonError::into_inner).clone();
            counters.sort();
            let first: Timestamp = self.worker.started();
            let uptime = self.worker.now().seconds_since(first);
            self.worker.stats(uptime, &counters);
        }
        self.flush();
    }
}
