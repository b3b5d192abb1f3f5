//! Interfaces in, batches of events out.

use crate::replay::{offer, timeout, Batch};
use crate::ruleset::{InForce, Ruleset};
use crate::{document, guarded};
use haidang_core::live;
use haidang_core::reload::Handover;
use pyo3::prelude::*;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A live capture on the engine's own threads.
#[pyclass(frozen)]
pub struct Live {
    inner: Mutex<live::Live>,
    handover: Arc<Handover>,
}

impl Live {
    fn lock(&self) -> std::sync::MutexGuard<'_, live::Live> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One ring of one interface.
#[pyclass(frozen, get_all)]
pub struct Ring {
    interface: String,
    worker: usize,
    ring_bytes: u64,
    kernel_packets: u64,
    kernel_drops: u64,
    frames: u64,
    busy_permille: u64,
}

#[pymethods]
impl Live {
    #[new]
    fn new(py: Python<'_>, config: &str, ruleset: &Ruleset) -> PyResult<Live> {
        let rules = Arc::clone(&ruleset.inner);
        let inner = py.detach(|| guarded(|| live::Live::open(&document(config)?, &rules)))?;
        let handover = Arc::clone(inner.handover());
        Ok(Live { inner: Mutex::new(inner), handover })
    }

    fn begin(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| guarded(|| self.lock().begin()))
    }

    fn next_batch(&self, py: Python<'_>, timeout_seconds: f64) -> PyResult<Option<Batch>> {
        let wait = timeout(timeout_seconds);
        py.detach(|| guarded(|| Ok(self.lock().next_batch(wait).map(|inner| Batch { inner }))))
    }

    fn reload(&self, py: Python<'_>, config: &str, ruleset: &Ruleset) -> PyResult<()> {
        offer(py, &self.handover, config, ruleset)
    }

    #[getter]
    fn in_force(&self) -> InForce {
        InForce(self.handover.current())
    }

    fn free_retired(&self, py: Python<'_>) -> Vec<String> {
        py.detach(|| self.handover.clear())
    }

    #[getter]
    fn reloads(&self) -> (u64, bool) {
        self.handover.state()
    }

    #[getter]
    fn finished(&self, py: Python<'_>) -> bool {
        py.detach(|| self.lock().finished())
    }

    fn take_warnings(&self, py: Python<'_>) -> Vec<String> {
        py.detach(|| self.lock().take_warnings())
    }

    fn counters(&self, py: Python<'_>) -> BTreeMap<String, u64> {
        py.detach(|| self.lock().counters()).into_iter().collect()
    }

    fn rings(&self, py: Python<'_>) -> Vec<Ring> {
        let ring = |(state, busy_permille): (live::RingState, u64)| Ring {
            interface: state.interface,
            worker: state.worker,
            ring_bytes: state.ring_bytes,
            kernel_packets: state.counts.kernel.packets,
            kernel_drops: state.counts.kernel.drops,
            frames: state.counts.frames,
            busy_permille,
        };
        py.detach(|| self.lock().rings()).into_iter().map(ring).collect()
    }

    #[getter]
    fn silent_seconds(&self, py: Python<'_>) -> f64 {
        py.detach(|| self.lock().silent()).as_secs_f64()
    }

    fn left_out(&self, py: Python<'_>) -> BTreeMap<String, (u64, u64)> {
        let left_out = py.detach(|| self.lock().left_out());
        left_out.into_iter().map(|(name, excluded, filtered)| (name, (excluded, filtered))).collect()
    }

    fn shed_at(&self, py: Python<'_>, level: u8) {
        py.detach(|| self.lock().shed_at(level));
    }

    fn write_stats(&self, py: Python<'_>, more: BTreeMap<String, u64>) {
        py.detach(|| self.lock().write_stats(more.into_iter().collect()));
    }

    fn stop(&self, py: Python<'_>) {
        py.detach(|| self.lock().stop());
    }
}
