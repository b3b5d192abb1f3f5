//! A request with its answer.

use super::request::Request;
use super::response::Response;
use super::{Event, QUERY};
use crate::app::{LogFor, Transaction, TxMeta, View};
use crate::direction::{Dir, PerDir};
use crate::json::JsonWriter;

pub struct PgsqlTx {
    meta: TxMeta,
    pub progress: PerDir<u8>,
    pub request: Request,
    pub response: Response,
    /// Passwords may be written.
    passwords: bool,
}

impl PgsqlTx {
    pub fn new(id: u64, request: Request, passwords: bool) -> PgsqlTx {
        let progress = PerDir::new(super::COMPLETE, 0);
        PgsqlTx { meta: TxMeta::new(id), progress, request, response: Response::default(), passwords }
    }
    pub fn event(&mut self, event: Event) {
        self.meta.set_event(event as u8);
    }
    /// There is nothing but the event.
    pub fn only_event(&mut self, event: Event) {
        self.event(event);
        self.meta.logged = true;
        self.finish();
    }
    pub fn finish(&mut self) {
        self.progress = PerDir::new(super::COMPLETE, super::COMPLETE);
    }
    /// The answer came without a request: there is only its direction.
    pub fn unasked(&mut self) {
        self.meta.skip[Dir::ToServer] = true;
    }
}

impl Transaction for PgsqlTx {
    fn meta(&self) -> &TxMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut TxMeta {
        &mut self.meta
    }
    fn progress(&self, dir: Dir) -> u8 {
        self.progress[dir]
    }
    fn buffer(&self, local: usize, index: usize, dir: Dir) -> Option<View<'_>> {
        match (&self.request, local, index, dir) {
            (Request::Query(text), QUERY, 0, Dir::ToServer) => Some(View::whole(text)),
            _ => None,
        }
    }
    fn log(&self, out: &mut JsonWriter, _what: LogFor) {
        // EVE counts the transactions of a flow from one.
        out.uint("tx_id", self.meta.id.saturating_add(1));
        if !matches!(self.request, Request::None) {
            out.open_object("request");
            self.request.log(self.passwords, out);
            out.close();
        }
        if !self.response.is_empty() {
            out.open_object("response");
            self.response.log(out);
            out.close();
        }
    }
}
