//! The threads of a replay or a live capture as whoever fetches their batches sees them. Knows neither captures nor rings.

use crate::event::Batch;
use crate::reload::Handover;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// How long one look for a batch lasts while all are waited for.
const LOOK: Duration = Duration::from_millis(100);

pub struct Threads {
    batches: Receiver<Batch>,
    running: Vec<JoinHandle<()>>,
    handover: Arc<Handover>,
    finished: bool,
}

impl Threads {
    /// None runs yet. `batches`: closed when the last of them has ended.
    pub fn new(batches: Receiver<Batch>, handover: Arc<Handover>) -> Threads {
        Threads { batches, running: Vec::new(), handover, finished: false }
    }

    pub fn spawn(&mut self, name: String, body: impl FnOnce() + Send + 'static) -> Result<(), String> {
        let thread = std::thread::Builder::new().name(name).spawn(body);
        self.running.push(thread.map_err(|e| format!("cannot start a thread: {e}"))?);
        Ok(())
    }

    /// The next batch, or None when none came in time or all is done (`finished`). Here what a reload retired is freed, and
    /// at the end data sets are saved.
    pub fn next_batch(&mut self, timeout: Duration, warn: impl Fn(String)) -> Option<Batch> {
        self.handover.clear().into_iter().for_each(&warn);
        match self.batches.recv_timeout(timeout) {
            Ok(batch) => Some(batch),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                for thread in self.running.drain(..) {
                    if thread.join().is_err() {
                        warn("a worker thread died; its events are incomplete".to_owned());
                    }
                }
                if !self.finished {
                    self.handover.current().save_datasets().into_iter().for_each(&warn);
                }
                self.finished = true;
                None
            }
        }
    }

    /// Where a new ruleset may be offered to the workers.
    pub fn handover(&self) -> &Arc<Handover> {
        &self.handover
    }

    /// All have ended, and every batch was fetched.
    pub fn finished(&self) -> bool {
        self.finished
    }

    /// Drops what comes until all have ended: whoever waits for room gets it, so that none is left behind.
    pub fn end(&mut self, warn: impl Fn(String)) {
        while !self.running.is_empty() {
            if self.next_batch(LOOK, &warn).is_none() && self.finished {
                break;
            }
        }
    }
}
