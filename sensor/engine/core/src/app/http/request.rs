//! The client's side: request lines, what a head asks of the body, what follows a request.

use super::connection::{HttpParser, State, Step};
use super::events::Event;
use super::headers::{contains_token, Known};
use super::line::{self, Version};
use super::tx::{progress, HttpTx};
use super::uri;
use crate::app::ParseCx;
use crate::direction::Dir;
use std::sync::Arc;

const DIR: Dir = Dir::ToServer;

impl HttpParser {
    pub(super) fn request_line(&mut self, data: &[u8], cx: &mut ParseCx) -> Step {
        let limit = self.config.field_limit;
        let half = &mut self.halves[DIR];
        let len = match half.line_len(data) {
            Some(len) if len <= limit => len,
            None if data.len() <= limit => {
                if !cx.eof {
                    return Step::Need;
                }
                data.len()
            }
            _ => {
                if let Some(id) = self.open() {
                    self.halves[DIR].tx = Some(id);
                    self.event(DIR, Event::RequestFieldTooLong);
                    self.finish(DIR, false, cx);
                }
                return Step::Broken;
            }
        };
        let text = line::chomp(data.get(..len).unwrap_or(data));
        if text.is_empty() {
            // Blank lines before a request are skipped (RFC 9112 section 2.2).
            return Step::Consumed(len);
        }
        let Some(id) = self.open() else {
            return Step::Broken;
        };
        self.halves[DIR].tx = Some(id);
        let probe = data.get(len..).unwrap_or(&[]);
        let Some(tx) = self.current(DIR) else {
            return Step::Broken;
        };
        tx.set_request_line(text);
        let headless = tx.request_version == Version::V0_9 && !looks_like_header(probe);
        if tx.request_version == Version::V0_9 && !headless {
            tx.event(Event::MissingProtocol);
        }
        if headless {
            tx.request.progress = progress::HEADERS;
            self.halves[DIR].state = State::Finalize;
        } else {
            self.halves[DIR].state = State::Headers;
        }
        Step::Consumed(len)
    }

    pub(super) fn request_head_done(&mut self, cx: &mut ParseCx) {
        cx.trigger_raw[DIR] = true;
        let server_port = cx.dst_port;
        let layers = usize::try_from(self.config.decompress_layers).unwrap_or(1);
        let places = Arc::clone(&self.places);
        let Some(tx) = self.current(DIR) else { return };
        tx.check_host(server_port);
        let headers = &tx.request.headers;
        let mut events = [None; 3];
        if let Some(auth) = headers.get(Known::Authorization) {
            let scheme = auth.split(|b| *b == b' ').find(|word| !word.is_empty()).unwrap_or(&[]);
            let known: [&[u8]; 5] = [b"basic", b"digest", b"bearer", b"negotiate", b"ntlm"];
            if !known.iter().any(|name| name.eq_ignore_ascii_case(scheme)) {
                events[0] = Some(Event::AuthUnrecognized);
            }
        }
        let mut state = State::Finalize;
        let chunked = headers.get(Known::TransferEncoding).map(|te| {
            let chunked = contains_token(te, b"chunked");
            if tx.request_version != Version::V1_1 || !chunked {
                events[1] = Some(Event::InvalidTransferEncodingInRequest);
            }
            chunked
        });
        if chunked == Some(true) {
            state = State::ChunkLength;
        } else if let Some(value) = headers.get(Known::ContentLength) {
            match line::content_length(value) {
                Some((0, _)) => {}
                Some((length, _)) => state = State::Length(length),
                None => events[2] = Some(Event::InvalidContentLengthInRequest),
            }
        }
        if tx.method() == b"CONNECT" {
            state = State::Waiting;
        }
        for event in events.into_iter().flatten() {
            tx.event(event);
        }
        tx.decode_body(DIR, layers, &places);
        if state == State::Waiting {
            self.finish(DIR, true, cx);
        }
        self.halves[DIR].state = state;
    }

    /// Behind a request: another one, nothing yet, or a body that no header announced.
    pub(super) fn after_request(&mut self, data: &[u8], cx: &mut ParseCx) -> Step {
        let len = memchr::memchr(b'\n', data).map_or(data.len(), |at| at.saturating_add(1));
        let text = data.get(..len).unwrap_or(data);
        let blank = text.iter().all(|b| line::is_space(*b));
        let has_body = self.current(DIR).is_some_and(|tx| tx.request.wire_len > 0);
        // The line end that old browsers send behind a body is shown as part of it.
        let over = if blank { !has_body } else { line::looks_like_request(text) };
        if data.is_empty() || over {
            self.finish(DIR, true, cx);
            return Step::Consumed(0);
        }
        if let Some(tx) = self.current(DIR) {
            if !blank {
                tx.event(Event::RequestBodyUnexpected);
            }
            tx.body_data(DIR, text);
        }
        Step::Consumed(len)
    }
}

