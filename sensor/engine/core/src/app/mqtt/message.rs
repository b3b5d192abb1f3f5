//! MQTT control packets (OASIS MQTT 3.1.1 and 5.0, chapters 2 and 3; IBM MQTT 3.1) taken apart. Knows neither flows nor JSON.

use super::property::{self, Property};
use crate::app::cursor::Cursor;

/// Packet types, first four bits of a packet.
pub mod kind {
    pub const UNASSIGNED: u8 = 0;
    pub const CONNECT: u8 = 1;
    pub const CONNACK: u8 = 2;
    pub const PUBLISH: u8 = 3;
    pub const PUBACK: u8 = 4;
    pub const PUBREC: u8 = 5;
    pub const PUBREL: u8 = 6;
    pub const PUBCOMP: u8 = 7;
    pub const SUBSCRIBE: u8 = 8;
    pub const SUBACK: u8 = 9;
    pub const UNSUBSCRIBE: u8 = 10;
    pub const UNSUBACK: u8 = 11;
    pub const DISCONNECT: u8 = 14;
    pub const AUTH: u8 = 15;
}

/// Names of the packet types, index = type; in lower case the keys of EVE.
pub const NAMES: [&str; 16] = [
    "unassigned",
    "connect",
    "connack",
    "publish",
    "puback",
    "pubrec",
    "pubrel",
    "pubcomp",
    "subscribe",
    "suback",
    "unsubscribe",
    "unsuback",
    "pingreq",
    "pingresp",
    "disconnect",
    "auth",
];

/// The bytes of the "remaining length" at most (MQTT 5.0 section 1.5.5).
const VARINT_MAX: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The first byte: type, dup, QoS, retain.
    pub first: u8,
    /// Bytes of the header itself, 2 to 5.
    pub len: usize,
    /// Bytes behind the header.
    pub remaining: usize,
}

impl Header {
    pub fn kind(&self) -> u8 {
        self.first >> 4
    }
    pub fn dup(&self) -> bool {
        self.first & 8 != 0
    }
    pub fn qos(&self) -> u8 {
        self.first >> 1 & 3
    }
    pub fn retain(&self) -> bool {
        self.first & 1 != 0
    }
    /// Bytes of header and contents.
    pub fn total(&self) -> usize {
        self.len.saturating_add(self.remaining)
    }

    /// Ok(None): not all of it is there yet. Err: the length is malformed.
    pub fn read(data: &[u8]) -> Result<Option<Header>, Malformed> {
        let mut c = Cursor(data);
        let Some(first) = c.u8() else { return Ok(None) };
        match varint(&mut c) {
            Some(remaining) => Ok(Some(Header {
                first,
                len: data.len().saturating_sub(c.len()),
                remaining: remaining as usize,
            })),
            None if data.len() > VARINT_MAX => Err(Malformed),
            None if data.iter().skip(1).any(|b| b & 0x80 == 0) => Err(Malformed),
            None => Ok(None),
        }
    }
}

