//! Any bytes as a kept ruleset: as they are, as sections with true digests, and as rules in such sections.
#![no_main]

use haidang_core::detect::cache::{entry, restore};
use haidang_core::detect::mapped::Mapping;
use haidang_core::detect::raw::{RawOption, RawRulesBuilder};
use haidang_fuzz::Taker;
use libfuzzer_sys::fuzz_target;
use std::fs::{File, OpenOptions};
use std::io::{Seek, Write};
use std::sync::{Arc, LazyLock};

const PARTS: [&str; 5] = ["facts", "starts", "rules", "ends", "strings"];

static FILE: LazyLock<File> = LazyLock::new(|| {
    let path = std::env::temp_dir().join(format!("haidang-fuzz-cache-{}", std::process::id()));
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).expect("a file");
    std::fs::remove_file(path).expect("its name");
    file
});

fn facts(settled: bool) -> Vec<u8> {
    let interned = r#"{"flowbits":["a","b"],"flowints":[],"flowvars":["flow:a"]}"#;
    format!(
        r#"{{"key":"k","id":"","findings":"","settled":{settled},"diagnostics":[],"interned":{interned}}}"#
    )
    .into()
}

fn sections(input: &mut Taker<'_>) -> Vec<Vec<u8>> {
    let mut parts: Vec<Vec<u8>> = PARTS
        .iter()
        .map(|_| {
            let length = usize::from(input.u16());
            input.bytes(length).to_vec()
        })
        .collect();
    if parts[0].is_empty() {
        parts[0] = facts(true);
    }
    parts
}

/// One rule a line: the header's seven words, then options between semicolons.
fn rules(settled: bool, text: &str) -> Vec<Vec<u8>> {
    let mut builder = RawRulesBuilder::default();
    for (line, rule) in (1u32..).zip(text.lines().take(8)) {
        let mut parts = rule.split(';');
        let mut words = parts.next().unwrap_or_default().split(' ');
        builder.begin("fuzz.rules", line, std::array::from_fn(|_| words.next().unwrap_or("any")));
        for (column, option) in (1u32..).zip(parts) {
            let (keyword, value) = option.split_once(':').map_or((option, None), |(k, v)| (k, Some(v)));
            builder.option(RawOption { keyword, value, line, column });
        }
    }
    let raw = builder.finish();
    std::iter::once(facts(settled)).chain(raw.sections().map(|(_, bytes)| bytes.to_vec())).collect()
}

fuzz_target!(|data: &[u8]| {
    let mut input = Taker(data);
    let way = input.u8();
    let mut file = &*FILE;
    file.set_len(0).expect("an empty file");
    file.rewind().expect("its start");
    let parts = match way % 4 {
        0 => {
            file.write_all(input.0).expect("room");
            None
        }
        1 => Some(sections(&mut input)),
        way => Some(rules(way == 2, &String::from_utf8_lossy(input.0))),
    };
    if let Some(parts) = parts {
        let mut writer = entry::Writer::new(file).expect("room");
        for (name, bytes) in PARTS.iter().zip(&parts) {
            writer.section(entry::name(name), bytes).expect("room");
        }
        writer.finish().expect("room");
    }
    let Ok(mapping) = Mapping::new(file, false) else { return };
    let _ = std::hint::black_box(restore(&Arc::new(mapping), "k", &serde_json::Value::Null, None));
});
