//! Reading XDR (RFC 4506): big-endian words, opaque data padded to four bytes. A message may be cut (its end is still to
//! come): an opaque that runs past the end gives what is there and how much is missing.

pub struct Reader<'a> {
    rest: &'a [u8],
}

/// Opaque data of which the last `missing` bytes are not here.
pub struct Opaque<'a> {
    pub data: &'a [u8],
    pub missing: usize,
}

impl<'a> Reader<'a> {
    pub fn new(data: &'a [u8]) -> Reader<'a> {
        Reader { rest: data }
    }

    pub fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    pub fn skip(&mut self, len: usize) -> Option<()> {
        self.take(len).map(|_| ())
    }

    pub fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    pub fn u64(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }

    pub fn bool(&mut self) -> Option<bool> {
        self.u32().map(|n| n != 0)
    }

    /// Opaque data of variable length that must be whole.
    pub fn opaque(&mut self) -> Option<&'a [u8]> {
        let len = self.u32()? as usize;
        let data = self.take(len)?;
        self.padding(len)?;
        Some(data)
    }

    /// The same; None when longer than `max`, so that hostile lengths end early.
    pub fn short(&mut self, max: usize) -> Option<&'a [u8]> {
        self.opaque().filter(|data| data.len() <= max)
    }

    /// Opaque data that may run past the end of what is here.
    pub fn opaque_part(&mut self) -> Option<Opaque<'a>> {
        let len = self.u32()? as usize;
        if let Some(data) = self.take(len) {
            // The padding may be cut off.
            let _ = self.padding(len);
            return Some(Opaque { data, missing: 0 });
        }
        let data = std::mem::take(&mut self.rest);
        Some(Opaque { data, missing: len.saturating_sub(data.len()) })
    }

    /// An array of words, as bitmaps are.
    pub fn words(&mut self) -> Option<()> {
        let count = self.u32()? as usize;
        self.skip(count.checked_mul(4)?)
    }

    fn padding(&mut self, len: usize) -> Option<()> {
        self.skip(len.wrapping_neg() & 3)
    }
}
