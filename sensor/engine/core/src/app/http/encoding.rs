//! What a Content-Encoding value asks for. Undoing it is `decompress`.

use super::headers::contains_token;

/// What a Content-Encoding value asks for: layers to undo, and oddities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub layers: usize,
    pub too_many: bool,
    pub abnormal: bool,
}

/// Reads a Content-Encoding value; at most `limit` layers.
pub fn plan(value: &[u8], limit: usize) -> Plan {
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
            plan.layers = plan.layers.saturating_add(1);
        } else if !(clean(b"identity") || clean(b"none") || clean(b"br") || clean(b"lzma")) {
            plan.abnormal = true;
        }
    }
    plan
}
