//! The sticky buffers of HTTP/2: their table, and how each is read from a transaction. Where HTTP/1 has the same buffer, the name
//! is the same and rules see one.

use super::hpack::Field;
use super::tx::{progress, Http2Tx, Side};
use crate::app::{Buffer, View};
use crate::direction::{Dir, PerDir};

use progress::{BODY, HEADERS};

const fn both(at: u8) -> PerDir<Option<u8>> {
    PerDir::new(Some(at), Some(at))
}
const fn request(at: u8) -> PerDir<Option<u8>> {
    PerDir::new(Some(at), None)
}
const fn response(at: u8) -> PerDir<Option<u8>> {
    PerDir::new(None, Some(at))
}

/// How many buffers are values of one field, put together when it repeats.
pub const JOINED: usize = 12;

#[derive(Clone, Copy)]
enum Which {
    /// The value of a pseudo-header or field: (name, place in `Cache::joined`).
    Field(&'static str),
    /// A field that may repeat, with its place in `Cache::joined`.
    Repeated(&'static str, usize),
    Cookie,
    Host,
    HostRaw,
    Protocol,
    RequestLine,
    ResponseLine,
    StatMsg,
    Header,
    HeaderNames,
    Fields,
    FieldName,
    FieldDoubled,
    Body,
    FileName,
}

macro_rules! buffers {
    ($($name:literal, $which:expr, $progress:expr, $multi:literal, $streaming:literal, $doc:literal;)*) => {
        const ORDER: &[Which] = &[$($which,)*];
        pub const TABLE: &[Buffer] = &[$(Buffer {
            name: $name,
            aliases: &[],
            modifier: None,
            progress: $progress,
            multi: $multi,
            streaming: $streaming,
            doc: $doc,
        },)*];
    };
}

buffers! {
    "http.uri", Which::Field(":path"), request(HEADERS), false, false, "The path asked for.";
    "http.uri.raw", Which::Field(":path"), request(HEADERS), false, false, "The path asked for.";
    "http.method", Which::Field(":method"), request(HEADERS), false, false, "The request method.";
    "http.protocol", Which::Protocol, both(HEADERS), false, false, "`HTTP/2`.";
    "http.request_line", Which::RequestLine, request(HEADERS), false, false, "Method, path and `HTTP/2`, as HTTP/1 would write them.";
    "http.response_line", Which::ResponseLine, response(HEADERS), false, false, "`HTTP/2` and the status, as HTTP/1 would write them.";
    "http.header", Which::Header, both(HEADERS), false, false, "All fields as \"name: value\" lines.";
    "http.header_names", Which::HeaderNames, both(HEADERS), false, false, "The names of the fields, a line each, with an empty line before and after.";
    "http.cookie", Which::Cookie, both(HEADERS), false, false, "The cookie or set-cookie value.";
    "http.user_agent", Which::Repeated("user-agent", 0), request(HEADERS), false, false, "The user-agent value.";
    "http.host", Which::Host, request(HEADERS), false, false, "The authority in lower case, without user and port.";
    "http.host.raw", Which::HostRaw, request(HEADERS), false, false, "The authority as sent.";
    "http.accept", Which::Repeated("accept", 1), request(HEADERS), false, false, "The accept value.";
    "http.accept_enc", Which::Repeated("accept-encoding", 2), request(HEADERS), false, false, "The accept-encoding value.";
    "http.accept_lang", Which::Repeated("accept-language", 3), request(HEADERS), false, false, "The accept-language value.";
    "http.connection", Which::Repeated("connection", 4), request(HEADERS), false, false, "The connection value.";
    "http.content_type", Which::Repeated("content-type", 5), both(HEADERS), false, false, "The content-type value.";
    "http.content_len", Which::Repeated("content-length", 6), both(HEADERS), false, false, "The content-length value.";
    "http.referer", Which::Repeated("referer", 7), request(HEADERS), false, false, "The referer value.";
    "http.stat_code", Which::Field(":status"), response(HEADERS), false, false, "The status code.";
    "http.stat_msg", Which::StatMsg, response(HEADERS), false, false, "Empty: HTTP/2 has no reason phrase.";
    "http.location", Which::Repeated("location", 8), response(HEADERS), false, false, "The location value.";
    "http.server", Which::Repeated("server", 9), response(HEADERS), false, false, "The server value.";
    "http.request_header", Which::Fields, request(HEADERS), true, false, "Each request field as \"name: value\".";
    "http.response_header", Which::Fields, response(HEADERS), true, false, "Each response field as \"name: value\".";
    "http.request_body", Which::Body, request(BODY), false, true, "The request body, decompressed.";
    "http.response_body", Which::Body, response(BODY), false, true, "The response body, decompressed.";
    "file.data", Which::Body, both(BODY), true, true, "The content of the bodies.";
    "file.name", Which::FileName, request(HEADERS), false, false, "The path of the file asked for.";
    "http2.header_name", Which::FieldName, both(HEADERS), true, false, "The name of each field.";
    "http2.header", Which::FieldDoubled, both(HEADERS), true, false, "Each field as \"name: value\", every colon inside name or value doubled.";
}

/// The form of `local` in `tx`; see `Transaction::buffer`.
pub fn read(tx: &Http2Tx, local: usize, index: usize, dir: Dir) -> Option<View<'_>> {
    let which = *ORDER.get(local)?;
    let entry = TABLE.get(local)?;
    let side = &tx.sides[dir];
    if side.progress < entry.progress[dir]? || (index > 0 && !entry.multi) {
        return None;
    }
    let some = |data: &'static [u8]| Some(View::whole(data));
    match which {
        Which::Field(name) => last(side, name).map(View::whole),
        Which::Repeated(name, place) => joined(side, name, place, b", "),
        Which::Cookie => match dir {
            // RFC 9113 section 8.2.3: the crumbs of a cookie are one value again.
            Dir::ToServer => joined(side, "cookie", 10, b"; "),
            Dir::ToClient => joined(side, "set-cookie", 11, b", "),
        },
        Which::Host => host(side).map(View::whole),
        Which::HostRaw => raw_host(side).map(View::whole),
        Which::Protocol => some(b"HTTP/2"),
        Which::StatMsg => some(b""),
        Which::RequestLine => Some(View::whole(side.cache().line.get_or_init(|| request_line(side)))),
        Which::ResponseLine => Some(View::whole(
            side.cache()
                .line
                .get_or_init(|| [b"HTTP/2 ", last(side, ":status").unwrap_or(&[]), b"\r\n"].concat()),
        )),
        Which::Header => filled(side.cache().header.get_or_init(|| header_block(side))),
        Which::HeaderNames => filled(side.cache().header_names.get_or_init(|| names(side))),
        Which::Fields => nth(side.cache().fields.get_or_init(|| each_field(side, false)), index),
        Which::FieldDoubled => nth(side.cache().doubled.get_or_init(|| each_field(side, true)), index),
        Which::FieldName => side.good().nth(index).map(|f| View::whole(&f.name)),
        Which::Body => side.files.get(index)?.data(),
        Which::FileName => {
            // As HTTP/1 names it: the path without its query.
            side.files.first()?;
            let path = last(side, ":path")?;
            path.split(|b| *b == b'?').next().map(View::whole)
        }
    }
}

fn filled(data: &[u8]) -> Option<View<'_>> {
    (!data.is_empty()).then(|| View::whole(data))
}

