//! One request with its answer: what was parsed, and the forms of it that rules ask for. Does no parsing of streams.

use super::config::Config;
use super::decompress::Decoder;
use super::encoding;
use super::events::Event;
use super::headers::{Headers, Known};
use super::line::Version;
use super::multipart::{Multipart, Range as FileRange};
use super::uri::{self, Normalise, Parts};
use crate::app::body::{Body, BodyLimits};
use crate::app::digest::Storing;
use crate::app::file::{File, FileState};
use crate::app::TxMeta;
use crate::direction::Dir;
use std::cell::OnceCell;
use std::ops::Range;
use std::sync::Arc;

/// Progress steps of either direction.
pub mod progress {
    /// The first line stands.
    pub const LINE: u8 = 1;
    /// The header block stands.
    pub const HEADERS: u8 = 2;
    /// Body bytes come.
    pub const BODY: u8 = 3;
    /// The trailer of a chunked body comes.
    pub const TRAILER: u8 = 4;
    pub const COMPLETE: u8 = 5;
}

/// What rules and logs show as the URI of a request that was never seen.
pub const URI_NOT_SEEN: &[u8] = b"/libhtp::request_uri_not_seen";

/// Forms computed when first asked for.
#[derive(Default)]
pub struct Cache {
    pub header: OnceCell<Vec<u8>>,
    pub header_names: OnceCell<Vec<u8>>,
    pub start: OnceCell<Vec<u8>>,
    pub uri: OnceCell<Vec<u8>>,
    pub host: OnceCell<Vec<u8>>,
    /// "Name: value" of every field, and where each ends.
    pub fields: OnceCell<(Vec<u8>, Vec<usize>)>,
}

/// One direction of a transaction.
#[derive(Default)]
pub struct Message {
    /// The first line, without its line end.
    pub line: Vec<u8>,
    pub headers: Headers,
    pub body: Body,
    pub progress: u8,
    /// Bytes of the body as transferred.
    pub wire_len: u64,
    pub decoder: Option<Box<Decoder>>,
    pub multipart: Option<Box<Multipart>>,
    pub files: Vec<File>,
    /// Where each multipart file stands in the body; empty when the body is the one file.
    pub ranges: Vec<FileRange>,
    cache: OnceCell<Box<Cache>>,
}

impl Message {
    pub fn cache(&self) -> &Cache {
        self.cache.get_or_init(Box::default)
    }
    pub fn part(&self, range: &Range<usize>) -> &[u8] {
        self.line.get(range.clone()).unwrap_or(&[])
    }
    /// More of the body is of use: to inspection, or to a file that is stored.
    fn wants_more(&self) -> bool {
        !self.body.is_full() || self.files.first().is_some_and(|f| matches!(f.storing(), Storing::Yes(_)))
    }
    /// Forgets computed forms: the header block changed (100-continue, trailer).
    pub fn forget(&mut self) {
        self.cache = OnceCell::new();
    }
}

pub struct HttpTx {
    pub meta: TxMeta,
    pub config: Arc<Config>,
    pub request: Message,
    pub response: Message,
    pub method: Range<usize>,
    pub uri: Range<usize>,
    pub protocol: Range<usize>,
    pub request_version: Version,
    /// Ranges into the request URI.
    pub parts: Parts,
    pub response_protocol: Range<usize>,
    pub response_version: Version,
    pub status: Range<usize>,
    pub code: Option<u16>,
    pub message: Range<usize>,
    pub seen_continue: bool,
    /// No request was seen for this answer.
    pub unmatched: bool,
}

impl HttpTx {
    pub fn new(id: u64, config: Arc<Config>) -> Self {
        HttpTx {
            meta: TxMeta::new(id),
            config,
            request: Message::default(),
            response: Message::default(),
            method: 0..0,
            uri: 0..0,
            protocol: 0..0,
            request_version: Version::Unknown,
            parts: Parts::default(),
            response_protocol: 0..0,
            response_version: Version::Unknown,
            status: 0..0,
            code: None,
            message: 0..0,
            seen_continue: false,
            unmatched: false,
        }
    }

    pub fn event(&mut self, event: Event) {
        self.meta.set_event(event as u8);
    }
    pub fn side(&self, dir: Dir) -> &Message {
        match dir {
            Dir::ToServer => &self.request,
            Dir::ToClient => &self.response,
        }
    }
    pub fn side_mut(&mut self, dir: Dir) -> &mut Message {
        match dir {
            Dir::ToServer => &mut self.request,
            Dir::ToClient => &mut self.response,
        }
    }
    pub fn limits(&self, dir: Dir) -> &BodyLimits {
        match dir {
            Dir::ToServer => &self.config.request,
            Dir::ToClient => &self.config.response,
        }
    }

