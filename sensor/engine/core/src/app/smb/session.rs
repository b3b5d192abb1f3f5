//! What one flow of SMB remembers: its transactions, the names behind handles, the trees, and the calls and files under way.
//! SMB 1 and 2 share it; how their records are read is in `smb1` and `smb2`.

use super::chunks::Chunks;
use super::config::Config;
use super::recent::Recent;
use super::tx::*;
use super::{Event, COMPLETE};
use crate::app::dcerpc::call::Call;
use crate::app::dcerpc::pdu::Interface;
use crate::app::file::{File, FileState};
use crate::app::queue::Queue;
use crate::app::{Transaction, TxMeta};
use crate::direction::{Dir, PerDir};
use std::sync::Arc;

/// Handles, trees, calls and messages remembered of each kind: more than a client has open at once. The oldest go first.
const REMEMBERED_MAX: usize = 4096;
/// Stub data of calls one flow may hold; beyond it the oldest transactions go.
const HELD_MAX_BYTES: usize = 8 << 20;

pub const STATUS_SUCCESS: u32 = 0;
pub const STATUS_PENDING: u32 = 0x103;
pub const STATUS_BUFFER_OVERFLOW: u32 = 0x8000_0005;
pub const STATUS_END_OF_FILE: u32 = 0xc000_0011;

/// Larger than was negotiated, or than the configuration takes; 0 = no limit.
pub fn exceeds(len: u32, negotiated: u32, configured: u32) -> bool {
    (negotiated != 0 && len > negotiated) || (configured != 0 && len > configured)
}

#[derive(Clone, Debug, Default)]
pub enum Dialect {
    #[default]
    Unknown,
    /// SMB 1: the name.
    Text(Arc<[u8]>),
    /// SMB 2 and 3.
    Number(u16),
}

/// The header of a record, as far as both versions have it.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    pub command: Command,
    /// Tells requests apart; the response repeats it.
    pub message: u64,
    pub session: u64,
    pub tree: u32,
    pub status: Status,
}

impl Head {
    pub fn key(&self) -> (Command, u64) {
        (self.command, self.message)
    }
    pub fn nt(&self) -> Option<u32> {
        match self.status {
            Status::Nt(code) => Some(code),
            Status::Dos(0, 0) => Some(STATUS_SUCCESS),
            Status::Dos(..) => None,
        }
    }
    pub fn succeeded(&self) -> bool {
        self.nt() == Some(STATUS_SUCCESS)
    }
}

/// What is to happen to the bytes behind those that a record handler was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    Skip,
    /// They go on with the file of this transaction.
    File(u64),
    /// Nothing was done: the handler wants the record whole.
    Wait,
}

#[derive(Clone)]
pub struct Tree {
    pub name: Vec<u8>,
    pub pipe: bool,
}

/// A named pipe that carries calls.
#[derive(Default)]
pub struct Pipe {
    pub interfaces: Arc<Vec<Interface>>,
    /// A unit of which the rest is still to be read.
    pub partial: Vec<u8>,
}

pub struct Session {
    pub config: Config,
    pub txs: Queue<SmbTx>,
    held: usize,
    pub dialect: Dialect,
    /// Settled in the negotiation: (read, write) in bytes, 0 = not known.
    pub max_sizes: (u32, u32),
    /// Requests that wait for their response.
    pending: Recent<(Command, u64), u64>,
    pub names: Recent<Fid, Vec<u8>>,
    pub trees: Recent<(u64, u32), Tree>,
    /// READs asked for, and the handles of requests whose response does not repeat them: offset and handle by message.
    pub reads: Recent<u64, (Fid, u64)>,
    files: Recent<(Fid, Dir), u64>,
    pub pipes: Recent<Fid, Pipe>,
    /// Calls by handle, call id and, for those of one exchange, message.
    pub calls: Recent<(Fid, u32, u64), u64>,
    /// The name in the last CREATE of the message in hand, which requests chained to it mean by their empty handle.
    pub created: Option<Vec<u8>>,
    /// The negotiation in the form of SMB 1 that waits for an answer in either form.
    pub negotiating: Option<Head>,
}

impl Session {
    pub fn new(config: Config) -> Session {
        Session {
            config,
            txs: Queue::new(usize::MAX), // `make` bounds it, by bytes too
            held: 0,
            dialect: Dialect::Unknown,
            max_sizes: (0, 0),
            pending: Recent::new(REMEMBERED_MAX),
            names: Recent::new(REMEMBERED_MAX),
            trees: Recent::new(REMEMBERED_MAX),
            reads: Recent::new(REMEMBERED_MAX),
            files: Recent::new(REMEMBERED_MAX),
            pipes: Recent::new(REMEMBERED_MAX / 8),
            calls: Recent::new(REMEMBERED_MAX),
            created: None,
            negotiating: None,
        }
    }

