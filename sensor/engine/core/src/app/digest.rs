//! What is computed of a file's bytes as they pass: digests, the first bytes for libmagic, and the bytes themselves while the
//! file is or may yet be stored. It must not know rules or file systems.

use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::Sha256;
use std::cell::OnceCell;
use std::fmt;
use std::sync::Arc;

/// Bytes libmagic is shown (Suricata shows it as many).
pub const MAGIC_BYTES: usize = 512;
/// Bytes of a file kept until a rule decides whether it is stored: Suricata's default stream depth, past which it is not seen.
pub const HELD_MAX: usize = 1 << 20;

/// What somebody wants to know of files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileWants {
    pub md5: bool,
    pub sha1: bool,
    pub sha256: bool,
    pub magic: bool,
    /// A rule may ask for a file to be stored.
    pub may_store: bool,
    /// Every file is stored.
    pub store_all: bool,
}

impl FileWants {
    pub fn any(&self) -> bool {
        *self != FileWants::default()
    }

    /// What either wants.
    pub fn and(self, other: FileWants) -> FileWants {
        FileWants {
            md5: self.md5 || other.md5,
            sha1: self.sha1 || other.sha1,
            sha256: self.sha256 || other.sha256,
            magic: self.magic || other.magic,
            may_store: self.may_store || other.may_store,
            store_all: self.store_all || other.store_all,
        }
    }
}

/// Says what the first bytes of a file are, as libmagic does. It is asked when somebody wants to know, and once per file.
#[derive(Clone)]
pub struct Describer(pub Arc<Describe>);
type Describe = dyn Fn(&[u8]) -> Option<String> + Send + Sync;

impl fmt::Debug for Describer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Describer")
    }
}

/// Whether a file's bytes are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Storing {
    #[default]
    No,
    /// A rule may still ask for it: its bytes are held.
    Maybe,
    /// Under this number.
    Yes(u64),
}

/// Digests of a whole file, where they were asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    pub md5: Option<[u8; 16]>,
    pub sha1: Option<[u8; 20]>,
    pub sha256: Option<[u8; 32]>,
}

/// The work on one file.
#[derive(Clone, Debug, Default)]
pub struct Tracker {
    md5: Option<Md5>,
    sha1: Option<Sha1>,
    sha256: Option<Sha256>,
    describer: Option<Describer>,
    head: Vec<u8>,
    magic: OnceCell<Option<Box<str>>>,
    held: Vec<u8>,
    storing: Storing,
    sums: Sums,
    done: bool,
    /// Its end was handed on to the store.
    ended: bool,
}

impl Tracker {
    /// `describer` is for `wants.magic`.
    pub fn new(wants: &FileWants, describer: Option<&Describer>) -> Tracker {
        Tracker {
            md5: wants.md5.then(Md5::new),
            sha1: wants.sha1.then(Sha1::new),
            sha256: wants.sha256.then(Sha256::new),
            describer: describer.filter(|_| wants.magic).cloned(),
            storing: if wants.may_store { Storing::Maybe } else { Storing::No },
            ..Tracker::default()
        }
    }

    pub fn update(&mut self, bytes: &[u8]) {
        if self.done {
            return;
        }
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        if let Some(sha1) = &mut self.sha1 {
            sha1.update(bytes);
        }
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(bytes);
        }
        if self.describer.is_some() && self.head.len() < MAGIC_BYTES {
            let room = MAGIC_BYTES.saturating_sub(self.head.len());
            self.head.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        }
        match self.storing {
            Storing::No => {}
            Storing::Maybe if self.held.len().saturating_add(bytes.len()) > HELD_MAX => {
                self.storing = Storing::No;
                self.held = Vec::new();
            }
            Storing::Maybe | Storing::Yes(_) => self.held.extend_from_slice(bytes),
        }
    }

    /// The file is over. Of a file that is not whole only SHA-256 is told, as in Suricata.
    pub fn finish(&mut self, whole: bool) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        self.sums = Sums {
            md5: self.md5.take().filter(|_| whole).map(|h| h.finalize().into()),
            sha1: self.sha1.take().filter(|_| whole).map(|h| h.finalize().into()),
            sha256: self.sha256.take().map(|h| h.finalize().into()),
        };
    }

    pub fn sums(&self) -> &Sums {
        &self.sums
    }
    pub fn storing(&self) -> Storing {
        self.storing
    }

    /// The file is to be stored under this number; false: it is too late, bytes of it are gone.
    pub fn store(&mut self, id: u64) -> bool {
        if self.storing == Storing::Maybe {
            self.storing = Storing::Yes(id);
        }
        self.storing == Storing::Yes(id)
    }

    /// The file cannot be stored after all.
    pub fn give_up(&mut self) {
        self.storing = Storing::No;
        self.held = Vec::new();
    }

    /// True once, when the file is over.
    pub fn take_end(&mut self) -> bool {
        self.done && !std::mem::replace(&mut self.ended, true)
    }

    /// The bytes since the last call, of a file that is stored.
    pub fn take_held(&mut self) -> Vec<u8> {
        match self.storing {
            Storing::Yes(_) => std::mem::take(&mut self.held),
            _ => Vec::new(),
        }
    }

    /// What libmagic says, once enough bytes stand or no more come.
    pub fn magic(&self) -> Option<&str> {
        let describer = self.describer.as_ref()?;
        let ready = self.done || self.head.len() >= MAGIC_BYTES;
        if !ready || self.head.is_empty() {
            return None;
        }
        self.magic.get_or_init(|| describer.0(&self.head).map(String::into_boxed_str)).as_deref()
    }
    /// The same if somebody has asked already.
    pub fn known_magic(&self) -> Option<&str> {
        self.magic.get()?.as_deref()
    }
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        let _ = write!(text, "{byte:02x}"); // a String takes all that is written to it
    }
    text
}
