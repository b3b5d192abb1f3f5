//! What rules of one ruleset share while they are built: names turned to numbers, classes, references, parsed address lists.

use super::dataset::Datasets;
use super::diagnostic::Diagnostic;
use super::endpoints::{AddrSet, PortSet};
use super::geoip::GeoIp;
use super::header;
use super::lua;
use super::pcre::{self, Regex};
use super::reputation::Reputation;
use crate::app::digest::FileWants;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Names numbered in the order they come.
#[derive(Clone, Default)]
pub struct Interner {
    numbers: HashMap<String, u32, ahash::RandomState>,
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

    fn of(names: &[String]) -> Interner {
        let mut interner = Interner::default();
        names.iter().for_each(|name| {
            interner.number(name);
        });
        interner
    }

    /// In the order of their numbers.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    pub fn name(&self, number: u32) -> Option<&str> {
        self.names.get(number as usize).map(String::as_str)
    }
}

/// The names of all interners, in the order of their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interned {
    flowbits: Vec<String>,
    flowints: Vec<String>,
    flowvars: Vec<String>,
}

/// A line of classification.config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    pub description: Arc<str>,
    pub priority: u8,
}

#[derive(Default)]
pub struct Shared {
    pub flowbits: Interner,
    pub flowints: Interner,
    /// Variables captured by pcre or read by flowvar.
    pub flowvars: Interner,
    /// classification.config by class name; empty = not given, every class is accepted.
    pub classes: Arc<HashMap<String, Class>>,
    /// What rules ask of files.
    pub files: FileWants,
    /// Warnings of rules that loaded; the caller takes them.
    pub warnings: Vec<Diagnostic>,
    addresses: HashMap<String, Result<AddrSet, String>, ahash::RandomState>,
    ports: HashMap<String, Result<PortSet, String>, ahash::RandomState>,
    outside: Outside,
    looked_outside: bool,
    /// The rules are known to load.
    known: bool,
}

/// What the meaning of a rule can hang on besides its text and the tables of the configuration: files, and how much there is
/// of something already.
#[derive(Default)]
pub struct Outside {
    pub datasets: Datasets,
    /// What `iprep` looks up.
    pub reputation: Arc<Reputation>,
    /// What `geoip` looks up.
    pub geoip: GeoIp,
    /// What scripts may do, and how many there are.
    pub lua: Arc<lua::Settings>,
    pub scripts: u32,
    /// `default-rule-path`: where lists that rules name are; empty = not given.
    pub rule_path: PathBuf,
}

impl Outside {
    /// Whether this machine has libmagic.
    pub fn has_magic(&self) -> bool {
        crate::files::magic_is_available()
    }
}

impl Shared {
    pub fn new(classes: HashMap<String, Class>, outside: Outside) -> Shared {
        Shared { classes: Arc::new(classes), outside, ..Shared::default() }
    }

    /// For rules of which it is known that they load and do not look outside: their names get the numbers they had.
    pub fn known(classes: HashMap<String, Class>, interned: &Interned, outside: Outside) -> Shared {
        Shared {
            flowbits: Interner::of(&interned.flowbits),
            flowints: Interner::of(&interned.flowints),
            flowvars: Interner::of(&interned.flowvars),
            known: true,
            ..Shared::new(classes, outside)
        }
    }

    /// For a thread of its own that builds such rules too.
    pub fn sibling(&self) -> Shared {
        Shared {
            flowbits: self.flowbits.clone(),
            flowints: self.flowints.clone(),
            flowvars: self.flowvars.clone(),
            classes: Arc::clone(&self.classes),
            known: self.known,
            ..Shared::default()
        }
    }

    /// Takes in what a sibling's rules ask for. False: they looked outside, or had names that were not known.
    #[must_use]
    pub fn join(&mut self, sibling: Shared) -> bool {
        self.files = self.files.and(sibling.files);
        let counts =
            |shared: &Shared| [&shared.flowbits, &shared.flowints, &shared.flowvars].map(|i| i.names.len());
        !sibling.looked_outside && counts(self) == counts(&sibling)
    }

    pub fn interned(&self) -> Interned {
        Interned {
            flowbits: self.flowbits.names.clone(),
            flowints: self.flowints.names.clone(),
            flowvars: self.flowvars.names.clone(),
        }
    }

    /// An expression of a rule.
    pub fn regex(&self, pattern: &[u8], options: pcre::Options) -> Result<Regex, String> {
        if self.known {
            return Ok(Regex::known(pattern, options));
        }
        Regex::new(pattern, options)
    }

    /// The way to all that. Rules that took it are built anew at every start (see `cache`).
    pub fn outside(&mut self) -> &mut Outside {
        self.looked_outside = true;
        &mut self.outside
    }

    /// Whether some rule did.
    pub fn looked_outside(&self) -> bool {
        self.looked_outside
    }

    /// How many scripts there are.
    pub fn scripts(&self) -> u32 {
        self.outside.scripts
    }

    pub fn datasets(&self) -> &Datasets {
        &self.outside.datasets
    }

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
