//! Capture: where frames come from. Owns files (and later rings), packet time and read positions; never looks inside
//! a packet.
//!
//! Files are read through a window (`window.rs`), not memory-mapped: a mapped file that shrinks while it is read (log
//! rotation, a full disk) kills the process with SIGBUS, mapping cannot read a pipe, and page faults cost as much as the
//! one copy `read` makes into a cache-warm buffer. Frames are borrowed from the window, so none is copied again.

pub mod af_packet;
pub mod bpf;
mod error;
mod pcap;
mod pcapng;
mod window;

pub use error::CaptureError;

use crate::time::Timestamp;
use std::io::Read;
use std::path::Path;
use window::Window;

/// One captured frame, borrowed until the next is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    pub data: &'a [u8],
    pub ts: Timestamp,
    /// Length on the wire in bytes; `data` may be shorter (snap length).
    pub wire_len: u32,
    /// LINKTYPE_ number (https://www.tcpdump.org/linktypes.html).
    pub link_type: u16,
}

/// Anything frames come from.
pub trait Source {
    /// The next frame; None at the end. After an error the source is at its end.
    fn next(&mut self) -> Option<Result<Frame<'_>, CaptureError>>;
    /// (bytes read, bytes in all); the total is 0 when nobody knows it (a pipe).
    fn position(&self) -> (u64, u64);
    /// What the reader put up with: a truncated tail, a damaged record. For people, one sentence each.
    fn warnings(&self) -> &[String];
}

/// No real frame is longer (the largest snap length in use is 256 KiB); a record that says so is damage, not data.
const RECORD_BYTES_MAX: u32 = 16 << 20;

/// A capture file of any format we read.
pub struct FileSource {
    window: Window,
    format: Format,
    warnings: Vec<String>,
    ended: bool,
}

enum Format {
    Pcap(pcap::Reader),
    PcapNg(pcapng::Reader),
}

/// What a format's reader found at the window's position.
enum Found {
    /// A frame: `skip` bytes after the position, `len` bytes long, in a record of `total` bytes.
    Frame { skip: usize, len: usize, total: usize, ts: Timestamp, wire_len: u32, link_type: u16 },
    /// No more frames; the text says why, when the end is not a clean one.
    End(Option<String>),
}

/// Opens a capture file (pcap or pcapng, told apart by content); `-` is standard input.
pub fn open(path: &Path) -> Result<FileSource, CaptureError> {
    FileSource::new(Window::open(path)?)
}

/// Reads a capture from anything; `name` is what errors and warnings call it.
pub fn read(name: &str, from: Box<dyn Read + Send>) -> Result<FileSource, CaptureError> {
    FileSource::new(Window::over(Path::new(name), from, 0))
}

impl FileSource {
    fn new(mut window: Window) -> Result<Self, CaptureError> {
        let format = match window.magic()? {
            magic if pcapng::is_magic(&magic) => Format::PcapNg(pcapng::Reader::new()),
            magic if pcap::is_magic(&magic) => Format::Pcap(pcap::Reader::open(&mut window)?),
            magic => return Err(error::not_a_capture(window.path(), &magic, window.total())),
        };
        Ok(FileSource { window, format, warnings: Vec::new(), ended: false })
    }
}

impl FileSource {
    /// From now on frames stay in memory where they were read, for `next_placed`. `spare`: a buffer that may be overwritten.
    pub fn hand_over(&mut self, spare: Vec<u8>) {
        self.window.hand_over(spare);
    }

    /// The buffer in which the frames lie that came before the last one, if that lies in another now.
    #[inline]
    pub fn given(&mut self) -> Option<Vec<u8>> {
        self.window.given()
    }

    /// The buffer in which the frames lie that came since the last `given`, when no other is to be read.
    pub fn last(&mut self) -> Vec<u8> {
        self.window.last()
    }

    /// The next frame, as `next` gives it, and where in its buffer it begins.
    #[inline]
    pub fn next_placed(&mut self) -> Option<Result<(Frame<'_>, usize), CaptureError>> {
        if self.ended {
            return None;
        }
        let found = match &mut self.format {
            Format::Pcap(reader) => reader.next(&mut self.window),
            Format::PcapNg(reader) => reader.next(&mut self.window),
        };
        match found {
            Ok(Found::Frame { skip, len, total, ts, wire_len, link_type }) => {
                let place = self.window.place().saturating_add(skip);
                let record = self.window.take(total);
                let data = record.get(skip..skip.saturating_add(len)).unwrap_or(&[]);
                Some(Ok((Frame { data, ts, wire_len, link_type }, place)))
            }
            Ok(Found::End(why)) => {
                self.ended = true;
                self.warnings.extend(why);
                None
            }
            Err(error) => {
                self.ended = true;
                Some(Err(error))
            }
        }
    }
}

impl Source for FileSource {
    #[inline]
    fn next(&mut self) -> Option<Result<Frame<'_>, CaptureError>> {
        self.next_placed().map(|found| found.map(|(frame, _)| frame))
    }

    fn position(&self) -> (u64, u64) {
        (self.window.offset(), self.window.total())
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

#[cfg(test)]
mod tests;
