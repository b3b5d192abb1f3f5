//! The binding to libhs (Hyperscan or Vectorscan): literal databases in block mode, and one scratch per thread.
//!
//! This is the only file that calls libhs. Link name `hs`; Debian's libhyperscan-dev or libvectorscan-dev gives it.

use std::ffi::{c_char, c_int, c_uint, c_ulonglong, c_void, CStr};
use std::ptr::{self, NonNull};
use std::sync::{Arc, LazyLock};

#[repr(C)]
struct RawDatabase {
    _private: [u8; 0],
}

#[repr(C)]
struct RawScratch {
    _private: [u8; 0],
}

#[repr(C)]
struct CompileError {
    message: *mut c_char,
    expression: c_int,
}

/// What code for this machine hangs on.
#[repr(C)]
#[derive(Default)]
struct RawPlatform {
    tune: c_uint,
    cpu_features: c_ulonglong,
    reserved: [c_ulonglong; 2],
}

type OnEvent = extern "C" fn(c_uint, c_ulonglong, c_ulonglong, c_uint, *mut c_void) -> c_int;

const HS_SUCCESS: c_int = 0;
const HS_SCAN_TERMINATED: c_int = -3;
const HS_FLAG_CASELESS: c_uint = 1;
const HS_FLAG_SINGLEMATCH: c_uint = 8;
const HS_MODE_BLOCK: c_uint = 1;

#[link(name = "hs")]
extern "C" {
    fn hs_compile_lit_multi(
        expressions: *const *const c_char,
        flags: *const c_uint,
        ids: *const c_uint,
        lens: *const usize,
        elements: c_uint,
        mode: c_uint,
        platform: *const c_void,
        db: *mut *mut RawDatabase,
        error: *mut *mut CompileError,
    ) -> c_int;
    fn hs_free_compile_error(error: *mut CompileError) -> c_int;
    fn hs_free_database(db: *mut RawDatabase) -> c_int;
    fn hs_serialize_database(db: *const RawDatabase, bytes: *mut *mut c_char, len: *mut usize) -> c_int;
    fn hs_deserialize_database(bytes: *const c_char, len: usize, db: *mut *mut RawDatabase) -> c_int;
    fn hs_alloc_scratch(db: *const RawDatabase, scratch: *mut *mut RawScratch) -> c_int;
    fn hs_free_scratch(scratch: *mut RawScratch) -> c_int;
    fn hs_scan(
        db: *const RawDatabase,
        data: *const c_char,
        len: c_uint,
        flags: c_uint,
        scratch: *mut RawScratch,
        on_event: Option<OnEvent>,
        context: *mut c_void,
    ) -> c_int;
    fn hs_version() -> *const c_char;
    fn hs_populate_platform(platform: *mut RawPlatform) -> c_int;
    fn free(memory: *mut c_void);
}

/// Version text of the library in use.
pub fn version() -> String {
    // SAFETY: hs_version returns a static NUL-terminated string.
    unsafe { CStr::from_ptr(hs_version()) }.to_string_lossy().into_owned()
}

/// What databases compiled here hang on: the library's version, and what it makes of this CPU. Asked for once: a virtual
/// machine may take long over questions about its CPU.
pub fn platform() -> &'static str {
    static PLATFORM: LazyLock<String> = LazyLock::new(|| {
        let mut platform = RawPlatform::default();
        // SAFETY: the out-pointer is valid and has libhs's layout.
        let code = unsafe { hs_populate_platform(&mut platform) };
        format!("libhs {}, platform {code}/{}/{}", version(), platform.tune, platform.cpu_features)
    });
    &PLATFORM
}

/// A literal to search for; `id` is what a hit reports.
pub struct Literal<'a> {
    pub bytes: &'a [u8],
    pub nocase: bool,
    pub id: u32,
}

/// For up to so many literals libhs also makes an automaton for data of less than 70 bytes (its "small write"). Making it takes
/// up to five times the memory of all else and twice the time, and data as small as that is not given to libhs (`grams`).
const AUTOMATON_LITERALS_MAX: usize = 10_000;

/// Literals of fewer bytes than this have an automaton that takes little.
const AUTOMATON_IS_SMALL_BYTES: usize = 2_500;

/// An immutable compiled pattern set, shared by all workers. A clone is the same set.
#[derive(Clone)]
pub struct Database {
    raw: NonNull<RawDatabase>,
    _owner: Arc<Owner>,
}

struct Owner(NonNull<RawDatabase>);

