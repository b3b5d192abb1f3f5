//! The URI of a request: its parts and its normal form. Pure functions over bytes.

use std::ops::Range;

/// A URI taken apart; ranges are into the URI.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    pub host: Option<Range<usize>>,
    pub port: Option<Range<usize>>,
    pub path: Range<usize>,
    pub query: Option<Range<usize>>,
    pub fragment: Option<Range<usize>>,
}

fn find(uri: &[u8], range: Range<usize>, byte: u8) -> Option<usize> {
    uri.get(range.clone())
        .and_then(|part| memchr::memchr(byte, part))
        .map(|at| range.start.saturating_add(at))
}

/// Splits a request target; all of it is host and port with `authority` (CONNECT). What stands before a colon is a scheme unless the
/// target begins with a slash; "*" and paths without a slash are paths.
pub fn split(uri: &[u8], authority: bool) -> Parts {
    let mut parts = Parts::default();
    let mut at = 0;
    if authority {
        (parts.host, parts.port) = split_host(uri, 0..uri.len());
        parts.path = uri.len()..uri.len();
        return parts;
    }
    if uri.first() != Some(&b'/') {
        if let Some(colon) = memchr::memchr(b':', uri) {
            let after = colon.saturating_add(1);
            at = after;
            if uri.get(after..after.saturating_add(2)) == Some(b"//") {
                let start = after.saturating_add(2);
                let end = uri
                    .get(start..)
                    .and_then(|rest| rest.iter().position(|b| matches!(b, b'/' | b'?' | b'#')))
                    .map_or(uri.len(), |n| start.saturating_add(n));
                // Credentials end at the last @.
                let host_start = uri
                    .get(start..end)
                    .and_then(|part| memchr::memrchr(b'@', part))
                    .map_or(start, |n| start.saturating_add(n).saturating_add(1));
                (parts.host, parts.port) = split_host(uri, host_start..end);
                at = end;
            }
        }
    }
    let fragment = find(uri, at..uri.len(), b'#');
    let end = fragment.unwrap_or(uri.len());
    let query = find(uri, at..end, b'?');
    parts.path = at..query.unwrap_or(end);
    parts.query = query.map(|q| q.saturating_add(1)..end);
    parts.fragment = fragment.map(|f| f.saturating_add(1)..uri.len());
    parts
}

/// Host and port of an authority; an IPv6 literal keeps its brackets.
pub fn split_host(text: &[u8], range: Range<usize>) -> (Option<Range<usize>>, Option<Range<usize>>) {
    let Some(part) = text.get(range.clone()) else {
        return (None, None);
    };
    let host_len = if part.first() == Some(&b'[') {
        memchr::memchr(b']', part).map_or(part.len(), |n| n.saturating_add(1))
    } else {
        memchr::memchr(b':', part).unwrap_or(part.len())
    };
    let host_end = range.start.saturating_add(host_len);
    let host = (host_len > 0).then_some(range.start..host_end);
    let port = (part.get(host_len) == Some(&b':')).then(|| host_end.saturating_add(1)..range.end);
    (host, port)
}

fn hex(high: u8, low: u8) -> Option<u8> {
    let high = char::from(high).to_digit(16)?;
    let low = char::from(low).to_digit(16)?;
    u8::try_from((high << 4) | low).ok()
}

/// Decodes %XX; whatever is no valid escape stays.
pub fn percent_decode(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'%', rest) {
        out.extend_from_slice(rest.get(..at).unwrap_or(&[]));
        let tail = rest.get(at..).unwrap_or(&[]);
        let decoded = match tail {
            [_, high, low, ..] => hex(*high, *low),
            _ => None,
        };
        let used = match decoded {
            Some(byte) => {
                out.push(byte);
                3
            }
            None => {
                out.push(b'%');
                1
            }
        };
        rest = tail.get(used..).unwrap_or(&[]);
    }
    out.extend_from_slice(rest);
}

/// Whether a valid %XX stands in `text`.
pub fn has_escape(text: &[u8]) -> bool {
    memchr::memchr_iter(b'%', text).any(|at| {
        matches!(
            (text.get(at.saturating_add(1)), text.get(at.saturating_add(2))),
            (Some(high), Some(low)) if hex(*high, *low).is_some()
        )
    })
}

/// The single byte a server with a Western code page may take a character for; '?' when there is none.
fn best_fit(code: u32) -> u8 {
    match code {
        0..=0xff => u8::try_from(code).unwrap_or(b'?'),
        // Full-width forms of ASCII.
        0xff01..=0xff5e => u8::try_from(code.saturating_sub(0xfee0)).unwrap_or(b'?'),
        // Division slash, fraction slash; set minus.
        0x2215 | 0x2044 => b'/',
        0x2216 => b'\\',
        _ => b'?',
    }
}

/// %uXXXX as IIS reads it.
fn unicode_escape(tail: &[u8]) -> Option<u8> {
    match tail {
        [b'%', b'u' | b'U', a, b, c, d, ..] => {
            let code = (u32::from(hex(*a, *b)?) << 8) | u32::from(hex(*c, *d)?);
            Some(best_fit(code))
        }
        _ => None,
    }
}

/// Decodes %XX and %uXXXX, turns backslashes into slashes and runs of slashes into one.
fn decode_path(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut at: usize = 0;
    while let Some(&byte) = path.get(at) {
        let tail = path.get(at..).unwrap_or(&[]);
        let (mut byte, used) = match tail {
            [b'%', high, low, ..] => match (hex(*high, *low), unicode_escape(tail)) {
                (Some(decoded), _) => (decoded, 3),
                (None, Some(decoded)) => (decoded, 6),
                (None, None) => (byte, 1),
            },
            _ => (byte, 1),
        };
        at = at.saturating_add(used);
        if byte == b'\\' {
            byte = b'/';
        }
        if byte != b'/' || out.last() != Some(&b'/') {
            out.push(byte);
        }
    }
    out
}

