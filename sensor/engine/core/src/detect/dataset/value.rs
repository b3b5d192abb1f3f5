//! Values of data sets: as files write them, as buffers hold them, as the table keeps them.

use crate::base64;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Longest string that is kept, in bytes (Suricata: 65,535 for buffers).
const STRING_MAX: usize = 65_535;

/// What a set holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    String,
    Md5,
    Sha256,
    Ipv4,
    /// IPv6, and IPv4 in its mapped form.
    Ip,
}

impl Kind {
    pub fn find(name: &str) -> Option<Kind> {
        Some(match name {
            "string" => Kind::String,
            "md5" => Kind::Md5,
            "sha256" => Kind::Sha256,
            "ipv4" => Kind::Ipv4,
            "ip" | "ipv6" => Kind::Ip,
            _ => return None,
        })
    }

    /// The key of a buffer's bytes; None when they cannot be a value of this kind.
    pub fn key(self, bytes: &[u8]) -> Option<Box<[u8]>> {
        let fits = match self {
            Kind::String => !bytes.is_empty() && bytes.len() <= STRING_MAX,
            Kind::Md5 => bytes.len() == 16,
            Kind::Sha256 => bytes.len() == 32,
            Kind::Ipv4 => bytes.len() == 4,
            Kind::Ip => match *bytes {
                [a, b, c, d] => return Some(Box::new(Ipv4Addr::new(a, b, c, d).to_ipv6_mapped().octets())),
                _ => bytes.len() == 16,
            },
        };
        fits.then(|| bytes.into())
    }

    /// The bytes of a value as a file of lines writes it.
    pub fn read(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Kind::String => {
                let mut out = Vec::new();
                base64::decode(text.as_bytes(), base64::Mode::Strict, &mut out);
                (!out.is_empty()).then_some(out)
            }
            _ => self.read_plain(text),
        }
    }

    /// The bytes of a value as JSON writes it: strings as they are.
    pub fn read_plain(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Kind::String => Some(text.as_bytes().to_vec()),
            Kind::Md5 => hex(text, 16),
            Kind::Sha256 => hex(text, 32),
            Kind::Ipv4 => text.parse::<Ipv4Addr>().ok().map(|a| a.octets().to_vec()),
            Kind::Ip => match text.parse::<IpAddr>().ok()? {
                IpAddr::V4(a) => Some(a.to_ipv6_mapped().octets().to_vec()),
                IpAddr::V6(a) => Some(a.octets().to_vec()),
            },
        }
    }

    /// A key as a file of lines writes it.
    pub fn show(self, key: &[u8]) -> String {
        match (self, key) {
            (Kind::String, _) => base64::encode(key),
            (Kind::Ipv4, &[a, b, c, d]) => Ipv4Addr::new(a, b, c, d).to_string(),
            (Kind::Ip, _) => match <[u8; 16]>::try_from(key) {
                Ok(octets) => Ipv6Addr::from(octets).to_string(),
                Err(_) => String::new(),
            },
            _ => key.iter().map(|b| format!("{b:02x}")).collect(),
        }
    }
}

fn hex(text: &str, len: usize) -> Option<Vec<u8>> {
    if text.len() != len.checked_mul(2)? || !text.is_ascii() {
        return None;
    }
    (0..len)
        .map(|at| {
            let from = at.checked_mul(2)?;
            u8::from_str_radix(text.get(from..from.checked_add(2)?)?, 16).ok()
        })
        .collect()
}
