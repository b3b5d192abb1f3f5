//! The pcapng format (draft-ietf-opsawg-pcapng): sections in either byte order, interfaces with their own link type and
//! clock, packets in enhanced, simple and (obsolete) packet blocks. Other blocks are skipped.

use super::error::CaptureError;
use super::window::Window;
use super::{Found, RECORD_BYTES_MAX};
use crate::time::Timestamp;

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const PACKET: u32 = 2;
const SIMPLE: u32 = 3;
const ENHANCED: u32 = 6;
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
const OPTION_TSRESOL: u16 = 9;
const OPTION_TSOFFSET: u16 = 14;
/// A section with more interfaces than this is an attack on our memory, not a capture.
const INTERFACES_MAX: usize = 65_536;

pub(super) fn is_magic(bytes: &[u8]) -> bool {
    bytes.starts_with(&SECTION.to_be_bytes())
}

/// How an interface counts time.
#[derive(Clone, Copy)]
enum Unit {
    /// One tick is this many nanoseconds.
    Nanos(u64),
    /// This many ticks are one nanosecond.
    PerNano(u64),
    /// 2^n ticks are one second.
    Binary(u32),
}

#[derive(Clone, Copy)]
struct Interface {
    link_type: u16,
    /// 0 = unlimited.
    snap_len: u32,
    unit: Unit,
    offset_seconds: i64,
}

impl Interface {
    #[inline]
    fn time(&self, ticks: u64) -> Timestamp {
        let nanos = match self.unit {
            Unit::Nanos(factor) => ticks.saturating_mul(factor),
            Unit::PerNano(divisor) => ticks / divisor.max(1),
            Unit::Binary(shift) => {
                let nanos = u128::from(ticks).saturating_mul(1_000_000_000) >> shift;
                u64::try_from(nanos).unwrap_or(u64::MAX)
            }
        };
        if self.offset_seconds == 0 {
            return Timestamp(nanos);
        }
        Timestamp(nanos.saturating_add_signed(self.offset_seconds.saturating_mul(1_000_000_000)))
    }
}

pub(super) struct Reader {
    big_endian: bool,
    interfaces: Vec<Interface>,
    /// Simple packet blocks carry no time: they take that of the packet before.
    last: Timestamp,
}

impl Reader {
    pub fn new() -> Self {
        Reader { big_endian: false, interfaces: Vec::new(), last: Timestamp::default() }
    }

