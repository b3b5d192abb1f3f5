//! The sticky buffers of HTTP: their table, and how each is read from a transaction. A buffer is one word here and one line below.

use super::headers::Known;
use super::tx::{progress, HttpTx, Message};
use crate::app::{Buffer, View};
use crate::direction::{Dir, PerDir};

const fn both(at: u8) -> PerDir<Option<u8>> {
    PerDir::new(Some(at), Some(at))
}
const fn request(at: u8) -> PerDir<Option<u8>> {
    PerDir::new(Some(at), None)
}
const fn response(at: u8) -> PerDir<Option<u8>> {
    PerDir::new(None, Some(at))
}

macro_rules! buffers {
    ($($variant:ident, $name:literal, [$($alias:literal),*], $modifier:expr, $progress:expr, $multi:expr, $streaming:expr, $doc:literal;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Which { $($variant,)* }
        const ORDER: &[Which] = &[$(Which::$variant,)*];
        pub static TABLE: &[Buffer] = &[$(Buffer {
            name: $name,
            aliases: &[$($alias),*],
            modifier: $modifier,
            progress: $progress,
            multi: $multi,
            streaming: $streaming,
            doc: $doc,
        },)*];
    };
}

use progress::{BODY, HEADERS, LINE};

buffers! {
    Uri, "http.uri", ["http_uri"], Some("http_uri"), request(LINE), false, false, "The request URI, percent-decoded and with its path normalised.";
    UriRaw, "http.uri.raw", ["http_raw_uri"], Some("http_raw_uri"), request(LINE), false, false, "The request URI as sent.";
    Method, "http.method", ["http_method"], Some("http_method"), request(LINE), false, false, "The request method.";
    Protocol, "http.protocol", ["http_protocol"], None, both(LINE), false, false, "The protocol of the request line or of the status line.";
    RequestLine, "http.request_line", ["http_request_line"], None, request(LINE), false, false, "The whole request line, without its line end.";
    ResponseLine, "http.response_line", ["http_response_line"], None, response(LINE), false, false, "The whole status line, without its line end.";
    Header, "http.header", ["http_header"], Some("http_header"), both(HEADERS), false, false, "All headers but cookies, as \"Name: value\" lines.";
    HeaderRaw, "http.header.raw", ["http_raw_header"], Some("http_raw_header"), both(HEADERS), false, false, "The header block as sent.";
    HeaderNames, "http.header_names", ["http_header_names"], None, both(HEADERS), false, false, "The names of the headers, a line each, with an empty line before and after.";
    Cookie, "http.cookie", ["http_cookie"], Some("http_cookie"), both(HEADERS), false, false, "The Cookie or Set-Cookie value.";
    UserAgent, "http.user_agent", ["http_user_agent"], Some("http_user_agent"), request(HEADERS), false, false, "The User-Agent value.";
    Host, "http.host", ["http_host"], Some("http_host"), request(HEADERS), false, false, "The host in lower case, without port.";
    HostRaw, "http.host.raw", ["http_raw_host"], Some("http_raw_host"), request(HEADERS), false, false, "The Host value as sent.";
    Accept, "http.accept", ["http_accept"], None, request(HEADERS), false, false, "The Accept value.";
    AcceptEncoding, "http.accept_enc", ["http_accept_enc"], None, request(HEADERS), false, false, "The Accept-Encoding value.";
    AcceptLanguage, "http.accept_lang", ["http_accept_lang"], None, request(HEADERS), false, false, "The Accept-Language value.";
    Connection, "http.connection", ["http_connection"], None, request(HEADERS), false, false, "The Connection value.";
    ContentType, "http.content_type", ["http_content_type"], None, both(HEADERS), false, false, "The Content-Type value.";
    ContentLength, "http.content_len", ["http_content_len"], None, both(HEADERS), false, false, "The Content-Length value.";
    Referer, "http.referer", ["http_referer"], None, request(HEADERS), false, false, "The Referer value.";
    Start, "http.start", ["http_start"], None, both(HEADERS), false, false, "The first line and the headers.";
    StatCode, "http.stat_code", ["http_stat_code"], Some("http_stat_code"), response(LINE), false, false, "The status code.";
    StatMsg, "http.stat_msg", ["http_stat_msg"], Some("http_stat_msg"), response(LINE), false, false, "The reason phrase.";
    Location, "http.location", ["http_location"], None, response(HEADERS), false, false, "The Location value.";
    Server, "http.server", ["http_server"], None, response(HEADERS), false, false, "The Server value.";
    RequestHeader, "http.request_header", ["http_request_header"], None, request(HEADERS), true, false, "Each request header as \"Name: value\".";
    ResponseHeader, "http.response_header", ["http_response_header"], None, response(HEADERS), true, false, "Each response header as \"Name: value\".";
    RequestBody, "http.request_body", ["http_client_body"], Some("http_client_body"), request(BODY), false, true, "The request body.";
    ResponseBody, "http.response_body", ["http_server_body"], Some("http_server_body"), response(BODY), false, true, "The response body, decompressed.";
    FileData, "file.data", ["file_data"], None, both(BODY), true, true, "The content of the files carried: response bodies and uploads.";
    FileName, "file.name", [], None, both(BODY), true, false, "The name of each file carried.";
}

/// The form of `local` in `tx`; see `Transaction::buffer`.
pub fn read(tx: &HttpTx, local: usize, index: usize, dir: Dir) -> Option<View<'_>> {
    let which = *ORDER.get(local)?;
    let wanted = TABLE.get(local)?.progress[dir]?;
    let side = tx.side(dir);
    if side.progress < wanted || (index > 0 && !TABLE.get(local)?.multi) {
        return None;
    }
    let header = |known| side.headers.get(known).map(View::whole);
    let present = |data: &'_ [u8]| !data.is_empty();
    match which {
        Which::Uri => some(tx.normalised_uri()).filter(|_| !tx.unmatched),
        Which::UriRaw => some(tx.raw_uri()).filter(|_| !tx.unmatched),
        Which::Method => some(tx.method()),
        Which::Protocol => some(match dir {
            Dir::ToServer => side.part(&tx.protocol),
            Dir::ToClient => side.part(&tx.response_protocol),
        }),
        Which::RequestLine | Which::ResponseLine => some(&side.line),
        Which::Header => some(side.cache().header.get_or_init(|| header_block(side))),
        Which::HeaderRaw => some(&side.headers.raw),
        Which::HeaderNames => some(side.cache().header_names.get_or_init(|| names(side))),
        Which::Cookie => header(match dir {
            Dir::ToServer => Known::Cookie,
            Dir::ToClient => Known::SetCookie,
        }),
        Which::UserAgent => header(Known::UserAgent),
        Which::Host => tx.host().map(View::whole),
        Which::HostRaw => tx.raw_host().filter(|h| present(h)).map(View::whole),
        Which::Accept => header(Known::Accept),
        Which::AcceptEncoding => header(Known::AcceptEncoding),
        Which::AcceptLanguage => header(Known::AcceptLanguage),
        Which::Connection => header(Known::Connection),
        Which::ContentType => header(Known::ContentType),
        Which::ContentLength => header(Known::ContentLength),
        Which::Referer => header(Known::Referer),
        Which::Start => some(side.cache().start.get_or_init(|| start(side))),
        Which::StatCode => some(side.part(&tx.status)),
        Which::StatMsg => some(side.part(&tx.message)),
        Which::Location => header(Known::Location),
        Which::Server => header(Known::Server),
        Which::RequestHeader | Which::ResponseHeader => one_field(side, index).map(View::whole),
        Which::RequestBody | Which::ResponseBody => side.body.view(tx.limits(dir), tx.config.body_inline),
        Which::FileData => file_data(tx, side, index, dir),
        Which::FileName => {
            let name = &side.files.get(index)?.name;
            some(name)
        }
    }
}

