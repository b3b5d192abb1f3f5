//! How many bytes the streams of one worker hold. Each side keeps its own share and gives it back when it is dropped, so
//! the books cannot drift.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

/// Shared by the sessions of one worker, which alone writes it: plain loads and stores, no locked instruction.
#[derive(Clone, Debug, Default)]
pub struct MemoryGauge(Arc<AtomicU64>);

impl MemoryGauge {
    /// Bytes held now.
    #[inline]
    pub fn used(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
    #[inline]
    fn set(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Relaxed);
    }
}

/// One holder's share of a gauge.
#[derive(Debug)]
pub struct Share {
    gauge: MemoryGauge,
    bytes: u64,
}

impl Share {
    pub fn new(gauge: &MemoryGauge) -> Self {
        Share { gauge: gauge.clone(), bytes: 0 }
    }
    /// Sets the share to what is held now.
    #[inline]
    pub fn set(&mut self, bytes: u64) {
        if bytes != self.bytes {
            let others = self.gauge.used().saturating_sub(self.bytes);
            self.gauge.set(others.saturating_add(bytes));
            self.bytes = bytes;
        }
    }
    /// Whether `more` bytes may be held under `cap` by all holders together; a cap of 0 is none.
    #[inline]
    pub fn allows(&self, more: u64, cap: u64) -> bool {
        cap == 0 || self.gauge.used().saturating_add(more) <= cap
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}
