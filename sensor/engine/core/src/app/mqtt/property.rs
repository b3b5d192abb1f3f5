//! Properties of MQTT 5 (MQTT 5.0 section 2.2.2).

use super::message::varint;
use crate::app::cursor::Cursor;

#[derive(Debug, PartialEq, Eq)]
pub enum Value {
    Number(u32),
    Bytes(Vec<u8>),
    /// A user property: name and value.
    Pair(Vec<u8>, Vec<u8>),
}

#[derive(Debug, PartialEq, Eq)]
pub struct Property {
    /// Key in EVE; empty for a user property, which brings its own.
    pub name: &'static str,
    pub value: Value,
}

/// How a property's value is written.
#[derive(Clone, Copy)]
enum Form {
    U8,
    U16,
    U32,
    Varint,
    Bytes,
    Pair,
}

/// Identifier (all are below 128, so one byte), name in EVE, form.
const PROPERTIES: &[(u8, &str, Form)] = &[
    (0x01, "payload_format_indicator", Form::U8),
    (0x02, "message_expiry_interval", Form::U32),
    (0x03, "content_type", Form::Bytes),
    (0x08, "response_topic", Form::Bytes),
    (0x09, "correlation_data", Form::Bytes),
    (0x0b, "subscription_identifier", Form::Varint),
    (0x11, "session_expiry_interval", Form::U32),
    (0x12, "assigned_client_identifier", Form::Bytes),
    (0x13, "server_keep_alive", Form::U16),
    (0x15, "authentication_method", Form::Bytes),
    (0x16, "authentication_data", Form::Bytes),
    (0x17, "request_problem_information", Form::U8),
    (0x18, "will_delay_interval", Form::U32),
    (0x19, "request_response_information", Form::U8),
    (0x1a, "response_information", Form::Bytes),
    (0x1c, "server_reference", Form::Bytes),
    (0x1f, "reason_string", Form::Bytes),
    (0x21, "receive_maximum", Form::U16),
    (0x22, "topic_alias_maximum", Form::U16),
    (0x23, "topic_alias", Form::U16),
    (0x24, "maximum_qos", Form::U8),
    (0x25, "retain_available", Form::U8),
    (0x26, "", Form::Pair),
    (0x27, "maximum_packet_size", Form::U32),
    (0x28, "wildcard_subscription_available", Form::U8),
    (0x29, "subscription_identifier_available", Form::U8),
    (0x2a, "shared_subscription_available", Form::U8),
];

/// Reads the length and all properties. None when they are malformed.
pub fn read(c: &mut Cursor<'_>) -> Option<Vec<Property>> {
    let len = varint(c)?;
    let mut c = Cursor(c.take(len as usize)?);
    let mut found = Vec::new();
    while let Some(id) = c.u8() {
        // An identifier of a later version: the length of its value is unknown, the next byte is tried.
        let Some((_, name, form)) = PROPERTIES.iter().find(|(known, _, _)| *known == id) else { continue };
        let value = match form {
            Form::U8 => Value::Number(u32::from(c.u8()?)),
            Form::U16 => Value::Number(u32::from(c.be16()?)),
            Form::U32 => Value::Number(c.be32()?),
            Form::Varint => Value::Number(varint(&mut c)?),
            Form::Bytes => Value::Bytes(c.vec16()?.to_vec()),
            Form::Pair => Value::Pair(c.vec16()?.to_vec(), c.vec16()?.to_vec()),
        };
        found.push(Property { name, value });
    }
    Some(found)
}
