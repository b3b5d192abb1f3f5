//! A file seen inside a protocol: what `fileinfo` events say and `file.*` keywords ask. Of its bytes a sliding window is kept
//! here, unless the protocol keeps them itself (HTTP: its bodies).

use super::body::{Body, BodyLimits};
use super::View;
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
    pub(super) content: Option<Box<Body>>,
    pub(super) limits: Option<BodyLimits>,
}

/// The window over a file's content. Suricata's defaults for files outside HTTP: no limit of its own, looked at as it comes.
const CONTENT: BodyLimits = BodyLimits { limit: 0, min_inspect: 0, window: 4 << 10 };

impl File {
    /// A file whose content is kept here: `append` what comes of it, then `close` it.
    pub fn open(name: &[u8]) -> File {
        File { name: name.to_vec(), content: Some(Box::default()), ..File::default() }
    }
    /// Inspects the content within these limits instead: nothing before `min_inspect` bytes stand or the file is over, nothing
    /// beyond `limit`.
    pub fn limited(mut self, limits: BodyLimits) -> File {
        self.limits = Some(limits);
        self
    }
    /// The next bytes of the content.
    pub fn append(&mut self, bytes: &[u8]) {
        self.size = self.size.saturating_add(bytes.len() as u64);
        if let Some(content) = &mut self.content {
            content.append(bytes, self.limits.as_ref().unwrap_or(&CONTENT));
        }
    }
    /// `len` bytes of the content are lost.
    pub fn gap(&mut self, len: u64) {
        self.gaps = true;
        self.size = self.size.saturating_add(len);
        if let Some(content) = &mut self.content {
            content.gap(len, self.limits.as_ref().unwrap_or(&CONTENT));
        }
    }
    /// Ends the file, once; later calls change nothing.
    pub fn close(&mut self, state: FileState) {
        if self.state == FileState::Open {
            self.state = state;
            if let Some(content) = &mut self.content {
                content.finish();
            }
        }
    }
    /// The window of the content that stands: the buffer `file.data`.
    pub fn data(&self) -> Option<View<'_>> {
        self.content.as_ref()?.view(self.limits.as_ref().unwrap_or(&CONTENT), self.limits.is_none())
    }
    /// What `data` shows was inspected: the window may slide.
    pub fn inspected(&mut self) {
        if let Some(content) = &mut self.content {
            content.inspected(self.limits.as_ref().unwrap_or(&CONTENT), self.limits.is_none());
        }
    }

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
