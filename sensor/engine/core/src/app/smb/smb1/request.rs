//! What clients ask for in SMB 1, command by command (MS-CIFS section 2.2.4).

use super::{Block, Record, Strings, WRITE, WRITE_ANDX, WRITE_AND_CLOSE};
use crate::app::smb::session::{exceeds, After, Head, Session};
use crate::app::smb::tx::*;
use crate::app::smb::{auth, Event};
use crate::app::wire::Reader;
use crate::direction::Dir;

impl Session {
    pub(super) fn smb1_negotiate(&mut self, r: &Record, block: &Block<'_>) -> Option<()> {
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

    pub(super) fn smb1_setup(&mut self, r: &Record, block: &Block<'_>) -> Option<()> {
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

    pub(super) fn smb1_tree_connect(&mut self, r: &Record, block: &Block<'_>) -> Option<()> {
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

    pub(super) fn smb1_create(&mut self, r: &Record, block: &Block<'_>) -> Option<()> {
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

    pub(super) fn smb1_rename(&mut self, r: &Record, block: &Block<'_>) -> Option<()> {
        let mut strings = Strings { data: block.bytes, at: 1, base: block.bytes_at };
        let from = strings.next(r.unicode)?;
        strings.at = strings.at.saturating_add(1);
        let to = strings.next(r.unicode)?;
        self.make(&r.head, Kind::Rename { from, to, fid: Fid::None }, true);
        Some(())
    }

    pub(super) fn smb1_read(&mut self, r: &Record, block: &Block<'_>) -> Option<()> {
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

    pub(super) fn smb1_write(
        &mut self,
        r: &Record,
        record: &[u8],
        block: &Block<'_>,
        missing: u64,
    ) -> Option<After> {
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
    pub(super) fn smb1_trans(&mut self, r: &Record, record: &[u8], block: &Block<'_>) -> Option<()> {
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
    pub(super) fn smb1_trans2(&mut self, r: &Record, record: &[u8], block: &Block<'_>) -> Option<()> {
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
