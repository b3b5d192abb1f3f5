//! From raw rules to a ruleset: every rule is built on its own, those that cannot be loaded become diagnostics.

use super::builder::{self, build, Origins};
use super::databases::{self, Compiled as Databases, Known};
use super::dataset::Datasets;
use super::diagnostic::Diagnostic;
use super::duplicates;
use super::geoip::GeoIp;
use super::hs::Database;
use super::lua;
use super::names::Names;
use super::parallel;
use super::raw::{RawRule, RawRules};
use super::reputation::Reputation;
use super::rule::Rule;
use super::ruleset::Ruleset;
use super::shared::{Class, Interned, Outside, Shared};
use super::sharing::Sharing;
use super::texts::{RuleTexts, Texts};
use super::threshold_config;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What is there already and serves again.
#[derive(Clone, Copy)]
pub struct Earlier<'a> {
    pub in_force: Option<&'a Ruleset>,
    pub databases: Known<'a>,
}

impl<'a> Earlier<'a> {
    pub const NOTHING: Earlier<'static> = Earlier { in_force: None, databases: &|_| None };

    pub fn database(&self, patterns: &databases::Digest) -> Option<Database> {
        let shared = self.in_force.and_then(|in_force| in_force.database(patterns));
        shared.or_else(|| (self.databases)(patterns))
    }
}

/// What compiling gave.
pub struct Compiled {
    pub ruleset: Ruleset,
    /// Hex SHA-256 over engine version and rules.
    pub id: String,
    pub loaded: usize,
    pub diagnostics: Vec<Diagnostic>,
    /// Rules that gave way to others of the same sid, by their numbers as read.
    pub left_out: Vec<usize>,
    /// How many databases there are, and how many of them an earlier run had compiled.
    pub databases: (usize, usize),
}

/// What a later start can make use of.
pub struct Outcome {
    pub texts: Arc<Texts>,
    /// The rules that loaded, by their numbers in `texts`.
    pub good: Vec<usize>,
    /// What was said of rules.
    pub diagnostics: Vec<Diagnostic>,
    pub interned: Interned,
    /// Some rule's meaning hangs on more than its text.
    pub looked_outside: bool,
    pub databases: Databases,
}

/// Builds all rules and, unless `validate_only`, their prefilters. Errors are the engine's own (libhs), never a rule's.
pub fn compile(
    document: &Value,
    raw: RawRules,
    validate_only: bool,
    earlier: Earlier<'_>,
) -> Result<(Compiled, Outcome), String> {
    let mut shared = Shared::new(classes(document), outside(document)?);
    let texts = Arc::new(Texts { rules: raw, references: references(document) });
    let mut rules: Vec<Rule> = Vec::with_capacity(texts.rules.len());
    let mut good = Vec::with_capacity(texts.rules.len());
    let (left_out, mut diagnostics): (Vec<usize>, Vec<Diagnostic>) =
        duplicates::find(&texts.rules).into_iter().unzip();
    let losers: HashSet<usize> = left_out.iter().copied().collect();
    let mut hash = Sha256::new();
    hash.update(env!("CARGO_PKG_VERSION"));
    let mut space = Vec::new();
    let sharing = Sharing::with(earlier.in_force);
    let damaged = || "a rule was damaged in memory".to_owned();
    let reader = texts.rules.reader().ok_or_else(damaged)?;
    for number in (0..texts.rules.len()).filter(|number| !losers.contains(number)) {
        let rule = reader.rule(number).ok_or_else(damaged)?;
        add_to_id(&rule, &mut hash, &mut space);
        match build(&rule, &RuleTexts::new(&texts, number), &mut shared) {
            Ok(mut built) => {
                sharing.take_over(&mut built);
                rules.push(built);
                good.push(number);
            }
            Err(found) => diagnostics.extend(found),
        }
        diagnostics.append(&mut shared.warnings);
    }
    rules_built(&texts);
    let id = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    let loaded = rules.len();
    if validate_only {
        rules = Vec::new();
    }
    let (ruleset, thresholds, databases) = finish(document, rules, &shared, earlier)?;
    let counts = databases.counts();
    let outcome = Outcome {
        texts,
        good,
        diagnostics: diagnostics.clone(),
        interned: shared.interned(),
        looked_outside: shared.looked_outside(),
        databases,
    };
    diagnostics.extend(thresholds);
    Ok((Compiled { ruleset, id, loaded, diagnostics, left_out, databases: counts }, outcome))
}

/// Builds a rule that is loaded once more, to learn what its options became. None: it does not load any more. Errors are those
/// of the configuration.
pub fn retrace(
    document: &Value,
    raw: &RawRule<'_>,
    texts: &RuleTexts,
) -> Result<Option<(Rule, Origins)>, String> {
    let mut shared = Shared::new(classes(document), outside(document)?);
    Ok(builder::origins(raw, texts, &mut shared))
}

/// What rebuilding gave.
pub struct Rebuilt {
    pub ruleset: Ruleset,
    /// What is said of threshold.config.
    pub thresholds: Vec<Diagnostic>,
    pub databases: (usize, usize),
}

