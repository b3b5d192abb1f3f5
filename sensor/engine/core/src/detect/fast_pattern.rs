//! Choice of the literal by which the prefilter finds a rule: the one asked for, else the strongest content of its
//! app-layer buffers, else of its payload. Negated contents never serve.

use super::rule::{Bounds, FastPattern};

/// What `fast_pattern` said of a content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ask {
    #[default]
    No,
    Yes,
    /// `only`: the prefilter's hit is all that is asked.
    Only,
    /// `offset,length`: this part of the content.
    Chop(usize, usize),
}

/// A content that may serve.
pub struct Candidate {
    /// Index in `Rule::buffers`; None = payload.
    pub buffer: Option<usize>,
    pub bytes: Vec<u8>,
    pub nocase: bool,
    pub ask: Ask,
    pub bounds: Bounds,
    /// A buffer whose values are few and common (methods, status codes): taken when nothing better is there.
    pub weak_buffer: bool,
}

impl Candidate {
    /// Whether the literal can stand at one place only.
    fn is_anchored(&self) -> bool {
        self.bounds.hold_once(&self.bytes)
    }
}

/// Buffers whose contents say little about a rule.
pub const WEAK_BUFFERS: &[&str] = &[
    "http.method",
    "http.stat_code",
    "http.stat_msg",
    "http.protocol",
    "http.connection",
    "http.content_len",
    "http.header_names",
    "tls.version",
];

/// Longest literal of a prefilter. Hyperscan 5.4.0 refuses to scan short data (-13) with a database that holds a
/// longer one (68 bytes answer wrongly, 66 do not; report-once), and 64 bytes tell rules apart as well as more.
pub const PATTERN_MAX_BYTES: usize = 64;

/// A single byte is in nearly everything: finding it costs more than trying the rule, and slows the search for the others.
/// At one place it may serve: to look there costs nothing.
const PATTERN_MIN_BYTES: usize = 2;

/// A literal that ends before this offset is tied to a place.
pub const PLACED_BYTES: u32 = 128;

/// Data up to this length is small: it is most of the packets, and little of the bytes. What is larger Hyperscan searches.
pub const SMALL_BYTES: usize = 512;

/// Where a pattern is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Way {
    /// At this offset alone.
    Anchored(u32),
    /// In the start of the data.
    Near,
    /// In small data.
    Short,
    Anywhere,
}

impl FastPattern {
    pub fn way(&self) -> Way {
        if self.is_anchored() {
            Way::Anchored(self.bounds.start)
        } else if self.bounds.end <= PLACED_BYTES {
            Way::Near
        } else if self.longest.is_some_and(|longest| longest <= SMALL_BYTES as u32) {
            Way::Short
        } else {
            Way::Anywhere
        }
    }
}

/// What is weaker than about two bytes of a kind that is rare leads to too many rules, however cheaply it is found.
const TELLING_MIN_STRENGTH: u32 = 8;

/// How selective a pattern is: rare bytes count more, repeated bytes hardly at all.
pub fn strength(bytes: &[u8]) -> u32 {
    let mut seen = [false; 256];
    let mut sum: u32 = 0;
    for byte in bytes {
        let score = match seen.get_mut(usize::from(*byte)) {
            Some(slot) if !*slot => {
                *slot = true;
                match byte {
                    0 | b' ' | 0xff | b'\r' | b'\n' => 2,
                    b'a'..=b'z' | b'0'..=b'9' => 3,
                    b'A'..=b'Z' => 4,
                    32..=126 => 4,
                    _ => 5,
                }
            }
            _ => 1,
        };
        sum = sum.saturating_add(score);
    }
    sum
}

/// The literal of the payload that is best tied to a place, if one is: in single packets, to look there takes little, where
/// another would take one more search of the whole packet.
pub fn choose_placed(candidates: &[Candidate]) -> Option<FastPattern> {
    let placed = candidates
        .iter()
        .filter(|c| c.is_anchored() || c.bounds.end <= PLACED_BYTES)
        .filter(|c| c.buffer.is_none() && c.bytes.len() >= PATTERN_MIN_BYTES);
    let best = placed.max_by_key(|c| (c.is_anchored(), strength(&c.bytes)))?;
    choose(vec![Candidate { ask: Ask::No, bytes: best.bytes.clone(), ..*best }])
}

/// Whether a rule about packets alone is better led by `placed` than by its own pattern, which may have been asked for:
/// where large packets would be searched for that, and unless what is placed is in many packets.
pub fn is_better(placed: &FastPattern, own: Option<&FastPattern>) -> bool {
    let searched = own.is_some_and(|own| own.buffer.is_none() && own.way() == Way::Anywhere);
    searched && is_telling(&placed.bytes)
}