/// The bytes are no MQTT packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// A variable byte integer; None when it is cut or longer than 4 bytes.
pub fn varint(c: &mut Cursor<'_>) -> Option<u32> {
    let mut value = 0u32;
    for at in 0..VARINT_MAX {
        let byte = c.u8()?;
        value |= u32::from(byte & 0x7f) << (at as u32).saturating_mul(7);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[derive(Debug, Default)]
pub struct Connect {
    pub protocol: Vec<u8>,
    pub version: u8,
    /// The flags byte as it is; bits in `flag`.
    pub flags: u8,
    pub client_id: Vec<u8>,
    pub will_topic: Option<Vec<u8>>,
    pub will_message: Option<Vec<u8>>,
    pub will_properties: Vec<Property>,
    pub username: Option<Vec<u8>>,
    pub password: Option<Vec<u8>>,
}

/// Bits of the CONNECT flags (MQTT 5.0 section 3.1.2.3).
pub mod flag {
    pub const USERNAME: u8 = 0x80;
    pub const PASSWORD: u8 = 0x40;
    pub const WILL_RETAIN: u8 = 0x20;
    pub const WILL: u8 = 0x04;
    pub const CLEAN_SESSION: u8 = 0x02;
}

#[derive(Debug)]
pub enum Body {
    Connect(Box<Connect>),
    Connack {
        session_present: bool,
        return_code: u8,
    },
    Publish {
        topic: Vec<u8>,
        message_id: Option<u16>,
        message: Vec<u8>,
    },
    /// PUBACK, PUBREC, PUBREL, PUBCOMP.
    Ack {
        message_id: u16,
        reason: Option<u8>,
    },
    Subscribe {
        message_id: u16,
        topics: Vec<(Vec<u8>, u8)>,
    },
    Suback {
        message_id: u16,
        qos_granted: Vec<u8>,
    },
    Unsubscribe {
        message_id: u16,
        topics: Vec<Vec<u8>>,
    },
    Unsuback {
        message_id: u16,
        /// MQTT 5 alone has them.
        reasons: Option<Vec<u8>>,
    },
    /// DISCONNECT and AUTH.
    End {
        reason: Option<u8>,
    },
    /// PINGREQ, PINGRESP, and type 0.
    Empty,
    /// Longer than `max-msg-length`: only its header was looked at.
    Truncated,
}

/// One control packet.
#[derive(Debug)]
pub struct Message {
    pub header: Header,
    pub body: Body,
    pub properties: Vec<Property>,
}

impl Message {
    /// Takes `contents`, the bytes behind `header`, apart. `version` is that of the CONNECT before (0: none was seen).
    pub fn read(header: Header, contents: &[u8], version: u8) -> Result<Message, Malformed> {
        let mut c = Cursor(contents);
        let mut properties = Vec::new();
        let body = body(header, &mut c, version, &mut properties).ok_or(Malformed)?;
        Ok(Message { header, body, properties })
    }

    /// The packet identifier, when the packet has one.
    pub fn id(&self) -> Option<u16> {
        match self.body {
            Body::Publish { message_id, .. } => message_id,
            Body::Ack { message_id, .. }
            | Body::Subscribe { message_id, .. }
            | Body::Suback { message_id, .. }
            | Body::Unsubscribe { message_id, .. }
            | Body::Unsuback { message_id, .. } => Some(message_id),
            _ => None,
        }
    }

    /// Reason or return codes, as `mqtt.reason_code` sees them.
    pub fn reasons(&self) -> &[u8] {
        match &self.body {
            Body::Connack { return_code, .. } => std::slice::from_ref(return_code),
            Body::Ack { reason: Some(reason), .. } | Body::End { reason: Some(reason) } => {
                std::slice::from_ref(reason)
            }
            Body::Unsuback { reasons: Some(reasons), .. } => reasons,
            _ => &[],
        }
    }

    pub fn connect(&self) -> Option<&Connect> {
        match &self.body {
            Body::Connect(connect) => Some(connect),
            _ => None,
        }
    }
}

fn body(header: Header, c: &mut Cursor<'_>, version: u8, properties: &mut Vec<Property>) -> Option<Body> {
    let v5 = version == 5;
    let mut properties = |c: &mut Cursor<'_>, there: bool| {
        if there {
            *properties = property::read(c)?;
        }
        Some(())
    };
    Some(match header.kind() {
        kind::CONNECT => return connect(c, &mut properties),
        kind::CONNACK => {
            let (flags, return_code) = (c.u8()?, c.u8()?);
            properties(c, v5)?;
            Body::Connack { session_present: flags & 1 != 0, return_code }
        }
        kind::PUBLISH => {
            let topic = c.vec16()?.to_vec();
            let message_id = if header.qos() > 0 { Some(c.be16()?) } else { None };
            properties(c, v5)?;
            Body::Publish { topic, message_id, message: c.rest().to_vec() }
        }
        kind::PUBACK | kind::PUBREC | kind::PUBREL | kind::PUBCOMP => {
            let message_id = c.be16()?;
            // A reason left out is success (MQTT 5.0 section 3.4.2.1).
            let reason = v5.then(|| c.u8().unwrap_or(0));
            properties(c, v5 && !c.is_empty())?;
            Body::Ack { message_id, reason }
        }
        kind::SUBSCRIBE => {
            let message_id = c.be16()?;
            properties(c, v5)?;
            let mut topics = Vec::new();
            while !c.is_empty() {
                topics.push((c.vec16()?.to_vec(), c.u8()?));
            }
            (!topics.is_empty()).then_some(Body::Subscribe { message_id, topics })?
        }
        kind::SUBACK => {
            let message_id = c.be16()?;
            properties(c, v5)?;
            Body::Suback { message_id, qos_granted: c.rest().to_vec() }
        }
        kind::UNSUBSCRIBE => {
            let message_id = c.be16()?;
            properties(c, v5)?;
            let mut topics = Vec::new();
            while !c.is_empty() {
                topics.push(c.vec16()?.to_vec());
            }
            (!topics.is_empty()).then_some(Body::Unsubscribe { message_id, topics })?
        }
        kind::UNSUBACK => {
            let message_id = c.be16()?;
            properties(c, v5)?;
            Body::Unsuback { message_id, reasons: v5.then(|| c.rest().to_vec()) }
        }
        kind::DISCONNECT | kind::AUTH => {
            // Left out it is success (MQTT 5.0 section 3.14.2.1). Suricata takes a lone byte for that too, and rules written
            // for it expect so; a reason it reports comes with the length of the properties.
            let alone = c.len() < 2;
            let reason = v5.then(|| c.u8().filter(|_| !alone).unwrap_or(0));
            properties(c, v5 && !c.is_empty())?;
            Body::End { reason }
        }
        _ => Body::Empty,
    })
}

fn connect(
    c: &mut Cursor<'_>,
    properties: &mut dyn FnMut(&mut Cursor<'_>, bool) -> Option<()>,
) -> Option<Body> {
    let protocol = c.vec16()?.to_vec();
    let (version, flags, _keep_alive) = (c.u8()?, c.u8()?, c.be16()?);
    properties(c, version == 5)?;
    let mut found =
        Connect { protocol, version, flags, client_id: c.vec16()?.to_vec(), ..Connect::default() };
    if flags & flag::WILL != 0 {
        if version == 5 {
            found.will_properties = property::read(c)?;
        }
        found.will_topic = Some(c.vec16()?.to_vec());
        found.will_message = Some(c.vec16()?.to_vec());
    }
    if flags & flag::USERNAME != 0 {
        found.username = Some(c.vec16()?.to_vec());
    }
    if flags & flag::PASSWORD != 0 {
        found.password = Some(c.vec16()?.to_vec());
    }
    Some(Body::Connect(Box::new(found)))
}