    /// Makes a transaction whose request is whole. `answered`: its response is looked for.
    pub fn make(&mut self, head: &Head, kind: Kind, answered: bool) -> &mut SmbTx {
        let mut too_many = false;
        while self.txs.len() >= self.config.live_max || self.held > HELD_MAX_BYTES {
            too_many |= self.txs.len() >= self.config.live_max;
            let Some(old) = self.txs.pop_oldest() else { break };
            self.forget(&old);
        }
        if answered {
            self.pending.insert(head.key(), self.txs.next_id());
        }
        let dialect = self.dialect.clone();
        let tx = self.txs.push(|id| SmbTx {
            meta: TxMeta::new(id),
            command: head.command,
            status: None,
            session: head.session,
            tree: head.tree,
            done: PerDir::new(true, false),
            dialect,
            kind,
        });
        if too_many {
            tx.meta.set_event(Event::TooManyTransactions as u8);
        }
        tx
    }

    /// The transaction that `head` answers; it is not looked for again unless the answer is an interim one.
    pub fn answered(&mut self, head: &Head) -> Option<&mut SmbTx> {
        let id = *self.pending.get(&head.key())?;
        let interim = head.nt() == Some(STATUS_PENDING);
        if !interim {
            self.pending.remove(&head.key());
        }
        let tx = self.get_mut(id)?;
        tx.status = Some(head.status);
        tx.done[Dir::ToClient] |= !interim;
        Some(tx)
    }

    /// The transaction that a response is about to answer.
    pub fn waits(&mut self, head: &Head) -> Option<&mut SmbTx> {
        let id = *self.pending.get(&head.key())?;
        self.get_mut(id)
    }

    pub fn get_mut(&mut self, id: u64) -> Option<&mut SmbTx> {
        self.txs.typed_mut(id)
    }
    pub fn drop_tx(&mut self, id: u64) {
        if let Some(old) = self.txs.remove(id) {
            self.forget(&old);
        }
    }
    fn forget(&mut self, old: &SmbTx) {
        if let Kind::Call(call) = &old.kind {
            self.held = self.held.saturating_sub(call.weight());
        }
    }
    /// `bytes` of stub data were added to a transaction.
    pub fn holds(&mut self, bytes: usize) {
        self.held = self.held.saturating_add(bytes);
    }

    /// Marks the newest transaction.
    pub fn event(&mut self, event: Event) {
        if let Some(tx) = self.txs.last_mut() {
            tx.meta.set_event(event as u8);
        }
    }

    /// Whether the share a record is about carries named pipes; None: its tree was not seen.
    pub fn on_pipe(&self, head: &Head) -> Option<bool> {
        self.trees.get(&(head.session, head.tree)).map(|tree| tree.pipe)
    }

    /// The data of a READ response: `len` bytes at `at` of the record, of which `missing` are still to come.
    pub fn read_data(
        &mut self,
        head: &Head,
        record: &[u8],
        (at, len): (usize, u32),
        missing: u64,
    ) -> Option<After> {
        if exceeds(len, self.max_sizes.0, self.config.read_size_max) {
            self.event(Event::ReadResponseTooLarge);
            return Some(After::Skip);
        }
        // Without its request nobody knows what is read.
        let Some((fid, offset)) = self.reads.get(&head.message).copied() else { return Some(After::Skip) };
        let data = record.get(at..)?;
        let data = data.get(..usize::try_from(len).ok()?).unwrap_or(data);
        let known = self.on_pipe(head);
        let pipe = known.unwrap_or_else(|| self.carries_calls(fid));
        if missing > 0 && (pipe || known.is_none()) {
            return Some(After::Wait);
        }
        self.reads.remove(&head.message);
        if pipe || (known.is_none() && self.seems_to_call(head, fid, data)) {
            if self.carries_calls(fid) {
                self.pipe_response(head, fid, 0, data);
            }
            return Some(After::Skip);
        }
        Some(self.transfer(head, Dir::ToClient, fid, offset, u64::from(len), data))
    }

