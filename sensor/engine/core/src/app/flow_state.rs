//! What the app stage keeps on a flow: which protocol it is and its parser.

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
    pub parser: Option<Box<dyn Parser>>,
    /// Parsing is over (broken, encrypted, gap): transactions stay to be inspected and logged.
    pub stopped: bool,
    /// First direction that carried data.
    pub first_dir: Option<Dir>,
    /// The close of a direction was told to the parser.
    pub closed: PerDir<bool>,
    /// Bytes behind the consumed point that the parser wants before it is called again.
    pub wanted: PerDir<usize>,
    /// Flow-level app events (applayer_*), bit = index in `app::driver::EVENTS`.
    pub events: u16,
    pub tx_count: u64,
}