/// A whole buffer, absent when empty.
fn some(data: &[u8]) -> Option<View<'_>> {
    (!data.is_empty()).then(|| View::whole(data))
}

fn file_data<'a>(tx: &'a HttpTx, side: &'a Message, index: usize, dir: Dir) -> Option<View<'a>> {
    let view = side.body.view(tx.limits(dir), tx.config.body_inline)?;
    if side.ranges.is_empty() {
        // The whole body is the file; an upload that is no file has none.
        let is_file = dir == Dir::ToClient || !side.files.is_empty();
        return (index == 0 && is_file).then_some(view);
    }
    let range = side.ranges.get(index)?;
    let closed = side.files.get(index)?.state != crate::app::file::FileState::Open;
    let (data, from) = side.body.part(range.start, range.end);
    (!data.is_empty()).then(|| View {
        data,
        offset: from.saturating_sub(range.start),
        complete: closed || view.complete,
    })
}

fn header_block(side: &Message) -> Vec<u8> {
    let mut out = Vec::with_capacity(side.headers.raw.len());
    for (known, name, value) in side.headers.iter() {
        if !matches!(known, Known::Cookie | Known::SetCookie) {
            field_line(name, value, &mut out);
        }
    }
    out
}

fn field_line(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn names(side: &Message) -> Vec<u8> {
    if side.headers.is_empty() {
        return Vec::new();
    }
    let mut out = b"\r\n".to_vec();
    for (_, name, _) in side.headers.iter() {
        out.extend_from_slice(name);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out
}

fn start(side: &Message) -> Vec<u8> {
    let mut out = Vec::with_capacity(side.line.len().saturating_add(side.headers.raw.len()));
    out.extend_from_slice(&side.line);
    out.extend_from_slice(b"\r\n");
    for (_, name, value) in side.headers.iter() {
        field_line(name, value, &mut out);
    }
    out.extend_from_slice(b"\r\n");
    out
}

fn one_field(side: &Message, index: usize) -> Option<&[u8]> {
    let (text, ends) = side.cache().fields.get_or_init(|| {
        let mut text = Vec::with_capacity(side.headers.raw.len());
        let mut ends = Vec::with_capacity(side.headers.len());
        for (_, name, value) in side.headers.iter() {
            text.extend_from_slice(name);
            text.extend_from_slice(b": ");
            text.extend_from_slice(value);
            ends.push(text.len());
        }
        (text, ends)
    });
    let end = *ends.get(index)?;
    let start = match index.checked_sub(1) {
        Some(before) => *ends.get(before)?,
        None => 0,
    };
    text.get(start..end)
}
