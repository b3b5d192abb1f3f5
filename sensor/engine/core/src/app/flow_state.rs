//! What the app stage keeps on a flow: which protocol it is and its parser.

use super::frames::FlowFrames;
use super::live::Live;
use super::{Parser, ProtocolId};
use crate::direction::{Dir, PerDir};

/// How far recognition is, per direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recognition {
    #[default]
    Pending,
    Known,
    Failed,
}

#[derive(Default)]
pub struct AppState {
    /// The protocol, once known.
    pub protocol: Option<ProtocolId>,
    /// What each direction was recognised as; they differ on a mismatch.
    pub seen: PerDir<Option<ProtocolId>>,
    /// The protocol before an upgrade (STARTTLS, CONNECT).
    pub original: Option<ProtocolId>,
    /// The protocol the parser asked to go on as.
    pub expected: Option<ProtocolId>,
    pub recognition: PerDir<Recognition>,
    /// The protocol `parser` belongs to: rules and records of its transactions follow it.
    pub parser_protocol: Option<ProtocolId>,
    pub parser: Option<Box<dyn Parser>>,
    /// The stream is still to be told how many bytes of each direction the parser wants reassembled.
    pub depth_due: bool,
    /// Parsers an upgrade replaced; their transactions are still to be logged.
    pub retired: Retired,
    /// What they hold was inspected in this direction.
    pub retired_inspected: PerDir<bool>,
    /// The parser was given something since the direction was last inspected.
    pub dirty: PerDir<bool>,
    /// Parsing is over (broken, encrypted, gap): transactions stay to be inspected and logged.
    pub stopped: bool,
    /// First direction that carried data.
    pub first_dir: Option<Dir>,
    /// The close of a direction was told to the parser.
    pub closed: PerDir<bool>,
    /// Bytes behind the consumed point that the parser wants before it is called again.
    pub wanted: PerDir<u32>,
    /// Flow-level app events (applayer_*), bit = index in `app::driver::EVENTS`.
    pub events: u16,
    /// Those already written as anomaly records.
    pub events_logged: u16,
    /// The direction of the packet in hand has just been recognised (or given up).
    pub recognised_now: bool,
    /// The same was so of an earlier packet, per direction.
    pub announced: PerDir<bool>,
    /// Transactions may have something to log or may be free to go.
    pub touched: bool,
    pub tx_count: u64,
    /// Which of them the stages behind have to look at.
    pub live: Live,
    /// Frames that rules or the log still have to see; None until there is one.
    pub frames: Option<Box<FlowFrames>>,
}

/// A parser and the protocol it belongs to.
type Held = (ProtocolId, Box<dyn Parser>);

/// Parsers an upgrade replaced, oldest first. Most flows have none.
#[derive(Default)]
#[allow(clippy::box_collection)] // a pointer keeps flows small
pub struct Retired(Option<Box<Vec<Held>>>);

impl Retired {
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    #[inline]
    pub fn len(&self) -> usize {
        self.0.as_deref().map_or(0, Vec::len)
    }
    pub fn get(&self, at: usize) -> Option<&Held> {
        self.0.as_deref()?.get(at)
    }
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Held> {
        self.0.as_deref_mut().into_iter().flatten()
    }
    pub fn push(&mut self, held: Held) {
        self.0.get_or_insert_default().push(held);
    }
    /// Takes one out for a while; `put_back` when done.
    pub fn take(&mut self, at: usize) -> Option<Held> {
        let held = self.0.as_deref_mut()?;
        (at < held.len()).then(|| held.remove(at))
    }
    pub fn put_back(&mut self, at: usize, held: Held) {
        let all = self.0.get_or_insert_default();
        all.insert(at.min(all.len()), held);
    }
    /// All of them; none are left.
    pub fn take_all(&mut self) -> Vec<Held> {
        self.0.take().map_or_else(Vec::new, |held| *held)
    }
}

impl AppState {
    /// Sets `recognised_now` for a packet of this direction.
    pub fn announce(&mut self, dir: Dir) {
        let over = self.recognition[dir] != Recognition::Pending;
        self.recognised_now = over && !self.announced[dir];
        self.announced[dir] |= over;
    }

    /// There is no parser, nor anything that one has left behind: the stages behind have nothing to look at.
    pub fn is_blank(&self) -> bool {
        self.parser.is_none()
            && self.retired.is_empty()
            && self.frames.is_none()
            && !self.touched
            && self.events == self.events_logged
    }

    /// Recognition gave up in both directions, or in the only one that had data.
    pub fn failed(&self) -> bool {
        let given_up = |dir: Dir| self.recognition[dir] == Recognition::Failed;
        self.protocol.is_none() && Dir::BOTH.iter().any(|d| given_up(*d))
    }
}