// SAFETY: a database is immutable after compilation and libhs allows concurrent scans of one database with distinct scratch.
unsafe impl Send for Database {}
// SAFETY: as above.
unsafe impl Sync for Database {}
// SAFETY: as above; whoever drops the last clone frees it.
unsafe impl Send for Owner {}
// SAFETY: as above.
unsafe impl Sync for Owner {}

impl Database {
    /// Compiles literals; the error text is libhs's own with the failing literal's index.
    pub fn compile(literals: &[Literal<'_>]) -> Result<Database, String> {
        // libhs would read beyond it.
        if literals.iter().any(|literal| literal.bytes.is_empty()) {
            return Err("a pattern is empty".to_owned());
        }
        let bytes = literals.iter().fold(0usize, |sum, l| sum.saturating_add(l.bytes.len()));
        // The first again and again, with its id, is still one literal.
        let again = if bytes < AUTOMATON_IS_SMALL_BYTES {
            0
        } else {
            AUTOMATON_LITERALS_MAX.saturating_add(1).saturating_sub(literals.len())
        };
        let all = || literals.iter().chain(literals.iter().take(1).cycle().take(again));
        let pointers: Vec<*const c_char> = all().map(|l| l.bytes.as_ptr().cast()).collect();
        let lens: Vec<usize> = all().map(|l| l.bytes.len()).collect();
        let ids: Vec<c_uint> = all().map(|l| l.id).collect();
        let flags: Vec<c_uint> =
            all().map(|l| HS_FLAG_SINGLEMATCH | if l.nocase { HS_FLAG_CASELESS } else { 0 }).collect();
        let count = c_uint::try_from(pointers.len()).map_err(|_| "too many patterns".to_owned())?;
        let mut db = ptr::null_mut();
        let mut error: *mut CompileError = ptr::null_mut();
        // SAFETY: the four arrays hold `count` elements each and outlive the call; db and error are valid out-pointers.
        let code = unsafe {
            hs_compile_lit_multi(
                pointers.as_ptr(),
                flags.as_ptr(),
                ids.as_ptr(),
                lens.as_ptr(),
                count,
                HS_MODE_BLOCK,
                ptr::null(),
                &mut db,
                &mut error,
            )
        };
        if code == HS_SUCCESS {
            return Database::own(db).ok_or_else(|| "libhs returned no database".to_owned());
        }
        if error.is_null() {
            return Err(format!("libhs error {code}"));
        }
        // SAFETY: on failure libhs hands out a valid error whose message is NUL-terminated; it is freed once.
        let text = unsafe {
            let text = format!(
                "{} (pattern {})",
                CStr::from_ptr((*error).message).to_string_lossy(),
                (*error).expression
            );
            hs_free_compile_error(error);
            text
        };
        Err(text)
    }

    /// Takes over what libhs made.
    fn own(db: *mut RawDatabase) -> Option<Database> {
        let raw = NonNull::new(db)?;
        Some(Database { raw, _owner: Arc::new(Owner(raw)) })
    }

    /// The database as bytes, for the cache.
    pub fn serialize(&self) -> Result<Vec<u8>, String> {
        let mut bytes: *mut c_char = ptr::null_mut();
        let mut len = 0;
        // SAFETY: valid database and out-pointers.
        let code = unsafe { hs_serialize_database(self.raw.as_ptr(), &mut bytes, &mut len) };
        if code != HS_SUCCESS || bytes.is_null() {
            return Err(format!("libhs error {code}"));
        }
        // SAFETY: libhs returned `len` bytes from malloc; they are copied, then freed once.
        let copy = unsafe {
            let copy = std::slice::from_raw_parts(bytes.cast::<u8>(), len).to_vec();
            free(bytes.cast());
            copy
        };
        Ok(copy)
    }

    /// Restores what `serialize` gave; fails on another CPU or libhs version, or damaged bytes.
    pub fn deserialize(bytes: &[u8]) -> Result<Database, String> {
        let mut db = ptr::null_mut();
        // SAFETY: the slice is valid for its length; libhs checks magic, version and a CRC.
        let code = unsafe { hs_deserialize_database(bytes.as_ptr().cast(), bytes.len(), &mut db) };
        if code != HS_SUCCESS {
            return Err(format!("libhs error {code}"));
        }
        Database::own(db).ok_or_else(|| "libhs returned no database".to_owned())
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // SAFETY: freed exactly once, with the last clone.
        unsafe { hs_free_database(self.0.as_ptr()) };
    }
}

/// Working memory of one thread's scans.
pub struct Scratch(*mut RawScratch);

// SAFETY: a scratch may move between threads; it is used by one at a time (&mut self).
unsafe impl Send for Scratch {}

impl Default for Scratch {
    fn default() -> Self {
        Scratch(ptr::null_mut())
    }
}

impl Scratch {
    /// Grows the scratch so that it fits `db` too.
    pub fn fit(&mut self, db: &Database) -> Result<(), String> {
        // SAFETY: valid database; the scratch pointer is null or from an earlier call.
        match unsafe { hs_alloc_scratch(db.raw.as_ptr(), &mut self.0) } {
            HS_SUCCESS => Ok(()),
            code => Err(format!("libhs error {code}: no scratch memory")),
        }
    }

