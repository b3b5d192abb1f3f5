//! Calls meet their replies by transaction id; reads and writes of one file become one transfer.

use super::message::{Arguments, Piece, Results};
use super::recent::Recent;
use super::record::{Part, Records};
use super::rpc::{Body, Call, Header, Reply, NFS_PROGRAM};
use super::transfer::Transfer;
use super::tx::{FileTransfer, NfsTx};
use super::xdr::Reader;
use super::{v3, v4, Event};
use crate::app::file::FileState;
use crate::app::queue::{answers_from_queue, Queue};
use crate::app::{Outcome, ParseCx, Parser};
use crate::direction::{Dir, PerDir};
use crate::setting::count;
use serde_json::Value;
use std::collections::HashMap;

/// Calls without a reply before the oldest is given up, when the configuration says nothing (Suricata: 1024).
const TX_MAX: usize = 1024;
/// Ids from the oldest transaction to the newest: a file that stays open beyond so many calls is cut, so that looking
/// through a flow's transactions stays cheap.
const TX_SPAN_MAX: u64 = 4096;
/// Calls whose reply is awaited, and names of handles remembered: what a client walks through at once.
const CALLS_MAX: usize = 4096;
const NAMES_MAX: usize = 4096;
/// Files in transfer at once; each may hold pieces that came early.
const FILES_MAX: usize = 32;
const GETATTR: u32 = 1;
/// The newest minor version of NFSv4 (RFC 7862).
const MINOR_MAX: u32 = 2;

/// What a reply needs to know of its call.
struct Pending {
    version: u32,
    procedure: u32,
    tx: Option<u64>,
    handle: Vec<u8>,
    name: Vec<u8>,
    offset: u64,
    /// The call, for the transfer that its reply begins.
    read: Option<Call>,
}

/// Data of a file that runs on behind the head of a message.
struct Sink {
    tx: u64,
    offset: u64,
    left: usize,
    ends_file: bool,
}

/// The NFS state of one flow.
pub struct NfsParser {
    txs: Queue<NfsTx>,
    max_tx: usize,
    /// `too_many_transactions` was raised.
    crowded: bool,
    records: PerDir<Records>,
    sinks: PerDir<Option<Sink>>,
    calls: Recent<u32, Pending>,
    /// Names of handles.
    names: Recent<Vec<u8>, Vec<u8>>,
    /// Transfers in hand, by handle and direction.
    files: HashMap<(Vec<u8>, Dir), u64>,
    datagram: bool,
}

impl NfsParser {
    pub fn new(config: &Value) -> NfsParser {
        let max_tx = count(&config["max-tx"]).filter(|n| *n > 0).unwrap_or(TX_MAX);
        NfsParser {
            txs: Queue::new(max_tx.saturating_mul(2)),
            max_tx,
            crowded: false,
            records: PerDir::default(),
            sinks: PerDir::default(),
            calls: Recent::new(CALLS_MAX),
            names: Recent::new(NAMES_MAX),
            files: HashMap::new(),
            datagram: false,
        }
    }

    fn begin(&mut self, xid: u32, version: u32, procedure: u32) -> &mut NfsTx {
        let ids = self.txs.ids();
        let span = ids.end.saturating_sub(ids.start);
        let crowded = self.txs.len() >= self.max_tx;
        if crowded {
            if let Some(oldest) = self.txs.find_mut(|tx| !tx.over) {
                give_up(oldest);
            }
        }
        if span >= TX_SPAN_MAX {
            if let Some(oldest) = self.txs.typed_mut(ids.start) {
                give_up(oldest);
            }
        }
        // Those given up are logged and go; if nothing inspects them, memory is still bounded.
        if span >= TX_SPAN_MAX.saturating_mul(2) {
            self.txs.pop_oldest();
        }
        let datagram = self.datagram;
        let tx = self.txs.push(|id| NfsTx::new(id, xid, version, procedure));
        if datagram {
            // The reply's datagram ends it.
            tx.meta.record_dir = Some(Dir::ToClient);
        }
        if crowded && !std::mem::replace(&mut self.crowded, true) {
            tx.meta.set_event(Event::TooManyTransactions as u8);
        }
        tx
    }

    /// A transaction that carries an event and has nothing else to say.
    fn oddity(&mut self, dir: Dir, event: Event) {
        let tx = self.begin(0, 0, 0);
        tx.meta.set_event(event as u8);
        tx.meta.logged = true;
        tx.meta.skip[dir.opposite()] = true;
        tx.over = true;
    }

