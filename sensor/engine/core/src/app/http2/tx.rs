//! An HTTP/2 transaction: a stream with both its sides, or one frame that is about the whole connection (stream 0).

use super::frame::kind;
use super::hpack::{Field, Status};
use super::Event;
use crate::app::dns::{self, DnsTx};
use crate::app::file::{File, FileState};
use crate::app::http::decompress::{Decoder, Trouble};
use crate::app::TxMeta;
use crate::direction::{Dir, PerDir};
use std::cell::OnceCell;
use std::sync::Arc;

/// Progress steps of either direction.
pub mod progress {
    /// The header block stands.
    pub const HEADERS: u8 = 1;
    /// Body bytes come.
    pub const BODY: u8 = 2;
    /// The direction has ended.
    pub const ENDED: u8 = 3;
    /// The whole stream has: a direction that ended may still carry frames about the stream until then.
    pub const COMPLETE: u8 = 4;
}

/// Settings, weights, window updates and errors kept of a transaction and direction, each. More are counted, not kept.
const VALUES_MAX: usize = 256;
/// Frames of one transaction and direction after which the event is raised; Suricata's limit.
const FRAMES_MAX: u32 = 65_536;
/// Header fields and bytes kept of one direction, blocks after the first (trailers) included.
const FIELDS_MAX: usize = 4096;
const FIELD_BYTES_MAX: usize = 1 << 20;
/// Longest DNS message (RFC 8484 section 6).
const DNS_MAX: usize = 65_535;

/// Forms computed when first asked for.
#[derive(Default)]
pub struct Cache {
    pub header: OnceCell<Vec<u8>>,
    pub header_names: OnceCell<Vec<u8>>,
    pub line: OnceCell<Vec<u8>>,
    pub host: OnceCell<Vec<u8>>,
    /// Values of fields that came several times, put together: (name, value).
    pub joined: [OnceCell<Vec<u8>>; super::buffers::JOINED],
    /// "Name: value" of every field with where each ends, as it is and with its colons doubled.
    pub fields: OnceCell<(Vec<u8>, Vec<usize>)>,
    pub doubled: OnceCell<(Vec<u8>, Vec<usize>)>,
}

/// One direction of a transaction.
#[derive(Default)]
pub struct Side {
    pub fields: Vec<Field>,
    field_bytes: usize,
    pub progress: u8,
    frames: u32,
    /// Kinds of frames seen, bit = kind; `other_kinds` for those beyond 63.
    pub kinds: u64,
    pub settings: Vec<(u16, u32)>,
    /// Of GOAWAY and RST_STREAM.
    pub errors: Vec<u32>,
    pub priorities: Vec<u8>,
    pub windows: Vec<u32>,
    /// The body, none or one.
    pub files: Vec<File>,
    decoder: Option<Box<Decoder>>,
    /// The DNS message in it (DNS over HTTPS), while it comes and when it stands.
    dns_bytes: Option<Vec<u8>>,
    pub dns: Option<Box<DnsTx>>,
    cache: OnceCell<Box<Cache>>,
}

impl Side {
    pub fn cache(&self) -> &Cache {
        self.cache.get_or_init(Box::default)
    }
    /// Values of the fields of this very name. HTTP/2's names are in lower case (RFC 9113 section 8.2.1); a request that came over
    /// from HTTP/1 keeps its own.
    pub fn values<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + 'a {
        self.good().filter(move |f| f.name == name).map(|f| f.value.as_slice())
    }
    /// The first value of a name in any case.
    pub fn value(&self, name: &str) -> Option<&[u8]> {
        self.good().find(|f| f.name.eq_ignore_ascii_case(name.as_bytes())).map(|f| f.value.as_slice())
    }
    /// Fields that could be decoded.
    pub fn good(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|f| f.status == Status::Good)
    }
}

pub struct Http2Tx {
    pub meta: TxMeta,
    /// 0: about the whole connection.
    pub stream: u32,
    pub sides: PerDir<Side>,
}

impl Http2Tx {
    pub fn new(id: u64, stream: u32) -> Http2Tx {
        let mut tx = Http2Tx { meta: TxMeta::new(id), stream, sides: PerDir::default() };
        if stream == 0 {
            tx.complete(FileState::Truncated);
        }
        tx
    }

    pub fn event(&mut self, event: Event) {
        self.meta.set_event(event as u8);
    }

