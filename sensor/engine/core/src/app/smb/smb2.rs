//! Records of SMB 2 and 3 (MS-SMB2 section 2.2): what each command asks and answers, as far as rules and the log need it.

use super::auth;
use super::session::{
    After, Dialect, Head, Session, Tree, STATUS_BUFFER_OVERFLOW, STATUS_END_OF_FILE, STATUS_PENDING,
};
use super::tx::*;
use super::{names, Event};
use crate::app::wire::Reader;
use crate::direction::Dir;

pub const MAGIC: &[u8] = b"\xfeSMB";
/// The header of an encrypted message (MS-SMB2 2.2.41).
pub const ENCRYPTED_MAGIC: &[u8] = b"\xfdSMB";
pub const HEADER_LEN: usize = 64;
pub const ENCRYPTED_HEADER_LEN: usize = 52;
/// Bytes of a READ response or WRITE request before the data, header included.
pub const DATA_AT: usize = 112;

const NEGOTIATE: u16 = 0;
const SESSION_SETUP: u16 = 1;
const TREE_CONNECT: u16 = 3;
const TREE_DISCONNECT: u16 = 4;
const CREATE: u16 = 5;
const CLOSE: u16 = 6;
pub const READ: u16 = 8;
pub const WRITE: u16 = 9;
const IOCTL: u16 = 11;
const GET_INFO: u16 = 16;
const SET_INFO: u16 = 17;

/// The server to redirect, or the handle of the CREATE in the same message (MS-SMB2 3.3.5.2.7.2).
const CHAINED: Fid = Fid::Smb2([0xff; 16]);

/// A record's header.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    pub head: Head,
    pub command: u16,
    pub response: bool,
    /// Where the next record of the message begins, counted from this one; 0 = none.
    pub next: usize,
}

impl Record {
    pub fn read(data: &[u8]) -> Option<Record> {
        if !data.starts_with(MAGIC) {
            return None;
        }
        let mut reader = Reader::new(data, true);
        reader.skip(8)?;
        let status = reader.u32()?;
        let command = reader.u16()?;
        reader.skip(2)?;
        let flags = reader.u32()?;
        let next = usize::try_from(reader.u32()?).ok()?;
        let message = reader.u64()?;
        reader.skip(4)?;
        // An asynchronous record has the second half of its id here.
        let tree = reader.u32()?;
        let tree = if flags & 2 != 0 { 0 } else { tree };
        let session = reader.u64()?;
        reader.skip(16)?;
        let head =
            Head { command: Command::Smb2(command), message, session, tree, status: Status::Nt(status) };
        Some(Record { head, command, response: flags & 1 != 0, next })
    }
}

/// A file id.
fn fid(reader: &mut Reader<'_>) -> Option<Fid> {
    reader.array().map(Fid::Smb2)
}

/// `len` bytes of the record at `at`, counted from its header.
fn part(record: &[u8], at: usize, len: usize) -> Option<&[u8]> {
    record.get(at..at.checked_add(len)?)
}

fn body(record: &[u8]) -> Reader<'_> {
    Reader::new(record.get(HEADER_LEN..).unwrap_or_default(), true)
}

/// Seconds since 1970 of a FILETIME; 0 when it is not set.
pub fn seconds(filetime: u64) -> u64 {
    (filetime / 10_000_000).saturating_sub(11_644_473_600)
}

impl Session {
    /// A request; `record` begins with its header, of which `missing` bytes are still to come.
    pub fn smb2_request(&mut self, r: &Record, record: &[u8], missing: u64) -> After {
        let mut after = After::Skip;
        let done = match r.command {
            NEGOTIATE => self.smb2_negotiate(r, record),
            SESSION_SETUP => self.smb2_setup(r, record),
            TREE_CONNECT => self.smb2_tree_connect(r, record),
            CREATE => self.smb2_create(r, record),
            IOCTL => self.smb2_ioctl(r, record),
            SET_INFO => self.smb2_set_info(r, record),
            CLOSE => self.smb2_close(r, record),
            READ => self.smb2_read(r, record),
            WRITE => self.smb2_write(r, record, missing).map(|what| after = what),
            _ => Some(()),
        };
        let made =
            matches!(r.command, NEGOTIATE | SESSION_SETUP | TREE_CONNECT | CREATE | IOCTL) && done.is_some();
        // What is read, written and asked of files has transactions of its own.
        if !made && !matches!(r.command, READ | WRITE | GET_INFO | SET_INFO) {
            self.make(&r.head, Kind::Generic, true);
        }
        if done.is_none() {
            self.event(Event::MalformedData);
        }
        after
    }

