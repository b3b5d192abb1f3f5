//! EtherNet/IP encapsulation messages (CIP Networks Library, volume 2, chapter 2) and the CIP messages inside (volume 1,
//! chapter 2 and appendix C). All numbers are little-endian.

use crate::app::cursor::Cursor;

pub const HEADER_LEN: usize = 24;

pub mod command {
    pub const NOP: u16 = 0;
    pub const LIST_SERVICES: u16 = 4;
    pub const LIST_IDENTITY: u16 = 0x63;
    pub const REGISTER_SESSION: u16 = 0x65;
    pub const UNREGISTER_SESSION: u16 = 0x66;
    pub const SEND_RR_DATA: u16 = 0x6f;
    pub const SEND_UNIT_DATA: u16 = 0x70;
}

/// Embedded messages of a Multiple Service Packet looked at, and paths within; a packet may announce 65,535.
const EMBEDDED_MAX: usize = 64;
const SEGMENTS_MAX: usize = 64;

const ITEM_IDENTITY: u16 = 0x0c;
const ITEM_CONNECTED: u16 = 0xb1;
const ITEM_UNCONNECTED: u16 = 0xb2;
const ITEM_SERVICES: u16 = 0x100;

const SERVICE_MULTIPLE: u8 = 0x0a;
const SERVICE_GET_ATTRIBUTE_LIST: u8 = 3;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    pub command: u16,
    pub len: u16,
    pub session: u32,
    pub status: u32,
    pub context: u64,
    pub options: u32,
}

