//! How long each stage of the line takes, for the benchmark (`haidang.stage-times: yes`). Off, a lap costs one load.
//!
//! Laps are told by the stages themselves: what passed since the last lap on this thread belongs to the stage that is named.
//! Ticks are the processor's own where it has such a counter; they become nanoseconds by the thread's processor time at the
//! end, so that what the machine did beside it spreads over the stages but does not add to them.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A stage of the line (see `worker`); detection is told apart into prefilter and evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Capture = 0,
    Decode = 1,
    Flow = 2,
    Stream = 3,
    App = 4,
    Prefilter = 5,
    Evaluation = 6,
    Event = 7,
}

/// Names for counters, in the order of `Stage`.
const NAMES: [&str; 8] = ["capture", "decode", "flow", "stream", "app", "prefilter", "evaluation", "event"];

static ON: AtomicBool = AtomicBool::new(false);

struct Clock {
    begun: Duration,
    begun_ticks: u64,
    last: u64,
    ticks: [u64; NAMES.len()],
}

thread_local! {
    static CLOCK: RefCell<Clock> = RefCell::new(Clock::new());
}

impl Clock {
    fn new() -> Self {
        let now = ticks();
        Clock { begun: thread_time(), begun_ticks: now, last: now, ticks: [0; NAMES.len()] }
    }
}

/// Turns the clock on, for all threads.
pub fn start() {
    ON.store(true, Ordering::Relaxed);
}

/// What passed since the last lap was `stage`.
#[inline(always)]
pub fn lap(stage: Stage) {
    if ON.load(Ordering::Relaxed) {
        lap_now(stage);
    }
}

#[cold]
#[inline(never)]
fn lap_now(stage: Stage) {
    CLOCK.with_borrow_mut(|clock| {
        let now = ticks();
        if let Some(sum) = clock.ticks.get_mut(stage as usize) {
            *sum = sum.saturating_add(now.saturating_sub(clock.last));
        }
        clock.last = now;
    });
}

/// Nanoseconds of this thread by stage since the last call, as counters; nothing while the clock is off.
pub fn take() -> Vec<(String, u64)> {
    if !ON.load(Ordering::Relaxed) {
        return Vec::new();
    }
    let clock = CLOCK.replace(Clock::new());
    let nanos = thread_time().saturating_sub(clock.begun).as_nanos();
    let passed = u128::from(ticks().saturating_sub(clock.begun_ticks).max(1));
    let counter = |(name, ticks): (&str, u64)| {
        let nanos = u128::from(ticks).saturating_mul(nanos).checked_div(passed).unwrap_or(0);
        (format!("haidang.stage_ns.{name}"), u64::try_from(nanos).unwrap_or(u64::MAX))
    };
    NAMES.into_iter().zip(clock.ticks).map(counter).collect()
}

/// Processor time of this thread (Linux, Documentation/scheduler/sched-stats.rst); elsewhere the time that passed.
pub fn thread_time() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = stat.split_ascii_whitespace().next().and_then(|first| first.parse().ok());
    nanos.map_or_else(|| START.get_or_init(Instant::now).elapsed(), Duration::from_nanos)
}

/// The processor's own count of time, where it has one, else nanoseconds.
#[cfg(target_arch = "x86_64")]
#[inline]
pub fn ticks() -> u64 {
    // SAFETY: every x86-64 processor has this counter.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Nanoseconds.
#[cfg(not(target_arch = "x86_64"))]
pub fn ticks() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps the processor busy for this long.
    fn work(time: Duration) {
        let begun = thread_time();
        while thread_time().saturating_sub(begun) < time {}
    }

    #[test]
    fn laps_belong_to_the_stage_they_name() {
        assert!(take().is_empty(), "off");
        start();
        take();
        work(Duration::from_millis(4));
        lap(Stage::Flow);
        work(Duration::from_millis(16));
        lap(Stage::Event);
        let counters = take();
        let of = |name: &str| counters.iter().find(|c| c.0.ends_with(name)).map_or(0, |c| c.1);
        assert!(of(".flow") > 0 && of(".event") > of(".flow"), "{counters:?}");
        assert!(of(".flow") + of(".event") >= 15_000_000, "{counters:?}");
        assert_eq!(of(".decode"), 0);
    }
}
