//! The store as its worker sees it: what is closed is there under its digest, nothing else is.

use super::config::FilesConfig;
use super::magic::Magic;
use super::store::Store;
use serde_json::json;
use sha2::{Digest, Sha256};

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[test]
fn stored_files_bear_their_digest() {
    let dir = std::env::temp_dir().join(format!("haidang-store-{}", std::process::id()));
    let document = json!({"default-log-dir": dir, "outputs": [{"file-store": {
        "enabled": true, "force-filestore": true, "max-open-files": 2, "write-fileinfo": true}}]});
    let config = FilesConfig::new(&document);
    assert!(config.wants.store_all);
    let mut store = Store::open(config.store.as_ref().unwrap());
    for round in 0..3u8 {
        for id in 1..=4u64 {
            assert!(store.append(id, vec![b'a' + id as u8, round]));
        }
    }
    let whole = |id: u8| [b'a' + id, 0, b'a' + id, 1, b'a' + id, 2];
    for id in 1..=3u8 {
        assert!(store.close(u64::from(id), sha256(&whole(id))));
    }
    store.record(1, sha256(&whole(1)), 17, b"{}");
    drop(store);
    let root = dir.join("filestore");
    let mut names: Vec<String> = Vec::new();
    for folder in std::fs::read_dir(&root).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            names.push(file.unwrap().file_name().into_string().unwrap());
        }
    }
    names.sort();
    let hex = |id: u8| crate::app::digest::hex(&sha256(&whole(id)));
    let mut wanted = vec![hex(1), hex(2), hex(3), format!("{}.17.1.json", hex(1))];
    wanted.sort();
    assert_eq!(names, wanted, "the fourth was never closed");
    let first = root.join(&hex(1)[..2]).join(hex(1));
    assert_eq!(std::fs::read(first).unwrap(), whole(1));
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn magic_says_what_file_says() {
    if !super::magic_is_available() {
        eprintln!("skipped: libmagic is not on this machine");
        return;
    }
    let magic = Magic::open(None).unwrap();
    assert_eq!(magic.describe(b"%PDF-1.5\n").unwrap(), "PDF document, version 1.5");
    assert!(Magic::open(Some("/nonexistent/magic.mgc")).is_none());
}