    pub fn method(&self) -> &[u8] {
        self.request.part(&self.method)
    }
    pub fn raw_uri(&self) -> &[u8] {
        if self.unmatched {
            URI_NOT_SEEN
        } else {
            self.request.part(&self.uri)
        }
    }
    pub fn normalised_uri(&self) -> &[u8] {
        self.request.cache().uri.get_or_init(|| {
            let how = Normalise {
                double_decode_path: self.config.double_decode_path,
                double_decode_query: self.config.double_decode_query,
                include_all: self.config.uri_include_all,
            };
            if self.method() == b"CONNECT" || self.unmatched {
                return self.raw_uri().to_vec();
            }
            uri::normalise(self.raw_uri(), &self.parts, how)
        })
    }
    /// The decoded path, as files are named after it.
    pub fn path(&self) -> Vec<u8> {
        if self.unmatched {
            return URI_NOT_SEEN.to_vec();
        }
        let path = self.raw_uri().get(self.parts.path.clone()).unwrap_or(&[]);
        uri::normalise_path(path, self.config.double_decode_path)
    }

    /// Host as sent (with a URI's host before the header's), port included for the header form.
    pub fn raw_host(&self) -> Option<&[u8]> {
        self.uri_host().or_else(|| self.request.headers.get(Known::Host))
    }
    fn uri_host(&self) -> Option<&[u8]> {
        let host = self.parts.host.clone()?;
        self.raw_uri().get(host)
    }
    /// Host in lower case, without port and final dots.
    pub fn host(&self) -> Option<&[u8]> {
        let raw = match self.uri_host() {
            Some(host) => host,
            None => {
                let header = self.request.headers.get(Known::Host)?;
                let (host, _) = uri::split_host(header, 0..header.len());
                header.get(host?)?
            }
        };
        let host = self.request.cache().host.get_or_init(|| {
            let mut host = raw.trim_ascii().to_ascii_lowercase();
            while host.last() == Some(&b'.') {
                host.pop();
            }
            host
        });
        (!host.is_empty()).then_some(host)
    }
    /// The port the request names, in its URI or Host header.
    pub fn port(&self) -> Option<u16> {
        let digits = match self.parts.port.clone() {
            Some(port) => self.raw_uri().get(port)?,
            None => {
                let header = self.request.headers.get(Known::Host)?;
                let (_, port) = uri::split_host(header, 0..header.len());
                header.get(port?)?
            }
        };
        std::str::from_utf8(digits.trim_ascii()).ok()?.parse().ok()
    }

    /// The head of a message stands: makes ready to undo the codings of its body. `places` counts the large windows of
    /// decompression of the flow.
    pub fn decode_body(&mut self, dir: Dir, layers: usize, places: &Arc<()>) {
        let Some(value) = self.side(dir).headers.get(Known::ContentEncoding) else { return };
        let plan = encoding::plan(value, layers, self.config.lzma);
        if plan.too_many {
            self.event(Event::TooManyEncodingLayers);
        }
        if plan.abnormal {
            self.event(Event::AbnormalContentEncoding);
        }
        if !plan.layers.is_empty() {
            let decoder = Decoder::new(&plan.layers, self.config.bomb_limit, places);
            self.side_mut(dir).decoder = Some(Box::new(decoder));
        }
    }

    /// Takes decoded body bytes of a direction, decompressing on the way.
    pub fn body_data(&mut self, dir: Dir, data: &[u8]) {
        let side = self.side_mut(dir);
        side.wire_len = side.wire_len.saturating_add(data.len() as u64);
        side.progress = side.progress.max(progress::BODY);
        let Some(mut decoder) = side.decoder.take() else {
            self.plain_data(dir, data);
            return;
        };
        let trouble = decoder.push(data, &mut |bytes| {
            self.plain_data(dir, bytes);
            self.side(dir).wants_more()
        });
        self.decoder_events(trouble);
        self.side_mut(dir).decoder = Some(decoder);
    }

    fn decoder_events(&mut self, trouble: super::decompress::Trouble) {
        if trouble.failed {
            self.event(Event::GzipDecompressionFailed);
        }
        if trouble.bomb {
            self.event(Event::CompressionBomb);
        }
    }

    fn plain_data(&mut self, dir: Dir, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        if self.side(dir).body.is_empty() {
            self.open_file(dir);
        }
        let limits = *self.limits(dir);
        let side = self.side_mut(dir);
        let taken = side.body.append(data, &limits);
        let kept = data.get(..taken).unwrap_or(&[]);
        let mut raised: u128 = 0;
        if let Some(multipart) = &mut side.multipart {
            multipart.push(kept, &mut side.files, &mut side.ranges, &mut |event| {
                raised |= 1u128 << event as u8;
            });
        } else if let Some(file) = side.files.first_mut() {
            // What is stored goes on past the limit of inspection.
            if taken == data.len() || matches!(file.storing(), Storing::Yes(_)) {
                file.observe(data);
            } else {
                file.observe(kept);
                file.close(FileState::Truncated);
            }
        }
        self.meta.events |= raised;
    }

