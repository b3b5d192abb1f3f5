//! Detect: prefilter (Hyperscan), evaluation, flowbits, thresholds. Never reads rule text on the hot path.
//!
//! `keywords` turn rule options into a `Rule` (rule.rs); `ruleset` groups rules and builds the prefilters; `run` meets a
//! packet with them. A keyword is one file in `keywords/` and one word in its registry.

// Bytes from the wire can never panic: what could is refused here. Tests may.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

pub mod address_index;
mod anchors;
pub mod buffers;
pub mod builder;
pub mod cache;
pub mod carry;
pub mod class;
pub mod compile;
pub mod cx;
pub mod databases;
pub mod dataset;
pub mod diagnostic;
mod duplicates;
pub mod effects;
pub mod endpoints;
pub mod ends;
pub mod engine_events;
pub mod eval;
mod expiring;
pub mod explain;
pub mod fast_pattern;
pub mod frame_groups;
pub mod frame_run;
mod gate;
mod gather;
pub mod geoip;
mod grams;
pub mod header;
pub mod hs;
pub mod keywords;
pub mod ledger;

pub mod lua;
pub mod mapped;
pub mod names;
pub mod packet_groups;
pub mod parallel;
pub mod pattern_groups;
pub mod pcre;
mod places;
pub mod ports;
pub mod prefilter;
pub mod profile;
pub mod program;
pub mod raw;
pub mod reputation;
pub mod rule;
pub mod ruleset;
pub mod run;
pub mod shared;
pub mod sharing;
pub mod state;
pub mod tag;
#[cfg(test)]
mod test_rules;
pub mod texts;
pub mod threshold;
mod threshold_config;
pub mod transforms;
mod tx_eval;
pub mod tx_groups;
pub mod tx_run;
pub mod watch;
pub mod window;
pub mod xbits;

pub use rule::Rule;
pub use state::{FlowDetect, TxDetect};
