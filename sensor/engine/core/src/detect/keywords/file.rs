//! filename, fileext, filesize, filemagic, filestore: files seen in a transaction, by the facts kept of them.

use super::{number, text, Keyword, Kind};
use crate::app::file::{File, FileState};
use crate::app::{ProtocolId, Transaction};
use crate::detect::builder::{some_value, RuleBuilder};
use crate::detect::cx::EvalCx;
use crate::detect::diagnostic::Refusal;
use crate::detect::program::search::Literal;
use crate::detect::rule::{FileTest, Filestore, StoreScope, TxTest};
use crate::direction::{Dir, PerDir};
use std::sync::Arc;

/// One file of the transaction passes every test.
struct OneFile(Arc<[FileTest]>);

impl TxTest for OneFile {
    fn dir(&self) -> Option<Dir> {
        None
    }
    fn progress(&self) -> u8 {
        0
    }
    fn protocol(&self) -> Option<ProtocolId> {
        None
    }
    fn matches(&self, tx: &dyn Transaction, dir: Dir, _cx: &EvalCx<'_>) -> bool {
        // What was written to the log had its turn before.
        tx.files(dir).iter().any(|file| !file.logged && passes(&self.0, file))
    }
}

/// Whether a file passes all tests of a rule.
pub fn passes(tests: &[FileTest], file: &File) -> bool {
    tests.iter().all(|test| test(file))
}

/// Puts the tests of files together: they are about one file.
pub fn finish(rule: &mut RuleBuilder<'_>) {
    if rule.file_tests.is_empty() {
        return;
    }
    rule.rule.file_tests = std::mem::take(&mut rule.file_tests).into();
    rule.rule.tx_tests.push(Box::new(OneFile(Arc::clone(&rule.rule.file_tests))));
}

fn add(rule: &mut RuleBuilder<'_>, test: impl Fn(&File) -> bool + Send + Sync + 'static) {
    rule.file_tests.push(Box::new(test));
}

fn named(name: &str, value: Option<&str>) -> Result<(bool, Vec<u8>), Refusal> {
    let value = some_value(name, value, "\"report\"")?;
    let (negated, value) = text::negation(value);
    let bytes = text::plain(value.trim_matches('"')).into_bytes();
    if bytes.is_empty() {
        return Err(Refusal::error(format!("`{name}` names nothing"), format!("write {name}:\"report\";")));
    }
    Ok((negated, bytes))
}

pub static FILENAME: Keyword = Keyword {
    name: "filename",
    kind: Kind::App,
    doc: "Part of a file's name, in any case.",
    example: "filename:\"report\";",
    accepts: &["filename:\"report\";", "filename:!\"report\";"],
    refuses: &["filename;", "filename:\"\";"],
    parse: |rule, value| {
        let (negated, bytes) = named("filename", value)?;
        let literal = Literal::new(&bytes, true);
        add(rule, move |file| !file.name.is_empty() && literal.find(&file.name).is_some() != negated);
        Ok(())
    },
    ..Keyword::EMPTY
};

pub static FILEEXT: Keyword = Keyword {
    name: "fileext",
    kind: Kind::App,
    doc: "Extension of a file's name, in any case.",
    example: "fileext:\"exe\";",
    accepts: &["fileext:\"exe\";", "fileext:!\"exe\";"],
    refuses: &["fileext;", "fileext:\"\";"],
    parse: |rule, value| {
        let (negated, bytes) = named("fileext", value)?;
        let mut dotted = vec![b'.'];
        dotted.extend_from_slice(&bytes);
        add(rule, move |file| {
            let start = file.name.len().checked_sub(dotted.len());
            let end = start.and_then(|at| file.name.get(at..)).unwrap_or(&[]);
            !file.name.is_empty() && end.eq_ignore_ascii_case(&dotted) != negated
        });
        Ok(())
    },
    ..Keyword::EMPTY
};

pub static FILESIZE: Keyword = Keyword {
    name: "filesize",
    kind: Kind::App,
    doc: "Size of a file in bytes (KB, MB, GB are understood); decided when the file is whole, or as soon as it is certain.",
    example: "filesize:>1MB;",
    accepts: &["filesize:>1MB;", "filesize:10<>20;", "filesize:100;"],
    refuses: &["filesize;", "filesize:x;"],
    parse: |rule, value| {
        let value = some_value("filesize", value, ">1MB")?;
        let test = number::named_test("filesize", value, u64::MAX, &number::bytes)?;
        add(rule, move |file| match file.state {
            FileState::Closed => test.holds(file.size),
            _ => test.holds_for_growing(file.size) == Some(true),
        });
        Ok(())
    },
    ..Keyword::EMPTY
};

pub static FILEMAGIC: Keyword = Keyword {
    name: "filemagic",
    kind: Kind::App,
    doc: "Part of what libmagic (as file(1)) says of a file, in any case.",
    example: "filemagic:\"PDF document\";",
    accepts: &["filemagic:\"PDF document\";", "filemagic:!\"executable\";"],
    refuses: &["filemagic;", "filemagic:\"\";"],
    parse: |rule, value| {
        let (negated, bytes) = named("filemagic", value)?;
        let literal = Literal::new(&bytes, true);
        rule.shared.files.magic = true;
        add(rule, move |file| file.magic().is_some_and(|m| literal.find(m.as_bytes()).is_some() != negated));
        Ok(())
    },
    ..Keyword::EMPTY
};

pub static FILESTORE: Keyword = Keyword {
    name: "filestore",
    kind: Kind::App,
    doc: "Stores the matching file, or with `direction,scope` others beside it: request, response or both; file, tx or flow. \
          Needs the output `file-store`.",
    example: "filestore;",
    accepts: &["filestore;", "filestore:both,flow;", "filestore:request;", "filestore:to_client,tx;"],
    refuses: &["filestore:sideways;", "filestore:both,world;", "filestore:both,tx,x;"],
    parse: |rule, value| {
        rule.rule.filestore = Some(filestore(value)?);
        rule.shared.files.may_store = true;
        // The rule is about files: it matches where there is one.
        add(rule, |_| true);
        Ok(())
    },
    ..Keyword::EMPTY
};

fn filestore(value: Option<&str>) -> Result<Filestore, Refusal> {
    let wrong = |part: &str| {
        Refusal::error(
            format!("`{part}` is neither a direction nor a scope of filestore"),
            "write filestore; or filestore:DIRECTION,SCOPE; with request, response, both and file, tx, flow",
        )
    };
    let mut parts = value.unwrap_or_default().split(',').map(str::trim).filter(|p| !p.is_empty());
    let dirs = match parts.next() {
        None => None,
        Some("request" | "to_server") => Some(PerDir::new(true, false)),
        Some("response" | "to_client") => Some(PerDir::new(false, true)),
        Some("both") => Some(PerDir::new(true, true)),
        Some(other) => return Err(wrong(other)),
    };
    let scope = match parts.next() {
        None | Some("file") => StoreScope::File,
        Some("tx") => StoreScope::Tx,
        Some("flow" | "ssn") => StoreScope::Flow,
        Some(other) => return Err(wrong(other)),
    };
    match parts.next() {
        None => Ok(Filestore { scope, dirs }),
        Some(more) => Err(wrong(more)),
    }
}