/// The last value of a pseudo-header: interim responses have their own status before the final one.
fn last<'a>(side: &'a Side, name: &'static str) -> Option<&'a [u8]> {
    side.values(name.as_bytes()).last()
}

fn joined<'a>(side: &'a Side, name: &'static str, place: usize, between: &[u8]) -> Option<View<'a>> {
    let mut values = side.values(name.as_bytes());
    let first = values.next()?;
    if values.next().is_none() {
        return Some(View::whole(first));
    }
    let slot = side.cache().joined.get(place)?;
    Some(View::whole(slot.get_or_init(|| side.values(name.as_bytes()).collect::<Vec<_>>().join(between))))
}

pub fn raw_host(side: &Side) -> Option<&[u8]> {
    side.value(":authority").or_else(|| side.value("host"))
}

fn host(side: &Side) -> Option<&[u8]> {
    let raw = raw_host(side)?;
    Some(side.cache().host.get_or_init(|| {
        let start = memchr::memrchr(b'@', raw).map_or(0, |at| at.saturating_add(1));
        let host = raw.get(start..).unwrap_or(&[]);
        let port = match memchr::memchr(b']', host) {
            // An address in brackets: only what stands behind them may be a port.
            Some(end) => {
                memchr::memchr(b':', host.get(end..).unwrap_or(&[])).map(|at| end.saturating_add(at))
            }
            None => memchr::memchr(b':', host),
        };
        host.get(..port.unwrap_or(host.len())).unwrap_or(host).to_ascii_lowercase()
    }))
}

fn request_line(side: &Side) -> Vec<u8> {
    let part = |name| last(side, name).unwrap_or(&[]);
    [part(":method"), b" ", part(":path"), b" HTTP/2\r\n"].concat()
}

fn header_block(side: &Side) -> Vec<u8> {
    let mut out = Vec::new();
    for field in side.good() {
        out.extend_from_slice(&field.name);
        out.extend_from_slice(b": ");
        out.extend_from_slice(&field.value);
        out.extend_from_slice(b"\r\n");
    }
    out
}

fn names(side: &Side) -> Vec<u8> {
    let mut out = Vec::new();
    for field in side.good() {
        if out.is_empty() {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(&field.name);
        out.extend_from_slice(b"\r\n");
    }
    if !out.is_empty() {
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// "name: value" of every field one behind the other, and where each ends.
fn each_field(side: &Side, double: bool) -> (Vec<u8>, Vec<usize>) {
    let (mut text, mut ends) = (Vec::new(), Vec::new());
    let put = |text: &mut Vec<u8>, part: &[u8]| {
        if !double {
            return text.extend_from_slice(part);
        }
        for byte in part {
            text.push(*byte);
            if *byte == b':' {
                text.push(b':');
            }
        }
    };
    for Field { name, value, .. } in side.good() {
        put(&mut text, name);
        text.extend_from_slice(b": ");
        put(&mut text, value);
        ends.push(text.len());
    }
    (text, ends)
}

fn nth<'a>((text, ends): &'a (Vec<u8>, Vec<usize>), index: usize) -> Option<View<'a>> {
    let end = *ends.get(index)?;
    let start = match index.checked_sub(1) {
        Some(before) => *ends.get(before)?,
        None => 0,
    };
    text.get(start..end).map(View::whole)
}
