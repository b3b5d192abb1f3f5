//! The fast patterns over one kind of bytes, and the rules each pattern leads to.
//!
//! Large data is searched by Hyperscan, small data, which most packets carry, by `grams`. Patterns that rules tie to a place
//! are kept out of the database, so that the search for the others stays fast: literals at one place are looked up there,
//! those near the start are searched for in the start, and those of rules about short data in short data.

use super::anchors::{Anchored, Anchors};
use super::databases::{Compiled, Databases, Ticket};
use super::fast_pattern::{Way, PLACED_BYTES, SMALL_BYTES};
use super::grams::Grams;
use super::hs::{Database, Scratch};
use super::rule::FastPattern;
use crate::stage_clock::{lap, Stage};
use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

/// Fewer patterns than this are not worth a search of their own where there is one over all the data.
const APART_MIN: usize = 12;

/// So many of a literal's last bytes does Hyperscan look at first.
const TOLD_BYTES: usize = 8;

/// A rule behind a pattern.
#[derive(Clone, Copy, Debug)]
struct Lead {
    rule: u32,
    /// The pattern must end at or before this offset of the buffer, as the rule's depth says.
    max_end: u32,
}

/// A pattern of a rule, in lower case when case says nothing.
struct Wanted {
    fast: FastPattern,
    rule: u32,
}

/// Collects patterns; equal ones are shared.
#[derive(Default)]
pub struct PrefilterBuilder {
    wanted: Vec<Wanted>,
}

impl PrefilterBuilder {
    pub fn add(&mut self, fast: &FastPattern, rule: u32) {
        let mut fast = fast.clone();
        if fast.nocase {
            fast.bytes.make_ascii_lowercase();
        }
        self.wanted.push(Wanted { fast, rule });
    }

    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Asks for the databases of the searches, with which the prefilter is then to `settle`. Patterns of one search follow
    /// the order of addition, so equal input gives equal output.
    pub fn build(self, databases: &Databases) -> Prefilter {
        let ways = self.ways();
        let mut index: HashMap<(Way, &[u8], bool), usize, ahash::RandomState> = HashMap::default();
        let mut patterns: Vec<Pattern<'_>> = Vec::new();
        for (Wanted { fast, rule }, way) in self.wanted.iter().zip(ways) {
            let at = *index.entry((way, &fast.bytes, fast.nocase)).or_insert(patterns.len());
            if at == patterns.len() {
                patterns.push(Pattern { way, bytes: &fast.bytes, nocase: fast.nocase, ..Pattern::default() });
            }
            if let Some(pattern) = patterns.get_mut(at) {
                pattern.end = pattern.end.max(fast.bounds.end);
                pattern.leads.push(Lead { rule: *rule, max_end: fast.bounds.end });
            }
        }
        // Those of the database stand together, so that it numbers its own from 0 whatever the others hold.
        patterns.sort_by_key(|pattern| pattern.way);
        let mut leads = Vec::new();
        let mut starts = Vec::with_capacity(patterns.len().saturating_add(1));
        for pattern in &patterns {
            starts.push(u32::try_from(leads.len()).unwrap_or(u32::MAX));
            leads.extend_from_slice(&pattern.leads);
        }
        starts.push(u32::try_from(leads.len()).unwrap_or(u32::MAX));
        let numbered = || (0u32..).zip(&patterns);
        let anchored = numbered().filter_map(|(id, p)| p.anchored(id)).collect();
        let (anchors, _) = Anchors::build(anchored);
        let unplaced = numbered().filter(|(_, p)| !matches!(p.way, Way::Anchored(_)));
        let grams = Grams::build(unplaced.map(|(id, p)| (id, p.bytes.into(), p.nocase)).collect());
        let near: Vec<(u32, &Pattern<'_>)> = numbered().filter(|(_, p)| p.way == Way::Near).collect();
        let near = Near {
            end: u64::from(near.iter().map(|(_, p)| p.end).max().unwrap_or(0)),
            grams: Grams::build(near.iter().map(|(id, p)| (*id, p.bytes.into(), p.nocase)).collect()),
        };
        let anywhere: Vec<(u32, &Pattern<'_>)> = numbered().filter(|(_, p)| p.way == Way::Anywhere).collect();
        let search = anywhere.first().map(|(first, _)| Search {
            database: OnceLock::new(),
            ticket: databases.add(telling_parts(&anywhere)),
            first: *first,
            shortest: anywhere.iter().map(|(_, p)| p.bytes.len()).min().unwrap_or(0),
        });
        Prefilter { anchors, grams, near, search, starts, leads }
    }

    /// Ready to scan.
    #[cfg(test)]
    pub fn compiled(self) -> Prefilter {
        let databases = Databases::default();
        let prefilter = self.build(&databases);
        prefilter.settle(&databases.compile(&|_| None).unwrap());
        prefilter
    }

    /// How each wanted pattern is found: what is not worth a way of its own goes with the rest.
    fn ways(&self) -> Vec<Way> {
        let mut ways: Vec<Way> = self.wanted.iter().map(|wanted| wanted.fast.way()).collect();
        let anchored =
            self.wanted.iter().zip(&ways).zip(0u32..).filter_map(|((wanted, way), id)| match way {
                Way::Anchored(at) => Some(Anchored {
                    at: *at,
                    bytes: wanted.fast.bytes.clone().into_boxed_slice(),
                    nocase: wanted.fast.nocase,
                    id,
                }),
                _ => None,
            });
        let (_, rest) = Anchors::build(anchored.collect());
        for literal in rest {
            // A single byte only the database looks for.
            let near = literal.bytes.len() > 1
                && literal.at.saturating_add(literal.bytes.len() as u32) <= PLACED_BYTES;
            if let Some(way) = ways.get_mut(literal.id as usize) {
                *way = if near { Way::Near } else { Way::Anywhere };
            }
        }
        let near = ways.iter().filter(|way| **way == Way::Near).count();
        if near < APART_MIN && ways.contains(&Way::Anywhere) {
            ways.iter_mut().filter(|way| **way == Way::Near).for_each(|way| *way = Way::Anywhere);
        }
        ways
    }
}

/// A pattern with the rules it leads to.
struct Pattern<'a> {
    way: Way,
    bytes: &'a [u8],
    nocase: bool,
    leads: Vec<Lead>,
    /// The latest that any rule lets it end.
    end: u32,
}

impl Default for Pattern<'_> {
    fn default() -> Self {
        Pattern { way: Way::Anywhere, bytes: &[], nocase: false, leads: Vec::new(), end: 0 }
    }
}

