//! TLS inside RDP ("enhanced security", [MS-RDPBCGR] section 5.4): of the server's handshake only its certificates' serial
//! numbers are told.

use x509_parser::prelude::{FromDer, X509Certificate};

const HANDSHAKE: u8 = 22;
const CERTIFICATE: u8 = 11;
const RECORD_HEADER_LEN: usize = 5;
/// Bytes of handshake that are put together until the certificates end.
const HELD_MAX: usize = 64 * 1024;
/// Longest chain that is told.
const CERTIFICATES_MAX: usize = 16;

/// The server's handshake so far.
#[derive(Default)]
pub struct Handshake {
    messages: Vec<u8>,
}

pub enum Found {
    /// So many bytes are needed.
    Need(usize),
    /// The record is taken; this long it was.
    Taken(usize),
    Certificates(Vec<String>),
    /// There will be none in the clear.
    Nothing,
}

impl Handshake {
    /// Takes one record from the start of `data`.
    pub fn record(&mut self, data: &[u8]) -> Found {
        let [kind, major, _minor, hi, lo, ..] = *data else { return Found::Need(RECORD_HEADER_LEN) };
        let len = usize::from(u16::from_be_bytes([hi, lo]));
        if kind != HANDSHAKE || major != 3 || self.messages.len().saturating_add(len) > HELD_MAX {
            return Found::Nothing;
        }
        let end = RECORD_HEADER_LEN.saturating_add(len);
        let Some(body) = data.get(RECORD_HEADER_LEN..end) else { return Found::Need(end) };
        self.messages.extend_from_slice(body);
        let mut rest = self.messages.as_slice();
        while let [kind, a, b, c, behind @ ..] = rest {
            let len = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).unwrap_or(usize::MAX);
            let Some((message, after)) = behind.split_at_checked(len) else { break };
            if *kind == CERTIFICATE {
                return Found::Certificates(serials(message.get(3..).unwrap_or_default()));
            }
            rest = after;
        }
        let used = self.messages.len().saturating_sub(rest.len());
        self.messages.drain(..used);
        Found::Taken(end)
    }
}

/// Serial numbers of a list of certificates, each behind its length of three bytes.
fn serials(mut list: &[u8]) -> Vec<String> {
    let mut serials = Vec::new();
    while let [a, b, c, behind @ ..] = list {
        let len = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).unwrap_or(usize::MAX);
        let Some((der, after)) = behind.split_at_checked(len) else { break };
        if let Ok((_, certificate)) = X509Certificate::from_der(der) {
            let hex = certificate.raw_serial().iter().map(|byte| format!("{byte:02x}"));
            serials.push(hex.collect());
        }
        if serials.len() >= CERTIFICATES_MAX {
            break;
        }
        list = after;
    }
    serials
}
