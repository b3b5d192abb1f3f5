//! One HTTP/2 connection: frames to transactions, header blocks over CONTINUATION, bodies as they come.

mod content;

use super::frame::{self, flag, kind, Header};
use super::hpack::Decoder;
use super::tx::Http2Tx;
use super::{Config, Event};
use crate::app::changed::Changed;
use crate::app::file::FileState;
use crate::app::{Outcome, ParseCx, Parser, Transaction, UpgradeHead};
use crate::direction::{Dir, PerDir};
use ahash::RandomState;
use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

/// What a client sends first (RFC 9113 section 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Longest frame that is taken apart; bodies are taken as they come whatever their frame's length. Peers that were not told
/// otherwise stay under 16 KiB, and the stream holds back what a frame still lacks.
const FRAME_MAX: usize = 65_536;

/// Indices in `Protocol::frames`.
mod frames {
    pub const HDR: u8 = 0;
    pub const DATA: u8 = 1;
    pub const PDU: u8 = 2;
}

/// Where a direction stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Before the client's preface, or before the first frame of the server.
    #[default]
    Start,
    Frame,
    /// In a DATA frame: body bytes left, padding behind them, and whether the stream ends with it.
    Body {
        stream: u32,
        left: usize,
        padding: usize,
        end: bool,
    },
    /// Frames that nobody takes apart: bytes left.
    Skip(usize),
    /// A gap hid where the next frame begins.
    Lost,
}

/// A header block that goes on in CONTINUATION frames.
struct Block {
    stream: u32,
    /// Whose request it is, when it was promised.
    promised: Option<u32>,
    end_stream: bool,
    bytes: Vec<u8>,
    cut: bool,
}

struct Half {
    state: State,
    hpack: Decoder,
    block: Option<Block>,
}

pub struct Http2Parser {
    config: Config,
    txs: VecDeque<Option<Box<Http2Tx>>>,
    /// Id of the front of `txs`.
    base: u64,
    changed: Changed,
    streams: HashMap<u32, u64, RandomState>,
    /// Highest stream either peer has opened, by who may open it: [even, odd].
    highest: [u32; 2],
    halves: PerDir<Half>,
    closed: PerDir<bool>,
    doh: bool,
    /// Counts the bodies that hold a large window of decompression.
    places: Arc<()>,
}

impl Http2Parser {
    pub fn new(config: Config) -> Http2Parser {
        let half = || Half { state: State::Start, hpack: Decoder::new(config.max_table_size), block: None };
        Http2Parser {
            config,
            txs: VecDeque::new(),
            base: 0,
            changed: Changed::default(),
            streams: HashMap::default(),
            highest: [0; 2],
            halves: PerDir::new(half(), half()),
            closed: PerDir::default(),
            doh: false,
            places: Arc::default(),
        }
    }

    fn position(&self, id: u64) -> Option<usize> {
        usize::try_from(id.checked_sub(self.base)?).ok()
    }
    fn held(&mut self, id: u64) -> Option<&mut Http2Tx> {
        let at = self.position(id)?;
        self.txs.get_mut(at)?.as_deref_mut()
    }
    /// The same for what the wire says.
    fn get(&mut self, id: u64) -> Option<&mut Http2Tx> {
        self.changed.note(id, self.txs.len());
        self.held(id)
    }

    fn open(&mut self, stream: u32) -> u64 {
        let crowded = self.txs.len() >= self.config.max_streams;
        if crowded {
            // The oldest makes room: what stands of it is logged, and goes at once if the flow does not get to that.
            if let Some(Some(oldest)) = self.txs.front_mut() {
                oldest.complete(FileState::Truncated);
                self.changed.note(self.base, self.txs.len());
            }
            if self.txs.len() >= self.config.max_streams.saturating_mul(2) {
                self.drop_tx(self.base);
            }
        }
        let id = self.base.saturating_add(self.txs.len() as u64);
        let mut tx = Box::new(Http2Tx::new(id, stream));
        if crowded {
            tx.event(Event::TooManyStreams);
        }
        self.txs.push_back(Some(tx));
        self.changed.note(id, self.txs.len());
        if stream != 0 {
            self.streams.insert(stream, id);
        }
        id
    }

