//! TPKT (RFC 1006), X.224 and the MCS connect messages ([MS-RDPBCGR] sections 2.2.1.1 to 2.2.1.4).

use super::core::Core;

pub const TPKT_VERSION: u8 = 3;
pub const TPKT_LEN: usize = 4;
/// X.224 types, the upper half of the byte.
pub const CONNECTION_REQUEST: u8 = 0xe0;
pub const CONNECTION_CONFIRM: u8 = 0xd0;
const DATA: u8 = 0xf0;
/// X.224 header of a connection request or confirm.
const X224_LEN: usize = 7;
/// Channels kept; a client may ask for 31.
const CHANNELS_MAX: usize = 31;

/// Blocks of the client's settings.
const CLIENT_CORE: u16 = 0xc001;
const CLIENT_NETWORK: u16 = 0xc003;

#[derive(Debug, PartialEq)]
pub enum Message {
    InitialRequest { cookie: Option<Vec<u8>>, flags: u8 },
    InitialResponse(Negotiation),
    ConnectRequest { core: Option<Core>, channels: Vec<Vec<u8>> },
    ConnectResponse,
    TlsHandshake { serials: Vec<String> },
}

#[derive(Debug, PartialEq)]
pub enum Negotiation {
    /// The server is older, or its answer is not understood.
    None,
    Chosen {
        flags: u8,
        protocol: u32,
    },
    Failed {
        code: u32,
    },
}

/// Reads what stands in one TPKT. None: nothing a record tells of.
pub fn read(data: &[u8]) -> Option<Message> {
    match data.get(1)? & 0xf0 {
        CONNECTION_REQUEST => Some(initial_request(data.get(X224_LEN..).unwrap_or_default())),
        CONNECTION_CONFIRM => {
            Some(Message::InitialResponse(negotiation(data.get(X224_LEN..).unwrap_or_default())))
        }
        DATA => match data.get(3..)? {
            [0x7f, 0x65, rest @ ..] => Some(connect_request(rest)),
            [0x7f, 0x66, ..] => Some(Message::ConnectResponse),
            _ => None,
        },
        _ => None,
    }
}

/// Cookie or routing token up to CR LF, then the negotiation request.
fn initial_request(data: &[u8]) -> Message {
    let end = data.windows(2).position(|pair| pair == b"\r\n");
    let (line, rest) = match end {
        Some(end) => (data.get(..end), data.get(end.saturating_add(2)..)),
        None => (None, Some(data)),
    };
    let cookie = line.and_then(|line| line.strip_prefix(b"Cookie: mstshash=")).map(<[u8]>::to_vec);
    let flags = match rest {
        Some([1, flags, 8, 0, ..]) => *flags,
        _ => 0,
    };
    Message::InitialRequest { cookie, flags }
}

fn negotiation(data: &[u8]) -> Negotiation {
    match *data {
        [2, flags, 8, 0, a, b, c, d, ..] => match u32::from_le_bytes([a, b, c, d]) {
            protocol @ (0 | 1 | 2 | 4 | 8) => Negotiation::Chosen { flags, protocol },
            _ => Negotiation::None,
        },
        [3, _, 8, 0, a, b, c, d, ..] => match u32::from_le_bytes([a, b, c, d]) {
            code @ 1..=6 => Negotiation::Failed { code },
            _ => Negotiation::None,
        },
        _ => Negotiation::None,
    }
}

/// The user data of MCS Connect-Initial: what the client can do and wants.
fn connect_request(data: &[u8]) -> Message {
    let (mut core, mut channels) = (None, Vec::new());
    let mut rest = settings(data).unwrap_or_default();
    while let [kind0, kind1, len0, len1, behind @ ..] = rest {
        let len = usize::from(u16::from_le_bytes([*len0, *len1])).saturating_sub(4);
        let Some((block, after)) = behind.split_at_checked(len) else { break };
        match u16::from_le_bytes([*kind0, *kind1]) {
            CLIENT_CORE => core = Core::read(block),
            CLIENT_NETWORK => channels = names(block),
            _ => {}
        }
        rest = after;
    }
    Message::ConnectRequest { core, channels }
}

/// Names of the static channels, 12 bytes each.
fn names(block: &[u8]) -> Vec<Vec<u8>> {
    let list = block.get(4..).unwrap_or_default().chunks_exact(12).take(CHANNELS_MAX);
    list.map(|channel| channel.iter().take(8).take_while(|b| **b != 0).copied().collect()).collect()
}

/// Finds the settings inside MCS Connect-Initial (BER) and GCC ConferenceCreateRequest (PER).
fn settings(data: &[u8]) -> Option<&[u8]> {
    let (_, mut rest) = ber_len(data)?;
    // Two selectors, the upward flag and three sets of parameters stand before the user data.
    for _ in 0..6 {
        let (len, behind) = ber_len(rest.get(1..)?)?;
        rest = behind.get(len..)?;
    }
    let [0x04, user @ ..] = rest else { return None };
    let (len, user) = ber_len(user)?;
    let user = user.get(..len).unwrap_or(user);
    let gcc = user.strip_prefix(b"\0\x05\0\x14\x7c\0\x01")?;
    let (_, gcc) = per_len(gcc)?;
    let key = gcc.get(..12)?.strip_suffix(b"Duca");
    key?;
    let (len, settings) = per_len(gcc.get(12..)?)?;
    Some(settings.get(..len).unwrap_or(settings))
}

fn ber_len(data: &[u8]) -> Option<(usize, &[u8])> {
    match data {
        [0x81, len, rest @ ..] => Some((usize::from(*len), rest)),
        [0x82, hi, lo, rest @ ..] => Some((usize::from(u16::from_be_bytes([*hi, *lo])), rest)),
        [len @ 0..=0x7f, rest @ ..] => Some((usize::from(*len), rest)),
        _ => None,
    }
}

fn per_len(data: &[u8]) -> Option<(usize, &[u8])> {
    match data {
        [len @ 0..=0x7f, rest @ ..] => Some((usize::from(*len), rest)),
        [hi @ 0x80..=0xbf, lo, rest @ ..] => Some((usize::from(u16::from_be_bytes([hi & 0x3f, *lo])), rest)),
        _ => None,
    }
}
