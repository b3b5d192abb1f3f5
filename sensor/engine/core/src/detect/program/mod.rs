//! The tests of one buffer, in rule order, and their evaluation with backtracking. Knows bytes only: no packets, no rule text.

mod arithmetic;
pub mod asn1;
mod eval;
pub mod number;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod playbook;
pub mod probe;
pub mod search;

use super::lua::ScriptTest;
use super::pcre::Regex;
use number::{Format, NumberTest};
use search::Literal;
use std::sync::Arc;

/// A number in a rule: written out, or a byte_extract / byte_math variable by its index in `EvalCx::variables`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    Fixed(i64),
    Variable(u8),
}

/// One `content`.
pub struct Content {
    pub literal: Literal,
    pub negated: bool,
    /// Positions count from the end of the match before (distance, within).
    pub relative: bool,
    /// Must end at the last byte of the buffer.
    pub ends_with: bool,
    /// Absolute: first byte it may start at. Relative: `distance`.
    pub start: Amount,
    /// How many bytes from `start` it must fit into: `depth`, or `within` (counted from the start of the window).
    pub length: Option<Amount>,
    /// A later test depends on where this one matched: on failure the next occurrence is tried.
    pub retry: bool,
}

/// Where a captured pcre group goes, by the rule's numbering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capture {
    pub group: u32,
    /// Variable id in the shared interner.
    pub id: u32,
}

/// One `pcre`.
pub struct Pcre {
    pub regex: Regex,
    pub negated: bool,
    pub relative: bool,
    pub captures: Vec<Capture>,
    pub retry: bool,
}

/// Where the bytes of a number stand and how they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    pub bytes: Amount,
    pub offset: Amount,
    pub relative: bool,
    pub format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
    /// Some bit in common.
    And,
    /// Not the same.
    Xor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    ShiftLeft,
    ShiftRight,
}

/// Where a byte_jump counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JumpFrom {
    /// The end of the number itself.
    Here,
    Beginning,
    End,
}

/// One test; evaluation walks them in order and keeps the end of the last match as its position.
pub enum Op {
    Content(Content),
    Pcre(Pcre),
    /// isdataat: `distance` bytes further on there is (or is not) data.
    DataAt {
        distance: Amount,
        relative: bool,
        negated: bool,
    },
    /// bsize, urilen: the length of the whole buffer.
    Size(NumberTest),
    /// byte_test
    Test {
        field: Field,
        compare: Compare,
        value: Amount,
        negated: bool,
        bitmask: Option<u64>,
    },
    /// byte_jump
    Jump {
        field: Field,
        multiplier: u64,
        /// Rounds the value up to a multiple of this; 1 = as it is.
        align: u64,
        from: JumpFrom,
        post_offset: Amount,
    },
    /// byte_extract
    Extract {
        field: Field,
        variable: u8,
        multiplier: u64,
        align: u64,
    },
    /// byte_math
    Math {
        field: Field,
        operator: Arithmetic,
        value: Amount,
        variable: u8,
        bitmask: Option<u64>,
    },
    /// dataset, datarep: the whole buffer is looked up.
    Lookup(Box<dyn Lookup>),
    /// lua: a script says whether it holds.
    Script(ScriptTest),
    /// asn1: an element that begins at a place overflows.
    Asn1(asn1::Asn1),
    /// base64_decode with what base64_data is tested for; nothing after it is looked at.
    Base64 {
        offset: u32,
        relative: bool,
        /// At most so many encoded bytes; None = as many as there are.
        bytes: Option<u32>,
        /// None: no base64_data follows, decoding at least one byte is the test.
        inner: Option<Program>,
    },
}

/// A test of a whole buffer against something outside the rule.
pub trait Lookup: Send + Sync {
    /// Whether it holds; what the alert is to show goes to `captures` as (variable, value).
    fn holds(&self, data: &[u8], captures: &mut Vec<(u32, Vec<u8>)>) -> bool;
    /// Whether it would, without changing anything.
    fn would_hold(&self, data: &[u8]) -> bool;
}

/// The tests of one buffer. A clone is the same program.
#[derive(Clone, Default)]
pub struct Program {
    ops: Arc<[Op]>,
}

impl Program {
    /// `retry` marks are set here: a content or pcre is retried when a later relative test hangs on its position.
    pub fn new(mut ops: Vec<Op>) -> Self {
        let mut wanted = false;
        for op in ops.iter_mut().rev() {
            let (reads, writes) = position_use(op);
            match op {
                Op::Content(content) if !content.negated => content.retry = wanted,
                Op::Pcre(pcre) if !pcre.negated => pcre.retry = wanted,
                _ => {}
            }
            if writes {
                wanted = reads;
            } else {
                wanted |= reads;
            }
        }
        Program { ops: ops.into() }
    }

    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Whether nothing in it has a number of one ruleset's own, or is of the world outside the rules.
    pub fn is_of_any_ruleset(&self) -> bool {
        self.ops.iter().all(|op| match op {
            Op::Pcre(pcre) => pcre.captures.is_empty(),
            Op::Lookup(_) | Op::Script(_) => false,
            Op::Base64 { inner, .. } => inner.as_ref().is_none_or(Program::is_of_any_ruleset),
            _ => true,
        })
    }
}

impl Op {
    /// Whether it goes from where the test before it ended.
    pub fn is_relative(&self) -> bool {
        position_use(self).0
    }

    /// Whether those behind it go from where it ended.
    pub fn sets_position(&self) -> bool {
        position_use(self).1
    }
}

/// Whether a test reads and whether it sets the position.
fn position_use(op: &Op) -> (bool, bool) {
    match op {
        Op::Content(c) => (c.relative, !c.negated),
        Op::Pcre(p) => (p.relative, !p.negated),
        Op::DataAt { relative, .. } | Op::Base64 { relative, .. } => (*relative, false),
        Op::Size(_) | Op::Lookup(_) | Op::Script(_) => (false, false),
        Op::Asn1(asn1) => (asn1.relative(), false),
        Op::Test { field, .. } => (field.relative, false),
        Op::Jump { field, .. } | Op::Extract { field, .. } | Op::Math { field, .. } => (field.relative, true),
    }
}