impl Header {
    pub fn read(c: &mut Cursor<'_>) -> Option<Header> {
        Some(Header {
            command: c.le16()?,
            len: c.le16()?,
            session: c.le32()?,
            status: c.le32()?,
            context: c.le64()?,
            options: c.le32()?,
        })
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Identity {
    pub protocol_version: u16,
    pub vendor: u16,
    pub device_type: u16,
    pub product_code: u16,
    /// Major and minor.
    pub revision: [u8; 2],
    pub status: u16,
    pub serial: u32,
    pub name: Vec<u8>,
    pub state: u8,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Service {
    pub protocol_version: u16,
    pub capabilities: u16,
    pub name: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment {
    Class(u32),
    Instance(u32),
    Attribute(u32),
    Other,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Cip {
    /// Without the bit that marks a response.
    pub service: u8,
    pub response: bool,
    pub path: Vec<Segment>,
    /// Of Get_Attribute_List: those asked for.
    pub attributes: Vec<u16>,
    /// Of a response.
    pub status: u8,
    pub extended_status: Option<u16>,
    /// Of a Multiple Service Packet.
    pub embedded: Vec<Cip>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub enum Body {
    #[default]
    Other,
    RegisterSession {
        protocol_version: u16,
        options: u16,
    },
    Services(Vec<Service>),
    Identities(Vec<Identity>),
    Cip(Cip),
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub header: Header,
    pub body: Body,
    /// What stands behind the header does not read as it should.
    pub malformed: bool,
}

impl Message {
    /// `data` is what stands behind `header`, `header.len` bytes.
    pub fn read(header: Header, data: &[u8], response: bool) -> Message {
        let body = read_body(header, &mut Cursor(data), response);
        Message { header, malformed: body.is_none(), body: body.unwrap_or_default() }
    }

    pub fn cip(&self) -> Option<&Cip> {
        match &self.body {
            Body::Cip(cip) => Some(cip),
            _ => None,
        }
    }
    /// The CIP message and those embedded in it.
    pub fn cips(&self) -> impl Iterator<Item = &Cip> {
        self.cip().into_iter().flat_map(|cip| std::iter::once(cip).chain(&cip.embedded))
    }
    pub fn identity(&self) -> Option<&Identity> {
        match &self.body {
            Body::Identities(found) => found.first(),
            _ => None,
        }
    }
    pub fn service(&self) -> Option<&Service> {
        match &self.body {
            Body::Services(found) => found.first(),
            _ => None,
        }
    }
    pub fn protocol_version(&self) -> Option<u16> {
        match &self.body {
            Body::RegisterSession { protocol_version, .. } => Some(*protocol_version),
            _ => self
                .identity()
                .map(|i| i.protocol_version)
                .or_else(|| self.service().map(|s| s.protocol_version)),
        }
    }
}

fn read_body(header: Header, c: &mut Cursor<'_>, response: bool) -> Option<Body> {
    // An error has nothing to say but its status.
    if header.status != 0 {
        return Some(Body::Other);
    }
    match header.command {
        command::REGISTER_SESSION => {
            Some(Body::RegisterSession { protocol_version: c.le16()?, options: c.le16()? })
        }
        command::LIST_SERVICES | command::LIST_IDENTITY if response => items(c),
        command::SEND_RR_DATA | command::SEND_UNIT_DATA => {
            c.take(6)?; // interface handle, timeout
            items(c)
        }
        _ => Some(Body::Other),
    }
}

fn items(c: &mut Cursor<'_>) -> Option<Body> {
    let count = c.le16()?;
    let mut body = Body::Other;
    for _ in 0..count {
        let (kind, len) = (c.le16()?, c.le16()?);
        let mut item = Cursor(c.take(usize::from(len))?);
        match kind {
            ITEM_IDENTITY => {
                let found = identity(&mut item)?;
                match &mut body {
                    Body::Identities(list) => list.push(found),
                    other => *other = Body::Identities(vec![found]),
                }
            }
            ITEM_SERVICES => {
                let found = service(&mut item)?;
                match &mut body {
                    Body::Services(list) => list.push(found),
                    other => *other = Body::Services(vec![found]),
                }
            }
            ITEM_CONNECTED => {
                item.take(2)?; // sequence count
                body = Body::Cip(cip(&mut item, true)?);
            }
            ITEM_UNCONNECTED => body = Body::Cip(cip(&mut item, true)?),
            _ => {}
        }
    }
    Some(body)
}

fn identity(c: &mut Cursor<'_>) -> Option<Identity> {
    let protocol_version = c.le16()?;
    c.take(16)?; // socket address
    let mut found = Identity {
        protocol_version,
        vendor: c.le16()?,
        device_type: c.le16()?,
        product_code: c.le16()?,
        revision: [c.u8()?, c.u8()?],
        status: c.le16()?,
        serial: c.le32()?,
        ..Identity::default()
    };
    let len = c.u8()?;
    found.name = c.take(usize::from(len))?.to_vec();
    found.state = c.u8()?;
    Some(found)
}

fn service(c: &mut Cursor<'_>) -> Option<Service> {
    let (protocol_version, capabilities) = (c.le16()?, c.le16()?);
    let name = c.rest();
    let end = name.iter().position(|b| *b == 0).unwrap_or(name.len());
    Some(Service { protocol_version, capabilities, name: name.get(..end)?.to_vec() })
}

/// `outer`: not embedded itself.
fn cip(c: &mut Cursor<'_>, outer: bool) -> Option<Cip> {
    let first = c.u8()?;
    let mut found = Cip { service: first & 0x7f, response: first & 0x80 != 0, ..Cip::default() };
    if found.response {
        c.u8()?;
        found.status = c.u8()?;
        let words = c.u8()?;
        let mut extended = Cursor(c.take(usize::from(words).saturating_mul(2))?);
        found.extended_status = extended.le16();
    } else {
        let words = c.u8()?;
        let path = c.take(usize::from(words).saturating_mul(2))?;
        found.path = segments(&mut Cursor(path));
    }
    match found.service {
        SERVICE_MULTIPLE if outer && found.status == 0 => found.embedded = embedded(c.rest())?,
        SERVICE_GET_ATTRIBUTE_LIST if !found.response => {
            let count = c.le16()?;
            for _ in 0..count {
                match c.le16() {
                    Some(attribute) => found.attributes.push(attribute),
                    None => break,
                }
            }
        }
        _ => {}
    }
    Some(found)
}

fn embedded(data: &[u8]) -> Option<Vec<Cip>> {
    let mut c = Cursor(data);
    let count = usize::from(c.le16()?).min(EMBEDDED_MAX);
    let mut found = Vec::new();
    for _ in 0..count {
        let at = usize::from(c.le16()?);
        found.push(cip(&mut Cursor(data.get(at..)?), false)?);
    }
    Some(found)
}

/// Logical segments of a padded path (volume 1, appendix C-1.4); others are passed over.
fn segments(c: &mut Cursor<'_>) -> Vec<Segment> {
    let mut found = Vec::new();
    while found.len() < SEGMENTS_MAX {
        let Some(kind) = c.u8() else { break };
        let segment = match kind {
            0x91 => {
                let len = usize::from(c.u8().unwrap_or(0));
                c.take(len.saturating_add(len & 1)).map(|_| Segment::Other)
            }
            _ if kind >> 5 == 1 => logical(c, kind),
            _ => None,
        };
        match segment {
            Some(segment) => found.push(segment),
            None => break,
        }
    }
    found
}

fn logical(c: &mut Cursor<'_>, kind: u8) -> Option<Segment> {
    let value = match kind & 3 {
        0 => u32::from(c.u8()?),
        1 => {
            c.u8()?; // pad
            u32::from(c.le16()?)
        }
        2 => {
            c.u8()?;
            c.le32()?
        }
        _ => return None,
    };
    Some(match kind >> 2 & 7 {
        0 => Segment::Class(value),
        1 => Segment::Instance(value),
        4 => Segment::Attribute(value),
        _ => Segment::Other,
    })
}
