//! Compiled rulesets on disk, so that the same rules start in a tenth of the time (docs/spec/cache.md).
//!
//! An entry holds the rules as they were cut, what was said of them, and the Hyperscan databases. It is found by a digest over
//! everything it was made from: this build, its libraries, the CPU, what the configuration says of the meaning of rules, and
//! the files. What hangs on more than that (data sets, scripts, lists) is never kept: rule sets with such rules are built as
//! if there were no entry, without cutting their text and compiling their databases again.
//!
//! Whatever is wrong with an entry, there is a word of warning and the rules are compiled anew.

pub mod digest;
pub mod entry;
pub mod folder;
#[cfg(test)]
mod tests;

use super::compile::{self, Compiled, Earlier, Outcome, Rebuilt};
use super::databases::Digest;
use super::diagnostic::Diagnostic;
use super::hs::{self, Database};
use super::mapped::{Bytes, Mapping};
use super::pcre;
use super::raw::{RawRules, RULES, STARTS};
use super::ruleset::Ruleset;
use super::shared::Interned;
use entry::Section;
use folder::{Absence, Folder};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;

/// Parts of the configuration that the meaning of a rule hangs on by itself. Others are read by rules that look outside alone
/// (`shared::Outside`), or laid over the rules at every start (threshold.config).
const CONFIGURATION: [&str; 2] = ["classification", "references"];

/// The system keeps a file in pieces as large as they were written, and a page that is read of one may bring in the whole of it.
const PIECE_BYTES: usize = 16 << 10;

/// What stands in an entry besides rules and databases.
#[derive(Serialize, Deserialize)]
struct Facts {
    key: String,
    /// The ruleset's.
    id: String,
    /// What the reader of files found, in its own form.
    findings: String,
    /// Only rules that load are kept, and their names have the numbers they had; otherwise all rules are.
    settled: bool,
    diagnostics: Vec<Diagnostic>,
    interned: Interned,
}

/// The cache, for one set of inputs.
pub struct Cache {
    folder: Folder,
    /// Over everything but the files.
    base: Sha256,
    /// The files as they were read.
    files: Vec<(String, Digest)>,
    pub warnings: Vec<String>,
    /// Why `store` kept nothing.
    pub not_kept: Option<String>,
}

impl Cache {
    /// `parts`: whatever else decides what is made of the files' text.
    pub fn new(folder: Folder, document: &Value, parts: &[&[u8]]) -> Cache {
        let mut base = Sha256::new();
        let mut add = |bytes: &[u8]| {
            base.update((bytes.len() as u64).to_le_bytes());
            base.update(bytes);
        };
        add(env!("HAIDANG_SOURCES").as_bytes());
        add(hs::platform().as_bytes());
        add(pcre::version().as_bytes());
        for name in CONFIGURATION {
            add(document[name].to_string().as_bytes());
        }
        parts.iter().for_each(|part| add(part));
        Cache { folder, base, files: Vec::new(), warnings: Vec::new(), not_kept: None }
    }

