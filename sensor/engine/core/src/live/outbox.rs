//! What a worker has to hand over. The worker never waits: what does not fit is held back, and when too much is held the lowest lane
//! is given up first.

use crate::event::{Batch, Lane};
use std::collections::VecDeque;
use std::sync::mpsc::{SyncSender, TrySendError};

/// Bytes held back before logs are given up, and before all is.
const HELD_MAX: usize = 16 << 20;
const HELD_ALERTS_MAX: usize = 64 << 20;

pub struct Outbox {
    sender: SyncSender<Batch>,
    held: VecDeque<Batch>,
    held_bytes: usize,
    /// Events given up.
    pub lost_logs: u64,
    pub lost_others: u64,
}

impl Outbox {
    pub fn new(sender: SyncSender<Batch>) -> Outbox {
        Outbox { sender, held: VecDeque::new(), held_bytes: 0, lost_logs: 0, lost_others: 0 }
    }

    pub fn put(&mut self, batch: Batch) {
        let mut batch = batch;
        if self.held_bytes > HELD_MAX {
            let lost;
            (batch, lost) = batch.without(Lane::Log);
            self.lost_logs = self.lost_logs.saturating_add(lost as u64);
        }
        if self.held_bytes > HELD_ALERTS_MAX {
            self.lost_others = self.lost_others.saturating_add(batch.events() as u64);
        } else if batch.events() > 0 {
            self.held_bytes = self.held_bytes.saturating_add(batch.data.len());
            self.held.push_back(batch);
        }
        self.pass_on();
    }

    /// Hands over what fits.
    pub fn pass_on(&mut self) {
        while let Some(batch) = self.held.pop_front() {
            let bytes = batch.data.len();
            match self.sender.try_send(batch) {
                Ok(()) => self.held_bytes = self.held_bytes.saturating_sub(bytes),
                Err(TrySendError::Full(batch)) => {
                    self.held.push_front(batch);
                    return;
                }
                // The receiver is gone only when the capture is being dropped.
                Err(TrySendError::Disconnected(_)) => self.held_bytes = self.held_bytes.saturating_sub(bytes),
            }
        }
    }

    /// At the end: hands over everything, however long that takes.
    pub fn wait(&mut self) {
        while let Some(batch) = self.held.pop_front() {
            let _ = self.sender.send(batch);
        }
        self.held_bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::buffer::{Buffers, Marks};
    use crate::time::Timestamp;
    use std::sync::mpsc::sync_channel;

    fn batch(bytes: usize) -> Batch {
        let mut marks = Marks::default();
        marks.push(Lane::Alert, "alert", bytes, Timestamp(1));
        marks.push(Lane::Log, "flow", 2 * bytes, Timestamp(2));
        marks.into_batch(vec![b'\n'; 2 * bytes], &Buffers::default())
    }

    #[test]
    fn logs_go_first_and_every_loss_is_counted() {
        const BYTES: usize = 1 << 20;
        let (sender, receiver) = sync_channel(1);
        let mut outbox = Outbox::new(sender);
        let batches = 100;
        (0..batches).for_each(|_| outbox.put(batch(BYTES)));
        assert!(outbox.lost_logs > outbox.lost_others && outbox.lost_others > 0);
        let taken = std::thread::spawn(move || {
            receiver
                .iter()
                .map(|batch: Batch| (batch.lane(0).0, batch.lane(3).0))
                .fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
        });
        outbox.wait();
        let (lost_logs, lost_others) = (outbox.lost_logs, outbox.lost_others);
        drop(outbox);
        let (alerts, logs) = taken.join().unwrap();
        assert_eq!((alerts as u64 + lost_others, logs as u64 + lost_logs), (batches, batches));
    }
}
