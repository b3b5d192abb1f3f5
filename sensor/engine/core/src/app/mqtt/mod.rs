//! MQTT 3.1, 3.1.1 and 5 over TCP. A request and what answers it are one transaction; a message without answer is one of
//! its own. Large messages are put together here, under `max-msg-length`; longer ones are skipped and logged as truncated.

mod log;
mod message;
mod property;
mod tx;

#[cfg(test)]
mod tests;

use super::queue::{answers_from_queue, Queue};
use super::{Buffer, Number, Outcome, ParseCx, Parser, Probe, Protocol, Recognise};
use crate::direction::{Dir, PerDir};
use crate::setting;
use message::{kind, Body, Header, Message};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tx::{MqttTx, MESSAGES_MAX};

/// Suricata's `max-msg-length`: a longer message is not parsed.
const MESSAGE_MAX_BYTES: usize = 1 << 20;
/// Suricata's `max-tx`: open transactions of one flow; the oldest are closed beyond it.
const LIVE_TX_MAX: usize = 1024;
/// Messages waiting for their answers may hold this much of one flow's memory; beyond it the oldest are given up.
const LIVE_MAX_BYTES: usize = 4 << 20;
/// Suricata's `subscribe-topic-match-limit`.
const TOPICS_MAX: usize = 100;
/// Suricata's `string-log-limit`.
const STRING_LOG_MAX_BYTES: usize = 1 << 10;
/// A message longer than this is gathered here instead of in the stream, whose allowance for one unit is 128 KiB.
const STREAM_UNIT_MAX_BYTES: usize = 64 << 10;

/// Frames, indexes in `MQTT.frames`.
const FRAME_PDU: u8 = 0;
const FRAME_HEADER: u8 = 1;
const FRAME_DATA: u8 = 2;
/// What the frame `header` covers, as Suricata has it: the fixed header with a length of one byte.
const FRAME_HEADER_LEN: u64 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    MissingConnect,
    MissingPublish,
    MissingSubscribe,
    MissingUnsubscribe,
    DoubleConnect,
    UnintroducedMessage,
    InvalidQosLevel,
    MissingMsgId,
    UnassignedMsgType,
    TooManyTransactions,
    MalformedTraffic,
    TooManyMessages,
}

/// Indexed by `Event`.
const EVENTS: &[&str] = &[
    "missing_connect",
    "missing_publish",
    "missing_subscribe",
    "missing_unsubscribe",
    "double_connect",
    "unintroduced_message",
    "invalid_qos_level",
    "missing_msg_id",
    "unassigned_msg_type",
    "too_many_transactions",
    "malformed_traffic",
    "too_many_messages",
];

const BOTH: PerDir<Option<u8>> = PerDir::new(Some(1), Some(1));

const fn sticky(name: &'static str, multi: bool, doc: &'static str) -> Buffer {
    Buffer { name, aliases: &[], modifier: None, progress: BOTH, multi, streaming: false, doc }
}

/// Indexed by `tx::buffer`.
const BUFFERS: &[Buffer] = &[
    sticky("mqtt.connect.clientid", false, "Client identifier of a CONNECT."),
    sticky("mqtt.connect.username", false, "User name of a CONNECT."),
    sticky("mqtt.connect.password", false, "Password of a CONNECT."),
    sticky("mqtt.connect.protocol_string", false, "Protocol name of a CONNECT: `MQTT`, or `MQIsdp` in 3.1."),
    sticky("mqtt.connect.willtopic", false, "Topic of the last will in a CONNECT."),
    sticky("mqtt.connect.willmessage", false, "Message of the last will in a CONNECT."),
    sticky("mqtt.publish.topic", false, "Topic of a PUBLISH."),
    sticky("mqtt.publish.message", false, "Contents of a PUBLISH."),
    sticky("mqtt.subscribe.topic", true, "Each topic filter of a SUBSCRIBE."),
    sticky("mqtt.unsubscribe.topic", true, "Each topic filter of an UNSUBSCRIBE."),
];

const fn number(
    name: &'static str,
    max: u64,
    words: &'static [(&'static str, u64)],
    flags: bool,
    doc: &'static str,
) -> Number {
    Number { name, aliases: &[], dir: None, max, words, flags, doc }
}

