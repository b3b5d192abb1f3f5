//! The server's side: status lines and what stands in their place, what a head says of the body, what follows a response.

use super::connection::{HttpParser, State, Step};
use super::events::Event;
use super::headers::{contains_token, Known};
use super::line::{self, Version};
use super::tx::{progress, HttpTx};
use crate::app::{ParseCx, ProtocolId, UpgradeHead};
use crate::direction::Dir;
use std::sync::Arc;

const DIR: Dir = Dir::ToClient;
/// Bytes without a line end and without "HTTP" after which an answer is taken for a bare body.
const HELD_MAX: usize = 1024;
/// A blank line this long at most is skipped in front of a status line.
const SKIPPED_LINE: usize = 2;

impl HttpParser {
    /// Gives the direction a transaction, the next that waits for an answer or one of its own.
    pub(super) fn attach(&mut self) -> bool {
        if self.halves[DIR].tx.is_some() {
            return true;
        }
        let id = match self.awaiting_response() {
            Some(id) => id,
            None => {
                let Some(id) = self.open() else { return false };
                if let Some(tx) = self.get(id) {
                    tx.unmatched = true;
                    tx.event(Event::UnableToMatchResponse);
                    tx.request.progress = progress::COMPLETE;
                    tx.request.body.finish();
                }
                id
            }
        };
        self.next_response = id.saturating_add(1);
        self.halves[DIR].tx = Some(id);
        true
    }

    pub(super) fn status_line(&mut self, data: &[u8], cx: &mut ParseCx) -> Step {
        if !self.halves[DIR].held.is_empty() {
            return self.held_line(data, cx);
        }
        let limit = self.config.field_limit;
        let half = &mut self.halves[DIR];
        let found = line_end(data, half.scanned, cx.eof);
        half.scanned = data.len().saturating_sub(1);
        let Some(len) = found else {
            if !line::may_be_status_line(data) {
                half.held.extend_from_slice(data);
                return Step::Consumed(data.len());
            }
            if data.len() <= limit {
                return Step::Need;
            }
            if self.attach() {
                self.event(DIR, Event::ResponseFieldTooLong);
            }
            return Step::Broken;
        };
        let bytes = data.get(..len).unwrap_or(data);
        let text = line::chomp(bytes);
        if text.is_empty() {
            return Step::Consumed(len);
        }
        if line::is_status_line(text) {
            if len > limit || !self.attach() {
                return Step::Broken;
            }
            if let Some(tx) = self.current(DIR) {
                tx.set_status_line(text);
            }
            self.halves[DIR].state = State::Headers;
            return Step::Consumed(len);
        }
        if text.len() <= SKIPPED_LINE && text.iter().all(|b| line::is_space(*b) || *b == 0) {
            return Step::Consumed(len);
        }
        self.halves[DIR].held.extend_from_slice(bytes);
        Step::Consumed(len)
    }

    /// Something stood where a status line should: skipped when one follows at once, a body without a head otherwise.
    fn held_line(&mut self, data: &[u8], cx: &mut ParseCx) -> Step {
        let held = &mut self.halves[DIR].held;
        if let ([.., b'\r'], [b'\n', ..]) = (held.as_slice(), data) {
            held.push(b'\n');
            return Step::Consumed(1);
        }
        if matches!(held.last(), Some(b'\n' | b'\r')) {
            if data.first().is_some_and(|b| b.eq_ignore_ascii_case(&b'h')) {
                *held = Vec::new();
                return Step::Consumed(0);
            }
            self.flush_held(cx);
            return Step::Consumed(0);
        }
        let len = data
            .iter()
            .position(|b| matches!(b, b'\n' | b'\r'))
            .map_or(data.len(), |at| at.saturating_add(1));
        held.extend_from_slice(data.get(..len).unwrap_or(data));
        if held.len() > HELD_MAX {
            self.flush_held(cx);
        }
        Step::Consumed(len)
    }

    /// What was held is a body without a head.
    pub(super) fn flush_held(&mut self, _cx: &mut ParseCx) {
        let held = std::mem::take(&mut self.halves[DIR].held);
        if held.is_empty() || !self.attach() {
            return;
        }
        if let Some(tx) = self.current(DIR) {
            tx.body_data(DIR, &held);
        }
        self.halves[DIR].state = State::UntilClose;
    }

    pub(super) fn response_head_done(&mut self, cx: &mut ParseCx) {
        let layers = usize::try_from(self.config.decompress_layers).unwrap_or(1);
        let Some(tx) = self.current(DIR) else { return };
        let connect = tx.method() == b"CONNECT";
        let code = tx.code.unwrap_or(0);
        if connect && (200..300).contains(&code) {
            if cx.changing {
                tx.event(Event::FailedProtocolChange);
            } else {
                cx.upgrade = Some("");
            }
            self.finish(DIR, true, cx);
            self.halves.to_client.state = State::Ignore;
            self.halves.to_server.state = State::Ignore;
            return;
        }
        if connect && self.halves.to_server.state == State::Waiting {
            self.halves.to_server.state = State::Line;
        }
        let Some(tx) = self.current(DIR) else { return };
        let has_length = tx.response.headers.get(Known::ContentLength);
        let coding = tx.response.headers.get(Known::TransferEncoding);
        let length = has_length.map(line::content_length);
        let bare = has_length.is_none() && coding.is_none();
        if code == 101 && bare {
            let wanted = tx
                .response
                .headers
                .get(Known::Upgrade)
                .or_else(|| tx.request.headers.get(Known::Upgrade))
                .unwrap_or(&[]);
            let name = if contains_token(wanted, b"h2c") { "http2" } else { "websocket" };
            // What nobody here speaks is left alone: nothing in it could be recognised but by chance.
            if cx.changing {
                tx.event(Event::FailedProtocolChange);
            } else {
                cx.upgrade = ProtocolId::find(name).map(|id| id.get().name);
                cx.upgrade_head = Some(Box::new(tx.upgrade_head()));
            }
            self.finish(DIR, true, cx);
            self.halves.to_client.state = State::Ignore;
            self.halves.to_server.state = State::Ignore;
            return;
        }
        let empty = !matches!(length, Some(Some((1.., _))));
        if code == 100 && coding.is_none() && empty {
            // An interim answer: the real one follows (RFC 9110 section 15.2.1).
            if tx.seen_continue {
                tx.event(Event::ContinueAlreadySeen);
            }
            tx.seen_continue = true;
            tx.response.headers.clear();
            tx.response.forget();
            tx.response.progress = progress::LINE;
            self.halves[DIR].state = State::Line;
            return;
        }
        let refused = (400..500).contains(&code)
            && tx
                .request
                .headers
                .get(Known::Expect)
                .is_some_and(|value| contains_token(value, b"100-continue"))
            && tx.request.body.is_empty();
        let places = Arc::clone(&self.places);
        let Some(tx) = self.current(DIR) else { return };
        let state = tx.response_framing(code, bare, layers, &places);
        if refused && matches!(self.halves.to_server.state, State::Length(_)) {
            self.halves.to_server.state = State::Finalize;
        }
        self.halves[DIR].state = state;
    }

