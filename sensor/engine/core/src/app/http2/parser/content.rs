//! What whole frames say: header blocks, settings, errors and bodies, and the request that came in HTTP/1.

use super::{Block, Http2Parser, FRAME_MAX};
use crate::app::file::FileState;
use crate::app::http2::frame::{self, flag, kind, Header};
use crate::app::http2::{self, hpack, Event};
use crate::app::{ParseCx, UpgradeHead};
use crate::direction::{Dir, PerDir};
use std::sync::Arc;

impl Http2Parser {
    /// A whole frame that is not DATA.
    pub(super) fn frame(&mut self, dir: Dir, header: &Header, payload: &[u8], cx: &mut ParseCx) {
        let is_ack = header.has(flag::ACK) && matches!(header.kind, kind::SETTINGS);
        if is_ack && payload.is_empty() {
            return;
        }
        if header.kind == kind::CONTINUATION {
            return self.continuation(dir, header, payload, cx);
        }
        let Some(id) = self.of(header, header.stream) else { return };
        let sizes_fit = match header.kind {
            kind::PRIORITY => payload.len() == 5,
            kind::RST_STREAM | kind::WINDOW_UPDATE => payload.len() == 4,
            kind::SETTINGS => payload.len() % 6 == 0,
            kind::PING => payload.len() == 8,
            kind::GOAWAY => payload.len() >= 8,
            _ => true,
        };
        let Some(tx) = self.get(id) else { return };
        tx.saw(dir, header.kind);
        if !sizes_fit {
            tx.event(Event::InvalidFrameLength);
            return;
        }
        let number = |at: usize| payload.get(at..).and_then(frame::be32).unwrap_or(0);
        match header.kind {
            kind::PRIORITY => tx.add_priority(dir, payload.get(4).copied().unwrap_or(0)),
            kind::RST_STREAM => {
                tx.add_error(dir, number(0));
                tx.complete(FileState::Truncated);
                cx.trigger_raw = PerDir::new(true, true);
            }
            kind::GOAWAY => tx.add_error(dir, number(4)),
            kind::WINDOW_UPDATE => tx.add_window(dir, number(0) & 0x7fff_ffff),
            kind::SETTINGS => {
                tx.add_settings(dir, frame::settings(payload));
                for (setting, value) in frame::settings(payload) {
                    if setting == frame::HEADER_TABLE_SIZE {
                        self.halves[dir.opposite()].hpack.allow(u64::from(value));
                    }
                }
            }
            kind::HEADERS | kind::PUSH_PROMISE => self.block(dir, id, header, payload, cx),
            _ => {}
        }
    }

    /// The beginning of a header block.
    fn block(&mut self, dir: Dir, id: u64, header: &Header, payload: &[u8], cx: &mut ParseCx) {
        let Some(tx) = self.get(id) else { return };
        let Some((weight, promised, fragment)) = frame::fragment(header, payload) else {
            tx.event(Event::InvalidFrameData);
            return;
        };
        if let Some(weight) = weight {
            tx.add_priority(dir, weight);
        }
        let block = Block {
            stream: header.stream,
            promised,
            end_stream: header.kind == kind::HEADERS && header.has(flag::END_STREAM),
            bytes: fragment.to_vec(),
            cut: false,
        };
        if header.has(flag::END_HEADERS) {
            self.headers(dir, block, cx);
        } else {
            self.halves[dir].block = Some(block);
        }
    }

    fn continuation(&mut self, dir: Dir, header: &Header, payload: &[u8], cx: &mut ParseCx) {
        let limit = self.config.max_reassembly_size;
        let half = &mut self.halves[dir];
        let Some(mut block) = half.block.take().filter(|block| block.stream == header.stream) else {
            return self.connection_event(Event::InvalidFrameData);
        };
        let mut cut = false;
        if block.bytes.len().saturating_add(payload.len()) > limit {
            cut = !std::mem::replace(&mut block.cut, true);
        }
        if !block.cut {
            block.bytes.extend_from_slice(payload);
        }
        if let Some(id) = self.of(header, header.stream) {
            if let Some(tx) = self.get(id) {
                tx.saw(dir, kind::CONTINUATION);
                if cut {
                    tx.event(Event::ReassemblyLimitReached);
                }
            }
        }
        if header.has(flag::END_HEADERS) {
            self.headers(dir, block, cx);
        } else {
            self.halves[dir].block = Some(block);
        }
    }

