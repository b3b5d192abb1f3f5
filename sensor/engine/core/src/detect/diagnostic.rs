//! What is said of rules, above all of those that do not load. Data only.

use super::raw::{RawOption, RawRule};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Severity {
    /// The rule is wrong and is not loaded.
    Error,
    /// The rule is right, this build cannot run it; not loaded.
    Skip,
    /// Loaded; something in it has no effect or is doubtful.
    Warning,
}

/// One finding about one rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    pub file: String,
    pub line: u32,
    pub column: u32,
    pub severity: Severity,
    pub sid: u32,
    pub keyword: String,
    pub reason: String,
    pub fix: String,
}

impl Diagnostic {
    /// About `option`, or about the header when there is none.
    pub fn new(raw: &RawRule<'_>, option: Option<&RawOption<'_>>, sid: u32, refusal: Refusal) -> Self {
        Diagnostic {
            file: raw.file.to_owned(),
            line: option.map_or(raw.line, |o| o.line),
            column: option.map_or(1, |o| o.column),
            severity: refusal.severity,
            sid,
            keyword: option.map_or_else(String::new, |o| o.keyword.trim().to_owned()),
            reason: refusal.reason,
            fix: refusal.fix,
        }
    }
}

/// Why a keyword does not take its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub severity: Severity,
    pub reason: String,
    pub fix: String,
}

impl Refusal {
    pub fn error(reason: impl Into<String>, fix: impl Into<String>) -> Self {
        Refusal { severity: Severity::Error, reason: reason.into(), fix: fix.into() }
    }
    pub fn skip(reason: impl Into<String>) -> Self {
        Refusal {
            severity: Severity::Skip,
            reason: reason.into(),
            fix: "nothing to mend: the rule loads once the engine supports it".to_owned(),
        }
    }
}
