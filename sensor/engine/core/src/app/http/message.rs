//! What requests and responses share: header lines, folding, bodies by length and by chunks, the end of a direction.

use super::connection::{HttpParser, State, Step};
use super::events::Event;
use super::headers::Added;
use super::line::{self, ChunkLength, Version};
use super::tx::progress;
use crate::app::ParseCx;
use crate::direction::Dir;

/// Most bytes of one message's header block, whatever its lines.
const HEAD_MAX: usize = 1 << 20;
/// Most bytes a folded header grows to.
const FOLDED_MAX: usize = 8 << 10;
/// Junk in front of a chunk length that is waited for before it is taken for no chunk length at all.
const CHUNK_JUNK: usize = 8;

/// The event of a direction.
pub fn by_dir(dir: Dir, request: Event, response: Event) -> Event {
    match dir {
        Dir::ToServer => request,
        Dir::ToClient => response,
    }
}

fn is_fold(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | 0)
}

/// Length of the header line at the front of `data`, its line end included, and whether that was LF CR. Servers end lines with
/// CRLF or LF; browsers take a lone CR too, so `lone_cr` is set for responses. Err: where to search on.
fn line_end(
    data: &[u8],
    scanned: usize,
    lone_cr: bool,
    lf_cr: bool,
    eof: bool,
) -> Result<(usize, bool), usize> {
    if !lone_cr {
        return match memchr::memchr(b'\n', data.get(scanned..).unwrap_or(&[])) {
            Some(at) => Ok((scanned.saturating_add(at).saturating_add(1), false)),
            None => Err(data.len()),
        };
    }
    let mut from = scanned;
    loop {
        let Some(at) = data
            .get(from..)
            .and_then(|rest| memchr::memchr2(b'\r', b'\n', rest))
            .map(|n| from.saturating_add(n))
        else {
            return Err(data.len());
        };
        let end = at.saturating_add(1);
        let next = data.get(end).copied();
        if data.get(at) == Some(&b'\n') {
            return match next {
                _ if at == 0 => Ok((end, false)),
                Some(b'\r') => Ok((end.saturating_add(1), true)),
                None if !eof => Err(at),
                _ => Ok((end, false)),
            };
        }
        match next {
            Some(b'\n') => {
                let end = end.saturating_add(1);
                if lf_cr && at == 0 {
                    // LF CR, CR LF, CR LF are two line ends for the browsers that accept them.
                    return match data.get(end..) {
                        Some([b'\r', b'\n', ..]) => Ok((end.saturating_add(2), false)),
                        Some([] | [b'\r']) if !eof => Err(0),
                        _ => Ok((end, false)),
                    };
                }
                return Ok((end, false));
            }
            // CR CR, and a CR in front of a line, end nothing.
            Some(b'\r') => from = end,
            Some(_) if at == 0 => from = end,
            Some(_) => return Ok((end, false)),
            None if eof => return Ok((end, false)),
            None => return Err(at),
        }
    }
}