const NUMBERS: &[Number] = &[
    number(
        "mqtt.type",
        255,
        &[
            ("connect", 1),
            ("connack", 2),
            ("publish", 3),
            ("puback", 4),
            ("pubrec", 5),
            ("pubrel", 6),
            ("pubcomp", 7),
            ("subscribe", 8),
            ("suback", 9),
            ("unsubscribe", 10),
            ("unsuback", 11),
            ("pingreq", 12),
            ("pingresp", 13),
            ("disconnect", 14),
            ("auth", 15),
            ("unassigned", 0),
        ],
        false,
        "Type of an MQTT message.",
    ),
    number("mqtt.flags", 255, &[("retain", 1), ("dup", 8)], true, "Flags in the header of an MQTT message."),
    number("mqtt.qos", 255, &[], false, "Quality of service in the header of an MQTT message."),
    number(
        "mqtt.protocol_version",
        255,
        &[],
        false,
        "Version in the flow's CONNECT: 3 (3.1), 4 (3.1.1) or 5.",
    ),
    Number {
        aliases: &["mqtt.connack.return_code"],
        ..number(
            "mqtt.reason_code",
            255,
            &[],
            false,
            "Return code of a CONNACK, reason code of other MQTT messages.",
        )
    },
    number(
        "mqtt.connect.flags",
        255,
        &[("username", 0x80), ("password", 0x40), ("will", 4), ("will_retain", 0x20), ("clean_session", 2)],
        true,
        "Flags of an MQTT CONNECT.",
    ),
    number(
        "mqtt.connack.session_present",
        1,
        &[("yes", 1), ("true", 1), ("no", 0), ("false", 0)],
        false,
        "Whether a CONNACK continues a session.",
    ),
];

pub static MQTT: Protocol = Protocol {
    name: "mqtt",
    aliases: &[],
    tcp: true,
    udp: false,
    doc: "MQTT 3.1, 3.1.1 and 5 over TCP. A request with its answers is one transaction and gives one `mqtt` event.",
    recognise: Recognise { patterns: &[], probe: Some(probe), tcp_ports: &[1883], udp_ports: &[] },
    new: |config| Box::new(MqttParser::new(Settings::from_config(config))),
    buffers: BUFFERS,
    numbers: NUMBERS,
    frames: &["pdu", "header", "data"],
    events: EVENTS,
    states: PerDir::new(&["request_started", "request_complete"], &["response_started", "response_complete"]),
    complete: PerDir::new(1, 1),
    log_at: PerDir::new(1, 1),
    record: "mqtt",
};

/// A header of an assigned type and a legal QoS.
fn probe(_dir: Dir, data: &[u8]) -> Probe {
    match Header::read(data) {
        Ok(Some(header)) if header.kind() == kind::UNASSIGNED || header.qos() > 2 => Probe::No,
        Ok(Some(_)) => Probe::Yes,
        Ok(None) => Probe::Unsure,
        Err(_) => Probe::No,
    }
}

/// What the configuration says.
#[derive(Debug)]
struct Settings {
    message_max: usize,
    max_tx: usize,
    /// None: without limit.
    subscribe_topics: Option<usize>,
    unsubscribe_topics: Option<usize>,
    passwords: bool,
    string_limit: usize,
}

impl Settings {
    fn from_config(node: &serde_json::Value) -> Settings {
        let size = |key: &str| setting::size(&node[key]).and_then(|n| usize::try_from(n).ok());
        let topics = |key: &str| match setting::number(&node[key]) {
            Some(limit) => usize::try_from(limit).ok(), // negative: none
            None => Some(TOPICS_MAX),
        };
        let eve = &node["log"];
        Settings {
            message_max: size("max-msg-length").unwrap_or(MESSAGE_MAX_BYTES),
            max_tx: size("max-tx").filter(|n| *n > 0).unwrap_or(LIVE_TX_MAX),
            subscribe_topics: topics("subscribe-topic-match-limit"),
            unsubscribe_topics: topics("unsubscribe-topic-match-limit"),
            passwords: setting::switch(&eve["passwords"]).unwrap_or(true),
            string_limit: setting::size(&eve["string-log-limit"])
                .and_then(|n| usize::try_from(n).ok())
                .unwrap_or(STRING_LOG_MAX_BYTES),
        }
    }
}

/// What an answer is matched by: the direction the request went, its packet identifier; CONNECT has none.
type RequestKey = (Dir, Option<u16>);

/// The MQTT state of one flow.
struct MqttParser {
    settings: Arc<Settings>,
    txs: Queue<MqttTx>,
    /// Transactions waiting for an answer.
    open: HashMap<RequestKey, u64, ahash::RandomState>,
    /// The same by id, oldest first.
    waiting: BTreeMap<u64, RequestKey>,
    open_bytes: usize,
    version: u8,
    connected: bool,
    /// Bytes of a truncated message still to come.
    skip: PerDir<u64>,
    /// The beginning of a message too long to wait for in the stream.
    held: PerDir<Vec<u8>>,
}

