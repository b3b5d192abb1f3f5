//! One message of DNP3, put together from its segments. Must not see frames.

use super::decode::Object;
use super::link::{Header, Transport};
use super::log;
use crate::app::{LogFor, Transaction, TxMeta, View};
use crate::direction::Dir;
use crate::json::JsonWriter;

/// The sticky buffer, index in `super::BUFFERS`.
const DATA: usize = 0;

pub struct Dnp3Tx {
    pub meta: TxMeta,
    /// From the master.
    pub request: bool,
    pub link: Header,
    /// Of the last segment.
    pub transport: Transport,
    /// The application layer: header and objects.
    pub data: Vec<u8>,
    pub objects: Vec<Object>,
    /// All objects could be decoded.
    pub decoded: bool,
    pub done: bool,
}

impl Dnp3Tx {
    pub fn new(id: u64, request: bool, link: Header, transport: Transport) -> Dnp3Tx {
        let mut meta = TxMeta::new(id);
        meta.skip[if request { Dir::ToClient } else { Dir::ToServer }] = true;
        meta.record_dir = Some(Dir::ToServer);
        Dnp3Tx {
            meta,
            request,
            link,
            transport,
            data: Vec::new(),
            objects: Vec::new(),
            decoded: false,
            done: false,
        }
    }

    pub fn dir(&self) -> Dir {
        if self.request {
            Dir::ToServer
        } else {
            Dir::ToClient
        }
    }
    pub fn application_control(&self) -> Option<u8> {
        self.data.first().copied()
    }
    pub fn function(&self) -> Option<u8> {
        self.data.get(1).copied()
    }
    /// Internal indications of a response, the first octet in the high bits.
    pub fn indications(&self) -> Option<u16> {
        match (self.request, self.data.get(2..4)) {
            (false, Some(&[first, second])) => Some(u16::from_be_bytes([first, second])),
            _ => None,
        }
    }
    /// Objects stand behind the header.
    pub fn object_bytes(&self) -> &[u8] {
        self.data.get(if self.request { 2 } else { 4 }..).unwrap_or_default()
    }
}

impl Transaction for Dnp3Tx {
    fn meta(&self) -> &TxMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut TxMeta {
        &mut self.meta
    }
    fn progress(&self, _dir: Dir) -> u8 {
        u8::from(self.done)
    }

    fn buffer(&self, local: usize, index: usize, dir: Dir) -> Option<View<'_>> {
        let ready = local == DATA && index == 0 && dir == self.dir() && !self.data.is_empty();
        ready.then(|| View::whole(&self.data))
    }

    fn log(&self, out: &mut JsonWriter, what: LogFor) {
        match what {
            LogFor::Record => log::log(self, out),
            LogFor::Alert => {
                out.open_object(if self.request { "request" } else { "response" });
                log::log(self, out);
                out.close();
            }
        }
    }

    fn number(&self, keyword: &str, dir: Dir) -> Option<u64> {
        self.number_at(keyword, 0, dir)
    }

    fn number_at(&self, keyword: &str, index: usize, dir: Dir) -> Option<u64> {
        if dir != self.dir() || !self.done {
            return None;
        }
        match keyword {
            "dnp3_func" if index == 0 => self.function().map(u64::from),
            "dnp3_ind" if index == 0 => self.indications().map(u64::from),
            // Group and variation in one number.
            "dnp3_obj" => {
                let object = self.objects.get(index)?;
                Some(u64::from(u16::from_be_bytes([object.group, object.variation])))
            }
            _ => None,
        }
    }
}
