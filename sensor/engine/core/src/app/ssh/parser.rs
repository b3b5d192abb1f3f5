//! Banner lines and binary packets (RFC 4253 sections 4.2 and 6). Payloads are passed over without being held; only a
//! KEXINIT is, when its fingerprint is wanted.

use super::tx::{Banner, SshTx};
use super::{frame, kex, state, Event};
use crate::app::{Outcome, ParseCx, Parser, Transaction};
use crate::direction::{Dir, PerDir};
use crate::setting;
use serde_json::Value;
use std::ops::Range;

/// Longest banner with its line end (RFC 4253 section 4.2: 255 characters).
const BANNER_MAX: usize = 256;
/// What is kept of a longer one.
const BANNER_KEPT_MAX: usize = 4096;
/// Packet length, padding length and message number.
const HEADER_LEN: usize = 6;
/// Bytes of the packet length, which it does not count itself.
const LENGTH_LEN: usize = 4;
/// Longest KEXINIT that is put together; those of common software stay under 4 KiB (RFC 4253 section 6.1: 35,000 for any).
const KEX_INIT_MAX: usize = 65_535;

mod message {
    pub const KEXINIT: u8 = 20;
    pub const NEWKEYS: u8 = 21;
}

/// What happens once both sides encrypt (`app-layer.protocols.ssh.encryption-handling`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encryption {
    /// The raw stream is no longer inspected. The default.
    TrackOnly,
    /// Nothing further is looked at.
    Bypass,
    /// The raw stream stays inspected.
    Full,
}

pub struct SshParser {
    tx: Option<SshTx>,
    /// Bytes of the packet in hand still to be passed over.
    left: PerDir<u64>,
    hassh: bool,
    encryption: Encryption,
    /// The record may be written.
    released: bool,
}

impl SshParser {
    /// `config` is the node of the protocol; the driver adds under `inspected` what sticky buffers rules look at.
    pub fn new(config: &Value) -> SshParser {
        let inspected = || {
            let names = config.get("inspected").and_then(Value::as_array).into_iter().flatten();
            names.filter_map(Value::as_str).any(|name| name.starts_with("ssh.hassh"))
        };
        // "auto" is what is no switch.
        let hassh = setting::switch(&config["hassh"]).unwrap_or_else(inspected);
        let encryption = match config.get("encryption-handling").and_then(Value::as_str) {
            Some("bypass") => Encryption::Bypass,
            Some("full") => Encryption::Full,
            _ => Encryption::TrackOnly,
        };
        let mut tx = SshTx::default();
        // Nothing is worth a record until a banner is seen.
        tx.meta.logged = true;
        SshParser { tx: Some(tx), left: PerDir::default(), hassh, encryption, released: false }
    }

    fn progress(&self, dir: Dir) -> u8 {
        self.tx.as_ref().map_or(state::FINISHED, |tx| tx.sides[dir].progress)
    }

    fn broken(&mut self, event: Event) -> Outcome {
        if let Some(tx) = &mut self.tx {
            tx.event(event);
        }
        for dir in Dir::BOTH {
            self.finish(dir);
        }
        Outcome::Broken
    }

    /// Nothing more is learnt of this direction.
    fn finish(&mut self, dir: Dir) {
        let Some(tx) = &mut self.tx else { return };
        tx.reach(dir, state::FINISHED);
        self.record(false);
    }

    /// Lets the record be written: with fingerprints it waits for them, but not beyond the end of a direction.
    fn record(&mut self, ended: bool) {
        let hassh = self.hassh;
        let Some(tx) = &mut self.tx else { return };
        let done = |dir: Dir| tx.sides[dir].progress >= state::KEX_INIT_DONE;
        let any = Dir::BOTH.iter().any(|d| tx.sides[*d].banner.is_some());
        let held = hassh && !ended && !Dir::BOTH.iter().all(|d| done(*d));
        if any && !held && !self.released {
            self.released = true;
            tx.meta.logged = false;
        }
    }