    #[inline]
    fn u32(&self, bytes: &[u8], at: usize) -> Option<u32> {
        let raw: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.big_endian { u32::from_be_bytes(raw) } else { u32::from_le_bytes(raw) })
    }
    #[inline]
    fn u16(&self, bytes: &[u8], at: usize) -> Option<u16> {
        let raw: [u8; 2] = bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.big_endian { u16::from_be_bytes(raw) } else { u16::from_le_bytes(raw) })
    }

    pub fn next(&mut self, window: &mut Window) -> Result<Found, CaptureError> {
        loop {
            if !window.need(12)? {
                return Ok(cut_off(window));
            }
            let head = window.peek(12);
            if head.starts_with(&SECTION.to_be_bytes()) && !self.begin_section(head) {
                return Ok(damaged(window, "a section header of no known byte order"));
            }
            let kind = self.u32(window.peek(4), 0).unwrap_or(0);
            let length = self.u32(window.peek(8), 4).unwrap_or(0);
            // Lengths are multiples of 4; writers that forget the padding exist, so only what cannot be is refused.
            if !(12..=RECORD_BYTES_MAX).contains(&length) {
                return Ok(damaged(window, &format!("a block that says it is {length} bytes long")));
            }
            let total = (length as usize).next_multiple_of(4);
            if !window.need(total)? {
                return Ok(cut_off(window));
            }
            let block = window.peek(total);
            let body = block.get(8..total.saturating_sub(4)).unwrap_or(&[]);
            match kind {
                ENHANCED | PACKET | SIMPLE => match self.packet(kind, body, total) {
                    Ok(frame) => return Ok(frame),
                    Err(why) => return Ok(damaged(window, why)),
                },
                INTERFACE => {
                    if self.interfaces.len() >= INTERFACES_MAX {
                        return Ok(damaged(window, "more than 65536 interfaces"));
                    }
                    let interface = self.interface(body);
                    self.interfaces.push(interface);
                }
                _ => {}
            }
            window.take(total);
        }
    }

    fn begin_section(&mut self, head: &[u8]) -> bool {
        for big_endian in [false, true] {
            self.big_endian = big_endian;
            if self.u32(head, 8) == Some(BYTE_ORDER_MAGIC) {
                self.interfaces.clear();
                return true;
            }
        }
        false
    }

    fn interface(&self, body: &[u8]) -> Interface {
        let mut interface = Interface {
            link_type: self.u16(body, 0).unwrap_or(0),
            snap_len: self.u32(body, 4).unwrap_or(0),
            unit: Unit::Nanos(1_000),
            offset_seconds: 0,
        };
        let mut at = 8usize;
        while let (Some(code), Some(len)) = (self.u16(body, at), self.u16(body, at.saturating_add(2))) {
            let from = at.saturating_add(4);
            let value = body.get(from..from.saturating_add(usize::from(len)));
            match (code, value) {
                (0, _) => break,
                (OPTION_TSRESOL, Some(&[resolution])) => interface.unit = unit(resolution),
                (OPTION_TSOFFSET, Some(value)) => {
                    if let Ok(raw) = <[u8; 8]>::try_from(value) {
                        interface.offset_seconds =
                            if self.big_endian { i64::from_be_bytes(raw) } else { i64::from_le_bytes(raw) };
                    }
                }
                _ => {}
            }
            at = from.saturating_add(usize::from(len).next_multiple_of(4));
        }
        interface
    }

    #[inline]
    fn packet(&mut self, kind: u32, body: &[u8], total: usize) -> Result<Found, &'static str> {
        const SHORT: &str = "a packet block too short for its own header";
        const NO_INTERFACE: &str = "a packet of an interface that was never described";
        let (index, header_len) = match kind {
            ENHANCED => (self.u32(body, 0).ok_or(SHORT)?, 20usize),
            PACKET => (u32::from(self.u16(body, 0).ok_or(SHORT)?), 20),
            _ => (0, 4),
        };
        let interface = self.interfaces.get(index as usize).ok_or(NO_INTERFACE)?;
        let space = body.len().checked_sub(header_len).ok_or(SHORT)?;
        let (captured, wire_len, ts) = if kind == SIMPLE {
            let wire_len = self.u32(body, 0).ok_or(SHORT)?;
            let snap = match interface.snap_len {
                0 => u32::MAX,
                snap => snap,
            };
            let captured = (wire_len.min(snap) as usize).min(space);
            (captured, wire_len, self.last)
        } else {
            let high = self.u32(body, 4).ok_or(SHORT)?;
            let low = self.u32(body, 8).ok_or(SHORT)?;
            let captured = self.u32(body, 12).ok_or(SHORT)? as usize;
            let wire_len = self.u32(body, 16).ok_or(SHORT)?;
            if captured > space {
                return Err("a packet longer than the block it is in");
            }
            let ticks = u64::from(high) << 32 | u64::from(low);
            (captured, wire_len, interface.time(ticks))
        };
        let link_type = interface.link_type;
        self.last = ts;
        Ok(Found::Frame {
            skip: header_len.saturating_add(8),
            len: captured,
            total,
            ts,
            wire_len: wire_len.max(captured as u32),
            link_type,
        })
    }
}

/// if_tsresol: a power of ten, or of two when the top bit is set.
fn unit(resolution: u8) -> Unit {
    let exponent = u32::from(resolution & 0x7f);
    if resolution & 0x80 != 0 {
        return Unit::Binary(exponent.min(127));
    }
    if exponent <= 9 {
        Unit::Nanos(10u64.pow(9u32.saturating_sub(exponent)))
    } else {
        Unit::PerNano(10u64.checked_pow(exponent.saturating_sub(9)).unwrap_or(u64::MAX))
    }
}

#[cold]
fn cut_off(window: &Window) -> Found {
    let left = window.available();
    Found::End((left > 0).then(|| {
        format!(
            "{}: cut off in the last block ({left} bytes at byte {}): used all packets before it",
            window.path().display(),
            window.offset()
        )
    }))
}

#[cold]
fn damaged(window: &Window, what: &str) -> Found {
    Found::End(Some(format!(
        "{}: {what} at byte {}, which is damage: stopped there, with what came before it",
        window.path().display(),
        window.offset()
    )))
}
