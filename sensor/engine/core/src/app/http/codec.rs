//! Content codings other than gzip and deflate: brotli (RFC 7932) and lzma. Each is a stage that takes bytes and hands on what they
//! stand for; a stream that is not what it was announced as passes as it is from there on.

use super::decompress::{Sink, Trouble};
use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use lzma_rs::decompress::{Options, Stream};
use std::io::Write;
use std::sync::Arc;

/// Output piece handed on at a time.
const PIECE: usize = 8 << 10;
/// Input given to lzma at a time: a few bytes may stand for hundreds of kilobytes, which it holds until they are taken.
const LZMA_PIECE: usize = 256;
/// Dictionary of a lzma stream: Suricata's `lzma-memlimit`.
const LZMA_MEMORY_MAX_BYTES: usize = 1 << 20;

type Brotli = BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>;

/// A brotli stream. Its window is up to 4 MiB: larger ones, which no browser asks for, are not undone.
pub struct BrotliStage {
    /// None: bytes go through untouched.
    state: Option<Box<Brotli>>,
    started: bool,
    /// Counts against the flow's allowance while the window stands.
    _place: Option<Arc<()>>,
}

/// Bits of the window that the first byte announces (RFC 7932 section 9.1); None: a form that no encoder for the web makes.
fn window_bits(first: u8) -> Option<u8> {
    match first & 0x0f {
        byte if byte & 1 == 0 => Some(16),
        0x01 => match first >> 4 & 0x07 {
            0 => Some(17),
            1 => None, // large windows
            n => Some(n.saturating_add(8)),
        },
        byte => Some((byte >> 1).saturating_add(17)),
    }
}
const WINDOW_MAX_BITS: u8 = 22;

impl BrotliStage {
    pub fn new(place: Option<Arc<()>>) -> BrotliStage {
        let alloc = StandardAlloc::default;
        let state = place.is_some().then(|| Box::new(BrotliState::new(alloc(), alloc(), alloc())));
        BrotliStage { state, started: false, _place: place }
    }

    pub fn push(&mut self, data: &[u8], next: &mut Sink, trouble: &mut Trouble) -> bool {
        if !self.started {
            let Some(first) = data.first() else { return true };
            self.started = true;
            if window_bits(*first).is_none_or(|bits| bits > WINDOW_MAX_BITS) {
                self.give_up(trouble);
            }
        }
        let Some(state) = self.state.as_mut() else { return next(data) };
        let mut at: usize = 0;
        loop {
            let mut piece = [0u8; PIECE];
            let (mut room, mut made) = (piece.len(), 0usize);
            let mut left = data.len().saturating_sub(at);
            let mut total = 0;
            let result = BrotliDecompressStream(
                &mut left, &mut at, data, &mut room, &mut made, &mut piece, &mut total, state,
            );
            if made > 0 && !next(piece.get(..made).unwrap_or(&[])) {
                return false;
            }
            match result {
                BrotliResult::NeedsMoreInput => return true,
                BrotliResult::NeedsMoreOutput => {}
                BrotliResult::ResultSuccess => {
                    self.state = None;
                    self._place = None;
                    let rest = data.get(at..).unwrap_or(&[]);
                    return rest.is_empty() || next(rest);
                }
                BrotliResult::ResultFailure => {
                    self.give_up(trouble);
                    let rest = data.get(at..).unwrap_or(&[]);
                    return rest.is_empty() || next(rest);
                }
            }
        }
    }

    fn give_up(&mut self, trouble: &mut Trouble) {
        trouble.failed = true;
        self.state = None;
        self._place = None;
    }
}

/// A stream in the lzma format ("LZMA alone").
pub struct LzmaStage {
    stream: Option<Box<Stream<Vec<u8>>>>,
}

impl LzmaStage {
    pub fn new() -> LzmaStage {
        let options =
            Options { memlimit: Some(LZMA_MEMORY_MAX_BYTES), allow_incomplete: true, ..Options::default() };
        LzmaStage { stream: Some(Box::new(Stream::new_with_options(&options, Vec::new()))) }
    }

    pub fn push(&mut self, data: &[u8], next: &mut Sink, trouble: &mut Trouble) -> bool {
        let mut rest = data;
        while !rest.is_empty() {
            let Some(stream) = self.stream.as_mut() else { return next(rest) };
            let (piece, after) = rest.split_at_checked(LZMA_PIECE).unwrap_or((rest, &[]));
            let written = stream.write_all(piece);
            let out = stream.get_output_mut().map(std::mem::take).unwrap_or_default();
            if !out.is_empty() && !next(&out) {
                return false;
            }
            rest = after;
            if written.is_err() {
                trouble.failed = true;
                self.stream = None;
            }
        }
        true
    }

    pub fn finish(&mut self, next: &mut Sink) -> bool {
        let out = self.stream.take().and_then(|stream| stream.finish().ok()).unwrap_or_default();
        out.is_empty() || next(&out)
    }
}
