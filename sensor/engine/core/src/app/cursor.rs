//! A cursor over wire bytes; every step is checked, and answers None at the end of the data.

#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a>(pub &'a [u8]);

impl<'a> Cursor<'a> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    pub fn len(&self) -> usize {
        self.0.len()
    }
    pub fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        Some(head)
    }
    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }
    pub fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }
    pub fn be16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }
    pub fn be32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }
    pub fn le16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }
    pub fn le32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }
    pub fn le64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
    /// An unsigned little-endian number of `len` bytes, at most 8.
    pub fn le(&mut self, len: usize) -> Option<u64> {
        if len > 8 {
            return None;
        }
        Some(self.take(len)?.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }
    /// Bytes with a big-endian length of two bytes before them.
    pub fn vec16(&mut self) -> Option<&'a [u8]> {
        let len = self.be16()?;
        self.take(usize::from(len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stops_at_the_end() {
        let mut c = Cursor(&[1, 2, 3, 4, 5, 0, 1, 9]);
        assert_eq!(c.u8(), Some(1));
        assert_eq!(c.le(2), Some(0x0302));
        assert_eq!(c.be16(), Some(0x0405));
        assert_eq!(c.vec16(), Some(&[9][..]));
        assert_eq!((c.be32(), c.u8(), c.le(9)), (None, None, None));
    }
}
