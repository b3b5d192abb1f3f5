//! Captures in, batches of events out.

use crate::ruleset::{InForce, Ruleset};
use crate::{document, guarded};
use haidang_core::reload::Handover;
use haidang_core::{event, replay};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMemoryView};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::ffi::c_int;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Events in the order they were made, NDJSON.
#[pyclass(frozen)]
pub struct Batch {
    pub(crate) inner: event::Batch,
}

#[pymethods]
impl Batch {
    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.data)
    }

    #[getter]
    fn events(&self) -> usize {
        self.inner.events()
    }

    fn lane<'py>(&self, py: Python<'py>, lane: u8) -> (usize, Bound<'py, PyBytes>) {
        let (count, data) = self.inner.lane(lane);
        (count, PyBytes::new(py, &data))
    }

    fn only<'py>(slf: &Bound<'py, Self>, types: HashSet<String>) -> PyResult<Bound<'py, PyMemoryView>> {
        match slf.get().inner.only(|kind| types.contains(kind)) {
            Cow::Borrowed(_) => PyMemoryView::from(slf), // all of it, where it lies
            Cow::Owned(lines) => PyMemoryView::from(&PyBytes::new(slf.py(), &lines)),
        }
    }

    /// All events, for `memoryview`.
    ///
    /// # Safety
    /// As Python's: `view` is to be filled in.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        let data = &slf.get().inner.data;
        let length = isize::try_from(data.len())?;
        // SAFETY: the view holds a reference to the batch, which owns the bytes and never changes; nobody may write to them.
        let filled = unsafe {
            let start = data.as_ptr().cast_mut().cast();
            ffi::PyBuffer_FillInfo(view, slf.as_ptr(), start, length, 1, flags)
        };
        if filled == 0 {
            Ok(())
        } else {
            Err(PyErr::fetch(slf.py()))
        }
    }

    #[getter]
    fn first_seconds(&self) -> f64 {
        self.inner.first.0 as f64 / 1e9
    }

    #[getter]
    fn last_seconds(&self) -> f64 {
        self.inner.last.0 as f64 / 1e9
    }
}

/// How long to wait; a second when the number is none.
pub fn timeout(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::from_secs(1))
}

/// Hands a new ruleset over to running workers.
pub fn offer(py: Python<'_>, handover: &Handover, config: &str, ruleset: &Ruleset) -> PyResult<()> {
    let rules = Arc::clone(&ruleset.inner);
    py.detach(|| guarded(|| handover.offer(&document(config)?, &rules)))
}

/// A replay on the engine's own threads.
#[pyclass(frozen)]
pub struct Replay {
    inner: Mutex<replay::Replay>,
    handover: Arc<Handover>,
}

impl Replay {
    fn lock(&self) -> std::sync::MutexGuard<'_, replay::Replay> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Replay {
    #[new]
    #[pyo3(signature = (config, ruleset, paths, workers = 1))]
    fn new(config: &str, ruleset: &Ruleset, paths: Vec<PathBuf>, workers: usize) -> PyResult<Replay> {
        let inner = guarded(|| {
            replay::Replay::start(&document(config)?, &Arc::clone(&ruleset.inner), paths, workers)
        })?;
        let handover = Arc::clone(inner.handover());
        Ok(Replay { inner: Mutex::new(inner), handover })
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
    fn finished(&self) -> bool {
        self.lock().finished()
    }

    #[getter]
    fn progress(&self) -> (u64, u64) {
        self.lock().progress()
    }

    #[getter]
    fn warnings(&self) -> Vec<String> {
        self.lock().warnings()
    }

    fn counters(&self) -> BTreeMap<String, u64> {
        self.lock().counters().into_iter().collect()
    }

    fn stop(&self) {
        self.lock().stop();
    }
}
