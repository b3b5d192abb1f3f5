//! A cursor over bytes from the wire: numbers in either byte order and stretches of bytes, None past the end.

/// Reads from the front of `data`.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    data: &'a [u8],
    at: usize,
    little: bool,
}

impl<'a> Reader<'a> {
    /// Numbers are little-endian when `little`.
    pub fn new(data: &'a [u8], little: bool) -> Reader<'a> {
        Reader { data, at: 0, little }
    }
    /// Bytes read so far.
    pub fn at(&self) -> usize {
        self.at
    }
    /// What is left.
    pub fn rest(&self) -> &'a [u8] {
        self.data.get(self.at..).unwrap_or_default()
    }
    pub fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(len)?;
        let found = self.data.get(self.at..end)?;
        self.at = end;
        Some(found)
    }
    pub fn skip(&mut self, len: usize) -> Option<()> {
        self.bytes(len).map(|_| ())
    }
    fn number(&mut self, len: usize) -> Option<u64> {
        let bytes = self.bytes(len)?;
        let fold = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        Some(if self.little { bytes.iter().rev().fold(0, fold) } else { bytes.iter().fold(0, fold) })
    }
    pub fn u8(&mut self) -> Option<u8> {
        self.number(1).map(|n| n as u8)
    }
    pub fn u16(&mut self) -> Option<u16> {
        self.number(2).map(|n| n as u16)
    }
    pub fn u32(&mut self) -> Option<u32> {
        self.number(4).map(|n| n as u32)
    }
    pub fn u64(&mut self) -> Option<u64> {
        self.number(8)
    }
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }
}