impl HttpParser {
    pub(super) fn header_line(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Step {
        let limit = self.config.field_limit;
        let trailer = self.halves[dir].state == State::Trailer;
        let (half, Some(tx)) = self.half_and_tx(dir) else {
            // The transaction is gone: only the framing counts.
            return Step::Broken;
        };
        let found = line_end(data, half.scanned, dir == Dir::ToClient, half.lf_cr, cx.eof);
        let (len, lf_cr) = match found {
            Ok(found) => found,
            Err(scanned) => {
                half.scanned = scanned;
                if data.len() > limit {
                    tx.event(by_dir(dir, Event::RequestFieldTooLong, Event::ResponseFieldTooLong));
                    return Step::Broken;
                }
                return Step::Need;
            }
        };
        let bytes = data.get(..len).unwrap_or(data);
        let next = data.get(len).copied();
        let blank = matches!(bytes, b"\n" | b"\r\n" | b"\r\n\r\n");
        if !blank && next.is_none() && !cx.eof {
            // Whether the line is folded shows only in the next byte.
            half.scanned = len.saturating_sub(1).min(half.scanned.max(len.saturating_sub(2)));
            return Step::Need;
        }
        let ends = blank || matches!(bytes, [b' ' | b'\t', b'\n'] if next != Some(b'\n'));
        let headers = &mut tx.side_mut(dir).headers;
        let start = headers.raw.len();
        if len > limit || start.saturating_add(len) > HEAD_MAX {
            tx.event(by_dir(dir, Event::RequestFieldTooLong, Event::ResponseFieldTooLong));
            return Step::Broken;
        }
        if !trailer {
            if start == 0 {
                headers.make_room(data);
            }
            headers.raw.extend_from_slice(bytes);
        }
        half.lf_cr = lf_cr;
        if ends {
            self.flush_fold(dir);
            self.head_done(dir, trailer, cx);
            return Step::Consumed(len);
        }
        let text = line::chomp(bytes);
        let folds_on = next.is_some_and(is_fold);
        if text.first().is_some_and(|b| is_fold(*b)) {
            self.folded_line(dir, text);
        } else {
            self.flush_fold(dir);
            if folds_on || trailer {
                self.halves[dir].fold = Some(text.to_vec());
            } else if let Some(tx) = self.current(dir) {
                let end = start.saturating_add(text.len());
                let added = tx.side_mut(dir).headers.add_raw(start, end);
                self.note(dir, added);
            }
        }
        Step::Consumed(len)
    }

    /// A line that goes on the one before.
    fn folded_line(&mut self, dir: Dir, text: &[u8]) {
        let invalid = by_dir(dir, Event::InvalidRequestFolding, Event::InvalidResponseFolding);
        let at = text.iter().position(|b| !is_fold(*b)).unwrap_or(text.len());
        let trimmed = text.get(at..).unwrap_or(&[]);
        let split = dir == Dir::ToClient
            && memchr::memchr(b':', text).is_some()
            && self.current(dir).is_some_and(|tx| tx.response_version == Version::V1_1);
        match &mut self.halves[dir].fold {
            None => {
                self.halves[dir].fold = Some(trimmed.to_vec());
                self.event(dir, invalid);
            }
            Some(before) if split && memchr::memchr(b':', before).is_some() => {
                // Looks like a header of its own, and HTTP/1.1 clients read it so.
                self.flush_fold(dir);
                self.halves[dir].fold = Some(trimmed.to_vec());
                self.event(dir, invalid);
            }
            Some(before) => {
                if before.len().saturating_add(text.len()) <= FOLDED_MAX {
                    before.extend_from_slice(text);
                }
            }
        }
    }

    fn flush_fold(&mut self, dir: Dir) {
        let (half, tx) = self.half_and_tx(dir);
        let (Some(line), Some(tx)) = (half.fold.take(), tx) else {
            return;
        };
        let added = tx.side_mut(dir).headers.add_folded(&line);
        self.note(dir, added);
    }

    /// Raises what adding a header showed.
    fn note(&mut self, dir: Dir, added: Added) {
        if added == Added::default() {
            return;
        }
        let Some(tx) = self.current(dir) else { return };
        let mut raise = |on: bool, request: Event, response: Event| {
            if on {
                tx.event(by_dir(dir, request, response));
            }
        };
        raise(added.missing_colon, Event::RequestFieldMissingColon, Event::ResponseFieldMissingColon);
        raise(added.invalid, Event::RequestHeaderInvalid, Event::ResponseHeaderInvalid);
        raise(added.repeated, Event::RequestHeaderRepetition, Event::ResponseHeaderRepetition);
        raise(
            added.repeated_length,
            Event::DuplicateContentLengthInRequest,
            Event::DuplicateContentLengthInResponse,
        );
        raise(added.too_many, Event::RequestTooManyHeaders, Event::ResponseTooManyHeaders);
    }

    fn head_done(&mut self, dir: Dir, trailer: bool, cx: &mut ParseCx) {
        if trailer {
            if let Some(tx) = self.current(dir) {
                tx.side_mut(dir).forget();
            }
            self.halves[dir].state = State::Finalize;
            return;
        }
        if let Some(tx) = self.current(dir) {
            tx.side_mut(dir).progress = progress::HEADERS;
        }
        match dir {
            Dir::ToServer => self.request_head_done(cx),
            Dir::ToClient => self.response_head_done(cx),
        }
    }

    pub(super) fn body_of_length(&mut self, dir: Dir, left: u64, data: &[u8]) -> Step {
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(data.len());
        if let Some(tx) = self.current(dir) {
            tx.body_data(dir, data.get(..len).unwrap_or(data));
        }
        let left = left.saturating_sub(len as u64);
        self.halves[dir].state = if left == 0 { State::Finalize } else { State::Length(left) };
        Step::Consumed(len)
    }

    pub(super) fn chunk_length(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Step {
        let limit = self.config.field_limit;
        let half = &mut self.halves[dir];
        let len = match half.line_len(data) {
            Some(len) => len,
            None => {
                // No line end yet: a first byte that can begin no length settles it.
                let junk =
                    data.iter().find(|b| !line::is_chunk_blank(**b)).is_some_and(|b| !b.is_ascii_hexdigit());
                if !(cx.eof || junk && data.len() >= CHUNK_JUNK || data.len() > limit) {
                    return Step::Need;
                }
                data.len()
            }
        };
        match line::chunk_length(data.get(..len).unwrap_or(data)) {
            ChunkLength::Blank => Step::Consumed(len),
            ChunkLength::Invalid => {
                self.event(dir, by_dir(dir, Event::InvalidRequestChunkLen, Event::InvalidResponseChunkLen));
                // Not chunked after all: the rest is the body as it is.
                self.halves[dir].state = State::UntilClose;
                Step::Consumed(0)
            }
            ChunkLength::Length(size, extension) => {
                if extension {
                    self.event(dir, by_dir(dir, Event::RequestChunkExtension, Event::ResponseChunkExtension));
                }
                if size == 0 {
                    if let Some(tx) = self.current(dir) {
                        tx.side_mut(dir).progress = progress::TRAILER;
                    }
                    self.halves[dir].state = State::Trailer;
                } else {
                    self.halves[dir].state = State::Chunk(size);
                }
                if let Some(tx) = self.current(dir) {
                    let side = tx.side_mut(dir);
                    side.wire_len = side.wire_len.saturating_add(len as u64);
                }
                Step::Consumed(len)
            }
        }
    }

    pub(super) fn chunk(&mut self, dir: Dir, left: u64, data: &[u8]) -> Step {
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(data.len());
        if let Some(tx) = self.current(dir) {
            tx.body_data(dir, data.get(..len).unwrap_or(data));
        }
        let left = left.saturating_sub(len as u64);
        self.halves[dir].state = if left == 0 { State::ChunkEnd } else { State::Chunk(left) };
        Step::Consumed(len)
    }

    pub(super) fn chunk_end(&mut self, dir: Dir, data: &[u8]) -> Step {
        let (len, done) = match memchr::memchr(b'\n', data) {
            Some(at) => (at.saturating_add(1), true),
            None => (data.len(), false),
        };
        if let Some(tx) = self.current(dir) {
            let side = tx.side_mut(dir);
            side.wire_len = side.wire_len.saturating_add(len as u64);
        }
        if done {
            self.halves[dir].state = State::ChunkLength;
        }
        Step::Consumed(len)
    }

    /// No more bytes come in `dir`: what is open ends here.
    pub(super) fn closed(&mut self, dir: Dir, cx: &mut ParseCx) {
        if dir == Dir::ToClient {
            self.flush_held(cx);
        }
        if self.halves[dir].tx.is_none() {
            return;
        }
        self.flush_fold(dir);
        // A body shorter than announced still counts as closed when its sender closes, as in Suricata.
        self.finish(dir, true, cx);
        self.halves[dir].state = State::Ignore;
    }
}
