//! filemd5, filesha1, filesha256: files whose digest is on a list in a file of its own, one hex digest a line.

use super::{text, Keyword, Kind};
use crate::app::digest::Sums;
use crate::detect::builder::{some_value, RuleBuilder};
use crate::detect::diagnostic::Refusal;
use std::io::BufRead;
use std::path::{Path, PathBuf};

/// Digests of one list at most: as many fit in 640 MB of memory.
const LIST_MAX: usize = 20_000_000;

/// Sorted digests.
struct HashList<const N: usize>(Vec<[u8; N]>);

impl<const N: usize> HashList<N> {
    /// Reads a list; a line is a digest, anything behind it a remark. Errors name the line.
    fn read(path: &Path) -> Result<HashList<N>, String> {
        let file = std::fs::File::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let mut found = Vec::new();
        for (at, line) in std::io::BufReader::new(file).lines().enumerate() {
            let line = line.map_err(|e| format!("{}: {e}", path.display()))?;
            let word = line.split_whitespace().next().unwrap_or_default();
            if word.is_empty() || word.starts_with('#') {
                continue;
            }
            let digest = digest::<N>(word).ok_or_else(|| {
                let hex = N.saturating_mul(2);
                format!("{}:{}: no digest of {hex} hex digits", path.display(), at.saturating_add(1))
            })?;
            found.push(digest);
            if found.len() > LIST_MAX {
                return Err(format!("{}: more than {LIST_MAX} digests", path.display()));
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(HashList(found))
    }

    fn has(&self, digest: &[u8; N]) -> bool {
        self.0.binary_search(digest).is_ok()
    }
}

fn digest<const N: usize>(hex: &str) -> Option<[u8; N]> {
    if hex.len() != N.saturating_mul(2) || !hex.is_ascii() {
        return None;
    }
    let mut out = [0u8; N];
    for (byte, at) in out.iter_mut().zip((0..hex.len()).step_by(2)) {
        *byte = u8::from_str_radix(hex.get(at..at.saturating_add(2))?, 16).ok()?;
    }
    Some(out)
}

/// Where a list may be: as named, below default-rule-path, beside the rule's own file.
pub(super) fn places(rule: &mut RuleBuilder<'_>, name: &str) -> Vec<PathBuf> {
    let mut places = Vec::new();
    let named = Path::new(name);
    if named.is_relative() {
        let rule_path = &rule.shared.outside().rule_path;
        if !rule_path.as_os_str().is_empty() {
            places.push(rule_path.join(named));
        }
        if let Some(folder) = Path::new(rule.raw.file).parent() {
            places.push(folder.join(named));
        }
    }
    places.push(named.to_owned());
    places
}

/// One keyword: `pick` takes its digest of a file.
fn listed<const N: usize>(
    rule: &mut RuleBuilder<'_>,
    name: &str,
    value: Option<&str>,
    pick: fn(&Sums) -> Option<[u8; N]>,
) -> Result<(), Refusal> {
    let value = some_value(name, value, "list.txt")?;
    let (negated, value) = text::negation(value.trim_matches('"'));
    let path = places(rule, value).into_iter().find(|p| p.is_file());
    let path = path.ok_or_else(|| {
        Refusal::error(
            format!("the list `{value}` is not there"),
            "put it beside the rule file or below default-rule-path",
        )
    })?;
    let list = HashList::<N>::read(&path)
        .map_err(|reason| Refusal::error(reason, "write one hex digest a line, remarks behind it"))?;
    rule.file_tests.push(Box::new(move |file| {
        file.sums().and_then(pick).is_some_and(|digest| list.has(&digest) != negated)
    }));
    Ok(())
}

macro_rules! file_hash {
    ($id:ident, $name:literal, $field:ident, $doc:literal) => {
        pub static $id: Keyword = Keyword {
            name: $name,
            kind: Kind::App,
            doc: $doc,
            example: concat!($name, ":list.txt;"),
            refuses: &[concat!($name, ";"), concat!($name, ":no-such-list-is-there;")],
            parse: |rule, value| {
                listed(rule, $name, value, |sums| sums.$field)?;
                rule.shared.files.$field = true;
                Ok(())
            },
            ..Keyword::EMPTY
        };
    };
}

file_hash!(
    FILEMD5,
    "filemd5",
    md5,
    "The whole file's MD5 is on the list (`!`: is not); the list has one a line."
);
file_hash!(FILESHA1, "filesha1", sha1, "The whole file's SHA-1 is on the list (`!`: is not).");
file_hash!(FILESHA256, "filesha256", sha256, "The file's SHA-256 is on the list (`!`: is not).");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lists_with_remarks() {
        let path = std::env::temp_dir().join(format!("haidang-hashes-{}", std::process::id()));
        std::fs::write(&path, "# list\n5D41402abc4b2a76b9719d911017c592  hello\n\n").unwrap();
        let list = HashList::<16>::read(&path).unwrap();
        assert!(list.has(&digest("5d41402abc4b2a76b9719d911017c592").unwrap()));
        assert!(HashList::<20>::read(&path).is_err_and(|e| e.contains(":2:")));
        std::fs::remove_file(&path).unwrap();
        assert!(HashList::<16>::read(&path).is_err());
        assert!(digest::<1>("zz").is_none() && digest::<1>("é").is_none());
    }
}
