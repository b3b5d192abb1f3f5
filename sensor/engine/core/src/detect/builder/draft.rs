//! The parts of a rule while its options come in: contents, lists of tests, what they look at. Data only.

use crate::app::ProtocolId;
use crate::detect::fast_pattern::Ask;
use crate::detect::program::{Amount, Op};
use crate::detect::rule::{Absent, PacketBuffer, Transform};
use crate::direction::Dir;

/// A `content` while its modifiers come in.
#[derive(Clone, Debug, Default)]
pub struct ContentDraft {
    pub bytes: Vec<u8>,
    pub negated: bool,
    pub nocase: bool,
    pub offset: Option<Amount>,
    pub depth: Option<Amount>,
    pub distance: Option<Amount>,
    pub within: Option<Amount>,
    pub starts_with: bool,
    pub ends_with: bool,
    pub rawbytes: bool,
    pub replaced: bool,
    pub ask: Ask,
}

impl ContentDraft {
    pub fn is_relative(&self) -> bool {
        self.distance.is_some() || self.within.is_some()
    }
}

/// One test of a list: contents stay drafts until the rule is whole.
#[allow(clippy::large_enum_variant)] // short-lived, a few per rule
pub enum Item {
    Content(ContentDraft),
    Op(Op),
}

/// What a list of tests looks at.
#[derive(Clone, Copy)]
pub enum Place {
    Payload,
    /// Number in `detect::buffers`.
    App(u16),
    Packet(&'static str, PacketBuffer),
    /// A kind of frame of a protocol.
    Frame(ProtocolId, u8),
    /// The output of the last base64_decode in this list.
    Base64(usize),
    /// A buffer this build does not have: the rule is skipped, and what follows is still checked.
    Later,
}

/// The tests of one buffer as they come in.
pub struct List {
    pub place: Place,
    pub transforms: Vec<Box<dyn Transform>>,
    pub items: Vec<Item>,
    pub absent: Absent,
    /// Direction written behind the buffer's name (`file.data:to_client`, rules with =>).
    pub dir: Option<Dir>,
    /// Where the list was opened, for diagnostics.
    pub option: usize,
}

impl List {
    pub fn new(place: Place, option: usize) -> Self {
        List { place, transforms: Vec::new(), items: Vec::new(), absent: Absent::No, dir: None, option }
    }
}
