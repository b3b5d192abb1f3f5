//! Data sets: named sets of values that rules look up and add to (Suricata manual, "Datasets"). Workers share them; a rule that
//! only looks up takes the lock for reading; where some rule adds to a set, every look at it waits for its turn (`team`).

mod file;
mod value;

pub use value::Kind;

use crate::setting::size;
use crate::team;
use hashbrown::HashMap;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// Memory one set may hold when the configuration does not say (`datasets.defaults.memcap`).
pub const MEMCAP_BYTES: u64 = 100 << 20;
/// What an entry costs beside its value: table slot, allocation, reputation and context.
const ENTRY_BYTES: u64 = 64;

/// What stands beside a value.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// `datarep`
    pub reputation: u16,
    /// JSON of the value's object (`format json`), for the alert.
    pub context: Option<Arc<[u8]>>,
}

#[derive(Default)]
struct Content {
    entries: HashMap<Box<[u8]>, Entry, ahash::RandomState>,
    bytes: u64,
}

/// One set.
pub struct Dataset {
    pub name: String,
    pub kind: Kind,
    content: RwLock<Content>,
    memcap: u64,
    /// Where it is written at the end.
    save: Option<PathBuf>,
    /// Traffic changes it.
    changes: AtomicBool,
    /// The file it was filled from is all it knows: a reload reads it anew.
    is_static: bool,
    /// The set whose content this one goes on with: that of a ruleset before.
    kept: OnceLock<Arc<Dataset>>,
}

/// How a set is to be made.
#[derive(Clone, Debug)]
pub struct Plan {
    pub name: String,
    pub kind: Kind,
    /// Read at start; with `optional` it may be absent.
    pub load: Option<PathBuf>,
    pub optional: bool,
    pub save: Option<PathBuf>,
    pub memcap: u64,
    pub form: Form,
}

/// How a file of values is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// A value a line, strings in base64; for reputations `value,number`.
    #[default]
    Lines,
    /// One JSON document: an array of objects, at `array_key` if given.
    Json(Keys),
    /// A JSON object a line.
    JsonLines(Keys),
}

/// Where a JSON object has its value. Paths are written with dots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    pub value: String,
    pub array: String,
    /// The value is left out of the context.
    pub remove: bool,
}

impl Dataset {
    /// Makes the set and fills it from its file. The error says what is wrong with the file.
    pub fn open(plan: &Plan) -> Result<Dataset, String> {
        let set = Dataset {
            name: plan.name.clone(),
            kind: plan.kind,
            content: RwLock::default(),
            memcap: plan.memcap,
            save: plan.save.clone(),
            changes: AtomicBool::new(false),
            is_static: plan.load.is_some() && plan.save.is_none(),
            kept: OnceLock::new(),
        };
        if let Some(path) = &plan.load {
            match std::fs::read(path) {
                Ok(bytes) => file::load(&set, &bytes, &plan.form)
                    .map_err(|reason| format!("{}: {reason}", path.display()))?,
                Err(error) if plan.optional && error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(format!("{}: {error}", path.display())),
            }
        }
        Ok(set)
    }

    /// Goes on with the content of the set of the same name in the ruleset before, unless that is nothing but a file read.
    pub fn adopt(&self, before: &Arc<Dataset>) {
        let root = before.kept.get().unwrap_or(before);
        let changes = |set: &Dataset| set.changes.load(Ordering::Relaxed);
        let fixed = self.is_static && root.is_static && !changes(self) && !changes(root);
        if fixed || self.kind != root.kind || self.kept.set(Arc::clone(root)).is_err() {
            return;
        }
        if changes(self) {
            root.will_change();
        }
        *self.content.write().unwrap_or_else(PoisonError::into_inner) = Content::default();
    }

    /// Where the values are.
    fn root(&self) -> &Dataset {
        self.kept.get().map_or(self, |kept| kept)
    }

    /// Some rule or script adds values or takes them out.
    pub fn will_change(&self) {
        self.changes.store(true, Ordering::Relaxed);
    }

    fn in_turn(&self) {
        if self.root().changes.load(Ordering::Relaxed) {
            team::in_turn(|_| ());
        }
    }

    /// Adds a value; whether it is new. A set that is full takes no more.
    pub fn add(&self, value: &[u8], entry: Entry) -> bool {
        let Some(key) = self.kind.key(value) else { return false };
        let cost = (key.len() as u64)
            .saturating_add(entry.context.as_ref().map_or(0, |c| c.len() as u64))
            .saturating_add(ENTRY_BYTES);
        self.in_turn();
        let mut content = self.root().content.write().unwrap_or_else(PoisonError::into_inner);
        if content.entries.contains_key(&key) || content.bytes.saturating_add(cost) > self.memcap {
            return false;
        }
        content.bytes = content.bytes.saturating_add(cost);
        content.entries.insert(key, entry);
        true
    }

