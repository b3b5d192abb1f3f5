//! The folder of entries: which files in it are trusted, how one comes into being, which ones go. It must not know what is in
//! an entry.
//!
//! A folder or file is trusted when it belongs to us or to root and nobody else can write to it. Links are not followed.

use crate::detect::mapped::Mapping;
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// As many entries as there are configurations somebody goes back and forth between.
const ENTRIES_MAX: usize = 4;
/// An entry of 40,000 rules has 40 MB.
const BYTES_MAX: u64 = 512 << 20;
/// A file that is still being written is younger.
const UNFINISHED: Duration = Duration::from_secs(3600);

/// open(2): Linux's own.
const O_TMPFILE: i32 = 0o20_200_000;

const SUFFIX: &str = ".ruleset";
const UNFINISHED_SUFFIX: &str = ".new";
/// Hex SHA-256.
const KEY_LETTERS: usize = 64;

/// Where entries are, and whose they must be, besides root's.
pub struct Folder {
    pub path: PathBuf,
    pub owner: u32,
}

/// Why there is no entry.
#[derive(Debug)]
pub enum Absence {
    /// It is not there, or this process may not read it.
    Missing,
    /// It is there, and not trusted.
    Doubt(String),
}

impl From<io::Error> for Absence {
    fn from(_: io::Error) -> Self {
        Absence::Missing
    }
}

impl Folder {
    fn trust(&self, path: &Path, facts: &Metadata) -> Result<(), Absence> {
        let doubt = |reason: String| Err(Absence::Doubt(format!("{}: {reason}", path.display())));
        if facts.is_symlink() {
            return doubt("it is a symbolic link".to_owned());
        }
        if facts.uid() != self.owner && facts.uid() != 0 {
            return doubt(format!("it belongs to user {}", facts.uid()));
        }
        if facts.mode() & 0o022 != 0 {
            return doubt(format!("others can write to it (mode {:o})", facts.mode() & 0o7777));
        }
        Ok(())
    }

    fn open_trusted(&self, path: &Path) -> Result<File, Absence> {
        let before = path.symlink_metadata()?;
        self.trust(path, &before)?;
        if !before.is_file() {
            return Err(Absence::Doubt(format!("{}: it is no file", path.display())));
        }
        let file = File::open(path)?;
        let facts = file.metadata()?;
        if (facts.dev(), facts.ino()) != (before.dev(), before.ino()) {
            return Err(Absence::Missing); // replaced just now: the next start finds it
        }
        self.trust(path, &facts)?;
        Ok(file)
    }

    fn check(&self) -> Result<(), Absence> {
        let facts = self.path.symlink_metadata()?;
        self.trust(&self.path, &facts)?;
        match facts.is_dir() {
            true => Ok(()),
            false => Err(Absence::Doubt(format!("{}: it is no folder", self.path.display()))),
        }
    }

    pub fn place(&self, key: &str) -> PathBuf {
        self.path.join(format!("{key}{SUFFIX}"))
    }

    /// The entry's bytes; it counts as used now.
    pub fn open(&self, key: &str) -> Result<Mapping, Absence> {
        self.check()?;
        let file = self.open_trusted(&self.place(key))?;
        // A reader who may not say so reads none the less.
        let _ = file.set_modified(SystemTime::now());
        Ok(Mapping::new(&file, true)?)
    }

    /// All entries that can be read and are trusted, the last used first.
    pub fn all(&self) -> Vec<Mapping> {
        if self.check().is_err() {
            return Vec::new();
        }
        let entries = self.entries().into_iter().take(ENTRIES_MAX);
        entries.filter_map(|(path, _)| Mapping::new(&self.open_trusted(&path).ok()?, false).ok()).collect()
    }

    /// The files named as entries are, with their sizes, the last used first.
    fn entries(&self) -> Vec<(PathBuf, u64)> {
        let mut found: Vec<(SystemTime, PathBuf, u64)> = self
            .files()
            .filter(|(name, _, _)| {
                name.strip_suffix(SUFFIX).is_some_and(|key| {
                    key.len() == KEY_LETTERS && key.bytes().all(|letter| letter.is_ascii_hexdigit())
                })
            })
            .filter_map(|(_, path, facts)| Some((facts.modified().ok()?, path, facts.len())))
            .collect();
        found.sort_by_key(|b| std::cmp::Reverse(b.0));
        found.into_iter().map(|(_, path, bytes)| (path, bytes)).collect()
    }

    fn files(&self) -> impl Iterator<Item = (String, PathBuf, Metadata)> {
        std::fs::read_dir(&self.path).into_iter().flatten().flatten().filter_map(|entry| {
            let path = entry.path();
            let facts = path.symlink_metadata().ok()?;
            Some((entry.file_name().into_string().ok()?, path, facts))
        })
    }

