//! Undoes Content-Encoding, layer by layer. Tolerant: what is not compressed, or not as announced, passes as it is.
//!
//! The form of a layer is found by looking (gzip magic, zlib header, else raw deflate), since senders mix the names up and
//! browsers follow the bytes. Time and memory are bounded by the caller's body limit and the bomb limit here.

use super::codec::{BrotliStage, LzmaStage};
use super::encoding::{plan, Coding};
use flate2::{Decompress, FlushDecompress, Status};
use std::sync::Arc;

/// Most bytes of a gzip header (its name and comment have no end of their own).
const HEADER_MAX: usize = 16 << 10;
/// Input a guessed (raw deflate) layer must survive before its output is believed.
const TRIAL_INPUT: usize = 1024;
/// Output piece handed on at a time.
const PIECE: usize = 8 << 10;
/// A body past the bomb limit that grew by more than this is a bomb.
const BOMB_RATIO: u64 = 2048;

/// What went wrong, for the transaction's events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    pub failed: bool,
    pub bomb: bool,
}

enum State {
    /// Collecting `held` until the form is known.
    Sniff,
    /// Inflating. While `trial`, input and output are held back.
    Inflate { trial: bool },
    /// Skipping the gzip trailer.
    Trailer(u8),
    /// Bytes go through untouched.
    Pass,
}

struct Layer {
    state: State,
    inflate: Option<Box<Decompress>>,
    held: Vec<u8>,
    trial_out: Vec<u8>,
    gzip: bool,
    /// Bytes of checksum behind the stream: 8 for gzip, 4 for zlib.
    trailer: u8,
    /// A raw-deflate reading of the same bytes was tried already.
    raw_tried: bool,
}

impl Layer {
    fn new() -> Self {
        Layer {
            state: State::Sniff,
            inflate: None,
            held: Vec::new(),
            trial_out: Vec::new(),
            gzip: false,
            trailer: 0,
            raw_tried: false,
        }
    }
}

/// Length of the gzip header in `data`; None: more bytes are needed.
fn gzip_header(data: &[u8]) -> Option<usize> {
    let flags = *data.get(3)?;
    let mut at: usize = 10;
    if flags & 0x04 != 0 {
        let low = usize::from(*data.get(at)?);
        let high = usize::from(*data.get(at.saturating_add(1))?);
        at = at.saturating_add(2).saturating_add((high << 8) | low);
    }
    for flag in [0x08, 0x10] {
        if flags & flag != 0 {
            let nul = memchr::memchr(0, data.get(at..)?)?;
            at = at.saturating_add(nul).saturating_add(1);
        }
    }
    if flags & 0x02 != 0 {
        at = at.saturating_add(2);
    }
    (data.len() >= at).then_some(at)
}

/// Where decoded bytes go; false = wants no more.
pub type Sink<'a> = dyn FnMut(&[u8]) -> bool + 'a;

/// Bodies of one flow that may hold a large window (brotli) at once.
const LARGE_MAX: usize = 8;

/// How a layer is undone.
enum Stage {
    Deflate(Box<Layer>),
    Brotli(BrotliStage),
    Lzma(LzmaStage),
}

impl Stage {
    fn push(&mut self, data: &[u8], next: &mut Sink, trouble: &mut Trouble) -> bool {
        match self {
            Stage::Deflate(layer) => layer.push(data, next, trouble),
            Stage::Brotli(stage) => stage.push(data, next, trouble),
            Stage::Lzma(stage) => stage.push(data, next, trouble),
        }
    }
    fn finish(&mut self, next: &mut Sink, trouble: &mut Trouble) -> bool {
        match self {
            Stage::Deflate(layer) => layer.finish(next, trouble),
            Stage::Brotli(_) => true,
            Stage::Lzma(stage) => stage.finish(next),
        }
    }
}

/// The layers of one body.
pub struct Decoder {
    layers: Vec<Stage>,
    bomb_limit: u64,
    consumed: u64,
    produced: u64,
    stopped: bool,
}

impl Decoder {
    /// `layers`: outermost first, one or more. `places` counts the large windows of the flow.
    pub fn new(layers: &[Coding], bomb_limit: u64, places: &Arc<()>) -> Self {
        let stage = |coding: &Coding| match coding {
            Coding::Deflate => Stage::Deflate(Box::new(Layer::new())),
            Coding::Brotli => {
                // One of the count is the flow's own.
                let free = Arc::strong_count(places) <= LARGE_MAX;
                Stage::Brotli(BrotliStage::new(free.then(|| Arc::clone(places))))
            }
            Coding::Lzma => Stage::Lzma(LzmaStage::new()),
        };
        Decoder {
            layers: layers.iter().map(stage).collect(),
            bomb_limit,
            consumed: 0,
            produced: 0,
            stopped: false,
        }
    }

