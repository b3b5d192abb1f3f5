//! One MQTT connection: messages, and which of them answers which.

use super::message::{kind, Body, Header, Message};
use super::tx::{ends, MqttTx, MESSAGES_MAX};
use super::{Event, Settings};
use crate::app::queue::{answers_from_queue, Queue};
use crate::app::{Outcome, ParseCx, Parser};
use crate::direction::{Dir, PerDir};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Messages waiting for their answers may hold this much of one flow's memory; beyond it the oldest are given up.
const LIVE_MAX_BYTES: usize = 4 << 20;
/// A message longer than this is gathered here instead of in the stream, whose allowance for one unit is 128 KiB.
const STREAM_UNIT_MAX_BYTES: usize = 64 << 10;
/// Frames, indexes in `MQTT.frames`.
const FRAME_PDU: u8 = 0;
const FRAME_HEADER: u8 = 1;
const FRAME_DATA: u8 = 2;
/// What the frame `header` covers, as Suricata has it: the fixed header with a length of one byte.
const FRAME_HEADER_LEN: u64 = 2;

/// What an answer is matched by: the direction the request went, its packet identifier; CONNECT has none.
type RequestKey = (Dir, Option<u16>);

/// The MQTT state of one flow.
pub struct MqttParser {
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
    pub fn new(settings: Settings) -> MqttParser {
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
        let ends = ends(message.header.kind());
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
