//! The parts of an SNMP message that are logged or asked for.

use crate::app::ber::{self, Element, Reader};
use std::net::{IpAddr, Ipv4Addr};

/// Variables of a message that are kept: RFC 3416 section 3 names 2147483647, a datagram holds a few thousand, and nobody
/// writes more than some hundred.
const VARIABLES_MAX: usize = 1024;

/// PDU type of version 1's trap, which has a form of its own.
const TRAP_V1: u32 = 4;
/// msgSecurityModel of the User-based Security Model (RFC 3411 section 6.1).
const MODEL_USM: i64 = 3;
/// privFlag of msgFlags (RFC 3412 section 6.4).
const FLAG_ENCRYPTED: u8 = 2;

#[derive(Debug, Default, PartialEq, Eq)]
pub enum Security {
    #[default]
    None,
    Community(Vec<u8>),
    User(Vec<u8>),
    /// A model other than USM.
    Unknown,
}

#[derive(Debug, Default)]
pub struct Message {
    /// 1, 2 (for 2c) or 3; 0: the message could not be read.
    pub version: u8,
    pub security: Security,
    /// None: encrypted.
    pub pdu: Option<Pdu>,
}

#[derive(Debug, Default)]
pub struct Pdu {
    pub kind: u32,
    /// error-status; of a bulk request this field means something else and is 0 here.
    pub error: i64,
    pub trap: Option<Trap>,
    /// Object identifiers of the variable bindings.
    pub variables: Vec<String>,
}

#[derive(Debug)]
pub struct Trap {
    pub generic: i64,
    pub enterprise: String,
    pub address: Option<IpAddr>,
}

impl Trap {
    /// Names of RFC 1157 section 4.1.6.
    pub fn name(&self) -> Option<&'static str> {
        const NAMES: [&str; 7] = [
            "coldStart",
            "warmStart",
            "linkDown",
            "linkUp",
            "authenticationFailure",
            "egpNeighborLoss",
            "enterpriseSpecific",
        ];
        NAMES.get(usize::try_from(self.generic).ok()?).copied()
    }
}

/// Version and the rest of the message's fields, when the bytes begin as a message does.
pub fn envelope(data: &[u8]) -> Option<(u8, Reader<'_>)> {
    let mut fields = Reader(data).sequence()?;
    let version = match fields.integer()? {
        0 => 1,
        1 => 2,
        3 => 3,
        _ => return None,
    };
    let mut ahead = fields;
    let follows = if version == 3 { ber::SEQUENCE } else { ber::OCTET_STRING };
    ahead.universal(follows)?;
    Some((version, fields))
}

impl Message {
    pub fn read(data: &[u8]) -> Option<Message> {
        let (version, mut fields) = envelope(data)?;
        if version == 3 {
            return Message::version_3(&mut fields);
        }
        let community = fields.octets()?.to_vec();
        let pdu = Pdu::read(&fields.next()?)?;
        Some(Message { version, security: Security::Community(community), pdu: Some(pdu) })
    }

    /// HeaderData, msgSecurityParameters, ScopedPduData (RFC 3412 section 6).
    fn version_3(fields: &mut Reader<'_>) -> Option<Message> {
        let mut header = fields.sequence()?;
        header.integer()?; // msgID
        header.integer()?; // msgMaxSize
        let flags = *header.octets()?.first()?;
        let model = header.integer()?;
        let parameters = fields.octets()?;
        let security = match model {
            MODEL_USM => Security::User(user(parameters)?),
            _ => Security::Unknown,
        };
        let pdu = if flags & FLAG_ENCRYPTED != 0 {
            fields.octets()?;
            None
        } else {
            let mut scoped = fields.sequence()?;
            scoped.octets()?; // contextEngineID
            scoped.octets()?; // contextName
            Some(Pdu::read(&scoped.next()?)?)
        };
        Some(Message { version: 3, security, pdu })
    }
}

/// msgUserName of UsmSecurityParameters (RFC 3414 section 2.4).
fn user(parameters: &[u8]) -> Option<Vec<u8>> {
    let mut fields = Reader(parameters).sequence()?;
    fields.octets()?; // engine
    fields.integer()?; // boots
    fields.integer()?; // time
    Some(fields.octets()?.to_vec())
}

impl Pdu {
    fn read(element: &Element<'_>) -> Option<Pdu> {
        if element.class != ber::CONTEXT {
            return None;
        }
        let mut fields = element.open()?;
        let mut pdu = Pdu { kind: element.tag, ..Pdu::default() };
        if element.tag == TRAP_V1 {
            pdu.trap = Some(Trap::read(&mut fields)?);
        } else {
            fields.integer()?; // request-id
            let status = fields.integer()?;
            fields.integer()?; // error-index
                               // In a bulk request these two are non-repeaters and max-repetitions.
            pdu.error = if element.tag == 5 { 0 } else { status };
        }
        for binding in fields.sequence()?.take(VARIABLES_MAX) {
            let name = binding.open()?.universal(ber::OBJECT_ID)?;
            pdu.variables.push(ber::object_id(name.content).unwrap_or_default());
        }
        Some(pdu)
    }
}

impl Trap {
    /// enterprise, agent-addr, generic-trap, specific-trap, time-stamp (RFC 1157 section 4.1.6).
    fn read(fields: &mut Reader<'_>) -> Option<Trap> {
        let enterprise = ber::object_id(fields.universal(ber::OBJECT_ID)?.content)?;
        let address = fields.expect_tag(ber::APPLICATION, 0)?.content;
        let generic = fields.integer()?;
        fields.integer()?;
        fields.expect_tag(ber::APPLICATION, 3)?;
        let address = <[u8; 4]>::try_from(address).ok().map(|octets| IpAddr::V4(Ipv4Addr::from(octets)));
        Some(Trap { generic, enterprise, address })
    }
}
