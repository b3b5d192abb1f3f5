//! What rules of one ruleset share while they are built: names turned to numbers, classes, references, parsed address lists.

use super::dataset::Datasets;
use super::diagnostic::Diagnostic;
use super::geoip::GeoIp;
use super::header;
use super::lua;
use super::reputation::Reputation;
use super::rule::{AddrSet, PortSet};
use crate::app::digest::FileWants;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Names numbered in the order they come.
#[derive(Default)]
pub struct Interner {
    numbers: HashMap<String, u32>,
    names: Vec<String>,
}

impl Interner {
    pub fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.numbers.insert(name.to_owned(), number);
        self.names.push(name.to_owned());
        number
    }

    /// In the order of their numbers.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    pub fn name(&self, number: u32) -> Option<&str> {
        self.names.get(number as usize).map(String::as_str)
    }
}

/// A line of classification.config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    pub description: String,
    pub priority: u8,
}

#[derive(Default)]
pub struct Shared {
    pub flowbits: Interner,
    pub flowints: Interner,
    /// Variables captured by pcre or read by flowvar.
    pub flowvars: Interner,
    pub datasets: Datasets,
    /// What `iprep` looks up.
    pub reputation: Arc<Reputation>,
    /// What `geoip` looks up.
    pub geoip: GeoIp,
    /// What scripts may do, and how many there are.
    pub lua: Arc<lua::Settings>,
    pub scripts: u32,
    /// classification.config by class name; empty = not given, every class is accepted.
    pub classes: HashMap<String, Class>,
    /// reference.config: prefix of each reference type; empty = not given.
    pub references: HashMap<String, String>,
    /// What rules ask of files.
    pub files: FileWants,
    /// `default-rule-path`: where lists that rules name are; empty = not given.
    pub rule_path: PathBuf,
    /// Warnings of rules that loaded; the caller takes them.
    pub warnings: Vec<Diagnostic>,
    addresses: HashMap<String, Result<AddrSet, String>>,
    ports: HashMap<String, Result<PortSet, String>>,
}

impl Shared {
    /// Addresses by text; the same few lists stand in front of thousands of rules.
    pub fn addresses(&mut self, text: &str) -> Result<AddrSet, String> {
        if let Some(known) = self.addresses.get(text) {
            return known.clone();
        }
        let set = header::addresses(text);
        self.addresses.insert(text.to_owned(), set.clone());
        set
    }

    pub fn ports(&mut self, text: &str) -> Result<PortSet, String> {
        if let Some(known) = self.ports.get(text) {
            return known.clone();
        }
        let set = header::ports(text);
        self.ports.insert(text.to_owned(), set.clone());
        set
    }
}
