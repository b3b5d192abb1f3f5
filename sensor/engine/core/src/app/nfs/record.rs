//! The records in which RPC messages travel on TCP (RFC 5531, section 11): a message is one or more fragments, each behind a
//! mark with its length. Of a message its head is held, enough for all but the data of files; that passes through.

use super::rpc::{plausible, FRAGMENT_MAX_BYTES, MARK_LEN};

/// Bytes of a message that are held to be read. What stands before a file's data is far smaller.
const HEAD_MAX_BYTES: usize = 64 << 10;
const LAST_FRAGMENT: u32 = 1 << 31;
/// Bytes of a message that show whether it is one.
const PLAUSIBLE_BYTES: usize = 24;

/// What a stretch of the stream gave.
pub enum Part<'a> {
    /// The head of a message; `whole`: there is no more of it.
    Head { whole: bool },
    /// Bytes behind the head.
    More(&'a [u8]),
    /// The message ends.
    End,
    /// This is no record.
    Broken,
}

#[derive(Default)]
pub struct Records {
    mark: Vec<u8>,
    /// Bytes left of the fragment in hand.
    left: usize,
    last: bool,
    pub head: Vec<u8>,
    /// The head was given out.
    read: bool,
    /// Bytes were lost: wait for a chunk that begins with a message.
    lost: bool,
}

impl Records {
    /// Takes bytes from the front of `data` up to the next part; None when they are used up.
    pub fn next<'a>(&mut self, data: &mut &'a [u8]) -> Option<Part<'a>> {
        if self.lost && !data.is_empty() {
            let message = data.get(MARK_LEN..).filter(|m| m.len() >= PLAUSIBLE_BYTES);
            if message.and_then(plausible).is_none() {
                *data = &[];
                return None;
            }
            self.lost = false;
        }
        loop {
            if self.left == 0 {
                if self.last {
                    return Some(self.end());
                }
                let (mark, rest) = data.split_at(MARK_LEN.saturating_sub(self.mark.len()).min(data.len()));
                self.mark.extend_from_slice(mark);
                *data = rest;
                let word = u32::from_be_bytes(self.mark.as_slice().try_into().ok()?);
                self.mark.clear();
                let len = word & !LAST_FRAGMENT;
                if len > FRAGMENT_MAX_BYTES {
                    return Some(Part::Broken);
                }
                (self.left, self.last) = (len as usize, word & LAST_FRAGMENT != 0);
                continue;
            }
            if data.is_empty() {
                return None;
            }
            let room = if self.read { self.left } else { HEAD_MAX_BYTES.saturating_sub(self.head.len()) };
            let (part, rest) = data.split_at(self.left.min(room).min(data.len()));
            *data = rest;
            self.left = self.left.saturating_sub(part.len());
            if self.read {
                return Some(Part::More(part));
            }
            self.head.extend_from_slice(part);
            let ends = self.left == 0 && self.last;
            if self.head.len() >= HEAD_MAX_BYTES && !ends {
                self.read = true;
                return Some(Part::Head { whole: false });
            }
        }
    }

    /// The message in hand is over; its head is given out now, if it was not.
    fn end<'a>(&mut self) -> Part<'a> {
        if !self.read {
            self.read = true;
            return Part::Head { whole: true };
        }
        self.head.clear();
        (self.read, self.last) = (false, false);
        Part::End
    }

    /// `len` bytes are lost. Some(len): they lie inside a message whose head was read already.
    pub fn gap(&mut self, len: u64) -> Option<u64> {
        let inside =
            usize::try_from(len).ok().filter(|len| *len <= self.left && self.read && self.mark.is_empty());
        match inside {
            Some(lost) => {
                self.left = self.left.saturating_sub(lost);
                Some(len)
            }
            None => {
                *self = Records { lost: true, ..Records::default() };
                None
            }
        }
    }
}