impl MqttParser {
    fn new(settings: Settings) -> MqttParser {
        MqttParser {
            // One more than are allowed, so that the oldest can be closed and still be inspected.
            txs: Queue::new(settings.max_tx.saturating_mul(2)),
            settings: Arc::new(settings),
            open: HashMap::default(),
            waiting: BTreeMap::new(),
            open_bytes: 0,
            version: 0,
            connected: false,
            skip: PerDir::default(),
            held: PerDir::default(),
        }
    }

    fn one(&mut self, dir: Dir, message: Message) {
        let kind = message.header.kind();
        if matches!(message.body, Body::Truncated) {
            return self.add(dir, message, None, &[]);
        }
        let mut events = Vec::new();
        match kind {
            kind::CONNECT => {
                self.version = message.connect().map_or(0, |c| c.version);
                if self.connected {
                    events.push(Event::DoubleConnect);
                }
                self.add(dir, message, Some((dir, None)), &events);
            }
            kind::PUBLISH | kind::SUBSCRIBE | kind::UNSUBSCRIBE => {
                let mut key = None;
                match (message.header.qos(), message.id()) {
                    (0, _) => {}
                    (3, _) => events.push(Event::InvalidQosLevel),
                    (_, Some(id)) => key = Some((dir, Some(id))),
                    (_, None) => events.push(Event::MissingMsgId),
                }
                if !self.connected {
                    events.push(Event::UnintroducedMessage);
                }
                self.add(dir, message, key, &events);
            }
            kind::CONNACK => {
                let found = self.answer((dir.opposite(), None), message);
                match found {
                    None => self.connected = true,
                    Some(message) => self.add(dir, message, None, &[Event::MissingConnect]),
                }
            }
            kind::PUBACK | kind::PUBREC | kind::PUBREL | kind::PUBCOMP | kind::SUBACK | kind::UNSUBACK => {
                // PUBREL comes from the side that published.
                let asked = if kind == kind::PUBREL { dir } else { dir.opposite() };
                let key = (asked, message.id());
                if let Some(message) = self.answer(key, message) {
                    events.push(match kind {
                        kind::SUBACK => Event::MissingSubscribe,
                        kind::UNSUBACK => Event::MissingUnsubscribe,
                        _ => Event::MissingPublish,
                    });
                    if !self.connected {
                        events.push(Event::UnintroducedMessage);
                    }
                    self.add(dir, message, None, &events);
                }
            }
            kind::UNASSIGNED => self.add(dir, message, None, &[Event::UnassignedMsgType]),
            _ if self.connected => self.add(dir, message, None, &[]),
            _ => self.add(dir, message, None, &[Event::UnintroducedMessage]),
        }
    }

    /// A transaction of its own; `key`: it waits for an answer.
    fn add(&mut self, dir: Dir, message: Message, key: Option<RequestKey>, events: &[Event]) {
        self.make_room(message.header.total());
        let (version, settings) = (self.version, self.settings.clone());
        let bytes = message.header.total();
        let id = self
            .txs
            .push(|id| {
                let mut tx = MqttTx::new(id, dir, version, settings);
                tx.complete = key.is_none();
                tx.messages.push(message);
                events.iter().for_each(|event| tx.meta.set_event(*event as u8));
                tx
            })
            .meta
            .id;
        if let Some(key) = key {
            self.open_bytes = self.open_bytes.saturating_add(bytes);
            self.waiting.insert(id, key);
            if let Some(old) = self.open.insert(key, id) {
                // The identifier is used again: the first will have no answer any more.
                self.finish(old);
            }
        }
    }

    /// Adds an answer to the transaction it belongs to, or gives it back.
    fn answer(&mut self, key: RequestKey, message: Message) -> Option<Message> {
        let Some(id) = self.open.get(&key).copied() else { return Some(message) };
        let ends = tx::ends(message.header.kind());
        let Some(tx) = self.txs.typed_mut(id) else {
            self.open.remove(&key);
            self.waiting.remove(&id);
            return Some(message);
        };
        let full = tx.messages.len() >= MESSAGES_MAX;
        if full {
            tx.meta.set_event(Event::TooManyMessages as u8);
        } else {
            self.open_bytes = self.open_bytes.saturating_add(message.header.total());
            tx.messages.push(message);
        }
        if ends || full {
            self.open.remove(&key);
            self.finish(id);
        }
        None
    }

    fn finish(&mut self, id: u64) {
        self.waiting.remove(&id);
        if let Some(tx) = self.txs.typed_mut(id).filter(|tx| !tx.complete) {
            tx.complete = true;
            self.open_bytes = self.open_bytes.saturating_sub(tx.bytes());
        }
    }

