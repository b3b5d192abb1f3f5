//! Work at start-up on several threads. It must not be used once packets flow.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::OnceLock;

/// Compiling patterns takes up to some 40 MB a thread, and past a few threads the largest set decides.
const THREADS_MAX: usize = 4;

/// As many threads as work at start-up is worth.
pub fn threads() -> usize {
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
    fn results_stand_in_the_order_of_the_items() {
        let items: Vec<u32> = (0..1000).collect();
        assert_eq!(map(&items, |n| n * 2), items.iter().map(|n| n * 2).collect::<Vec<_>>());
        assert!(map(&[] as &[u32], |n| *n).is_empty());
    }
}
