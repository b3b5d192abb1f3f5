//! A safe wrapper over PCRE2 (libpcre2-8, linked dynamically): compiled patterns with match and depth limits, JIT when the
//! library has it. The only file that calls PCRE2. Knows nothing of rules.

use pcre2_sys as sys;
use std::cell::RefCell;
use std::ops::Range;
use std::ptr::{self, NonNull};
use std::sync::OnceLock;

/// Suricata's defaults (`pcre.match-limit`, `pcre.match-limit-recursion`).
pub const MATCH_LIMIT: u32 = 3500;
pub const DEPTH_LIMIT: u32 = 1500;
/// Groups whose positions are kept; further groups still take part in matching.
const PAIRS: u32 = 32;
/// Bytes of the JIT's stack per thread: enough for patterns the 32 KiB machine stack is too small for.
const JIT_STACK_MAX: usize = 512 * 1024;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    pub caseless: bool,
    pub multi_line: bool,
    pub dot_all: bool,
    pub extended: bool,
    pub anchored: bool,
    pub dollar_end_only: bool,
    pub ungreedy: bool,
    /// No limits (modifier O); the library's own still hold.
    pub no_limits: bool,
}

/// A pattern. It is compiled, and to machine code at that, when it is first used: of 40,000 rules few are ever tried, and
/// loading them stays quick and small.
pub struct Regex {
    pattern: Box<[u8]>,
    options: Options,
    /// None: it does not compile, or there is no memory.
    ready: OnceLock<Option<Code>>,
}

struct Code(NonNull<sys::pcre2_code_8>);

// SAFETY: a compiled pattern is read-only for pcre2_match; the one writer, pcre2_jit_compile, is done with it before
// anybody else sees it (`ready`).
unsafe impl Send for Code {}
// SAFETY: as above.
unsafe impl Sync for Code {}

impl Drop for Code {
    fn drop(&mut self) {
        // SAFETY: it came from pcre2_compile and is freed once.
        unsafe { sys::pcre2_code_free_8(self.0.as_ptr()) }
    }
}

impl Code {
    /// Error: the library's own words and the offset in the pattern.
    fn compile(pattern: &[u8], options: Options) -> Result<Code, String> {
        let mut flags = 0;
        for (on, flag) in [
            (options.caseless, sys::PCRE2_CASELESS),
            (options.multi_line, sys::PCRE2_MULTILINE),
            (options.dot_all, sys::PCRE2_DOTALL),
            (options.extended, sys::PCRE2_EXTENDED),
            (options.anchored, sys::PCRE2_ANCHORED),
            (options.dollar_end_only, sys::PCRE2_DOLLAR_ENDONLY),
            (options.ungreedy, sys::PCRE2_UNGREEDY),
        ] {
            if on {
                flags |= flag;
            }
        }
        let (mut error, mut offset) = (0, 0);
        // SAFETY: pattern pointer and length belong together; the out-pointers live through the call; a null context
        // means defaults.
        let code = unsafe {
            sys::pcre2_compile_8(
                pattern.as_ptr(),
                pattern.len(),
                flags,
                &mut error,
                &mut offset,
                ptr::null_mut(),
            )
        };
        NonNull::new(code).map(Code).ok_or_else(|| format!("{} at offset {offset}", message(error)))
    }

    /// Makes machine code of it; without, the library interprets it.
    fn speed_up(self) -> Code {
        // SAFETY: a compiled pattern that nobody else knows yet. What it answers does not matter here.
        unsafe { sys::pcre2_jit_compile_8(self.0.as_ptr(), sys::PCRE2_JIT_COMPLETE) };
        self
    }

    /// The number of a named group.
    fn group(&self, name: &str) -> Option<u32> {
        let name = std::ffi::CString::new(name).ok()?;
        // SAFETY: a compiled pattern and a terminated string.
        let number =
            unsafe { sys::pcre2_substring_number_from_name_8(self.0.as_ptr(), name.as_ptr().cast()) };
        u32::try_from(number).ok().filter(|n| *n > 0)
    }

