//! Names the sources this build is made of (HAIDANG_SOURCES), so that what one build kept on disk is not taken for another's,
//! and tells the crate whether it is laid out by a profile.

use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;
use std::path::{Path, PathBuf};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of sources").flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => files(&path, found),
            false => found.push(path),
        }
    }
}

fn main() {
    println!("cargo:rerun-if-changed=src");
    let mut found = Vec::new();
    files(Path::new("src"), &mut found);
    found.sort();
    let mut hash = DefaultHasher::new();
    for path in found {
        hash.write(path.to_string_lossy().as_bytes());
        hash.write(&std::fs::read(&path).expect("a source file"));
    }
    println!("cargo:rustc-env=HAIDANG_SOURCES={:016x}", hash.finish());
    println!("cargo:rustc-check-cfg=cfg(profile_guided)");
    if std::env::var("CARGO_ENCODED_RUSTFLAGS").is_ok_and(|flags| flags.contains("profile-use")) {
        println!("cargo:rustc-cfg=profile_guided");
    }
}
