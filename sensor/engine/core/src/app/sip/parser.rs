//! SIP messages in datagrams and streams (RFC 3261 section 18.3).

use super::message::{Head, Read};
use super::sdp::Sdp;
use super::tx::{Content, SipTx};
use super::{frame, Event};
use crate::app::queue::{answers_from_queue, Queue};
use crate::app::{Outcome, ParseCx, Parser};
use crate::direction::{Dir, PerDir};

/// Longest head on a stream; common servers refuse more than 16 KiB.
const HEAD_MAX: usize = 32 * 1024;
/// Longest body on a stream that is put together; a longer one is passed over.
const BODY_MAX: usize = 64 * 1024;
/// Transactions one flow may hold: a 64 KiB chunk of the smallest messages makes fewer. Beyond it the oldest go.
const LIVE_TX_MAX: usize = 2048;

pub struct SipParser {
    txs: Queue<SipTx>,
    /// Bytes of a body too long to keep that are still to be passed over.
    left: PerDir<u64>,
    /// Bytes of the head in hand that were searched for its end.
    searched: PerDir<usize>,
}

impl SipParser {
    pub fn new() -> SipParser {
        SipParser { txs: Queue::new(LIVE_TX_MAX), left: PerDir::default(), searched: PerDir::default() }
    }

    fn event(&mut self, dir: Dir, event: Event) {
        self.txs.push(|id| SipTx::unreadable(id, dir, event));
    }

    fn message(&mut self, dir: Dir, head: Head, body: &[u8]) {
        let sdp = if head.is_sdp() { Sdp::read(body) } else { None };
        self.txs.push(|id| SipTx::new(id, dir, Content { head, sdp }));
    }

    fn datagram(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) {
        if data.iter().all(|b| matches!(b, b'\r' | b'\n' | 0)) {
            return; // Keeps a NAT's mapping alive (RFC 5626 section 3.5.1).
        }
        match Head::read(data) {
            Read::Incomplete => self.event(dir, Event::IncompleteData),
            Read::Invalid => self.event(dir, Event::InvalidData),
            Read::Head(head) => {
                let body = data.get(head.len..).unwrap_or_default();
                let announced =
                    head.content_length().and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX);
                let body = body.get(..announced).unwrap_or(body);
                frames(cx, &head, 0, data.len() as u64, body.len() as u64);
                self.message(dir, head, body);
            }
        }
    }

    /// Whether the empty line behind a head is there; each byte is searched once.
    fn head_ends(&mut self, dir: Dir, data: &[u8]) -> bool {
        let mut at = self.searched[dir];
        while let Some(found) = memchr::memchr(b'\n', data.get(at..).unwrap_or_default()) {
            at = at.saturating_add(found).saturating_add(1);
            let behind = data.get(at..).unwrap_or_default();
            if behind.starts_with(b"\n") || behind.starts_with(b"\r\n") {
                return true;
            }
            if behind.len() < 2 {
                // The line end may be the last of the head: look again.
                self.searched[dir] = at.saturating_sub(1);
                return false;
            }
        }
        self.searched[dir] = data.len();
        false
    }

    fn stream(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Outcome {
        let mut at = 0usize;
        loop {
            let rest = data.get(at..).unwrap_or_default();
            if self.left[dir] > 0 {
                let step = usize::try_from(self.left[dir]).unwrap_or(usize::MAX).min(rest.len());
                self.left[dir] = self.left[dir].saturating_sub(step as u64);
                at = at.saturating_add(step);
                if step == rest.len() {
                    return Outcome::Done;
                }
                continue;
            }
            // Empty lines between messages keep connections alive.
            let empty = rest.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
            at = at.saturating_add(empty);
            let rest = rest.get(empty..).unwrap_or_default();
            if rest.is_empty() {
                return Outcome::Done;
            }
            if !self.head_ends(dir, rest) {
                if rest.len() >= HEAD_MAX {
                    self.event(dir, Event::IncompleteData);
                    return Outcome::Broken;
                }
                return Outcome::NeedMore { consumed: at, needed: rest.len().saturating_add(1) };
            }
            let Read::Head(head) = Head::read(rest) else {
                self.event(dir, Event::InvalidData);
                return Outcome::Broken;
            };
            let body_len = head.content_length().unwrap_or(0);
            let total = body_len.saturating_add(head.len as u64);
            let behind = rest.get(head.len..).unwrap_or_default();
            let kept = usize::try_from(body_len).ok().filter(|n| *n <= BODY_MAX);
            let body = match kept {
                Some(len) => match behind.get(..len) {
                    Some(body) => body,
                    None => {
                        return Outcome::NeedMore { consumed: at, needed: head.len.saturating_add(len) };
                    }
                },
                None => {
                    self.left[dir] = body_len;
                    &[]
                }
            };
            frames(cx, &head, i64::try_from(at).unwrap_or(i64::MAX), total, body_len);
            at = at.saturating_add(head.len).saturating_add(body.len());
            self.searched[dir] = 0;
            self.message(dir, head, body);
            cx.trigger_raw[dir] = true;
        }
    }
}

/// Reports a message that begins at `at` as frames.
fn frames(cx: &mut ParseCx, head: &Head, at: i64, total: u64, body: u64) {
    let first = if head.start.request { frame::REQUEST } else { frame::RESPONSE };
    let place = |offset: usize| at.saturating_add(i64::try_from(offset).unwrap_or(i64::MAX));
    cx.frame(frame::PDU, at, Some(total));
    cx.frame(first, at, Some(head.line_len as u64));
    cx.frame(first.saturating_add(1), place(head.line_len), Some(head.headers_len as u64));
    if body > 0 {
        cx.frame(first.saturating_add(2), place(head.len), Some(body));
    }
}

impl Parser for SipParser {
    fn parse(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Outcome {
        if !cx.datagram {
            return self.stream(dir, data, cx);
        }
        // A bad datagram says nothing of the next one.
        self.datagram(dir, data, cx);
        Outcome::Done
    }

    /// A gap inside a body that is passed over does no harm; any other hides where the next message begins.
    fn gap(&mut self, dir: Dir, len: u64, _cx: &mut ParseCx) -> Outcome {
        match self.left[dir].checked_sub(len) {
            Some(left) => {
                self.left[dir] = left;
                Outcome::Done
            }
            None => Outcome::Broken,
        }
    }

    answers_from_queue!();
}
