//! Rules in, a compiled ruleset and diagnostics out.

use crate::memory::{give_back, without_huge_pages};
use crate::{document, guarded};
use haidang_core::detect::cache::folder::Folder;
use haidang_core::detect::cache::Cache;
use haidang_core::detect::compile::Earlier;
use haidang_core::detect::parallel;
use haidang_core::detect::raw::{RawOption, RawRulesBuilder};
use haidang_core::detect::ruleset::Ruleset as CoreRuleset;
use haidang_core::detect::{compile, diagnostic};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyString, PyTuple};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

/// Rules on their way to be compiled.
#[pyclass(frozen)]
pub struct RawRules {
    inner: Mutex<RawRulesBuilder>,
}

impl RawRules {
    fn lock(&self) -> MutexGuard<'_, RawRulesBuilder> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl RawRules {
    #[new]
    #[pyo3(signature = (text_bytes = 0))]
    fn new(text_bytes: usize) -> RawRules {
        RawRules { inner: Mutex::new(RawRulesBuilder::with_capacity(text_bytes)) }
    }

    fn __len__(&self) -> usize {
        self.lock().len()
    }

    fn add(&self, rules: &Bound<'_, PyAny>) -> PyResult<()> {
        for rule in rules.try_iter()? {
            // The lock is not held while the iterable works: it may be anything.
            let rule = rule?;
            take_in(rule.cast::<PyTuple>()?, &mut self.lock())?;
        }
        Ok(())
    }
}

/// Compiled rulesets on disk, for one set of inputs.
#[pyclass(frozen)]
pub struct RulesetCache {
    inner: Mutex<Cache>,
}

impl RulesetCache {
    fn lock(&self) -> MutexGuard<'_, Cache> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl RulesetCache {
    #[new]
    fn new(folder: PathBuf, owner: u32, config: &str, parts: Vec<PyBackedBytes>) -> PyResult<RulesetCache> {
        let parts: Vec<&[u8]> = parts.iter().map(|part| &**part).collect();
        let inner = guarded(|| Ok(Cache::new(Folder { path: folder, owner }, &document(config)?, &parts)))?;
        Ok(RulesetCache { inner: Mutex::new(inner) })
    }

    fn add(&self, py: Python<'_>, path: &str, pieces: Vec<PyBackedBytes>) {
        py.detach(|| self.lock().add(path, pieces.iter().map(|piece| &**piece)));
    }

    #[pyo3(signature = (config, paths, file_bytes_max, in_force=None))]
    fn load(
        &self,
        py: Python<'_>,
        config: &str,
        paths: Option<Vec<String>>,
        file_bytes_max: u64,
        in_force: Option<&InForce>,
    ) -> PyResult<Option<Ruleset>> {
        py.detach(|| {
            guarded(|| {
                let document = document(config)?;
                let found = beside(in_force, |in_force| {
                    self.lock().load(&document, paths.as_deref(), file_bytes_max, in_force)
                })?;
                Ok(found.map(|(compiled, findings)| Ruleset::new(compiled, findings)))
            })
        })
    }

    #[getter]
    fn not_kept(&self) -> Option<String> {
        self.lock().not_kept.clone()
    }

    #[getter]
    fn warnings(&self) -> Vec<String> {
        self.lock().warnings.clone()
    }
}

/// The rules that an engine has in force. What comes after them shares what is the same, and is made sparingly.
#[pyclass(frozen)]
pub struct InForce(pub(crate) Arc<CoreRuleset>);

