//! What version 1 says in the clear: proposals, key exchange, nonce, vendor identifiers (RFC 2408 section 3, RFC 2409).

use super::payload::{be16, Chain, Header};
use std::sync::Arc;

const SECURITY_ASSOCIATION: u8 = 1;
const PROPOSAL: u8 = 2;
const TRANSFORM: u8 = 3;
const KEY_EXCHANGE: u8 = 4;
const NONCE: u8 = 10;
const VENDOR_ID: u8 = 13;

/// Domain of interpretation whose proposals are known (RFC 2407).
const DOI_IPSEC: u32 = 1;
const FLAG_ENCRYPTED: u8 = 1;
/// A proposal counts its transforms in one byte; attributes beyond these are not real.
const TRANSFORMS_MAX: usize = 255;
const ATTRIBUTES_MAX: usize = 32;
/// Vendor identifiers of a message that are kept; Windows sends about ten.
const VENDORS_MAX: usize = 64;

/// Attributes of a transform: type and value, each type once.
pub type Transform = Vec<(u16, u64)>;

#[derive(Default)]
pub struct Message {
    pub encrypted: bool,
    pub doi: Option<u32>,
    /// Types of the payloads, each once, nested ones included.
    pub payloads: Vec<u8>,
    pub proposals: usize,
    pub transforms: Arc<[Transform]>,
    pub key_exchange: Option<Arc<[u8]>>,
    pub nonce: Option<Arc<[u8]>>,
    /// In hexadecimal.
    pub vendors: Vec<String>,
}

impl Message {
    pub fn read(header: &Header, body: &[u8]) -> Message {
        let mut message = Message::default();
        if header.flags & FLAG_ENCRYPTED != 0 {
            message.encrypted = true;
            message.saw(header.next);
            return message;
        }
        if header.next == 0 {
            message.saw(0);
        }
        for payload in Chain::new(header.next, body) {
            message.saw(payload.kind);
            match payload.kind {
                SECURITY_ASSOCIATION => message.association(payload.content),
                KEY_EXCHANGE => message.key_exchange = Some(payload.content.into()),
                NONCE => message.nonce = Some(payload.content.into()),
                VENDOR_ID if message.vendors.len() < VENDORS_MAX => {
                    message.vendors.push(super::names::hex(payload.content));
                }
                _ => {}
            }
        }
        message
    }

    fn saw(&mut self, kind: u8) {
        if !self.payloads.contains(&kind) {
            self.payloads.push(kind);
        }
    }

    /// DOI, situation, proposals (RFC 2408 section 3.4).
    fn association(&mut self, content: &[u8]) {
        let Some((doi, rest)) = content.split_first_chunk::<4>() else { return };
        let doi = u32::from_be_bytes(*doi);
        self.doi = Some(doi);
        if doi != DOI_IPSEC {
            return;
        }
        let mut transforms = Vec::new();
        for proposal in Chain::new(PROPOSAL, rest.get(4..).unwrap_or_default()) {
            if proposal.kind != PROPOSAL {
                break;
            }
            self.saw(PROPOSAL);
            self.proposals = self.proposals.saturating_add(1);
            // Number, protocol, bytes of the SPI, number of transforms, SPI.
            let spi_len = proposal.content.get(2).copied().map_or(0, usize::from);
            let inside = proposal.content.get(spi_len.saturating_add(4)..).unwrap_or_default();
            for transform in Chain::new(TRANSFORM, inside) {
                if transform.kind != TRANSFORM || transforms.len() >= TRANSFORMS_MAX {
                    break;
                }
                self.saw(TRANSFORM);
                // Number, identifier, two reserved bytes.
                transforms.push(attributes(transform.content.get(4..).unwrap_or_default()));
            }
        }
        self.transforms = transforms.into();
    }
}

/// Data attributes (RFC 2408 section 3.3): the top bit of the type says that the value stands in place of the length.
fn attributes(mut rest: &[u8]) -> Transform {
    let mut found = Transform::new();
    while let (Some(kind), Some(value)) = (be16(rest, 0), be16(rest, 2)) {
        let kind_number = kind & 0x7fff;
        let (number, used) = if kind & 0x8000 != 0 {
            (u64::from(value), 4usize)
        } else {
            let len = usize::from(value);
            let Some(bytes) = rest.get(4..).and_then(|r| r.get(..len)) else { break };
            let number = match bytes.len() {
                0..=8 => bytes.iter().fold(0u64, |n, b| n << 8 | u64::from(*b)),
                _ => 0, // a prime or a curve: no number
            };
            (number, len.saturating_add(4))
        };
        rest = rest.get(used..).unwrap_or_default();
        if let Some(old) = found.iter_mut().find(|(k, _)| *k == kind_number) {
            old.1 = number;
        } else if found.len() < ATTRIBUTES_MAX {
            found.push((kind_number, number));
        }
    }
    found
}
