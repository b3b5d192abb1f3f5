//! The binding: `sensor._engine`. Nothing but conversion lives here; its Python face is described in sensor/_engine.pyi.

mod bench;
mod live;
mod memory;
mod replay;
mod ruleset;

use haidang_core::detect::keywords::keywords_json;
use haidang_core::{floor as engine_floor, listing};
use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

create_exception!(_engine, EngineError, PyException);

/// The Suricata version whose rule language and events this build follows.
const SURICATA_COMPAT: &str = "8.0.0";

/// Runs engine code; a panic becomes an `EngineError` instead of a BaseException that no caller expects.
fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> PyResult<T> {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(text)) => Err(EngineError::new_err(text)),
        Err(_) => {
            Err(EngineError::new_err("the engine failed on this input; please report it with the input"))
        }
    }
}

fn document(config: &str) -> Result<serde_json::Value, String> {
    serde_json::from_str(config).map_err(|e| format!("the engine's configuration is not JSON: {e}"))
}

/// The keyword table as JSON.
#[pyfunction]
fn keywords() -> String {
    keywords_json()
}

/// The application protocols as JSON.
#[pyfunction]
fn protocols() -> String {
    listing::protocols_json()
}

/// The sticky buffers as JSON.
#[pyfunction]
fn lint_buffers() -> String {
    listing::buffers_json()
}

/// Nanoseconds of reading, decoding and one search of each payload of a capture, by themselves: with a database for each
/// protocol and direction (scan), and with those of the line (narrowed).
#[pyfunction]
fn floor(
    py: Python<'_>,
    config: &str,
    ruleset: &ruleset::Ruleset,
    path: PathBuf,
) -> PyResult<BTreeMap<&'static str, u64>> {
    let rules = Arc::clone(&ruleset.inner);
    py.detach(move || {
        guarded(|| {
            let found = engine_floor::measure(&document(config)?, &rules, &path)?;
            let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
            Ok(BTreeMap::from([
                ("packets", found.packets),
                ("bytes", found.bytes),
                ("read_ns", nanos(found.read)),
                ("decode_ns", nanos(found.decode)),
                ("scan_ns", nanos(found.grouped)),
                ("narrowed_ns", nanos(found.narrowed)),
                ("scans", found.scans),
                ("scanned_bytes", found.scanned_bytes),
            ]))
        })
    })
}

#[pymodule]
fn _engine(py: Python<'_>, m: &Bound<'_, PyModule>) -> PyResult<()> {
    memory::keep_for_a_while();
    // What a stage's failure prints is of no use to the people who read the terminal: it is counted and quarantined.
    if std::env::var_os("HAIDANG_BACKTRACE").is_none() {
        std::panic::set_hook(Box::new(|_| {}));
    }
    m.add("VERSION", env!("CARGO_PKG_VERSION"))?;
    m.add("SURICATA_COMPAT", SURICATA_COMPAT)?;
    m.add("PROFILE_GUIDED", haidang_core::PROFILE_GUIDED)?;
    m.add("EngineError", py.get_type::<EngineError>())?;
    m.add_class::<ruleset::Diagnostic>()?;
    m.add_class::<ruleset::RawRules>()?;
    m.add_class::<ruleset::Ruleset>()?;
    m.add_class::<ruleset::RulesetCache>()?;
    m.add_class::<ruleset::InForce>()?;
    m.add_class::<live::Live>()?;
    m.add_class::<live::Ring>()?;
    m.add_class::<replay::Batch>()?;
    m.add_class::<replay::Replay>()?;
    m.add_function(wrap_pyfunction!(keywords, m)?)?;
    m.add_function(wrap_pyfunction!(protocols, m)?)?;
    m.add_function(wrap_pyfunction!(lint_buffers, m)?)?;
    m.add_function(wrap_pyfunction!(floor, m)?)?;
    m.add_function(wrap_pyfunction!(memory::return_memory, m)?)?;
    m.add_function(wrap_pyfunction!(bench::explain, m)?)?;
    m.add_function(wrap_pyfunction!(bench::profile, m)?)?;
    Ok(())
}
