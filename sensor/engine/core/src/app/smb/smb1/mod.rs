//! Records of SMB 1 (MS-CIFS section 2.2, MS-SMB): what each command asks and answers, as far as rules and the log need it.

mod request;
mod response;

use super::auth;
use super::session::{After, Head, Session};
use super::tx::*;
use super::Event;
use crate::app::wire::Reader;
use crate::direction::Dir;

pub const MAGIC: &[u8] = b"\xffSMB";
pub const HEADER_LEN: usize = 32;
/// Bytes of a READ response or WRITE request that must stand before its data is looked at.
pub const DATA_AT: usize = 64;

const CLOSE: u8 = 0x04;
const RENAME: u8 = 0x07;
const WRITE: u8 = 0x0b;
const LOCKING_ANDX: u8 = 0x24;
const TRANS: u8 = 0x25;
const WRITE_AND_CLOSE: u8 = 0x2c;
const OPEN_ANDX: u8 = 0x2d;
pub const READ_ANDX: u8 = 0x2e;
pub const WRITE_ANDX: u8 = 0x2f;
const TRANS2: u8 = 0x32;
const TRANS2_SECONDARY: u8 = 0x33;
const TREE_DISCONNECT: u8 = 0x71;
pub const NEGOTIATE: u8 = 0x72;
const SESSION_SETUP_ANDX: u8 = 0x73;
const LOGOFF_ANDX: u8 = 0x74;
const TREE_CONNECT_ANDX: u8 = 0x75;
const NT_CREATE_ANDX: u8 = 0xa2;
const NT_CANCEL: u8 = 0xa4;
const NO_COMMAND: u8 = 0xff;

/// Commands in one message, each after the one before it.
const CHAIN_MAX: usize = 32;

/// A record's header.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    pub head: Head,
    pub command: u8,
    pub response: bool,
    pub unicode: bool,
    uid: u16,
}

impl Record {
    pub fn read(data: &[u8]) -> Option<Record> {
        if !data.starts_with(MAGIC) {
            return None;
        }
        let mut reader = Reader::new(data, true);
        reader.skip(4)?;
        let command = reader.u8()?;
        let status = reader.bytes(4)?;
        let (flags, flags2) = (reader.u8()?, reader.u16()?);
        let pid_high = reader.u16()?;
        reader.skip(10)?;
        let (tid, pid, uid, mid) = (reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?);
        let mut code = Reader::new(status, true);
        let status = if flags2 & 0x4000 != 0 {
            Status::Nt(code.u32()?)
        } else {
            let class = code.u8()?;
            code.skip(1)?;
            Status::Dos(class, code.u16()?)
        };
        let head = Head {
            command: Command::Smb1(command),
            message: u64::from(pid_high) << 32 | u64::from(pid) << 16 | u64::from(mid),
            session: u64::from(uid),
            tree: u32::from(tid),
            status,
        };
        Some(Record { head, command, response: flags & 0x80 != 0, unicode: flags2 & 0x8000 != 0, uid })
    }
    fn fid(&self, fid: u16) -> Fid {
        Fid::Smb1 { fid, uid: self.uid }
    }
}

/// The parts of one command: its parameter words, its bytes, and where those begin, counted from the header.
struct Block<'a> {
    words: &'a [u8],
    bytes: &'a [u8],
    bytes_at: usize,
}

fn block(record: &[u8], at: usize) -> Option<Block<'_>> {
    let mut reader = Reader::new(record.get(at..)?, true);
    let words = usize::from(reader.u8()?).saturating_mul(2);
    let words = reader.bytes(words)?;
    let len = usize::from(reader.u16()?);
    let bytes_at = at.saturating_add(reader.at());
    // Large READs and WRITEs say too little here: what stands is taken.
    let bytes = reader.rest().get(..len).unwrap_or(reader.rest());
    Some(Block { words, bytes, bytes_at })
}

/// Takes strings one after the other; those in UTF-16 stand at even offsets from the header.
struct Strings<'a> {
    data: &'a [u8],
    at: usize,
    base: usize,
}

impl<'a> Strings<'a> {
    fn next(&mut self, unicode: bool) -> Option<Vec<u8>> {
        if unicode && self.base.wrapping_add(self.at) & 1 != 0 {
            self.at = self.at.saturating_add(1);
        }
        let rest = self.data.get(self.at..)?;
        let (text, used) = if unicode {
            let len = rest.chunks(2).take_while(|pair| *pair != [0, 0]).count().saturating_mul(2);
            (rest.get(..len).unwrap_or(rest), len.saturating_add(2))
        } else {
            let len = rest.iter().take_while(|byte| **byte != 0).count();
            (rest.get(..len)?, len.saturating_add(1))
        };
        self.at = self.at.saturating_add(used);
        Some(auth::without_nulls(text))
    }
}

