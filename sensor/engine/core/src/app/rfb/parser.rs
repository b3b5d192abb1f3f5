//! The handshake of RFB (RFC 6143 section 7.1 to 7.3): at each moment one side is to speak, and it is known what.

use super::tx::{Framebuffer, RfbTx, Version};
use super::{state, Event};
use crate::app::{Outcome, ParseCx, Parser, Transaction};
use crate::direction::Dir;
use std::ops::Range;

/// Index in the protocol's frames.
const PDU: u8 = 0;
/// Longest desktop name or failure reason that is read; RFC 6143 sets no limit, names of common servers are host names.
const TEXT_MAX: usize = 16 * 1024;
const VERSION_LEN: usize = 12;
const CHALLENGE_LEN: usize = 16;
/// ServerInit up to the name: width, height, pixel format, length of the name.
const SERVER_INIT_LEN: usize = 24;

mod security {
    pub const NONE: u32 = 1;
    pub const VNC: u32 = 2;
}

/// The message that comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    ServerVersion,
    ClientVersion,
    /// Protocol 3.3: the server decides.
    SecurityType,
    /// From 3.7 on: the server offers.
    SecurityTypes,
    SecurityChoice,
    Challenge,
    Response,
    SecurityResult,
    FailureReason,
    ClientInit,
    ServerInit,
    /// Nothing more is looked at.
    Over,
}

impl Next {
    fn dir(self) -> Option<Dir> {
        match self {
            Next::ClientVersion | Next::SecurityChoice | Next::Response | Next::ClientInit => {
                Some(Dir::ToServer)
            }
            Next::Over => None,
            _ => Some(Dir::ToClient),
        }
    }
}

/// Why a message could not be taken.
enum Stop {
    /// So many bytes are needed.
    Need(usize),
    Malformed,
}

pub struct RfbParser {
    tx: Option<RfbTx>,
    next: Next,
    /// Minor version the client chose: 3, 7 or 8.
    minor: u32,
}

impl RfbParser {
    pub fn new() -> RfbParser {
        RfbParser { tx: Some(RfbTx::default()), next: Next::ServerVersion, minor: 8 }
    }

    /// The handshake is over, well or not.
    fn finish(&mut self) {
        self.next = Next::Over;
        if let Some(tx) = &mut self.tx {
            tx.reach(Dir::ToServer, state::CLIENT_DONE);
            tx.reach(Dir::ToClient, state::SERVER_DONE);
        }
    }

    fn broken(&mut self, event: Event) -> Outcome {
        if let Some(tx) = &mut self.tx {
            tx.event(event);
        }
        self.finish();
        Outcome::Broken
    }

