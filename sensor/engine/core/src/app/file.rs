//! A file seen inside a protocol: what `fileinfo` events say and `file.*` keywords ask. Its bytes are not kept here.

use crate::event::JsonWriter;

/// Whether a file came to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileState {
    #[default]
    Open,
    Closed,
    /// Cut by a gap, a limit or the end of the flow.
    Truncated,
    Error,
}

impl FileState {
    /// EVE's `fileinfo.state`.
    pub fn eve_name(self) -> &'static str {
        match self {
            FileState::Open | FileState::Truncated => "TRUNCATED",
            FileState::Closed => "CLOSED",
            FileState::Error => "ERROR",
        }
    }
}

#[derive(Clone, Debug, Default)]
pub struct File {
    pub name: Vec<u8>,
    /// Bytes seen so far.
    pub size: u64,
    pub state: FileState,
    pub gaps: bool,
    /// Offset of the first and last byte when the transfer is a range (HTTP Content-Range).
    pub range: Option<(u64, u64)>,
    pub logged: bool,
}

impl File {
    /// Writes the members of EVE's `fileinfo` object.
    pub fn log(&self, out: &mut JsonWriter, tx_id: u64) {
        out.bytes("filename", &self.name);
        if let Some((start, end)) = self.range {
            out.uint("start", start);
            out.uint("end", end);
        }
        out.bool("gaps", self.gaps);
        out.str("state", self.state.eve_name());
        out.bool("stored", false);
        out.uint("size", self.size);
        out.uint("tx_id", tx_id);
    }
}
