//! What a Content-Encoding value asks for. Undoing it is `decompress`.

use super::headers::contains_token;

/// A coding that can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// gzip or deflate, whichever the bytes show.
    Deflate,
    Brotli,
    Lzma,
}

/// What a Content-Encoding value asks for: layers to undo, outermost first, and oddities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub layers: Vec<Coding>,
    pub too_many: bool,
    pub abnormal: bool,
}

/// Reads a Content-Encoding value; at most `limit` layers. `lzma`: whether that one is undone.
pub fn plan(value: &[u8], limit: usize, lzma: bool) -> Plan {
    let mut plan = Plan::default();
    let mut words: usize = 0;
    for word in value.split(|b| matches!(b, b',' | b' ' | b'\t')) {
        if word.is_empty() {
            continue;
        }
        // "identity" counts towards the limit too, as in Suricata.
        words = words.saturating_add(1);
        if words > limit {
            plan.too_many = true;
            break;
        }
        let clean = |name: &[u8]| word.eq_ignore_ascii_case(name);
        let is = |name: &[u8]| contains_token(word, name);
        if is(b"gzip") || is(b"deflate") {
            plan.abnormal |=
                !(clean(b"gzip") || clean(b"x-gzip") || clean(b"deflate") || clean(b"x-deflate"));
            plan.layers.push(Coding::Deflate);
        } else if clean(b"br") {
            plan.layers.push(Coding::Brotli);
        } else if clean(b"lzma") {
            plan.layers.extend(lzma.then_some(Coding::Lzma));
        } else if !(clean(b"identity") || clean(b"none")) {
            plan.abnormal = true;
        }
    }
    // The last one named was applied last (RFC 9110 section 8.4).
    plan.layers.reverse();
    plan
}
