//! What servers answer in SMB 2 and 3, command by command.

use super::{body, call_message, fid, seconds, Record, CREATE, NEGOTIATE, SESSION_SETUP, TREE_CONNECT};
use crate::app::smb::session::{
    After, Dialect, Head, Session, Tree, STATUS_BUFFER_OVERFLOW, STATUS_END_OF_FILE, STATUS_PENDING,
};
use crate::app::smb::tx::*;
use crate::app::smb::{smb1, Event};

impl Session {
    /// Fills in what the response tells, before the transaction counts as answered.
    pub(super) fn smb2_other_response(&mut self, r: &Record, record: &[u8]) -> Option<()> {
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

    fn smb2_negotiated(&mut self, r: &Record, dialect: u16, guid: [u8; 16], sizes: (u32, u32)) {
        self.dialect = Dialect::Number(dialect);
        self.max_sizes = sizes;
        let config = (self.config.read_size_max, self.config.write_size_max);
        // A client may have asked in the form of SMB 1.
        let asked = Head { command: Command::Smb1(smb1::NEGOTIATE), ..r.head };
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

    pub(super) fn smb2_ioctl_response(&mut self, r: &Record, record: &[u8]) -> Option<()> {
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

    pub(super) fn smb2_read_response(&mut self, r: &Record, record: &[u8], missing: u64) -> Option<After> {
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
        self.read_data(&r.head, record, (at, len), missing)
    }
}