    fn create(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.path)?;
        match self.check() {
            Ok(()) => Ok(()),
            Err(Absence::Missing) => Err(io::ErrorKind::NotFound.into()),
            Err(Absence::Doubt(reason)) => Err(io::Error::other(reason)),
        }
    }

    /// A file for this process alone, which goes with it. Not every file system has such.
    pub fn nameless(&self) -> io::Result<File> {
        self.create()?;
        OpenOptions::new().read(true).write(true).mode(0o600).custom_flags(O_TMPFILE).open(&self.path)
    }

    /// Puts an entry in its place, whole or not at all, and makes room for it.
    pub fn publish(&self, key: &str, write: impl FnOnce(File) -> io::Result<File>) -> io::Result<()> {
        self.create()?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        let new = self.path.join(format!("{key}.{}.{now}{UNFINISHED_SUFFIX}", std::process::id()));
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&new)?;
        let written = write(file)
            .and_then(|file| file.sync_all())
            .and_then(|()| std::fs::rename(&new, self.place(key)))
            .and_then(|()| File::open(&self.path)?.sync_all());
        if written.is_err() {
            let _ = std::fs::remove_file(&new);
        }
        self.make_room();
        written
    }

    /// Removes the entries least recently used, and what writers that died left behind. What cannot be removed stays.
    fn make_room(&self) {
        let mut bytes = 0u64;
        for (count, (path, size)) in self.entries().into_iter().enumerate() {
            bytes = bytes.saturating_add(size);
            if count > 0 && (count >= ENTRIES_MAX || bytes > BYTES_MAX) {
                let _ = std::fs::remove_file(path);
            }
        }
        for (name, path, facts) in self.files() {
            let age = facts.modified().ok().and_then(|then| then.elapsed().ok());
            if name.ends_with(UNFINISHED_SUFFIX) && age.is_some_and(|age| age > UNFINISHED) {
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::{chown, symlink, PermissionsExt};

    struct Temporary(Folder);

    impl Temporary {
        fn new(name: &str) -> Temporary {
            let path = std::env::temp_dir().join(format!("haidang-cache-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&path);
            Temporary(Folder { path, owner: std::fs::metadata("/proc/self").unwrap().uid() })
        }

        fn put(&self, key: &str, bytes: &[u8]) {
            let write = |mut file: File| file.write_all(bytes).map(|()| file);
            self.0.publish(key, write).unwrap();
        }

        fn doubt(&self, key: &str) -> String {
            match self.0.open(key) {
                Err(Absence::Doubt(reason)) => reason,
                Err(Absence::Missing) => panic!("missing"),
                Ok(_) => panic!("trusted"),
            }
        }
    }

    impl Drop for Temporary {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0.path);
        }
    }

    fn key(n: u8) -> String {
        format!("{n:064x}")
    }

    fn mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_is_put_is_found() {
        let folder = Temporary::new("found");
        assert!(matches!(folder.0.open(&key(1)), Err(Absence::Missing)));
        folder.put(&key(1), b"one");
        folder.put(&key(1), b"another");
        assert_eq!(&*folder.0.open(&key(1)).unwrap(), b"another");
        assert_eq!(folder.0.place(&key(1)).metadata().unwrap().mode() & 0o777, 0o600);
        assert_eq!(folder.0.path.metadata().unwrap().mode() & 0o777, 0o700);
        assert!(folder.0.publish(&key(2), |_| Err(io::ErrorKind::StorageFull.into())).is_err());
        assert_eq!(folder.0.files().count(), 1, "nothing is left of what failed");
    }

    #[test]
    fn what_others_can_write_to_is_not_trusted() {
        let folder = Temporary::new("trust");
        folder.put(&key(1), b"one");
        let entry = folder.0.place(&key(1));
        mode(&entry, 0o620);
        assert!(folder.doubt(&key(1)).contains("mode 620"));
        mode(&entry, 0o644);
        assert!(folder.0.open(&key(1)).is_ok());
        mode(&folder.0.path, 0o777);
        assert!(folder.doubt(&key(1)).contains("mode 777"));
        assert!(folder.0.all().is_empty());
        assert!(folder.0.publish(&key(1), Ok).is_err());
        mode(&folder.0.path, 0o755);
        symlink(&entry, folder.0.place(&key(2))).unwrap();
        assert!(folder.doubt(&key(2)).contains("symbolic link"));
        let link = folder.0.path.with_extension("link");
        symlink(&folder.0.path, &link).unwrap();
        let linked = Temporary(Folder { path: link.clone(), owner: folder.0.owner });
        assert!(linked.doubt(&key(1)).contains("symbolic link"));
        std::fs::remove_file(link).unwrap();
        std::fs::create_dir(folder.0.place(&key(3))).unwrap();
        assert!(folder.doubt(&key(3)).contains("no file"));
        if chown(&entry, Some(12_345), None).is_err() {
            eprintln!("skipped: only root can give files away");
            return;
        }
        assert!(folder.doubt(&key(1)).contains("user 12345"));
        let other = Folder { path: folder.0.path.clone(), owner: 12_345 };
        assert!(other.open(&key(1)).is_ok(), "root's folder, the user's own file");
    }

    #[test]
    fn old_entries_go_and_used_ones_stay() {
        let folder = Temporary::new("room");
        let age = |path: &Path, seconds: u64| {
            let then = SystemTime::now() - Duration::from_secs(seconds);
            File::open(path).unwrap().set_modified(then).unwrap();
        };
        folder.put(&key(0), b"x");
        for n in 1..ENTRIES_MAX as u8 {
            folder.put(&key(n), b"x");
            age(&folder.0.place(&key(n)), 1000 - u64::from(n));
        }
        age(&folder.0.place(&key(0)), 5000);
        folder.0.open(&key(0)).unwrap();
        for (name, seconds) in [("dead.new", 7200), ("alive.new", 60), ("notes", 7200)] {
            std::fs::write(folder.0.path.join(name), b"").unwrap();
            age(&folder.0.path.join(name), seconds);
        }
        folder.put(&key(9), b"x");
        let mut left: Vec<String> = folder.0.files().map(|(name, ..)| name).collect();
        left.sort();
        let entries = [0, 2, 3, 9].map(|n| format!("{}{SUFFIX}", key(n)));
        assert_eq!(left, [&entries[..], &["alive.new".to_owned(), "notes".to_owned()]].concat());
        assert_eq!(folder.0.all().len(), ENTRIES_MAX);
    }
}