    fn smb2_negotiate(&mut self, r: &Record, record: &[u8]) -> Option<()> {
        let mut reader = body(record);
        reader.skip(2)?;
        let count = reader.u16()?;
        reader.skip(8)?;
        let client_guid = reader.array()?;
        reader.skip(8)?;
        let mut dialects = Vec::new();
        for _ in 0..count.min(64) {
            dialects.push(names::dialect(reader.u16()?).as_bytes().to_vec());
        }
        let negotiate = Negotiate { dialects, client_guid: Some(client_guid), ..Negotiate::default() };
        self.make(&r.head, Kind::Negotiate(Box::new(negotiate)), true);
        Some(())
    }

    fn smb2_setup(&mut self, r: &Record, record: &[u8]) -> Option<()> {
        let mut reader = body(record);
        reader.skip(12)?;
        let (at, len) = (usize::from(reader.u16()?), usize::from(reader.u16()?));
        let logon = auth::read(part(record, at, len)?);
        self.make_setup(&r.head, Setup { logon, ..Setup::default() });
        Some(())
    }

    /// The transaction of a session setup, with what is odd about it.
    pub fn make_setup(&mut self, head: &Head, setup: Setup) {
        let odd = [
            (setup.logon.malformed, Event::MalformedNtlmsspRequest),
            (setup.logon.unusual, Event::UnusualNtlmsspOrder),
        ];
        let tx = self.make(head, Kind::Setup(Box::new(setup)), true);
        for (_, event) in odd.into_iter().filter(|(is, _)| *is) {
            tx.meta.set_event(event as u8);
        }
    }

    fn smb2_tree_connect(&mut self, r: &Record, record: &[u8]) -> Option<()> {
        let mut reader = body(record);
        reader.skip(4)?;
        let (at, len) = (usize::from(reader.u16()?), usize::from(reader.u16()?));
        let name = auth::without_nulls(part(record, at, len)?);
        self.make(&r.head, Kind::Tree(Box::new(TreeConnect { name, ..TreeConnect::default() })), true);
        Some(())
    }

    fn smb2_create(&mut self, r: &Record, record: &[u8]) -> Option<()> {
        let mut reader = body(record);
        reader.skip(36)?;
        let (disposition, options) = (reader.u32()?, reader.u32()?);
        let (at, len) = (usize::from(reader.u16()?), usize::from(reader.u16()?));
        let name = auth::without_nulls(part(record, at, len)?);
        self.created = Some(name.clone());
        self.make_create(&r.head, name, disposition, options);
        Some(())
    }

    pub fn make_create(&mut self, head: &Head, name: Vec<u8>, disposition: u32, options: u32) {
        let (directory, delete_on_close) = (options & 1 != 0, options & 0x1000 != 0);
        let create = Create { name, disposition, directory, delete_on_close, ..Create::default() };
        self.make(head, Kind::Create(Box::new(create)), true);
    }

    fn smb2_ioctl(&mut self, r: &Record, record: &[u8]) -> Option<()> {
        let mut reader = body(record);
        reader.skip(4)?;
        let function = reader.u32()?;
        let fid = fid(&mut reader)?;
        let (at, len) = (reader.u32()?, reader.u32()?);
        const TRANSCEIVE: u32 = 0x0011_c017; // FSCTL_PIPE_TRANSCEIVE
        if function == TRANSCEIVE && self.carries_calls(fid) {
            let data = part(record, usize::try_from(at).ok()?, usize::try_from(len).ok()?)?;
            self.pipe_request(&r.head, fid, call_message(r), data);
        } else {
            self.make(&r.head, Kind::Ioctl(function), true);
        }
        Some(())
    }

    fn smb2_set_info(&mut self, r: &Record, record: &[u8]) -> Option<()> {
        const FILE: u8 = 1;
        const RENAME: u8 = 10;
        const DISPOSITION: u8 = 13;
        let mut reader = body(record);
        reader.skip(2)?;
        let (kind, class) = (reader.u8()?, reader.u8()?);
        let len = usize::try_from(reader.u32()?).ok()?;
        let at = usize::from(reader.u16()?);
        reader.skip(6)?;
        let fid = fid(&mut reader)?;
        if kind != FILE || !matches!(class, RENAME | DISPOSITION) {
            return Some(());
        }
        let chained = self.created.clone().filter(|_| fid == CHAINED);
        let name = self.names.get(&fid).cloned().or(chained).unwrap_or_else(|| b"<unknown>".to_vec());
        let mut data = Reader::new(part(record, at, len)?, true);
        let kind = if class == RENAME {
            data.skip(16)?;
            let len = usize::try_from(data.u32()?).ok()?;
            Kind::Rename { from: name, to: auth::without_nulls(data.bytes(len)?), fid }
        } else {
            let delete = data.u8()? != 0;
            Kind::Disposition { name, delete, subcommand: u16::from(FILE), level: u16::from(class), fid }
        };
        self.make(&r.head, kind, true);
        Some(())
    }

