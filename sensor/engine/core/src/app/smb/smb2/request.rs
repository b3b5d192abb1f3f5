//! What clients ask for in SMB 2 and 3, command by command.

use super::{body, call_message, fid, part, Record, CHAINED};
use crate::app::smb::session::{exceeds, After, Session};
use crate::app::smb::tx::*;
use crate::app::smb::{auth, names, Event};
use crate::app::wire::Reader;
use crate::direction::Dir;

impl Session {
    pub(super) fn smb2_negotiate(&mut self, r: &Record, record: &[u8]) -> Option<()> {
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

    pub(super) fn smb2_setup(&mut self, r: &Record, record: &[u8]) -> Option<()> {
        let mut reader = body(record);
        reader.skip(12)?;
        let (at, len) = (usize::from(reader.u16()?), usize::from(reader.u16()?));
        let logon = auth::read(part(record, at, len)?);
        self.make_setup(&r.head, Setup { logon, ..Setup::default() });
        Some(())
    }

    pub(super) fn smb2_tree_connect(&mut self, r: &Record, record: &[u8]) -> Option<()> {
        let mut reader = body(record);
        reader.skip(4)?;
        let (at, len) = (usize::from(reader.u16()?), usize::from(reader.u16()?));
        let name = auth::without_nulls(part(record, at, len)?);
        self.make(&r.head, Kind::Tree(Box::new(TreeConnect { name, ..TreeConnect::default() })), true);
        Some(())
    }

    pub(super) fn smb2_create(&mut self, r: &Record, record: &[u8]) -> Option<()> {
        let mut reader = body(record);
        reader.skip(36)?;
        let (disposition, options) = (reader.u32()?, reader.u32()?);
        let (at, len) = (usize::from(reader.u16()?), usize::from(reader.u16()?));
        let name = auth::without_nulls(part(record, at, len)?);
        self.created = Some(name.clone());
        self.make_create(&r.head, name, disposition, options);
        Some(())
    }

    pub(super) fn smb2_ioctl(&mut self, r: &Record, record: &[u8]) -> Option<()> {
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

    pub(super) fn smb2_set_info(&mut self, r: &Record, record: &[u8]) -> Option<()> {
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

    pub(super) fn smb2_close(&mut self, _r: &Record, record: &[u8]) -> Option<()> {
        let mut reader = body(record);
        reader.skip(8)?;
        let fid = fid(&mut reader)?;
        self.close_file(fid);
        Some(())
    }

    pub(super) fn smb2_read(&mut self, r: &Record, record: &[u8]) -> Option<()> {
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

    pub(super) fn smb2_write(&mut self, r: &Record, record: &[u8], missing: u64) -> Option<After> {
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
}
