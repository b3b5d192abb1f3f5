//! Flow: key, direction, timeouts in packet time, memory cap with eviction. Knows no protocols.

pub mod entry;

pub use entry::{Flow, FlowState};
