//! DNP3 over TCP (IEEE 1815-2012): frames, transport segments, application messages and their objects. Each message is a
//! transaction; answers are not matched to their requests.

mod decode;
mod link;
pub mod log;
mod objects;
mod tx;

#[cfg(test)]
mod tests;

use super::queue::{answers_from_queue, Queue};
use super::{Buffer, Number, Outcome, ParseCx, Parser, Probe, Protocol, Recognise};
use crate::direction::{Dir, PerDir};
use crate::setting;
use decode::{Fault, Limits, Object};
use link::{Header, Transport, HEADER_LEN};
use tx::Dnp3Tx;

/// Suricata's `max-tx`: messages of one flow that wait for more segments, or to be logged.
const LIVE_TX_MAX: usize = 32;
/// Suricata's `max-points` and `max-objects`, of one message.
const POINTS_MAX: usize = 16_384;
const OBJECTS_MAX: usize = 2048;
/// A message that needs more segments than the sequence space of the transport function has: 63 of 255 octets.
const MESSAGE_MAX_BYTES: usize = 63 * 255;

/// Application function code of a confirmation.
const CONFIRM: u8 = 0;
/// Link functions that carry user data: confirmed and unconfirmed.
const CONFIRMED_USER_DATA: u8 = 3;
const UNCONFIRMED_USER_DATA: u8 = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Flooded,
    LenTooSmall,
    BadLinkCrc,
    BadTransportCrc,
    Malformed,
    UnknownObject,
    TooManyPoints,
    TooManyObjects,
    TooLongReassembly,
}

/// Indexed by `Event`.
const EVENTS: &[&str] = &[
    "FLOODED",
    "LEN_TOO_SMALL",
    "BAD_LINK_CRC",
    "BAD_TRANSPORT_CRC",
    "MALFORMED",
    "UNKNOWN_OBJECT",
    "TOO_MANY_POINTS",
    "TOO_MANY_OBJECTS",
    "TOO_LONG_REASSEMBLY",
];

const BUFFERS: &[Buffer] = &[Buffer {
    name: "dnp3.data",
    aliases: &["dnp3_data"],
    modifier: None,
    progress: PerDir::new(Some(1), Some(1)),
    multi: false,
    streaming: false,
    doc: "The application layer of a DNP3 message, without frames and checksums.",
}];

const NUMBERS: &[Number] = &[Number {
    name: "dnp3_func",
    aliases: &["dnp3.func"],
    dir: None,
    max: 255,
    words: &[
        ("confirm", 0),
        ("read", 1),
        ("write", 2),
        ("select", 3),
        ("operate", 4),
        ("direct_operate", 5),
        ("direct_operate_nr", 6),
        ("immed_freeze", 7),
        ("immed_freeze_nr", 8),
        ("freeze_clear", 9),
        ("freeze_clear_nr", 10),
        ("freeze_at_time", 11),
        ("freeze_at_time_nr", 12),
        ("cold_restart", 13),
        ("warm_restart", 14),
        ("initialize_data", 15),
        ("initialize_appl", 16),
        ("start_appl", 17),
        ("stop_appl", 18),
        ("save_config", 19),
        ("enable_unsolicited", 20),
        ("disable_unsolicited", 21),
        ("assign_class", 22),
        ("delay_measure", 23),
        ("record_current_time", 24),
        ("open_file", 25),
        ("close_file", 26),
        ("delete_file", 27),
        ("get_file_info", 28),
        ("authenticate_file", 29),
        ("abort_file", 30),
        ("activate_config", 31),
        ("authenticate_req", 32),
        ("authenticate_err", 33),
        ("response", 129),
        ("unsolicited_response", 130),
        ("authenticate_resp", 131),
    ],
    flags: false,
    doc: "Function code of a DNP3 message, by number or name.",
}];

pub static DNP3: Protocol = Protocol {
    name: "dnp3",
    aliases: &[],
    tcp: true,
    udp: false,
    doc: "DNP3 over TCP: messages of control stations and outstations with their objects. Each message is a transaction.",
    recognise: Recognise { patterns: &[], probe: Some(probe), tcp_ports: &[20_000], udp_ports: &[] },
    new: |config| Box::new(Dnp3Parser::new(config)),
    buffers: BUFFERS,
    numbers: NUMBERS,
    frames: &[],
    events: EVENTS,
    states: PerDir::new(&["request_started", "request_complete"], &["response_started", "response_complete"]),
    complete: PerDir::new(1, 1),
    log_at: PerDir::new(1, 1),
    record: "dnp3",
};

/// A link header; its direction bit tells who sent it.
fn probe(dir: Dir, data: &[u8]) -> Probe {
    match data {
        [] | [0x05] => return Probe::Unsure,
        [0x05, 0x64, ..] => {}
        _ => return Probe::No,
    }
    match Header::read(data) {
        None => Probe::Unsure,
        Some(header) if header.user_len().is_none() => Probe::No,
        Some(header) if header.is_from_master() == (dir == Dir::ToServer) => Probe::Yes,
        Some(_) if dir == Dir::ToServer => Probe::Reversed,
        Some(_) => Probe::Yes,
    }
}

/// The DNP3 state of one flow.
struct Dnp3Parser {
    txs: Queue<Dnp3Tx>,
    limits: Limits,
    max_tx: usize,
    /// The message of each direction that lacks segments.
    open: PerDir<Option<u64>>,
}

