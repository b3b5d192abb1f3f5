//! What the detection and the log see of an HTTP transaction: the `Transaction` of the app stage and EVE's `http` object.

use super::buffers;
use super::headers::Known;
use super::line;
use super::tx::{parse_range, HttpTx};
use crate::app::file::File;
use crate::app::{LogFor, Transaction, TxMeta, View};
use crate::direction::Dir;
use crate::event::JsonWriter;

impl Transaction for HttpTx {
    fn meta(&self) -> &TxMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut TxMeta {
        &mut self.meta
    }
    fn progress(&self, dir: Dir) -> u8 {
        self.side(dir).progress
    }
    fn buffer(&self, local: usize, index: usize, dir: Dir) -> Option<View<'_>> {
        buffers::read(self, local, index, dir)
    }
    fn files(&self, dir: Dir) -> &[File] {
        &self.side(dir).files
    }
    fn files_mut(&mut self, dir: Dir) -> &mut [File] {
        &mut self.side_mut(dir).files
    }
    fn add_file(&mut self, dir: Dir, file: File) {
        self.side_mut(dir).files.push(file);
    }

    fn number(&self, keyword: &str, dir: Dir) -> Option<u64> {
        let request_line = !self.unmatched && !self.request.line.is_empty();
        match keyword {
            "urilen" => request_line.then(|| self.normalised_uri().len() as u64),
            "urilen.raw" => request_line.then(|| self.raw_uri().len() as u64),
            "http.stat_code" => self.code.map(u64::from),
            "http.content_len" => {
                let value = self.side(dir).headers.get(Known::ContentLength)?;
                line::content_length(value).map(|(length, _)| length)
            }
            "http.header_count" => Some(self.side(dir).headers.len() as u64),
            _ => None,
        }
    }

    fn log(&self, out: &mut JsonWriter, _what: LogFor) {
        if let Some(host) = self.host() {
            out.bytes("hostname", host);
        }
        if let Some(port) = self.port() {
            out.uint("http_port", u64::from(port));
        }
        if !self.raw_uri().is_empty() {
            out.bytes("url", self.raw_uri());
        }
        let request = &self.request.headers;
        let response = &self.response.headers;
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
        if let Some(referer) = request.get(Known::Referer).filter(|value| !value.is_empty()) {
            out.bytes("http_refer", referer);
        }
        if !self.method().is_empty() {
            out.bytes("http_method", self.method());
        }
        let protocol = self.request.part(&self.protocol);
        if !protocol.is_empty() {
            out.bytes("protocol", protocol);
        }
        match self.code {
            Some(code) => out.uint("status", u64::from(code)),
            None => {
                let status = self.response.part(&self.status);
                if !status.is_empty() {
                    out.bytes("status_string", status);
                }
            }
        }
        if self.code.is_some_and(|code| (300..400).contains(&code)) {
            if let Some(location) = response.get(Known::Location) {
                out.bytes("redirect", location);
            }
        }
        out.uint("length", self.response.wire_len);
    }
}
