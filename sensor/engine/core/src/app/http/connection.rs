//! The HTTP parser of one flow: pairs requests with responses and drives both directions' state machines.
//!
//! The steps themselves are in `request` (to server), `response` (to client) and `message` (what both share).

use super::config::Config;
use super::events::Event;
use super::tx::HttpTx;
use crate::app::changed::Changed;
use crate::app::{Outcome, ParseCx, Parser, Transaction};
use crate::direction::{Dir, PerDir};
use std::collections::VecDeque;
use std::sync::Arc;

/// Where a direction stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Before a request or status line.
    #[default]
    Line,
    Headers,
    /// In a body of known length: bytes left.
    Length(u64),
    ChunkLength,
    /// In a chunk: bytes left.
    Chunk(u64),
    /// Behind a chunk, before its line end.
    ChunkEnd,
    Trailer,
    /// In a body that ends with the connection.
    UntilClose,
    /// Behind a message: what follows decides whether it was all.
    Finalize,
    /// A CONNECT request waits for its answer.
    Waiting,
    /// Behind a gap, before the next message.
    Lost,
    /// Not HTTP any more.
    Ignore,
}

/// One direction of the flow.
#[derive(Default)]
pub struct Half {
    pub state: State,
    /// The transaction in hand.
    pub tx: Option<u64>,
    /// Bytes of the unconsumed rest that were searched for a line end already.
    pub scanned: usize,
    /// A header line that may go on in the next one.
    pub fold: Option<Vec<u8>>,
    /// The last line ended in LF CR.
    pub lf_cr: bool,
    /// Bytes before a status line that may turn out to be a body without a head.
    pub held: Vec<u8>,
    /// The frame of the message in hand: offset in the stream and transaction.
    frame: Option<(u64, u64)>,
    /// The message it is of has just ended.
    frame_over: bool,
}

impl Half {
    /// Length of the first line of `data`, its LF included, if that has come; bytes that were searched before are not
    /// searched again.
    pub fn line_len(&mut self, data: &[u8]) -> Option<usize> {
        let from = std::mem::replace(&mut self.scanned, data.len());
        let at = memchr::memchr(b'\n', data.get(from..)?)?;
        Some(from.saturating_add(at).saturating_add(1))
    }
}

/// What one step of a state machine did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Used this many bytes; 0 only together with a change of state.
    Consumed(usize),
    /// A line end or a deciding byte is missing.
    Need,
    Broken,
}

pub struct HttpParser {
    /// Its transactions share it.
    pub(super) config: Arc<Config>,
    txs: VecDeque<Option<Box<HttpTx>>>,
    /// Id of the front of `txs`.
    base: u64,
    changed: Changed,
    /// First transaction whose answer has not begun.
    pub(super) next_response: u64,
    pub(super) halves: PerDir<Half>,
    broken: bool,
    /// Counts the bodies that hold a large window of decompression.
    pub(super) places: Arc<()>,
}

impl HttpParser {
    pub fn new(config: Config) -> Self {
        HttpParser {
            config: Arc::new(config),
            txs: VecDeque::new(),
            base: 0,
            changed: Changed::default(),
            next_response: 0,
            halves: PerDir::default(),
            broken: false,
            places: Arc::default(),
        }
    }

    fn position(&self, id: u64) -> Option<usize> {
        usize::try_from(id.checked_sub(self.base)?).ok()
    }
    fn held(&mut self, id: u64) -> Option<&mut HttpTx> {
        let at = self.position(id)?;
        self.txs.get_mut(at)?.as_deref_mut()
    }
    /// The same for what the wire says.
    pub(super) fn get(&mut self, id: u64) -> Option<&mut HttpTx> {
        self.changed.note(id, self.txs.len());
        self.held(id)
    }
    /// The direction's half with its transaction.
    pub(super) fn current(&mut self, dir: Dir) -> Option<&mut HttpTx> {
        self.get(self.halves[dir].tx?)
    }
    /// Both at once.
    pub(super) fn half_and_tx(&mut self, dir: Dir) -> (&mut Half, Option<&mut HttpTx>) {
        let half = &mut self.halves[dir];
        let base = self.base;
        if let Some(id) = half.tx {
            self.changed.note(id, self.txs.len());
        }
        let tx = half
            .tx
            .and_then(|id| id.checked_sub(base))
            .and_then(|at| usize::try_from(at).ok())
            .and_then(|at| self.txs.get_mut(at))
            .and_then(|slot| slot.as_deref_mut());
        (half, tx)
    }
    pub(super) fn event(&mut self, dir: Dir, event: Event) {
        if let Some(tx) = self.current(dir) {
            tx.event(event);
        }
    }

