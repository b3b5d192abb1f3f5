//! ICMP for both IP versions: type, code, identifiers, and what is odd about them.

pub mod v4;
pub mod v6;

use super::layer::chunk;
use super::packet::Packet;

/// Both versions' fixed header, with identifier and sequence number where the type has them.
pub(super) const HEADER_LEN: usize = 8;

/// Whether the datagram quoted after the header is a whole header of the version: Ok, too short, or of another version.
enum Quoted {
    Good,
    Short,
    WrongVersion,
}

fn quoted(packet: &Packet<'_>, at: usize, end: usize, version: u8, header_len: usize) -> Quoted {
    if end.saturating_sub(at) < header_len {
        return Quoted::Short;
    }
    match chunk::<1>(packet.frame, at, end) {
        Some([first]) if first >> 4 == version => Quoted::Good,
        _ => Quoted::WrongVersion,
    }
}