    /// Closes the oldest open transactions while there are too many, or they hold too much.
    fn make_room(&mut self, bytes: usize) {
        while self.open.len() >= self.settings.max_tx
            || self.open_bytes.saturating_add(bytes) > LIVE_MAX_BYTES
        {
            let Some((id, key)) = self.waiting.first_key_value().map(|(id, key)| (*id, *key)) else {
                return;
            };
            self.open.remove(&key);
            if let Some(tx) = self.txs.typed_mut(id) {
                tx.meta.set_event(Event::TooManyTransactions as u8);
            }
            self.finish(id);
        }
    }

    fn malformed(&mut self, dir: Dir) -> Outcome {
        let (version, settings) = (self.version, self.settings.clone());
        self.txs.push(|id| {
            let mut tx = MqttTx::new(id, dir, version, settings);
            tx.meta.set_event(Event::MalformedTraffic as u8);
            tx.meta.logged = true; // There is no message to speak of.
            tx
        });
        Outcome::Broken
    }

    /// Parses what `data` holds whole; `base` is where it begins in the data of this call.
    fn messages(&mut self, dir: Dir, data: &[u8], base: i64, cx: &mut ParseCx) -> Outcome {
        let mut at = 0usize;
        loop {
            let rest = data.get(at..).unwrap_or_default();
            if rest.is_empty() {
                return Outcome::Done;
            }
            let header = match Header::read(rest) {
                Ok(Some(header)) => header,
                Ok(None) => return Outcome::NeedMore { consumed: at, needed: rest.len().saturating_add(1) },
                Err(_) => return self.malformed(dir),
            };
            let frame_at = base.saturating_add_unsigned(at as u64);
            let total = header.total();
            if total > self.settings.message_max {
                cx.frame(FRAME_PDU, frame_at, Some(total as u64));
                self.one(dir, Message { header, body: Body::Truncated, properties: Vec::new() });
                if total >= rest.len() {
                    self.skip[dir] = total.saturating_sub(rest.len()) as u64;
                    return Outcome::Done;
                }
                at = at.saturating_add(total);
                continue;
            }
            let Some(contents) = rest.get(header.len..total) else {
                return Outcome::NeedMore { consumed: at, needed: total };
            };
            cx.frame(FRAME_PDU, frame_at, Some(total as u64));
            cx.frame(FRAME_HEADER, frame_at, Some(FRAME_HEADER_LEN));
            let data_at = frame_at.saturating_add_unsigned(FRAME_HEADER_LEN);
            cx.frame(FRAME_DATA, data_at, Some(header.remaining as u64));
            match Message::read(header, contents, self.version) {
                Ok(message) => self.one(dir, message),
                Err(_) => return self.malformed(dir),
            }
            at = at.saturating_add(total);
        }
    }

    /// Goes on with a message that is gathered here. Answers how much of `data` it took.
    fn gather(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Result<usize, Outcome> {
        let mut held = std::mem::take(&mut self.held[dir]);
        let total = match Header::read(&held) {
            Ok(Some(header)) => header.total(),
            _ => return Ok(0),
        };
        let before = held.len();
        let take = total.saturating_sub(before).min(data.len());
        held.extend_from_slice(data.get(..take).unwrap_or_default());
        if held.len() < total {
            self.held[dir] = held;
            return Ok(take);
        }
        let base = 0i64.saturating_sub_unsigned(before as u64);
        match self.messages(dir, &held, base, cx) {
            Outcome::Broken => Err(Outcome::Broken),
            _ => Ok(take),
        }
    }
}

impl Parser for MqttParser {
    fn parse(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Outcome {
        let skipped = usize::try_from(self.skip[dir]).unwrap_or(usize::MAX).min(data.len());
        self.skip[dir] = self.skip[dir].saturating_sub(skipped as u64);
        let mut start = skipped;
        if !self.held[dir].is_empty() {
            match self.gather(dir, data.get(start..).unwrap_or_default(), cx) {
                Ok(taken) => start = start.saturating_add(taken),
                Err(outcome) => return outcome,
            }
        }
        let rest = data.get(start..).unwrap_or_default();
        match self.messages(dir, rest, 0i64.saturating_add_unsigned(start as u64), cx) {
            Outcome::NeedMore { consumed, needed } if needed > STREAM_UNIT_MAX_BYTES => {
                self.held[dir] = rest.get(consumed..).unwrap_or_default().to_vec();
                Outcome::Done
            }
            Outcome::NeedMore { consumed, needed } => {
                Outcome::NeedMore { consumed: consumed.saturating_add(start), needed }
            }
            outcome => outcome,
        }
    }

    answers_from_queue!();
}
