//! Looking over detection's shoulder: why a rule matched or not, what rules cost. Detection is one and the same with and
//! without; for `()` nothing of this remains in the compiled code.

use super::eval::Scene;
use super::ruleset::Ruleset;
use super::run::Hit;
use crate::app::frames::FrameFacts;
use crate::app::{ProtocolId, Transaction, View};
use crate::direction::Dir;

/// No rule has this number: all have had their turn.
pub const ALL_DONE: u32 = u32::MAX;

/// What a rule is tried on.
#[derive(Clone, Copy)]
pub enum Subject<'a> {
    /// The packet or the stretch of stream at hand.
    Packet,
    Transaction {
        tx: &'a dyn Transaction,
        protocol: ProtocolId,
        id: u64,
        /// Nothing more of it comes in this direction.
        complete: bool,
    },
    Frame {
        facts: FrameFacts,
        view: View<'a>,
    },
}

/// Which bytes a search is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Searched {
    Packet(Dir),
    /// Segments that entered no stream, by the patterns of packets and streams.
    Unstreamed(Dir),
    /// Packets of streams that have only begun.
    Young(Dir),
    Stream(Dir),
    /// A sticky buffer by its local number.
    Buffer(ProtocolId, Dir, usize),
    Frame(ProtocolId, u8),
}

/// What became of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Alert,
    /// A pass rule that came before has the packet or the flow.
    Passed,
    /// It is a pass rule itself.
    Passes,
    Suppressed,
    Threshold,
    /// A rate filter makes it pass.
    RateFilter,
    Noalert,
    /// The packet had `packet-alert-max` alerts.
    Overflow,
}

/// Is told what detection does. It must not change anything.
#[allow(unused_variables)] // named for those who implement them
pub trait Watch: Send {
    #[inline(always)]
    fn is_on(&self) -> bool {
        true
    }
    /// A packet comes; `passed`: no rule will see it, since a pass rule has the flow.
    fn begin(&mut self, rules: &Ruleset, scene: &Scene<'_>, passed: bool) {}
    /// A search is to begin.
    fn searches(&mut self) {}
    /// It is over; the rules it led to stand in `found`.
    fn searched(&mut self, what: Searched, bytes: usize, found: &[u32]) {}
    /// The rules worth a try, in their order; `led`: those on transactions to which a pattern of the payload leads.
    fn collected(&mut self, candidates: &[u32], led: &[u32]) {}
    /// It is the turn of this rule, and those before it have had theirs.
    fn tries(&mut self, rules: &Ruleset, rule: u32, scene: &Scene<'_>, subject: Subject<'_>) {}
    /// How the rule in hand fared.
    fn tried(&mut self, rule: u32, matched: bool) {}
    fn settled(&mut self, rules: &Ruleset, hit: &Hit, outcome: Outcome) {}
    /// The packet is done.
    fn end(&mut self) {}
    /// What was seen, as JSON.
    fn report(&mut self, rules: &Ruleset) -> serde_json::Value {
        serde_json::Value::Null
    }
}

impl Watch for () {
    #[inline(always)]
    fn is_on(&self) -> bool {
        false
    }
}