    fn smb2_close(&mut self, _r: &Record, record: &[u8]) -> Option<()> {
        let mut reader = body(record);
        reader.skip(8)?;
        let fid = fid(&mut reader)?;
        self.close_file(fid);
        Some(())
    }

    fn smb2_read(&mut self, r: &Record, record: &[u8]) -> Option<()> {
        let mut reader = body(record);
        reader.skip(4)?;
        let (len, offset) = (reader.u32()?, reader.u64()?);
        let fid = fid(&mut reader)?;
        if exceeds(len, self.max_sizes.0, self.config.read_size_max) {
            self.event(Event::ReadRequestTooLarge);
        } else {
            self.reads.insert(r.head.message, (fid, offset));
        }
        Some(())
    }

    fn smb2_write(&mut self, r: &Record, record: &[u8], missing: u64) -> Option<After> {
        let mut reader = body(record);
        reader.skip(2)?;
        let at = usize::from(reader.u16()?);
        let (len, offset) = (reader.u32()?, reader.u64()?);
        let fid = fid(&mut reader)?;
        if exceeds(len, self.max_sizes.1, self.config.write_size_max) {
            self.event(Event::WriteRequestTooLarge);
            return Some(After::Skip);
        }
        let data = record.get(at..)?;
        let data = data.get(..usize::try_from(len).ok()?).unwrap_or(data);
        if self.on_pipe(&r.head).unwrap_or_else(|| self.carries_calls(fid)) {
            if missing > 0 {
                return Some(After::Wait);
            }
            if self.carries_calls(fid) {
                self.pipe_request(&r.head, fid, 0, data);
            }
            return Some(After::Skip);
        }
        if self.on_pipe(&r.head).is_none() && self.seems_to_call(&r.head, fid, data) {
            if missing > 0 {
                return Some(After::Wait);
            }
            self.pipe_request(&r.head, fid, 0, data);
            return Some(After::Skip);
        }
        Some(self.transfer(&r.head, Dir::ToServer, fid, offset, u64::from(len), data))
    }

    /// A response; the arguments are those of `smb2_request`.
    pub fn smb2_response(&mut self, r: &Record, record: &[u8], missing: u64) -> After {
        let mut after = After::Skip;
        let done = match r.command {
            READ => self.smb2_read_response(r, record, missing).map(|what| after = what),
            IOCTL => self.smb2_ioctl_response(r, record),
            _ => {
                if r.command == TREE_DISCONNECT {
                    self.trees.remove(&(r.head.session, r.head.tree));
                }
                let done = self.smb2_other_response(r, record);
                self.answered(&r.head);
                done
            }
        };
        if done.is_none() {
            self.event(Event::MalformedData);
        }
        after
    }

    /// Fills in what the response tells, before the transaction counts as answered.
    fn smb2_other_response(&mut self, r: &Record, record: &[u8]) -> Option<()> {
        if r.command == SESSION_SETUP {
            if let Some(tx) = self.waits(&r.head) {
                tx.session = r.head.session;
                tx.tree = r.head.tree;
            }
        }
        if !r.head.succeeded() {
            return Some(());
        }
        let mut reader = body(record);
        match r.command {
            NEGOTIATE => {
                reader.skip(4)?;
                let dialect = reader.u16()?;
                reader.skip(2)?;
                let guid = reader.array()?;
                reader.skip(8)?;
                let sizes = (reader.u32()?, reader.u32()?);
                self.smb2_negotiated(r, dialect, guid, sizes);
            }
            TREE_CONNECT => {
                reader.skip(2)?;
                let share_type = reader.u8()?;
                let head = r.head;
                let tx = self.waits(&head);
                if let Some(tx) = tx {
                    (tx.session, tx.tree) = (head.session, head.tree);
                    if let Kind::Tree(tree) = &mut tx.kind {
                        tree.share_type = Some(share_type);
                        let tree = Tree { name: tree.name.clone(), pipe: share_type == 2 };
                        self.trees.insert((head.session, head.tree), tree);
                    }
                }
            }
            CREATE => {
                reader.skip(8)?;
                let mut times = [0; 4];
                for time in &mut times {
                    *time = seconds(reader.u64()?);
                }
                reader.skip(8)?;
                let size = reader.u64()?;
                reader.skip(8)?;
                let fid = fid(&mut reader)?;
                self.created_as(&r.head, times, size, fid);
            }
            _ => {}
        }
        Some(())
    }

