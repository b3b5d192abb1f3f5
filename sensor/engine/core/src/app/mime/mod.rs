//! One mail message (RFC 5322, MIME: RFC 2045 to 2049) as a stream of lines: its header fields, its attachments as files, the
//! URLs in its text. Knows nothing of the protocol that carries it.

pub mod config;
mod entity;
pub mod header;
mod transfer;
mod url;

#[cfg(test)]
mod tests;

use super::file::{File, FileState};
use config::Config;
use entity::{Entity, Kind};
use md5::{Digest, Md5};
use std::sync::Arc;
use transfer::Decoder;
use url::Urls;

/// Multiparts and messages inside of each other that are followed; deeper ones are data. Mail readers stop earlier.
const NESTING_MAX: usize = 32;
/// Files kept of one message: each holds a window of its content.
const FILES_MAX: usize = 256;
/// Header fields kept of the outermost message, and their bytes in all.
const FIELDS_MAX: usize = 256;
const FIELDS_MAX_BYTES: usize = 128 << 10;
/// Longest header field name (Suricata's limit), longest line of text (RFC 5322 section 2.1.1), longest encoded line
/// (RFC 2045 sections 6.7 and 6.8), longest boundary.
const FIELD_NAME_MAX: usize = 75;
const TEXT_LINE_MAX: usize = 998;
const ENCODED_LINE_MAX: usize = 76;
const BOUNDARY_MAX: usize = 254;
/// Longest file name that is kept.
const FILE_NAME_MAX: usize = 255;

/// What is wrong with a message; the order is that of the `mime_*` events of the protocols that carry one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Anomaly {
    ParseFailed,
    MalformedMessage,
    InvalidBase64,
    InvalidQuotedPrintable,
    LongLine,
    LongEncodedLine,
    LongHeaderName,
    LongHeaderValue,
    LongBoundary,
    LongFilename,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Nothing came yet.
    #[default]
    Ready,
    Headers,
    Body,
    Done,
}

/// A header field; the value is unfolded, its encoded words are left as they came.
#[derive(Clone, Debug)]
pub struct Field {
    name: Vec<u8>,
    pub value: Vec<u8>,
}

#[derive(Default)]
pub struct Message {
    config: Arc<Config>,
    state: State,
    /// The header field being put together, and what of its line is known to be too long to keep.
    field: Vec<u8>,
    field_cut: bool,
    /// Fields of the outermost message.
    fields: Vec<Field>,
    fields_bytes: usize,
    /// In the header of the outermost message.
    outermost: bool,
    entity: Entity,
    /// Boundaries of the multiparts around, outermost first; None stands for a message in a part.
    around: Vec<Option<Vec<u8>>>,
    decoder: Decoder,
    /// The last file is the part in hand.
    file_open: bool,
    /// Line end that belongs to the file only when another line follows (RFC 2046 section 5.1.1).
    owed: Vec<u8>,
    line_len: usize,
    files: Vec<File>,
    urls: Urls,
    md5: Option<Md5>,
    body_md5: Option<String>,
    anomalies: u16,
}

impl Message {
    pub fn new(config: Arc<Config>) -> Message {
        let md5 = config.body_md5.then(Md5::new);
        Message { config, md5, outermost: true, ..Message::default() }
    }

