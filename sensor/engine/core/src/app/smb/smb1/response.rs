//! What servers answer in SMB 1, command by command (MS-CIFS section 2.2.4).

use super::{Block, Record, Strings};
use crate::app::smb::session::{After, Dialect, Session, Tree, STATUS_BUFFER_OVERFLOW};
use crate::app::smb::smb2::seconds;
use crate::app::smb::tx::*;
use crate::app::wire::Reader;

impl Session {
    pub(super) fn smb1_negotiated(&mut self, r: &Record, block: &Block<'_>) -> Option<()> {
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

    pub(super) fn smb1_setup_response(&mut self, r: &Record, block: &Block<'_>) -> Option<()> {
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

    pub(super) fn smb1_connected(&mut self, r: &Record, block: &Block<'_>) -> Option<()> {
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

    pub(super) fn smb1_created(&mut self, r: &Record, block: &Block<'_>) -> Option<()> {
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

    pub(super) fn smb1_read_response(
        &mut self,
        r: &Record,
        record: &[u8],
        block: &Block<'_>,
        missing: u64,
    ) -> Option<After> {
        if !r.head.succeeded() && r.head.nt() != Some(STATUS_BUFFER_OVERFLOW) {
            self.reads.remove(&r.head.message);
            return Some(After::Skip);
        }
        let mut words = Reader::new(block.words, true);
        words.skip(10)?;
        let (len, at, len_high) = (words.u16()?, usize::from(words.u16()?), words.u16()?);
        let len = u32::from(len_high) << 16 | u32::from(len);
        self.read_data(&r.head, record, (at, len), missing)
    }

    pub(super) fn smb1_trans_response(&mut self, r: &Record, record: &[u8], block: &Block<'_>) -> Option<()> {
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