/// UTF-8 read as a server with a Western code page reads it, overlong forms included.
fn fold_utf8(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut at: usize = 0;
    while let Some(&lead) = path.get(at) {
        let (len, bits) = match lead {
            0..=0x7f => (1, lead),
            0xc0..=0xdf => (2, lead & 0x1f),
            0xe0..=0xef => (3, lead & 0x0f),
            0xf0..=0xf7 => (4, lead & 0x07),
            _ => (0, 0),
        };
        let rest = path
            .get(at.saturating_add(1)..at.saturating_add(len))
            .filter(|rest| rest.iter().all(|b| b & 0xc0 == 0x80));
        match rest {
            Some(rest) if len > 0 => {
                let code = rest.iter().fold(u32::from(bits), |code, b| (code << 6) | u32::from(b & 0x3f));
                out.push(best_fit(code));
                at = at.saturating_add(len);
            }
            _ => {
                out.push(b'?');
                at = at.saturating_add(1);
            }
        }
    }
    out
}

/// Takes out "." and ".." segments (RFC 3986 section 5.2.4); a slash left over behind the last of them goes too, as in Suricata.
fn remove_dot_segments(path: &[u8], out: &mut Vec<u8>) {
    let base = out.len();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(tail) = rest.strip_prefix(b"../").or(rest.strip_prefix(b"./")) {
            rest = tail;
        } else if matches!(rest, b"/." | b"/./") {
            return;
        } else if rest.starts_with(b"/./") {
            rest = rest.get(2..).unwrap_or(&[]);
        } else if rest.starts_with(b"/../") || rest == b"/.." {
            let parent = out
                .get(base..)
                .and_then(|done| memchr::memrchr(b'/', done))
                .map_or(base, |n| base.saturating_add(n));
            out.truncate(parent);
            if rest.len() <= 4 {
                return;
            }
            rest = rest.get(3..).unwrap_or(&[]);
        } else if rest == b"." || rest == b".." {
            rest = &[];
        } else {
            let end = rest
                .get(1..)
                .and_then(|tail| memchr::memchr(b'/', tail))
                .map_or(rest.len(), |n| n.saturating_add(1));
            out.extend_from_slice(rest.get(..end).unwrap_or(&[]));
            rest = rest.get(end..).unwrap_or(&[]);
        }
    }
}

/// How a URI is brought to its normal form.
#[derive(Clone, Copy, Debug, Default)]
pub struct Normalise {
    pub double_decode_path: bool,
    pub double_decode_query: bool,
    pub include_all: bool,
}

/// The path decoded, its separators compressed and dot segments resolved.
pub fn normalise_path(path: &[u8], twice: bool) -> Vec<u8> {
    let mut decoded = decode_path(path);
    if twice {
        decoded = decode_path(&decoded);
    }
    if !decoded.is_ascii() {
        decoded = fold_utf8(&decoded);
    }
    if memchr::memchr(b'.', &decoded).is_none() {
        return decoded;
    }
    let mut out = Vec::with_capacity(decoded.len());
    remove_dot_segments(&decoded, &mut out);
    out
}

/// The URI as rules see it in `http.uri`: path, query and fragment (all parts with `include_all`).
pub fn normalise(uri: &[u8], parts: &Parts, how: Normalise) -> Vec<u8> {
    let mut out = Vec::with_capacity(uri.len());
    if how.include_all {
        out.extend_from_slice(uri.get(..parts.path.start).unwrap_or(&[]));
    }
    let path = uri.get(parts.path.clone()).unwrap_or(&[]);
    out.extend_from_slice(&normalise_path(path, how.double_decode_path));
    if let Some(query) = parts.query.clone().and_then(|q| uri.get(q)) {
        out.push(b'?');
        let at = out.len();
        percent_decode(query, &mut out);
        if how.double_decode_query {
            let once = out.split_off(at);
            percent_decode(&once, &mut out);
        }
    }
    if let Some(fragment) = parts.fragment.clone().and_then(|f| uri.get(f)) {
        out.push(b'#');
        percent_decode(fragment, &mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Suricata 7.0.10 shows them in `http.uri`.
    #[test]
    fn uris_are_normalised_as_in_suricata() {
        let cases: &[(&[u8], &[u8])] = &[
            (b"/a%2Fb/./../c//d?q=%41", b"/a/c/d?q=A"),
            (b"/a\\b%5cc", b"/a/b/c"),
            (b"/%u0041bc", b"/Abc"),
            (b"/a%00b+c", b"/a\0b+c"),
            (b"/a%zzb%", b"/a%zzb%"),
            (b"/a/./b/.", b"/a/b"),
            (b"/a/b/../", b"/a"),
            (b"/a/../../b", b"/b"),
            (b"/a%c0%afb", b"/a/b"),
            (b"/%ff", b"/?"),
            (b"/\xc3\xa9", b"/\xe9"),
            (b"/%25%34%31", b"/%41"),
            (b"/x?y#%41z", b"/x?y#Az"),
            (b"/?%u0041", b"/?%u0041"),
            (b"http://host.com:80/x/../y?z", b"/y?z"),
            (b"host.com:80/x", b"80/x"),
            (b"?query", b"?query"),
            (b"./relative/../path", b"/path"),
        ];
        for (uri, wanted) in cases {
            let got = normalise(uri, &split(uri, false), Normalise::default());
            assert_eq!(got.escape_ascii().to_string(), wanted.escape_ascii().to_string());
        }
    }
}