    /// A new transaction at the end; None when there are too many.
    pub(super) fn open(&mut self) -> Option<u64> {
        if self.txs.len() as u64 >= self.config.max_tx {
            return None;
        }
        let id = self.base.saturating_add(self.txs.len() as u64);
        self.txs.push_back(Some(Box::new(HttpTx::new(id, Arc::clone(&self.config)))));
        self.changed.note(id, self.txs.len());
        Some(id)
    }

    /// The first transaction from `next_response` on that still stands.
    pub(super) fn awaiting_response(&self) -> Option<u64> {
        let first = self.next_response.max(self.base);
        let skip = self.position(first)?;
        let found = self.txs.iter().skip(skip).position(Option::is_some)?;
        Some(first.saturating_add(found as u64))
    }

    /// The message of `dir` is over.
    pub(super) fn finish(&mut self, dir: Dir, whole: bool, cx: &mut ParseCx) {
        if let Some(tx) = self.current(dir) {
            tx.finish(dir, whole);
        }
        let half = &mut self.halves[dir];
        half.tx = None;
        half.fold = None;
        half.lf_cr = false;
        half.state = State::Line;
        half.frame_over = true;
        cx.trigger_raw[dir] = true;
    }

    /// Reports the frame of a message that began or ended between two offsets of the stream.
    pub(super) fn report_frame(&mut self, dir: Dir, from: u64, to: u64, cx: &mut ParseCx) {
        let half = &mut self.halves[dir];
        if let (None, Some(tx)) = (half.frame, half.tx) {
            half.frame = Some((from, tx));
            cx.frame_from(dir as u8, from, None, Some(tx));
        }
        if std::mem::take(&mut half.frame_over) {
            if let Some((start, tx)) = half.frame.take() {
                cx.frame_from(dir as u8, start, Some(to.saturating_sub(start)), Some(tx));
            }
        }
    }

