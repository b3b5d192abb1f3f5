//! Lines of one direction, from any chunks: each ends with LF, a CR before it belongs to the end. What is longer than the
//! limit is cut there and flagged; the rest up to the LF is skipped. Bytes are looked at once, so that cost stays linear
//! however small the segments.

/// A line without its end.
pub struct Line {
    pub bytes: Vec<u8>,
    /// It went on beyond the limit.
    pub truncated: bool,
}

pub struct LineBuffer {
    held: Vec<u8>,
    max: usize,
    /// The line in hand was cut; its rest is not kept.
    over: bool,
    /// Bytes were lost: the next whole line begins behind an LF.
    lost: bool,
}

impl LineBuffer {
    /// `max` is the most bytes a line may have, its end included.
    pub fn new(max: usize) -> LineBuffer {
        LineBuffer { held: Vec::new(), max, over: false, lost: false }
    }

    /// Takes bytes from the front of `data`; Some when they complete a line.
    pub fn next(&mut self, data: &mut &[u8]) -> Option<Line> {
        while !data.is_empty() {
            let end = data.iter().position(|b| *b == b'\n');
            let (part, rest) = data.split_at(end.map_or(data.len(), |at| at.saturating_add(1)));
            *data = rest;
            if !self.lost {
                let room = self.max.saturating_sub(self.held.len());
                self.held.extend_from_slice(part.get(..room).unwrap_or(part));
                self.over |= part.len() > room;
            }
            if end.is_some() && !std::mem::take(&mut self.lost) {
                return Some(self.finish());
            }
        }
        None
    }

    /// The line that the end of the direction leaves without an LF.
    pub fn rest(&mut self) -> Option<Line> {
        (!self.held.is_empty()).then(|| self.finish())
    }

    /// Bytes were lost: what is held is no line.
    pub fn gap(&mut self) {
        self.held.clear();
        self.over = false;
        self.lost = true;
    }

    fn finish(&mut self) -> Line {
        let mut bytes = std::mem::take(&mut self.held);
        let truncated = std::mem::take(&mut self.over);
        if !truncated && bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        }
        Line { bytes, truncated }
    }
}