/// Whether the line behind a request line without protocol is a header ("Name: ...").
fn looks_like_header(data: &[u8]) -> bool {
    let end = data.iter().position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')));
    match end {
        Some(0) | None => false,
        Some(at) => {
            let rest = data.get(at..).unwrap_or(&[]);
            rest.trim_ascii_start().first() == Some(&b':')
        }
    }
}

impl HttpTx {
    fn set_request_line(&mut self, text: &[u8]) {
        let parsed = line::parse_request(text);
        self.request.line = text.to_vec();
        self.request.progress = progress::LINE;
        self.method = parsed.method;
        self.uri = parsed.uri;
        self.protocol = parsed.protocol;
        self.request_version = parsed.version;
        for (on, event) in [
            (parsed.leading_whitespace, Event::LeadingWhitespace),
            (parsed.bad_method_delimiter, Event::MethodDelimiter),
            (parsed.bad_uri_delimiter, Event::UriDelimiter),
            (parsed.invalid, Event::RequestLineInvalid),
            (parsed.incomplete, Event::RequestLineIncomplete),
        ] {
            if on {
                self.event(event);
            }
        }
        // A path is no authority: such a request names no host.
        let authority = self.method() == b"CONNECT" && !self.raw_uri().starts_with(b"/");
        self.parts = uri::split(self.raw_uri(), authority);
        let double = |range: Option<std::ops::Range<usize>>, on: bool| {
            let part = range.filter(|_| on).and_then(|range| self.raw_uri().get(range));
            part.is_some_and(|part| {
                let mut once = Vec::with_capacity(part.len());
                uri::percent_decode(part, &mut once);
                uri::has_escape(&once)
            })
        };
        if double(Some(self.parts.path.clone()), self.config.double_decode_path)
            || double(self.parts.query.clone(), self.config.double_decode_query)
        {
            self.event(Event::DoubleEncodedUri);
        }
        if let Some(port) = self.parts.port.clone() {
            let digits = self.raw_uri().get(port).unwrap_or(&[]);
            if !is_port(digits) {
                self.event(Event::InvalidAuthorityPort);
            }
        }
        if let Some(host) = self.parts.host.clone() {
            let host = self.raw_uri().get(host).unwrap_or(&[]);
            if !is_host(host) {
                self.event(Event::UriHostInvalid);
            }
        }
    }

    fn check_host(&mut self, server_port: u16) {
        let header = self.request.headers.get(Known::Host);
        let mut events = [None; 4];
        match header {
            None => {
                if self.request_version == Version::V1_1 {
                    events[0] = Some(Event::MissingHost);
                }
            }
            Some(value) => {
                let (host, port) = uri::split_host(value, 0..value.len());
                let host = host.and_then(|h| value.get(h)).unwrap_or(&[]);
                if !is_host(host) {
                    events[0] = Some(Event::HeaderHostInvalid);
                }
                if let Some(port) = port.and_then(|p| value.get(p)) {
                    if !is_port(port) {
                        events[1] = Some(Event::InvalidServerPort);
                    }
                }
                let in_uri = self.parts.host.clone().and_then(|range| self.raw_uri().get(range));
                if in_uri.is_some_and(|uri| !uri.eq_ignore_ascii_case(host)) {
                    events[2] = Some(Event::HostAmbiguous);
                }
            }
        }
        if self.port().is_some_and(|port| port != server_port) && self.method() != b"CONNECT" {
            events[3] = Some(Event::ServerPortMismatch);
        }
        for event in events.into_iter().flatten() {
            self.event(event);
        }
    }
}

fn is_port(digits: &[u8]) -> bool {
    std::str::from_utf8(digits.trim_ascii())
        .ok()
        .and_then(|text| text.parse::<u16>().ok())
        .is_some_and(|port| port > 0)
}

/// A host name or address literal: labels of at most 63 bytes, 255 in all.
fn is_host(host: &[u8]) -> bool {
    if host.is_empty() || host.len() > 255 {
        return false;
    }
    if host.first() == Some(&b'[') {
        return host.last() == Some(&b']')
            && host.iter().all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.' | b'[' | b']' | b'%'));
    }
    let host = host.strip_suffix(b".").unwrap_or(host);
    host.split(|b| *b == b'.').all(|label| {
        !label.is_empty()
            && label.len() <= 63
            && label.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    })
}
