//! How long each stage of the line takes, for the benchmark (`haidang.stage-times: yes`). Off, a lap costs one load.
//!
//! Laps are told by the stages themselves: what passed since the last lap on this thread belongs to the stage that is named.
//! Ticks are the processor's own where it has such a counter; they become nanoseconds by the wall clock at the end.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

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
    begun: Instant,
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
        Clock { begun: Instant::now(), begun_ticks: now, last: now, ticks: [0; NAMES.len()] }
    }
}

/// Turns the clock on or off, for all threads.
pub fn set(on: bool) {
    ON.store(on, Ordering::Relaxed);
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
    let nanos = clock.begun.elapsed().as_nanos();
    let passed = u128::from(ticks().saturating_sub(clock.begun_ticks).max(1));
    let counter = |(name, ticks): (&str, u64)| {
        let nanos = u128::from(ticks).saturating_mul(nanos).checked_div(passed).unwrap_or(0);
        (format!("haidang.stage_ns.{name}"), u64::try_from(nanos).unwrap_or(u64::MAX))
    };
    NAMES.into_iter().zip(clock.ticks).map(counter).collect()
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn ticks() -> u64 {
    // SAFETY: every x86-64 processor has this counter.
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
fn ticks() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn laps_belong_to_the_stage_they_name() {
        assert!(take().is_empty(), "off");
        set(true);
        take();
        std::thread::sleep(Duration::from_millis(3));
        lap(Stage::Flow);
        std::thread::sleep(Duration::from_millis(12));
        lap(Stage::Event);
        let counters = take();
        set(false);
        let of = |name: &str| counters.iter().find(|c| c.0.ends_with(name)).map_or(0, |c| c.1);
        assert!(of(".flow") >= 2_000_000 && of(".event") >= 11_000_000, "{counters:?}");
        assert_eq!(of(".decode"), 0);
    }
}
