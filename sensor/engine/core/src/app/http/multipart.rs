//! The parts of a multipart/form-data body (RFC 7578) and the files among them. Keeps no file bytes, only where they stand.

use super::events::Event;
use crate::app::file::{File, FileState};
use memchr::memmem;

/// Most files of one body: each costs an entry and a log line.
const FILES_MAX: usize = 64;
/// Most bytes of one part's headers.
const PART_HEADERS_MAX: usize = 8 << 10;
/// Longest boundary that is honoured (RFC 2046 allows 70).
const BOUNDARY_MAX: usize = 200;
/// Longest file name kept.
pub const NAME_MAX: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Preamble,
    Headers,
    Data { file: bool },
    Epilogue,
}

/// Where a file stands in the body: [start, end).
#[derive(Clone, Copy, Debug)]
pub struct Range {
    pub start: u64,
    pub end: u64,
}

pub struct Multipart {
    /// "--" and the boundary.
    delimiter: Vec<u8>,
    /// Bytes not decided on yet.
    held: Vec<u8>,
    /// Offset of held[0] in the body.
    offset: u64,
    state: State,
}

/// The boundary of a Content-Type value, if it is multipart/form-data.
pub fn boundary(content_type: &[u8]) -> Option<&[u8]> {
    let value = content_type.trim_ascii();
    let name = value.get(..19)?;
    if !name.eq_ignore_ascii_case(b"multipart/form-data") {
        return None;
    }
    parameter(value, b"boundary").filter(|b| !b.is_empty() && b.len() <= BOUNDARY_MAX)
}

/// A parameter `name=value` or `name="value"` of a header value.
pub fn parameter<'a>(value: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut rest = value;
    loop {
        let at = memchr::memchr(b';', rest)?.saturating_add(1);
        rest = rest.get(at..)?.trim_ascii_start();
        let Some(tail) = rest
            .get(..name.len())
            .filter(|word| word.eq_ignore_ascii_case(name))
            .and_then(|_| rest.get(name.len()..))
        else {
            continue;
        };
        let Some(tail) = tail.trim_ascii_start().strip_prefix(b"=") else {
            continue;
        };
        let tail = tail.trim_ascii_start();
        return Some(match tail.strip_prefix(b"\"") {
            Some(quoted) => {
                quoted.get(..memchr::memchr(b'"', quoted).unwrap_or(quoted.len())).unwrap_or(quoted)
            }
            None => {
                let end = tail.iter().position(|b| matches!(b, b';' | b' ' | b'\t')).unwrap_or(tail.len());
                tail.get(..end).unwrap_or(tail)
            }
        });
    }
}

impl Multipart {
    pub fn new(boundary: &[u8]) -> Self {
        let mut delimiter = b"--".to_vec();
        delimiter.extend_from_slice(boundary);
        Multipart { delimiter, held: Vec::new(), offset: 0, state: State::Preamble }
    }

    fn drop_front(&mut self, len: usize) {
        let len = len.min(self.held.len());
        self.held.drain(..len);
        self.offset = self.offset.saturating_add(len as u64);
    }

    /// Takes the next bytes of the body.
    pub fn push(
        &mut self,
        data: &[u8],
        files: &mut Vec<File>,
        ranges: &mut Vec<Range>,
        events: &mut dyn FnMut(Event),
    ) {
        if self.state == State::Epilogue {
            return;
        }
        self.held.extend_from_slice(data);
        loop {
            match self.state {
                State::Preamble => {
                    let Some(at) = memmem::find(&self.held, &self.delimiter) else {
                        let keep = self.delimiter.len();
                        self.drop_front(self.held.len().saturating_sub(keep));
                        return;
                    };
                    self.drop_front(at);
                    if !self.after_delimiter() {
                        return;
                    }
                }
                State::Headers => {
                    let end = head_end(&self.held);
                    let Some(end) = end else {
                        if self.held.len() > PART_HEADERS_MAX {
                            events(Event::MultipartInvalidHeader);
                            self.state = State::Epilogue;
                            self.held = Vec::new();
                        }
                        return;
                    };
                    let head = self.held.get(..end).unwrap_or(&[]);
                    let name = file_name(head, events);
                    self.drop_front(end);
                    let file = name.is_some() && files.len() < FILES_MAX;
                    if let (true, Some(name)) = (file, name) {
                        files.push(File::named(name));
                        ranges.push(Range { start: self.offset, end: self.offset });
                    }
                    self.state = State::Data { file };
                }
                State::Data { file } => {
                    let found = self.find_end();
                    // Keep what may be the beginning of a delimiter.
                    let keep = self.delimiter.len().saturating_add(2);
                    let len = found.unwrap_or(self.held.len().saturating_sub(keep));
                    if file {
                        if let (Some(open), Some(range)) = (files.last_mut(), ranges.last_mut()) {
                            open.observe(self.held.get(..len).unwrap_or(&[]));
                            range.end = self.offset.saturating_add(len as u64);
                            if found.is_some() {
                                open.close(FileState::Closed);
                                if open.size == 0 {
                                    events(Event::MultipartNoFiledata);
                                }
                            }
                        }
                    }
                    self.drop_front(len);
                    if found.is_none() {
                        return;
                    }
                    let line_end = match self.held.as_slice() {
                        [b'\r', b'\n', ..] => 2,
                        [b'\n', ..] => 1,
                        _ => 0,
                    };
                    self.drop_front(line_end);
                    if !self.after_delimiter() {
                        self.state = State::Preamble;
                        return;
                    }
                }
                State::Epilogue => return,
            }
        }
    }