    /// Takes the next message from the start of `data`; answers its length.
    fn message(&mut self, data: &[u8]) -> Result<usize, Stop> {
        let need = |len: usize| data.get(..len).ok_or(Stop::Need(len));
        let Some(tx) = &mut self.tx else { return Ok(data.len()) };
        match self.next {
            Next::ServerVersion => {
                let version = Version::read(need(VERSION_LEN)?).ok_or(Stop::Malformed)?;
                tx.server_version = Some(version);
                tx.reach(Dir::ToClient, state::VERSION);
                self.next = Next::ClientVersion;
                Ok(VERSION_LEN)
            }
            Next::ClientVersion => {
                let version = Version::read(need(VERSION_LEN)?).ok_or(Stop::Malformed)?;
                // Every other number is to be treated as 3.3 (RFC 6143 section 7.1.1); Apple's 3.889 is like 3.8.
                self.minor = match version.minor_number() {
                    0..=6 => 3,
                    7 => 7,
                    _ => 8,
                };
                tx.client_version = Some(version);
                tx.reach(Dir::ToServer, state::VERSION);
                self.next = if self.minor == 3 { Next::SecurityType } else { Next::SecurityTypes };
                Ok(VERSION_LEN)
            }
            Next::SecurityType => {
                let kind = u32_at(need(4)?, 0);
                if kind == 0 {
                    self.next = Next::FailureReason;
                } else {
                    self.secure(kind);
                }
                self.reach(Dir::ToClient, state::SECURITY);
                Ok(4)
            }
            Next::SecurityTypes => {
                let count = usize::from(*need(1)?.first().unwrap_or(&0));
                need(count.saturating_add(1))?;
                tx.reach(Dir::ToClient, state::SECURITY);
                self.next = if count == 0 { Next::FailureReason } else { Next::SecurityChoice };
                Ok(count.saturating_add(1))
            }
            Next::SecurityChoice => {
                let kind = u32::from(*need(1)?.first().unwrap_or(&0));
                self.secure(kind);
                self.reach(Dir::ToServer, state::SECURITY);
                Ok(1)
            }
            Next::Challenge => {
                tx.challenge = need(CHALLENGE_LEN)?.try_into().ok();
                tx.reach(Dir::ToClient, state::AUTHENTICATION);
                self.next = Next::Response;
                Ok(CHALLENGE_LEN)
            }
            Next::Response => {
                tx.response = need(CHALLENGE_LEN)?.try_into().ok();
                tx.reach(Dir::ToServer, state::AUTHENTICATION);
                self.next = Next::SecurityResult;
                Ok(CHALLENGE_LEN)
            }
            Next::SecurityResult => {
                let result = u32_at(need(4)?, 0);
                tx.security_result = Some(result);
                tx.reach(Dir::ToClient, state::SECURITY_RESULT);
                if result > 2 {
                    tx.event(Event::UnknownSecurityResult);
                }
                match result {
                    0 => self.next = Next::ClientInit,
                    // Only 3.8 says why.
                    1 | 2 if self.minor == 8 => self.next = Next::FailureReason,
                    _ => self.finish(),
                }
                Ok(4)
            }
            Next::FailureReason => {
                let len = usize::try_from(u32_at(need(4)?, 0)).unwrap_or(usize::MAX);
                if len > TEXT_MAX {
                    return Err(Stop::Malformed);
                }
                let total = len.saturating_add(4);
                tx.failure_reason = Some(need(total)?.get(4..).unwrap_or_default().to_vec());
                self.finish();
                Ok(total)
            }
            Next::ClientInit => {
                tx.shared = need(1)?.first().map(|flag| *flag != 0);
                tx.reach(Dir::ToServer, state::CLIENT_INIT);
                self.next = Next::ServerInit;
                Ok(1)
            }
            Next::ServerInit => {
                let head = need(SERVER_INIT_LEN)?;
                let len = usize::try_from(u32_at(head, 20)).unwrap_or(usize::MAX);
                if len > TEXT_MAX {
                    return Err(Stop::Malformed);
                }
                let total = SERVER_INIT_LEN.saturating_add(len);
                let whole = need(total)?;
                tx.framebuffer = Framebuffer::read(whole);
                tx.name = whole.get(SERVER_INIT_LEN..).map(<[u8]>::to_vec);
                self.finish();
                Ok(total)
            }
            Next::Over => Ok(data.len()),
        }
    }

    fn reach(&mut self, dir: Dir, progress: u8) {
        if let Some(tx) = &mut self.tx {
            tx.reach(dir, progress);
        }
    }

    /// A security type was settled on.
    fn secure(&mut self, kind: u32) {
        let Some(tx) = &mut self.tx else { return };
        tx.security_type = Some(kind);
        self.next = match kind {
            security::NONE if self.minor == 8 => Next::SecurityResult,
            security::NONE => Next::ClientInit,
            security::VNC => Next::Challenge,
            _ => {
                tx.event(Event::UnimplementedSecurityType);
                return self.finish();
            }
        };
    }
}

fn u32_at(data: &[u8], at: usize) -> u32 {
    let bytes = data.get(at..).and_then(|rest| rest.first_chunk::<4>());
    bytes.map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

impl Parser for RfbParser {
    fn parse(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Outcome {
        let mut at = 0usize;
        loop {
            let rest = data.get(at..).unwrap_or_default();
            let Some(speaker) = self.next.dir() else { return Outcome::Done };
            if rest.is_empty() {
                return Outcome::Done;
            }
            if speaker != dir {
                return self.broken(Event::ConfusedState);
            }
            match self.message(rest) {
                Ok(len) => {
                    cx.frame(PDU, i64::try_from(at).unwrap_or(i64::MAX), Some(len as u64));
                    cx.trigger_raw[dir] = true;
                    at = at.saturating_add(len);
                }
                Err(Stop::Need(needed)) => return Outcome::NeedMore { consumed: at, needed },
                Err(Stop::Malformed) => return self.broken(Event::MalformedMessage),
            }
        }
    }

    /// What was lost matters until the handshake is over.
    fn gap(&mut self, _dir: Dir, _len: u64, _cx: &mut ParseCx) -> Outcome {
        self.finish();
        Outcome::Done
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
            self.next = Next::Over;
        }
    }
}