    /// The decoder a Content-Encoding value asks for, with the usual limits; None: nothing to undo.
    pub fn for_value(value: &[u8], places: &Arc<()>) -> Option<Self> {
        const LAYERS: usize = 2;
        const BOMB_LIMIT: u64 = 1 << 20;
        let plan = plan(value, LAYERS, false);
        (!plan.layers.is_empty()).then(|| Decoder::new(&plan.layers, BOMB_LIMIT, places))
    }

    pub fn push(&mut self, data: &[u8], sink: &mut Sink) -> Trouble {
        self.run(data, false, sink)
    }
    /// The body is over: gives out what was held back.
    pub fn finish(&mut self, sink: &mut Sink) -> Trouble {
        self.run(&[], true, sink)
    }

    fn run(&mut self, data: &[u8], end: bool, sink: &mut Sink) -> Trouble {
        let mut trouble = Trouble::default();
        if self.stopped {
            return trouble;
        }
        self.consumed = self.consumed.saturating_add(data.len() as u64);
        let (consumed, limit) = (self.consumed, self.bomb_limit);
        let produced = &mut self.produced;
        let mut bomb = false;
        let mut guarded = |bytes: &[u8]| {
            *produced = produced.saturating_add(bytes.len() as u64);
            if *produced > limit && *produced > consumed.saturating_mul(BOMB_RATIO) {
                bomb = true;
                return false;
            }
            sink(bytes)
        };
        if !feed(&mut self.layers, data, end, &mut guarded, &mut trouble) {
            self.stopped = true;
        }
        trouble.bomb = bomb;
        trouble
    }
}

/// Gives `data` to the first layer, its output to the rest.
fn feed(layers: &mut [Stage], data: &[u8], end: bool, sink: &mut Sink, trouble: &mut Trouble) -> bool {
    let Some((layer, rest)) = layers.split_first_mut() else {
        return data.is_empty() || sink(data);
    };
    let mut inner = Trouble::default();
    let mut next = |bytes: &[u8]| feed(rest, bytes, false, sink, &mut inner);
    let mut go_on = layer.push(data, &mut next, trouble);
    if end && go_on {
        go_on = layer.finish(&mut next, trouble);
    }
    if end && go_on {
        go_on = feed(rest, &[], true, sink, &mut inner);
    }
    trouble.failed |= inner.failed;
    go_on
}

impl Layer {
    fn push(&mut self, data: &[u8], next: &mut Sink, trouble: &mut Trouble) -> bool {
        let mut rest = data;
        while !rest.is_empty() {
            match self.state {
                State::Pass => return next(rest),
                State::Sniff => {
                    self.held.extend_from_slice(rest);
                    return self.sniff(false, next, trouble);
                }
                State::Trailer(left) => {
                    let skipped = rest.len().min(usize::from(left));
                    rest = rest.get(skipped..).unwrap_or(&[]);
                    let left = left.saturating_sub(u8::try_from(skipped).unwrap_or(u8::MAX));
                    self.state = if left > 0 {
                        State::Trailer(left)
                    } else {
                        // Another member, or garbage: looked at like a new stream.
                        self.gzip = false;
                        self.trailer = 0;
                        self.raw_tried = true;
                        State::Sniff
                    };
                }
                State::Inflate { trial } => {
                    if trial {
                        self.held.extend_from_slice(rest);
                    }
                    match self.inflate(rest, next) {
                        Step::Stopped => return false,
                        Step::More => {
                            if trial && self.held.len() >= TRIAL_INPUT {
                                return self.believe(next);
                            }
                            return true;
                        }
                        Step::End(used) => {
                            let tail = rest.get(used..).unwrap_or(&[]);
                            if trial && !tail.is_empty() && self.is_plain_text() {
                                return self.pass(next);
                            }
                            if !self.believe(next) {
                                return false;
                            }
                            self.state =
                                if self.trailer > 0 { State::Trailer(self.trailer) } else { State::Pass };
                            rest = tail;
                        }
                        Step::Bad(used) => {
                            let tail = rest.get(used..).unwrap_or(&[]).to_vec();
                            return self.failed(trial, &tail, next, trouble);
                        }
                    }
                }
            }
        }
        true
    }

    /// Finds the form of what is held; `end`: no more comes.
    fn sniff(&mut self, end: bool, next: &mut Sink, trouble: &mut Trouble) -> bool {
        let header = match self.held.as_slice() {
            [0x1f, 0x8b, ..] => match gzip_header(&self.held) {
                Some(len) => {
                    self.gzip = true;
                    self.trailer = 8;
                    Some(len)
                }
                None if end || self.held.len() > HEADER_MAX => {
                    trouble.failed = true;
                    return self.pass(next);
                }
                None => None,
            },
            // Behind a finished stream only another gzip member is a stream.
            _ if self.raw_tried && self.held.len() >= 2 => return self.pass(next),
            [first, second, ..]
                if first & 0x0f == 8 && ((u16::from(*first) << 8) | u16::from(*second)) % 31 == 0 =>
            {
                self.trailer = 4;
                Some(2)
            }
            [_, _, ..] => {
                self.raw_tried = true;
                Some(0)
            }
            _ if end => return self.pass(next),
            _ => None,
        };
        let Some(header) = header else {
            return true;
        };
        self.begin(header, next, trouble)
    }

