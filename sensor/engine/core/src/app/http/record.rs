//! What the detection and the log see of an HTTP transaction: the `Transaction` of the app stage.

use super::buffers;
use super::headers::Known;
use super::tx::HttpTx;
use super::{line, log};
use crate::app::file::File;
use crate::app::{LogFor, Transaction, TxMeta, View};
use crate::direction::Dir;
use crate::json::JsonWriter;
use serde_json::Value;

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
        log::basic(self, out);
        log::extended(self, out);
    }
    fn log_record(&self, _index: usize, out: &mut JsonWriter, options: &Value) {
        log::record(self, out, options);
    }
    fn log_alert(&self, out: &mut JsonWriter, options: &Value) {
        self.log(out, LogFor::Alert);
        log::bodies(self, out, options);
    }
    fn request_header(&self, name: &[u8]) -> Option<&[u8]> {
        self.request.headers.find(std::str::from_utf8(name).ok()?)
    }
}
