//! Header and options of a DHCP message (RFC 2131 section 2, RFC 2132).

/// Codes of the options that are logged or asked for.
pub mod option {
    pub const PAD: u8 = 0;
    pub const SUBNET_MASK: u8 = 1;
    pub const ROUTER: u8 = 3;
    pub const DNS_SERVER: u8 = 6;
    pub const HOST_NAME: u8 = 12;
    pub const REQUESTED_IP: u8 = 50;
    pub const LEASE_TIME: u8 = 51;
    pub const MESSAGE_TYPE: u8 = 53;
    pub const PARAMETERS: u8 = 55;
    pub const RENEWAL_TIME: u8 = 58;
    pub const REBINDING_TIME: u8 = 59;
    pub const VENDOR_CLASS: u8 = 60;
    pub const CLIENT_ID: u8 = 61;
    pub const END: u8 = 255;
}

/// Bytes before the options, the magic cookie included.
const HEADER_LEN: usize = 240;
const MAGIC: [u8; 4] = [0x63, 0x82, 0x53, 0x63];
const CHADDR_LEN: usize = 16;

#[derive(Debug, Default)]
pub struct Message {
    pub op: u8,
    pub id: u32,
    hardware_len: u8,
    hardware: [u8; CHADDR_LEN],
    pub client: [u8; 4],
    pub assigned: [u8; 4],
    pub next_server: [u8; 4],
    pub relay: [u8; 4],
    magic: [u8; 4],
    pub options: Options,
}

impl Message {
    /// None: too short for the header.
    pub fn read(data: &[u8]) -> Option<Message> {
        let (header, rest) = data.split_at_checked(HEADER_LEN)?;
        let four = |at: usize| -> Option<[u8; 4]> { header.get(at..)?.first_chunk().copied() };
        Some(Message {
            op: *header.first()?,
            hardware_len: *header.get(2)?,
            id: u32::from_be_bytes(four(4)?),
            client: four(12)?,
            assigned: four(16)?,
            next_server: four(20)?,
            relay: four(24)?,
            hardware: *header.get(28..)?.first_chunk()?,
            magic: four(236)?,
            options: Options::read(rest),
        })
    }

    /// What a stranger on these ports would hardly have by accident.
    pub fn plausible(&self) -> bool {
        self.magic == MAGIC || (matches!(self.op, 1 | 2) && usize::from(self.hardware_len) <= CHADDR_LEN)
    }

    pub fn client_mac(&self) -> &[u8] {
        let len = usize::from(self.hardware_len).min(CHADDR_LEN);
        self.hardware.get(..len).unwrap_or_default()
    }
}

/// Options in the order of the message, each code once: what comes later replaces what came before.
#[derive(Debug, Default)]
pub struct Options {
    list: Vec<(u8, Vec<u8>)>,
    /// One has a length that its code forbids.
    pub malformed: bool,
    /// The message ends inside an option, or without the end option.
    pub truncated: bool,
}

impl Options {
    fn read(mut rest: &[u8]) -> Options {
        let mut options = Options { truncated: true, ..Options::default() };
        // Place in the list by code; u16::MAX: none. At most 256 codes, so the list stays that short.
        let mut places = [u16::MAX; 256];
        while let Some((&code, tail)) = rest.split_first() {
            match code {
                option::PAD => {
                    rest = tail;
                    continue;
                }
                option::END => {
                    options.truncated = false;
                    break;
                }
                _ => {}
            }
            let Some((&len, tail)) = tail.split_first() else { break };
            let Some((data, tail)) = tail.split_at_checked(usize::from(len)) else { break };
            rest = tail;
            let fits = match code {
                option::LEASE_TIME
                | option::RENEWAL_TIME
                | option::REBINDING_TIME
                | option::SUBNET_MASK
                | option::REQUESTED_IP => len == 4,
                option::ROUTER | option::DNS_SERVER => len >= 4 && len % 4 == 0,
                option::MESSAGE_TYPE => len == 1,
                option::CLIENT_ID => len >= 1,
                _ => true,
            };
            options.malformed |= !fits;
            let Some(place) = places.get_mut(usize::from(code)) else { break };
            match options.list.get_mut(usize::from(*place)) {
                Some((_, old)) => *old = data.to_vec(),
                None => {
                    *place = u16::try_from(options.list.len()).unwrap_or(u16::MAX);
                    options.list.push((code, data.to_vec()));
                }
            }
        }
        options
    }

    pub fn iter(&self) -> impl Iterator<Item = (u8, &[u8])> {
        self.list.iter().map(|(code, data)| (*code, data.as_slice()))
    }
    pub fn get(&self, code: u8) -> Option<&[u8]> {
        self.iter().find(|(c, _)| *c == code).map(|(_, data)| data)
    }
    pub fn seconds(&self, code: u8) -> Option<u64> {
        Options::number(self.get(code)?)
    }
    /// Four bytes as a number.
    pub fn number(data: &[u8]) -> Option<u64> {
        data.try_into().ok().map(|bytes| u64::from(u32::from_be_bytes(bytes)))
    }
}