    /// A stretch of a file is read or written: `data` is what there is of its `len` bytes.
    pub fn transfer(&mut self, head: &Head, dir: Dir, fid: Fid, offset: u64, len: u64, data: &[u8]) -> After {
        let open = self.files.get(&(fid, dir)).copied().filter(|id| {
            self.txs
                .typed(*id)
                .is_some_and(|tx| tx.progress(dir) < COMPLETE && tx.files(dir).iter().all(is_open))
        });
        let id = match open {
            Some(id) => id,
            None => {
                let name = self.names.get(&fid).cloned().unwrap_or_default();
                let share =
                    self.trees.get(&(head.session, head.tree)).map(|t| t.name.clone()).unwrap_or_default();
                let chunks = Chunks::new(&name);
                let tx = self.make(head, Kind::File(Box::new(Transfer { dir, fid, share, chunks })), false);
                tx.done = PerDir::default();
                let id = tx.meta.id;
                self.files.insert((fid, dir), id);
                id
            }
        };
        let (size_max, count_max) = match dir {
            Dir::ToServer => (self.config.write_queue_size, self.config.write_queue_count),
            Dir::ToClient => (self.config.read_queue_size, self.config.read_queue_count),
        };
        let Some(Kind::File(transfer)) = self.get_mut(id).map(|tx| &mut tx.kind) else { return After::Skip };
        let overlaps = transfer.chunks.overlaps(offset);
        let (bytes, count) = transfer.chunks.waiting();
        let full = match dir {
            _ if bytes.saturating_add(len) > size_max => {
                Some([Event::WriteQueueSizeExceeded, Event::ReadQueueSizeExceeded])
            }
            _ if count >= count_max => Some([Event::WriteQueueCntExceeded, Event::ReadQueueCntExceeded]),
            _ => None,
        };
        if full.is_none() {
            transfer.chunks.begin(offset, len);
            transfer.chunks.update(data);
        }
        if overlaps {
            self.event(Event::FileOverlap);
        }
        if let Some([write, read]) = full {
            self.event(if dir == Dir::ToServer { write } else { read });
            return After::Skip;
        }
        After::File(id)
    }

    /// More bytes of a stretch that `transfer` began, or their loss.
    pub fn more(&mut self, id: u64, data: Result<&[u8], u64>) {
        if let Some(Kind::File(transfer)) = self.get_mut(id).map(|tx| &mut tx.kind) {
            match data {
                Ok(bytes) => transfer.chunks.update(bytes),
                Err(lost) => transfer.chunks.lose(lost),
            }
        }
    }

    /// The handle is closed: its files are over.
    pub fn close_file(&mut self, fid: Fid) {
        for dir in Dir::BOTH {
            let Some(id) = self.files.remove(&(fid, dir)) else { continue };
            if let Some(tx) = self.get_mut(id) {
                if let Kind::File(transfer) = &mut tx.kind {
                    transfer.chunks.close();
                }
                tx.done = PerDir::new(true, true);
                tx.status = Some(Status::Nt(STATUS_SUCCESS));
            }
        }
    }

    /// Reading came to the end of a file: what is read of it is whole.
    pub fn end_of_file(&mut self, fid: Fid) {
        let Some(id) = self.files.get(&(fid, Dir::ToClient)).copied() else { return };
        if let Some(Kind::File(transfer)) = self.get_mut(id).map(|tx| &mut tx.kind) {
            transfer.chunks.close();
        }
    }

    /// Makes the transaction of a call.
    pub fn make_call(&mut self, head: &Head, key: (Fid, u32, u64), answered: bool) -> u64 {
        let mut call = Call::new(key.1);
        call.interfaces = self.pipes.get(&key.0).map(|pipe| Arc::clone(&pipe.interfaces)).unwrap_or_default();
        let tx = self.make(head, Kind::Call(Box::new(call)), answered);
        tx.done = PerDir::default();
        let id = tx.meta.id;
        self.calls.insert(key, id);
        id
    }

    /// A window over every file was inspected.
    pub fn inspected(&mut self, id: u64, dir: Dir) {
        if let Some(tx) = self.txs.quiet_mut(id) {
            for file in tx.files_mut(dir) {
                file.inspected();
            }
        }
    }

    /// The flow is over in this direction: files under way are cut.
    pub fn cut(&mut self, dir: Dir) {
        for tx in self.txs.iter_mut() {
            if let Kind::File(transfer) = &mut tx.kind {
                if transfer.dir == dir {
                    transfer.chunks.cut();
                }
            }
        }
    }
}

fn is_open(file: &File) -> bool {
    file.state == FileState::Open
}
