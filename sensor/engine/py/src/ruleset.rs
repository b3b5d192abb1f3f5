//! Rules in, a compiled ruleset and diagnostics out.

use crate::{document, guarded};
use haidang_core::detect::{compile, diagnostic};
use pyo3::prelude::*;
use pyo3::types::{PySequence, PyTuple};
use std::sync::Arc;

/// One finding about one rule.
#[pyclass(frozen, get_all)]
#[derive(Clone)]
pub struct Diagnostic {
    file: String,
    line: u32,
    column: u32,
    severity: &'static str,
    sid: u32,
    keyword: String,
    reason: String,
    fix: String,
}

#[pymethods]
impl Diagnostic {
    fn __repr__(&self) -> String {
        format!(
            "{}:{}:{}: {}: {}: {}",
            self.file, self.line, self.column, self.severity, self.keyword, self.reason
        )
    }
}

impl From<diagnostic::Diagnostic> for Diagnostic {
    fn from(d: diagnostic::Diagnostic) -> Self {
        let severity = match d.severity {
            diagnostic::Severity::Error => "error",
            diagnostic::Severity::Skip => "skip",
            diagnostic::Severity::Warning => "warning",
        };
        let diagnostic::Diagnostic { file, line, column, sid, keyword, reason, fix, .. } = d;
        Diagnostic { file, line, column, severity, sid, keyword, reason, fix }
    }
}

/// Compiled rules, shared by every worker.
#[pyclass(frozen)]
pub struct Ruleset {
    pub(crate) inner: Arc<haidang_core::detect::ruleset::Ruleset>,
    id: String,
    loaded: usize,
    diagnostics: Vec<Diagnostic>,
}

#[pymethods]
impl Ruleset {
    #[staticmethod]
    #[pyo3(signature = (config, rules, validate_only = false))]
    fn compile(
        py: Python<'_>,
        config: &str,
        rules: &Bound<'_, PySequence>,
        validate_only: bool,
    ) -> PyResult<Ruleset> {
        let mut raw = Vec::with_capacity(rules.len()?);
        for item in rules.try_iter()? {
            raw.push(raw_rule(item?.cast::<PyTuple>()?)?);
        }
        py.detach(move || {
            guarded(|| {
                let compiled = compile::compile(&document(config)?, &raw, validate_only)?;
                Ok(Ruleset {
                    inner: Arc::new(compiled.ruleset),
                    id: compiled.id,
                    loaded: compiled.loaded,
                    diagnostics: compiled.diagnostics.into_iter().map(Diagnostic::from).collect(),
                })
            })
        })
    }

    #[getter]
    fn loaded(&self) -> usize {
        self.loaded
    }

    #[getter]
    fn id(&self) -> &str {
        &self.id
    }

    #[getter]
    fn diagnostics(&self) -> Vec<Diagnostic> {
        self.diagnostics.clone()
    }
}

fn raw_rule(tuple: &Bound<'_, PyTuple>) -> PyResult<diagnostic::RawRule> {
    let text = |at: usize| -> PyResult<String> { tuple.get_item(at)?.extract() };
    let written = tuple.get_item(9)?;
    let written = written.cast::<PySequence>()?;
    let mut options = Vec::with_capacity(written.len()?);
    for option in written.try_iter()? {
        let (keyword, value, line, column) = option?.extract()?;
        options.push(diagnostic::RawOption { keyword, value, line, column });
    }
    Ok(diagnostic::RawRule {
        file: text(0)?,
        line: tuple.get_item(1)?.extract()?,
        action: text(2)?,
        protocol: text(3)?,
        src: text(4)?,
        sport: text(5)?,
        arrow: text(6)?,
        dst: text(7)?,
        dport: text(8)?,
        options,
        raw: text(10)?,
    })
}
