//! Messages of SMB on the wire: NetBIOS session service framing (RFC 1002 section 4.3, the same on ports 139 and 445), the records
//! in each, and what is left over of large READs and WRITEs.

use super::config::Config;
use super::session::{After, Session};
use super::{smb1, smb2, Event};
use crate::app::{Outcome, ParseCx, Parser, Transaction};
use crate::direction::{Dir, PerDir};
use std::ops::Range;

/// Bytes of the framing.
pub const FRAME_LEN: usize = 4;
/// A session message; the others set up and keep the session.
const MESSAGE: u8 = 0;
/// Of a message that is no READ or WRITE of a file so much is looked at. A unit of DCE/RPC is at most 64 KiB, and all else is smaller.
const MESSAGE_MAX_BYTES: usize = 96 << 10;
/// Records in one message: the smallest is 64 bytes and more.
const COMPOUND_MAX: usize = 1024;

const NBSS_PDU: u8 = 0;
const NBSS_HDR: u8 = 1;
const NBSS_DATA: u8 = 2;
const SMB1_PDU: u8 = 3;
const SMB2_PDU: u8 = 6;
const SMB3_PDU: u8 = 9;
/// Names of the frames; the header and the data follow each `pdu`.
pub const FRAMES: &[&str] = &[
    "nbss.pdu",
    "nbss.hdr",
    "nbss.data",
    "smb1.pdu",
    "smb1.hdr",
    "smb1.data",
    "smb2.pdu",
    "smb2.hdr",
    "smb2.data",
    "smb3.pdu",
    "smb3.hdr",
    "smb3.data",
];

/// Bytes of the message in hand that are still to come.
#[derive(Clone, Copy, Debug, Default)]
struct Rest {
    len: u64,
    /// They belong to the file of this transaction; None: they are skipped.
    file: Option<u64>,
}

/// The SMB state of one flow.
pub struct SmbParser {
    session: Session,
    rest: PerDir<Rest>,
    /// Bytes were lost: reading goes on at the next message that shows itself.
    lost: PerDir<bool>,
    begun: bool,
}

impl SmbParser {
    pub fn new(config: &serde_json::Value) -> SmbParser {
        SmbParser {
            session: Session::new(Config::new(config)),
            rest: PerDir::default(),
            lost: PerDir::default(),
            begun: false,
        }
    }

    /// The records of one message, `missing` bytes of which are still to come.
    fn message(&mut self, dir: Dir, message: &[u8], missing: u64, at: i64, cx: &mut ParseCx) -> After {
        self.session.created = None;
        let len = (message.len() as u64).saturating_add(missing);
        if message.starts_with(smb1::MAGIC) {
            frames(cx, SMB1_PDU, at, smb1::HEADER_LEN, len);
            let Some(record) = smb1::Record::read(message) else {
                self.session.event(Event::MalformedData);
                return After::Skip;
            };
            if self.reversed(dir, record.response) {
                return After::Skip;
            }
            return self.session.smb1(&record, message, missing);
        }
        if message.starts_with(smb2::ENCRYPTED_MAGIC) {
            frames(cx, SMB3_PDU, at, smb2::ENCRYPTED_HEADER_LEN, len);
            return After::Skip;
        }
        let mut start = 0usize;
        for _ in 0..COMPOUND_MAX {
            let rest = message.get(start..).unwrap_or_default();
            let Some(record) = smb2::Record::read(rest) else {
                self.session.event(Event::MalformedData);
                return After::Skip;
            };
            let own = match record.next {
                0 => rest,
                next if next < smb2::HEADER_LEN => {
                    self.session.event(Event::MalformedData);
                    return After::Skip;
                }
                next => rest.get(..next).unwrap_or(rest),
            };
            let last = own.len() == rest.len();
            let (missing, whole) = if last {
                (missing, (rest.len() as u64).saturating_add(missing))
            } else {
                (0, own.len() as u64)
            };
            let here = at.saturating_add(i64::try_from(start).unwrap_or(i64::MAX));
            if !self.reversed(dir, record.response) {
                let after = if record.response {
                    self.session.smb2_response(&record, own, missing)
                } else {
                    self.session.smb2_request(&record, own, missing)
                };
                if after == After::Wait {
                    return after;
                }
                frames(cx, SMB2_PDU, here, smb2::HEADER_LEN, whole);
                if last {
                    return after;
                }
            } else if last {
                return After::Skip;
            }
            start = start.saturating_add(own.len());
        }
        After::Skip
    }

    /// A request from the server or a response from the client.
    fn reversed(&mut self, dir: Dir, response: bool) -> bool {
        match (dir, response) {
            (Dir::ToServer, true) => self.session.event(Event::ResponseToServer),
            (Dir::ToClient, false) => self.session.event(Event::RequestToClient),
            _ => return false,
        }
        true
    }

    /// Takes what belongs to the message in hand; answers how many bytes.
    fn continue_rest(&mut self, dir: Dir, data: &[u8]) -> usize {
        let rest = &mut self.rest[dir];
        let taken = usize::try_from(rest.len).unwrap_or(usize::MAX).min(data.len());
        rest.len = rest.len.saturating_sub(taken as u64);
        if let Some(id) = rest.file {
            self.session.more(id, Ok(data.get(..taken).unwrap_or_default()));
        }
        taken
    }
}

/// A record, its header and what is behind it.
fn frames(cx: &mut ParseCx, pdu: u8, at: i64, header: usize, len: u64) {
    let header_len = (header as u64).min(len);
    cx.frame(pdu, at, Some(len));
    cx.frame(pdu.saturating_add(1), at, Some(header_len));
    let data = at.saturating_add(i64::try_from(header).unwrap_or(i64::MAX));
    cx.frame(pdu.saturating_add(2), data, Some(len.saturating_sub(header_len)));
}