    /// Counts a frame of `kind`.
    pub fn saw(&mut self, dir: Dir, kind: u8) {
        let side = &mut self.sides[dir];
        side.kinds |= 1u64.wrapping_shl(u32::from(kind.min(63)));
        side.frames = side.frames.saturating_add(1);
        if side.frames == FRAMES_MAX {
            self.event(Event::TooManyFrames);
        }
    }

    pub fn add_settings(&mut self, dir: Dir, settings: impl Iterator<Item = (u16, u32)>) {
        let room = VALUES_MAX.saturating_sub(self.sides[dir].settings.len());
        self.sides[dir].settings.extend(settings.take(room));
    }
    pub fn add_error(&mut self, dir: Dir, code: u32) {
        keep(&mut self.sides[dir].errors, code);
    }
    pub fn add_priority(&mut self, dir: Dir, weight: u8) {
        keep(&mut self.sides[dir].priorities, weight);
    }
    pub fn add_window(&mut self, dir: Dir, increment: u32) {
        keep(&mut self.sides[dir].windows, increment);
    }

    /// A header block of `dir` stands. `places` counts the large windows of decompression of the connection.
    pub fn add_fields(&mut self, dir: Dir, fields: Vec<Field>, places: &Arc<()>) {
        let side = &mut self.sides[dir];
        for field in fields {
            let bytes = field.name.len().saturating_add(field.value.len());
            side.field_bytes = side.field_bytes.saturating_add(bytes);
            if side.field_bytes > FIELD_BYTES_MAX || side.fields.len() >= FIELDS_MAX {
                break;
            }
            side.fields.push(field);
        }
        side.cache = OnceCell::new();
        side.progress = side.progress.max(progress::HEADERS);
        if side.files.is_empty() && side.decoder.is_none() {
            let coding = side.value("content-encoding").unwrap_or(&[]);
            side.decoder = Decoder::for_value(coding, places).map(Box::new);
        }
        if dir == Dir::ToServer {
            self.check_authority();
        }
        self.begin_dns(dir);
    }

    fn check_authority(&mut self) {
        let side = &self.sides.to_server;
        let authority = side.value(":authority");
        let userinfo = authority.is_some_and(|a| memchr::memchr(b'@', a).is_some());
        let mismatch = match (authority, side.value("host")) {
            (Some(authority), Some(host)) => !authority.eq_ignore_ascii_case(host),
            _ => false,
        };
        if userinfo {
            self.event(Event::UserinfoInUri);
        }
        if mismatch {
            self.event(Event::AuthorityHostMismatch);
        }
    }

    /// Bytes of the body of `dir`.
    pub fn body(&mut self, dir: Dir, data: &[u8]) {
        let side = &mut self.sides[dir];
        if side.progress >= progress::ENDED || data.is_empty() {
            return;
        }
        side.progress = side.progress.max(progress::BODY);
        self.open_file(dir);
        let side = &mut self.sides[dir];
        let Some(mut decoder) = side.decoder.take() else {
            self.plain(dir, data);
            return;
        };
        let trouble = decoder.push(data, &mut |bytes| {
            self.plain(dir, bytes);
            true
        });
        self.trouble(trouble);
        self.sides[dir].decoder = Some(decoder);
    }

    /// What tells a file that comes in pieces from others: its host and path. A range counts the bytes as they are coded, so of
    /// coded ones nothing can be put together.
    fn whole_name(&self) -> Option<Vec<u8>> {
        if self.sides.to_client.value("content-encoding").is_some() {
            return None;
        }
        let request = &self.sides.to_server;
        let path = request.value(":path")?.split(|b| *b == b'?').next()?;
        Some([super::buffers::raw_host(request).unwrap_or(&[]), path].concat())
    }

    fn open_file(&mut self, dir: Dir) {
        let range = match dir {
            Dir::ToServer => None,
            Dir::ToClient => self.sides.to_client.value("content-range").map(crate::app::http::content_range),
        };
        if !self.sides[dir].files.is_empty() {
            return;
        }
        let whole = if range.is_some() { self.whole_name() } else { None };
        let side = &mut self.sides[dir];
        let mut file = File::open(b"");
        let mut invalid = false;
        match range {
            Some(Some((start, end, total))) if start <= end => {
                file.range = Some((start, end));
                if let Some((whole, total)) = whole.zip(total) {
                    file = file.piece_of(whole, start, end, total);
                }
            }
            Some(_) => invalid = true,
            None => {}
        }
        side.files.push(file);
        if invalid {
            self.event(Event::InvalidRange);
        }
    }