    /// How many groups the pattern has.
    fn groups(&self) -> u32 {
        let mut count: u32 = 0;
        // SAFETY: PCRE2_INFO_CAPTURECOUNT writes one u32.
        unsafe {
            sys::pcre2_pattern_info_8(
                self.0.as_ptr(),
                sys::PCRE2_INFO_CAPTURECOUNT,
                ptr::from_mut(&mut count).cast(),
            );
        }
        count
    }
}

impl Regex {
    /// Checks `pattern` (bytes, not UTF-8 mode). Error: the library's own words and the offset in the pattern.
    pub fn new(pattern: &[u8], options: Options) -> Result<Regex, String> {
        Code::compile(pattern, options)?;
        Ok(Regex::known(pattern, options))
    }

    /// A pattern that was found to compile before.
    pub fn known(pattern: &[u8], options: Options) -> Regex {
        Regex { pattern: pattern.into(), options, ready: OnceLock::new() }
    }

    /// The number of a named group.
    pub fn group(&self, name: &str) -> Option<u32> {
        self.code()?.group(name)
    }

    /// How many groups the pattern has.
    pub fn groups(&self) -> u32 {
        self.code().map_or(0, Code::groups)
    }

    #[inline]
    fn code(&self) -> Option<&Code> {
        let compile = || Code::compile(&self.pattern, self.options).ok().map(Code::speed_up);
        self.ready.get_or_init(compile).as_ref()
    }

    /// First match at or behind `start`, as [begin, end) in `subject`. Limits reached count as no match.
    pub fn find_at(&self, subject: &[u8], start: usize) -> Option<(usize, usize)> {
        self.captures_at(subject, start, |_, _| ())
    }

    /// As `find_at`; calls `group` for each numbered group (1, 2, ...) that took part in the match.
    pub fn captures_at(
        &self,
        subject: &[u8],
        start: usize,
        mut group: impl FnMut(u32, Range<usize>),
    ) -> Option<(usize, usize)> {
        if start > subject.len() {
            return None;
        }
        let code = self.code()?;
        SCRATCH.with_borrow_mut(|scratch| {
            let scratch = scratch.get_or_insert_with(Scratch::new);
            if scratch.data.is_null() {
                return None;
            }
            let context = if self.options.no_limits { scratch.unlimited } else { scratch.limited };
            // SAFETY: code, data and context are valid; subject pointer and length belong together; start is within.
            let found = unsafe {
                sys::pcre2_match_8(
                    code.0.as_ptr(),
                    subject.as_ptr(),
                    subject.len(),
                    start,
                    0,
                    scratch.data,
                    context,
                )
            };
            // Negative: no match, or a limit; 0: matched, with more groups than PAIRS.
            if found < 0 {
                return None;
            }
            let groups = if found == 0 { PAIRS } else { found as u32 };
            // SAFETY: the match data was made for PAIRS pairs, so its ovector has 2 * PAIRS entries, initialised up to
            // `groups` pairs by the match.
            let offsets = unsafe {
                std::slice::from_raw_parts(
                    sys::pcre2_get_ovector_pointer_8(scratch.data),
                    (groups.min(PAIRS) as usize).saturating_mul(2),
                )
            };
            let mut pairs = offsets.chunks_exact(2);
            let whole = match pairs.next() {
                Some([begin, end]) if begin <= end => (*begin, *end),
                _ => return None,
            };
            for (number, pair) in (1u32..).zip(pairs) {
                if let [begin, end] = pair {
                    if begin <= end && *end <= subject.len() {
                        group(number, *begin..*end);
                    }
                }
            }
            Some(whole)
        })
    }
}

/// What matching needs per thread.
struct Scratch {
    data: *mut sys::pcre2_match_data_8,
    limited: *mut sys::pcre2_match_context_8,
    unlimited: *mut sys::pcre2_match_context_8,
    stack: *mut sys::pcre2_jit_stack_8,
}

