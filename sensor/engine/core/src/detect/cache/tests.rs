//! What is stored is what is restored, and an entry that was made up hurts nobody.

use super::entry::Writer;
use super::folder::Folder;
use super::*;
use crate::detect::test_rules::block;
use proptest::prelude::*;
use serde_json::json;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

const RULES: &[&str] = &[
    "alert tcp any any -> any 80 (content:\"abc\"; pcre:\"/a(?P<flow_x>b)/R\"; flowbits:set,seen; sid:1;)",
    "alert http any any -> any any (http.uri; content:\"uri\"; flowbits:isset,seen; classtype:none; sid:2;)",
    "alert http any any -> any any (http.uri; content:\"uri\"; flowbits:set,of.the.refused; ttl:999; sid:3;)",
    "pass dns any any -> any any (dns.query; content:\"name\"; sid:4;)",
];

struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str) -> Temporary {
        let path = std::env::temp_dir().join(format!("haidang-kept-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        Temporary(path)
    }

    fn cache(&self, parts: &[&[u8]]) -> Cache {
        let owner = std::fs::metadata("/proc/self").unwrap().uid();
        Cache::new(Folder { path: self.0.join("kept"), owner }, &document(), parts)
    }

    /// A file of rules, of which only the digest matters here.
    fn file(&self, text: &str) -> String {
        let path = self.0.join("a.rules").to_str().unwrap().to_owned();
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn document() -> Value {
    json!({"classification": [{"name": "some", "description": "Some", "priority": 2}], "threshold-config": [[7, "?"]]})
}

/// Compiles and stores; then the same from the entry, and how the databases came about.
fn both(name: &str, lines: &[&str]) -> (Compiled, Compiled) {
    let temporary = Temporary::new(name);
    let path = temporary.file(name);
    let mut cache = temporary.cache(&[]);
    assert!(cache.load(&document(), Some(std::slice::from_ref(&path)), 1000, None).unwrap().is_none());
    cache.add(&path, [&name.as_bytes()[..1], &name.as_bytes()[1..]].into_iter());
    let (compiled, outcome) = compile::compile(&document(), block(lines), false, Earlier::NOTHING).unwrap();
    cache.store(&compiled.id, &outcome, "mine".to_owned());
    assert_eq!(cache.not_kept, None);
    let mut later = temporary.cache(&[]);
    let (restored, findings) =
        later.load(&document(), Some(std::slice::from_ref(&path)), 1000, None).unwrap().unwrap();
    assert_eq!((findings.as_str(), later.warnings.len()), ("mine", 0));
    assert!(temporary
        .cache(&[b"more"])
        .load(&document(), Some(std::slice::from_ref(&path)), 1000, None)
        .unwrap()
        .is_none());
    temporary.file("changed");
    assert!(temporary.cache(&[]).load(&document(), Some(&[path]), 1000, None).unwrap().is_none());
    (compiled, restored)
}

fn assert_same(compiled: &Compiled, restored: &Compiled) {
    assert_eq!((&restored.id, restored.loaded), (&compiled.id, compiled.loaded));
    assert_eq!(restored.diagnostics, compiled.diagnostics);
    assert_eq!(format!("{:?}", restored.ruleset.names), format!("{:?}", compiled.ruleset.names));
    let texts = |compiled: &Compiled| -> Vec<_> {
        let rules = &compiled.ruleset.rules;
        rules
            .iter()
            .map(|rule| (rule.number, rule.sid, rule.bits_set.clone(), rule.bits_read.clone()))
            .collect()
    };
    assert_eq!(texts(restored), texts(compiled));
    assert_eq!(restored.databases, (compiled.databases.0, compiled.databases.0));
}

#[test]
fn a_settled_set_comes_back_as_it_was() {
    let (compiled, restored) = both("settled", RULES);
    assert_eq!((compiled.loaded, compiled.diagnostics.len()), (3, 3));
    assert_same(&compiled, &restored);
}

#[test]
fn a_set_that_looks_outside_is_built_anew() {
    let outside = "alert http any any -> any any (http.host; dataset:set,names,type string; sid:9;)";
    let (compiled, restored) = both("outside", &[RULES, &[outside]].concat());
    assert_same(&compiled, &restored);
    assert_eq!(restored.ruleset.datasets.len(), 1);
}

#[test]
fn databases_serve_other_sets_too() {
    let temporary = Temporary::new("stock");
    let mut cache = temporary.cache(&[]);
    let (compiled, outcome) = compile::compile(&document(), block(RULES), false, Earlier::NOTHING).unwrap();
    cache.store(&compiled.id, &outcome, String::new());
    let more = [RULES, &["alert udp any any -> any any (content:\"another\"; sid:8;)"]].concat();
    let stock = temporary.cache(&[b"other"]).stock();
    let earlier = Earlier { databases: &|patterns| stock.get(patterns), ..Earlier::NOTHING };
    let (changed, _) = compile::compile(&document(), block(&more), false, earlier).unwrap();
    let (total, reused) = changed.databases;
    assert!(reused > 0 && reused < total && reused == compiled.databases.0, "{reused} of {total}");
}

fn facts(settled: bool, key: &str) -> Value {
    let interned = json!({"flowbits": ["seen"], "flowints": [], "flowvars": ["flow:x"]});
    json!({"key": key, "id": "", "findings": "", "settled": settled, "diagnostics": [], "interned": interned})
}

/// An entry of these sections, with true digests.
fn made_up(name: &str, sections: &[(&str, Vec<u8>)]) -> Arc<Mapping> {
    let path = std::env::temp_dir().join(format!("haidang-made-up-{name}-{}", std::process::id()));
    let file = std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path);
    let mut writer = Writer::new(file.unwrap()).unwrap();
    for (name, bytes) in sections {
        writer.section(entry::name(name), bytes).unwrap();
    }
    let mapping = Mapping::new(&writer.finish().unwrap(), false).unwrap();
    std::fs::remove_file(path).unwrap();
    Arc::new(mapping)
}

fn made_of(name: &str, facts: &Value, rules: &RawRules) -> Result<Restored, String> {
    let mut sections = vec![("facts", facts.to_string().into_bytes())];
    sections.extend(rules.sections().map(|(name, bytes)| (name, bytes.to_vec())));
    restore(&made_up(name, &sections), "k", &document(), None).unwrap()
}

#[test]
fn what_contradicts_itself_is_refused() {
    let good = [RULES[0]];
    assert!(made_of("good", &facts(true, "k"), &block(&good)).is_ok());
    for (facts, lines, reason) in [
        (facts(true, "other"), &good[..], "other rules"),
        (facts(true, "k"), &RULES[2..3], "do not load"),
        (json!({}), &good, "damaged"),
        (facts(true, "k"), &["alert ip any any -> any any (flowbits:set,new; sid:1;)"], "do not load"),
        (
            facts(true, "k"),
            &["alert http any any -> any any (http.host; dataset:set,d,type string; sid:1;)"],
            "not load",
        ),
    ] {
        let told = made_of("bad", &facts, &block(lines)).err().unwrap();
        assert!(told.contains(reason), "{told}");
    }
    let mapping = made_up("little", &[("facts", facts(true, "k").to_string().into_bytes())]);
    assert!(restore(&mapping, "k", &document(), None).unwrap().is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_sections_restore_or_do_not(
        settled: bool,
        flips in proptest::collection::vec((0usize..4, any::<proptest::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let rules = block(&RULES[..2]);
        let mut sections: Vec<(&str, Vec<u8>)> =
            rules.sections().map(|(name, bytes)| (name, bytes.to_vec())).into();
        for (section, at, byte) in flips {
            let bytes = &mut sections[section].1;
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        sections.push(("facts", facts(settled, "k").to_string().into_bytes()));
        // An outer error is libhs's or the engine's own and is told; nothing may panic.
        let _ = restore(&made_up("any", &sections), "k", &document(), None);
    }
}
