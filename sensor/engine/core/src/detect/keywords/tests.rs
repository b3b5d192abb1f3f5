//! One test over the whole registry, and one over real rule files.

use super::{find, nearest, Entry, Severity, KEYWORDS, LATER, LATER_PROTOCOLS};
use crate::app::{ProtocolId, PROTOCOLS};
use crate::detect::header;
use crate::detect::shared::Shared;
use crate::detect::test_rules::{options, rule_with, split};
use std::collections::{BTreeMap, HashSet};

#[test]
fn every_keyword_keeps_its_promises() {
    let mut names = HashSet::new();
    for keyword in KEYWORDS {
        for name in std::iter::once(&keyword.name).chain(keyword.aliases) {
            assert!(names.insert(*name), "{name} is there twice");
            assert!(matches!(find(name), Some(Entry::Keyword(_))), "{name}");
        }
        assert!(!keyword.doc.is_empty() && keyword.doc.ends_with('.'), "{}: doc", keyword.name);
        assert!(keyword.example.contains(keyword.name), "{}: example", keyword.name);
        for text in keyword.accepts {
            if let Err(found) = options(text) {
                panic!("{} refuses {text}: {found:?}", keyword.name);
            }
        }
        for text in keyword.refuses {
            let Err(found) = options(text) else { panic!("{} accepts {text}", keyword.name) };
            for diagnostic in found {
                assert!(
                    !diagnostic.reason.is_empty() && !diagnostic.fix.is_empty(),
                    "{text}: {diagnostic:?}"
                );
            }
        }
    }
}

#[test]
fn declared_numbers_take_every_form() {
    for protocol in PROTOCOLS {
        for number in protocol.numbers {
            assert!(number.doc.ends_with('.'), "{}: doc", number.name);
            for value in ["0", "!0", ">0", number.example()] {
                let text = format!("{}:{value};", number.name);
                assert!(options(&text).is_ok(), "{text}: {:?}", options(&text).err());
            }
            for value in ["", ":nonsense"] {
                assert!(options(&format!("{}{value};", number.name)).is_err(), "{}{value}", number.name);
            }
        }
    }
}

#[test]
fn the_table_is_json() {
    let table: serde_json::Value = serde_json::from_str(&super::keywords_json()).unwrap();
    let rows = table.as_array().unwrap();
    assert!(rows.len() >= KEYWORDS.len());
    assert!(rows.iter().any(|row| row["name"] == "tls.sni" && row["kind"] == "buffer"));
}

/// What the manual shows is what the builder takes, unless it hangs on a list that only the user has.
#[test]
fn the_manual_tells_the_truth() {
    let table: serde_json::Value = serde_json::from_str(&super::keywords_json()).unwrap();
    for row in table.as_array().unwrap() {
        let texts = |key: &str| -> Vec<String> {
            let list = row[key].as_array().unwrap();
            list.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
        };
        let example = row["example"].as_str().unwrap().to_owned();
        for text in texts("accepts").into_iter().chain([example]) {
            let Err(found) = options(&text) else { continue };
            let configured =
                |reason: &str| reason.contains("in the configuration") || reason.contains("list.txt");
            let configured = found.iter().all(|d| configured(&d.reason));
            assert!(configured, "{}: {text}: {found:?}", row["name"]);
        }
        for text in texts("refuses") {
            assert!(options(&text).is_err(), "{}: {text}", row["name"]);
        }
    }
}

#[test]
fn unknown_names_get_the_nearest_known_one() {
    let found = options("contnet:\"a\";").err().unwrap();
    assert_eq!(found[0].fix, "did you mean `content`?");
    assert_eq!(found[0].severity, Severity::Error);
    assert_eq!(options("vxlan_vni:1;").err().unwrap()[0].severity, Severity::Skip);
    assert_eq!(nearest("zzzzzzzz", ["content"]), None);
}

/// Builds every rule under $CORPORA_DIR/rules and says what was refused and why.
#[test]
fn real_rule_files_load() {
    let Ok(corpora) = std::env::var("CORPORA_DIR") else {
        eprintln!("skipped: CORPORA_DIR is not set");
        return;
    };
    for entry in std::fs::read_dir(format!("{corpora}/rules")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "rules") {
            continue;
        }
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).replace("\\\n", "");
        let raw: Vec<_> = text.lines().filter(|line| split(line).is_some()).collect();
        let mut shared = Shared::default();
        let begin = std::time::Instant::now();
        let mut reasons: BTreeMap<(String, String), (usize, u32)> = BTreeMap::new();
        let (mut loaded, mut without_pattern, mut errors) = (0usize, 0usize, 0usize);
        for rule in &raw {
            match rule_with(rule, &mut shared) {
                Ok(rule) => {
                    loaded += 1;
                    without_pattern += usize::from(rule.fast_pattern.is_none());
                }
                Err(found) => {
                    errors += usize::from(found.iter().any(|d| d.severity == Severity::Error));
                    let first = &found[0];
                    let key = (format!("{:?} {}", first.severity, first.keyword), first.reason.clone());
                    let slot = reasons.entry(key).or_insert((0, first.sid));
                    slot.0 += 1;
                }
            }
        }
        eprintln!(
            "{}: {} rules, {loaded} loaded ({without_pattern} without fast pattern), {errors} errors, {} warnings, {:?}",
            path.display(),
            raw.len(),
            shared.warnings.len(),
            begin.elapsed()
        );
        let mut reasons: Vec<_> = reasons.into_iter().collect();
        reasons.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
        for ((what, why), (count, sid)) in reasons.iter().take(40) {
            eprintln!("  {count:6} {what}: {why} (sid {sid})");
        }
        if path.file_name().is_some_and(|n| n == "etopen-composite.rules") {
            assert!(errors * 1000 <= raw.len(), "{errors} of {} rules are refused as wrong", raw.len());
        }
    }
}

/// A name that this build knows must not stand among those it lacks, nor must one stand there twice.
#[test]
fn what_is_here_is_not_left_for_later() {
    let stale: Vec<&str> =
        LATER.iter().copied().filter(|name| !matches!(find(name), Some(Entry::Later))).collect();
    let here: Vec<&str> = LATER_PROTOCOLS
        .iter()
        .copied()
        .filter(|name| ProtocolId::find(name).is_some() || header::transport(name).is_some())
        .collect();
    let mut seen = HashSet::new();
    let repeated: Vec<&str> = LATER.iter().copied().filter(|name| !seen.insert(*name)).collect();
    assert_eq!((stale, here, repeated), (vec![], vec![], vec![]));
}