    fn key(&self) -> String {
        let mut hash = self.base.clone();
        for (path, digest) in &self.files {
            hash.update((path.len() as u64).to_le_bytes());
            hash.update(path);
            hash.update(digest);
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A file as it was read, in pieces.
    pub fn add<'p>(&mut self, path: &str, pieces: impl Iterator<Item = &'p [u8]>) {
        let mut digest = digest::Gatherer::default();
        pieces.for_each(|piece| digest.add(piece));
        self.files.push((path.to_owned(), digest.finish()));
    }

    /// Adds files as they are now. False: one of them cannot be read, or has more bytes.
    fn add_files(&mut self, paths: &[String], file_bytes_max: u64) -> bool {
        // Opening a pipe would take from it what the reader of files is to get.
        let open = |path: &String| Path::new(path).is_file().then(|| File::open(path).ok()).flatten();
        let files: Option<Vec<File>> = paths.iter().map(open).collect();
        let digests = files.and_then(|files| digest::files(&files, file_bytes_max));
        self.files = paths.iter().cloned().zip(digests.iter().flatten().copied()).collect();
        digests.is_some()
    }

    /// The ruleset of these files, or of those added, and the findings of their reader; None when it has to be compiled.
    /// What was added is forgotten. With rules in force, see `compile::Earlier`.
    pub fn load(
        &mut self,
        document: &Value,
        paths: Option<&[String]>,
        file_bytes_max: u64,
        in_force: Option<&Ruleset>,
    ) -> Result<Option<Restored>, String> {
        if !paths.is_none_or(|paths| self.add_files(paths, file_bytes_max)) {
            self.files.clear();
            return Ok(None);
        }
        let key = self.key();
        self.files.clear();
        let mapping = match self.folder.open(&key) {
            Ok(mapping) => Arc::new(mapping),
            Err(Absence::Missing) => return Ok(None),
            Err(Absence::Doubt(reason)) => {
                self.warn(reason);
                return Ok(None);
            }
        };
        match restore(&mapping, &key, document, in_force)? {
            Ok(restored) => {
                mapping.release_pages();
                Ok(Some(restored))
            }
            Err(reason) => {
                self.warn(format!("{}: {reason}", self.folder.place(&key).display()));
                Ok(None)
            }
        }
    }

    /// The same rules, in a file that has no name any more where that can be: they are needed again when one of them alerts,
    /// and until then the system may have their memory.
    pub fn lay_down(&self, rules: RawRules) -> RawRules {
        let file = || -> io::Result<RawRules> {
            let mut file = self.folder.nameless()?;
            let mut ranges = HashMap::new();
            let mut at = 0usize;
            for (name, bytes) in rules.sections() {
                bytes.chunks(PIECE_BYTES).try_for_each(|piece| file.write_all(piece))?;
                let end = at.saturating_add(bytes.len());
                ranges.insert(name, at..end);
                at = end;
            }
            let mapping = Arc::new(Mapping::new(&file, false)?);
            let part = |name: &str| Some(Bytes::Mapped(Arc::clone(&mapping), ranges.get(name)?.clone()));
            RawRules::of_sections(part).ok_or_else(|| io::ErrorKind::NotFound.into())
        };
        file().unwrap_or(rules)
    }

    /// Databases of earlier entries, of whatever rules.
    pub fn stock(&self) -> Stock {
        let mut stock = Stock::default();
        for mapping in self.folder.all() {
            let mapping = Arc::new(mapping);
            for section in entry::table(&mapping).into_iter().flatten() {
                stock.sections.entry(section.name).or_insert_with(|| (Arc::clone(&mapping), section));
            }
        }
        stock
    }

    /// Keeps what compiling the files gave. Where that cannot be, the next start is slow again, and nothing is wrong.
    pub fn store(&mut self, id: &str, outcome: &Outcome, findings: String) {
        let key = self.key();
        let settled = !outcome.looked_outside;
        let facts = Facts {
            key: key.clone(),
            id: id.to_owned(),
            findings,
            settled,
            diagnostics: if settled { outcome.diagnostics.clone() } else { Vec::new() },
            interned: if settled { outcome.interned.clone() } else { Interned::default() },
        };
        let all = &outcome.texts.rules;
        let kept: Vec<usize> = if settled { outcome.good.clone() } else { (0..all.len()).collect() };
        let (starts, mut records) = all.only(&kept);
        let written = self.folder.publish(&key, |file| {
            let mut writer = entry::Writer::new(BufWriter::new(file))?;
            writer.section(entry::name("facts"), &serde_json::to_vec(&facts)?)?;
            for (name, bytes) in all.sections() {
                match name {
                    STARTS => writer.section(entry::name(name), &starts)?,
                    RULES => writer.section_of(entry::name(name), records.by_ref())?,
                    _ => writer.section(entry::name(name), bytes)?,
                }
            }
            for (digest, database) in &outcome.databases.list {
                let bytes = database.serialize().map_err(io::Error::other)?;
                writer.section(stock_name(digest), &bytes)?;
            }
            writer.finish()?.into_inner().map_err(io::IntoInnerError::into_error)
        });
        all.rest();
        if let Err(error) = written {
            self.not_kept = Some(format!("{}: {error}", self.folder.path.display()));
        }
    }

    fn warn(&mut self, reason: String) {
        self.warnings.push(format!("kept rules are not used: {reason}; the rules are compiled anew"));
    }
}

/// Databases by what is in them.
#[derive(Default)]
pub struct Stock {
    sections: HashMap<entry::Name, (Arc<Mapping>, Section)>,
}

impl Stock {
    /// The database of these patterns, if it is there, whole, and made for this library and CPU.
    pub fn get(&self, digest: &Digest) -> Option<Database> {
        let (mapping, section) = self.sections.get(&stock_name(digest))?;
        Database::deserialize(section.checked(mapping)?).ok()
    }
}

/// The name of a database's section: its patterns, and what their form hangs on.
fn stock_name(patterns: &Digest) -> entry::Name {
    Sha256::new().chain_update(patterns).chain_update(hs::platform()).finalize().into()
}

/// A ruleset, and the findings of the reader of files.
pub type Restored = (Compiled, String);

/// What an entry holds. Outer error: the configuration's, as compiling would give it. Inner: what is wrong with the entry.
pub fn restore(
    mapping: &Arc<Mapping>,
    key: &str,
    document: &Value,
    in_force: Option<&Ruleset>,
) -> Result<Result<Restored, String>, String> {
    let damaged = || "it is damaged, or of another version".to_owned();
    let Some(table) = entry::table(mapping) else { return Ok(Err(damaged())) };
    if !entry::are_whole(&table.iter().collect::<Vec<_>>(), mapping) {
        return Ok(Err(damaged()));
    }
    let sections: HashMap<entry::Name, &Section> = table.iter().map(|s| (s.name, s)).collect();
    let bytes = |name: &str| {
        let section = sections.get(&entry::name(name))?;
        Some(Bytes::Mapped(Arc::clone(mapping), section.range.clone()))
    };
    let facts = bytes("facts").and_then(|bytes| serde_json::from_slice::<Facts>(&bytes).ok());
    let (Some(facts), Some(rules)) = (facts, RawRules::of_sections(bytes)) else { return Ok(Err(damaged())) };
    if facts.key != key {
        return Ok(Err("it is of other rules".to_owned()));
    }
    // All of it was read, and is read again step by step.
    mapping.release_pages();
    let kept = |digest: &Digest| {
        let section = sections.get(&stock_name(digest))?;
        Database::deserialize(mapping.get(section.range.clone())?).ok()
    };
    let earlier = Earlier { in_force, databases: &kept };
    if !facts.settled {
        let (compiled, _) = compile::compile(document, rules, false, earlier)?;
        return Ok(Ok((compiled, facts.findings)));
    }
    let rebuilt = compile::rebuild(document, rules, &facts.interned, earlier)?;
    Ok(rebuilt.map(|rebuilt| {
        let Rebuilt { ruleset, thresholds, databases } = rebuilt;
        let mut diagnostics = facts.diagnostics;
        diagnostics.extend(thresholds);
        let loaded = ruleset.rules.len();
        let left_out = Vec::new();
        (Compiled { ruleset, id: facts.id, loaded, diagnostics, left_out, databases }, facts.findings)
    }))
}