fn is_chained(command: u8) -> bool {
    matches!(
        command,
        LOCKING_ANDX
            | OPEN_ANDX
            | READ_ANDX
            | WRITE_ANDX
            | SESSION_SETUP_ANDX
            | LOGOFF_ANDX
            | TREE_CONNECT_ANDX
            | NT_CREATE_ANDX
    )
}

impl Session {
    /// A message with all its commands; `missing` bytes of it are still to come.
    pub fn smb1(&mut self, r: &Record, record: &[u8], missing: u64) -> After {
        let mut r = *r;
        let mut at = HEADER_LEN;
        for _ in 0..CHAIN_MAX {
            let block = block(record, at);
            let next = block.as_ref().filter(|_| is_chained(r.command)).and_then(|block| match block.words {
                [command, _, low, high, ..] if *command != NO_COMMAND => {
                    Some((*command, usize::from(u16::from_le_bytes([*low, *high]))))
                }
                _ => None,
            });
            let after = if r.response {
                self.smb1_response(&r, record, block, missing)
            } else {
                self.smb1_request(&r, record, block, missing)
            };
            match next {
                Some((command, offset)) if offset > at && after == After::Skip => {
                    at = offset;
                    r.command = command;
                    r.head.command = Command::Smb1(command);
                }
                _ => return after,
            }
        }
        After::Skip
    }

    fn smb1_request(&mut self, r: &Record, record: &[u8], block: Option<Block<'_>>, missing: u64) -> After {
        let mut after = After::Skip;
        let mut made = true;
        let done = block.and_then(|block| match r.command {
            NEGOTIATE => self.smb1_negotiate(r, &block),
            SESSION_SETUP_ANDX => self.smb1_setup(r, &block),
            TREE_CONNECT_ANDX => self.smb1_tree_connect(r, &block),
            NT_CREATE_ANDX => self.smb1_create(r, &block),
            RENAME => self.smb1_rename(r, &block),
            TRANS => self.smb1_trans(r, record, &block),
            TRANS2 => self.smb1_trans2(r, record, &block),
            READ_ANDX => self.smb1_read(r, &block),
            WRITE_ANDX | WRITE | WRITE_AND_CLOSE => {
                self.smb1_write(r, record, &block, missing).map(|what| after = what)
            }
            _ => {
                made = false;
                if r.command == CLOSE {
                    let fid = Reader::new(block.words, true).u16()?;
                    self.close_file(r.fid(fid));
                }
                Some(())
            }
        });
        let quiet = matches!(r.command, READ_ANDX | WRITE_ANDX | WRITE | WRITE_AND_CLOSE | TRANS | TRANS2);
        if (!made || done.is_none()) && !quiet {
            let answered = !matches!(r.command, NT_CANCEL | TRANS2_SECONDARY | LOCKING_ANDX);
            self.make(&r.head, Kind::Generic, answered).done[Dir::ToClient] = !answered;
        }
        if done.is_none() {
            self.event(Event::MalformedData);
        }
        after
    }

    fn smb1_response(&mut self, r: &Record, record: &[u8], block: Option<Block<'_>>, missing: u64) -> After {
        let mut after = After::Skip;
        let mut done = Some(());
        if let Some(block) = &block {
            done = match r.command {
                READ_ANDX => self.smb1_read_response(r, record, block, missing).map(|what| after = what),
                TRANS => self.smb1_trans_response(r, record, block),
                NEGOTIATE => self.smb1_negotiated(r, block),
                SESSION_SETUP_ANDX => self.smb1_setup_response(r, block),
                TREE_CONNECT_ANDX => self.smb1_connected(r, block),
                NT_CREATE_ANDX if r.head.succeeded() => self.smb1_created(r, block),
                _ => Some(()),
            };
        }
        if after == After::Wait {
            return after;
        }
        if r.command == TREE_DISCONNECT {
            self.trees.remove(&(r.head.session, r.head.tree));
        }
        let call =
            r.command == TRANS && self.waits(&r.head).is_some_and(|tx| matches!(tx.kind, Kind::Call(_)));
        if !call {
            self.answered(&r.head);
        }
        if done.is_none() {
            self.event(Event::MalformedData);
        }
        after
    }
}
