//! The Huffman code of HPACK (RFC 7541 appendix B), rebuilt from its code lengths: the code is canonical, so lengths say all.

use std::sync::LazyLock;

const EOS: u16 = 256;
const LEN_MAX: usize = 30;

/// Bits of the code of each byte, then of EOS.
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28,
    28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11,
    10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8,
    15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5,
    6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7,
    7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23,
    23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21,
    23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25,
    26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26,
    28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

/// Per length: the first code of that length, how many there are, and where their symbols begin in `symbols`.
struct Table {
    rows: [(u32, u32, usize); LEN_MAX + 1],
    symbols: Vec<u16>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut rows = [(0u32, 0u32, 0usize); LEN_MAX + 1];
    let mut symbols = Vec::with_capacity(LENGTHS.len());
    let mut code = 0u32;
    for (len, row) in rows.iter_mut().enumerate().skip(1) {
        code = code.wrapping_shl(1);
        let first = symbols.len();
        let of_len = (0..=EOS).zip(LENGTHS).filter(|(_, l)| usize::from(*l) == len).map(|(symbol, _)| symbol);
        symbols.extend(of_len);
        let count = u32::try_from(symbols.len().saturating_sub(first)).unwrap_or(0);
        *row = (code, count, first);
        code = code.wrapping_add(count);
    }
    Table { rows, symbols }
});

/// Decodes a string literal into `out`. False: not a valid code, or padding that is not the beginning of EOS (section 5.2).
pub fn decode(data: &[u8], out: &mut Vec<u8>) -> bool {
    let table = &*TABLE;
    let (mut code, mut len) = (0u32, 0usize);
    let mut ones = true;
    for byte in data {
        for shift in (0..8).rev() {
            let bit = u32::from(byte.wrapping_shr(shift) & 1);
            code = code.wrapping_shl(1) | bit;
            len = len.saturating_add(1);
            ones &= bit == 1;
            let Some((first, count, at)) = table.rows.get(len).copied() else { return false };
            let offset = code.wrapping_sub(first);
            if code < first || offset >= count {
                continue;
            }
            match table.symbols.get(at.saturating_add(offset as usize)).map(|s| u8::try_from(*s)) {
                Some(Ok(byte)) => out.push(byte),
                _ => return false, // EOS inside a string
            }
            (code, len, ones) = (0, 0, true);
        }
    }
    len < 8 && ones
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(hex: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        decode(hex, &mut out).then_some(out)
    }

    #[test]
    fn the_code_is_complete() {
        let kraft: u64 = LENGTHS.iter().map(|len| 1u64 << (30 - len)).sum();
        assert_eq!(kraft, 1 << 30);
    }

    #[test]
    fn decodes_the_examples_of_the_rfc() {
        // RFC 7541 C.4.1 and C.4.2
        let host = [0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
        assert_eq!(decoded(&host).unwrap(), b"www.example.com");
        assert_eq!(decoded(&[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf]).unwrap(), b"no-cache");
        assert_eq!(decoded(&[]).unwrap(), b"");
    }

    #[test]
    fn refuses_wrong_padding_and_eos() {
        assert_eq!(decoded(&[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf, 0xff]), None);
        assert_eq!(decoded(&[0b0001_1000]), None);
        assert_eq!(decoded(&[0xff, 0xff, 0xff, 0xff]), None);
    }
}