/// Builds rules all of which loaded before and looked at nothing outside, on several threads; their names have the numbers
/// of `interned`. Outer error: as for `compile`. Inner: it is not as was said of the rules.
pub fn rebuild(
    document: &Value,
    raw: RawRules,
    interned: &Interned,
    earlier: Earlier<'_>,
) -> Result<Result<Rebuilt, String>, String> {
    let mut shared = Shared::known(classes(document), interned, outside(document)?);
    let texts = Arc::new(Texts { rules: raw, references: references(document) });
    let Some(rules) = rebuild_rules(&texts, &mut shared, &Sharing::with(earlier.in_force)) else {
        return Ok(Err("its rules do not load".to_owned()));
    };
    rules_built(&texts);
    let (ruleset, thresholds, databases) = finish(document, rules, &shared, earlier)?;
    Ok(Ok(Rebuilt { ruleset, thresholds, databases: databases.counts() }))
}

fn rebuild_rules(texts: &Arc<Texts>, shared: &mut Shared, sharing: &Sharing<'_>) -> Option<Vec<Rule>> {
    /// Rules a thread takes at a time: few enough that all end together.
    const STRIDE: usize = 256;
    let count = texts.rules.len();
    let next = AtomicUsize::new(0);
    let parts: Mutex<Vec<(Vec<Rule>, Shared)>> = Mutex::default();
    let base: &Shared = shared;
    parallel::everywhere(count.div_ceil(STRIDE), || {
        let mut own = base.sibling();
        let Some(reader) = texts.rules.reader() else { return };
        let mut rules = Vec::with_capacity(count); // untouched memory costs nothing, growing does
        loop {
            let start = next.fetch_add(STRIDE, Ordering::Relaxed);
            for number in (start..count).take(STRIDE) {
                let Some(rule) = reader.rule(number) else { return };
                let Ok(mut built) = build(&rule, &RuleTexts::new(texts, number), &mut own) else { return };
                sharing.take_over(&mut built);
                rules.push(built);
            }
            if start >= count {
                break;
            }
        }
        parts.lock().unwrap_or_else(PoisonError::into_inner).push((rules, own));
    });
    let mut rules = Vec::new();
    for (mut part, own) in parts.into_inner().unwrap_or_else(PoisonError::into_inner) {
        if !shared.join(own) {
            return None;
        }
        if part.len() > rules.len() {
            std::mem::swap(&mut part, &mut rules);
        }
        rules.append(&mut part);
    }
    (rules.len() == count).then_some(rules)
}

/// What is said of rules is looked up when they alert: few of them, and much later.
fn rules_built(texts: &Texts) {
    texts.rules.rest();
    parallel::step_done();
}

/// Lays threshold.config over the rules and groups them.
fn finish(
    document: &Value,
    mut rules: Vec<Rule>,
    shared: &Shared,
    earlier: Earlier<'_>,
) -> Result<(Ruleset, Vec<Diagnostic>, Databases), String> {
    let thresholds = threshold_config::apply(document, &mut rules);
    let datasets = shared.datasets().all();
    if shared.scripts() > 0 {
        // Scripts may add to any.
        datasets.iter().for_each(|set| set.will_change());
    }
    let (mut ruleset, databases) = Ruleset::build(rules, Names::new(shared), datasets, earlier)?;
    ruleset.files = shared.files;
    Ok((ruleset, thresholds, databases))
}

/// What a rule says, wherever it is written and with whatever blanks.
fn add_to_id(rule: &RawRule<'_>, hash: &mut Sha256, space: &mut Vec<u8>) {
    space.clear();
    let header = [rule.action, rule.protocol, rule.src, rule.sport, rule.arrow, rule.dst, rule.dport];
    let options = rule.options.iter().flat_map(|option| [option.keyword, option.value.unwrap_or_default()]);
    for part in header.into_iter().chain(options) {
        space.extend_from_slice(&(part.len() as u64).to_le_bytes());
        space.extend_from_slice(part.as_bytes());
    }
    hash.update((space.len() as u64).to_le_bytes());
    hash.update(space);
}

/// The classes of the configuration.
fn classes(document: &Value) -> HashMap<String, Class> {
    let mut classes = HashMap::new();
    for class in document["classification"].as_array().into_iter().flatten() {
        if let Some(name) = class["name"].as_str() {
            let class = Class {
                description: class["description"].as_str().unwrap_or_default().into(),
                priority: class["priority"].as_u64().and_then(|p| u8::try_from(p).ok()).unwrap_or(3),
            };
            classes.insert(name.to_owned(), class);
        }
    }
    classes
}

/// The types of references of the configuration.
fn references(document: &Value) -> HashMap<String, String> {
    let types = document["references"].as_object().into_iter().flatten();
    types.map(|(name, prefix)| (name.clone(), prefix.as_str().unwrap_or_default().to_owned())).collect()
}

/// What the configuration names besides them.
fn outside(document: &Value) -> Result<Outside, String> {
    Ok(Outside {
        datasets: Datasets::new(document)?,
        reputation: Arc::new(Reputation::read(document)?),
        geoip: GeoIp::new(document),
        lua: Arc::new(lua::Settings::new(document)),
        scripts: 0,
        rule_path: document["default-rule-path"].as_str().unwrap_or_default().into(),
    })
}
