//! Records of one flow (RFC 8446 section 5, RFC 5246 section 6). Payload of encrypted records is skipped without being
//! looked at or held; plain handshake bytes go to `handshake`.

use super::handshake::message_len;
use super::hello::TLS13;
use super::tx::{Fingerprints, TlsTx};
use super::{frame, state, Event};
use crate::app::{Outcome, ParseCx, Parser, Transaction};
use crate::direction::Dir;
use std::ops::Range;

/// Bytes of a record header.
const HEADER_LEN: usize = 5;
/// Longest record body: TLSCiphertext of RFC 5246 section 6.2.3.
pub const RECORD_MAX: usize = (1 << 14) + 2048;
/// Records in one call: more in one packet is an attempt to burn cycles.
const RECORDS_PER_CALL_MAX: usize = 255;
/// Heartbeats carry at least 16 bytes of padding (RFC 6520 section 4).
const HEARTBEAT_HEADER_LEN: usize = 3;
const HEARTBEAT_PADDING_MIN: usize = 16;

mod record {
    pub const CHANGE_CIPHER_SPEC: u8 = 20;
    pub const ALERT: u8 = 21;
    pub const HANDSHAKE: u8 = 22;
    pub const APPLICATION_DATA: u8 = 23;
    pub const HEARTBEAT: u8 = 24;
}

/// What happens once encrypted data begins (`app-layer.protocols.tls.encryption-handling`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encryption {
    /// Records are still walked, the raw stream is no longer inspected. The default.
    TrackOnly,
    /// Nothing further is looked at.
    Bypass,
    /// The raw stream stays inspected.
    Full,
}

/// Where one direction stands.
#[derive(Default)]
pub(super) struct Side {
    /// Bytes of the record in hand still to come, and what they are.
    left: usize,
    feeds_handshake: bool,
    /// A handshake message in pieces, header included.
    pub(super) message: Vec<u8>,
    /// Bytes of a handshake message still to be passed over.
    pub(super) skip: usize,
    /// ChangeCipherSpec or application data was seen.
    encrypted: bool,
    /// The last heartbeat's length, to compare with the answer.
    heartbeat: Option<usize>,
    /// The first bytes were looked at for SSLv2.
    started: bool,
    /// SSLv2 follows, or bytes were lost for good: nothing is parsed.
    pub(super) lost: bool,
}

pub struct TlsParser {
    pub(super) tx: Option<TlsTx>,
    pub(super) to_server: Side,
    to_client: Side,
    encryption: Encryption,
    pub(super) certificate_requested: bool,
    /// `encryption` has been put into effect.
    handled: bool,
}

impl TlsParser {
    pub fn new(config: &serde_json::Value) -> TlsParser {
        let encryption = match config.get("encryption-handling").and_then(|v| v.as_str()) {
            Some("bypass") => Encryption::Bypass,
            Some("full") => Encryption::Full,
            _ => Encryption::TrackOnly,
        };
        let wanted = |key: &str| match config.get(key) {
            Some(serde_json::Value::Bool(on)) => *on,
            Some(serde_json::Value::String(text)) => !matches!(text.as_str(), "no" | "off" | "false" | "0"),
            _ => true,
        };
        let fingerprints = Fingerprints { ja3: wanted("ja3-fingerprints"), ja4: wanted("ja4-fingerprints") };
        TlsParser {
            tx: Some(TlsTx::new(fingerprints)),
            to_server: Side::default(),
            to_client: Side::default(),
            encryption,
            certificate_requested: false,
            handled: false,
        }
    }

    pub(super) fn side(&mut self, dir: Dir) -> &mut Side {
        match dir {
            Dir::ToServer => &mut self.to_server,
            Dir::ToClient => &mut self.to_client,
        }
    }
    pub(super) fn event(&mut self, event: Event) {
        if let Some(tx) = &mut self.tx {
            tx.event(event);
        }
    }
    pub(super) fn reach(&mut self, dir: Dir, progress: u8) {
        if let Some(tx) = &mut self.tx {
            tx.reach(dir, progress);
        }
    }

    /// Nothing more can be learnt of this flow.
    fn finish(&mut self) {
        self.reach(Dir::ToServer, state::CLIENT_FINISHED);
        self.reach(Dir::ToClient, state::SERVER_FINISHED);
    }

