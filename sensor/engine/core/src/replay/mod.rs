//! Replay: captures in, batches of events out, on threads of their own.
//!
//! Frames are read once. Every worker goes through all of them and takes those packets that are its own (`dispatch`), so that
//! all see the same time. What comes out is the same with any number of workers, after sorting.

mod captures;
mod runner;

use crate::capture::bpf::CaptureFilter;
use crate::config::Config;
use crate::detect::ruleset::Ruleset;
use crate::dispatch::Dispatch;
use crate::event::Batch;
use crate::quarantine;
use crate::reload::Handover;
use crate::team::{lock, Team};
use crate::threads::Threads;
use crate::totals;
use crate::worker::{Quarantined, Worker};
use captures::{Blocks, Reader};
use runner::Runner;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Batches that may wait to be fetched; then the workers wait: a replay loses nothing.
const BATCHES_WAITING: usize = 16;

/// What the threads tell the outside, and one another at the end.
struct Shared {
    stop: AtomicBool,
    bytes_read: AtomicU64,
    bytes_total: u64,
    warnings: Mutex<Vec<String>>,
    counters: Mutex<Vec<(String, u64)>>,
    quarantined: Mutex<Vec<Quarantined>>,
    /// Workers that have not finished.
    running: Mutex<usize>,
}

impl Shared {
    fn warn(&self, text: String) {
        lock(&self.warnings).push(text);
    }

    fn progress(&self, bytes: u64) {
        self.bytes_read.store(bytes, Ordering::Relaxed);
    }

    /// Adds a worker's counters to the sum, by name.
    fn add_counters(&self, more: Vec<(String, u64)>) {
        totals::add(&mut lock(&self.counters), more);
    }

    fn settle_counters(&self) {
        totals::settle(&mut lock(&self.counters));
    }
}

/// A replay in progress.
pub struct Replay {
    shared: Arc<Shared>,
    threads: Threads,
}

impl Replay {
    /// Starts reading `paths` in order. Errors are those of the configuration; what is wrong with a file becomes a warning.
    pub fn start(
        document: &Value,
        rules: &Arc<Ruleset>,
        paths: Vec<PathBuf>,
        workers: usize,
    ) -> Result<Replay, String> {
        let workers = workers.max(1);
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            bytes_read: AtomicU64::new(0),
            bytes_total: paths.iter().filter_map(|p| std::fs::metadata(p).ok()).map(|m| m.len()).sum(),
            warnings: Mutex::default(),
            counters: Mutex::default(),
            quarantined: Mutex::default(),
            running: Mutex::new(workers),
        });
        let reader = Reader::new(Arc::clone(&shared), paths, CaptureFilter::new(document)?);
        let (sender, batches) = sync_channel(BATCHES_WAITING);
        let quarantine = quarantine::path(document);
        let mut runners = Vec::new();
        let handover = Arc::new(Handover::new(rules, workers));
        let members = Team::make(workers);
        let seen = members.first().map(|member| Arc::clone(&member.team().seen)).unwrap_or_default();
        for member in members {
            let worker = Worker::new(document, Arc::clone(rules), &member)?;
            let edges = handover.edges(member.number);
            runners.push(Runner::new(worker, member, &shared, &sender, &quarantine, edges));
        }
        drop(sender);
        let mut threads = Threads::new(batches, handover);
        if workers == 1 {
            if let Some(runner) = runners.pop() {
                threads.spawn("worker-0".to_owned(), move || runner.alone(reader))?;
            }
            return Ok(Replay { shared, threads });
        }
        let dispatch = Dispatch::new(workers, &Config::new(document)?.decode, &seen);
        let blocks = Blocks::new(reader, dispatch, workers);
        for (at, runner) in runners.into_iter().enumerate() {
            let turns = blocks.turns(at);
            threads.spawn(format!("worker-{at}"), move || runner.among_others(turns))?;
        }
        Ok(Replay { shared, threads })
    }

    /// The next batch, or None when none came in time or all is done (`finished`).
    pub fn next_batch(&mut self, timeout: Duration) -> Option<Batch> {
        let shared = &self.shared;
        self.threads.next_batch(timeout, |text| shared.warn(text))
    }

    /// Where a new ruleset may be offered to the workers.
    pub fn handover(&self) -> &Arc<Handover> {
        self.threads.handover()
    }

    /// Every packet is through and every batch was fetched.
    pub fn finished(&self) -> bool {
        self.threads.finished()
    }

    /// (bytes read, bytes in all)
    pub fn progress(&self) -> (u64, u64) {
        (self.shared.bytes_read.load(Ordering::Relaxed), self.shared.bytes_total)
    }

    pub fn warnings(&self) -> Vec<String> {
        lock(&self.shared.warnings).clone()
    }

    /// Counters summed over workers that have finished.
    pub fn counters(&self) -> Vec<(String, u64)> {
        lock(&self.shared.counters).clone()
    }

    /// Stop after the packets in hand; what is pending is still flushed.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        self.stop();
        let shared = &self.shared;
        self.threads.end(|text| shared.warn(text));
    }
}