    /// The banner line at the start of a direction; Ok is its length.
    fn banner(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Result<usize, Outcome> {
        let line_end = memchr::memchr(b'\n', data);
        let waiting = self.progress(dir) == state::BANNER_WAIT_EOL;
        let end = match line_end {
            Some(end) => end,
            None if waiting => return Err(Outcome::Done),
            None if data.len() < BANNER_MAX => {
                return Err(Outcome::NeedMore { consumed: 0, needed: data.len().saturating_add(1) });
            }
            None => data.len(),
        };
        let Some(tx) = &mut self.tx else { return Err(Outcome::Done) };
        if !waiting {
            let line = data.get(..end.min(BANNER_KEPT_MAX)).unwrap_or(data);
            if end >= BANNER_MAX {
                tx.event(Event::LongBanner);
            }
            let Some(banner) = Banner::read(line) else {
                return Err(self.broken(Event::InvalidBanner));
            };
            tx.sides[dir].banner = Some(banner);
        }
        if line_end.is_none() {
            tx.reach(dir, state::BANNER_WAIT_EOL);
            self.record(false);
            return Err(Outcome::Done);
        }
        tx.reach(dir, state::BANNER_DONE);
        cx.trigger_raw[dir] = true;
        self.record(false);
        Ok(end.saturating_add(1))
    }
}

impl SshParser {
    /// The packets behind the banner, until NEWKEYS.
    fn packets(&mut self, dir: Dir, data: &[u8], start: usize, cx: &mut ParseCx) -> Outcome {
        let mut at = start;
        loop {
            let rest = data.get(at..).unwrap_or_default();
            if rest.is_empty() || self.progress(dir) >= state::FINISHED {
                return Outcome::Done;
            }
            if self.left[dir] > 0 {
                let step = usize::try_from(self.left[dir]).unwrap_or(usize::MAX).min(rest.len());
                self.left[dir] = self.left[dir].saturating_sub(step as u64);
                at = at.saturating_add(step);
                continue;
            }
            let [a, b, c, d, _padding, code, ..] = *rest else {
                return Outcome::NeedMore { consumed: at, needed: HEADER_LEN };
            };
            let len = u32::from_be_bytes([a, b, c, d]);
            if len < 2 {
                return self.broken(Event::InvalidRecord);
            }
            let total = u64::from(len).saturating_add(LENGTH_LEN as u64);
            if code == message::KEXINIT {
                if let Some(needed) = self.kex_init(dir, rest, total) {
                    return Outcome::NeedMore { consumed: at, needed };
                }
            }
            let body = total.saturating_sub(HEADER_LEN as u64);
            let offset = i64::try_from(at).unwrap_or(i64::MAX);
            let behind = offset.saturating_add(HEADER_LEN as i64);
            cx.frame_of(frame::HDR, offset, Some(HEADER_LEN as u64), Some(0));
            cx.frame_of(frame::DATA, behind, Some(body), Some(0));
            cx.frame_of(frame::PDU, offset, Some(total), Some(0));
            self.left[dir] = body;
            at = at.saturating_add(HEADER_LEN);
            if code == message::NEWKEYS {
                self.new_keys(dir, cx);
            }
        }
    }

    /// A KEXINIT of `total` bytes begins at `data`. Some: how many bytes are needed before it can be looked at.
    fn kex_init(&mut self, dir: Dir, data: &[u8], total: u64) -> Option<usize> {
        let tx = self.tx.as_mut()?;
        if self.hassh && tx.sides[dir].hassh.is_none() {
            match usize::try_from(total).ok().filter(|n| *n <= KEX_INIT_MAX) {
                Some(total) if data.len() < total => return Some(total),
                Some(total) => {
                    let payload = data.get(HEADER_LEN..total).unwrap_or_default();
                    tx.sides[dir].hassh = kex::hassh(dir, payload);
                }
                None => tx.event(Event::LongKexRecord),
            }
        }
        tx.reach(dir, state::KEX_INIT_DONE);
        self.record(false);
        None
    }

    fn new_keys(&mut self, dir: Dir, cx: &mut ParseCx) {
        self.finish(dir);
        if Dir::BOTH.iter().any(|d| self.progress(*d) < state::FINISHED) {
            return;
        }
        cx.no_raw = self.encryption != Encryption::Full;
        cx.bypass = self.encryption == Encryption::Bypass;
    }
}

impl Parser for SshParser {
    fn parse(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Outcome {
        let mut start = 0;
        if self.progress(dir) < state::BANNER_DONE {
            match self.banner(dir, data, cx) {
                Ok(len) => start = len,
                Err(outcome) => return outcome,
            }
        }
        self.packets(dir, data, start, cx)
    }

    /// A gap inside a packet is passed over; behind one that hides a header nothing of the direction can be told.
    fn gap(&mut self, dir: Dir, len: u64, _cx: &mut ParseCx) -> Outcome {
        match self.left[dir].checked_sub(len) {
            Some(left) => self.left[dir] = left,
            None => self.finish(dir),
        }
        Outcome::Done
    }

    /// What a reset leaves behind unacknowledged may still come, so the progress stays.
    fn close(&mut self, _dir: Dir, _cx: &mut ParseCx) {
        self.record(true);
    }

    fn tx_ids(&self) -> Range<u64> {
        u64::from(self.tx.is_none())..1
    }
    fn tx(&self, id: u64) -> Option<&dyn Transaction> {
        self.tx.as_ref().filter(|_| id == 0).map(|tx| tx as &dyn Transaction)
    }
    fn tx_mut(&mut self, id: u64) -> Option<&mut dyn Transaction> {
        self.tx.as_mut().filter(|_| id == 0).map(|tx| tx as &mut dyn Transaction)
    }
    fn drop_tx(&mut self, id: u64) {
        if id == 0 {
            self.tx = None;
        }
    }
}
