//! Evaluation of a program on one view. Allocates nothing of its own (captures and base64 use the caller's buffers).
//!
//! Semantics follow the Suricata manual's payload keywords: tests run in order, each match moves the position; when a later
//! relative test fails, the nearest earlier content or pcre it hangs on is tried at its next occurrence.

use super::arithmetic::{align_up, arithmetic, masked};
use super::number::{Endian, Format, TEXT_MAX};
use super::probe::{Probe, Trace};
use super::{Amount, Compare, Content, Field, JumpFrom, Op, Pcre, Program};
use crate::app::View;
use crate::base64;
use crate::detect::cx::EvalCx;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Match,
    /// Failed here; another occurrence of something before may still succeed.
    Fail,
    /// Failed in a way no earlier choice can mend, or out of budget.
    Stop,
}

impl Program {
    /// Whether every test holds on `view`. Counts `cx.budget` down by one for every test tried; at 0 the answer is no.
    pub fn matches(&self, view: View<'_>, cx: &mut EvalCx<'_>) -> bool {
        run(&self.ops, view, cx, 0, &mut ()) == Verdict::Match
    }

    /// The same for the tests from `first` on, at `pos`, with what was seen. Changes nothing outside of `cx`, and takes scripts
    /// to hold.
    pub fn trace(&self, first: usize, pos: usize, view: View<'_>, cx: &mut EvalCx<'_>) -> (bool, Trace) {
        let ops = self.ops.get(first..).unwrap_or_default();
        let mut trace = Trace::of(ops.len());
        let holds = run(ops, view, cx, pos, &mut trace) == Verdict::Match;
        (holds, trace)
    }
}