/// Makes a ruleset, beside the one in force if there is one. It is done on a thread of its own: the memory that a thread took
/// and another frees goes back to the system once the first has ended.
fn beside<T: Send>(in_force: Option<&InForce>, work: impl FnOnce(Option<&CoreRuleset>) -> T + Send) -> T {
    let made = std::thread::scope(|scope| {
        let thread = scope.spawn(|| match in_force {
            Some(in_force) => parallel::sparingly(give_back, || {
                in_force.0.rest();
                without_huge_pages(|| work(Some(&in_force.0)))
            }),
            None => work(None),
        });
        thread.join()
    });
    made.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Compiled rules, shared by every worker.
#[pyclass(frozen)]
pub struct Ruleset {
    pub(crate) inner: Arc<CoreRuleset>,
    id: String,
    loaded: usize,
    diagnostics: Vec<Diagnostic>,
    left_out: Vec<usize>,
    databases: (usize, usize),
    findings: String,
}

impl Ruleset {
    fn new(compiled: compile::Compiled, findings: String) -> Ruleset {
        Ruleset {
            inner: Arc::new(compiled.ruleset),
            id: compiled.id,
            loaded: compiled.loaded,
            diagnostics: compiled.diagnostics.into_iter().map(Diagnostic::from).collect(),
            left_out: compiled.left_out,
            databases: compiled.databases,
            findings,
        }
    }
}

#[pymethods]
impl Ruleset {
    #[staticmethod]
    #[pyo3(signature = (config, rules, validate_only=false, cache=None, findings=String::new(), in_force=None))]
    fn compile(
        py: Python<'_>,
        config: &str,
        rules: &Bound<'_, PyAny>,
        validate_only: bool,
        cache: Option<&RulesetCache>,
        findings: String,
        in_force: Option<&InForce>,
    ) -> PyResult<Ruleset> {
        let raw = match rules.cast::<RawRules>() {
            Ok(rules) => std::mem::take(&mut *rules.get().lock()),
            Err(_) => {
                let mut builder = RawRulesBuilder::default();
                for rule in rules.try_iter()? {
                    take_in(rule?.cast::<PyTuple>()?, &mut builder)?;
                }
                builder
            }
        };
        let raw = raw.finish();
        py.detach(move || {
            guarded(|| {
                let document = document(config)?;
                beside(in_force, |in_force| {
                    let Some(cache) = cache else {
                        let earlier = Earlier { in_force, ..Earlier::NOTHING };
                        let (compiled, _) = compile::compile(&document, raw, validate_only, earlier)?;
                        return Ok(Ruleset::new(compiled, findings));
                    };
                    let mut cache = cache.lock();
                    let raw = cache.lay_down(raw);
                    parallel::step_done();
                    let stock = cache.stock();
                    let earlier = Earlier { in_force, databases: &|patterns| stock.get(patterns) };
                    let (compiled, outcome) = compile::compile(&document, raw, validate_only, earlier)?;
                    cache.store(&compiled.id, &outcome, findings.clone());
                    Ok(Ruleset::new(compiled, findings))
                })
            })
        })
    }

    fn tell_counts(&self, loaded: u64, failed: u64, skipped: u64) {
        // Whoever told first told of the same rules.
        let _ = self.inner.counts.set(haidang_core::detect::ruleset::Counts { loaded, failed, skipped });
    }

    #[getter]
    fn left_out(&self) -> Vec<usize> {
        self.left_out.clone()
    }

    #[getter]
    fn databases(&self) -> (usize, usize) {
        self.databases
    }

    #[getter]
    fn findings(&self) -> &str {
        &self.findings
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

fn take_in(rule: &Bound<'_, PyTuple>, rules: &mut RawRulesBuilder) -> PyResult<()> {
    let parts = [0, 2, 3, 4, 5, 6, 7, 8].map(|at| rule.get_item(at));
    let mut texts: [&str; 8] = Default::default();
    for (text, part) in texts.iter_mut().zip(&parts) {
        *text = match part {
            Ok(part) => part.cast::<PyString>()?.to_str()?,
            Err(error) => return Err(error.clone_ref(rule.py())),
        };
    }
    let [file, header @ ..] = texts;
    let options = rule.get_item(9)?;
    rules.begin(file, rule.get_item(1)?.extract()?, header);
    for option in options.try_iter()? {
        let option = option?;
        let option = option.cast::<PyTuple>()?;
        let (keyword, value) = (option.get_item(0)?, option.get_item(1)?);
        rules.option(RawOption {
            keyword: keyword.cast::<PyString>()?.to_str()?,
            value: if value.is_none() { None } else { Some(value.cast::<PyString>()?.to_str()?) },
            line: option.get_item(2)?.extract()?,
            column: option.get_item(3)?.extract()?,
        });
    }
    Ok(())
}
