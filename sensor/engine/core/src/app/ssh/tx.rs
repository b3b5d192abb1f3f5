//! The one transaction of an SSH flow: both banners and fingerprints. Must not see packets.

use super::kex::Hassh;
use super::{state, Event};
use crate::app::{LogFor, Transaction, TxMeta, View};
use crate::direction::{Dir, PerDir};
use crate::json::JsonWriter;

/// Local numbers of the buffers, in the order of `super::BUFFERS`.
mod buffer {
    pub const PROTO: usize = 0;
    pub const SOFTWARE: usize = 1;
    pub const HASSH: usize = 2;
    pub const HASSH_STRING: usize = 3;
    pub const HASSH_SERVER: usize = 4;
    pub const HASSH_SERVER_STRING: usize = 5;
}

/// What one side said.
#[derive(Default)]
pub struct Side {
    pub progress: u8,
    pub banner: Option<Banner>,
    pub hassh: Option<Hassh>,
}

/// `SSH-proto-software comment` (RFC 4253 section 4.2).
#[derive(Debug, PartialEq, Eq)]
pub struct Banner {
    pub proto: Vec<u8>,
    pub software: Vec<u8>,
}

impl Banner {
    pub fn read(line: &[u8]) -> Option<Banner> {
        let rest = line.strip_prefix(b"SSH-")?;
        let dash = rest.iter().position(|b| *b == b'-').filter(|at| *at > 0)?;
        let (proto, rest) = rest.split_at_checked(dash)?;
        let software = rest.get(1..)?.split(|b| matches!(b, b' ' | b'\r' | b'\n')).next()?;
        Some(Banner { proto: proto.to_vec(), software: software.to_vec() })
    }
}

#[derive(Default)]
pub struct SshTx {
    pub meta: TxMeta,
    pub sides: PerDir<Side>,
}

impl SshTx {
    pub fn event(&mut self, event: Event) {
        self.meta.set_event(event as u8);
    }
    /// Progress never goes back.
    pub fn reach(&mut self, dir: Dir, progress: u8) {
        let side = &mut self.sides[dir];
        side.progress = side.progress.max(progress);
    }
}

impl Transaction for SshTx {
    fn meta(&self) -> &TxMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut TxMeta {
        &mut self.meta
    }
    fn progress(&self, dir: Dir) -> u8 {
        self.sides[dir].progress
    }

    fn buffer(&self, local: usize, index: usize, dir: Dir) -> Option<View<'_>> {
        if index > 0 {
            return None;
        }
        let side = &self.sides[dir];
        let hassh = side.hassh.as_ref();
        let data: &[u8] = match (local, dir) {
            (buffer::PROTO, _) => &side.banner.as_ref()?.proto,
            (buffer::SOFTWARE, _) => {
                Some(side.banner.as_ref()?.software.as_slice()).filter(|s| !s.is_empty())?
            }
            (buffer::HASSH, Dir::ToServer) | (buffer::HASSH_SERVER, Dir::ToClient) => hassh?.hash.as_bytes(),
            (buffer::HASSH_STRING, Dir::ToServer) | (buffer::HASSH_SERVER_STRING, Dir::ToClient) => {
                &hassh?.text
            }
            _ => return None,
        };
        Some(View::whole(data))
    }

    fn log(&self, out: &mut JsonWriter, _what: LogFor) {
        for (key, dir) in [("client", Dir::ToServer), ("server", Dir::ToClient)] {
            let side = &self.sides[dir];
            let Some(banner) = side.banner.as_ref().filter(|_| side.progress >= state::BANNER_DONE) else {
                continue;
            };
            out.open_object(key);
            out.bytes("proto_version", &banner.proto);
            if !banner.software.is_empty() {
                out.bytes("software_version", &banner.software);
            }
            if let Some(hassh) = &side.hassh {
                out.open_object("hassh");
                out.str("hash", &hassh.hash);
                out.bytes("string", &hassh.text);
                out.close();
            }
            out.close();
        }
    }
}
