//! EtherNet/IP and CIP over TCP and UDP. A request with its response is one transaction, matched by command, session and the
//! sender's context.

mod message;
mod tx;

#[cfg(test)]
mod tests;

use super::cursor::Cursor;
use super::queue::{answers_from_queue, Queue};
use super::{Buffer, Number, Outcome, ParseCx, Parser, Probe, Protocol, Recognise, TxMeta};
use crate::direction::{Dir, PerDir};
use crate::setting;
use message::{command, Header, Message, HEADER_LEN};
use tx::EnipTx;

/// Open requests of one flow at most: a master has few in flight. Beyond it the oldest are closed.
const LIVE_TX_MAX: usize = 256;

/// Frames, indexes in `ENIP.frames`.
const FRAME_PDU: u8 = 0;
const FRAME_HEADER: u8 = 1;
const FRAME_DATA: u8 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    TooManyTransactions,
    InvalidPdu,
}

/// Indexed by `Event`.
const EVENTS: &[&str] = &["too_many_transactions", "invalid_pdu"];

/// Words of rules and of EVE.
const COMMANDS: &[(&str, u64)] = &[
    ("nop", 0),
    ("list_services", 4),
    ("list_identity", 0x63),
    ("list_interfaces", 0x64),
    ("register_session", 0x65),
    ("unregister_session", 0x66),
    ("send_rr_data", 0x6f),
    ("send_unit_data", 0x70),
    ("indicate_status", 0x72),
    ("cancel", 0x73),
];
const STATUSES: &[(&str, u64)] = &[
    ("success", 0),
    ("invalid_cmd", 1),
    ("no_resources", 2),
    ("incorrect_data", 3),
    ("invalid_session", 0x64),
    ("invalid_length", 0x65),
    ("unsupported_prot_rev", 0x69),
    ("encap_header_error", 0x6a),
];

const fn sticky(name: &'static str, doc: &'static str) -> Buffer {
    let progress = PerDir::new(Some(1), Some(1));
    Buffer { name, aliases: &[], modifier: None, progress, multi: true, streaming: false, doc }
}

const BUFFERS: &[Buffer] = &[
    sticky("enip.product_name", "Product name in a List Identity response."),
    sticky("enip.service_name", "Service name in a List Services response."),
];

const fn number(name: &'static str, max: u64, doc: &'static str) -> Number {
    Number { name, aliases: &[], dir: None, max, words: &[], flags: false, doc }
}

const U8: u64 = 0xff;
const U16: u64 = 0xffff;
const U32: u64 = 0xffff_ffff;

const NUMBERS: &[Number] = &[
    Number {
        aliases: &["enip.command"],
        words: COMMANDS,
        ..number("enip_command", U16, "Command of an EtherNet/IP message.")
    },
    Number {
        aliases: &["enip_status"],
        words: STATUSES,
        ..number("enip.status", U32, "Status of an EtherNet/IP message.")
    },
    number(
        "enip.protocol_version",
        U16,
        "Protocol version in a session's registration, identity or service.",
    ),
    number("enip.capabilities", U16, "Capabilities in a List Services response."),
    number("enip.vendor_id", U16, "Vendor in a List Identity response."),
    number("enip.device_type", U16, "Device type in a List Identity response."),
    number("enip.product_code", U16, "Product code in a List Identity response."),
    number("enip.revision", U16, "Revision in a List Identity response: major times 256 plus minor."),
    number("enip.identity_status", U16, "Device status in a List Identity response."),
    number("enip.serial", U32, "Serial number in a List Identity response."),
    number("enip.state", U8, "State in a List Identity response."),
    number("enip.cip_attribute", U32, "An attribute in the path of a CIP request."),
    number("enip.cip_class", U32, "A class in the path of a CIP request."),
    number("enip.cip_instance", U32, "An instance in the path of a CIP request."),
    number("enip.cip_status", U8, "General status of a CIP response."),
    number("enip.cip_extendedstatus", U16, "Extended status of a CIP response."),
];

pub static ENIP: Protocol = Protocol {
    name: "enip",
    aliases: &[],
    tcp: true,
    udp: true,
    doc: "EtherNet/IP with the CIP messages it carries, over TCP and UDP. A request with its response is one transaction.",
    recognise: Recognise { patterns: &[], probe: Some(probe), tcp_ports: &[44818], udp_ports: &[44818] },
    new: |config| {
        let max = setting::count(&config["max-tx"]);
        let max_tx = max.unwrap_or(LIVE_TX_MAX).max(1);
        Box::new(EnipParser { txs: Queue::new(max_tx.saturating_mul(16)), open: 0, max_tx, lost: PerDir::default() })
    },
    buffers: BUFFERS,
    numbers: NUMBERS,
    frames: &["pdu", "header", "data"],
    events: EVENTS,
    states: PerDir::new(&["request_started", "request_complete"], &["response_started", "response_complete"]),
    complete: PerDir::new(1, 1),
    log_at: PerDir::new(1, 1),
    record: "enip",
};