    pub fn created_as(&mut self, head: &Head, times: [u64; 4], size: u64, fid: Fid) {
        let Some(Kind::Create(create)) = self.waits(head).map(|tx| &mut tx.kind) else { return };
        (create.times, create.size, create.fid) = (times, size, fid);
        let name = create.name.clone();
        self.names.insert(fid, name);
    }

    fn smb2_negotiated(&mut self, r: &Record, dialect: u16, guid: [u8; 16], sizes: (u32, u32)) {
        self.dialect = Dialect::Number(dialect);
        self.max_sizes = sizes;
        let config = (self.config.read_size_max, self.config.write_size_max);
        // A client may have asked in the form of SMB 1.
        let asked = Head { command: Command::Smb1(super::smb1::NEGOTIATE), ..r.head };
        let head = if self.waits(&r.head).is_some() { r.head } else { self.negotiating.unwrap_or(asked) };
        if let Some(tx) = self.waits(&head) {
            tx.dialect = Dialect::Number(dialect);
            if let Kind::Negotiate(negotiate) = &mut tx.kind {
                negotiate.server_guid = Some(guid);
                negotiate.max_sizes = sizes;
            }
            self.answered(&Head { status: r.head.status, ..head });
        }
        if config.0 != 0 && sizes.0 > config.0 {
            self.event(Event::NegotiateMaxReadSizeTooLarge);
        }
        if config.1 != 0 && sizes.1 > config.1 {
            self.event(Event::NegotiateMaxWriteSizeTooLarge);
        }
    }

    fn smb2_ioctl_response(&mut self, r: &Record, record: &[u8]) -> Option<()> {
        let status = r.head.nt();
        if !r.head.succeeded() && status != Some(STATUS_BUFFER_OVERFLOW) {
            // The body tells nothing more.
            self.answered(&r.head);
            return Some(());
        }
        let mut reader = body(record);
        reader.skip(8)?;
        let fid = fid(&mut reader)?;
        reader.skip(8)?;
        let (at, len) = (usize::try_from(reader.u32()?).ok()?, usize::try_from(reader.u32()?).ok()?);
        let calls = self.waits(&r.head).is_none_or(|tx| matches!(tx.kind, Kind::Call(_)));
        if self.carries_calls(fid) && calls {
            let rest = record.get(at..)?;
            self.pipe_response(&r.head, fid, call_message(r), rest.get(..len).unwrap_or(rest));
        } else {
            self.answered(&r.head);
        }
        Some(())
    }

    fn smb2_read_response(&mut self, r: &Record, record: &[u8], missing: u64) -> Option<After> {
        let status = r.head.nt();
        if status == Some(STATUS_PENDING) {
            return Some(After::Skip);
        }
        let asked = self.reads.get(&r.head.message).copied();
        if !r.head.succeeded() && status != Some(STATUS_BUFFER_OVERFLOW) {
            self.reads.remove(&r.head.message);
            if let (Some((fid, _)), Some(STATUS_END_OF_FILE)) = (asked, status) {
                self.end_of_file(fid);
            }
            return Some(After::Skip);
        }
        let mut reader = body(record);
        reader.skip(2)?;
        let at = usize::from(reader.u8()?);
        reader.skip(1)?;
        let len = reader.u32()?;
        if exceeds(len, self.max_sizes.0, self.config.read_size_max) {
            self.event(Event::ReadResponseTooLarge);
            return Some(After::Skip);
        }
        // Without its request nobody knows what is read.
        let Some((fid, offset)) = asked else { return Some(After::Skip) };
        let data = record.get(at..)?;
        let data = data.get(..usize::try_from(len).ok()?).unwrap_or(data);
        let known = self.on_pipe(&r.head);
        let pipe = known.unwrap_or_else(|| self.carries_calls(fid));
        if missing > 0 && (pipe || known.is_none()) {
            return Some(After::Wait);
        }
        self.reads.remove(&r.head.message);
        if pipe || (known.is_none() && self.seems_to_call(&r.head, fid, data)) {
            if self.carries_calls(fid) {
                self.pipe_response(&r.head, fid, 0, data);
            }
            return Some(After::Skip);
        }
        Some(self.transfer(&r.head, Dir::ToClient, fid, offset, u64::from(len), data))
    }
}

/// Calls in an IOCTL are answered in the same exchange. Message 0 is the negotiation, so that 0 can mean none.
fn call_message(r: &Record) -> u64 {
    r.head.message.max(1)
}

/// Larger than was negotiated, or than the configuration takes; 0 = no limit.
pub fn exceeds(len: u32, negotiated: u32, configured: u32) -> bool {
    (negotiated != 0 && len > negotiated) || (configured != 0 && len > configured)
}
