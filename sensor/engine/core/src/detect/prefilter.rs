//! One Hyperscan database of fast patterns and the rules each pattern leads to.

use super::hs::{Database, Literal, Scratch};
use crate::stage_clock::{lap, Stage};
use std::collections::HashMap;

/// A rule behind a pattern.
#[derive(Clone, Copy, Debug)]
struct Lead {
    rule: u32,
    /// The pattern must end at or before this offset of the buffer, as the rule's depth says.
    max_end: u32,
}

/// Collects patterns; equal ones are shared.
#[derive(Default)]
pub struct PrefilterBuilder {
    index: HashMap<(Vec<u8>, bool), usize>,
    leads: Vec<Vec<Lead>>,
}

impl PrefilterBuilder {
    pub fn add(&mut self, bytes: &[u8], nocase: bool, rule: u32, max_end: Option<u32>) {
        let key = if nocase { bytes.to_ascii_lowercase() } else { bytes.to_vec() };
        let next = self.leads.len();
        let at = *self.index.entry((key, nocase)).or_insert(next);
        if at == next {
            self.leads.push(Vec::new());
        }
        if let Some(leads) = self.leads.get_mut(at) {
            leads.push(Lead { rule, max_end: max_end.unwrap_or(u32::MAX) });
        }
    }

    pub fn is_empty(&self) -> bool {
        self.leads.is_empty()
    }

    /// Compiles the database. Pattern ids follow the order of addition, so equal input gives equal output.
    pub fn build(self) -> Result<Prefilter, String> {
        let mut patterns: Vec<(&(Vec<u8>, bool), usize)> = self.index.iter().map(|(k, v)| (k, *v)).collect();
        patterns.sort_unstable_by_key(|p| p.1);
        let literals: Vec<Literal<'_>> = patterns
            .iter()
            .map(|((bytes, nocase), id)| Literal {
                bytes,
                nocase: *nocase,
                id: u32::try_from(*id).unwrap_or(u32::MAX),
            })
            .collect();
        let database = Database::compile(&literals)?;
        let mut leads = Vec::new();
        let mut starts = Vec::with_capacity(self.leads.len().saturating_add(1));
        for list in &self.leads {
            starts.push(u32::try_from(leads.len()).unwrap_or(u32::MAX));
            leads.extend_from_slice(list);
        }
        starts.push(u32::try_from(leads.len()).unwrap_or(u32::MAX));
        Ok(Prefilter { database, starts, leads })
    }
}

/// A compiled set of fast patterns.
pub struct Prefilter {
    database: Database,
    starts: Vec<u32>,
    leads: Vec<Lead>,
}

impl Prefilter {
    pub fn fit(&self, scratch: &mut Scratch) -> Result<(), String> {
        scratch.fit(&self.database)
    }
    pub fn patterns(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// Appends the rules whose pattern occurs in `data` to `candidates` (unsorted, with repeats).
    /// `offset` is where data[0] stands in the whole buffer.
    #[inline]
    pub fn scan(&self, data: &[u8], offset: u64, scan: &mut ScanState, candidates: &mut Vec<u32>) {
        if data.is_empty() {
            return;
        }
        lap(Stage::Evaluation);
        scan.hits.clear();
        if !scan.scratch.scan(&self.database, data, &mut scan.hits) {
            // Every rule is looked at rather than one be missed.
            scan.failures = scan.failures.saturating_add(1);
            candidates.extend(self.leads.iter().map(|lead| lead.rule));
            return;
        }
        lap(Stage::Prefilter);
        scan.scans = scan.scans.saturating_add(1);
        scan.scanned_bytes = scan.scanned_bytes.saturating_add(data.len() as u64);
        for &(pattern, end) in &scan.hits {
            let at = pattern as usize;
            let (Some(&from), Some(&to)) = (self.starts.get(at), self.starts.get(at.saturating_add(1)))
            else {
                continue;
            };
            let end = offset.saturating_add(u64::from(end));
            for lead in self.leads.get(from as usize..to as usize).unwrap_or(&[]) {
                if end <= u64::from(lead.max_end) {
                    candidates.push(lead.rule);
                }
            }
        }
    }
}

/// One worker's scan memory and counts.
#[derive(Default)]
pub struct ScanState {
    pub scratch: Scratch,
    hits: Vec<(u32, u32)>,
    pub scans: u64,
    pub scanned_bytes: u64,
    /// Scans that libhs gave up.
    pub failures: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leads_to_rules_within_their_depth() {
        let mut builder = PrefilterBuilder::default();
        builder.add(b"abc", false, 1, None);
        builder.add(b"abc", false, 2, Some(3));
        builder.add(b"ABC", true, 3, None);
        assert!(!builder.is_empty());
        let prefilter = builder.build().unwrap();
        assert_eq!(prefilter.patterns(), 2);
        let mut scan = ScanState::default();
        prefilter.fit(&mut scan.scratch).unwrap();
        let mut candidates = Vec::new();
        prefilter.scan(b"abc", 0, &mut scan, &mut candidates);
        candidates.sort_unstable();
        assert_eq!(candidates, [1, 2, 3]);
        candidates.clear();
        prefilter.scan(b"xabc", 0, &mut scan, &mut candidates);
        candidates.sort_unstable();
        assert_eq!(candidates, [1, 3]);
    }
}
