//! The bytes that a test looked at, for people: as a content would write them, and where it nearly held.

use crate::app::View;
use crate::detect::program::probe::Step;
use crate::detect::program::Content;
use serde_json::{json, Value};

/// Bytes shown of what was looked at.
const SHOWN_BYTES: usize = 64;

/// Bytes searched for the nearest place.
const SEARCHED_BYTES: usize = 1 << 14;

/// As in a content: `GET |0d 0a|`.
pub fn written(bytes: &[u8]) -> String {
    let mut out = String::new();
    let mut is_open = false;
    for byte in bytes {
        let is_plain = matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'|' | b'\\' | b';' | b':');
        if is_plain {
            if std::mem::take(&mut is_open) {
                out.push('|');
            }
            out.push(char::from(*byte));
        } else {
            out.push(if is_open { ' ' } else { '|' });
            is_open = true;
            out.push_str(&format!("{byte:02x}"));
        }
    }
    if is_open {
        out.push('|');
    }
    out
}

/// Bytes of a view from about `at` on.
pub fn excerpt(view: View<'_>, at: usize) -> Value {
    let len = view.data.len();
    let start = if len <= SHOWN_BYTES { 0 } else { at.min(len).saturating_sub(SHOWN_BYTES / 4) };
    let end = start.saturating_add(SHOWN_BYTES).min(len);
    let shown = view.data.get(start..end).unwrap_or_default();
    json!({ "offset": start, "bytes": written(shown), "is_cut": start > 0 || end < len })
}

/// Where a content nearly stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Near {
    pub offset: usize,
    /// Bytes that are as they should be.
    pub same: usize,
    pub why: &'static str,
}

impl Near {
    pub fn json(self, content: &Content, view: View<'_>) -> Value {
        let there = view.data.get(self.offset..).unwrap_or_default();
        let shown = there.get(..content.literal.len()).unwrap_or(there);
        json!({ "offset": self.offset, "same_bytes": self.same, "why": self.why, "bytes": written(shown) })
    }

    /// How much of a test that tells so many bits is fulfilled all the same.
    pub fn credit(self, content: &Content, bits: u32) -> u32 {
        let len = content.literal.len().max(1);
        let percent = self.same.saturating_mul(100).checked_div(len).unwrap_or(0);
        let same = u32::try_from(percent).unwrap_or(100).min(100);
        // At the wrong place or in part it is worth three quarters at most.
        bits.saturating_mul(same).saturating_mul(3) / 400
    }
}

/// Where in a view a content nearly stands. `tries`: where it was looked for.
pub fn nearest(content: &Content, view: View<'_>, tries: &[Step]) -> Option<Near> {
    let data = view.data.get(..SEARCHED_BYTES).unwrap_or(view.data);
    let literal = content.literal.bytes();
    if let Some(offset) = content.literal.find(data) {
        let why = if content.ends_with { "not at the end" } else { "outside the window" };
        return Some(Near { offset, same: literal.len(), why });
    }
    let is_same_word = |at: &usize| {
        data.get(*at..)
            .and_then(|rest| rest.get(..literal.len()))
            .is_some_and(|there| there.eq_ignore_ascii_case(literal))
    };
    if let Some(offset) = (0..data.len()).find(is_same_word) {
        return Some(Near { offset, same: literal.len(), why: "in other case" });
    }
    let alike = |a: &u8, b: &u8| a == b || (content.literal.is_nocase() && a.eq_ignore_ascii_case(b));
    let same = |at: usize| {
        let there = data.get(at..).unwrap_or_default();
        there.iter().zip(literal).filter(|(a, b)| alike(a, b)).count()
    };
    // Of equal places one where it was asked for.
    let asked = |at: usize| {
        tries.iter().filter_map(|step| step.window).any(|(start, end)| (start..end).contains(&at))
    };
    let rank = |at: usize| (same(at), asked(at), std::cmp::Reverse(at));
    let offset = (0..data.len()).max_by_key(|at| rank(*at))?;
    let near = Near { offset, same: same(offset), why: "in part" };
    // Fewer are alike by chance.
    (near.same.saturating_mul(2) >= literal.len()).then_some(near)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::program::Op;
    use crate::detect::test_rules;

    fn near(options: &str, data: &[u8]) -> Option<Near> {
        let rule = test_rules::options(options).unwrap_or_else(|_| panic!("{options}"));
        let program = rule.payload.as_ref().unwrap();
        let Some(Op::Content(content)) = program.ops().last() else { panic!("no content") };
        nearest(content, View::whole(data), &[])
    }

    #[test]
    fn bytes_are_written_as_in_a_content() {
        assert_eq!(written(b"a b\r\n\"x"), "a b|0d 0a 22|x");
        assert_eq!(written(b"\x00"), "|00|");
        assert_eq!(written(b""), "");
    }

    #[test]
    fn the_nearest_place_is_where_most_is_alike() {
        let found = near("content:\"needle\";", b"ne.. neexle.. need").unwrap();
        assert_eq!(found, Near { offset: 5, same: 5, why: "in part" });
        assert_eq!(near("content:\"needle\";", b"a NEEDLE").unwrap().why, "in other case");
        assert_eq!(near("content:\"needle\"; depth:6;", b"a needle").unwrap().why, "outside the window");
        assert_eq!(near("content:\"needle\";", b"....."), None);
    }

    #[test]
    fn an_excerpt_is_around_the_place() {
        let data = vec![b'x'; 500];
        let shown = excerpt(View::whole(&data), 400);
        assert_eq!(shown["offset"], 384);
        assert_eq!(shown["bytes"].as_str().unwrap().len(), SHOWN_BYTES);
        assert_eq!(excerpt(View::whole(b"ab"), 9)["bytes"], "ab");
    }
}
