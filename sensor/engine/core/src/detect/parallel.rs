//! How the work of making rules ready is spread: over several threads at start-up, and sparingly once packets flow.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::OnceLock;

/// Compiling patterns takes up to some 40 MB a thread, and past a few threads the largest set decides.
const THREADS_MAX: usize = 4;

thread_local! {
    /// What gives freed memory back to the system while work is done sparingly.
    static GIVE_BACK: Cell<Option<fn()>> = const { Cell::new(None) };
}

/// Does `work` beside others that need processors and memory: on this thread alone, and what a step of it freed goes back
/// to the system, by `give_back`, before the next one.
pub fn sparingly<R>(give_back: fn(), work: impl FnOnce() -> R) -> R {
    struct Before(Option<fn()>);
    impl Drop for Before {
        fn drop(&mut self) {
            GIVE_BACK.set(self.0);
        }
    }
    let _before = Before(GIVE_BACK.replace(Some(give_back)));
    work()
}

/// Whether memory is dearer than time.
pub fn is_sparing() -> bool {
    GIVE_BACK.get().is_some()
}

/// A step is over that freed much of what it took.
pub fn step_done() {
    if let Some(give_back) = GIVE_BACK.get() {
        give_back();
    }
}

/// As many threads as the work is worth.
pub fn threads() -> usize {
    if is_sparing() {
        return 1;
    }
    std::thread::available_parallelism().map_or(1, |n| n.get().min(THREADS_MAX))
}

/// Runs `work` on this thread and as many others as are worth it for so many jobs.
pub fn everywhere(jobs: usize, work: impl Fn() + Sync) {
    std::thread::scope(|scope| {
        for _ in 1..threads().min(jobs) {
            scope.spawn(&work);
        }
        work();
    });
}

/// What `work` makes of each item, in the order of the items, which are begun in that order.
pub fn map<T: Sync, R: Send + Sync>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let slots: Vec<OnceLock<R>> = items.iter().map(|_| OnceLock::new()).collect();
    let next = AtomicUsize::new(0);
    everywhere(items.len(), || loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let (Some(item), Some(slot)) = (items.get(at), slots.get(at)) else { break };
        let _ = slot.set(work(item));
    });
    // Every slot is set: a thread that panicked made the scope panic.
    slots.into_iter().filter_map(OnceLock::into_inner).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparing_work_has_one_thread_and_gives_back_after_each_step() {
        static GIVEN_BACK: AtomicUsize = AtomicUsize::new(0);
        let give_back = || {
            GIVEN_BACK.fetch_add(1, Ordering::Relaxed);
        };
        let here = std::thread::current().id();
        let elsewhere = sparingly(give_back, || {
            assert!(is_sparing());
            step_done();
            let ids = map(&[0; 1000], |_| {
                std::thread::sleep(std::time::Duration::from_micros(10));
                std::thread::current().id()
            });
            step_done();
            ids.into_iter().filter(|id| *id != here).count()
        });
        step_done();
        assert_eq!((elsewhere, GIVEN_BACK.load(Ordering::Relaxed)), (0, 2));
        let failed = std::panic::catch_unwind(|| sparingly(give_back, || panic!("on purpose")));
        step_done();
        assert!(failed.is_err() && GIVEN_BACK.load(Ordering::Relaxed) == 2, "over, however it ended");
    }

    #[test]
    fn results_stand_in_the_order_of_the_items() {
        let items: Vec<u32> = (0..1000).collect();
        assert_eq!(map(&items, |n| n * 2), items.iter().map(|n| n * 2).collect::<Vec<_>>());
        assert!(map(&[] as &[u32], |n| *n).is_empty());
    }
}