    /// Files found so far, in their order.
    pub fn files(&self) -> &[File] {
        &self.files
    }
    pub fn files_mut(&mut self) -> &mut [File] {
        &mut self.files
    }
    /// URLs found in text, each once, in their order.
    pub fn urls(&self) -> &[Vec<u8>] {
        self.urls.found()
    }
    /// MD5 of the body in lower-case hexadecimal, when it is whole and asked for.
    pub fn body_md5(&self) -> Option<&str> {
        self.body_md5.as_deref()
    }
    /// Values of a header field of the message, by lower-case name.
    pub fn values<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        self.fields.iter().filter(move |f| f.name == name).map(|f| f.value.as_slice())
    }
    /// EVE's `email.status`.
    pub fn status(&self) -> &'static str {
        match self.state {
            State::Ready => "HEADER_READY",
            State::Headers if self.outermost => "HEADER_STARTED",
            State::Headers | State::Body => "BODY_STARTED",
            State::Done => "PARSE_DONE",
        }
    }
    /// What was found wrong since the last call, bit = `Anomaly`.
    pub fn take_anomalies(&mut self) -> u16 {
        std::mem::take(&mut self.anomalies)
    }
    fn anomaly(&mut self, what: Anomaly) {
        self.anomalies |= 1 << what as u8;
    }

    /// Takes a line, or a piece of one. `first`: the piece begins the line; `end`: the line end behind it, empty when more of
    /// the line follows. A line that may be a boundary must come whole.
    pub fn push(&mut self, piece: &[u8], end: &[u8], first: bool) {
        if self.state == State::Ready {
            self.state = State::Headers;
        }
        if first {
            self.line_len = 0;
        }
        let before = self.line_len;
        self.line_len = before.saturating_add(piece.len());
        if !self.outermost || self.state == State::Body {
            if let Some(md5) = &mut self.md5 {
                md5.update(piece);
                md5.update(end);
            }
        }
        if first && piece.starts_with(b"--") && self.boundary(piece) {
            return;
        }
        match self.state {
            State::Headers => self.header_piece(piece, end, first),
            State::Body => {
                let most = if self.decoder.is_encoded() { ENCODED_LINE_MAX } else { TEXT_LINE_MAX };
                if self.line_len > most && before <= most {
                    self.anomaly(match self.decoder.is_encoded() {
                        true => Anomaly::LongEncodedLine,
                        false => Anomaly::LongLine,
                    });
                }
                self.body_piece(piece, end, first);
            }
            State::Ready | State::Done => {}
        }
    }

    /// `len` bytes are lost.
    pub fn gap(&mut self, len: u64) {
        self.owed.clear();
        self.decoder.restart();
        if self.file_open {
            if let Some(file) = self.files.last_mut() {
                file.gap(len);
            }
        }
    }

    /// The message is over; `whole`: its end was seen.
    pub fn finish(&mut self, whole: bool) {
        if self.state == State::Done {
            return;
        }
        if self.state == State::Headers {
            self.end_field();
            if whole {
                self.end_headers();
            }
        }
        self.end_part(if whole { FileState::Closed } else { FileState::Truncated });
        if whole {
            self.state = State::Done;
            self.body_md5 = self.md5.take().map(|md5| hex(&md5.finalize()));
        }
    }

    fn header_piece(&mut self, piece: &[u8], end: &[u8], first: bool) {
        if first {
            if piece.is_empty() && !end.is_empty() {
                self.end_field();
                self.end_headers();
                return;
            }
            let folded = matches!(piece.first(), Some(b' ' | b'\t'));
            if !folded || self.field.is_empty() {
                self.end_field();
            }
        }
        let room =
            self.config.header_value_max.saturating_add(FIELD_NAME_MAX).saturating_sub(self.field.len());
        match piece.get(..room) {
            Some(kept) if kept.len() < piece.len() => {
                self.field.extend_from_slice(kept);
                self.field_cut = true;
            }
            _ => self.field.extend_from_slice(piece),
        }
    }

    /// A header field is whole.
    fn end_field(&mut self) {
        let cut = std::mem::take(&mut self.field_cut);
        if self.field.is_empty() {
            return;
        }
        let field = std::mem::take(&mut self.field);
        let Some(colon) = memchr::memchr(b':', &field) else {
            self.anomaly(if cut { Anomaly::LongHeaderName } else { Anomaly::MalformedMessage });
            return;
        };
        let (name, value) = field.split_at(colon);
        let name = name.trim_ascii().to_ascii_lowercase();
        let value = value.get(1..).unwrap_or(&[]).trim_ascii();
        if name.len() > FIELD_NAME_MAX {
            self.anomaly(Anomaly::LongHeaderName);
        }
        if cut || value.len() > self.config.header_value_max {
            self.anomaly(Anomaly::LongHeaderValue);
        }
        if self.entity.field(&name, value) {
            self.anomaly(Anomaly::LongFilename);
        }
        let bytes = name.len().saturating_add(value.len());
        if self.outermost
            && self.fields.len() < FIELDS_MAX
            && self.fields_bytes.saturating_add(bytes) <= FIELDS_MAX_BYTES
        {
            self.fields_bytes = self.fields_bytes.saturating_add(bytes);
            self.fields.push(Field { name, value: value.to_vec() });
        }
    }

    /// The empty line behind a header: what follows is told by the header.
    fn end_headers(&mut self) {
        self.outermost = false;
        self.state = State::Body;
        self.owed.clear();
        let nests = self.around.len() < NESTING_MAX;
        if matches!(self.entity.kind, Kind::Multipart | Kind::Message) && !nests {
            self.anomaly(Anomaly::ParseFailed);
        }
        match self.entity.kind {
            Kind::Multipart if nests => {
                match self.entity.boundary.take() {
                    Some(boundary) if boundary.len() > BOUNDARY_MAX => self.anomaly(Anomaly::LongBoundary),
                    Some(boundary) => self.around.push(Some(boundary)),
                    None => self.anomaly(Anomaly::MalformedMessage),
                }
                self.decoder = Decoder::none();
                return;
            }
            Kind::Message if nests && !self.entity.encoding.is_encoded() => {
                self.around.push(None);
                self.entity = Entity::default();
                self.state = State::Headers;
                return;
            }
            _ => {}
        }
        self.decoder = Decoder::new(self.entity.encoding, &self.config);
        let name = std::mem::take(&mut self.entity.file_name);
        if name.is_empty() {
            return;
        }
        if self.files.len() < FILES_MAX {
            self.files.push(File::open(&name).limited(self.config.tracker));
            self.file_open = true;
        } else {
            self.anomaly(Anomaly::ParseFailed);
        }
    }

    /// Whether URLs are looked for in the part in hand: in text that is no file.
    fn has_urls(&self) -> bool {
        self.entity.kind == Kind::Text && !self.file_open && self.config.extract_urls
    }

    fn body_piece(&mut self, piece: &[u8], end: &[u8], first: bool) {
        let is_text = self.has_urls();
        if !self.file_open && !is_text {
            return;
        }
        if first && !self.owed.is_empty() {
            let owed = std::mem::take(&mut self.owed);
            self.content(&owed, is_text);
        }
        let mut decoder = std::mem::take(&mut self.decoder);
        let owes_end = decoder.push(piece, !end.is_empty(), &mut |bytes| self.content(bytes, is_text));
        if decoder.take_trouble() {
            self.anomaly(match decoder.is_base64() {
                true => Anomaly::InvalidBase64,
                false => Anomaly::InvalidQuotedPrintable,
            });
        }
        self.decoder = decoder;
        if owes_end {
            self.owed.extend_from_slice(end);
        }
    }

    /// Decoded bytes of the part in hand.
    fn content(&mut self, bytes: &[u8], is_text: bool) {
        if self.file_open {
            if let Some(file) = self.files.last_mut() {
                file.append(bytes);
            }
        }
        if is_text {
            self.urls.push(bytes, &self.config);
        }
    }

    /// The part in hand is over.
    fn end_part(&mut self, how: FileState) {
        let is_text = self.has_urls();
        if self.file_open || is_text {
            let mut decoder = std::mem::take(&mut self.decoder);
            decoder.finish(&mut |bytes| self.content(bytes, is_text));
            if decoder.take_trouble() {
                self.anomaly(Anomaly::InvalidBase64);
            }
            self.urls.end(&self.config);
        }
        self.owed.clear();
        self.decoder = Decoder::none();
        if std::mem::take(&mut self.file_open) {
            if let Some(file) = self.files.last_mut() {
                file.close(how);
            }
        }
    }

    /// Whether a line is a delimiter of a multipart around (RFC 2046 section 5.1.1); if so, takes it.
    fn boundary(&mut self, line: &[u8]) -> bool {
        let line = line.get(2..).unwrap_or(&[]).trim_ascii_end();
        let found = self.around.iter().enumerate().rev().find_map(|(at, boundary)| {
            match line.strip_prefix(boundary.as_ref()?.as_slice())? {
                b"" => Some((at, false)),
                b"--" => Some((at, true)),
                _ => None,
            }
        });
        let Some((at, last)) = found else { return false };
        if self.state == State::Headers {
            // A part that has only a header; what stands in the header still counts.
            self.end_field();
            self.end_headers();
        }
        self.end_part(FileState::Closed);
        self.around.truncate(if last { at } else { at.saturating_add(1) });
        self.entity = Entity::default();
        if last {
            self.entity.kind = Kind::Other;
            self.state = State::Body;
        } else {
            self.state = State::Headers;
            self.outermost = false;
        }
        true
    }
}

/// MD5 in lower-case hexadecimal.
pub fn md5_hex(bytes: &[u8]) -> String {
    hex(&Md5::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
