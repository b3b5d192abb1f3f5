//! How many bytes the streams of one worker hold. Each side keeps its own share and gives it back when it is dropped, as
//! sessions do, so the books cannot drift.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

/// Shared by the sessions of one worker, which alone writes it: plain loads and stores, no locked instruction.
#[derive(Clone, Debug, Default)]
pub struct MemoryGauge(Arc<Held>);

#[derive(Debug, Default)]
struct Held {
    data: AtomicU64,
    sessions: AtomicU64,
}

impl MemoryGauge {
    /// Bytes of stream data held now.
    #[inline]
    pub fn data(&self) -> u64 {
        self.0.data.load(Ordering::Relaxed)
    }
    #[inline]
    fn set_data(&self, bytes: u64) {
        self.0.data.store(bytes, Ordering::Relaxed);
    }
    /// Bytes of sessions held now.
    pub fn sessions(&self) -> u64 {
        self.0.sessions.load(Ordering::Relaxed)
    }
    /// A session of so many bytes begins to live.
    pub fn session_begins(&self, bytes: u64) {
        self.0.sessions.store(self.sessions().saturating_add(bytes), Ordering::Relaxed);
    }
    /// ... is dropped.
    pub fn session_ends(&self, bytes: u64) {
        self.0.sessions.store(self.sessions().saturating_sub(bytes), Ordering::Relaxed);
    }
}

/// One side's share of the stream data.
#[derive(Debug)]
pub struct Share {
    gauge: MemoryGauge,
    bytes: u64,
}

impl Share {
    pub fn new(gauge: &MemoryGauge) -> Self {
        Share { gauge: gauge.clone(), bytes: 0 }
    }
    pub fn gauge(&self) -> &MemoryGauge {
        &self.gauge
    }
    /// Sets the share to what is held now.
    #[inline]
    pub fn set(&mut self, bytes: u64) {
        if bytes != self.bytes {
            let others = self.gauge.data().saturating_sub(self.bytes);
            self.gauge.set_data(others.saturating_add(bytes));
            self.bytes = bytes;
        }
    }
    /// Whether `more` bytes may be held under `cap` by all sides together; a cap of 0 is none.
    #[inline]
    pub fn allows(&self, more: u64, cap: u64) -> bool {
        cap == 0 || self.gauge.data().saturating_add(more) <= cap
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}