    /// A header block is whole.
    fn headers(&mut self, dir: Dir, block: Block, cx: &mut ParseCx) {
        let mut fields = Vec::new();
        // Decoded whatever becomes of it: the table is the connection's.
        let good = self.halves[dir].hpack.block(&block.bytes, &mut fields);
        let overflow = fields.last().is_some_and(|f| f.status == hpack::Status::IntegerOverflow);
        let places = Arc::clone(&self.places);
        let header = Header { len: 0, kind: kind::HEADERS, flags: 0, stream: block.stream };
        // A promise is a request that the server makes in the client's place.
        let (id, dir) = match block.promised {
            None => (self.of(&header, block.stream), dir),
            Some(promised) => (self.of(&header, promised), Dir::ToServer),
        };
        let Some(tx) = id.and_then(|id| self.get(id)) else { return };
        if overflow {
            tx.event(Event::HeaderIntegerOverflow);
        } else if !good {
            tx.event(Event::InvalidHeader);
        }
        tx.add_fields(dir, fields, &places);
        if block.end_stream || block.promised.is_some() {
            tx.end(dir, FileState::Closed);
        }
        if tx.is_doh() && !self.doh {
            self.doh = true;
            cx.rename = Some("doh2");
        }
        cx.trigger_raw[dir] = true;
    }

    pub(super) fn data(&mut self, dir: Dir, header: &Header) {
        let Some(id) = self.of(header, header.stream) else { return };
        let Some(tx) = self.get(id) else { return };
        tx.saw(dir, kind::DATA);
        if header.stream == 0 {
            tx.event(Event::DataStreamZero);
        }
        if header.len > FRAME_MAX {
            tx.event(Event::LongFrameData);
        }
    }

    /// Bytes of a DATA frame; `lost`: they did not come.
    pub(super) fn body(&mut self, dir: Dir, stream: u32, data: &[u8], lost: u64) {
        let id = self.streams.get(&stream).copied();
        if let Some(tx) = id.and_then(|id| self.get(id)) {
            if lost > 0 {
                tx.body_gap(dir, lost);
            } else {
                tx.body(dir, data);
            }
        }
    }

    pub(super) fn end_stream(&mut self, dir: Dir, stream: u32, cx: &mut ParseCx) {
        let id = self.streams.get(&stream).copied();
        if let Some(tx) = id.and_then(|id| self.get(id)) {
            tx.end(dir, FileState::Closed);
            cx.trigger_raw[dir] = true;
        }
    }

    /// The request that asked for HTTP/2 in HTTP/1 is stream 1 (RFC 7540 section 3.2).
    pub(super) fn upgrade(&mut self, head: &UpgradeHead) {
        let field = |name: &[u8], value: &[u8]| hpack::Field {
            name: name.to_vec(),
            value: value.to_vec(),
            ..hpack::Field::default()
        };
        let mut fields = vec![field(b":method", &head.method), field(b":path", &head.uri)];
        let mut settings = None;
        for (name, value) in &head.request {
            if name.eq_ignore_ascii_case(b"http2-settings") {
                settings = Some(http2::base64url(value).filter(|bytes| bytes.len() % 6 == 0));
            } else if name.eq_ignore_ascii_case(b"host") {
                fields.push(field(b":authority", value));
            } else {
                fields.push(field(name, value));
            }
        }
        self.highest = [0, 1];
        let places = Arc::clone(&self.places);
        let id = self.open(1);
        if let Some(tx) = self.get(id) {
            tx.saw(Dir::ToServer, kind::HEADERS);
            tx.add_fields(Dir::ToServer, fields, &places);
            tx.end(Dir::ToServer, FileState::Closed);
        }
        if let Some(settings) = settings {
            let id = self.open(0);
            let mut table = None;
            if let Some(tx) = self.get(id) {
                tx.saw(Dir::ToServer, kind::SETTINGS);
                match &settings {
                    Some(bytes) => tx.add_settings(Dir::ToServer, frame::settings(bytes)),
                    None => tx.event(Event::InvalidHttp1Settings),
                }
                let found =
                    tx.sides.to_server.settings.iter().find(|(id, _)| *id == frame::HEADER_TABLE_SIZE);
                table = found.map(|(_, value)| *value);
            }
            if let Some(bytes) = table {
                self.halves.to_client.hpack.allow(u64::from(bytes));
            }
        }
    }
}
