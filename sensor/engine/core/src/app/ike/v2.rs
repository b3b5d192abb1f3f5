//! What version 2 says in the clear: proposals and notifications (RFC 7296 section 3), and how weak a proposal is.

use super::payload::{be16, split, Chain, Header};
use super::Event;
use std::sync::Arc;

const SECURITY_ASSOCIATION: u8 = 33;
const KEY_EXCHANGE: u8 = 34;
const NONCE: u8 = 40;
const NOTIFY: u8 = 41;
const VENDOR_ID: u8 = 43;
const ENCRYPTED: u8 = 46;

/// Protocol identifier of the authentication header (RFC 7296 section 3.3.1).
const PROTOCOL_AH: u8 = 2;
/// Notifications below it are errors (RFC 7296 section 3.10.1).
const FIRST_STATUS: u16 = 16_384;
const PROPOSALS_MAX: usize = 64;
const TRANSFORMS_MAX: usize = 255;
const VENDORS_MAX: usize = 64;

/// Numbers of the chosen transforms (IANA "IKEv2 Parameters"). Where there is none: the null cipher, else 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suite {
    pub encryption: u16,
    pub integrity: u16,
    pub prf: u16,
    pub group: u16,
    pub sequence_numbers: u16,
}

impl Default for Suite {
    fn default() -> Suite {
        const ENCR_NULL: u16 = 11;
        Suite { encryption: ENCR_NULL, integrity: 0, prf: 0, group: 0, sequence_numbers: 0 }
    }
}

#[derive(Default)]
pub struct Message {
    /// Types in order; 0 ("no next payload") at the end of a whole chain.
    pub payloads: Vec<u8>,
    pub notifications: Vec<u16>,
    pub errors: u64,
    /// The last proposal.
    pub suite: Option<Suite>,
    pub key_exchange: Option<Arc<[u8]>>,
    pub nonce: Option<Arc<[u8]>>,
    /// In hexadecimal.
    pub vendors: Vec<String>,
}

impl Message {
    pub fn read(header: &Header, body: &[u8], event: &mut dyn FnMut(Event)) -> Message {
        let mut message = Message::default();
        let mut chain = Chain::new(header.next, body);
        for payload in chain.by_ref() {
            message.payloads.push(payload.kind);
            let content = payload.content;
            match payload.kind {
                SECURITY_ASSOCIATION => message.association(content, event),
                // DH group number and two reserved bytes come first.
                KEY_EXCHANGE => message.key_exchange = content.get(4..).map(Arc::from),
                NONCE => message.nonce = Some(content.into()),
                NOTIFY => message.notify(content),
                VENDOR_ID if message.vendors.len() < VENDORS_MAX => {
                    message.vendors.push(super::names::hex(content));
                }
                ENCRYPTED => {
                    // What comes next is the type of the first payload inside.
                    message.payloads.push(payload.next);
                    return message;
                }
                _ => {}
            }
        }
        if chain.next_kind() == 0 {
            message.payloads.push(0);
        }
        message
    }

    /// Protocol, bytes of the SPI, type, SPI, data.
    fn notify(&mut self, content: &[u8]) {
        let Some(kind) = be16(content, 2) else { return };
        self.notifications.push(kind);
        if kind < FIRST_STATUS {
            self.errors = self.errors.saturating_add(1);
        }
    }

    /// Proposals one after another, each with its transforms (RFC 7296 section 3.3).
    fn association(&mut self, mut rest: &[u8], event: &mut dyn FnMut(Event)) {
        for _ in 0..PROPOSALS_MAX {
            let Some((content, _, tail)) = split(rest) else { return };
            rest = tail;
            // Number, protocol, bytes of the SPI, number of transforms, SPI.
            let &[_, protocol, spi_len, _, ref inside @ ..] = content else { return };
            let mut transforms = inside.get(usize::from(spi_len)..).unwrap_or_default();
            let mut suite = Suite::default();
            let (mut group, mut aead) = (false, false);
            if protocol == PROTOCOL_AH {
                event(Event::NoEncryption);
            }
            for _ in 0..TRANSFORMS_MAX {
                let Some((transform, _, tail)) = split(transforms) else { break };
                transforms = tail;
                // Type, reserved, identifier, attributes.
                let (Some(kind), Some(id)) = (transform.first(), be16(transform, 2)) else { break };
                match kind {
                    1 => {
                        suite.encryption = id;
                        // Ciphers that authenticate too: CCM, GCM, ChaCha20-Poly1305 (RFC 5282, RFC 7634).
                        aead |= matches!(id, 14..=16 | 18..=20 | 25..=28);
                        if matches!(id, 1..=9 | 11) {
                            event(Event::WeakCryptoEnc);
                        }
                    }
                    2 => {
                        suite.prf = id;
                        match id {
                            0 => event(Event::InvalidProposal),
                            1 | 2 => event(Event::WeakCryptoPrf),
                            _ => {}
                        }
                    }
                    3 => {
                        suite.integrity = id;
                        if matches!(id, 1..=7) {
                            event(Event::WeakCryptoAuth);
                        }
                    }
                    4 => {
                        suite.group = id;
                        group = true;
                        match id {
                            0 => event(Event::InvalidProposal),
                            1 | 2 | 5 | 22 => event(Event::WeakCryptoDh),
                            _ => {}
                        }
                    }
                    5 => suite.sequence_numbers = id,
                    _ => event(Event::UnknownProposal),
                }
            }
            if !group {
                event(Event::WeakCryptoNoDh);
            }
            if suite.integrity == 0 && !aead {
                event(Event::WeakCryptoNoAuth);
            }
            self.suite = Some(suite);
        }
    }
}
