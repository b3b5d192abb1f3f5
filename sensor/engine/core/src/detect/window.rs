//! How far the prefilter has scanned a growing buffer, and which rules its hits lead to. Each byte is scanned once; a rule
//! stays a candidate for as long as the bytes that led to it stand in the buffer's window.

use super::fast_pattern::PATTERN_MAX_BYTES;
use super::prefilter::{Prefilter, ScanState};
use crate::app::View;

/// A pattern may have begun this many bytes before the first byte that is new.
const OVERLAP_BYTES: u64 = PATTERN_MAX_BYTES as u64 - 1;

/// One instance of a growing buffer.
#[derive(Debug)]
struct Window {
    /// (index in `TxGroup::buffers`, instance)
    key: (u16, u16),
    /// Offset behind the last byte scanned.
    scanned: u64,
    /// Rules by number, each with the end of the bytes in which its pattern was found.
    leads: Vec<(u32, u64)>,
}

/// The growing buffers of one transaction in one direction, sorted by key.
#[derive(Debug, Default)]
pub struct Windows(Vec<Window>);

impl Windows {
    /// Scans what is new in `view` and appends every rule that its window leads to.
    pub fn scan(
        &mut self,
        key: (u16, u16),
        view: View<'_>,
        prefilter: &Prefilter,
        scan: &mut ScanState,
        candidates: &mut Vec<u32>,
    ) {
        let at = match self.0.binary_search_by_key(&key, |w| w.key) {
            Ok(at) => at,
            Err(at) => {
                self.0.insert(at, Window { key, scanned: 0, leads: Vec::new() });
                at
            }
        };
        let Some(window) = self.0.get_mut(at) else { return };
        let end = view.offset.saturating_add(view.data.len() as u64);
        if end < window.scanned {
            // Other bytes than those that were scanned.
            window.scanned = 0;
            window.leads.clear();
        }
        window.leads.retain(|(_, until)| *until > view.offset);
        if end > window.scanned {
            let start = window.scanned.saturating_sub(OVERLAP_BYTES).max(view.offset);
            let skip = usize::try_from(start.saturating_sub(view.offset)).unwrap_or(usize::MAX);
            let first = candidates.len();
            prefilter.scan(view.data.get(skip..).unwrap_or(&[]), start, scan, candidates);
            for rule in candidates.drain(first..) {
                match window.leads.binary_search_by_key(&rule, |lead| lead.0) {
                    Ok(at) => window.leads.get_mut(at).into_iter().for_each(|lead| lead.1 = end),
                    Err(at) => window.leads.insert(at, (rule, end)),
                }
            }
            window.scanned = end;
        }
        candidates.extend(window.leads.iter().map(|lead| lead.0));
    }
}

#[cfg(test)]
mod tests {
    use super::super::prefilter::PrefilterBuilder;
    use super::super::rule::{Bounds, FastPattern};
    use super::*;

    #[test]
    fn bytes_are_scanned_once_and_lead_while_they_stand() {
        let mut builder = PrefilterBuilder::default();
        let (bytes, bounds) = (b"needle".to_vec(), Bounds::ANYWHERE);
        builder.add(&FastPattern { buffer: None, bytes, nocase: false, bounds, longest: None }, 7);
        let prefilter = builder.build().unwrap();
        let mut scan = ScanState::default();
        prefilter.fit(&mut scan.scratch).unwrap();
        let mut windows = Windows::default();
        let mut step = |offset: u64, data: &[u8]| {
            let mut candidates = Vec::new();
            let view = View { data, offset, complete: false };
            windows.scan((0, 0), view, &prefilter, &mut scan, &mut candidates);
            candidates
        };
        assert!(step(0, b"a nee").is_empty());
        assert_eq!(step(0, b"a needle"), [7], "a pattern across two looks");
        assert_eq!(step(4, b"edle and so on"), [7], "its end still stands");
        assert!(step(10, b"nd so on").is_empty(), "it has left the window");
        assert_eq!(step(0, b"needle"), [7], "a buffer begun anew");
        assert_eq!(step(0, b"needle"), [7]);
        assert!(scan.scanned_bytes < 5 + 8 + 18 + 8 + 6 + 1, "{}", scan.scanned_bytes);
    }
}
