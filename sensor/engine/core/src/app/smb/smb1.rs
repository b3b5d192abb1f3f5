//! Records of SMB 1 (MS-CIFS section 2.2, MS-SMB): what each command asks and answers, as far as rules and the log need it.

use super::auth;
use super::session::{After, Dialect, Head, Session, Tree, STATUS_BUFFER_OVERFLOW};
use super::smb2::{exceeds, seconds};
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

    fn smb1_negotiate(&mut self, r: &Record, block: &Block<'_>) -> Option<()> {
        if self.negotiating.is_some_and(|head| self.waits(&head).is_some()) {
            self.event(Event::DuplicateNegotiate);
            return Some(());
        }
        const DIALECTS_MAX: usize = 64;
        let mut malformed = false;
        let mut dialects = Vec::new();
        // Each is a byte 2 and a string that ends in zero.
        let list = block.bytes.strip_suffix(&[0]).unwrap_or(block.bytes);
        for entry in list.split(|byte| *byte == 0).take(DIALECTS_MAX) {
            match entry.split_first() {
                Some((_, name)) => {
                    malformed |= name.is_empty();
                    dialects.push(name.to_vec());
                }
                None => malformed = true,
            }
        }
        // There is no session and no tree yet, whatever the header has in their place.
        let head = Head { session: 0, tree: 0, ..r.head };
        self.negotiating = Some(head);
        let negotiate = Negotiate { dialects, ..Negotiate::default() };
        let tx = self.make(&head, Kind::Negotiate(Box::new(negotiate)), true);
        if malformed {
            tx.meta.set_event(Event::NegotiateMalformedDialects as u8);
        }
        Some(())
    }

    fn smb1_setup(&mut self, r: &Record, block: &Block<'_>) -> Option<()> {
        let mut words = Reader::new(block.words, true);
        words.skip(14)?;
        let mut setup = Setup::default();
        let mut strings = Strings { data: block.bytes, at: 0, base: block.bytes_at };
        if block.words.len() == 24 {
            // Extended security: a token, then the system's names.
            let len = usize::from(words.u16()?);
            setup.logon = auth::read(block.bytes.get(..len)?);
            strings.at = len;
        } else {
            let (plain, unicode) = (usize::from(words.u16()?), usize::from(words.u16()?));
            strings.at = plain.saturating_add(unicode);
            // The account and its domain.
            strings.next(r.unicode)?;
            strings.next(r.unicode)?;
        }
        let os = strings.next(r.unicode).unwrap_or_default();
        let lm = strings.next(r.unicode).unwrap_or_default();
        setup.request = Some(Host { os, lm });
        self.make_setup(&r.head, setup);
        Some(())
    }

    fn smb1_tree_connect(&mut self, r: &Record, block: &Block<'_>) -> Option<()> {
        let mut words = Reader::new(block.words, true);
        words.skip(6)?;
        let password = usize::from(words.u16()?);
        let mut strings = Strings { data: block.bytes, at: password, base: block.bytes_at };
        let name = strings.next(r.unicode)?;
        let service = strings.next(false)?;
        // The first of two backslashes is left out, as in Suricata.
        let name = name.get(1..).filter(|rest| !rest.is_empty()).map(<[u8]>::to_vec).unwrap_or(name);
        let tree = TreeConnect { name, services: (Some(service), None), ..TreeConnect::default() };
        self.make(&r.head, Kind::Tree(Box::new(tree)), true);
        Some(())
    }

    fn smb1_create(&mut self, r: &Record, block: &Block<'_>) -> Option<()> {
        let mut words = Reader::new(block.words, true);
        words.skip(5)?;
        let len = usize::from(words.u16()?);
        words.skip(28)?;
        let (disposition, options) = (words.u32()?, words.u32()?);
        let pad = usize::from(r.unicode && block.bytes_at & 1 != 0);
        let rest = block.bytes.get(pad..)?;
        let name = auth::without_nulls(rest.get(..len).unwrap_or(rest));
        self.make_create(&r.head, name, disposition, options);
        Some(())
    }

    fn smb1_rename(&mut self, r: &Record, block: &Block<'_>) -> Option<()> {
        let mut strings = Strings { data: block.bytes, at: 1, base: block.bytes_at };
        let from = strings.next(r.unicode)?;
        strings.at = strings.at.saturating_add(1);
        let to = strings.next(r.unicode)?;
        self.make(&r.head, Kind::Rename { from, to, fid: Fid::None }, true);
        Some(())
    }

    fn smb1_read(&mut self, r: &Record, block: &Block<'_>) -> Option<()> {
        let mut words = Reader::new(block.words, true);
        words.skip(4)?;
        let (fid, low, len) = (words.u16()?, words.u32()?, words.u16()?);
        words.skip(2)?;
        let len_high = words.u32()?;
        words.skip(2)?;
        let high = words.u32().unwrap_or(0);
        // The field is a timeout for pipes, and then of no use as a length.
        let len = if len_high > 0xff { u32::from(len) } else { len_high << 16 | u32::from(len) };
        if exceeds(len, self.max_sizes.0, self.config.read_size_max) {
            self.event(Event::ReadRequestTooLarge);
        } else {
            self.reads.insert(r.head.message, (r.fid(fid), u64::from(high) << 32 | u64::from(low)));
        }
        Some(())
    }

    fn smb1_write(&mut self, r: &Record, record: &[u8], block: &Block<'_>, missing: u64) -> Option<After> {
        let mut words = Reader::new(block.words, true);
        let (fid, offset, len, data) = match r.command {
            WRITE_ANDX => {
                words.skip(4)?;
                let (fid, low) = (words.u16()?, words.u32()?);
                words.skip(8)?;
                let (len_high, len, at) = (words.u16()?, words.u16()?, words.u16()?);
                let high = words.u32().unwrap_or(0);
                let len = u32::from(len_high) << 16 | u32::from(len);
                (fid, u64::from(high) << 32 | u64::from(low), len, record.get(usize::from(at)..)?)
            }
            _ => {
                let (fid, len, offset) = (words.u16()?, words.u16()?, words.u32()?);
                let pad = if r.command == WRITE { 3 } else { 1 };
                (fid, u64::from(offset), u32::from(len), block.bytes.get(pad..)?)
            }
        };
        if exceeds(len, self.max_sizes.1, self.config.write_size_max) {
            self.event(Event::WriteRequestTooLarge);
            return Some(After::Skip);
        }
        let fid = r.fid(fid);
        let data = data.get(..usize::try_from(len).ok()?).unwrap_or(data);
        let known = self.on_pipe(&r.head);
        let pipe = known.unwrap_or_else(|| self.carries_calls(fid));
        if missing > 0 && (pipe || known.is_none()) {
            return Some(After::Wait);
        }
        let after = if pipe || (known.is_none() && self.seems_to_call(&r.head, fid, data)) {
            if self.carries_calls(fid) {
                self.pipe_request(&r.head, fid, 0, data);
            }
            After::Skip
        } else {
            self.transfer(&r.head, Dir::ToServer, fid, offset, u64::from(len), data)
        };
        if r.command == WRITE_AND_CLOSE {
            self.close_file(fid);
        }
        Some(after)
    }

    /// TRANSACTION: of interest when it goes to a named pipe.
    fn smb1_trans(&mut self, r: &Record, record: &[u8], block: &Block<'_>) -> Option<()> {
        const TRANSACT_NAMED_PIPE: u16 = 0x26;
        let asked = transaction(record, block)?;
        let mut setup = Reader::new(asked.setup, true);
        if setup.u16() == Some(TRANSACT_NAMED_PIPE) {
            let fid = r.fid(setup.u16()?);
            self.reads.insert(r.head.message, (fid, 0));
            if self.carries_calls(fid) {
                self.pipe_request(&r.head, fid, r.head.message.max(1), asked.data);
            }
        }
        Some(())
    }

    /// TRANSACTION2: of interest when it deletes or renames.
    fn smb1_trans2(&mut self, r: &Record, record: &[u8], block: &Block<'_>) -> Option<()> {
        const SET_PATH_INFORMATION: u16 = 6;
        const SET_FILE_INFORMATION: u16 = 8;
        const DISPOSITION: u16 = 1013;
        const RENAME: u16 = 1010;
        let asked = transaction(record, block)?;
        let Some(subcommand) = Reader::new(asked.setup, true).u16() else { return Some(()) };
        let mut parameters = Reader::new(asked.parameters, true);
        let (level, fid, name) = match subcommand {
            SET_PATH_INFORMATION => {
                let level = parameters.u16()?;
                parameters.skip(4)?;
                (level, Fid::None, auth::without_nulls(parameters.rest()))
            }
            SET_FILE_INFORMATION => {
                let fid = r.fid(parameters.u16()?);
                let name = self.names.get(&fid).cloned().unwrap_or_else(|| b"<unknown>".to_vec());
                (parameters.u16()?, fid, name)
            }
            _ => return Some(()),
        };
        let mut data = Reader::new(asked.data, true);
        let kind = match level {
            DISPOSITION => Kind::Disposition { name, delete: data.u8()? & 1 != 0, subcommand, level, fid },
            RENAME => {
                data.skip(8)?;
                let len = usize::try_from(data.u32()?).ok()?;
                Kind::Rename { from: name, to: auth::without_nulls(data.bytes(len)?), fid }
            }
            _ => return Some(()),
        };
        self.make(&r.head, kind, true);
        Some(())
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

    fn smb1_negotiated(&mut self, r: &Record, block: &Block<'_>) -> Option<()> {
        const NONE_FITS: u16 = 0xffff;
        let chosen = Reader::new(block.words, true).u16()?;
        let tx = self.waits(&r.head)?;
        let Kind::Negotiate(negotiate) = &mut tx.kind else { return Some(()) };
        let dialect = negotiate.dialects.get(usize::from(chosen)).filter(|_| chosen != NONE_FITS);
        let dialect = dialect.map_or(Dialect::Unknown, |name| Dialect::Text(name.as_slice().into()));
        negotiate.server_guid = block.bytes.get(..16).and_then(|bytes| bytes.try_into().ok());
        tx.dialect = dialect.clone();
        self.dialect = dialect;
        Some(())
    }

    fn smb1_setup_response(&mut self, r: &Record, block: &Block<'_>) -> Option<()> {
        let mut words = Reader::new(block.words, true);
        let mut at = 0;
        if block.words.len() >= 8 {
            words.skip(6)?;
            at = usize::from(words.u16()?);
        }
        let mut strings = Strings { data: block.bytes, at, base: block.bytes_at };
        let os = strings.next(r.unicode).unwrap_or_default();
        let lm = strings.next(r.unicode).unwrap_or_default();
        let tx = self.waits(&r.head)?;
        (tx.session, tx.tree) = (r.head.session, r.head.tree);
        if let Kind::Setup(setup) = &mut tx.kind {
            setup.response = (!block.bytes.is_empty()).then_some(Host { os, lm });
        }
        Some(())
    }

    fn smb1_connected(&mut self, r: &Record, block: &Block<'_>) -> Option<()> {
        let mut strings = Strings { data: block.bytes, at: 0, base: block.bytes_at };
        let service = strings.next(false);
        let tx = self.waits(&r.head)?;
        (tx.session, tx.tree) = (r.head.session, r.head.tree);
        if let Kind::Tree(tree) = &mut tx.kind {
            tree.services.1 = service;
            let tree = Tree { name: tree.name.clone(), pipe: tree.is_pipe() };
            if r.head.succeeded() {
                self.trees.insert((r.head.session, r.head.tree), tree);
            }
        }
        Some(())
    }

    fn smb1_created(&mut self, r: &Record, block: &Block<'_>) -> Option<()> {
        let mut words = Reader::new(block.words, true);
        words.skip(5)?;
        let fid = r.fid(words.u16()?);
        words.skip(4)?;
        let mut times = [0; 4];
        for time in &mut times {
            *time = seconds(words.u64()?);
        }
        words.skip(4)?;
        // The space it takes, which Suricata shows of SMB 1 as its size.
        let size = words.u64()?;
        self.created_as(&r.head, times, size, fid);
        Some(())
    }

    fn smb1_read_response(
        &mut self,
        r: &Record,
        record: &[u8],
        block: &Block<'_>,
        missing: u64,
    ) -> Option<After> {
        let asked = self.reads.get(&r.head.message).copied();
        if !r.head.succeeded() && r.head.nt() != Some(STATUS_BUFFER_OVERFLOW) {
            self.reads.remove(&r.head.message);
            return Some(After::Skip);
        }
        let mut words = Reader::new(block.words, true);
        words.skip(10)?;
        let (len, at, len_high) = (words.u16()?, usize::from(words.u16()?), words.u16()?);
        let len = u32::from(len_high) << 16 | u32::from(len);
        if exceeds(len, self.max_sizes.0, self.config.read_size_max) {
            self.event(Event::ReadResponseTooLarge);
            return Some(After::Skip);
        }
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

    fn smb1_trans_response(&mut self, r: &Record, record: &[u8], block: &Block<'_>) -> Option<()> {
        let Some((fid, _)) = self.reads.remove(&r.head.message) else { return Some(()) };
        if !self.carries_calls(fid) {
            return Some(());
        }
        let mut data = &[][..];
        if !block.words.is_empty() {
            let mut words = Reader::new(block.words, true);
            words.skip(12)?;
            let (len, at) = (usize::from(words.u16()?), usize::from(words.u16()?));
            let rest = record.get(at..)?;
            data = rest.get(..len).unwrap_or(rest);
        }
        self.pipe_response(&r.head, fid, r.head.message.max(1), data);
        Some(())
    }
}

/// The parts of a TRANSACTION or TRANSACTION2 request.
struct Asked<'a> {
    setup: &'a [u8],
    parameters: &'a [u8],
    data: &'a [u8],
}

fn transaction<'a>(record: &'a [u8], block: &Block<'a>) -> Option<Asked<'a>> {
    let mut words = Reader::new(block.words, true);
    words.skip(18)?;
    let mut part = || {
        let (len, at) = (usize::from(words.u16()?), usize::from(words.u16()?));
        let rest = if len == 0 { &[][..] } else { record.get(at..)? };
        Some(rest.get(..len).unwrap_or(rest))
    };
    let (parameters, data) = (part()?, part()?);
    words.skip(2)?;
    Some(Asked { setup: words.rest(), parameters, data })
}
