//! The allocator, and when memory that nothing is in goes back to the system.

use libmimalloc_sys::{
    mi_free, mi_malloc, mi_malloc_aligned, mi_realloc, mi_realloc_aligned, mi_zalloc, mi_zalloc_aligned,
};
use pyo3::prelude::*;
use std::alloc::{GlobalAlloc, Layout};
use std::ffi::{c_int, c_long, c_ulong};

/// Many small objects live and die with flows and transactions, which mimalloc handles in fewer cycles than malloc.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// mimalloc, asked for an alignment only where it has to be: what it is asked to align, but for a few sizes, goes the long way
/// through a larger block whenever there is no free one at hand. (The crate `mimalloc` always asks.)
struct MiMalloc;

/// Every block of at least as many bytes is aligned so, a smaller one to its size.
const NATURAL_ALIGN: usize = 16;

#[inline(always)]
fn is_natural(align: usize, size: usize) -> bool {
    align <= NATURAL_ALIGN && align <= size
}

// SAFETY: mimalloc's functions do what the trait asks for; a block is as well aligned as `is_natural` says or as asked for.
unsafe impl GlobalAlloc for MiMalloc {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        // SAFETY: any size and any power of two will do.
        let block = unsafe {
            if is_natural(align, size) {
                mi_malloc(size)
            } else {
                mi_malloc_aligned(size, align)
            }
        };
        block.cast()
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        // SAFETY: as above.
        let block = unsafe {
            if is_natural(align, size) {
                mi_zalloc(size)
            } else {
                mi_zalloc_aligned(size, align)
            }
        };
        block.cast()
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        // SAFETY: it came from one of the others.
        unsafe { mi_free(block.cast()) };
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let (old, align) = (block.cast(), layout.align());
        // SAFETY: as above.
        let block = unsafe {
            if is_natural(align, size) {
                mi_realloc(old, size)
            } else {
                mi_realloc_aligned(old, size, align)
            }
        };
        block.cast()
    }
}

/// Milliseconds that freed memory stays with the process. What a packet frees the next ones take: given back each second, as by
/// default, it is asked for again at once, and each piece taken out of a huge page breaks that up, for the system to fill it
/// again whenever it comes by. Resident memory then swings and creeps while what is in use stays level.
const KEEP_MS: c_long = 60_000;

/// `mi_option_purge_delay` in the allocator's header, of the version in Cargo.toml.
const PURGE_DELAY: c_int = 15;

extern "C" {
    // Of the allocator above.
    fn mi_collect(force: bool);
    fn mi_option_set_default(option: c_int, value: c_long);
}

#[cfg(target_env = "gnu")]
extern "C" {
    /// malloc_trim(3)
    fn malloc_trim(pad: usize) -> c_int;
    /// mallopt(3)
    fn mallopt(parameter: c_int, value: c_int) -> c_int;
}

/// What malloc hands out of this size has a mapping of its own, and is given back when it is freed; as much that is free at
/// the end of a heap stays. By default both sizes grow with what a process once freed: a set of rules read as text then stays
/// for good.
#[cfg(target_env = "gnu")]
const LARGE_BYTES: c_int = 4 << 20;
#[cfg(target_env = "gnu")]
const M_TRIM_THRESHOLD: c_int = -1;
#[cfg(target_env = "gnu")]
const M_MMAP_THRESHOLD: c_int = -3;

/// To be called before anything of size is freed; MIMALLOC_PURGE_DELAY in the environment wins.
pub fn keep_for_a_while() {
    // SAFETY: the option is one of the allocator's own; it is read as a plain number, whoever sets it meanwhile.
    unsafe { mi_option_set_default(PURGE_DELAY, KEEP_MS) };
    #[cfg(target_env = "gnu")]
    for parameter in [M_TRIM_THRESHOLD, M_MMAP_THRESHOLD] {
        // SAFETY: malloc takes its parameters at any time; one that it does not know it leaves alone.
        unsafe { mallopt(parameter, LARGE_BYTES) };
    }
}

extern "C" {
    /// prctl(2)
    fn prctl(operation: c_int, a: c_ulong, b: c_ulong, c: c_ulong, d: c_ulong) -> c_int;
}
const PR_SET_THP_DISABLE: c_int = 41;
const PR_GET_THP_DISABLE: c_int = 42;

/// Does `work` while the process gets no huge pages. Each of them is taken whole for the first byte in it: what lives briefly, or
/// beside what it is to replace, then takes a third more. Those that are there stay.
pub fn without_huge_pages<T>(work: impl FnOnce() -> T) -> T {
    struct AllowedAgain;
    impl Drop for AllowedAgain {
        fn drop(&mut self) {
            // SAFETY: it says what new memory is made of, nothing else.
            unsafe { prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0) };
        }
    }
    // SAFETY: as above.
    let are_allowed = unsafe { prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) } == 0;
    let _allowed_again = are_allowed.then(|| {
        // SAFETY: as above.
        unsafe { prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) };
        AllowedAgain
    });
    work()
}

/// Gives memory that nothing is in back to the system: the allocator's, and that of malloc, which Hyperscan and Python use.
#[pyfunction]
pub fn return_memory(py: Python<'_>) {
    py.detach(give_back);
}

/// The same, for threads without Python.
pub fn give_back() {
    // SAFETY: either allocator may be asked by any thread at any time; it takes nothing that is in use.
    unsafe {
        mi_collect(true);
        #[cfg(target_env = "gnu")]
        malloc_trim(0);
    }
}
