//! libmagic, the library behind file(1): what kind of data the first bytes of a file are. Loaded when first wanted, so that a
//! machine without it runs all else. This is the only file that calls it.

use crate::app::digest::Describer;
use std::ffi::{c_char, c_int, c_void, CStr, CString};
use std::ptr::NonNull;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

type Open = unsafe extern "C" fn(c_int) -> *mut c_void;
type Load = unsafe extern "C" fn(*mut c_void, *const c_char) -> c_int;
type Buffer = unsafe extern "C" fn(*mut c_void, *const c_void, usize) -> *const c_char;
type Close = unsafe extern "C" fn(*mut c_void);

const RTLD_NOW: c_int = 2;
const MAGIC_NONE: c_int = 0;
/// The name of libmagic's stable interface; its package is libmagic1 on Debian, file-libs on Fedora.
const LIBRARY: &CStr = c"libmagic.so.1";

extern "C" {
    fn dlopen(name: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
}

/// The functions in use; the library stays loaded.
struct Library {
    open: Open,
    load: Load,
    buffer: Buffer,
    close: Close,
}

static LIBRARY_LOADED: LazyLock<Option<Library>> = LazyLock::new(Library::load);

impl Library {
    fn load() -> Option<Library> {
        // SAFETY: the name is NUL-terminated; libmagic has no initialiser that could depend on the caller.
        let library = NonNull::new(unsafe { dlopen(LIBRARY.as_ptr(), RTLD_NOW) })?;
        let symbol = |name: &CStr| {
            // SAFETY: the library is open and is never closed; the name is NUL-terminated.
            NonNull::new(unsafe { dlsym(library.as_ptr(), name.as_ptr()) })
        };
        let open = symbol(c"magic_open")?;
        let load = symbol(c"magic_load")?;
        let buffer = symbol(c"magic_buffer")?;
        let close = symbol(c"magic_close")?;
        // SAFETY: these are the functions' declared types in magic.h of every libmagic.so.1.
        unsafe {
            Some(Library {
                open: std::mem::transmute::<*mut c_void, Open>(open.as_ptr()),
                load: std::mem::transmute::<*mut c_void, Load>(load.as_ptr()),
                buffer: std::mem::transmute::<*mut c_void, Buffer>(buffer.as_ptr()),
                close: std::mem::transmute::<*mut c_void, Close>(close.as_ptr()),
            })
        }
    }
}

/// Whether libmagic is on this machine.
pub fn is_available() -> bool {
    LIBRARY_LOADED.is_some()
}

/// One worker's describer. The database is read when the first file is described.
pub fn describer(database: Option<String>) -> Describer {
    let handle: OnceLock<Option<Mutex<Magic>>> = OnceLock::new();
    Describer(Arc::new(move |head| {
        let handle = handle.get_or_init(|| Magic::open(database.as_deref()).map(Mutex::new)).as_ref()?;
        handle.lock().unwrap_or_else(PoisonError::into_inner).describe(head)
    }))
}

/// A handle: libmagic allows one thread each.
pub struct Magic {
    functions: &'static Library,
    cookie: NonNull<c_void>,
}

// SAFETY: a handle may move between threads as long as only one uses it at a time, which `&self` on a non-Sync type ensures.
unsafe impl Send for Magic {}

impl Magic {
    /// `database` is a compiled magic file; None: the system's own. None: no library, or it cannot read the database.
    pub fn open(database: Option<&str>) -> Option<Magic> {
        let functions = LIBRARY_LOADED.as_ref()?;
        let path = database.map(CString::new).transpose().ok()?;
        // SAFETY: magic_open takes flags and gives a handle or null.
        let cookie = NonNull::new(unsafe { (functions.open)(MAGIC_NONE) })?;
        let magic = Magic { functions, cookie };
        let name = path.as_ref().map_or(std::ptr::null(), |p| p.as_ptr());
        // SAFETY: the handle is open; the name is null or NUL-terminated and outlives the call.
        (unsafe { (functions.load)(cookie.as_ptr(), name) } == 0).then_some(magic)
    }

    /// What file(1) would say.
    pub fn describe(&self, bytes: &[u8]) -> Option<String> {
        // SAFETY: the handle is open and used by this thread alone; the bytes are readable for their length.
        let text =
            unsafe { (self.functions.buffer)(self.cookie.as_ptr(), bytes.as_ptr().cast(), bytes.len()) };
        if text.is_null() {
            return None;
        }
        // SAFETY: libmagic gives a NUL-terminated string that lives until the next call with this handle.
        Some(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
    }
}

impl Drop for Magic {
    fn drop(&mut self) {
        // SAFETY: the handle is open and closed once.
        unsafe { (self.functions.close)(self.cookie.as_ptr()) }
    }
}
