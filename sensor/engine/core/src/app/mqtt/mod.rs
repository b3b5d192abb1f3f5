//! MQTT 3.1, 3.1.1 and 5 over TCP. A request and what answers it are one transaction; a message without answer is one of
//! its own. Large messages are put together here, under `max-msg-length`; longer ones are skipped and logged as truncated.

mod log;
mod message;
mod parser;
mod property;
mod tx;

#[cfg(test)]
mod tests;

use super::{Buffer, Number, Probe, Protocol, Recognise};
use crate::direction::{Dir, PerDir};
use crate::setting;
use message::{kind, Header};
use parser::MqttParser;

/// Suricata's `max-msg-length`: a longer message is not parsed.
const MESSAGE_MAX_BYTES: usize = 1 << 20;
/// Suricata's `max-tx`: open transactions of one flow; the oldest are closed beyond it.
const LIVE_TX_MAX: usize = 1024;
/// Suricata's `subscribe-topic-match-limit`.
const TOPICS_MAX: usize = 100;
/// Suricata's `string-log-limit`.
const STRING_LOG_MAX_BYTES: usize = 1 << 10;

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
