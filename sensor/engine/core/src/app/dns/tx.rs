//! One DNS message as a transaction: its sticky buffers and numbers. Must not look at raw bytes.

use super::log;
use super::message::{Message, Record};
use crate::app::{LogFor, Transaction, TxMeta, View};
use crate::direction::Dir;
use crate::event::JsonWriter;

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
}

impl DnsTx {
    pub fn new(id: u64, dir: Dir, message: Message) -> DnsTx {
        let mut meta = TxMeta::new(id);
        meta.events = u128::from(message.oddities);
        meta.skip[dir.opposite()] = true;
        DnsTx { meta, dir, message }
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

    fn log(&self, out: &mut JsonWriter, _what: LogFor) {
        log::log(&self.message, self.meta.id, out);
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