    /// Takes a value out; whether it was there.
    pub fn remove(&self, value: &[u8]) -> bool {
        let Some(key) = self.kind.key(value) else { return false };
        self.in_turn();
        let mut content = self.root().content.write().unwrap_or_else(PoisonError::into_inner);
        let removed = content.entries.remove(&key).is_some();
        if removed {
            content.bytes = content.bytes.saturating_sub((key.len() as u64).saturating_add(ENTRY_BYTES));
        }
        removed
    }

    /// What stands beside the value; None: it is not there.
    pub fn find(&self, value: &[u8]) -> Option<Entry> {
        let key = self.kind.key(value)?;
        self.in_turn();
        self.root().content.read().unwrap_or_else(PoisonError::into_inner).entries.get(&key).cloned()
    }

    pub fn len(&self) -> usize {
        self.root().content.read().unwrap_or_else(PoisonError::into_inner).entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes the set where it was asked to be kept, sorted, by a temporary file and a rename.
    pub fn save(&self) -> Result<(), String> {
        let Some(path) = &self.save else { return Ok(()) };
        let content = self.root().content.read().unwrap_or_else(PoisonError::into_inner);
        let mut lines: Vec<String> = content.entries.keys().map(|key| self.kind.show(key)).collect();
        drop(content);
        lines.sort_unstable();
        let mut text = lines.join("\n");
        if !text.is_empty() {
            text.push('\n');
        }
        write_whole(path, text.as_bytes()).map_err(|error| format!("{}: {error}", path.display()))
    }
}

fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let mut file = std::fs::File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)
}

/// The sets of one ruleset, by name.
#[derive(Default)]
pub struct Datasets {
    by_name: std::collections::BTreeMap<String, (Arc<Dataset>, Plan)>,
    /// Node `datasets` of the configuration, and the folder files of state are kept in.
    pub config: Config,
}

/// What the configuration says of data sets.
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub memcap: Option<u64>,
    pub data_folder: Option<PathBuf>,
    /// Rules may name files by absolute paths (`datasets.rules.allow-absolute-filenames`).
    pub absolute: bool,
    /// Rules may have sets written (`datasets.rules.allow-write`).
    pub no_write: bool,
}

impl Config {
    /// Reads `datasets` and `default-data-dir` of the configuration.
    pub fn new(document: &Value) -> Config {
        let node = &document["datasets"];
        let rule = |key: &str| node.get("rules")?.get(key)?.as_bool();
        Config {
            memcap: node.pointer("/defaults/memcap").and_then(size),
            data_folder: document["default-data-dir"].as_str().map(PathBuf::from),
            absolute: rule("allow-absolute-filenames").unwrap_or(false),
            no_write: rule("allow-write") == Some(false),
        }
    }
}

impl Datasets {
    /// With the sets that the configuration defines. The error names the one that cannot be made.
    pub fn new(document: &Value) -> Result<Datasets, String> {
        let mut datasets = Datasets { config: Config::new(document), ..Datasets::default() };
        datasets.define(document)?;
        Ok(datasets)
    }

    fn define(&mut self, document: &Value) -> Result<(), String> {
        let sets = document["datasets"].as_object().into_iter().flatten();
        for (name, node) in sets.filter(|(_, node)| node["type"].is_string()) {
            let place = |key: &str| {
                let text = node[key].as_str()?;
                Some(self.config.data_folder.clone().unwrap_or_default().join(text))
            };
            let kind = node["type"]
                .as_str()
                .and_then(Kind::find)
                .ok_or_else(|| format!("datasets.{name}.type: use string, md5, sha256, ipv4 or ip"))?;
            let (load, state) = (place("load"), place("state"));
            let plan = Plan {
                name: name.clone(),
                kind,
                optional: load.is_none(),
                load: load.or_else(|| state.clone()),
                save: place("save").or(state),
                memcap: size(&node["memcap"]).or(self.config.memcap).unwrap_or(MEMCAP_BYTES),
                form: Form::Lines,
            };
            self.open(plan).map_err(|reason| format!("datasets.{name}: {reason}"))?;
        }
        Ok(())
    }

    /// The set of this name, made by `plan` when there is none yet. Error: it exists and differs, or its file is wrong.
    pub fn open(&mut self, plan: Plan) -> Result<Arc<Dataset>, String> {
        if let Some((known, made)) = self.by_name.get(&plan.name) {
            if known.kind != plan.kind {
                return Err(format!("data set `{}` has another type already", plan.name));
            }
            if plan.load.is_some() && plan.load != made.load {
                return Err(format!("data set `{}` is loaded from another file already", plan.name));
            }
            return Ok(Arc::clone(known));
        }
        let set = Arc::new(Dataset::open(&plan)?);
        self.by_name.insert(plan.name.clone(), (Arc::clone(&set), plan));
        Ok(set)
    }

    pub fn find(&self, name: &str) -> Option<Arc<Dataset>> {
        self.by_name.get(name).map(|(set, _)| Arc::clone(set))
    }

    pub fn all(&self) -> Vec<Arc<Dataset>> {
        self.by_name.values().map(|(set, _)| Arc::clone(set)).collect()
    }
}

#[cfg(test)]
mod tests;