/// Whether a pattern is in little enough to lead to a rule where another would do.
pub fn is_telling(bytes: &[u8]) -> bool {
    strength(bytes) >= TELLING_MIN_STRENGTH
}

/// The best of `candidates`.
pub fn choose(candidates: Vec<Candidate>) -> Option<FastPattern> {
    let serving = candidates.into_iter().filter(|c| c.bytes.len() >= PATTERN_MIN_BYTES || c.is_anchored());
    let best = serving.max_by_key(|c| {
        let asked = c.ask != Ask::No;
        (asked, c.buffer.is_some(), !c.weak_buffer, strength(&c.bytes))
    })?;
    let (skip, length) = match best.ask {
        Ask::Chop(offset, length) => (offset, length),
        _ => (0, best.bytes.len()),
    };
    let end = skip.saturating_add(length.min(PATTERN_MAX_BYTES));
    let bytes = best.bytes.get(skip..end)?.to_vec();
    let behind = u32::try_from(best.bytes.len().saturating_sub(end)).unwrap_or(u32::MAX);
    let bounds = Bounds {
        start: best.bounds.start.saturating_add(u32::try_from(skip).unwrap_or(u32::MAX)),
        end: match best.bounds.end {
            u32::MAX => u32::MAX,
            end => end.saturating_sub(behind),
        },
    };
    Some(FastPattern { buffer: best.buffer, bytes, nocase: best.nocase, bounds, longest: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(buffer: Option<usize>, bytes: &str, ask: Ask) -> Candidate {
        Candidate {
            buffer,
            bytes: bytes.as_bytes().to_vec(),
            nocase: false,
            ask,
            bounds: Bounds::ANYWHERE,
            weak_buffer: false,
        }
    }

    #[test]
    fn prefers_what_was_asked_then_buffers_then_strength() {
        let pick = |list| choose(list).map(|f| String::from_utf8(f.bytes).unwrap());
        let no = Ask::No;
        assert_eq!(
            pick(vec![candidate(Some(0), "longest", no), candidate(None, "xy", Ask::Yes)]).unwrap(),
            "xy"
        );
        assert_eq!(pick(vec![candidate(None, "longest", no), candidate(Some(1), "abc", no)]).unwrap(), "abc");
        assert_eq!(pick(vec![candidate(None, "aaaaaa", no), candidate(None, "xyz", no)]).unwrap(), "xyz");
        assert_eq!(pick(vec![candidate(None, "abcdef", Ask::Chop(2, 3))]).unwrap(), "cde");
        assert!(choose(Vec::new()).is_none());
        assert!(choose(vec![candidate(None, "x", Ask::Yes)]).is_none(), "one byte is no help");
    }

    #[test]
    fn packets_are_searched_by_what_is_tied_to_a_place() {
        let mut placed = candidate(None, "MSG ", Ask::No);
        placed.bounds = Bounds { start: 0, end: 40 };
        let mut anchored = candidate(None, "ab", Ask::No);
        anchored.bounds = Bounds { start: 3, end: 5 };
        let far = || candidate(None, "Content-Type", Ask::Yes);
        assert_eq!(choose_placed(&[far(), placed]).unwrap().bytes, b"MSG ");
        let mut placed = candidate(None, "MSG ", Ask::No);
        placed.bounds = Bounds { start: 0, end: 40 };
        assert_eq!(choose_placed(&[far(), placed, anchored]).unwrap().bytes, b"ab");
        assert!(choose_placed(&[far(), candidate(Some(0), "uri", Ask::No)]).is_none());
    }

    #[test]
    fn a_long_content_is_found_by_its_start() {
        let mut long = candidate(None, &"ab".repeat(40), Ask::No);
        long.bounds = Bounds { start: 2, end: 82 };
        let chosen = choose(vec![long]).unwrap();
        assert_eq!((chosen.bytes.len(), chosen.bounds), (PATTERN_MAX_BYTES, Bounds { start: 2, end: 66 }));
        let mut part = candidate(None, "abcdef", Ask::Chop(2, 3));
        part.bounds = Bounds { start: 1, end: 9 };
        assert_eq!(choose(vec![part]).unwrap().bounds, Bounds { start: 3, end: 8 });
        let chosen = choose(vec![candidate(None, &"ab".repeat(32), Ask::No)]).unwrap();
        assert_eq!(chosen.bytes.len(), 64);
    }
}
