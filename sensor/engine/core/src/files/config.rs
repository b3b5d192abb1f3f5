//! What the configuration wants of files: `outputs: - file-store`, the EVE type `files`, `magic-file`.

use crate::app::digest::FileWants;
use crate::setting;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// File handles open at once where the configuration does not say.
const OPEN_FILES_MAX: usize = 256;

#[derive(Clone, Debug, Default)]
pub struct FilesConfig {
    /// Without what rules want.
    pub wants: FileWants,
    pub magic_file: Option<String>,
    /// The output `file-store`, when it is on.
    pub store: Option<StoreConfig>,
}

#[derive(Clone, Debug)]
pub struct StoreConfig {
    pub dir: PathBuf,
    pub write_fileinfo: bool,
    pub open_files_max: usize,
    /// Depth to which a stream with a stored file is followed, 0 = to its end; None: as others.
    pub stream_depth: Option<u64>,
}

impl FilesConfig {
    /// Reads the whole configuration document.
    pub fn new(document: &Value) -> FilesConfig {
        let mut wants = FileWants::default();
        let files = &document["eve-types"]["files"];
        hashes(&files["force-hash"], &mut wants);
        wants.magic = is_on(&files["force-magic"]);
        let outputs = document["outputs"].as_array().into_iter().flatten();
        let section = outputs
            .map(|o| &o["file-store"])
            .find(|s| s.is_object() && is_on(s.get("enabled").unwrap_or(&Value::Null)));
        let store = section.map(|section| {
            hashes(&section["force-hash"], &mut wants);
            wants.magic |= is_on(&section["force-magic"]);
            wants.store_all = is_on(&section["force-filestore"]);
            let log_dir = Path::new(document["default-log-dir"].as_str().unwrap_or("."));
            StoreConfig {
                dir: log_dir.join(section["dir"].as_str().unwrap_or("filestore")),
                write_fileinfo: is_on(&section["write-fileinfo"]),
                open_files_max: section["max-open-files"]
                    .as_u64()
                    .and_then(|n| usize::try_from(n).ok())
                    .filter(|n| *n > 0)
                    .unwrap_or(OPEN_FILES_MAX),
                stream_depth: section["stream-depth"].as_u64(),
            }
        });
        let magic_file = document["magic-file"].as_str().filter(|f| !f.is_empty()).map(str::to_owned);
        FilesConfig { wants, magic_file, store }
    }
}

fn hashes(list: &Value, wants: &mut FileWants) {
    for name in list.as_array().into_iter().flatten().filter_map(Value::as_str) {
        match name {
            "md5" => wants.md5 = true,
            "sha1" => wants.sha1 = true,
            "sha256" => wants.sha256 = true,
            _ => {}
        }
    }
}

fn is_on(value: &Value) -> bool {
    setting::switch(value).unwrap_or(false)
}
