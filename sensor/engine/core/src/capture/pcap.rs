//! The pcap format: file header, then records (draft-ietf-opsawg-pcap). Both byte orders, µs and ns, and Alexey
//! Kuznetzov's variant of Linux 2.x with longer record headers.

use super::error::CaptureError;
use super::window::Window;
use super::{Found, RECORD_BYTES_MAX};
use crate::time::Timestamp;

const MICROS: u32 = 0xa1b2_c3d4;
const NANOS: u32 = 0xa1b2_3c4d;
const KUZNETZOV: u32 = 0xa1b2_cd34;

pub(super) struct Reader {
    big_endian: bool,
    /// Nanoseconds in one unit of the sub-second field.
    unit_nanos: u64,
    record_header_len: usize,
    /// Files of version 2.3 and older say the wire length first.
    lengths_swapped: bool,
    link_type: u16,
}

pub(super) fn is_magic(bytes: &[u8]) -> bool {
    order_and_magic(bytes).is_some()
}

fn order_and_magic(bytes: &[u8]) -> Option<(bool, u32)> {
    let raw: [u8; 4] = bytes.get(..4)?.try_into().ok()?;
    let known = |magic| matches!(magic, MICROS | NANOS | KUZNETZOV);
    let (little, big) = (u32::from_le_bytes(raw), u32::from_be_bytes(raw));
    if known(little) {
        Some((false, little))
    } else if known(big) {
        Some((true, big))
    } else {
        None
    }
}

impl Reader {
    const FILE_HEADER_LEN: usize = 24;

    pub fn open(window: &mut Window) -> Result<Self, CaptureError> {
        let whole = window.need(Self::FILE_HEADER_LEN)?;
        let header: Option<[u8; Self::FILE_HEADER_LEN]> = window.peek(Self::FILE_HEADER_LEN).try_into().ok();
        let (Some(header), true, Some((big_endian, magic))) =
            (header, whole, order_and_magic(window.peek(4)))
        else {
            return Err(CaptureError::new(
                window.path(),
                Some(window.offset()),
                "ends inside the pcap file header (24 bytes)",
                "the capture was cut off before its first packet; take it again",
            ));
        };
        let mut reader = Reader {
            big_endian,
            unit_nanos: if magic == NANOS { 1 } else { 1_000 },
            record_header_len: if magic == KUZNETZOV { 24 } else { 16 },
            lengths_swapped: false,
            link_type: 0,
        };
        let [_, _, _, _, a, b, c, d, _, _, _, _, _, _, _, _, _, _, _, _, n0, n1, n2, n3] = header;
        let (major, minor) = (reader.u16([a, b]), reader.u16([c, d]));
        reader.lengths_swapped = major < 2 || (major == 2 && minor < 3);
        // The upper bits tell the length of a trailing frame check sequence; the IP length bounds the payload anyway.
        reader.link_type = (reader.u32([n0, n1, n2, n3]) & 0xffff) as u16;
        window.take(Self::FILE_HEADER_LEN);
        Ok(reader)
    }

    #[inline]
    fn u32(&self, bytes: [u8; 4]) -> u32 {
        if self.big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        }
    }
    #[inline]
    fn u16(&self, bytes: [u8; 2]) -> u16 {
        if self.big_endian {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        }
    }

    #[inline]
    pub fn next(&mut self, window: &mut Window) -> Result<Found, CaptureError> {
        window.need(self.record_header_len)?;
        let header: [u8; 16] = match window.peek(16).try_into() {
            Ok(header) if window.available() >= self.record_header_len => header,
            _ => return Ok(self.end(window)),
        };
        let [s0, s1, s2, s3, f0, f1, f2, f3, c0, c1, c2, c3, w0, w1, w2, w3] = header;
        let mut captured = self.u32([c0, c1, c2, c3]);
        let mut wire_len = self.u32([w0, w1, w2, w3]);
        if self.lengths_swapped && captured > wire_len {
            std::mem::swap(&mut captured, &mut wire_len);
        }
        if captured > RECORD_BYTES_MAX {
            return Ok(Found::End(Some(format!(
                "{}: the record at byte {} says it holds {captured} bytes, which is damage: stopped there, with what \
                 came before it",
                window.path().display(),
                window.offset()
            ))));
        }
        let len = captured as usize;
        let total = self.record_header_len.saturating_add(len);
        if !window.need(total)? {
            return Ok(self.end(window));
        }
        let seconds = u64::from(self.u32([s0, s1, s2, s3]));
        let fraction = u64::from(self.u32([f0, f1, f2, f3])).saturating_mul(self.unit_nanos);
        Ok(Found::Frame {
            skip: self.record_header_len,
            len,
            total,
            ts: Timestamp::from_parts(seconds, fraction),
            // Some writers leave the wire length 0.
            wire_len: wire_len.max(captured),
            link_type: self.link_type,
        })
    }

    #[cold]
    fn end(&self, window: &Window) -> Found {
        let left = window.available();
        Found::End((left > 0).then(|| {
            format!(
                "{}: cut off in the last record ({left} bytes at byte {}): used all packets before it",
                window.path().display(),
                window.offset()
            )
        }))
    }
}
