//! Modbus messages on TCP (MODBUS Application Protocol 1.1b3; MODBUS Messaging on TCP/IP 1.0b) taken apart and judged.

use crate::app::cursor::Cursor;

/// Transaction, protocol, length, unit.
pub const HEADER_LEN: usize = 7;
/// What the length field counts at most: the unit and 253 bytes.
pub const LENGTH_MAX: u16 = 254;

/// Bits of `Message::errors`.
pub mod error {
    pub const DATA_VALUE: u8 = 1;
    pub const DATA_LENGTH: u8 = 2;
    pub const EXCEPTION_CODE: u8 = 4;
    pub const FUNCTION_CODE: u8 = 8;
    pub const PROTOCOL_ID: u8 = 16;
}

/// Bits of what a function does.
pub mod access {
    pub const READ: u8 = 1;
    pub const WRITE: u8 = 2;
    pub const DISCRETES: u8 = 4;
    pub const COILS: u8 = 8;
    pub const INPUT: u8 = 16;
    pub const HOLDING: u8 = 32;
    pub const SINGLE: u8 = 64;
    pub const MULTIPLE: u8 = 128;
    pub const TABLES: u8 = DISCRETES | COILS | INPUT | HOLDING;
}

/// Bits of the kind of a function code.
pub mod category {
    pub const ASSIGNED: u8 = 1;
    pub const UNASSIGNED: u8 = 2;
    pub const USER: u8 = 4;
    pub const RESERVED: u8 = 8;
}

#[derive(Debug, Default, PartialEq, Eq)]
pub enum Data {
    #[default]
    Empty,
    Bytes(Vec<u8>),
    Exception(u8),
    Diagnostic {
        function: u16,
        data: Vec<u8>,
    },
    Mei {
        kind: u8,
        data: Vec<u8>,
    },
    Read(Read),
    Write(Write),
    ReadWrite(Read, Write),
}

#[derive(Debug, PartialEq, Eq)]
pub enum Read {
    Request { address: u16, quantity: u16 },
    Response(Vec<u8>),
}

#[derive(Debug, PartialEq, Eq)]
pub enum Write {
    Many {
        address: u16,
        quantity: u16,
        data: Vec<u8>,
    },
    Mask {
        address: u16,
        and: u16,
        or: u16,
    },
    /// One value, or in a response to many their number.
    One {
        address: u16,
        data: u16,
    },
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub transaction: u16,
    pub protocol: u16,
    pub unit: u8,
    /// The code as it stands, an exception's with its high bit.
    pub function: u8,
    pub data: Data,
    pub errors: u8,
}

/// The function of a code, or of its exception.
pub fn plain(function: u8) -> u8 {
    function & 0x7f
}

pub fn access_of(function: u8) -> u8 {
    use access::*;
    match function {
        1 => READ | COILS,
        2 => READ | DISCRETES,
        3 => READ | HOLDING,
        4 => READ | INPUT,
        5 => WRITE | COILS | SINGLE,
        6 => WRITE | HOLDING | SINGLE,
        15 => WRITE | COILS | MULTIPLE,
        16 => WRITE | HOLDING | MULTIPLE,
        22 => WRITE | HOLDING | SINGLE,
        23 => READ | WRITE | HOLDING | MULTIPLE,
        _ => 0,
    }
}

/// Section 4.1: public codes, those left to users, and Annex A: those of old products.
pub fn category_of(function: u8) -> u8 {
    match function {
        0 | 128.. => 0,
        1..=8 | 11 | 12 | 15..=17 | 20..=24 | 43 => category::ASSIGNED,
        9 | 10 | 13 | 14 | 41 | 42 | 90 | 91 | 125..=127 => category::RESERVED,
        65..=72 | 100..=110 => category::USER,
        _ => category::UNASSIGNED,
    }
}

impl Message {
    /// `body` is what stands behind the header: function code and data. None: not even that.
    pub fn read(header: &[u8], body: &[u8], response: bool) -> Option<Message> {
        let mut c = Cursor(header);
        let (transaction, protocol) = (c.be16()?, c.be16()?);
        c.be16()?;
        let unit = c.u8()?;
        let mut c = Cursor(body);
        let function = c.u8()?;
        let mut message = Message { transaction, protocol, unit, function, ..Message::default() };
        if protocol != 0 {
            message.errors |= error::PROTOCOL_ID;
        }
        let left = c.0;
        let data = if function & 0x80 != 0 {
            message.exception(&mut c)
        } else if response {
            message.response(&mut c)
        } else {
            message.request(&mut c)
        };
        if data.is_none() || !c.is_empty() {
            message.errors |= error::DATA_LENGTH;
        }
        message.data = data.unwrap_or_else(|| Data::Bytes(left.to_vec()));
        Some(message)
    }

    fn check(&mut self, holds: bool, error: u8) {
        if !holds {
            self.errors |= error;
        }
    }

    fn exception(&mut self, c: &mut Cursor<'_>) -> Option<Data> {
        let code = c.u8()?;
        self.check(matches!(code, 1..=8 | 10 | 11), error::EXCEPTION_CODE);
        Some(Data::Exception(code))
    }