    /// The transaction a frame belongs to. None: of a stream that is over.
    fn of(&mut self, header: &Header, stream: u32) -> Option<u64> {
        if stream == 0 {
            return Some(self.open(0));
        }
        let live = self.streams.get(&stream).copied().filter(|id| self.position(*id).is_some());
        let opens = matches!(header.kind, kind::HEADERS | kind::PUSH_PROMISE);
        if let Some(id) = live {
            let over = self.get(id).is_some_and(|tx| tx.is_complete());
            if !(over && opens) {
                return Some(id);
            }
        }
        let highest = self.highest.get_mut(usize::from(stream & 1 == 1));
        let known = highest.as_ref().is_some_and(|h| stream <= **h);
        if known && !opens {
            return None;
        }
        if let Some(highest) = highest {
            *highest = (*highest).max(stream);
        }
        let id = self.open(stream);
        if known {
            if let Some(tx) = self.get(id) {
                tx.event(Event::StreamIdReuse);
            }
        }
        Some(id)
    }

    /// An oddity that belongs to no stream that stands.
    fn connection_event(&mut self, event: Event) {
        let id = self.open(0);
        if let Some(tx) = self.get(id) {
            tx.event(event);
        }
    }

    /// One step over `rest`, which begins `at` bytes into the call: bytes used, or None when more are needed (how many).
    fn step(&mut self, dir: Dir, rest: &[u8], at: usize, cx: &mut ParseCx) -> Result<usize, usize> {
        match self.halves[dir].state {
            State::Lost => Ok(rest.len()),
            State::Skip(left) => {
                let used = left.min(rest.len());
                let left = left.saturating_sub(used);
                self.halves[dir].state = if left == 0 { State::Frame } else { State::Skip(left) };
                Ok(used)
            }
            State::Start => self.preface(dir, rest, cx),
            State::Body { stream, left, padding, end } => {
                let used = left.min(rest.len());
                self.body(dir, stream, rest.get(..used).unwrap_or(rest), 0);
                self.went_on(dir, State::Body { stream, left: left.saturating_sub(used), padding, end }, cx);
                Ok(used)
            }
            State::Frame => {
                let header = Header::read(rest).ok_or(frame::HEADER_LEN)?;
                let offset = i64::try_from(at).unwrap_or(i64::MAX);
                let total = frame::HEADER_LEN.saturating_add(header.len);
                let report = |cx: &mut ParseCx| {
                    let whole = Some(total as u64);
                    cx.frame(frames::HDR, offset, Some(frame::HEADER_LEN as u64));
                    cx.frame(
                        frames::DATA,
                        offset.saturating_add(frame::HEADER_LEN as i64),
                        Some(header.len as u64),
                    );
                    cx.frame(frames::PDU, offset, whole);
                };
                if header.kind == kind::DATA {
                    return self.data_frame(dir, &header, rest, &report, cx);
                }
                if header.len > FRAME_MAX {
                    report(cx);
                    if let Some(tx) = self.of(&header, header.stream).and_then(|id| self.get(id)) {
                        tx.saw(dir, header.kind);
                        tx.event(Event::LongFrameData);
                    }
                    self.halves[dir].state = State::Skip(header.len);
                    return Ok(frame::HEADER_LEN);
                }
                let payload = rest.get(frame::HEADER_LEN..total).ok_or(total)?;
                report(cx);
                self.frame(dir, &header, payload, cx);
                Ok(total)
            }
        }
    }

    fn data_frame(
        &mut self,
        dir: Dir,
        header: &Header,
        rest: &[u8],
        report: &dyn Fn(&mut ParseCx),
        cx: &mut ParseCx,
    ) -> Result<usize, usize> {
        let mut used = frame::HEADER_LEN;
        let mut padding = 0;
        let mut left = header.len;
        if header.has(flag::PADDED) && left > 0 {
            padding = usize::from(*rest.get(used).ok_or(used.saturating_add(1))?);
            used = used.saturating_add(1);
            left = left.saturating_sub(1);
        }
        report(cx);
        self.data(dir, header);
        if padding > left {
            if let Some(tx) = self.streams.get(&header.stream).copied().and_then(|id| self.get(id)) {
                tx.event(Event::InvalidFrameData);
            }
            padding = left;
        }
        let left = left.saturating_sub(padding);
        let end = header.has(flag::END_STREAM);
        self.went_on(dir, State::Body { stream: header.stream, left, padding, end }, cx);
        Ok(used)
    }

