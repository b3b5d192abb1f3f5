//! The rule engineer's bench: captures in, what a watch saw of them out, as JSON.

use crate::ruleset::Ruleset;
use crate::{document, guarded};
use haidang_core::detect::explain::Explainer;
use haidang_core::detect::profile::Profiler;
use haidang_core::detect::watch::Watch;
use haidang_core::watched::{self, Watched};
use pyo3::prelude::*;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// (report as JSON, warnings, counters)
type Seen = (String, Vec<String>, BTreeMap<String, u64>);

fn seen(watched: Watched) -> Seen {
    (watched.report.to_string(), watched.warnings, watched.counters.into_iter().collect())
}

/// Why one rule alerts or not.
#[pyfunction]
pub fn explain(
    py: Python<'_>,
    config: &str,
    ruleset: &Ruleset,
    gid: u32,
    sid: u32,
    paths: Vec<PathBuf>,
) -> PyResult<Seen> {
    let rules = Arc::clone(&ruleset.inner);
    py.detach(move || {
        guarded(|| {
            let document = document(config)?;
            let watch: Box<dyn Watch> = Box::new(Explainer::new(&document, &rules, gid, sid)?);
            watched::replay(&document, &rules, &paths, watch).map(seen)
        })
    })
}

/// What rules cost.
#[pyfunction]
pub fn profile(py: Python<'_>, config: &str, ruleset: &Ruleset, paths: Vec<PathBuf>) -> PyResult<Seen> {
    let rules = Arc::clone(&ruleset.inner);
    py.detach(move || {
        guarded(|| {
            let watch: Box<dyn Watch> = Box::new(Profiler::new(&rules));
            watched::replay(&document(config)?, &rules, &paths, watch).map(seen)
        })
    })
}
