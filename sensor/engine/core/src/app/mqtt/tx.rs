//! An MQTT transaction: a request with the messages that answer it, or one message that needs no answer. Must not see bytes
//! of the wire.

use super::log;
use super::message::{kind, Body, Connect, Message};
use super::Settings;
use crate::app::{LogFor, Transaction, TxMeta, View};
use crate::direction::Dir;
use crate::json::JsonWriter;
use std::sync::Arc;

/// Local numbers of the buffers, in the order of `super::BUFFERS`.
pub mod buffer {
    pub const CLIENT_ID: usize = 0;
    pub const USERNAME: usize = 1;
    pub const PASSWORD: usize = 2;
    pub const PROTOCOL_STRING: usize = 3;
    pub const WILL_TOPIC: usize = 4;
    pub const WILL_MESSAGE: usize = 5;
    pub const PUBLISH_TOPIC: usize = 6;
    pub const PUBLISH_MESSAGE: usize = 7;
    pub const SUBSCRIBE_TOPIC: usize = 8;
    pub const UNSUBSCRIBE_TOPIC: usize = 9;
}

/// What one message may hold open in a transaction: PUBREC and PUBREL can be repeated without end.
pub const MESSAGES_MAX: usize = 100;

pub struct MqttTx {
    pub meta: TxMeta,
    /// The direction of the first message; the whole transaction is inspected in it.
    pub dir: Dir,
    pub messages: Vec<Message>,
    pub complete: bool,
    /// Protocol version of the flow's CONNECT; 0: none was seen.
    pub version: u8,
    pub settings: Arc<Settings>,
}

impl MqttTx {
    pub fn new(id: u64, dir: Dir, version: u8, settings: Arc<Settings>) -> MqttTx {
        let mut meta = TxMeta::new(id);
        meta.skip[dir.opposite()] = true;
        MqttTx { meta, dir, messages: Vec::new(), complete: true, version, settings }
    }

    /// Bytes of the messages on the wire.
    pub fn bytes(&self) -> usize {
        self.messages.iter().fold(0, |sum, m| sum.saturating_add(m.header.total()))
    }

    fn connect(&self) -> Option<&Connect> {
        self.messages.iter().find_map(Message::connect)
    }

    /// The topic `index`, counted over all messages of a kind.
    fn topic(&self, local: usize, mut index: usize) -> Option<&[u8]> {
        let limit = if local == buffer::SUBSCRIBE_TOPIC {
            self.settings.subscribe_topics
        } else {
            self.settings.unsubscribe_topics
        };
        if limit.is_some_and(|limit| index >= limit) {
            return None;
        }
        for message in &self.messages {
            let (len, found) = match (&message.body, local) {
                (Body::Subscribe { topics, .. }, buffer::SUBSCRIBE_TOPIC) => {
                    (topics.len(), topics.get(index).map(|(topic, _)| topic))
                }
                (Body::Unsubscribe { topics, .. }, buffer::UNSUBSCRIBE_TOPIC) => {
                    (topics.len(), topics.get(index))
                }
                _ => continue,
            };
            match found {
                Some(topic) => return Some(topic),
                None => index = index.checked_sub(len)?,
            }
        }
        None
    }
}

impl Transaction for MqttTx {
    fn meta(&self) -> &TxMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut TxMeta {
        &mut self.meta
    }
    fn progress(&self, _dir: Dir) -> u8 {
        u8::from(self.complete)
    }

    fn buffer(&self, local: usize, index: usize, dir: Dir) -> Option<View<'_>> {
        if dir != self.dir {
            return None;
        }
        let data = match local {
            buffer::SUBSCRIBE_TOPIC | buffer::UNSUBSCRIBE_TOPIC => self.topic(local, index)?,
            _ if index > 0 => return None,
            buffer::CLIENT_ID => &self.connect()?.client_id,
            buffer::USERNAME => self.connect()?.username.as_deref()?,
            buffer::PASSWORD => self.connect()?.password.as_deref()?,
            buffer::PROTOCOL_STRING => &self.connect()?.protocol,
            buffer::WILL_TOPIC => self.connect()?.will_topic.as_deref()?,
            buffer::WILL_MESSAGE => self.connect()?.will_message.as_deref()?,
            buffer::PUBLISH_TOPIC | buffer::PUBLISH_MESSAGE => {
                self.messages.iter().find_map(|m| match &m.body {
                    Body::Publish { topic, .. } if local == buffer::PUBLISH_TOPIC => Some(topic),
                    Body::Publish { message, .. } => Some(message),
                    _ => None,
                })?
            }
            _ => return None,
        };
        Some(View::whole(data))
    }

    fn log(&self, out: &mut JsonWriter, _what: LogFor) {
        log::log(self, out);
    }

    fn number_at(&self, keyword: &str, index: usize, dir: Dir) -> Option<u64> {
        if dir != self.dir {
            return None;
        }
        let number = match keyword {
            "mqtt.protocol_version" if index == 0 => self.version,
            "mqtt.type" => self.messages.get(index)?.header.kind(),
            "mqtt.flags" => self.messages.get(index)?.header.first & 0xf,
            "mqtt.qos" => self.messages.get(index)?.header.qos(),
            "mqtt.reason_code" => *self.messages.iter().flat_map(Message::reasons).nth(index)?,
            "mqtt.connect.flags" if index == 0 => self.connect()?.flags,
            "mqtt.connack.session_present" if index == 0 => {
                self.messages.iter().find_map(|m| match m.body {
                    Body::Connack { session_present, .. } => Some(u8::from(session_present)),
                    _ => None,
                })?
            }
            _ => return None,
        };
        Some(u64::from(number))
    }
    fn number(&self, keyword: &str, dir: Dir) -> Option<u64> {
        self.number_at(keyword, 0, dir)
    }
}

/// Whether a message of this type ends the transaction that it answers.
pub fn ends(kind: u8) -> bool {
    !matches!(kind, kind::PUBREC | kind::PUBREL)
}