/// Runs `ops` from position `pos`. Recursion is as deep as there are retried tests in one rule (bounded by its length).
fn run<P: Probe>(ops: &[Op], view: View<'_>, cx: &mut EvalCx<'_>, mut pos: usize, probe: &mut P) -> Verdict {
    let mut rest = ops;
    while let Some((op, tail)) = rest.split_first() {
        let Some(left) = cx.budget.checked_sub(1) else {
            return Verdict::Stop;
        };
        cx.budget = left;
        rest = tail;
        let left = tail.len();
        probe.tries(left, pos);
        match op {
            Op::Content(content) if content.negated => {
                if content.ends_with && !view.complete {
                    return Verdict::Fail;
                }
                let found = window(content, view, cx, pos).and_then(|(start, end)| {
                    probe.looks_in(left, start, end);
                    next(content, view.data, start, end)
                });
                if found.is_some() {
                    return failed(content);
                }
            }
            Op::Content(content) => {
                if content.ends_with && !view.complete {
                    return Verdict::Fail;
                }
                let Some((start, end)) = window(content, view, cx, pos) else {
                    return failed(content);
                };
                probe.looks_in(left, start, end);
                if content.retry {
                    return retry_content(content, tail, view, cx, start, end, probe);
                }
                let Some(at) = next(content, view.data, start, end) else {
                    return failed(content);
                };
                pos = at.saturating_add(content.literal.len());
                probe.found(left, at, pos);
            }
            Op::Pcre(pcre) if pcre.retry => return retry_pcre(pcre, tail, view, cx, pos, probe),
            Op::Pcre(pcre) => {
                let from = if pcre.relative { pos } else { 0 };
                let subject = view.data.get(from..).unwrap_or(&[]);
                match (find(pcre, subject, 0, cx), pcre.negated) {
                    (Some((begin, end)), false) => {
                        pos = from.saturating_add(end);
                        probe.found(left, from.saturating_add(begin), pos);
                    }
                    (None, true) => {}
                    _ => return Verdict::Fail,
                }
            }
            Op::DataAt { distance, relative, negated } => {
                let distance = amount(*distance, cx);
                let len = signed(view.data.len());
                let present = if *relative {
                    distance.saturating_add(signed(pos)) <= len
                } else {
                    let total = len.saturating_add(i64::try_from(view.offset).unwrap_or(i64::MAX));
                    distance < total
                };
                // Data that has not come yet may still come.
                if present == *negated || (!present && !view.complete) {
                    return Verdict::Fail;
                }
            }
            Op::Size(test) => {
                let size = view.offset.saturating_add(view.data.len() as u64);
                probe.reads(left, size);
                let holds =
                    if view.complete { test.holds(size) } else { test.holds_for_growing(size) == Some(true) };
                if !holds {
                    return Verdict::Stop;
                }
            }
            Op::Lookup(lookup) => {
                if !view.complete || view.offset != 0 {
                    return Verdict::Fail;
                }
                let holds = match probe.only_looks() {
                    true => lookup.would_hold(view.data),
                    false => lookup.holds(view.data, &mut cx.captures),
                };
                if !holds {
                    return Verdict::Fail;
                }
            }
            Op::Script(test) => {
                // It sees the whole buffer: where something before it matched makes no difference.
                if !probe.only_looks() && !cx.scripts.holds(test, cx, Some(view)) {
                    return Verdict::Stop;
                }
            }
            Op::Asn1(asn1) => {
                if !asn1.holds(view.data, pos) {
                    return Verdict::Fail;
                }
            }
            Op::Test { field, compare, value, negated, bitmask } => {
                let Some((found, _)) = read(field, view, cx, pos) else {
                    return Verdict::Fail;
                };
                let found = masked(found, *bitmask);
                probe.reads(left, found);
                // Variables are unsigned; a written value is compared as its 64-bit pattern.
                let value = raw_amount(*value, cx);
                let holds = match compare {
                    Compare::Less => found < value,
                    Compare::LessOrEqual => found <= value,
                    Compare::Equal => found == value,
                    Compare::GreaterOrEqual => found >= value,
                    Compare::Greater => found > value,
                    Compare::And => found & value != 0,
                    Compare::Xor => found ^ value != 0,
                };
                if holds == *negated {
                    return Verdict::Fail;
                }
            }
            Op::Jump { field, multiplier, align, from, post_offset } => {
                let Some((value, end)) = read(field, view, cx, pos) else {
                    return Verdict::Fail;
                };
                probe.reads(left, value);
                let value = align_up(value.wrapping_mul(*multiplier), *align);
                let base = match from {
                    JumpFrom::Here => end,
                    JumpFrom::Beginning => 0,
                    JumpFrom::End => view.data.len(),
                };
                let target = i128::from(value)
                    .saturating_add(i128::from(amount(*post_offset, cx)))
                    .saturating_add(i128::from(signed(base)));
                // Before the buffer: its start (Suricata's behaviour); behind it: no match.
                match usize::try_from(target.max(0)) {
                    Ok(target) if target <= view.data.len() => pos = target,
                    _ => return Verdict::Fail,
                }
            }
            Op::Extract { field, variable, multiplier, align } => {
                let Some((value, end)) = read(field, view, cx, pos) else {
                    return Verdict::Fail;
                };
                probe.reads(left, value);
                set(cx, *variable, align_up(value.wrapping_mul(*multiplier), *align));
                pos = end;
            }
            Op::Math { field, operator, value, variable, bitmask } => {
                let Some((left_value, end)) = read(field, view, cx, pos) else {
                    return Verdict::Fail;
                };
                probe.reads(left, left_value);
                let right = raw_amount(*value, cx);
                let Some(result) = arithmetic(*operator, left_value, right) else {
                    return Verdict::Fail;
                };
                set(cx, *variable, masked(result, *bitmask));
                pos = end;
            }
            Op::Base64 { offset, relative, bytes, inner } => {
                let from = if *relative { pos } else { 0 }.saturating_add(*offset as usize);
                let mut encoded = view.data.get(from..).unwrap_or(&[]);
                if let Some(bytes) = bytes {
                    encoded = encoded.get(..*bytes as usize).unwrap_or(encoded);
                }
                let mut decoded = std::mem::take(&mut cx.base64);
                decoded.clear();
                base64::decode(encoded, base64::Mode::Rfc4648, &mut decoded);
                let verdict = match inner {
                    _ if decoded.is_empty() => Verdict::Fail,
                    Some(inner) => {
                        probe.enter(inner.ops.len(), &decoded);
                        let verdict = run(&inner.ops, View::whole(&decoded), cx, 0, probe);
                        probe.leave();
                        verdict
                    }
                    None => Verdict::Match,
                };
                cx.base64 = decoded;
                if verdict != Verdict::Match {
                    return Verdict::Fail;
                }
                if inner.is_some() {
                    return Verdict::Match;
                }
            }
        }
    }
    Verdict::Match
}

/// An absolute content between fixed bounds answers the same whatever was matched before it.
fn failed(content: &Content) -> Verdict {
    let fixed =
        matches!(content.start, Amount::Fixed(_)) && !matches!(content.length, Some(Amount::Variable(_)));
    if !content.relative && fixed {
        Verdict::Stop
    } else {
        Verdict::Fail
    }
}

fn retry_content<P: Probe>(
    content: &Content,
    tail: &[Op],
    view: View<'_>,
    cx: &mut EvalCx<'_>,
    mut start: usize,
    end: usize,
    probe: &mut P,
) -> Verdict {
    let mut first = true;
    while let Some(at) = next(content, view.data, start, end) {
        first = false;
        let captures = cx.captures.len();
        let behind = at.saturating_add(content.literal.len());
        probe.found(tail.len(), at, behind);
        let verdict = run(tail, view, cx, behind, probe);
        if verdict != Verdict::Fail {
            return verdict;
        }
        cx.captures.truncate(captures);
        let Some(left) = cx.budget.checked_sub(1) else {
            return Verdict::Stop;
        };
        cx.budget = left;
        start = at.saturating_add(1);
    }
    if first || content.relative {
        failed(content)
    } else {
        Verdict::Fail
    }
}