    /// A body begins: the file it is.
    fn open_file(&mut self, dir: Dir) {
        let name = match dir {
            Dir::ToServer => {
                let method = self.method();
                if method == b"POST" {
                    let boundary =
                        self.request.headers.get(Known::ContentType).and_then(super::multipart::boundary);
                    if let Some(boundary) = boundary {
                        self.request.multipart = Some(Box::new(Multipart::new(boundary)));
                        return;
                    }
                } else if method != b"PUT" {
                    return;
                }
                self.path()
            }
            Dir::ToClient => {
                let headers = &self.response.headers;
                match headers
                    .get(Known::ContentDisposition)
                    .and_then(|value| super::multipart::parameter(value, b"filename"))
                    .filter(|name| !name.is_empty())
                {
                    Some(name) => name.to_vec(),
                    None => self.path(),
                }
            }
        };
        let mut name = name;
        if name.len() > super::multipart::NAME_MAX {
            name.truncate(super::multipart::NAME_MAX);
            self.event(Event::FileNameTooLong);
        }
        let range = self.content_range(dir);
        let mut file = File::named(name);
        if let Some((start, end, total)) = range {
            file.range = Some((start, end));
            // A range counts the bytes as they are coded: of coded ones nothing can be put together.
            let coded = self.response.headers.get(Known::ContentEncoding).is_some();
            if let Some(total) = total.filter(|_| !coded) {
                let whole = [self.host().unwrap_or(&[]), &self.path()].concat();
                file = file.piece_of(whole, start, end, total);
            }
        }
        let files = &mut self.side_mut(dir).files;
        files.reserve_exact(usize::from(files.is_empty())); // mostly the only one
        files.push(file);
    }

    fn content_range(&mut self, dir: Dir) -> Option<(u64, u64, Option<u64>)> {
        if dir == Dir::ToServer {
            return None;
        }
        let value = self.response.headers.get(Known::ContentRange)?;
        let parsed = parse_range(value);
        match parsed {
            Some((start, end, total)) if start <= end => Some((start, end, total)),
            _ => {
                self.event(Event::RangeInvalid);
                None
            }
        }
    }

    /// A stretch of the body is lost.
    pub fn body_gap(&mut self, dir: Dir, len: u64) {
        let limits = *self.limits(dir);
        if self.side(dir).body.is_empty() {
            self.open_file(dir);
        }
        let side = self.side_mut(dir);
        side.wire_len = side.wire_len.saturating_add(len);
        side.progress = side.progress.max(progress::BODY);
        // Nothing behind a gap can be decompressed.
        side.decoder = None;
        side.body.gap(len, &limits);
        for file in &mut side.files {
            if file.state == FileState::Open {
                file.gaps = true;
                file.piece = None;
            }
        }
        if side.multipart.is_none() {
            let total = side.body.total();
            if let Some(file) = side.files.first_mut() {
                file.size = total;
            }
        }
    }

    /// The message is over; `whole`: all of its body came.
    pub fn finish(&mut self, dir: Dir, whole: bool) {
        if self.side(dir).progress >= progress::COMPLETE {
            return;
        }
        if let Some(mut decoder) = self.side_mut(dir).decoder.take() {
            let trouble = decoder.finish(&mut |bytes| {
                self.plain_data(dir, bytes);
                self.side(dir).wants_more()
            });
            self.decoder_events(trouble);
        }
        let side = self.side_mut(dir);
        let mut raised: u128 = 0;
        if let Some(mut multipart) = side.multipart.take() {
            multipart.finish(&mut side.files, &mut side.ranges, &mut |event| {
                raised |= 1u128 << event as u8;
            });
        }
        for file in &mut side.files {
            file.close(if whole && !file.gaps { FileState::Closed } else { FileState::Truncated });
        }
        side.body.finish();
        side.progress = progress::COMPLETE;
        self.meta.events |= raised;
    }
}

/// "bytes 0-67/68" as (start, end, size).
pub fn parse_range(value: &[u8]) -> Option<(u64, u64, Option<u64>)> {
    let text = std::str::from_utf8(value).ok()?.trim();
    let rest = text
        .get(..5)
        .filter(|unit| unit.eq_ignore_ascii_case("bytes"))
        .and_then(|_| text.get(5..))?
        .trim_start_matches([' ', '\t', '=']);
    let (range, size) = rest.split_once('/')?;
    let (start, end) = range.split_once('-')?;
    Some((start.trim().parse().ok()?, end.trim().parse().ok()?, size.trim().parse().ok()))
}
