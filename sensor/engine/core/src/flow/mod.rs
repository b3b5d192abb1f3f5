//! Flow: key, direction, timeouts in packet time, memory cap with eviction. Knows no protocols.

pub mod config;
pub mod counters;
pub mod entry;
mod exception;
mod key;
#[cfg(test)]
mod sizes;
mod slab;
pub mod table;
#[cfg(test)]
mod tests;
mod wheel;

pub use config::FlowConfig;
pub use counters::FlowCounters;
pub use entry::{EndReason, Flow, FlowState, MacSet};
pub use exception::ExceptionPolicy;
pub use key::{FlowKey, Tracking};
pub use table::{FlowIndex, FlowTable};
