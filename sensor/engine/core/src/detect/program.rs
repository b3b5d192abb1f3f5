//! The tests of one buffer, in rule order, and their evaluation with backtracking.

/// The tests of one buffer.
#[derive(Default)]
pub struct Program {}
