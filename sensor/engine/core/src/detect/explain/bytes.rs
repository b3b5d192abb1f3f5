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

/// Where in a view a content nearly stands. `tries`: where it was looked for.
pub fn nearest(content: &Content, view: View<'_>, tries: &[Step]) -> Option<Value> {
    let data = view.data.get(..SEARCHED_BYTES).unwrap_or(view.data);
    let literal = content.literal.bytes();
    if let Some(at) = content.literal.find(data) {
        let behind = at.saturating_add(literal.len());
        let first = tries.iter().find_map(|step| step.window);
        let why = if content.ends_with { "not at the end" } else { "outside the window" };
        return Some(json!({ "offset": at, "end": behind, "why": why, "window": first,
            "bytes": written(literal) }));
    }
    if let Some(at) = (0..data.len()).find(|at| {
        let there = data.get(*at..at.saturating_add(literal.len()));
        there.is_some_and(|there| there.eq_ignore_ascii_case(literal))
    }) {
        return Some(
            json!({ "offset": at, "why": "in other case", "bytes": shown(data, at, literal.len()) }),
        );
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
    let at = (0..data.len()).max_by_key(|at| rank(*at))?;
    let same = same(at);
    // Fewer are alike by chance.
    (same.saturating_mul(2) >= literal.len()).then(|| {
        json!({ "offset": at, "same_bytes": same, "why": "in part",
            "bytes": shown(data, at, literal.len()) })
    })
}

fn shown(data: &[u8], at: usize, len: usize) -> String {
    written(data.get(at..at.saturating_add(len)).or(data.get(at..)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::program::Op;
    use crate::detect::test_rules;

    fn near(options: &str, data: &[u8]) -> Value {
        let rule = test_rules::options(options).unwrap_or_else(|_| panic!("{options}"));
        let program = rule.payload.as_ref().unwrap();
        let Some(Op::Content(content)) = program.ops().last() else { panic!("no content") };
        nearest(content, View::whole(data), &[]).unwrap_or_default()
    }

    #[test]
    fn bytes_are_written_as_in_a_content() {
        assert_eq!(written(b"a b\r\n\"x"), "a b|0d 0a 22|x");
        assert_eq!(written(b"\x00"), "|00|");
        assert_eq!(written(b""), "");
    }

    #[test]
    fn the_nearest_place_is_where_most_is_alike() {
        let found = near("content:\"needle\";", b"ne.. neexle.. need");
        assert_eq!((&found["offset"], &found["same_bytes"]), (&json!(5), &json!(5)));
        assert_eq!(near("content:\"needle\";", b"a NEEDLE")["why"], "in other case");
        assert_eq!(near("content:\"needle\"; depth:6;", b"a needle")["why"], "outside the window");
        assert_eq!(near("content:\"needle\";", b"....."), Value::Null);
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
