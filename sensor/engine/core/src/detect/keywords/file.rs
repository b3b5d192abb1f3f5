//! filename, fileext, filesize: files seen in a transaction, by the facts kept of them.

use super::{number, text, Keyword, Kind};
use crate::app::file::{File, FileState};
use crate::app::{ProtocolId, Transaction};
use crate::detect::builder::{some_value, RuleBuilder};
use crate::detect::cx::EvalCx;
use crate::detect::diagnostic::Refusal;
use crate::detect::program::search::Literal;
use crate::detect::rule::TxTest;
use crate::direction::Dir;

/// Some file of the transaction passes.
struct FileTest(Box<dyn Fn(&File) -> bool + Send + Sync>);

impl TxTest for FileTest {
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
        tx.files(dir).iter().any(|file| (self.0)(file))
    }
}

fn add(rule: &mut RuleBuilder<'_>, test: impl Fn(&File) -> bool + Send + Sync + 'static) {
    rule.rule.tx_tests.push(Box::new(FileTest(Box::new(test))));
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
