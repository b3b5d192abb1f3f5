//! KEXINIT (RFC 4253 section 7.1) and the HASSH fingerprint made of it: MD5 over the lists of key exchange, encryption, MAC
//! and compression algorithms in the sender's direction, joined by semicolons.

use crate::direction::Dir;
use md5::{Digest, Md5};
use std::fmt::Write as _;

/// The random bytes before the lists.
const COOKIE_LEN: usize = 16;
/// Name-lists of KEXINIT, in their order on the wire.
const LISTS: usize = 10;
/// Which lists count: (client's, server's).
const KEX: usize = 0;
const ENCRYPTION: (usize, usize) = (2, 3);
const MAC: (usize, usize) = (4, 5);
const COMPRESSION: (usize, usize) = (6, 7);

/// A fingerprint: the text and its MD5 in hexadecimal.
pub struct Hassh {
    pub hash: String,
    pub text: Vec<u8>,
}

/// Of a KEXINIT's payload behind its message number. None: it is cut short.
pub fn hassh(dir: Dir, payload: &[u8]) -> Option<Hassh> {
    let mut rest = payload.get(COOKIE_LEN..)?;
    let mut lists: [&[u8]; LISTS] = [&[]; LISTS];
    for list in &mut lists {
        let (len, behind) = rest.split_first_chunk::<4>()?;
        let len = usize::try_from(u32::from_be_bytes(*len)).ok()?;
        (*list, rest) = behind.split_at_checked(len)?;
    }
    let own = |pair: (usize, usize)| if dir == Dir::ToServer { pair.0 } else { pair.1 };
    let parts = [KEX, own(ENCRYPTION), own(MAC), own(COMPRESSION)];
    let parts: Vec<&[u8]> = parts.iter().filter_map(|at| lists.get(*at).copied()).collect();
    let text = parts.join(&b';');
    let mut hash = String::with_capacity(32);
    for byte in Md5::digest(&text) {
        // Writing into a String cannot fail.
        let _ = write!(hash, "{byte:02x}");
    }
    Some(Hassh { hash, text })
}