    /// Where the data of a part ends: before CRLF and delimiter, or at a delimiter that comes at once.
    fn find_end(&self) -> Option<usize> {
        if self.held.starts_with(&self.delimiter) {
            return Some(0);
        }
        let mut from: usize = 0;
        loop {
            let at = from.saturating_add(memmem::find(self.held.get(from..)?, &self.delimiter)?);
            match self.held.get(..at) {
                Some([before @ .., b'\r', b'\n'] | [before @ .., b'\n']) => return Some(before.len()),
                _ => from = at.saturating_add(1),
            }
        }
    }

    /// Past a delimiter that stands at the front: the next part, or the end. False: more bytes are needed.
    fn after_delimiter(&mut self) -> bool {
        let after = self.delimiter.len();
        match self.held.get(after..after.saturating_add(2)) {
            Some(b"--") => {
                self.state = State::Epilogue;
                self.held = Vec::new();
                true
            }
            Some(b"\r\n") => {
                self.drop_front(after.saturating_add(2));
                self.state = State::Headers;
                true
            }
            Some([b'\n', _]) => {
                self.drop_front(after.saturating_add(1));
                self.state = State::Headers;
                true
            }
            Some(_) => {
                self.drop_front(after);
                self.state = State::Preamble;
                true
            }
            None => false,
        }
    }

    /// The body is over: a part without its end is cut.
    pub fn finish(&mut self, files: &mut [File], ranges: &mut [Range], events: &mut dyn FnMut(Event)) {
        match self.state {
            State::Data { file } => {
                if file {
                    if let (Some(open), Some(range)) = (files.last_mut(), ranges.last_mut()) {
                        open.observe(&self.held);
                        range.end = self.offset.saturating_add(self.held.len() as u64);
                        open.close(FileState::Truncated);
                    }
                }
                events(Event::MultipartGenericError);
            }
            State::Headers => events(Event::MultipartGenericError),
            State::Preamble | State::Epilogue => {}
        }
        self.state = State::Epilogue;
        self.held = Vec::new();
    }
}

/// Length of a part's headers with the empty line behind them; lines may end in a bare LF.
fn head_end(held: &[u8]) -> Option<usize> {
    let mut from: usize = 0;
    loop {
        match held.get(from..)? {
            [b'\r', b'\n', ..] => return Some(from.saturating_add(2)),
            [b'\n', ..] => return Some(from.saturating_add(1)),
            rest => from = from.saturating_add(memchr::memchr(b'\n', rest)?).saturating_add(1),
        }
    }
}

/// The file name in a part's headers.
fn file_name(head: &[u8], events: &mut dyn FnMut(Event)) -> Option<Vec<u8>> {
    const NAME: &[u8] = b"content-disposition:";
    for line in head.split(|b| *b == b'\n') {
        let line = line.trim_ascii_end();
        if line.is_empty() {
            continue;
        }
        if memchr::memchr(b':', line).is_none() {
            events(Event::MultipartInvalidHeader);
        }
        let Some(value) = line
            .get(..NAME.len())
            .filter(|name| name.eq_ignore_ascii_case(NAME))
            .and_then(|_| line.get(NAME.len()..))
        else {
            continue;
        };
        if let Some(name) = parameter(value, b"filename").filter(|name| !name.is_empty()) {
            let kept = name.get(..NAME_MAX).unwrap_or(name);
            if kept.len() < name.len() {
                events(Event::FileNameTooLong);
            }
            return Some(kept.to_vec());
        }
    }
    None
}