fn retry_pcre<P: Probe>(
    pcre: &Pcre,
    tail: &[Op],
    view: View<'_>,
    cx: &mut EvalCx<'_>,
    pos: usize,
    probe: &mut P,
) -> Verdict {
    let from = if pcre.relative { pos } else { 0 };
    let subject = view.data.get(from..).unwrap_or(&[]);
    let mut start = 0;
    loop {
        let captures = cx.captures.len();
        let Some((begin, end)) = find(pcre, subject, start, cx) else {
            return Verdict::Fail;
        };
        probe.found(tail.len(), from.saturating_add(begin), from.saturating_add(end));
        let verdict = run(tail, view, cx, from.saturating_add(end), probe);
        if verdict != Verdict::Fail {
            return verdict;
        }
        cx.captures.truncate(captures);
        let Some(left) = cx.budget.checked_sub(1) else {
            return Verdict::Stop;
        };
        cx.budget = left;
        start = begin.saturating_add(1);
        if start > subject.len() {
            return Verdict::Fail;
        }
    }
}

/// Runs the regex; leaves captured groups in `cx.captures`.
fn find(pcre: &Pcre, subject: &[u8], start: usize, cx: &mut EvalCx<'_>) -> Option<(usize, usize)> {
    if pcre.captures.is_empty() {
        return pcre.regex.find_at(subject, start);
    }
    let captures = &mut cx.captures;
    pcre.regex.captures_at(subject, start, |group, range| {
        for capture in pcre.captures.iter().filter(|c| c.group == group) {
            if let Some(bytes) = subject.get(range.clone()) {
                captures.push((capture.id, bytes.to_vec()));
            }
        }
    })
}

/// Where the content may lie, as [start, end) in `view.data`; None when it cannot fit.
fn window(content: &Content, view: View<'_>, cx: &EvalCx<'_>, pos: usize) -> Option<(usize, usize)> {
    let base = if content.relative { signed(pos) } else { i64::try_from(view.offset).ok()?.checked_neg()? };
    let from = base.saturating_add(amount(content.start, cx));
    let end = match content.length {
        Some(length) => {
            let end = from.saturating_add(amount(length, cx));
            usize::try_from(end).ok()?.min(view.data.len())
        }
        None => view.data.len(),
    };
    let start = usize::try_from(from.max(0)).ok()?;
    (start.saturating_add(content.literal.len()) <= end).then_some((start, end))
}

/// First occurrence at or behind `start`, wholly before `end`.
#[inline]
fn next(content: &Content, data: &[u8], start: usize, end: usize) -> Option<usize> {
    let len = content.literal.len();
    if content.ends_with {
        let at = data.len().checked_sub(len)?;
        let fits = at >= start && end == data.len();
        return (fits && content.literal.equals(data.get(at..)?)).then_some(at);
    }
    let hay = data.get(start..end)?;
    if hay.len() == len {
        return content.literal.equals(hay).then_some(start);
    }
    content.literal.find(hay).map(|at| at.saturating_add(start))
}

/// The number of a field and the position behind it.
fn read(field: &Field, view: View<'_>, cx: &EvalCx<'_>, pos: usize) -> Option<(u64, usize)> {
    let base = if field.relative { signed(pos) } else { 0 };
    let start = usize::try_from(base.saturating_add(amount(field.offset, cx))).ok()?;
    let count = usize::try_from(amount(field.bytes, cx)).ok()?;
    let count = match (count, field.format) {
        // Text of no given length goes as far as its digits.
        (0, Format::Text(_)) => view.data.len().saturating_sub(start).min(TEXT_MAX),
        // byte_jump:0 reads nothing: a jump by post_offset alone.
        (0, Format::Binary(_)) => return (start <= view.data.len()).then_some((0, start)),
        (count, _) => count,
    };
    let (value, used) = super::number::extract(view.data.get(start..)?, count, settled(field.format, cx))?;
    Some((value, start.saturating_add(used)))
}

/// The format with DCE/RPC's byte order settled by the transaction; outside of one it is little-endian, as practically all is.
fn settled(format: Format, cx: &EvalCx<'_>) -> Format {
    match format {
        Format::Binary(Endian::Dce) => {
            let little = cx.tx.and_then(|(tx, _)| tx.little_endian(cx.dir)).unwrap_or(true);
            Format::Binary(if little { Endian::Little } else { Endian::Big })
        }
        other => other,
    }
}

#[inline]
fn amount(amount: Amount, cx: &EvalCx<'_>) -> i64 {
    match amount {
        Amount::Fixed(n) => n,
        Amount::Variable(_) => i64::try_from(raw_amount(amount, cx)).unwrap_or(i64::MAX),
    }
}

#[inline]
fn raw_amount(amount: Amount, cx: &EvalCx<'_>) -> u64 {
    match amount {
        Amount::Fixed(n) => n as u64,
        Amount::Variable(v) => cx.variables.get(usize::from(v)).copied().unwrap_or(0),
    }
}

fn set(cx: &mut EvalCx<'_>, variable: u8, value: u64) {
    if let Some(slot) = cx.variables.get_mut(usize::from(variable)) {
        *slot = value;
    }
}

fn signed(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