/// A header with a known command and status.
fn probe(_dir: Dir, data: &[u8]) -> Probe {
    let known = |words: &[(&str, u64)], number: u64| words.iter().any(|(_, n)| *n == number);
    match Header::read(&mut Cursor(data)) {
        None => match Cursor(data).le16() {
            Some(command) if !known(COMMANDS, u64::from(command)) => Probe::No,
            _ => Probe::Unsure,
        },
        Some(header)
            if known(COMMANDS, u64::from(header.command))
                && known(STATUSES, u64::from(header.status))
                && header.options == 0 =>
        {
            Probe::Yes
        }
        Some(_) => Probe::No,
    }
}

/// The EtherNet/IP state of one flow.
struct EnipParser {
    txs: Queue<EnipTx>,
    /// Requests without response.
    open: usize,
    max_tx: usize,
    /// Bytes were lost: the next chunk is read only when it begins with a message.
    lost: PerDir<bool>,
}

impl EnipParser {
    fn one(&mut self, dir: Dir, message: Message) {
        let malformed = message.malformed;
        let asked = if dir == Dir::ToClient { self.request_of(&message.header) } else { None };
        if let Some(tx) = asked {
            tx.messages[dir] = Some(message);
            tx.done = true;
            if malformed {
                tx.meta.set_event(Event::InvalidPdu as u8);
            }
            self.open = self.open.saturating_sub(1);
            return;
        }
        // Nothing answers these, and nothing was asked where only a response is seen.
        let done = dir == Dir::ToClient
            || matches!(message.header.command, command::NOP | command::UNREGISTER_SESSION);
        if !done {
            self.open = self.open.saturating_add(1);
        }
        while self.open > self.max_tx {
            self.open = self.open.saturating_sub(1);
            if let Some(tx) = self.txs.find_mut(|tx| !tx.done) {
                tx.done = true;
                tx.meta.set_event(Event::TooManyTransactions as u8);
            }
        }
        self.txs.push(|id| {
            let mut meta = TxMeta::new(id);
            if done {
                meta.skip[dir.opposite()] = true;
            }
            if malformed {
                meta.set_event(Event::InvalidPdu as u8);
            }
            let mut messages = PerDir::default();
            messages[dir] = Some(message);
            EnipTx { meta, messages, done }
        });
    }

    /// The oldest open request that a response with this header answers.
    fn request_of(&mut self, header: &Header) -> Option<&mut EnipTx> {
        let session_is_new = header.command == command::REGISTER_SESSION;
        let asks = |tx: &EnipTx| {
            tx.messages[Dir::ToServer].as_ref().is_some_and(|m| {
                (m.header.command, m.header.context) == (header.command, header.context)
                    && (session_is_new || m.header.session == header.session)
            })
        };
        if self.open == 0 {
            return None;
        }
        self.txs.find_mut(|tx| !tx.done && asks(tx))
    }
}

impl Parser for EnipParser {
    fn parse(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Outcome {
        if std::mem::take(&mut self.lost[dir]) && probe(dir, data) == Probe::No {
            return Outcome::Broken;
        }
        let mut at = 0usize;
        loop {
            let rest = data.get(at..).unwrap_or_default();
            if rest.is_empty() {
                return Outcome::Done;
            }
            let header = Header::read(&mut Cursor(rest));
            let needed = header.map_or(HEADER_LEN, |h| HEADER_LEN.saturating_add(usize::from(h.len)));
            let (Some(header), Some(body)) = (header, rest.get(HEADER_LEN..needed)) else {
                if !cx.datagram {
                    return Outcome::NeedMore { consumed: at, needed };
                }
                let header = header.unwrap_or_default();
                self.one(dir, Message { header, malformed: true, ..Message::default() });
                return Outcome::Done;
            };
            let frame_at = i64::try_from(at).unwrap_or(i64::MAX);
            cx.frame(FRAME_PDU, frame_at, Some(needed as u64));
            cx.frame(FRAME_HEADER, frame_at, Some(HEADER_LEN as u64));
            if !body.is_empty() {
                let data_at = frame_at.saturating_add_unsigned(HEADER_LEN as u64);
                cx.frame(FRAME_DATA, data_at, Some(body.len() as u64));
            }
            self.one(dir, Message::read(header, body, dir == Dir::ToClient));
            at = at.saturating_add(needed);
        }
    }

    fn gap(&mut self, dir: Dir, _len: u64, _cx: &mut ParseCx) -> Outcome {
        self.lost[dir] = true;
        Outcome::Done
    }

    answers_from_queue!();
}