    fn trouble(&mut self, trouble: Trouble) {
        if trouble.failed {
            self.event(Event::FailedDecompression);
        }
        if trouble.bomb {
            self.event(Event::CompressionBomb);
        }
    }

    fn plain(&mut self, dir: Dir, data: &[u8]) {
        let side = &mut self.sides[dir];
        if let Some(file) = side.files.first_mut() {
            file.append(data);
        }
        let mut long = false;
        if let Some(dns) = &mut side.dns_bytes {
            long = dns.len().saturating_add(data.len()) > DNS_MAX;
            if !long {
                dns.extend_from_slice(data);
            }
        }
        if long {
            side.dns_bytes = None;
            self.event(match dir {
                Dir::ToServer => Event::DnsRequestTooLong,
                Dir::ToClient => Event::DnsResponseTooLong,
            });
        }
    }

    /// `len` bytes of the body are lost.
    pub fn body_gap(&mut self, dir: Dir, len: u64) {
        self.open_file(dir);
        let side = &mut self.sides[dir];
        side.decoder = None;
        side.dns_bytes = None;
        if let Some(file) = side.files.first_mut() {
            file.gap(len);
        }
    }

    /// The direction has ended, as `state` says of its file.
    pub fn end(&mut self, dir: Dir, state: FileState) {
        if self.sides[dir].progress >= progress::ENDED {
            return;
        }
        if let Some(mut decoder) = self.sides[dir].decoder.take() {
            let trouble = decoder.finish(&mut |bytes| {
                self.plain(dir, bytes);
                true
            });
            self.trouble(trouble);
        }
        let side = &mut self.sides[dir];
        for file in &mut side.files {
            let state = if file.gaps { FileState::Truncated } else { state };
            file.close(state);
        }
        if let Some(bytes) = side.dns_bytes.take() {
            side.dns = dns::message_of(self.meta.id, dir, &bytes).map(Box::new);
        }
        side.progress = progress::ENDED;
        if Dir::BOTH.iter().all(|d| self.sides[*d].progress >= progress::ENDED) {
            self.complete(state);
        }
    }

    /// The stream is over.
    pub fn complete(&mut self, state: FileState) {
        for dir in Dir::BOTH {
            if self.sides[dir].progress < progress::ENDED {
                self.end(dir, state);
            }
            self.sides[dir].progress = progress::COMPLETE;
        }
    }
    pub fn is_complete(&self) -> bool {
        self.sides.to_server.progress >= progress::COMPLETE
    }

    /// Whether there is anything to say in a record.
    pub fn is_loggable(&self) -> bool {
        Dir::BOTH.iter().any(|d| {
            let side = &self.sides[*d];
            !(side.fields.is_empty()
                && side.settings.is_empty()
                && side.errors.is_empty()
                && side.priorities.is_empty())
        })
    }

    /// DNS over HTTPS (RFC 8484): the message is the body, or in the query of a GET.
    fn begin_dns(&mut self, dir: Dir) {
        const MEDIA_TYPE: &[u8] = b"application/dns-message";
        let side = &mut self.sides[dir];
        let is = |name: &str| side.value(name).is_some_and(|v| v.eq_ignore_ascii_case(MEDIA_TYPE));
        if is("content-type") {
            side.dns_bytes.get_or_insert_with(Vec::new);
        } else if dir == Dir::ToServer && is("accept") {
            let query = side.value(":path").and_then(|path| {
                let at = memchr::memchr(b'?', path)?;
                path.get(at.saturating_add(1)..)?
                    .split(|b| *b == b'&')
                    .find_map(|pair| pair.strip_prefix(b"dns="))
            });
            let message = query.and_then(super::base64url).filter(|bytes| bytes.len() <= DNS_MAX);
            side.dns = message.and_then(|bytes| dns::message_of(self.meta.id, dir, &bytes)).map(Box::new);
        }
    }
    pub fn is_doh(&self) -> bool {
        Dir::BOTH.iter().any(|d| self.sides[*d].dns.is_some() || self.sides[*d].dns_bytes.is_some())
    }

    /// The kinds of frames seen, one by one.
    pub fn kind_at(&self, dir: Dir, index: usize) -> Option<u64> {
        let kinds = self.sides[dir].kinds;
        (0..=u64::from(kind::CONTINUATION))
            .chain(10..64)
            .filter(|k| kinds.wrapping_shr(*k as u32) & 1 != 0)
            .nth(index)
    }
}

fn keep<T>(list: &mut Vec<T>, value: T) {
    if list.len() < VALUES_MAX {
        list.push(value);
    }
}