impl Scratch {
    fn new() -> Self {
        // SAFETY: plain allocations; null contexts mean the default allocator. The setters accept what was just made, and
        // are only called when it is not null.
        unsafe {
            let scratch = Scratch {
                data: sys::pcre2_match_data_create_8(PAIRS, ptr::null_mut()),
                limited: sys::pcre2_match_context_create_8(ptr::null_mut()),
                unlimited: sys::pcre2_match_context_create_8(ptr::null_mut()),
                stack: sys::pcre2_jit_stack_create_8(32 * 1024, JIT_STACK_MAX, ptr::null_mut()),
            };
            if !scratch.limited.is_null() {
                sys::pcre2_set_match_limit_8(scratch.limited, MATCH_LIMIT);
                sys::pcre2_set_depth_limit_8(scratch.limited, DEPTH_LIMIT);
            }
            for context in [scratch.limited, scratch.unlimited] {
                if !context.is_null() && !scratch.stack.is_null() {
                    sys::pcre2_jit_stack_assign_8(context, None, scratch.stack.cast());
                }
            }
            scratch
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // SAFETY: each was made by its create function (or is null, which free accepts) and is freed once.
        unsafe {
            sys::pcre2_match_data_free_8(self.data);
            sys::pcre2_match_context_free_8(self.limited);
            sys::pcre2_match_context_free_8(self.unlimited);
            sys::pcre2_jit_stack_free_8(self.stack);
        }
    }
}

thread_local! {
    static SCRATCH: RefCell<Option<Scratch>> = const { RefCell::new(None) };
}

/// Version text of the library in use.
pub fn version() -> String {
    let mut buffer = [0u8; 64];
    // SAFETY: PCRE2_CONFIG_VERSION writes a text of fewer than 64 bytes, as the library's manual promises.
    let len = unsafe { sys::pcre2_config_8(sys::PCRE2_CONFIG_VERSION, buffer.as_mut_ptr().cast()) };
    let text = usize::try_from(len).ok().and_then(|n| buffer.get(..n));
    String::from_utf8_lossy(text.unwrap_or_default()).trim_end_matches('\0').to_owned()
}

fn message(code: i32) -> String {
    let mut buffer = [0u8; 160];
    // SAFETY: buffer pointer and length belong together.
    let len = unsafe { sys::pcre2_get_error_message_8(code, buffer.as_mut_ptr(), buffer.len()) };
    let text = usize::try_from(len).ok().and_then(|n| buffer.get(..n));
    String::from_utf8_lossy(text.unwrap_or(b"unknown error")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regex(pattern: &str) -> Regex {
        Regex::new(pattern.as_bytes(), Options::default()).unwrap()
    }

    #[test]
    fn finds_from_a_start() {
        let r = regex("b+");
        assert_eq!(r.find_at(b"abbab", 0), Some((1, 3)));
        assert_eq!(r.find_at(b"abbab", 3), Some((4, 5)));
        assert_eq!(r.find_at(b"abbab", 6), None);
    }

    #[test]
    fn knows_its_groups() {
        let r = regex("(?P<flow_x>a)(b)?");
        assert_eq!((r.group("flow_x"), r.group("y"), r.groups()), (Some(1), None, 2));
        let mut seen = Vec::new();
        r.captures_at(b"zab", 0, |n, range| seen.push((n, range)));
        assert_eq!(seen, [(1, 1..2), (2, 2..3)]);
    }

    #[test]
    fn limits_end_catastrophic_patterns() {
        let subject = vec![b'a'; 5000];
        assert_eq!(regex("(a+)+$x").find_at(&subject, 0), None);
    }

    #[test]
    fn says_what_is_wrong() {
        assert!(Regex::new(b"(a", Options::default()).is_err_and(|e| e.contains("offset 2")));
    }
}
