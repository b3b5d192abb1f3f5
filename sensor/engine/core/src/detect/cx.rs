//! What a test sees when a rule is evaluated.

use super::lua::Scripts;
use super::rule::Rule;
use crate::app::{ProtocolId, Transaction};
use crate::decode::Packet;
use crate::direction::Dir;
use crate::flow::Flow;

/// The packet in hand with its flow. `flow` is None for packets that have none (no IP, fragments, bad headers).
pub struct PacketCx<'a> {
    pub packet: &'a Packet<'a>,
    pub flow: Option<&'a Flow>,
    pub dir: Dir,
}

/// How many byte_extract / byte_math variables one rule may define.
pub const VARIABLES_MAX: usize = 16;

/// Evaluation state of one rule: variables and budgets. Reused from rule to rule.
pub struct EvalCx<'a> {
    pub packet: &'a Packet<'a>,
    pub flow: Option<&'a Flow>,
    pub dir: Dir,
    /// The transaction in hand, when a transaction is inspected, with its protocol.
    pub tx: Option<(&'a dyn Transaction, ProtocolId)>,
    /// byte_extract / byte_math results, by the rule's own numbering.
    pub variables: [u64; VARIABLES_MAX],
    /// Content retries left for this evaluation; at 0 the evaluation gives up (counted), so that cost stays bounded.
    pub budget: u32,
    /// Where the base64_decode keyword leaves its output for base64_data.
    pub base64: Vec<u8>,
    /// Captures by pcre into flow or packet variables: (variable id, bytes); stored when the whole rule matches.
    pub captures: Vec<(u32, Vec<u8>)>,
    /// The rule in hand.
    pub rule: Option<&'a Rule>,
    /// The worker's scripts.
    pub scripts: &'a Scripts,
}
