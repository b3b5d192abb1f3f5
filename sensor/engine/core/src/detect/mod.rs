//! Detect: prefilter (Hyperscan), evaluation, flowbits, thresholds. Never reads rule text on the hot path.
//!
//! `keywords` turn rule options into a `Rule` (rule.rs); `ruleset` groups rules and builds the prefilters; `run` meets a
//! packet with them. A keyword is one file in `keywords/` and one word in its registry.

pub mod buffers;
pub mod cx;
pub mod hs;
pub mod program;
pub mod rule;
pub mod state;

pub use rule::Rule;
pub use state::{FlowDetect, TxDetect};