impl Dnp3Parser {
    fn new(config: &serde_json::Value) -> Dnp3Parser {
        let number = |key: &str, default: usize| setting::count(&config[key]).unwrap_or(default);
        let max_tx = number("max-tx", LIVE_TX_MAX).max(1);
        Dnp3Parser {
            // A chunk may hold several messages that are done and not logged yet.
            txs: Queue::new(max_tx.saturating_mul(64)),
            limits: Limits {
                points: number("max-points", POINTS_MAX),
                objects: number("max-objects", OBJECTS_MAX),
            },
            max_tx,
            open: PerDir::default(),
        }
    }

    /// Says it of the message in hand, or of one made for it.
    fn event(&mut self, dir: Dir, header: Header, event: Event) {
        let open = self.open[dir].and_then(|id| self.txs.typed_mut(id));
        if let Some(tx) = open {
            tx.meta.set_event(event as u8);
            return;
        }
        self.txs.push(|id| {
            let mut tx = Dnp3Tx::new(id, dir == Dir::ToServer, header, Transport(0));
            tx.meta.set_event(event as u8);
            tx.meta.logged = true; // There is no message to speak of.
            tx.done = true;
            tx
        });
    }

    fn segment(&mut self, dir: Dir, header: Header, user: &[u8]) {
        let Some((&octet, data)) = user.split_first() else { return };
        let transport = Transport(octet);
        // A confirmation says nothing but that a response arrived.
        if dir == Dir::ToServer && transport.first() && data.get(1) == Some(&CONFIRM) {
            return;
        }
        if transport.first() {
            if let Some(id) = self.open[dir].take() {
                // Its end never came.
                self.finish(id);
            }
            let flooded = self.txs.len() >= self.max_tx;
            self.open[dir] = Some(
                self.txs
                    .push(|id| {
                        let mut tx = Dnp3Tx::new(id, dir == Dir::ToServer, header, transport);
                        if flooded {
                            tx.meta.set_event(Event::Flooded as u8);
                        }
                        tx
                    })
                    .meta
                    .id,
            );
        }
        let Some(id) = self.open[dir] else { return };
        let Some(tx) = self.txs.typed_mut(id) else { return };
        if !transport.first() {
            if !transport.follows(tx.transport) || (tx.link.src, tx.link.dst) != (header.src, header.dst) {
                return;
            }
            tx.transport = transport;
        }
        if tx.data.len().saturating_add(data.len()) > MESSAGE_MAX_BYTES {
            tx.meta.set_event(Event::TooLongReassembly as u8);
            self.open[dir] = None;
            self.finish(id);
            return;
        }
        tx.data.extend_from_slice(data);
        if transport.last() {
            self.open[dir] = None;
            self.finish(id);
        }
    }

    /// The message is as whole as it gets.
    fn finish(&mut self, id: u64) {
        let limits = self.limits;
        let Some(tx) = self.txs.typed_mut(id) else { return };
        let mut found: Vec<Object> = Vec::new();
        match decode::objects(tx.object_bytes(), limits, &mut found) {
            Ok(()) => tx.decoded = true,
            Err(fault) => tx.meta.set_event(match fault {
                Fault::Malformed => Event::Malformed,
                Fault::UnknownObject => Event::UnknownObject,
                Fault::TooManyPoints => Event::TooManyPoints,
                Fault::TooManyObjects => Event::TooManyObjects,
            } as u8),
        }
        tx.objects = found;
        tx.done = true;
    }

    fn frame(&mut self, dir: Dir, header: Header, blocks: &[u8]) {
        if !matches!(header.function(), CONFIRMED_USER_DATA | UNCONFIRMED_USER_DATA) || !header.primary() {
            return;
        }
        // Requests come from the master, responses from the outstation; anything else is not looked at.
        if header.is_from_master() != (dir == Dir::ToServer) {
            return;
        }
        // The transport octet, and of the application header: control, function, in a response two of indications.
        let least = if dir == Dir::ToServer { 3 } else { 5 };
        if header.user_len().is_none_or(|len| len < least) {
            return self.event(dir, header, Event::LenTooSmall);
        }
        match link::user_data(blocks) {
            Some(user) => self.segment(dir, header, &user),
            None => self.event(dir, header, Event::BadTransportCrc),
        }
    }
}

impl Parser for Dnp3Parser {
    fn parse(&mut self, dir: Dir, data: &[u8], _cx: &mut ParseCx) -> Outcome {
        let mut at = 0usize;
        loop {
            let rest = data.get(at..).unwrap_or_default();
            if rest.is_empty() {
                return Outcome::Done;
            }
            if rest.len() < HEADER_LEN {
                return Outcome::NeedMore { consumed: at, needed: HEADER_LEN };
            }
            let Some(header) = Header::read(rest) else { return Outcome::Broken };
            if !header.crc_holds {
                self.event(dir, header, Event::BadLinkCrc);
                return Outcome::Broken;
            }
            let Some(len) = header.frame_len() else {
                self.event(dir, header, Event::LenTooSmall);
                return Outcome::Broken;
            };
            let Some(blocks) = rest.get(HEADER_LEN..len) else {
                return Outcome::NeedMore { consumed: at, needed: len };
            };
            self.frame(dir, header, blocks);
            at = at.saturating_add(len);
        }
    }

    fn close(&mut self, dir: Dir, _cx: &mut ParseCx) {
        if let Some(id) = self.open[dir].take() {
            self.finish(id);
        }
    }

    answers_from_queue!();
}
