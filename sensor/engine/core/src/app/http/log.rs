//! EVE's `http` object of HTTP/1 and what the output's options add to it (Suricata manual, "Eve JSON Output", HTTP).

use super::headers::Known;
use super::tx::{parse_range, HttpTx, Message};
use crate::direction::Dir;
use crate::json::JsonWriter;
use crate::setting::{lists, switch};
use serde_json::Value;

/// Headers that `custom` may name; the marked ones are a request's, the others an answer's. The key in the record is the name
/// with `_` for `-`.
const CUSTOM: &[(&str, Dir)] = &[
    ("accept", Dir::ToServer),
    ("accept-charset", Dir::ToServer),
    ("accept-encoding", Dir::ToServer),
    ("accept-language", Dir::ToServer),
    ("accept-datetime", Dir::ToServer),
    ("authorization", Dir::ToServer),
    ("cache-control", Dir::ToServer),
    ("cookie", Dir::ToServer),
    ("from", Dir::ToServer),
    ("max-forwards", Dir::ToServer),
    ("origin", Dir::ToServer),
    ("pragma", Dir::ToServer),
    ("proxy-authorization", Dir::ToServer),
    ("range", Dir::ToServer),
    ("te", Dir::ToServer),
    ("via", Dir::ToServer),
    ("x-requested-with", Dir::ToServer),
    ("dnt", Dir::ToServer),
    ("x-forwarded-proto", Dir::ToServer),
    ("x-authenticated-user", Dir::ToServer),
    ("x-flash-version", Dir::ToServer),
    ("true-client-ip", Dir::ToServer),
    ("org-src-ip", Dir::ToServer),
    ("x-bluecoat-via", Dir::ToServer),
    ("referer", Dir::ToServer),
    ("accept-range", Dir::ToClient),
    ("age", Dir::ToClient),
    ("allow", Dir::ToClient),
    ("connection", Dir::ToClient),
    ("content-encoding", Dir::ToClient),
    ("content-language", Dir::ToClient),
    ("content-length", Dir::ToClient),
    ("content-location", Dir::ToClient),
    ("content-md5", Dir::ToClient),
    ("content-type", Dir::ToClient),
    ("date", Dir::ToClient),
    ("etag", Dir::ToClient),
    ("expires", Dir::ToClient),
    ("last-modified", Dir::ToClient),
    ("link", Dir::ToClient),
    ("location", Dir::ToClient),
    ("proxy-authenticate", Dir::ToClient),
    ("refresh", Dir::ToClient),
    ("retry-after", Dir::ToClient),
    ("server", Dir::ToClient),
    ("set-cookie", Dir::ToClient),
    ("trailer", Dir::ToClient),
    ("transfer-encoding", Dir::ToClient),
    ("upgrade", Dir::ToClient),
    ("vary", Dir::ToClient),
    ("warning", Dir::ToClient),
    ("www-authenticate", Dir::ToClient),
];

/// Header fields that `dump-all-headers` writes of one message; more than this is no log any more.
const DUMPED_MAX: usize = 256;

/// Writes the members of the record: `options` is what the configuration says of its type, null where it says nothing.
pub fn record(tx: &HttpTx, out: &mut JsonWriter, options: &Value) {
    basic(tx, out);
    if !options["custom"].is_null() {
        custom(tx, out, &options["custom"]);
    }
    if options.is_null() || switch(&options["extended"]) == Some(true) {
        extended(tx, out);
    }
    let dump = options["dump-all-headers"].as_str().unwrap_or("none");
    for (word, key, side) in
        [("request", "request_headers", &tx.request), ("response", "response_headers", &tx.response)]
    {
        if dump == "both" || dump == word {
            headers(side, key, out);
        }
    }
}

/// What every record and alert has.
pub fn basic(tx: &HttpTx, out: &mut JsonWriter) {
    if let Some(host) = tx.host() {
        out.bytes("hostname", host);
    }
    if let Some(port) = tx.port() {
        out.uint("http_port", u64::from(port));
    }
    if !tx.raw_uri().is_empty() {
        out.bytes("url", tx.raw_uri());
    }
    let request = &tx.request.headers;
    let response = &tx.response.headers;
    if let Some(agent) = request.get(Known::UserAgent).filter(|value| !value.is_empty()) {
        out.bytes("http_user_agent", agent);
    }
    if let Some(kind) = response.get(Known::ContentType).filter(|value| !value.is_empty()) {
        let end = memchr::memchr(b';', kind).unwrap_or(kind.len());
        out.bytes("http_content_type", kind.get(..end).unwrap_or(kind));
    }
    if let Some(raw) = response.get(Known::ContentRange) {
        out.open_object("content_range");
        out.bytes("raw", raw);
        if let Some((start, end, size)) = parse_range(raw) {
            out.uint("start", start);
            out.uint("end", end);
            if let Some(size) = size {
                out.uint("size", size);
            }
        }
        out.close();
    }
}

/// What `extended` adds.
pub fn extended(tx: &HttpTx, out: &mut JsonWriter) {
    let request = &tx.request.headers;
    if let Some(referer) = request.get(Known::Referer).filter(|value| !value.is_empty()) {
        out.bytes("http_refer", referer);
    }
    if !tx.method().is_empty() {
        out.bytes("http_method", tx.method());
    }
    let protocol = tx.request.part(&tx.protocol);
    if !protocol.is_empty() {
        out.bytes("protocol", protocol);
    }
    match tx.code {
        Some(code) => out.uint("status", u64::from(code)),
        None => {
            let status = tx.response.part(&tx.status);
            if !status.is_empty() {
                out.bytes("status_string", status);
            }
        }
    }
    if tx.code.is_some_and(|code| (300..400).contains(&code)) {
        if let Some(location) = tx.response.headers.get(Known::Location) {
            out.bytes("redirect", location);
        }
    }
    out.uint("length", tx.response.wire_len);
}

/// What of the bodies stands, as `http-body` and `http-body-printable` of alerts ask for it.
pub fn bodies(tx: &HttpTx, out: &mut JsonWriter, options: &Value) {
    let on = |name: &str| switch(&options[name]) == Some(true);
    let (printable, base64) = (on("http-body-printable"), on("http-body"));
    for (dir, as_text, as_base64) in [
        (Dir::ToServer, "http_request_body_printable", "http_request_body"),
        (Dir::ToClient, "http_response_body_printable", "http_response_body"),
    ] {
        let Some(view) = tx.side(dir).body.view(tx.limits(dir), true).filter(|_| printable || base64) else {
            continue;
        };
        if printable {
            out.printable(as_text, view.data);
        }
        if base64 {
            out.base64(as_base64, view.data);
        }
    }
}

fn custom(tx: &HttpTx, out: &mut JsonWriter, wanted: &Value) {
    for (name, dir) in CUSTOM {
        let key = name.replace('-', "_");
        if !(lists(wanted, name) || lists(wanted, &key)) {
            continue;
        }
        if let Some(value) = tx.side(*dir).headers.find(name) {
            out.bytes(&key, value);
        }
    }
}

fn headers(side: &Message, key: &str, out: &mut JsonWriter) {
    out.open_array(key);
    for (_, name, value) in side.headers.iter().take(DUMPED_MAX) {
        out.open();
        out.bytes("name", name);
        out.bytes("value", value);
        out.close();
    }
    out.close_array();
}