    /// Sets a state in a DATA frame, or the one behind it.
    fn went_on(&mut self, dir: Dir, state: State, cx: &mut ParseCx) {
        self.halves[dir].state = match state {
            State::Body { stream, left: 0, padding, end } => {
                if end {
                    self.end_stream(dir, stream, cx);
                }
                if padding > 0 {
                    State::Skip(padding)
                } else {
                    State::Frame
                }
            }
            other => other,
        };
    }

    fn preface(&mut self, dir: Dir, rest: &[u8], _cx: &mut ParseCx) -> Result<usize, usize> {
        if dir == Dir::ToServer {
            let shared = rest.len().min(PREFACE.len());
            let same = rest.get(..shared) == PREFACE.get(..shared);
            if same && shared < PREFACE.len() {
                return Err(PREFACE.len());
            }
            self.halves[dir].state = State::Frame;
            if same {
                return Ok(shared);
            }
            self.connection_event(Event::InvalidClientMagic);
        }
        self.halves[dir].state = State::Frame;
        Ok(0)
    }

    fn complete_all(&mut self) {
        self.changed.note_all();
        for tx in self.txs.iter_mut().flatten() {
            tx.complete(FileState::Truncated);
        }
    }
}

impl Parser for Http2Parser {
    fn parse(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Outcome {
        let mut at: usize = 0;
        loop {
            let rest = data.get(at..).unwrap_or(&[]);
            if rest.is_empty() {
                return Outcome::Done;
            }
            match self.step(dir, rest, at, cx) {
                Ok(used) => at = at.saturating_add(used),
                Err(needed) => return Outcome::NeedMore { consumed: at, needed },
            }
        }
    }

    fn gap(&mut self, dir: Dir, len: u64, cx: &mut ParseCx) -> Outcome {
        let mut lost = len;
        if let State::Body { stream, left, padding, end } = self.halves[dir].state {
            let of_body = lost.min(left as u64);
            lost = lost.saturating_sub(of_body);
            self.body(dir, stream, &[], of_body);
            let left = left.saturating_sub(usize::try_from(of_body).unwrap_or(usize::MAX));
            self.went_on(dir, State::Body { stream, left, padding, end }, cx);
        }
        if let State::Skip(left) = self.halves[dir].state {
            let skipped = lost.min(left as u64);
            lost = lost.saturating_sub(skipped);
            let left = left.saturating_sub(usize::try_from(skipped).unwrap_or(usize::MAX));
            self.halves[dir].state = if left == 0 { State::Frame } else { State::Skip(left) };
        }
        if lost > 0 {
            self.halves[dir].state = State::Lost;
            self.halves[dir].block = None;
        }
        Outcome::Done
    }

    fn close(&mut self, dir: Dir, _cx: &mut ParseCx) {
        self.closed[dir] = true;
        self.changed.note_all();
        for tx in self.txs.iter_mut().flatten().filter(|tx| !tx.is_complete()) {
            tx.end(dir, FileState::Truncated);
        }
        if Dir::BOTH.iter().all(|d| self.closed[*d]) {
            self.complete_all();
        }
    }

    fn upgraded(&mut self, head: &UpgradeHead) {
        self.upgrade(head);
    }

    fn tx_ids(&self) -> Range<u64> {
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
        let Some(tx) = self.position(id).and_then(|at| self.txs.get_mut(at)).and_then(Option::take) else {
            return;
        };
        if self.streams.get(&tx.stream) == Some(&id) {
            self.streams.remove(&tx.stream);
        }
        while matches!(self.txs.front(), Some(None)) {
            self.txs.pop_front();
            self.base = self.base.saturating_add(1);
        }
    }

    fn inspected(&mut self, id: u64, dir: Dir) {
        if let Some(tx) = self.held(id) {
            for file in &mut tx.sides[dir].files {
                file.inspected();
            }
        }
    }
}
