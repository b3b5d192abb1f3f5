//! Detect: prefilter (Hyperscan), evaluation, flowbits, thresholds. Never reads rule text on the hot path.
//!
//! `keywords` turn rule options into a `Rule` (rule.rs); `ruleset` groups rules and builds the prefilters; `run` meets a
//! packet with them. A keyword is one file in `keywords/` and one word in its registry.

pub mod buffers;
pub mod builder;
pub mod cx;
pub mod diagnostic;
pub mod fast_pattern;
pub mod header;
pub mod hs;
pub mod keywords;
pub mod pcre;
pub mod program;
pub mod rule;
pub mod shared;
pub mod state;
pub mod transforms;
pub mod xbits;

pub use rule::Rule;
pub use state::{FlowDetect, TxDetect};
