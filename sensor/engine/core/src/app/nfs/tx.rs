//! One call with its reply, or the transfer of one file over many of them.

use super::names;
use super::rpc::{auth_name, UnixCredentials};
use super::transfer::Transfer;
use super::COMPLETE;
use crate::app::file::{File, FileState};
use crate::app::{LogFor, Transaction, TxMeta, View};
use crate::direction::Dir;
use crate::json::JsonWriter;

/// Local numbers of the buffers, in the order of `super::BUFFERS`.
pub const FILE_DATA: usize = 0;
pub const FILE_NAME: usize = 1;

/// A file on its way: to the client by READ, to the server by WRITE.
pub struct FileTransfer {
    pub transfer: Transfer,
    pub dir: Dir,
    pub last_xid: u32,
    pub pieces: u32,
}

impl FileTransfer {
    /// A message said that its piece, which ends at `offset`, is the last. Replies to READ may overtake each other; a WRITE
    /// that must be on disk at once ends what the client had in hand.
    pub fn ended(&mut self, offset: u64) {
        match self.dir {
            Dir::ToClient => self.transfer.ends_at(offset),
            Dir::ToServer => self.transfer.close(FileState::Closed),
        }
    }
}

pub struct NfsTx {
    pub meta: TxMeta,
    pub xid: u32,
    pub version: u32,
    pub procedure: u32,
    pub handle: Vec<u8>,
    pub name: Vec<u8>,
    pub to: Option<Vec<u8>>,
    pub auth: u32,
    pub unix: Option<UnixCredentials>,
    /// What the server said of the call: accepted or denied.
    pub accepted: Option<bool>,
    pub status: Option<u32>,
    /// The reply has come, or none can come.
    pub over: bool,
    pub file: Option<Box<FileTransfer>>,
}

impl NfsTx {
    pub fn new(id: u64, xid: u32, version: u32, procedure: u32) -> NfsTx {
        NfsTx {
            meta: TxMeta::new(id),
            xid,
            version,
            procedure,
            handle: Vec::new(),
            name: Vec::new(),
            to: None,
            auth: 0,
            unix: None,
            accepted: None,
            status: None,
            over: false,
            file: None,
        }
    }
}

impl Transaction for NfsTx {
    fn meta(&self) -> &TxMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut TxMeta {
        &mut self.meta
    }
    fn progress(&self, dir: Dir) -> u8 {
        let done = match &self.file {
            Some(file) => self.over && !file.transfer.is_open(),
            None => self.over || dir == Dir::ToServer,
        };
        if done {
            COMPLETE
        } else {
            0
        }
    }

    fn buffer(&self, local: usize, index: usize, dir: Dir) -> Option<View<'_>> {
        let file = self.files(dir).get(index)?;
        match local {
            FILE_DATA => file.data(),
            FILE_NAME => (!file.name.is_empty()).then(|| View::whole(&file.name)),
            _ => None,
        }
    }

    fn log(&self, out: &mut JsonWriter, _what: LogFor) {
        out.uint("version", u64::from(self.version));
        match names::procedure(self.version, self.procedure) {
            Some(name) => out.str("procedure", name),
            None => out.fmt("procedure", format_args!("{}", self.procedure)),
        }
        out.bytes("filename", &self.name);
        if !self.handle.is_empty() {
            let mut crc = flate2::Crc::new();
            crc.update(&self.handle);
            out.fmt("hhash", format_args!("{:x}", crc.sum()));
        }
        out.uint("id", self.meta.id.saturating_add(1));
        out.bool("file_tx", self.file.is_some());
        out.str("type", if self.accepted.is_some() { "response" } else { "request" });
        if let Some(status) = self.status {
            match names::status(status) {
                Some(name) => out.str("status", name),
                None => out.fmt("status", format_args!("{status}")),
            }
        }
        if let Some(to) = &self.to {
            out.open_object("rename");
            out.bytes("from", &self.name);
            out.bytes("to", to);
            out.close();
        }
        if let Some(file) = &self.file {
            out.open_object(if file.dir == Dir::ToClient { "read" } else { "write" });
            out.bool("first", true);
            out.bool("last", !file.transfer.is_open());
            out.uint("last_xid", u64::from(file.last_xid));
            out.uint("chunks", u64::from(file.pieces.saturating_sub(1)));
            out.close();
        }
    }

    fn log_beside(&self, out: &mut JsonWriter, _what: LogFor, _options: &serde_json::Value) {
        out.open_object("rpc");
        out.uint("xid", u64::from(self.xid));
        if let Some(accepted) = self.accepted {
            out.str("status", if accepted { "ACCEPTED" } else { "DENIED" });
        }
        match auth_name(self.auth) {
            Some(name) => out.str("auth_type", name),
            None => out.fmt("auth_type", format_args!("{}", self.auth)),
        }
        if let Some(unix) = &self.unix {
            out.open_object("creds");
            out.bytes("machine_name", &unix.machine);
            out.uint("uid", u64::from(unix.uid));
            out.uint("gid", u64::from(unix.gid));
            out.close();
        }
        out.close();
    }

    fn files(&self, dir: Dir) -> &[File] {
        match &self.file {
            Some(file) if file.dir == dir => &file.transfer.file,
            _ => &[],
        }
    }
    fn files_mut(&mut self, dir: Dir) -> &mut [File] {
        match &mut self.file {
            Some(file) if file.dir == dir => &mut file.transfer.file,
            _ => &mut [],
        }
    }

    fn number(&self, keyword: &str, _dir: Dir) -> Option<u64> {
        match keyword {
            "nfs.version" => Some(u64::from(self.version)),
            "nfs_procedure" => Some(u64::from(self.procedure)),
            _ => None,
        }
    }
}
