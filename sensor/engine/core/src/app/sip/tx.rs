//! One SIP message as a transaction.

use super::message::Head;
use super::sdp::Sdp;
use super::{buffers, log, Event, COMPLETE};
use crate::app::{LogFor, Transaction, TxMeta, View};
use crate::direction::Dir;
use crate::json::JsonWriter;

/// What a message says.
pub struct Content {
    pub head: Head,
    pub sdp: Option<Sdp>,
}

pub struct SipTx {
    meta: TxMeta,
    dir: Dir,
    /// None: it could not be read, there is only an event.
    content: Option<Content>,
}

impl SipTx {
    pub fn new(id: u64, dir: Dir, content: Content) -> SipTx {
        let mut meta = TxMeta::new(id);
        meta.skip[dir.opposite()] = true;
        SipTx { meta, dir, content: Some(content) }
    }
    /// Stands for a message that could not be read: it has no record.
    pub fn unreadable(id: u64, dir: Dir, event: Event) -> SipTx {
        let mut meta = TxMeta::new(id);
        meta.skip[dir.opposite()] = true;
        meta.logged = true;
        meta.set_event(event as u8);
        SipTx { meta, dir, content: None }
    }
}

impl Transaction for SipTx {
    fn meta(&self) -> &TxMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut TxMeta {
        &mut self.meta
    }
    /// A message is whole when it becomes a transaction; the other direction has nothing to wait for.
    fn progress(&self, _dir: Dir) -> u8 {
        COMPLETE
    }
    fn buffer(&self, local: usize, index: usize, dir: Dir) -> Option<View<'_>> {
        if dir != self.dir || buffers::BUFFERS.get(local)?.progress[dir].is_none() {
            return None;
        }
        buffers::find(self.content.as_ref()?, local, index).map(View::whole)
    }
    fn log(&self, out: &mut JsonWriter, _what: LogFor) {
        if let Some(content) = &self.content {
            log::log(content, out);
        }
    }
}
