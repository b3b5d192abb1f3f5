//! From raw rules to a ruleset: every rule is built on its own, those that cannot be loaded become diagnostics.

use super::builder::build;
use super::dataset;
use super::diagnostic::{Diagnostic, RawRule};
use super::geoip::GeoIp;
use super::lua;
use super::names::Names;
use super::reputation::Reputation;
use super::rule::Rule;
use super::ruleset::Ruleset;
use super::shared::{Class, Shared};
use super::threshold_config;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// What compiling gave.
pub struct Compiled {
    pub ruleset: Ruleset,
    /// Hex SHA-256 over engine version and rules.
    pub id: String,
    pub loaded: usize,
    pub diagnostics: Vec<Diagnostic>,
}

/// Builds all rules and, unless `validate_only`, their prefilters. Errors are the engine's own (libhs), never a rule's.
pub fn compile(document: &Value, raw: &[RawRule], validate_only: bool) -> Result<Compiled, String> {
    let mut shared = shared(document)?;
    let mut rules: Vec<Rule> = Vec::with_capacity(raw.len());
    let mut diagnostics = Vec::new();
    let mut hash = Sha256::new();
    hash.update(env!("CARGO_PKG_VERSION"));
    for rule in raw {
        for part in [&rule.src, &rule.sport, &rule.dst, &rule.dport, &rule.raw] {
            hash.update(part);
            hash.update([0]);
        }
        match build(rule, &mut shared) {
            Ok(built) => rules.push(built),
            Err(found) => diagnostics.extend(found),
        }
        diagnostics.append(&mut shared.warnings);
    }
    diagnostics.extend(threshold_config::apply(document, &mut rules));
    let loaded = rules.len();
    if shared.scripts > 0 {
        // Scripts may add to any.
        shared.datasets.all().iter().for_each(|set| set.will_change());
    }
    let mut ruleset = Ruleset::build(
        if validate_only { Vec::new() } else { rules },
        Names::new(&shared),
        shared.datasets.all(),
    )?;
    ruleset.files = shared.files;
    let id = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    Ok(Compiled { ruleset, id, loaded, diagnostics })
}

/// Classes and references of the configuration.
fn shared(document: &Value) -> Result<Shared, String> {
    let mut shared = Shared::default();
    shared.rule_path = document["default-rule-path"].as_str().unwrap_or_default().into();
    for class in document["classification"].as_array().into_iter().flatten() {
        if let Some(name) = class["name"].as_str() {
            shared.classes.insert(
                name.to_owned(),
                Class {
                    description: class["description"].as_str().unwrap_or_default().to_owned(),
                    priority: class["priority"].as_u64().and_then(|p| u8::try_from(p).ok()).unwrap_or(3),
                },
            );
        }
    }
    shared.datasets.config = dataset::Config::new(document);
    shared.datasets.define(document)?;
    shared.reputation = Arc::new(Reputation::read(document)?);
    shared.geoip = GeoIp::new(document);
    shared.lua = Arc::new(lua::Settings::new(document));
    for (name, prefix) in document["references"].as_object().into_iter().flatten() {
        shared.references.insert(name.clone(), prefix.as_str().unwrap_or_default().to_owned());
    }
    Ok(shared)
}