    /// Gives up on the records of both sides, without calling the stream another protocol.
    pub(super) fn lose(&mut self, cx: &mut ParseCx) {
        self.to_server.lost = true;
        self.to_client.lost = true;
        self.finish();
        cx.bypass = true;
    }

    pub(super) fn broken(&mut self, event: Event) -> Outcome {
        self.event(event);
        self.finish();
        Outcome::Broken
    }

    /// A side has begun to encrypt.
    fn encrypted(&mut self, dir: Dir, application_data: bool, cx: &mut ParseCx) {
        let side = self.side(dir);
        if !side.encrypted {
            side.encrypted = true;
            self.handshake_done(dir);
        }
        if self.handled {
            return;
        }
        let both = self.to_server.encrypted && self.to_client.encrypted;
        match self.encryption {
            Encryption::TrackOnly if application_data => cx.no_raw = true,
            Encryption::Bypass if both => {
                cx.no_raw = true;
                self.lose(cx);
            }
            Encryption::TrackOnly | Encryption::Bypass => return,
            Encryption::Full => {}
        }
        self.handled = true;
    }

    fn handshake_done(&mut self, dir: Dir) {
        let Some(tx) = &mut self.tx else { return };
        match dir {
            Dir::ToServer => {
                tx.reach(dir, state::CLIENT_HANDSHAKE_DONE);
                self.client_answered();
            }
            Dir::ToClient => {
                let old = tx.version().is_some_and(|v| v.number < TLS13);
                let offered = match (&tx.client_hello, &tx.server_hello) {
                    (Some(client), Some(server)) => {
                        client.ticket
                            || (!client.session_id.is_empty() && client.session_id == server.session_id)
                    }
                    _ => false,
                };
                tx.resumed |= old && offered && tx.server_chain.is_none();
                tx.reach(dir, state::SERVER_HANDSHAKE_DONE);
            }
        }
    }

    /// RFC 6520; what is told apart is what Heartbleed (CVE-2014-0160) does.
    fn heartbeat(&mut self, dir: Dir, record_len: usize, head: &[u8]) {
        if !self.side(dir).encrypted {
            let event = match *head {
                [1 | 2, hi, lo] => {
                    let payload =
                        usize::from(u16::from_be_bytes([hi, lo])).saturating_add(HEARTBEAT_HEADER_LEN);
                    let padded = payload.saturating_add(HEARTBEAT_PADDING_MIN);
                    match (payload > record_len, padded > record_len) {
                        (true, _) => Event::OverflowHeartbeatMessage,
                        (_, true) => Event::InvalidHeartbeatMessage,
                        _ => Event::HeartbeatMessage,
                    }
                }
                _ => Event::InvalidHeartbeatMessage,
            };
            return self.event(event);
        }
        // An answer repeats the payload; a longer one carries what was not asked for.
        match self.side(dir.opposite()).heartbeat.take() {
            Some(asked) if record_len > asked => self.event(Event::DataleakHeartbeatMismatch),
            Some(_) => {}
            None => self.side(dir).heartbeat = Some(record_len),
        }
    }

    /// Begins the record at `rest`; gives how many bytes were used up.
    fn record(&mut self, dir: Dir, rest: &[u8], cx: &mut ParseCx) -> Step {
        let &[kind, major, minor, hi, lo, ref body @ ..] = rest else {
            return Step::Need(HEADER_LEN);
        };
        if !(record::CHANGE_CIPHER_SPEC..=record::HEARTBEAT).contains(&kind) {
            return Step::Broken(Event::InvalidRecordType);
        }
        // Drafts of TLS 1.3 wrote 0x7f in some records.
        if !matches!((major, minor), (3, 0..=4) | (0x7f, _)) {
            return Step::Broken(Event::InvalidRecordVersion);
        }
        if let (Dir::ToClient, Some(tx)) = (dir, &mut self.tx) {
            tx.server_record_version.get_or_insert(u16::from_be_bytes([major, minor]));
        }
        let len = usize::from(u16::from_be_bytes([hi, lo]));
        if len > RECORD_MAX {
            return Step::Broken(Event::InvalidTlsHeader);
        }
        let encrypted = self.side(dir).encrypted;
        let mut feeds_handshake = false;
        match kind {
            record::APPLICATION_DATA => self.encrypted(dir, true, cx),
            record::HANDSHAKE => feeds_handshake = !encrypted,
            record::CHANGE_CIPHER_SPEC => self.encrypted(dir, false, cx),
            // The first bytes of the others decide.
            _ => {
                let head = len.min(HEARTBEAT_HEADER_LEN);
                let Some(head) = body.get(..head) else {
                    return Step::Need(HEADER_LEN.saturating_add(head));
                };
                if kind == record::HEARTBEAT {
                    self.heartbeat(dir, len, head);
                } else if kind == record::ALERT && !encrypted && !matches!(*head, [1 | 2, _]) {
                    self.event(Event::InvalidAlertMessage);
                }
            }
        }
        let side = self.side(dir);
        side.left = len;
        side.feeds_handshake = feeds_handshake;
        Step::Begun
    }
}

