//! One DNS message as a transaction: its sticky buffers and numbers. Must not look at raw bytes.

use super::message::{Message, Record};
use super::options::Form;
use super::{log, log_v2};
use crate::app::{LogFor, Transaction, TxMeta, View};
use crate::direction::Dir;
use crate::json::JsonWriter;

/// Local numbers of the buffers, in the order of `super::BUFFERS`.
pub const QUERY: usize = 0;
pub const QUERIES_RRNAME: usize = 1;
pub const ANSWERS_RRNAME: usize = 2;
pub const AUTHORITIES_RRNAME: usize = 3;
pub const ADDITIONALS_RRNAME: usize = 4;
pub const RESPONSE_RRNAME: usize = 5;

pub struct DnsTx {
    pub meta: TxMeta,
    /// The only direction this transaction has.
    pub dir: Dir,
    pub message: Message,
    /// How it is logged.
    pub form: Form,
}

impl DnsTx {
    pub fn new(id: u64, dir: Dir, message: Message) -> DnsTx {
        let mut meta = TxMeta::new(id);
        meta.events = u128::from(message.oddities);
        meta.skip[dir.opposite()] = true;
        DnsTx { meta, dir, message, form: Form::default() }
    }

    /// Types of the queries, then of the answers.
    fn rrtype(&self, index: usize) -> Option<u16> {
        let queries = &self.message.queries;
        match index.checked_sub(queries.len()) {
            None => queries.get(index).map(|q| q.rrtype),
            Some(at) => self.message.answers.get(at).map(|r| r.rrtype),
        }
    }
}

impl Transaction for DnsTx {
    fn meta(&self) -> &TxMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut TxMeta {
        &mut self.meta
    }
    /// A message is whole when it becomes a transaction; the other direction has nothing to wait for.
    fn progress(&self, _dir: Dir) -> u8 {
        super::COMPLETE
    }

    fn buffer(&self, local: usize, index: usize, dir: Dir) -> Option<View<'_>> {
        if dir != self.dir {
            return None;
        }
        let message = &self.message;
        let of = |records: &[Record]| records.get(index).map(|r| r.name);
        let name = match local {
            QUERY if dir == Dir::ToServer => message.queries.get(index)?.name,
            QUERIES_RRNAME => message.queries.get(index)?.name,
            ANSWERS_RRNAME => of(&message.answers)?,
            AUTHORITIES_RRNAME => of(&message.authorities)?,
            ADDITIONALS_RRNAME => of(&message.additionals)?,
            RESPONSE_RRNAME if dir == Dir::ToClient => message.response_name(index)?,
            _ => return None,
        };
        Some(View::whole(message.name(name)))
    }

    fn log(&self, out: &mut JsonWriter, what: LogFor) {
        if what == LogFor::Alert && self.form.old_in_alerts {
            log_v2::log_in_alert(&self.message, self.meta.id, self.form, out);
        } else {
            log::log(&self.message, self.meta.id, self.form, out);
        }
    }

    fn records(&self) -> usize {
        if self.form.old {
            log_v2::records(&self.message)
        } else {
            1
        }
    }

    fn log_record(&self, index: usize, out: &mut JsonWriter, _options: &serde_json::Value) {
        if self.form.old {
            log_v2::log(&self.message, self.meta.id, index, self.form, out);
        } else {
            self.log(out, LogFor::Record);
        }
    }

    fn number(&self, keyword: &str, dir: Dir) -> Option<u64> {
        self.number_at(keyword, 0, dir)
    }

    fn number_at(&self, keyword: &str, index: usize, dir: Dir) -> Option<u64> {
        if dir != self.dir {
            return None;
        }
        match (keyword, index) {
            ("dns.opcode", 0) => Some(u64::from(self.message.header.opcode())),
            ("dns.rcode", 0) => Some(u64::from(self.message.header.rcode())),
            ("dns.rrtype", _) => self.rrtype(index).map(u64::from),
            _ => None,
        }
    }
}