    fn request(&mut self, c: &mut Cursor<'_>) -> Option<Data> {
        self.check(self.function != 0, error::FUNCTION_CODE);
        Some(match self.function {
            1..=4 => Data::Read(self.read_request(c)?),
            5 | 6 => {
                let (address, data) = (c.be16()?, c.be16()?);
                self.check(self.function == 6 || matches!(data, 0 | 0xff00), error::DATA_VALUE);
                Data::Write(Write::One { address, data })
            }
            15 | 16 => Data::Write(self.write_many(c)?),
            22 => Data::Write(Write::Mask { address: c.be16()?, and: c.be16()?, or: c.be16()? }),
            23 => {
                let read = self.read_request(c)?;
                Data::ReadWrite(read, self.write_many(c)?)
            }
            _ => return self.either(c),
        })
    }

    fn response(&mut self, c: &mut Cursor<'_>) -> Option<Data> {
        self.check(self.function != 0, error::FUNCTION_CODE);
        Some(match self.function {
            1..=4 | 23 => {
                let len = c.u8()?;
                let data = c.rest().to_vec();
                self.check(usize::from(len) == data.len(), error::DATA_VALUE);
                Data::Read(Read::Response(data))
            }
            5 | 6 | 15 | 16 => Data::Write(Write::One { address: c.be16()?, data: c.be16()? }),
            22 => Data::Write(Write::Mask { address: c.be16()?, and: c.be16()?, or: c.be16()? }),
            _ => return self.either(c),
        })
    }

    /// Functions whose requests and responses look alike.
    fn either(&mut self, c: &mut Cursor<'_>) -> Option<Data> {
        Some(match self.function {
            8 => Data::Diagnostic { function: c.be16()?, data: c.rest().to_vec() },
            43 => Data::Mei { kind: c.u8()?, data: c.rest().to_vec() },
            _ => match c.rest() {
                [] => Data::Empty,
                bytes => Data::Bytes(bytes.to_vec()),
            },
        })
    }

    fn read_request(&mut self, c: &mut Cursor<'_>) -> Option<Read> {
        let (address, quantity) = (c.be16()?, c.be16()?);
        let most = if self.function <= 2 { 2000 } else { 125 };
        self.check((1..=most).contains(&quantity), error::DATA_VALUE);
        Some(Read::Request { address, quantity })
    }

    fn write_many(&mut self, c: &mut Cursor<'_>) -> Option<Write> {
        let (address, quantity, len) = (c.be16()?, c.be16()?, c.u8()?);
        let data = c.rest().to_vec();
        let (most, bytes) = match self.function {
            15 => (1968, usize::from(quantity).div_ceil(8)),
            16 => (123, usize::from(quantity).saturating_mul(2)),
            _ => (121, usize::from(quantity).saturating_mul(2)),
        };
        let fits = usize::from(len) == bytes && data.len() == bytes;
        self.check((1..=most).contains(&quantity) && fits, error::DATA_VALUE);
        Some(Write::Many { address, quantity, data })
    }

    /// First address and their number, of what a request reads or writes; of both, what it writes.
    pub fn span(&self, write: bool) -> Option<(u16, u16)> {
        match &self.data {
            Data::Write(found) => Some(found.span()),
            Data::ReadWrite(_, found) if write => Some(found.span()),
            Data::Read(Read::Request { address, quantity })
            | Data::ReadWrite(Read::Request { address, quantity }, _) => Some((*address, *quantity)),
            _ => None,
        }
    }

    /// What a request writes to an address.
    pub fn written(&self, address: u16) -> Option<u16> {
        let (Data::Write(write) | Data::ReadWrite(_, write)) = &self.data else { return None };
        let coils = access_of(self.function) & access::COILS != 0;
        match write {
            Write::One { address: at, data } if *at == address => {
                Some(if coils { u16::from(*data != 0) } else { *data })
            }
            Write::Many { address: first, quantity, data } => {
                let at = usize::from(address.checked_sub(*first).filter(|at| at < quantity)?);
                if coils {
                    return Some(u16::from(data.get(at >> 3)? >> (at & 7) & 1));
                }
                let at = at.saturating_mul(2);
                Some(u16::from_be_bytes(data.get(at..at.saturating_add(2))?.try_into().ok()?))
            }
            _ => None,
        }
    }

    /// Whether a response is one to `request`.
    pub fn answers(&self, request: &Message) -> bool {
        if plain(self.function) != request.function {
            return false;
        }
        match (&request.data, &self.data) {
            (_, Data::Exception(_)) => true,
            (Data::Write(asked), Data::Write(Write::One { address, data })) => match asked {
                Write::One { .. } => *asked == Write::One { address: *address, data: *data },
                Write::Many { address: first, quantity, .. } => (first, quantity) == (address, data),
                Write::Mask { .. } => false,
            },
            (Data::Read(Read::Request { quantity, .. }), Data::Read(Read::Response(data))) => {
                let quantity = usize::from(*quantity);
                let bits = access_of(request.function) & (access::COILS | access::DISCRETES) != 0;
                data.len() == if bits { quantity.div_ceil(8) } else { quantity.saturating_mul(2) }
            }
            _ => true,
        }
    }
}

impl Write {
    fn span(&self) -> (u16, u16) {
        match self {
            Write::Many { address, quantity, .. } => (*address, *quantity),
            Write::Mask { address, .. } | Write::One { address, .. } => (*address, 1),
        }
    }
}