/// The frames of the record that begins at `rest`, `at` bytes into the call's data.
fn record_frames(rest: &[u8], at: usize, cx: &mut ParseCx) {
    let &[kind, _, _, hi, lo, ..] = rest else { return };
    let at = i64::try_from(at).unwrap_or(i64::MAX);
    let (body, header) = (u64::from(u16::from_be_bytes([hi, lo])), HEADER_LEN as u64);
    let behind = at.saturating_add(HEADER_LEN as i64);
    cx.frame(frame::HDR, at, Some(header));
    cx.frame(frame::PDU, at, Some(body.saturating_add(header)));
    cx.frame(frame::DATA, behind, Some(body));
    match kind {
        record::ALERT => cx.frame(frame::ALERT, behind, Some(body)),
        record::HEARTBEAT => cx.frame(frame::HEARTBEAT, behind, Some(body)),
        _ => {}
    }
}

enum Step {
    Begun,
    Need(usize),
    Broken(Event),
}

impl Parser for TlsParser {
    fn parse(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Outcome {
        let mut at = 0usize;
        if !self.side(dir).started {
            match self.first_sslv2(dir, data, cx) {
                Ok(len) => at = len,
                Err(outcome) => return outcome,
            }
            self.side(dir).started = true;
        }
        let mut records = 0usize;
        loop {
            let rest = data.get(at..).unwrap_or_default();
            if rest.is_empty() || self.side(dir).lost {
                return Outcome::Done;
            }
            let side = self.side(dir);
            if side.left > 0 {
                let step = side.left.min(rest.len());
                side.left = side.left.saturating_sub(step);
                at = at.saturating_add(step);
                if side.feeds_handshake {
                    self.handshake(dir, rest.get(..step).unwrap_or(rest), cx);
                }
                continue;
            }
            records = records.saturating_add(1);
            if records > RECORDS_PER_CALL_MAX {
                self.event(Event::TooManyRecordsInPacket);
            }
            match self.record(dir, rest, cx) {
                Step::Begun => {
                    record_frames(rest, at, cx);
                    at = at.saturating_add(HEADER_LEN);
                }
                Step::Need(needed) => return Outcome::NeedMore { consumed: at, needed },
                Step::Broken(event) => return self.broken(event),
            }
        }
    }

    /// A gap inside a record is passed over; one that hides a record's header cannot be.
    fn gap(&mut self, dir: Dir, len: u64, cx: &mut ParseCx) -> Outcome {
        let side = self.side(dir);
        let Some(len) = usize::try_from(len).ok().filter(|n| *n <= side.left) else {
            self.lose(cx);
            return Outcome::Done;
        };
        side.left = side.left.saturating_sub(len);
        if !side.feeds_handshake {
            return Outcome::Done;
        }
        // The message in hand is lost; go on behind it when the gap ends inside it.
        let missing = match message_len(&side.message) {
            Some(total) => total.saturating_sub(side.message.len()),
            None => side.skip,
        };
        side.message = Vec::new();
        match missing.checked_sub(len) {
            Some(skip) => side.skip = skip,
            // Where the next message begins is unknown: the rest of this side's handshake is left alone.
            None => side.encrypted = true,
        }
        side.feeds_handshake = !side.encrypted;
        Outcome::Done
    }

    fn close(&mut self, dir: Dir, _cx: &mut ParseCx) {
        self.reach(
            dir,
            match dir {
                Dir::ToServer => state::CLIENT_FINISHED,
                Dir::ToClient => state::SERVER_FINISHED,
            },
        );
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
