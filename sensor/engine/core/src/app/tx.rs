//! A transaction as the driver, the detection and the log see it.

use super::file::File;
use crate::direction::{Dir, PerDir};
use crate::json::JsonWriter;

/// A stretch of a sticky buffer to inspect.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub data: &'a [u8],
    /// Offset of data[0] in the whole buffer (0 unless the buffer streams and its window has moved).
    pub offset: u64,
    /// The buffer has its last byte: end-relative tests (`endswith`, `bsize`, `isdataat:!`) are final.
    pub complete: bool,
}

impl<'a> View<'a> {
    /// A whole, finished buffer.
    pub fn whole(data: &'a [u8]) -> Self {
        View { data, offset: 0, complete: true }
    }
}

/// What the record is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFor {
    /// The protocol's own event.
    Record,
    /// The object inside an alert.
    Alert,
}

/// How many app-layer events one protocol may have.
pub const EVENTS_MAX: usize = 128;

/// State the driver and the detection keep on every transaction.
#[derive(Default)]
pub struct TxMeta {
    pub id: u64,
    /// App-layer events, bit = index in `Protocol::events`.
    pub events: u128,
    /// Directions in which the transaction has nothing to inspect (a DNS answer has no request side).
    pub skip: PerDir<bool>,
    /// The direction to write the record in, where the protocol has a say.
    pub record_dir: Option<Dir>,
    /// The record is written.
    pub logged: bool,
    /// Events already written as anomaly records.
    pub events_logged: u128,
    /// The rule (sid) that asked for all files of a direction to be stored.
    pub store: PerDir<Option<u32>>,
    /// Detection progress; belongs to `detect`.
    pub detect: PerDir<crate::detect::TxDetect>,
}

impl TxMeta {
    pub fn new(id: u64) -> Self {
        TxMeta { id, ..Self::default() }
    }
    /// The direction to write the record in: to the server, unless the transaction has only the other side or says so.
    pub fn dir(&self) -> Dir {
        if let Some(dir) = self.record_dir {
            dir
        } else if self.skip[Dir::ToServer] {
            Dir::ToClient
        } else {
            Dir::ToServer
        }
    }
    pub fn set_event(&mut self, index: u8) {
        if usize::from(index) < EVENTS_MAX {
            self.events |= 1u128 << index;
        }
    }
    pub fn has_event(&self, index: u8) -> bool {
        usize::from(index) < EVENTS_MAX && self.events & (1u128 << index) != 0
    }
}

/// One request with its answer, or whatever unit the protocol has.
pub trait Transaction {
    fn meta(&self) -> &TxMeta;
    fn meta_mut(&mut self) -> &mut TxMeta;
    /// How far this direction is; counts up to `Protocol::complete`.
    fn progress(&self, dir: Dir) -> u8;
    /// Sticky buffer `local` (index in `Protocol::buffers`), instance `index` (0 unless multi). None: absent, or nothing
    /// to inspect (yet). Computed forms are cached inside the transaction, so a second call costs nothing.
    fn buffer(&self, local: usize, index: usize, dir: Dir) -> Option<View<'_>>;
    /// Writes the members of the record's object (the caller has opened it).
    fn log(&self, out: &mut JsonWriter, what: LogFor);
    /// How many records it gives: more than one where each is about a part of it (DNS queries in their old form).
    fn records(&self) -> usize {
        1
    }
    /// Writes the members of record number `index`. `options`: what the configuration says of the record's type, under
    /// `eve-types`, null where it says nothing.
    fn log_record(&self, _index: usize, out: &mut JsonWriter, _options: &serde_json::Value) {
        self.log(out, LogFor::Record);
    }
    /// Writes the members of the record's object as an alert shows it. `options`: of the type `alert`.
    fn log_alert(&self, out: &mut JsonWriter, _options: &serde_json::Value) {
        self.log(out, LogFor::Alert);
    }
    /// A header of the request, by its name in any case.
    fn request_header(&self, _name: &[u8]) -> Option<&[u8]> {
        None
    }
    /// Event types of further records of this transaction (DNS over HTTP/2: "dns").
    fn more_records(&self) -> &'static [&'static str] {
        &[]
    }
    /// Writes the members of such a record's object.
    fn log_more(&self, _record: &str, _out: &mut JsonWriter) {}
    /// Writes what stands beside the record's object in the same event (SMTP: `email`), with its key. `options`: what the
    /// configuration says of the record's type, under `eve-types`.
    fn log_beside(&self, _out: &mut JsonWriter, _what: LogFor, _options: &serde_json::Value) {}
    /// Files carried in this direction.
    fn files(&self, _dir: Dir) -> &[File] {
        &[]
    }
    fn files_mut(&mut self, _dir: Dir) -> &mut [File] {
        &mut []
    }
    /// Adds a file that came in pieces and was put together with the last of them in this direction; it is over.
    fn add_file(&mut self, _dir: Dir, _file: File) {}
    /// A number that integer keywords ask for (e.g. "urilen", "dns.rcode", "http.stat_code"), None where absent.
    fn number(&self, _keyword: &str, _dir: Dir) -> Option<u64> {
        None
    }
    /// Interfaces a DCE/RPC call may be about (dcerpc.iface).
    fn interfaces(&self) -> &[super::dcerpc::pdu::Interface] {
        &[]
    }
    /// The byte order in which the sender of this direction says it writes (DCE/RPC; `byte_test:…,dce`).
    fn little_endian(&self, _dir: Dir) -> Option<bool> {
        None
    }
    /// Numbers of which a transaction may have several (e.g. "dns.rrtype"): instance 0, 1, ... until None.
    fn number_at(&self, keyword: &str, index: usize, dir: Dir) -> Option<u64> {
        match index {
            0 => self.number(keyword, dir),
            _ => None,
        }
    }
}
