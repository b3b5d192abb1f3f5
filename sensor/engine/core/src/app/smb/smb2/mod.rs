//! Records of SMB 2 and 3 (MS-SMB2 section 2.2): what each command asks and answers, as far as rules and the log need it.

mod request;
mod response;

use super::session::{After, Head, Session};
use super::tx::*;
use super::Event;
use crate::app::wire::Reader;

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

    pub fn make_create(&mut self, head: &Head, name: Vec<u8>, disposition: u32, options: u32) {
        let (directory, delete_on_close) = (options & 1 != 0, options & 0x1000 != 0);
        let create = Create { name, disposition, directory, delete_on_close, ..Create::default() };
        self.make(head, Kind::Create(Box::new(create)), true);
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

    pub fn created_as(&mut self, head: &Head, times: [u64; 4], size: u64, fid: Fid) {
        let Some(Kind::Create(create)) = self.waits(head).map(|tx| &mut tx.kind) else { return };
        (create.times, create.size, create.fid) = (times, size, fid);
        let name = create.name.clone();
        self.names.insert(fid, name);
    }
}

/// Calls in an IOCTL are answered in the same exchange. Message 0 is the negotiation, so that 0 can mean none.
fn call_message(r: &Record) -> u64 {
    r.head.message.max(1)
}
