//! The content of a mail, after DATA line by line and in the chunks of BDAT.

use super::{Command, Mode, SmtpParser};
use crate::app::mime::Message;

/// Data of a mail that may be a boundary or its end is kept back until its line is whole, up to this length.
const HELD_MAX: usize = 1024;

impl SmtpParser {
    /// Takes a line of a mail, or a piece of one; answers its length, None when more must stand first.
    pub(super) fn mail(&mut self, rest: &[u8], eof: bool) -> Option<usize> {
        let (piece, end, used) = cut(rest, self.line_starts, eof)?;
        if self.line_starts && !end.is_empty() && piece == b"." {
            self.end_mail();
            return Some(used);
        }
        // A dot that begins a line was doubled (RFC 5321 section 4.5.2).
        let text = piece.strip_prefix(b".").filter(|_| self.line_starts).unwrap_or(piece);
        self.content(text, end);
        Some(used)
    }

    /// The same of a chunk, which has no end mark and no doubled dots, and may end within a line.
    pub(super) fn chunk(&mut self, rest: &[u8], left: u64, last: bool, eof: bool) -> Option<usize> {
        let within = usize::try_from(left).ok().and_then(|left| rest.get(..left));
        let ends = within.is_some();
        let within = within.unwrap_or(rest);
        let used = if self.held.is_empty() {
            match cut(within, self.line_starts, eof || (ends && last)) {
                Some((piece, end, used)) => {
                    self.content(piece, end);
                    used
                }
                None if ends => {
                    self.held.extend_from_slice(within);
                    within.len()
                }
                None => return None,
            }
        } else {
            let stop = memchr::memchr(b'\n', within).map_or(within.len(), |at| at.saturating_add(1));
            let mut joined = std::mem::take(&mut self.held);
            joined.extend_from_slice(within.get(..stop).unwrap_or(&[]));
            let mut rest = joined.as_slice();
            while let Some((piece, end, used)) =
                cut(rest, self.line_starts, eof || (ends && last && stop == within.len()))
            {
                self.content(piece, end);
                rest = rest.get(used..).unwrap_or(&[]);
                if rest.is_empty() {
                    break;
                }
            }
            self.held = rest.to_vec();
            stop
        };
        match left.saturating_sub(used as u64) {
            0 => self.end_chunk(last),
            left => self.mode = Mode::Chunk { left, last },
        }
        Some(used)
    }

    fn content(&mut self, piece: &[u8], end: &[u8]) {
        let starts = std::mem::replace(&mut self.line_starts, !end.is_empty());
        let Some(tx) = self.tx() else { return };
        if let Some(message) = &mut tx.message {
            message.push(piece, end, starts);
            tx.take_anomalies();
        } else if let Some(file) = tx.raw_mut() {
            file.append(piece);
            file.append(end);
        }
    }

    fn end_mail(&mut self) {
        self.mode = Mode::Commands;
        self.wait(Command::DataEnd);
        if let Some(tx) = self.tx() {
            tx.finish(true);
        }
    }

    pub(super) fn end_chunk(&mut self, last: bool) {
        self.mode = Mode::Commands;
        self.after_chunk = true;
        if last {
            if let Some(tx) = self.tx() {
                tx.finish(true);
            }
        }
    }

    /// Makes the mail ready for its content; what an earlier DATA of it brought stays.
    pub(super) fn open_mail(&mut self) {
        let (decode, raw) = (self.config.decode_mime, self.config.raw_extraction);
        let mime = self.config.mime.clone();
        let Some(tx) = self.tx() else { return };
        tx.envelope = true;
        let opens = tx.message.is_none() && tx.raw_mut().is_none();
        if opens && decode {
            tx.message = Some(Box::new(Message::new(mime)));
        } else if opens && raw {
            tx.open_raw();
        }
        if opens {
            self.line_starts = true;
            self.held.clear();
        }
    }
}

/// The next line of a mail, or a piece of it that cannot be mistaken: (text, line end, bytes used).
fn cut(rest: &[u8], line_starts: bool, eof: bool) -> Option<(&[u8], &[u8], usize)> {
    if let Some(at) = memchr::memchr(b'\n', rest) {
        let used = at.saturating_add(1);
        let line = rest.get(..at).unwrap_or(&[]);
        let text = line.strip_suffix(b"\r").unwrap_or(line);
        return Some((text, rest.get(text.len()..used).unwrap_or(&[]), used));
    }
    if eof {
        return Some((rest, &[], rest.len()));
    }
    let may_mean = line_starts && matches!(rest.first(), Some(b'.' | b'-' | b'\r'));
    if may_mean && rest.len() < HELD_MAX {
        return None;
    }
    // A CR may belong to the line end.
    let text = rest.strip_suffix(b"\r").unwrap_or(rest);
    if text.is_empty() {
        return None;
    }
    Some((text, &[], text.len()))
}