    /// Appends the ids of literals found in `data` to `hits` as (id, end offset). Each literal reports once. False: libhs
    /// gave up, and what it found is not all.
    #[inline]
    pub fn scan(&mut self, db: &Database, data: &[u8], hits: &mut Vec<(u32, u32)>) -> bool {
        let len = c_uint::try_from(data.len()).unwrap_or(c_uint::MAX);
        // SAFETY: data is valid for len bytes; hits outlives the call and is only touched by the callback during it;
        // the scratch fits the database (`fit` was called when the ruleset was taken into use).
        let code = unsafe {
            hs_scan(
                db.raw.as_ptr(),
                data.as_ptr().cast(),
                len,
                0,
                self.0,
                Some(on_hit),
                ptr::from_mut(hits).cast(),
            )
        };
        code == HS_SUCCESS || code == HS_SCAN_TERMINATED
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: allocated by libhs, freed once.
            unsafe { hs_free_scratch(self.0) };
        }
    }
}

extern "C" fn on_hit(
    id: c_uint,
    _from: c_ulonglong,
    to: c_ulonglong,
    _flags: c_uint,
    context: *mut c_void,
) -> c_int {
    // SAFETY: context is the `hits` vector of the `scan` call that is running on this thread.
    let hits = unsafe { &mut *context.cast::<Vec<(u32, u32)>>() };
    hits.push((id, u32::try_from(to).unwrap_or(u32::MAX)));
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_each_literal_once_and_survives_serialisation() {
        let literals = [
            Literal { bytes: b"evil", nocase: false, id: 7 },
            Literal { bytes: b"EVIL", nocase: true, id: 8 },
            Literal { bytes: b"a\0b", nocase: false, id: 9 },
        ];
        let db = Database::compile(&literals).unwrap();
        let db = Database::deserialize(&db.serialize().unwrap()).unwrap();
        let mut scratch = Scratch::default();
        scratch.fit(&db).unwrap();
        let mut hits = Vec::new();
        assert!(scratch.scan(&db, b"xxevil Evil a\0b", &mut hits));
        hits.sort_unstable();
        assert_eq!(hits, [(7, 6), (8, 6), (9, 15)]);
        assert!(!version().is_empty());
    }

    #[test]
    fn every_literal_of_a_large_set_is_found_once_in_data_of_any_length() {
        let words: Vec<String> = (0..1000).map(|n| format!("word{n:04}")).collect();
        let numbered = (0u32..).zip(&words);
        let literals: Vec<Literal<'_>> =
            numbered.map(|(id, word)| Literal { bytes: word.as_bytes(), nocase: id % 2 == 1, id }).collect();
        let db = Database::compile(&literals).unwrap();
        let mut scratch = Scratch::default();
        scratch.fit(&db).unwrap();
        for space in [1, 60, 600] {
            for (id, word) in (0u32..).zip(&words) {
                let data = [word.as_bytes(), &vec![b'.'; space], word.as_bytes()].concat();
                let mut hits = Vec::new();
                assert!(scratch.scan(&db, &data, &mut hits));
                assert_eq!(hits, [(id, 8)], "{word} and {space} more bytes");
            }
        }
    }

    #[test]
    fn short_data_is_scanned_beside_long_literals() {
        let long = "ab".repeat(32);
        let literals = [
            Literal { bytes: b"-OpenSSH_", nocase: false, id: 1 },
            Literal { bytes: long.as_bytes(), nocase: true, id: 2 },
        ];
        let db = Database::compile(&literals).unwrap();
        let mut scratch = Scratch::default();
        scratch.fit(&db).unwrap();
        let mut hits = Vec::new();
        scratch.scan(&db, b"SSH-2.0-OpenSSH_8.7\r\n", &mut hits);
        assert_eq!(hits, [(1, 16)]);
    }

    #[test]
    fn damaged_bytes_are_refused() {
        assert!(Database::deserialize(b"not a database").is_err());
    }
}