    /// Inflates what is held behind its first `skip` bytes.
    fn begin(&mut self, skip: usize, next: &mut Sink, trouble: &mut Trouble) -> bool {
        match &mut self.inflate {
            Some(inflate) => inflate.reset(false),
            None => self.inflate = Some(Box::new(Decompress::new(false))),
        }
        self.trial_out.clear();
        let held = std::mem::take(&mut self.held);
        self.state = State::Inflate { trial: true };
        self.held.extend_from_slice(held.get(..skip).unwrap_or(&held));
        self.push(held.get(skip..).unwrap_or(&[]), next, trouble)
    }

    fn inflate(&mut self, data: &[u8], next: &mut Sink) -> Step {
        let State::Inflate { trial } = self.state else {
            return Step::More;
        };
        let Some(inflate) = self.inflate.as_mut() else {
            return Step::Bad(0);
        };
        let mut piece = [0u8; PIECE];
        let mut used: usize = 0;
        loop {
            let (before_in, before_out) = (inflate.total_in(), inflate.total_out());
            let input = data.get(used..).unwrap_or(&[]);
            let status = inflate.decompress(input, &mut piece, FlushDecompress::None);
            let eaten = usize::try_from(inflate.total_in().saturating_sub(before_in)).unwrap_or(0);
            let made = usize::try_from(inflate.total_out().saturating_sub(before_out)).unwrap_or(0);
            used = used.saturating_add(eaten);
            let output = piece.get(..made).unwrap_or(&[]);
            if !output.is_empty() {
                if trial && self.trial_out.len() < TRIAL_INPUT.saturating_mul(64) {
                    self.trial_out.extend_from_slice(output);
                } else if !trial {
                    if !next(output) {
                        return Step::Stopped;
                    }
                } else {
                    // So much output is proof enough.
                    let held = std::mem::take(&mut self.trial_out);
                    self.held.clear();
                    self.state = State::Inflate { trial: false };
                    if !next(&held) || !next(output) {
                        return Step::Stopped;
                    }
                    return match self.inflate(data.get(used..).unwrap_or(&[]), next) {
                        Step::End(n) => Step::End(used.saturating_add(n)),
                        Step::Bad(n) => Step::Bad(used.saturating_add(n)),
                        step => step,
                    };
                }
            }
            match status {
                Ok(Status::StreamEnd) => return Step::End(used),
                Ok(_) if eaten == 0 && made == 0 => return Step::More,
                Ok(_) => {}
                Err(_) => return Step::Bad(used),
            }
        }
    }

    /// The layer is what it seemed: what was held back goes out.
    fn believe(&mut self, next: &mut Sink) -> bool {
        self.held.clear();
        let out = std::mem::take(&mut self.trial_out);
        if let State::Inflate { trial } = &mut self.state {
            *trial = false;
        }
        out.is_empty() || next(&out)
    }

    fn failed(&mut self, trial: bool, tail: &[u8], next: &mut Sink, trouble: &mut Trouble) -> bool {
        if !trial {
            trouble.failed = true;
            self.state = State::Pass;
            return tail.is_empty() || next(tail);
        }
        // A header said gzip or zlib, or the bytes were taken for raw deflate.
        let with_header = self.gzip || !self.raw_tried;
        if with_header && !self.trial_out.is_empty() {
            // The header was right and something came out: keep that and show the rest as it is.
            trouble.failed = true;
            if !self.believe(next) {
                return false;
            }
            self.state = State::Pass;
            return tail.is_empty() || next(tail);
        }
        if !self.gzip && !self.raw_tried {
            self.raw_tried = true;
            self.trailer = 0;
            return self.begin(0, next, trouble);
        }
        trouble.failed = true;
        self.pass(next)
    }

    /// A guessed stream whose input reads as text: inflate can take a word of English for a block.
    fn is_plain_text(&self) -> bool {
        self.trailer == 0 && self.held.iter().all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace())
    }

    fn pass(&mut self, next: &mut Sink) -> bool {
        self.state = State::Pass;
        self.trial_out = Vec::new();
        self.inflate = None;
        let held = std::mem::take(&mut self.held);
        held.is_empty() || next(&held)
    }

    fn finish(&mut self, next: &mut Sink, trouble: &mut Trouble) -> bool {
        match self.state {
            State::Sniff if !self.held.is_empty() => {
                if !self.sniff(true, next, trouble) {
                    return false;
                }
                self.believe(next)
            }
            State::Inflate { trial: true } if self.trial_out.is_empty() || self.is_plain_text() => {
                self.pass(next)
            }
            State::Inflate { trial: true } => self.believe(next),
            _ => true,
        }
    }
}

enum Step {
    More,
    /// The stream ended after this many bytes.
    End(usize),
    /// No stream after this many bytes.
    Bad(usize),
    Stopped,
}
