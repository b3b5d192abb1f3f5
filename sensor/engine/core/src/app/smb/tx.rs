//! An SMB transaction: a command with its answer, a file being read or written, or a DCE/RPC call over a named pipe.

use super::auth::Logon;
use super::chunks::Chunks;
use super::COMPLETE;
use crate::app::dcerpc::call::Call;
use crate::app::dcerpc::pdu::Interface;
use crate::app::file::File;
use crate::app::{LogFor, Transaction, TxMeta, View};
use crate::direction::{Dir, PerDir};
use crate::json::JsonWriter;

/// Local numbers of the buffers, in the order of `super::BUFFERS`.
pub const NAMED_PIPE: usize = 0;
pub const SHARE: usize = 1;
pub const NTLMSSP_USER: usize = 2;
pub const NTLMSSP_DOMAIN: usize = 3;
pub const STUB_DATA: usize = 4;
pub const FILE_DATA: usize = 5;
pub const FILE_NAME: usize = 6;

/// A file handle: the 16 bytes of SMB 2, or the 2 of SMB 1 with the user's id to tell sessions apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Fid {
    #[default]
    None,
    Smb1 {
        fid: u16,
        uid: u16,
    },
    Smb2([u8; 16]),
}

impl std::fmt::Display for Fid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fid::None => Ok(()),
            Fid::Smb1 { fid, .. } => write!(f, "{fid:04x}"),
            Fid::Smb2(bytes) => write!(f, "{}", Guid(*bytes)),
        }
    }
}

/// A GUID as EVE writes it, its last field little-endian too.
pub struct Guid(pub [u8; 16]);

impl std::fmt::Display for Guid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [a, b, c, d, e, g, h, i, j, k, l, m, n, o, p, q] = self.0;
        write!(f, "{d:02x}{c:02x}{b:02x}{a:02x}-{g:02x}{e:02x}-{i:02x}{h:02x}-{k:02x}{j:02x}-")?;
        // Bytes 10 and 11, then the last four.
        write!(f, "{m:02x}{l:02x}{q:02x}{p:02x}{o:02x}{n:02x}")
    }
}

/// How the server answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Nt(u32),
    /// Error class and code of SMB 1 without NT status.
    Dos(u8, u16),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    Smb1(u8),
    Smb2(u16),
}

impl Command {
    pub fn version(self) -> u8 {
        match self {
            Command::Smb1(_) => 1,
            Command::Smb2(_) => 2,
        }
    }
}

#[derive(Default)]
pub struct Negotiate {
    pub dialects: Vec<Vec<u8>>,
    pub client_guid: Option<[u8; 16]>,
    pub server_guid: Option<[u8; 16]>,
    /// (read, write), in bytes.
    pub max_sizes: (u32, u32),
}

#[derive(Default)]
pub struct Host {
    pub os: Vec<u8>,
    pub lm: Vec<u8>,
}

#[derive(Default)]
pub struct Setup {
    pub logon: Logon,
    pub request: Option<Host>,
    pub response: Option<Host>,
}

#[derive(Default)]
pub struct TreeConnect {
    pub name: Vec<u8>,
    /// SMB 2: 1 file, 2 pipe, 3 print; None before the answer.
    pub share_type: Option<u8>,
    /// SMB 1, as asked and as answered.
    pub services: (Option<Vec<u8>>, Option<Vec<u8>>),
}

impl TreeConnect {
    /// It is for named pipes, as the server says, or as its name does as long as there is no answer.
    pub fn is_pipe(&self) -> bool {
        match (self.share_type, &self.services.1) {
            (Some(kind), _) => kind == 2,
            (None, Some(service)) => service.as_slice() == b"IPC",
            (None, None) => {
                let tail = self.name.len().checked_sub(4).and_then(|at| self.name.get(at..));
                tail.is_some_and(|tail| tail.eq_ignore_ascii_case(b"IPC$"))
            }
        }
    }
}

#[derive(Default)]
pub struct Create {
    pub name: Vec<u8>,
    pub disposition: u32,
    pub directory: bool,
    pub delete_on_close: bool,
    /// Created, accessed, written, changed: seconds since 1970.
    pub times: [u64; 4],
    pub size: u64,
    pub fid: Fid,
}