    /// Behind a response: another one, nothing yet, or more of the body than its length said.
    pub(super) fn after_response(&mut self, data: &[u8], cx: &mut ParseCx) -> Step {
        let len = memchr::memchr(b'\n', data).map_or(data.len(), |at| at.saturating_add(1));
        let text = data.get(..len).unwrap_or(data);
        let blank = text.iter().all(|b| line::is_space(*b));
        if data.is_empty() || line::is_status_line(text) || (!blank && line::may_be_status_line(data)) {
            self.finish(DIR, true, cx);
            return Step::Consumed(0);
        }
        if let Some(tx) = self.current(DIR) {
            if !blank {
                tx.event(Event::ResponseBodyUnexpected);
            }
            tx.body_data(DIR, text);
        }
        Step::Consumed(len)
    }
}

/// Length of the line at the front of `data`, its line end included: CRLF, LF or a lone CR.
fn line_end(data: &[u8], scanned: usize, eof: bool) -> Option<usize> {
    let at = data
        .get(scanned..)
        .and_then(|rest| memchr::memchr2(b'\r', b'\n', rest))
        .map(|n| scanned.saturating_add(n));
    let Some(at) = at else {
        return eof.then_some(data.len());
    };
    let end = at.saturating_add(1);
    if data.get(at) == Some(&b'\n') {
        return Some(end);
    }
    match data.get(end) {
        Some(b'\n') => Some(end.saturating_add(1)),
        None if !eof => None,
        _ => Some(end),
    }
}

impl HttpTx {
    fn upgrade_head(&self) -> UpgradeHead {
        let fields = |side: &super::tx::Message| {
            side.headers.iter().map(|(_, name, value)| (name.to_vec(), value.to_vec())).collect()
        };
        UpgradeHead {
            method: self.method().to_vec(),
            uri: self.raw_uri().to_vec(),
            request: fields(&self.request),
            response: fields(&self.response),
        }
    }

    fn set_status_line(&mut self, text: &[u8]) {
        let parsed = line::parse_status(text);
        self.response.line = text.to_vec();
        self.response.progress = progress::LINE;
        self.response_protocol = parsed.protocol;
        self.response_version = parsed.version;
        self.status = parsed.status;
        self.code = parsed.code;
        self.message = parsed.message;
        if parsed.version == Version::Unknown {
            self.event(Event::ResponseInvalidProtocol);
        }
        if parsed.code.is_none() {
            self.event(Event::ResponseInvalidStatus);
        }
    }

    /// How the body of a response is framed (RFC 9112 section 6.3, read as browsers read it), and its decompression.
    fn response_framing(&mut self, code: u16, bare: bool, layers: usize, places: &Arc<()>) -> State {
        let no_body = (100..200).contains(&code) || code == 204 || code == 304;
        if self.method() == b"HEAD" || (no_body && bare) {
            return State::Finalize;
        }
        if no_body {
            self.event(Event::ResponseBodyUnexpected);
        }
        let headers = &self.response.headers;
        let mut events = [None; 3];
        let state = if let Some(coding) =
            headers.get(Known::TransferEncoding).filter(|value| contains_token(value, b"chunked"))
        {
            if !coding.eq_ignore_ascii_case(b"chunked") {
                events[0] = Some(Event::AbnormalTransferEncoding);
            }
            if self.response_version < Version::V1_1 {
                events[1] = Some(Event::ChunkedOldProtocol);
            }
            State::ChunkLength
        } else if let Some(value) = headers.get(Known::ContentLength) {
            if headers.get(Known::TransferEncoding).is_some() {
                events[0] = Some(Event::InvalidTransferEncodingInResponse);
            }
            match line::content_length(value) {
                Some((0, _)) => State::Finalize,
                Some((length, _)) => State::Length(length),
                None => {
                    events[2] = Some(Event::InvalidContentLengthInResponse);
                    State::UntilClose
                }
            }
        } else {
            if headers.get(Known::TransferEncoding).is_some() {
                events[0] = Some(Event::InvalidTransferEncodingInResponse);
            }
            let kind = headers.get(Known::ContentType).unwrap_or(&[]);
            if contains_token(kind, b"multipart/byteranges") {
                events[2] = Some(Event::MultipartByteranges);
            }
            State::UntilClose
        };
        for event in events.into_iter().flatten() {
            self.event(event);
        }
        self.decode_body(DIR, layers, places);
        state
    }
}