    /// Reads a message as far as it stands in `head`. Some: data of a file follows.
    fn message(&mut self, dir: Dir, head: &[u8], whole: bool) -> Option<Sink> {
        let mut reader = Reader::new(head);
        match Header::read(&mut reader) {
            Some(Header { xid, body: Body::Call(call) }) if call.program == NFS_PROGRAM => {
                self.call(dir, xid, call, &mut reader, whole)
            }
            Some(Header { xid, body: Body::Reply(reply) }) => {
                self.reply(dir, xid, &reply, &mut reader, whole)
            }
            Some(_) => None,
            None => {
                self.oddity(dir, Event::MalformedData);
                None
            }
        }
    }

    fn call(&mut self, dir: Dir, xid: u32, call: Call, reader: &mut Reader<'_>, whole: bool) -> Option<Sink> {
        let args = match (call.version, call.procedure) {
            (2 | 3, _) => v3::arguments(call.version, call.procedure, reader),
            (4, 0) => Some(Arguments::default()),
            (4, 1) => v4::arguments(reader),
            (4, _) => None,
            _ => {
                self.oddity(dir, Event::NonExistingVersion);
                return None;
            }
        };
        let malformed = args.is_none() && whole;
        let args = args.unwrap_or(Arguments { procedure: call.procedure, ..Arguments::default() });
        let mut name = args.name;
        let known = self.names.get(args.handle).cloned().unwrap_or_default();
        if name.is_empty() {
            name = &known;
        }
        let mut pending = Pending {
            version: call.version,
            procedure: args.procedure,
            tx: None,
            handle: args.handle.to_vec(),
            name: name.to_vec(),
            offset: args.offset,
            read: None,
        };
        let mut sink = None;
        if let Some(piece) = args.write {
            pending.tx =
                self.transfer(Dir::ToServer, xid, &call, args.procedure, &pending.handle, &pending.name);
            sink = pending.tx.and_then(|tx| self.piece(tx, xid, args.offset, piece, args.ends_file));
        } else if args.reads {
            pending.read = Some(call);
        } else {
            if args.ends_file {
                self.end_file(args.handle, Dir::ToServer);
                self.end_file(args.handle, Dir::ToClient);
            }
            let tx = self.begin(xid, call.version, args.procedure);
            if malformed {
                tx.meta.set_event(Event::MalformedData as u8);
            }
            if args.minor > MINOR_MAX {
                tx.meta.set_event(Event::UnsupportedVersion as u8);
            }
            // Clients ask for attributes all the time: Suricata does not log it either.
            tx.meta.logged = call.version <= 3 && args.procedure == GETATTR;
            (tx.auth, tx.unix) = (call.auth, call.unix);
            tx.handle = pending.handle.clone();
            tx.name = pending.name.clone();
            tx.to = args.to.map(<[u8]>::to_vec);
            pending.tx = Some(tx.meta.id);
        }
        self.calls.insert(xid, pending);
        sink
    }

    fn reply(
        &mut self,
        dir: Dir,
        xid: u32,
        reply: &Reply,
        reader: &mut Reader<'_>,
        whole: bool,
    ) -> Option<Sink> {
        let pending = self.calls.take(&xid)?;
        let results = match (reply.success, pending.version, pending.procedure) {
            (false, ..) | (true, 4, 0) => Some(Results::default()),
            (true, 4, _) => v4::results(reader),
            (true, version, procedure) => v3::results(version, procedure, pending.offset, reader),
        };
        if results.is_none() && whole {
            self.oddity(dir, Event::MalformedData);
        }
        let results = results.unwrap_or_default();
        let status = reply.success.then_some(results.status);
        if let Some(handle) = results.handle {
            self.remember(handle, &pending.name);
        }
        for (name, handle) in &results.entries {
            self.remember(handle, name);
        }
        let mut tx = pending.tx;
        let mut sink = None;
        if let (Some(call), Some(piece)) = (pending.read, results.read) {
            tx = self.transfer(Dir::ToClient, xid, &call, pending.procedure, &pending.handle, &pending.name);
            sink = tx.and_then(|tx| self.piece(tx, xid, pending.offset, piece, results.eof));
        }
        let tx = self.txs.typed_mut(tx?)?;
        tx.accepted = Some(reply.accepted);
        tx.status = status.or(tx.status);
        tx.over = true;
        sink
    }

    fn remember(&mut self, handle: &[u8], name: &[u8]) {
        if !name.is_empty() && !handle.is_empty() {
            self.names.insert(handle.to_vec(), name.to_vec());
        }
    }

    /// The transfer of a file in hand, or a new one.
    fn transfer(
        &mut self,
        dir: Dir,
        xid: u32,
        call: &Call,
        procedure: u32,
        handle: &[u8],
        name: &[u8],
    ) -> Option<u64> {
        let key = (handle.to_vec(), dir);
        if let Some(id) = self.files.get(&key).copied() {
            let open = self.txs.typed(id).and_then(|tx| tx.file.as_ref());
            if open.is_some_and(|file| file.transfer.is_open()) {
                return Some(id);
            }
        }
        let tx = self.begin(xid, call.version, procedure);
        (tx.auth, tx.unix) = (call.auth, call.unix.clone());
        (tx.handle, tx.name) = (handle.to_vec(), name.to_vec());
        tx.file =
            Some(Box::new(FileTransfer { transfer: Transfer::new(name), dir, last_xid: xid, pieces: 0 }));
        let id = tx.meta.id;
        self.files.insert(key, id);
        if self.files.len() > FILES_MAX {
            self.close_oldest_file();
        }
        Some(id)
    }

