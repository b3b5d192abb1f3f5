//! Takes the protection off Initial packets: their keys follow from the connection id of the client's first packet, so
//! anyone on the path can (RFC 9001 section 5, RFC 9369 section 3.3). Nothing else is decrypted.

use super::header::{Header, Version};
use crate::direction::{Dir, PerDir};
use aes_gcm::aead::{AeadInPlace, KeyInit};
use aes_gcm::aes::cipher::{generic_array::GenericArray, BlockEncrypt};
use aes_gcm::aes::Aes128;
use aes_gcm::Aes128Gcm;
use hkdf::Hkdf;
use sha2::Sha256;

const SALT_V1: [u8; 20] = [
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc,
    0xbb, 0x7f, 0x0a,
];
const SALT_V2: [u8; 20] = [
    0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9,
    0xbd, 0x2e, 0xd9,
];
/// Drafts 29 to 32 of RFC 9001.
const SALT_DRAFT_29: [u8; 20] = [
    0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43,
    0x90, 0xa8, 0x99,
];
/// Drafts 23 to 28.
const SALT_DRAFT_23: [u8; 20] = [
    0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe,
    0xf9, 0xf5, 0x02,
];

const TAG_LEN: usize = 16;
const IV_LEN: usize = 12;
/// The sample that header protection is made from begins this far behind the start of the packet number.
const SAMPLE_OFFSET: usize = 4;
const SAMPLE_LEN: usize = 16;

/// Keys of one direction.
struct Side {
    packet: Aes128Gcm,
    iv: [u8; IV_LEN],
    header: Aes128,
}

impl Side {
    fn new(initial: &Hkdf<Sha256>, name: &str, v2: bool) -> Option<Side> {
        let secret = Hkdf::<Sha256>::from_prk(&expand::<32>(initial, name)?).ok()?;
        let label = |v1: &'static str, second: &'static str| if v2 { second } else { v1 };
        let key = expand::<16>(&secret, label("quic key", "quicv2 key"))?;
        let iv = expand::<IV_LEN>(&secret, label("quic iv", "quicv2 iv"))?;
        let header = expand::<16>(&secret, label("quic hp", "quicv2 hp"))?;
        Some(Side {
            packet: Aes128Gcm::new(GenericArray::from_slice(&key)),
            iv,
            header: Aes128::new(GenericArray::from_slice(&header)),
        })
    }
}

/// HKDF-Expand-Label with an empty context (RFC 8446 section 7.1).
fn expand<const N: usize>(key: &Hkdf<Sha256>, label: &str) -> Option<[u8; N]> {
    let mut info = Vec::with_capacity(24);
    info.extend_from_slice(&u16::try_from(N).ok()?.to_be_bytes());
    info.push(u8::try_from(label.len().saturating_add(6)).ok()?);
    info.extend_from_slice(b"tls13 ");
    info.extend_from_slice(label.as_bytes());
    info.push(0);
    let mut out = [0u8; N];
    key.expand(&info, &mut out).ok()?;
    Some(out)
}

/// The Initial keys of a connection.
pub struct Keys {
    sides: PerDir<Side>,
}

impl Keys {
    /// `dcid` is the destination connection id of the client's first Initial. None for a version whose salt is not known.
    pub fn new(version: Version, dcid: &[u8]) -> Option<Keys> {
        let salt = match version.0 {
            1 => SALT_V1,
            0x6b33_43cf => SALT_V2,
            0xff00_001d..=0xff00_0020 => SALT_DRAFT_29,
            // mvfst's draft 27 among them.
            0xff00_0017..=0xff00_001c | 0xface_b002 => SALT_DRAFT_23,
            _ => return None,
        };
        let (_, initial) = Hkdf::<Sha256>::extract(Some(&salt), dcid);
        let v2 = version == Version::V2;
        let client = Side::new(&initial, "client in", v2)?;
        let server = Side::new(&initial, "server in", v2)?;
        Some(Keys { sides: PerDir::new(client, server) })
    }

    /// The frames of the packet at the start of `data`, decrypted; None when it is not what these keys protect.
    pub fn open(&self, dir: Dir, header: &Header<'_>, data: &[u8]) -> Option<Vec<u8>> {
        let side = &self.sides[dir];
        let packet = data.get(..header.len.checked_add(header.payload_len)?)?;
        let sample_at = header.len.checked_add(SAMPLE_OFFSET)?;
        let sample = packet.get(sample_at..sample_at.checked_add(SAMPLE_LEN)?)?;
        let mut mask = GenericArray::clone_from_slice(sample);
        side.header.encrypt_block(&mut mask);
        let (mask_first, mask_number) = mask.split_first()?;
        let first = packet.first()? ^ (mask_first & 0x0f);
        let number_len = usize::from(first & 3).saturating_add(1);
        // What is authenticated: the header as it was before protection.
        let body_at = header.len.checked_add(number_len)?;
        let (head, body) = packet.split_at_checked(body_at)?;
        let mut head = head.to_vec();
        *head.first_mut()? = first;
        let mut number = 0u64;
        for (byte, mask) in head.iter_mut().skip(header.len).zip(mask_number) {
            *byte ^= mask;
            number = number << 8 | u64::from(*byte);
        }
        // The sender counts from 0, so the short form of an Initial's number is the number.
        let mut nonce = side.iv;
        for (to, from) in nonce.iter_mut().rev().zip(number.to_le_bytes()) {
            *to ^= from;
        }
        let (text, tag) = body.split_at_checked(body.len().checked_sub(TAG_LEN)?)?;
        let mut text = text.to_vec();
        let nonce = GenericArray::from_slice(&nonce);
        side.packet.decrypt_in_place_detached(nonce, &head, &mut text, GenericArray::from_slice(tag)).ok()?;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9001 appendix A.1 and RFC 9369 appendix A.1.
    #[test]
    fn initial_keys_are_those_of_the_published_vectors() {
        let dcid = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];
        let v1 = Keys::new(Version(1), &dcid).unwrap();
        assert_eq!(v1.sides[Dir::ToServer].iv, *b"\xfa\x04\x4b\x2f\x42\xa3\xfd\x3b\x46\xfb\x25\x5c");
        assert_eq!(v1.sides[Dir::ToClient].iv, *b"\x0a\xc1\x49\x3c\xa1\x90\x58\x53\xb0\xbb\xa0\x3e");
        let v2 = Keys::new(Version::V2, &dcid).unwrap();
        assert_eq!(v2.sides[Dir::ToServer].iv, *b"\x91\xf7\x3e\x23\x51\xd8\xfa\x91\x66\x0e\x90\x9f");
        assert!(Keys::new(Version(2), &dcid).is_none());
    }
}
