//! A body or a file as inspection sees it: a window that slides as it is inspected. Decoding happens before it.

use super::View;

/// Bytes that may wait to be inspected where the body has no limit: what comes in one go is shown from its first byte.
const UNSEEN_MAX: u64 = 512 << 10;

/// Room for more bytes than this is given back when the window needs an eighth of it: a flow may live for days.
const ROOM_MAX: usize = 256 << 10;

/// Limits of a body, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// Bytes kept for inspection and files; 0 = all.
    pub limit: u64,
    /// Bytes that must stand before a growing body is inspected.
    pub min_inspect: u64,
    /// Bytes already inspected that stay in the window.
    pub window: u64,
}

/// A gap up to the window's size is filled with zeros so that offsets stay true; a larger one empties the window.
#[derive(Clone, Debug, Default)]
pub struct Body {
    data: Vec<u8>,
    /// Bytes at the front of `data` that the window has left; they go when they are half of it.
    left: usize,
    /// Offset of the window in the body.
    offset: u64,
    /// Bytes of the body so far, those past the limit not counted.
    total: u64,
    inspected: u64,
    done: bool,
    /// The limit cut it.
    full: bool,
}

impl Body {
    pub fn total(&self) -> u64 {
        self.total
    }
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }
    pub fn is_full(&self) -> bool {
        self.full
    }
    pub fn finish(&mut self) {
        self.done = true;
    }

    /// Takes what the limit leaves of `bytes`; answers how many were taken.
    pub fn append(&mut self, bytes: &[u8], limits: &BodyLimits) -> usize {
        if self.full {
            return 0;
        }
        let mut taken = bytes;
        if limits.limit != 0 {
            let room = limits.limit.saturating_sub(self.total);
            if let Some(part) = usize::try_from(room).ok().and_then(|room| bytes.get(..room)) {
                // Exactly at the limit counts as reached: nothing more can come.
                taken = part;
                self.full = true;
            }
        }
        self.data.extend_from_slice(taken);
        self.total = self.total.saturating_add(taken.len() as u64);
        let keep = limits.min_inspect.max(limits.window).max(UNSEEN_MAX);
        if self.total.saturating_sub(self.inspected) > keep.saturating_mul(2) && limits.limit == 0 {
            // Nobody inspects it: the window moves on all the same.
            self.inspected = self.total.saturating_sub(keep);
            self.slide(limits);
        }
        taken.len()
    }

    pub fn gap(&mut self, len: u64, limits: &BodyLimits) {
        if self.full {
            return;
        }
        if len <= limits.window {
            const ZEROS: [u8; 256] = [0; 256];
            let mut left = len;
            while left > 0 {
                let part = left.min(ZEROS.len() as u64);
                self.append(ZEROS.get(..part as usize).unwrap_or(&[]), limits);
                left = left.saturating_sub(part);
            }
            return;
        }
        self.total = self.total.saturating_add(len);
        self.offset = self.total;
        self.inspected = self.total;
        self.data.clear();
        self.left = 0;
        self.full = limits.limit != 0 && self.total >= limits.limit;
    }

    /// The window, once enough stands to be worth a look.
    pub fn view(&self, limits: &BodyLimits, inline: bool) -> Option<View<'_>> {
        let complete = self.done || self.full;
        if self.total == 0 || (!complete && !inline && self.total < limits.min_inspect) {
            return None;
        }
        Some(View { data: self.window(), offset: self.offset, complete })
    }

    /// A part of the body by absolute offsets, as far as it still stands: (bytes, offset of the first).
    pub fn part(&self, start: u64, end: u64) -> (&[u8], u64) {
        let from = start.max(self.offset);
        let at = |absolute: u64| usize::try_from(absolute.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        let to = at(end).min(self.window().len());
        (self.window().get(at(from)..to).unwrap_or(&[]), from)
    }

    fn window(&self) -> &[u8] {
        self.data.get(self.left..).unwrap_or(&[])
    }

    /// All that stands was inspected.
    pub fn inspected(&mut self, limits: &BodyLimits, inline: bool) {
        if self.view(limits, inline).is_some() {
            self.inspected = self.total;
            self.slide(limits);
        }
    }

    fn slide(&mut self, limits: &BodyLimits) {
        if self.inspected < limits.min_inspect || self.inspected < limits.window {
            return;
        }
        let edge = self.inspected.saturating_sub(limits.window);
        let cut = usize::try_from(edge.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        if cut == 0 || cut > self.window().len() {
            return;
        }
        self.left = self.left.saturating_add(cut);
        self.offset = edge;
        if self.left >= self.data.len() / 2 {
            self.data.drain(..self.left);
            self.left = 0;
            if self.data.capacity() > ROOM_MAX.max(self.data.len().saturating_mul(8)) {
                self.data.shrink_to(self.data.len().saturating_mul(2));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Bytes(usize),
        Gap(u64),
        Look,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (1usize..60).prop_map(Step::Bytes),
            (1u64..40).prop_map(Step::Gap),
            Just(Step::Look),
            Just(Step::Look),
        ]
    }

    #[test]
    fn what_came_in_one_go_leaves_no_memory_behind() {
        let limits = BodyLimits { limit: 0, min_inspect: 0, window: 4096 };
        let mut body = Body::default();
        body.append(&vec![7; 1 << 20], &limits);
        body.inspected(&limits, false);
        assert_eq!(body.view(&limits, false).map(|view| view.data.len()), Some(4096));
        assert!(body.data.capacity() <= 8192, "{}", body.data.capacity());
    }

    proptest! {
        #[test]
        fn the_window_is_the_end_of_the_body_from_the_edge_of_what_was_inspected(
            steps in prop::collection::vec(step(), 1..60),
            min_inspect in 0u64..50,
            window in 0u64..50,
        ) {
            let limits = BodyLimits { limit: 0, min_inspect, window };
            let (mut body, mut all, mut edge) = (Body::default(), Vec::<u8>::new(), 0usize);
            for step in steps {
                match step {
                    Step::Bytes(count) => {
                        let bytes: Vec<u8> = (0..count).map(|n| (all.len() + n) as u8).collect();
                        body.append(&bytes, &limits);
                        all.extend(bytes);
                    }
                    Step::Gap(len) => {
                        body.gap(len, &limits);
                        all.resize(all.len() + len as usize, 0);
                        edge = if len > window { all.len() } else { edge };
                    }
                    Step::Look => {
                        body.inspected(&limits, false);
                        let least = min_inspect.max(window).max(1) as usize;
                        edge = if all.len() >= least { edge.max(all.len() - window as usize) } else { edge };
                    }
                }
                let view = body.view(&limits, true);
                prop_assert_eq!(view.map(|view| (view.offset, view.data)),
                    (!all.is_empty()).then(|| (edge as u64, &all[edge..])));
                let (part, from) = body.part(edge as u64 + 3, edge as u64 + 9);
                prop_assert_eq!(from, edge as u64 + 3);
                prop_assert_eq!(part, all.get(edge + 3..all.len().min(edge + 9)).unwrap_or_default());
            }
            prop_assert!(body.data.len() <= 2 * body.window().len() + 60);
        }
    }
}