pub struct Transfer {
    pub dir: Dir,
    pub fid: Fid,
    pub share: Vec<u8>,
    pub chunks: Chunks,
}

pub enum Kind {
    Generic,
    Negotiate(Box<Negotiate>),
    Setup(Box<Setup>),
    Tree(Box<TreeConnect>),
    Create(Box<Create>),
    File(Box<Transfer>),
    Rename {
        from: Vec<u8>,
        to: Vec<u8>,
        fid: Fid,
    },
    /// SET_INFO and SET_PATH_INFO that mark a file for deletion.
    Disposition {
        name: Vec<u8>,
        delete: bool,
        subcommand: u16,
        level: u16,
        fid: Fid,
    },
    Ioctl(u32),
    Call(Box<Call>),
}

pub struct SmbTx {
    pub meta: TxMeta,
    pub command: Command,
    pub status: Option<Status>,
    pub session: u64,
    pub tree: u32,
    pub done: PerDir<bool>,
    /// The dialect settled on when the transaction was made or answered.
    pub dialect: super::session::Dialect,
    pub kind: Kind,
}

impl SmbTx {
    fn transfer(&self, dir: Dir) -> Option<&Transfer> {
        match &self.kind {
            Kind::File(transfer) if transfer.dir == dir => Some(transfer),
            _ => None,
        }
    }
}

impl Transaction for SmbTx {
    fn meta(&self) -> &TxMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut TxMeta {
        &mut self.meta
    }
    fn progress(&self, dir: Dir) -> u8 {
        if self.done[dir] {
            COMPLETE
        } else {
            0
        }
    }
    fn buffer(&self, local: usize, index: usize, dir: Dir) -> Option<View<'_>> {
        if index > 0 {
            return None;
        }
        match (local, &self.kind) {
            (NAMED_PIPE, Kind::Tree(tree)) if tree.is_pipe() => Some(View::whole(&tree.name)),
            (SHARE, Kind::Tree(tree)) if !tree.is_pipe() || !self.done[Dir::ToClient] => {
                Some(View::whole(&tree.name))
            }
            (NTLMSSP_USER, Kind::Setup(setup)) => Some(View::whole(&setup.logon.ntlmssp.as_ref()?.user)),
            (NTLMSSP_DOMAIN, Kind::Setup(setup)) => Some(View::whole(&setup.logon.ntlmssp.as_ref()?.domain)),
            (STUB_DATA, Kind::Call(call)) => call.stub(dir).map(View::whole),
            (FILE_DATA, Kind::File(_)) => self.transfer(dir)?.chunks.file.data(),
            (FILE_NAME, Kind::File(_)) => Some(View::whole(&self.transfer(dir)?.chunks.file.name)),
            _ => None,
        }
    }
    fn files(&self, dir: Dir) -> &[File] {
        self.transfer(dir).map_or(&[], |transfer| std::slice::from_ref(&transfer.chunks.file))
    }
    fn files_mut(&mut self, dir: Dir) -> &mut [File] {
        match &mut self.kind {
            Kind::File(transfer) if transfer.dir == dir => std::slice::from_mut(&mut transfer.chunks.file),
            _ => &mut [],
        }
    }
    fn number(&self, keyword: &str, _dir: Dir) -> Option<u64> {
        match (keyword, &self.kind) {
            ("smb.version", _) => Some(u64::from(self.command.version())),
            ("dcerpc.opnum", Kind::Call(call)) if call.is_request() => call.opnum.map(u64::from),
            _ => None,
        }
    }
    fn interfaces(&self) -> &[Interface] {
        match &self.kind {
            Kind::Call(call) if call.is_request() => &call.interfaces,
            _ => &[],
        }
    }
    fn little_endian(&self, dir: Dir) -> Option<bool> {
        match &self.kind {
            Kind::Call(call) => Some(call.sides[dir].little),
            _ => None,
        }
    }
    fn log(&self, out: &mut JsonWriter, _what: LogFor) {
        super::log::log(self, out);
    }
}