/// Type and length of a framed message.
pub fn framing(data: &[u8]) -> Option<(u8, usize)> {
    match data {
        [kind, a, b, c, ..] => Some((*kind, usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c))),
        _ => None,
    }
}

/// Whether a message begins like one of SMB; None: too short to say.
pub fn is_smb(message: &[u8]) -> Option<bool> {
    let magic = message.get(..4)?;
    Some([smb1::MAGIC, smb2::MAGIC, smb2::ENCRYPTED_MAGIC].contains(&magic))
}

/// Where the next framed message of SMB begins.
fn resume(data: &[u8]) -> Option<usize> {
    memchr::memmem::find_iter(data, b"SMB").find_map(|at| {
        let start = at.checked_sub(FRAME_LEN.saturating_add(1))?;
        let rest = data.get(start..)?;
        let plausible = matches!(framing(rest), Some((MESSAGE, len)) if len >= smb1::HEADER_LEN)
            && is_smb(rest.get(FRAME_LEN..)?) == Some(true);
        plausible.then_some(start)
    })
}

/// A READ or WRITE: its bytes may be looked at before all of them are there.
fn may_stream(message: &[u8]) -> bool {
    if let Some(record) = smb1::Record::read(message) {
        return matches!(record.command, smb1::READ_ANDX | smb1::WRITE_ANDX)
            && message.len() >= smb1::DATA_AT.saturating_add(64);
    }
    smb2::Record::read(message).is_some_and(|record| {
        matches!((record.command, record.response), (smb2::READ, true) | (smb2::WRITE, false))
            && record.next == 0
            && message.len() >= smb2::DATA_AT
    })
}

impl Parser for SmbParser {
    fn parse(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Outcome {
        if !self.begun {
            self.begun = true;
            cx.depth = Some(self.session.config.stream_depth);
        }
        let mut at = self.continue_rest(dir, data);
        loop {
            let rest = data.get(at..).unwrap_or_default();
            if rest.is_empty() {
                return Outcome::Done;
            }
            if self.lost[dir] {
                match resume(rest) {
                    Some(found) => at = at.saturating_add(found),
                    None => return Outcome::Done,
                }
                self.lost[dir] = false;
                continue;
            }
            let Some((kind, len)) = framing(rest) else {
                return Outcome::NeedMore { consumed: at, needed: FRAME_LEN };
            };
            let available = rest.get(FRAME_LEN..).unwrap_or_default();
            let wanted = len.min(MESSAGE_MAX_BYTES);
            let start = i64::try_from(at).unwrap_or(i64::MAX);
            let body_at = start.saturating_add(FRAME_LEN as i64);
            if kind == MESSAGE && is_smb(available) == Some(false) || !matches!(kind, MESSAGE | 0x81..=0x85) {
                // No message of SMB: the framing is lost.
                self.lost[dir] = true;
                at = at.saturating_add(1);
                continue;
            }
            let message = available.get(..len).unwrap_or(available);
            let missing = len.saturating_sub(message.len()) as u64;
            let ready = message.len() >= wanted || (kind == MESSAGE && may_stream(message));
            if !ready {
                return Outcome::NeedMore { consumed: at, needed: FRAME_LEN.saturating_add(wanted) };
            }
            let marked = cx.frames.len();
            cx.frame(NBSS_PDU, start, Some((len as u64).saturating_add(FRAME_LEN as u64)));
            cx.frame(NBSS_HDR, start, Some(FRAME_LEN as u64));
            cx.frame(NBSS_DATA, body_at, Some(len as u64));
            let mut after = After::Skip;
            if kind == MESSAGE && len > 0 {
                let waits = missing > 0 && message.len() < wanted;
                after = self.message(dir, message, missing, body_at, cx);
                if after == After::Wait && waits {
                    cx.frames.truncate(marked);
                    return Outcome::NeedMore { consumed: at, needed: FRAME_LEN.saturating_add(wanted) };
                }
            }
            let file = match after {
                After::File(id) => Some(id),
                _ => None,
            };
            self.rest[dir] = Rest { len: missing, file };
            at = at.saturating_add(FRAME_LEN).saturating_add(message.len());
        }
    }

    fn gap(&mut self, dir: Dir, len: u64, _cx: &mut ParseCx) -> Outcome {
        let rest = &mut self.rest[dir];
        let within = rest.len.min(len);
        rest.len = rest.len.saturating_sub(within);
        if let Some(id) = rest.file.filter(|_| within > 0) {
            self.session.more(id, Err(within));
        }
        // A gap that ends with the message in hand leaves the framing as it was.
        self.lost[dir] |= len > within;
        Outcome::Done
    }

    fn close(&mut self, dir: Dir, _cx: &mut ParseCx) {
        self.session.cut(dir);
    }

    fn tx_ids(&self) -> Range<u64> {
        self.session.txs.ids()
    }
    fn tx(&self, id: u64) -> Option<&dyn Transaction> {
        self.session.txs.get(id)
    }
    fn tx_mut(&mut self, id: u64) -> Option<&mut dyn Transaction> {
        self.session.txs.get_mut(id)
    }
    fn drop_tx(&mut self, id: u64) {
        self.session.drop_tx(id);
    }
    fn take_changed(&mut self) -> Option<Vec<u64>> {
        self.session.txs.take_changed()
    }
    fn inspected(&mut self, id: u64, dir: Dir) {
        self.session.inspected(id, dir);
    }
}