    fn step(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Step {
        match self.halves[dir].state {
            State::Line => match dir {
                Dir::ToServer => self.request_line(data, cx),
                Dir::ToClient => self.status_line(data, cx),
            },
            State::Headers | State::Trailer => self.header_line(dir, data, cx),
            State::Length(left) => self.body_of_length(dir, left, data),
            State::ChunkLength => self.chunk_length(dir, data, cx),
            State::Chunk(left) => self.chunk(dir, left, data),
            State::ChunkEnd => self.chunk_end(dir, data),
            State::UntilClose => {
                if let Some(tx) = self.current(dir) {
                    tx.body_data(dir, data);
                }
                Step::Consumed(data.len())
            }
            State::Finalize => match dir {
                Dir::ToServer => self.after_request(data, cx),
                Dir::ToClient => self.after_response(data, cx),
            },
            State::Lost => self.resume(dir, data),
            // Line ends behind the heads of a CONNECT belong to neither protocol.
            State::Waiting if blanks(data) > 0 => Step::Consumed(blanks(data)),
            State::Ignore if cx.upgrade == Some("") && blanks(data) > 0 => Step::Consumed(blanks(data)),
            State::Waiting => Step::Need,
            State::Ignore if cx.upgrade.is_some() => Step::Need,
            State::Ignore => Step::Consumed(data.len()),
        }
    }
}

fn blanks(data: &[u8]) -> usize {
    data.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count()
}

impl Parser for HttpParser {
    fn parse(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Outcome {
        if self.broken {
            return Outcome::Broken;
        }
        let mut at: usize = 0;
        loop {
            let rest = data.get(at..).unwrap_or(&[]);
            if rest.is_empty() && self.halves[dir].state != State::Finalize {
                return Outcome::Done;
            }
            let step = self.step(dir, rest, cx);
            let used = if let Step::Consumed(used) = step { used } else { 0 };
            let from = cx.stream_offset.saturating_add(at as u64);
            self.report_frame(dir, from, from.saturating_add(used as u64), cx);
            match step {
                Step::Consumed(used) => {
                    at = at.saturating_add(used);
                    if used > 0 {
                        self.halves[dir].scanned = 0;
                    }
                }
                Step::Need => {
                    return Outcome::NeedMore { consumed: at, needed: rest.len().saturating_add(1) }
                }
                Step::Broken => {
                    self.broken = true;
                    return Outcome::Broken;
                }
            }
        }
    }

    fn gap(&mut self, dir: Dir, len: u64, cx: &mut ParseCx) -> Outcome {
        let mut left = len;
        let half = &mut self.halves[dir];
        half.scanned = 0;
        match half.state {
            State::Length(rest) | State::Chunk(rest) => {
                let skipped = rest.min(left);
                left = left.saturating_sub(skipped);
                let rest = rest.saturating_sub(skipped);
                half.state = match half.state {
                    State::Length(_) if rest == 0 => State::Finalize,
                    State::Length(_) => State::Length(rest),
                    _ if rest == 0 => State::ChunkEnd,
                    _ => State::Chunk(rest),
                };
                if let Some(tx) = self.current(dir) {
                    tx.body_gap(dir, skipped);
                }
                if self.halves[dir].state == State::Finalize {
                    self.finish(dir, true, cx);
                    let end = cx.stream_offset.saturating_add(skipped);
                    self.report_frame(dir, cx.stream_offset, end, cx);
                }
                if left == 0 {
                    return Outcome::Done;
                }
            }
            State::UntilClose => {
                if let Some(tx) = self.current(dir) {
                    tx.body_gap(dir, left);
                }
                return Outcome::Done;
            }
            State::Ignore | State::Lost => return Outcome::Done,
            _ => {}
        }
        // The gap hides where the next message begins. If it began where an answer has to, it hides that one's head.
        if dir == Dir::ToClient && self.halves[dir].state == State::Line && self.awaiting_response().is_some()
        {
            self.attach();
        }
        if self.halves[dir].tx.is_some() {
            self.finish(dir, false, cx);
            self.report_frame(dir, cx.stream_offset, cx.stream_offset, cx);
        }
        self.halves[dir].held = Vec::new();
        self.halves[dir].state = State::Lost;
        Outcome::Done
    }

    fn close(&mut self, dir: Dir, cx: &mut ParseCx) {
        self.closed(dir, cx);
        self.report_frame(dir, cx.stream_offset, cx.stream_offset, cx);
    }

    fn tx_ids(&self) -> std::ops::Range<u64> {
        self.base..self.base.saturating_add(self.txs.len() as u64)
    }
    fn tx(&self, id: u64) -> Option<&dyn Transaction> {
        let tx = self.txs.get(self.position(id)?)?.as_deref()?;
        Some(tx)
    }
    fn tx_mut(&mut self, id: u64) -> Option<&mut dyn Transaction> {
        let tx = self.held(id)?;
        Some(tx)
    }
    fn take_changed(&mut self) -> Option<Vec<u64>> {
        self.changed.take()
    }
    fn drop_tx(&mut self, id: u64) {
        if let Some(slot) = self.position(id).and_then(|at| self.txs.get_mut(at)) {
            *slot = None;
        }
        while matches!(self.txs.front(), Some(None)) {
            self.txs.pop_front();
            self.base = self.base.saturating_add(1);
        }
    }

    fn inspected(&mut self, id: u64, dir: Dir) {
        if let Some(tx) = self.held(id) {
            let limits = *tx.limits(dir);
            let inline = tx.config.body_inline;
            tx.side_mut(dir).body.inspected(&limits, inline);
        }
    }
}
