//! Captures through one worker with somebody looking on: for `rules explain` and `rules profile`. Events are made, so that all
//! goes as it does in a replay, and thrown away.

use crate::capture::bpf::CaptureFilter;
use crate::capture::{self, Source};
use crate::detect::ruleset::Ruleset;
use crate::detect::watch::Watch;
use crate::team::Team;
use crate::worker::Worker;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;

/// Events are thrown away in heaps of about this size.
const HEAP_BYTES: usize = 256 * 1024;

/// What came of it.
pub struct Watched {
    /// What the watch reports.
    pub report: Value,
    /// What is wrong with the files, one sentence each.
    pub warnings: Vec<String>,
    /// As in a replay's stats.
    pub counters: Vec<(String, u64)>,
}

/// Runs captures, in order, frames numbered through all of them. Errors are those of the configuration.
pub fn replay(
    document: &Value,
    rules: &Arc<Ruleset>,
    paths: &[PathBuf],
    watch: Box<dyn Watch>,
) -> Result<Watched, String> {
    let filter = CaptureFilter::new(document)?;
    let mut warnings = Vec::new();
    let members = Team::make(1);
    let member = members.first().ok_or("no worker")?;
    let mut worker = Worker::new(document, Arc::clone(rules), member)?;
    worker.watch_with(watch);
    member.join();
    let mut number = 0u64;
    for path in paths {
        let mut source = match capture::open(path) {
            Ok(source) => source,
            Err(error) => {
                warnings.push(error.to_string());
                continue;
            }
        };
        while let Some(frame) = source.next() {
            match frame {
                Err(error) => warnings.push(error.to_string()),
                Ok(frame) if !filter.admits(frame.link_type, frame.data, frame.wire_len) => {}
                Ok(frame) => {
                    number = number.saturating_add(1);
                    worker.packet(&frame, number, drop_events);
                }
            }
        }
        warnings.extend(source.warnings().iter().cloned());
    }
    worker.finish(drop_events);
    let report = worker.end_watch();
    let counters = worker.counters();
    member.leave();
    Ok(Watched { report, warnings, counters })
}

fn drop_events(worker: &mut Worker) {
    if worker.pending_bytes() >= HEAP_BYTES {
        drop(worker.take_events());
    }
}
