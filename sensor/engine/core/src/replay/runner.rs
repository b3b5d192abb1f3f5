//! A worker on its thread: frames in, batches of events out, and at the end what only the last one can tell.

use super::captures::{Reader, Turns};
use super::Shared;
use crate::capture::Frame;
use crate::event::{Batch, BATCH_BYTES_MAX};
use crate::quarantine;
use crate::reload::Edges;
use crate::stage_clock;
use crate::team::{lock, Member};
use crate::time::Timestamp;
use crate::worker::{Quarantined, Worker};
use std::path::PathBuf;
use std::sync::mpsc::SyncSender;
use std::sync::Arc;

pub struct Runner {
    worker: Worker,
    member: Member,
    shared: Arc<Shared>,
    sender: SyncSender<Batch>,
    edges: Edges,
    /// Where packets go on which a stage failed.
    quarantine: Option<PathBuf>,
}

impl Runner {
    pub fn new(
        worker: Worker,
        member: Member,
        shared: &Arc<Shared>,
        sender: &SyncSender<Batch>,
        quarantine: &Option<PathBuf>,
        edges: Edges,
    ) -> Runner {
        let (shared, sender, quarantine) = (Arc::clone(shared), sender.clone(), quarantine.clone());
        Runner { worker, member, shared, sender, edges, quarantine }
    }

    /// Takes every frame. To be called on the worker's own thread, as `among_others`.
    pub fn alone(mut self, reader: Reader) {
        self.member.join();
        reader.each(|frame, number, file| self.frame(frame, number, None, file));
        self.finish();
    }

    /// Takes what is its own of every frame.
    pub fn among_others(mut self, turns: Turns) {
        self.member.join();
        turns.each(|frame, number, whose, file| self.frame(frame, number, whose, file));
        self.finish();
    }

    #[inline]
    fn frame(&mut self, frame: &Frame<'_>, number: u64, whose: Option<u16>, file: &Arc<str>) {
        if let Some(fresh) = self.edges.look(number) {
            self.member.meet(number);
            let retired = self.worker.take_rules(fresh);
            self.edges.took(retired);
        }
        self.worker.set_file(file);
        let sender = &self.sender;
        self.worker.packet_of(frame, number, whose, |worker| flush_full(worker, sender));
    }

    /// Ends all flows; the last worker to come here writes the stats event.
    fn finish(mut self) {
        let sender = &self.sender;
        self.worker.finish(|worker| flush_full(worker, sender));
        self.member.leave();
        self.worker.decide_alerts();
        flush(&mut self.worker, sender);
        self.shared.add_counters(self.worker.counters());
        self.shared.add_counters(stage_clock::take());
        lock(&self.shared.quarantined).append(&mut self.worker.quarantine);
        let last = {
            let mut running = lock(&self.shared.running);
            *running = running.saturating_sub(1);
            *running == 0
        };
        if last {
            self.shared.settle_counters();
            let counters = lock(&self.shared.counters).clone();
            let first: Timestamp = self.worker.started();
            let uptime = self.worker.now().seconds_since(first);
            self.worker.stats(uptime, &counters, self.edges.facts());
            flush(&mut self.worker, sender);
            self.write_quarantine();
        }
    }

    fn write_quarantine(&self) {
        let packets = std::mem::take(&mut *lock(&self.shared.quarantined));
        quarantine::keep(&self.quarantine, &in_order(packets))
            .into_iter()
            .for_each(|told| self.shared.warn(told));
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        // Whatever became of this worker, nobody waits for it.
        self.member.leave();
    }
}

/// Hands over what is a whole batch.
#[inline]
fn flush_full(worker: &mut Worker, sender: &SyncSender<Batch>) {
    if worker.pending_bytes() >= BATCH_BYTES_MAX {
        flush(worker, sender);
    }
}

fn flush(worker: &mut Worker, sender: &SyncSender<Batch>) {
    if let Some(batch) = worker.take_events() {
        // The receiver is gone only when the replay is being dropped.
        let _ = sender.send(batch);
    }
}

/// Each once: several workers may have failed on one frame.
fn in_order(mut packets: Vec<Quarantined>) -> Vec<Quarantined> {
    packets.sort_by_key(|packet| packet.number);
    packets.dedup_by_key(|packet| packet.number);
    packets
}
