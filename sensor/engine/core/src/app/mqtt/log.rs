//! The `mqtt` object of EVE (Suricata 8 manual, EVE JSON format, event type MQTT): one member per message.

use super::message::{flag, Body, Connect, Message, NAMES};
use super::property::{Property, Value};
use super::tx::MqttTx;
use crate::json::JsonWriter;

/// Writes the members of the object.
pub fn log(tx: &MqttTx, out: &mut JsonWriter) {
    for message in &tx.messages {
        let name = match message.header.kind() {
            0 => continue,
            kind => NAMES.get(usize::from(kind)).copied().unwrap_or_default(),
        };
        out.open_object(name);
        out.uint("qos", u64::from(message.header.qos()));
        out.bool("retain", message.header.retain());
        out.bool("dup", message.header.dup());
        body(tx, message, out);
        properties(&message.properties, tx.settings.string_limit, out);
        out.close();
    }
}

fn body(tx: &MqttTx, message: &Message, out: &mut JsonWriter) {
    let limit = tx.settings.string_limit;
    match &message.body {
        Body::Connect(found) => connect(found, tx.settings.passwords, limit, out),
        Body::Connack { session_present, return_code } => {
            out.bool("session_present", *session_present);
            out.uint("return_code", u64::from(*return_code));
        }
        Body::Publish { topic, message_id, message } => {
            out.bytes_limited("topic", topic, limit);
            if let Some(id) = message_id {
                out.uint("message_id", u64::from(*id));
            }
            out.bytes_limited("message", message, limit);
        }
        Body::Ack { message_id, reason } => {
            out.uint("message_id", u64::from(*message_id));
            if let Some(reason) = reason {
                out.uint("reason_code", u64::from(*reason));
            }
        }
        Body::Subscribe { message_id, topics } => {
            out.uint("message_id", u64::from(*message_id));
            out.open_array("topics");
            let mut left = limit;
            for (topic, qos) in topics {
                if left == 0 {
                    break;
                }
                out.open();
                out.bytes_limited("topic", topic, left);
                out.uint("qos", u64::from(*qos));
                out.close();
                left = left.saturating_sub(topic.len());
            }
            out.close_array();
        }
        Body::Suback { message_id, qos_granted } => {
            out.uint("message_id", u64::from(*message_id));
            codes("qos_granted", qos_granted, out);
        }
        Body::Unsubscribe { message_id, topics } => {
            out.uint("message_id", u64::from(*message_id));
            out.open_array("topics");
            let mut left = limit;
            for topic in topics {
                if left == 0 {
                    break;
                }
                out.item_limited(topic, left);
                left = left.saturating_sub(topic.len());
            }
            out.close_array();
        }
        Body::Unsuback { message_id, reasons } => {
            out.uint("message_id", u64::from(*message_id));
            if let Some(reasons) = reasons.as_ref().filter(|r| !r.is_empty()) {
                codes("reason_codes", reasons, out);
            }
        }
        Body::End { reason } => {
            if let Some(reason) = reason {
                out.uint("reason_code", u64::from(*reason));
            }
        }
        Body::Truncated => {
            out.bool("truncated", true);
            out.uint("skipped_length", message.header.total() as u64);
        }
        Body::Empty => {}
    }
}

fn codes(key: &str, codes: &[u8], out: &mut JsonWriter) {
    out.open_array(key);
    codes.iter().for_each(|code| out.item_uint(u64::from(*code)));
    out.close_array();
}

fn connect(connect: &Connect, passwords: bool, limit: usize, out: &mut JsonWriter) {
    out.bytes_limited("protocol_string", &connect.protocol, limit);
    out.uint("protocol_version", u64::from(connect.version));
    out.bytes_limited("client_id", &connect.client_id, limit);
    out.open_object("flags");
    for (key, bit) in [
        ("username", flag::USERNAME),
        ("password", flag::PASSWORD),
        ("will_retain", flag::WILL_RETAIN),
        ("will", flag::WILL),
        ("clean_session", flag::CLEAN_SESSION),
    ] {
        out.bool(key, connect.flags & bit != 0);
    }
    out.close();
    if let Some(name) = &connect.username {
        out.bytes_limited("username", name, limit);
    }
    if let Some(password) = connect.password.as_ref().filter(|_| passwords) {
        out.bytes_limited("password", password, limit);
    }
    if connect.flags & flag::WILL != 0 {
        out.open_object("will");
        if let Some(topic) = &connect.will_topic {
            out.bytes_limited("topic", topic, limit);
        }
        if let Some(message) = &connect.will_message {
            out.bytes_limited("message", message, limit);
        }
        properties(&connect.will_properties, limit, out);
        out.close();
    }
}

fn properties(properties: &[Property], limit: usize, out: &mut JsonWriter) {
    if properties.is_empty() {
        return;
    }
    out.open_object("properties");
    for property in properties {
        match &property.value {
            Value::Number(number) => out.uint(property.name, u64::from(*number)),
            Value::Bytes(bytes) => out.bytes_limited(property.name, bytes, limit),
            Value::Pair(name, value) => {
                let cut = |bytes: &[u8]| bytes.get(..limit).unwrap_or(bytes).to_vec();
                out.bytes_under(&cut(name), &cut(value));
            }
        }
    }
    out.close();
}
