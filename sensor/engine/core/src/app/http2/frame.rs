//! HTTP/2 frames (RFC 9113 sections 4 and 6): headers and payloads taken apart. Keeps no state.

/// Bytes of a frame header.
pub const HEADER_LEN: usize = 9;

pub mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PUSH_PROMISE: u8 = 5;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

pub mod flag {
    /// Of SETTINGS and PING.
    pub const ACK: u8 = 0x01;
    pub const END_STREAM: u8 = 0x01;
    pub const END_HEADERS: u8 = 0x04;
    pub const PADDED: u8 = 0x08;
    pub const PRIORITY: u8 = 0x20;
}

/// SETTINGS_HEADER_TABLE_SIZE.
pub const HEADER_TABLE_SIZE: u16 = 1;

/// Settings by id, as EVE names them (RFC 9113 section 6.5.2).
pub fn setting_name(id: u16) -> Option<&'static str> {
    Some(match id {
        1 => "SETTINGSHEADERTABLESIZE",
        2 => "SETTINGSENABLEPUSH",
        3 => "SETTINGSMAXCONCURRENTSTREAMS",
        4 => "SETTINGSINITIALWINDOWSIZE",
        5 => "SETTINGSMAXFRAMESIZE",
        6 => "SETTINGSMAXHEADERLISTSIZE",
        _ => return None,
    })
}

/// Error codes in order (RFC 9113 section 7), as EVE names them.
pub const ERROR_NAMES: [&str; 14] = [
    "NOERROR",
    "PROTOCOLERROR",
    "INTERNALERROR",
    "FLOWCONTROLERROR",
    "SETTINGSTIMEOUT",
    "STREAMCLOSED",
    "FRAMESIZEERROR",
    "REFUSEDSTREAM",
    "CANCEL",
    "COMPRESSIONERROR",
    "CONNECTERROR",
    "ENHANCEYOURCALM",
    "INADEQUATESECURITY",
    "HTTP11REQUIRED",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub len: usize,
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
}

impl Header {
    /// None: fewer than 9 bytes.
    pub fn read(data: &[u8]) -> Option<Header> {
        let [a, b, c, kind, flags, s0, s1, s2, s3] = data.first_chunk::<HEADER_LEN>()?;
        let len = u32::from_be_bytes([0, *a, *b, *c]);
        Some(Header {
            len: len as usize,
            kind: *kind,
            flags: *flags,
            stream: u32::from_be_bytes([*s0, *s1, *s2, *s3]) & 0x7fff_ffff,
        })
    }
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

pub fn be32(data: &[u8]) -> Option<u32> {
    data.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes))
}

/// A HEADERS or PUSH_PROMISE payload without padding and priority: (weight, promised stream, block fragment).
pub fn fragment<'a>(header: &Header, payload: &'a [u8]) -> Option<(Option<u8>, Option<u32>, &'a [u8])> {
    let mut rest = payload;
    if header.has(flag::PADDED) {
        let (pad, after) = rest.split_first()?;
        let end = after.len().checked_sub(usize::from(*pad))?;
        rest = after.get(..end)?;
    }
    if header.kind == kind::PUSH_PROMISE {
        let promised = be32(rest)? & 0x7fff_ffff;
        return Some((None, Some(promised), rest.get(4..)?));
    }
    if header.has(flag::PRIORITY) {
        let weight = rest.get(4).copied()?;
        return Some((Some(weight), None, rest.get(5..)?));
    }
    Some((None, None, rest))
}

/// (id, value) of each setting.
pub fn settings(payload: &[u8]) -> impl Iterator<Item = (u16, u32)> + '_ {
    payload.chunks_exact(6).filter_map(|entry| {
        let [a, b, value @ ..] = entry.first_chunk::<6>()?;
        Some((u16::from_be_bytes([*a, *b]), u32::from_be_bytes(*value)))
    })
}
