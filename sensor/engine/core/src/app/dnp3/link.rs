//! The data link layer of DNP3 (IEEE 1815-2012, chapter 9): frames, their checksums, and the transport octet in front of the
//! user data (chapter 8).

use crate::app::cursor::Cursor;

pub const START: [u8; 2] = [0x05, 0x64];
/// Start, length, control, destination, source, checksum.
pub const HEADER_LEN: usize = 10;
/// What the length field counts besides user data: control and the addresses.
const LENGTH_BASE: usize = 5;
const BLOCK_LEN: usize = 16;
const CRC_LEN: usize = 2;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    pub len: u8,
    pub control: u8,
    pub dst: u16,
    pub src: u16,
    pub crc_holds: bool,
}

impl Header {
    /// None: fewer than 10 bytes, or they do not begin as a frame.
    pub fn read(data: &[u8]) -> Option<Header> {
        let covered = data.get(..HEADER_LEN.saturating_sub(CRC_LEN))?;
        let mut c = Cursor(data);
        if c.take(2)? != START {
            return None;
        }
        let (len, control, dst, src, sum) = (c.u8()?, c.u8()?, c.le16()?, c.le16()?, c.le16()?);
        Some(Header { len, control, dst, src, crc_holds: crc(covered) == sum })
    }
    /// From the master to the outstation.
    pub fn is_from_master(&self) -> bool {
        self.control & 0x80 != 0
    }
    pub fn primary(&self) -> bool {
        self.control & 0x40 != 0
    }
    pub fn function(&self) -> u8 {
        self.control & 0xf
    }
    /// Bytes of user data without checksums; None: the length is less than it can be.
    pub fn user_len(&self) -> Option<usize> {
        usize::from(self.len).checked_sub(LENGTH_BASE)
    }
    /// Bytes of the whole frame.
    pub fn frame_len(&self) -> Option<usize> {
        let user = self.user_len()?;
        let sums = user.div_ceil(BLOCK_LEN).saturating_mul(CRC_LEN);
        Some(HEADER_LEN.saturating_add(user).saturating_add(sums))
    }
}

/// The user data of a frame without its checksums; None: one of them does not hold.
pub fn user_data(blocks: &[u8]) -> Option<Vec<u8>> {
    let mut data = Vec::with_capacity(blocks.len());
    for block in blocks.chunks(BLOCK_LEN.saturating_add(CRC_LEN)) {
        let (text, sum) = block.split_last_chunk::<CRC_LEN>()?;
        if crc(text) != u16::from_le_bytes(*sum) {
            return None;
        }
        data.extend_from_slice(text);
    }
    Some(data)
}

/// CRC-16/DNP: polynomial 0x3d65, reflected, inverted at the end.
pub fn crc(data: &[u8]) -> u16 {
    const REFLECTED: u16 = 0xa6bc;
    let mut sum = 0u16;
    for byte in data {
        sum ^= u16::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 != 0 { sum >> 1 ^ REFLECTED } else { sum >> 1 };
        }
    }
    !sum
}

/// The transport octet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transport(pub u8);

impl Transport {
    pub fn last(self) -> bool {
        self.0 & 0x80 != 0
    }
    pub fn first(self) -> bool {
        self.0 & 0x40 != 0
    }
    pub fn sequence(self) -> u8 {
        self.0 & 0x3f
    }
    pub fn follows(self, before: Transport) -> bool {
        self.sequence() == before.sequence().wrapping_add(1) & 0x3f
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_catalogue() {
        assert_eq!(crc(b"123456789"), 0xea82);
    }

    #[test]
    fn a_header_tells_the_length_of_its_frame() {
        let mut bytes = b"\x05\x64\x17\xc4\x0a\x00\x01\x00".to_vec();
        bytes.extend_from_slice(&crc(&bytes).to_le_bytes());
        let header = Header::read(&bytes).unwrap();
        assert!(header.crc_holds && header.is_from_master() && header.primary());
        assert_eq!((header.dst, header.src, header.function()), (10, 1, 4));
        assert_eq!(header.frame_len(), Some(10 + 18 + 4));
        assert!(Header { len: 4, ..header }.frame_len().is_none());
    }
}