impl Pattern<'_> {
    fn anchored(&self, id: u32) -> Option<Anchored> {
        match self.way {
            Way::Anchored(at) => Some(Anchored { at, bytes: self.bytes.into(), nocase: self.nocase, id }),
            _ => None,
        }
    }
}

/// Hyperscan tells literals apart by their last eight bytes, and looks closer wherever the data has a mixture of such ends.
/// Each literal is given up to where eight of its bytes end whose pairs the fewest others have. What is cut off the rules
/// themselves look at: the first place where a literal's part stands need not be the literal's.
fn telling_parts(patterns: &[(u32, &Pattern<'_>)]) -> Vec<(Box<[u8]>, bool)> {
    let mut having: HashMap<[u8; 2], u32, ahash::RandomState> = HashMap::default();
    for (_, pattern) in patterns {
        let own: HashSet<[u8; 2]> = pairs(pattern.bytes).collect();
        for pair in own {
            let count = having.entry(pair).or_default();
            *count = count.saturating_add(1);
        }
    }
    let part = |bytes: &[u8]| {
        let counts: Vec<u32> = pairs(bytes).map(|pair| having.get(&pair).copied().unwrap_or(0)).collect();
        let windows = counts.windows(TOLD_BYTES - 1).map(|pairs| pairs.iter().copied().sum::<u32>());
        let best = windows.zip(TOLD_BYTES..).min();
        best.and_then(|(_, end)| bytes.get(..end)).unwrap_or(bytes).into()
    };
    patterns.iter().map(|(_, pattern)| (part(pattern.bytes), pattern.nocase)).collect()
}

/// Each two bytes that stand together, whatever the case.
fn pairs(bytes: &[u8]) -> impl Iterator<Item = [u8; 2]> + '_ {
    let ends = bytes.iter().skip(1);
    bytes.iter().zip(ends).map(|(a, b)| [a.to_ascii_lowercase(), b.to_ascii_lowercase()])
}

/// The Hyperscan database of the patterns that may stand anywhere in large data.
struct Search {
    /// Set before the first scan.
    database: OnceLock<Database>,
    ticket: Ticket,
    /// The number of its first pattern among those of the prefilter.
    first: u32,
    /// Shorter data holds none of the patterns.
    shortest: usize,
}

/// Of `Prefilter::grams` those that stand near the start: all that is not in the database for large data.
struct Near {
    grams: Grams,
    /// They end before this offset.
    end: u64,
}

/// A compiled set of fast patterns.
pub struct Prefilter {
    anchors: Anchors,
    /// All patterns but those of `anchors`.
    grams: Grams,
    near: Near,
    search: Option<Search>,
    starts: Vec<u32>,
    leads: Vec<Lead>,
}

impl Prefilter {
    pub fn fit(&self, scratch: &mut Scratch) -> Result<(), String> {
        let Some(search) = &self.search else { return Ok(()) };
        scratch.fit(search.database.get().ok_or("a search has no database")?)
    }

    /// Takes its database out of those that were compiled.
    pub fn settle(&self, databases: &Compiled) {
        let Some(search) = &self.search else { return };
        if let Some(database) = databases.get(search.ticket) {
            let _ = search.database.set(database);
        }
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
        self.anchors.find(data, offset, |id| self.lead(id, 0, candidates));
        scan.hits.clear();
        let is_small = data.len() <= SMALL_BYTES && !scan.hyperscan_only;
        if is_small {
            self.grams.find(data, &mut scan.hits);
        } else if let Some(room) = self.near.end.checked_sub(offset) {
            let room = usize::try_from(room).unwrap_or(usize::MAX);
            self.near.grams.find(data.get(..room).unwrap_or(data), &mut scan.hits);
        }
        for &(pattern, end) in &scan.hits {
            self.lead(pattern, offset.saturating_add(u64::from(end)), candidates);
        }
        if let Some(search) = &self.search {
            if (!is_small || self.grams.lacks_some) && data.len() >= search.shortest {
                self.search(search, data, offset, scan, candidates);
            }
        }
        lap(Stage::Prefilter);
    }

    fn search(
        &self,
        search: &Search,
        data: &[u8],
        offset: u64,
        scan: &mut ScanState,
        candidates: &mut Vec<u32>,
    ) {
        scan.hits.clear();
        let database = search.database.get();
        if !database.is_some_and(|database| scan.scratch.scan(database, data, &mut scan.hits)) {
            // Every rule is looked at rather than one be missed.
            scan.failures = scan.failures.saturating_add(1);
            candidates.extend(self.leads.iter().map(|lead| lead.rule));
        }
        scan.scans = scan.scans.saturating_add(1);
        scan.scanned_bytes = scan.scanned_bytes.saturating_add(data.len() as u64);
        for &(pattern, end) in &scan.hits {
            let pattern = search.first.saturating_add(pattern);
            self.lead(pattern, offset.saturating_add(u64::from(end)), candidates);
        }
    }

    /// Appends the rules behind a pattern that was found to end at `end`.
    #[inline]
    fn lead(&self, pattern: u32, end: u64, candidates: &mut Vec<u32>) {
        let at = pattern as usize;
        let Some([from, to]) = self.starts.get(at..at.saturating_add(2)) else { return };
        for lead in self.leads.get(*from as usize..*to as usize).unwrap_or_default() {
            if end <= u64::from(lead.max_end) {
                candidates.push(lead.rule);
            }
        }
    }
}

/// One worker's scan memory and counts.
#[derive(Default)]
pub struct ScanState {
    pub scratch: Scratch,
    hits: Vec<(u32, u32)>,
    hyperscan_only: bool,
    pub scans: u64,
    pub scanned_bytes: u64,
    /// Scans that libhs gave up.
    pub failures: u64,
}

impl ScanState {
    /// One that gives small data to Hyperscan too.
    pub fn of_hyperscan() -> ScanState {
        ScanState { hyperscan_only: true, ..ScanState::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::rule::Bounds;
    use super::*;

    fn fast(bytes: &[u8], nocase: bool, bounds: Bounds) -> FastPattern {
        FastPattern { buffer: None, bytes: bytes.to_vec(), nocase, bounds, longest: None }
    }

    fn up_to(end: u32) -> Bounds {
        Bounds { start: 0, end }
    }

    fn candidates(prefilter: &Prefilter, data: &[u8], offset: u64) -> Vec<u32> {
        let mut scan = ScanState::default();
        prefilter.fit(&mut scan.scratch).unwrap();
        let mut candidates = Vec::new();
        prefilter.scan(data, offset, &mut scan, &mut candidates);
        candidates.sort_unstable();
        candidates.dedup();
        candidates
    }

    #[test]
    fn leads_to_rules_within_their_depth() {
        let mut builder = PrefilterBuilder::default();
        builder.add(&fast(b"abc", false, Bounds::ANYWHERE), 1);
        builder.add(&fast(b"abc", false, up_to(3)), 2);
        builder.add(&fast(b"ABC", true, Bounds::ANYWHERE), 3);
        builder.add(&fast(b"abc", false, up_to(4)), 4);
        assert!(!builder.is_empty());
        let prefilter = builder.compiled();
        assert_eq!(candidates(&prefilter, b"abc", 0), [1, 2, 3, 4]);
        assert_eq!(candidates(&prefilter, b"xabc", 0), [1, 3, 4]);
        assert_eq!(candidates(&prefilter, b"abc", 1), [1, 3, 4], "data[0] is the buffer's second byte");
        assert_eq!(candidates(&prefilter, b"xxABC", 0), [3]);
    }

    #[test]
    fn single_bytes_at_more_places_than_are_looked_at_are_found() {
        let mut builder = PrefilterBuilder::default();
        for n in 0..40u32 {
            builder.add(&fast(b"Z", false, Bounds { start: n, end: n + 1 }), n);
        }
        let prefilter = builder.compiled();
        for (n, room) in (0..40usize).flat_map(|n| [(n, 3), (n, 700)]) {
            let mut data = vec![b'.'; n + room];
            data[n] = b'Z';
            assert!(candidates(&prefilter, &data, 0).contains(&(n as u32)), "at {n} of {}", data.len());
        }
    }

    #[test]
    fn literals_are_cut_behind_what_sets_them_apart() {
        let texts = ["/a/zqxwvk01.html", "/b/jk9-5kky.html", "/zz/index.html", "/yy/index.html"];
        let patterns: Vec<Pattern<'_>> =
            texts.iter().map(|text| Pattern { bytes: text.as_bytes(), ..Pattern::default() }).collect();
        let parts = telling_parts(&(0u32..).zip(&patterns).collect::<Vec<_>>());
        let parts: Vec<&[u8]> = parts.iter().map(|(part, _)| &**part).collect();
        assert_eq!(parts, [&b"/a/zqxwvk01"[..], b"/b/jk9-5", b"/zz/inde", b"/yy/inde"]);
        let mut builder = PrefilterBuilder::default();
        texts.iter().zip(0..).for_each(|(text, n)| builder.add(&fast(text.as_bytes(), false, up_to(600)), n));
        let prefilter = builder.compiled();
        let data = [&b"/zz/indeed"[..], &[b'.'; 550], b"/zz/index.html"].concat();
        assert_eq!(candidates(&prefilter, &data, 0), [2], "the first place is not the literal's");
    }

    #[test]
    fn every_way_finds_what_a_plain_search_finds() {
        // Enough of each kind that none goes with the rest.
        let mut builder = PrefilterBuilder::default();
        let mut wanted = Vec::new();
        for n in 0..56u32 {
            let bytes = format!("pat{n:02}x");
            let (bounds, longest) = match n % 4 {
                0 => (Bounds { start: 2, end: 8 }, None),
                1 => (Bounds { start: 0, end: 30 + n }, None),
                2 => (Bounds::ANYWHERE, Some(100 + n)),
                _ => (Bounds::ANYWHERE, None),
            };
            builder.add(&FastPattern { longest, ..fast(bytes.as_bytes(), n % 8 < 4, bounds) }, n);
            wanted.push((bytes, bounds, longest));
        }
        let prefilter = builder.compiled();
        assert!(prefilter.search.is_some() && prefilter.near.end > 0);
        for (at, room) in [0usize, 2, 30, 60, 90, 300].into_iter().flat_map(|at| [(at, 3), (at, 700)]) {
            for (n, (bytes, bounds, longest)) in (0u32..).zip(&wanted) {
                let mut data = vec![b'.'; at + bytes.len() + room];
                data[at..at + bytes.len()].copy_from_slice(bytes.as_bytes());
                let found = candidates(&prefilter, &data, 0);
                let inside = at as u32 >= bounds.start && (at + bytes.len()) as u32 <= bounds.end;
                if inside && longest.is_none_or(|longest| data.len() as u32 <= longest) {
                    assert_eq!(found, [n], "{bytes} at {at}");
                } else if let Some(other) = found.first() {
                    assert_eq!(*other, n, "led by a bound less strict than the rule's");
                }
            }
        }
    }
}