    fn close_oldest_file(&mut self) {
        let Some((key, id)) = self.files.iter().min_by_key(|(_, id)| **id).map(|(k, id)| (k.clone(), *id))
        else {
            return;
        };
        self.files.remove(&key);
        if let Some(tx) = self.txs.typed_mut(id) {
            give_up(tx);
        }
    }

    /// Data at an offset of the file of transaction `id`. Some: more of it follows behind the head.
    fn piece(&mut self, id: u64, xid: u32, offset: u64, piece: Piece<'_>, ends_file: bool) -> Option<Sink> {
        let file = self.txs.typed_mut(id)?.file.as_mut()?;
        file.last_xid = xid;
        file.pieces = file.pieces.saturating_add(1);
        file.transfer.piece(offset, piece.data);
        if piece.missing == 0 {
            if ends_file {
                file.ended(offset.saturating_add(piece.data.len() as u64));
            }
            return None;
        }
        let offset = offset.saturating_add(piece.data.len() as u64);
        Some(Sink { tx: id, offset, left: piece.missing, ends_file })
    }

    fn end_file(&mut self, handle: &[u8], dir: Dir) {
        let Some(id) = self.files.remove(&(handle.to_vec(), dir)) else { return };
        if let Some(file) = self.txs.typed_mut(id).and_then(|tx| tx.file.as_mut()) {
            file.transfer.close(FileState::Closed);
        }
    }

    /// Bytes behind the head: the rest of a file's data, as far as it goes.
    fn more(&mut self, dir: Dir, bytes: &[u8]) {
        let Some(mut sink) = self.sinks[dir].take() else { return };
        let here = bytes.get(..sink.left).unwrap_or(bytes);
        let Some(file) = self.txs.typed_mut(sink.tx).and_then(|tx| tx.file.as_mut()) else { return };
        file.transfer.piece(sink.offset, here);
        sink.offset = sink.offset.saturating_add(here.len() as u64);
        sink.left = sink.left.saturating_sub(here.len());
        if sink.left > 0 {
            self.sinks[dir] = Some(sink);
        } else if sink.ends_file {
            file.ended(sink.offset);
        }
    }
}

/// Nothing more is expected of it.
fn give_up(tx: &mut NfsTx) {
    tx.over = true;
    if let Some(file) = &mut tx.file {
        file.transfer.close(FileState::Truncated);
    }
}

impl Parser for NfsParser {
    fn parse(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Outcome {
        if cx.datagram {
            self.datagram = true;
            self.message(dir, data, true);
            return Outcome::Done;
        }
        let mut rest = data;
        while let Some(part) = self.records[dir].next(&mut rest) {
            match part {
                Part::Head { whole } => {
                    let head = std::mem::take(&mut self.records[dir].head);
                    if !head.is_empty() {
                        self.sinks[dir] = self.message(dir, &head, whole);
                    }
                    self.records[dir].head = head;
                }
                Part::More(bytes) => self.more(dir, bytes),
                Part::End => self.sinks[dir] = None,
                Part::Broken => {
                    self.oddity(dir, Event::MalformedData);
                    return Outcome::Broken;
                }
            }
        }
        Outcome::Done
    }

    fn gap(&mut self, dir: Dir, len: u64, _cx: &mut ParseCx) -> Outcome {
        match (self.records[dir].gap(len), &mut self.sinks[dir]) {
            // What lies behind the hole is put where it belongs; the hole shows when the file ends.
            (Some(len), Some(sink)) => {
                let lost = usize::try_from(len).unwrap_or(usize::MAX).min(sink.left);
                sink.offset = sink.offset.saturating_add(lost as u64);
                sink.left = sink.left.saturating_sub(lost);
            }
            _ => self.sinks[dir] = None,
        }
        Outcome::Done
    }

    fn close(&mut self, dir: Dir, _cx: &mut ParseCx) {
        if dir == Dir::ToClient {
            self.txs.iter_mut().for_each(give_up);
        }
    }

    answers_from_queue!();
    fn inspected(&mut self, id: u64, dir: Dir) {
        let tx = self.txs.quiet_mut(id);
        if let Some(file) = tx.and_then(|tx| tx.file.as_mut()).filter(|file| file.dir == dir) {
            let [file] = &mut file.transfer.file;
            file.inspected();
        }
    }
}
