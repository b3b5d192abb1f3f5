//! Puts the CRYPTO stream of one direction together: pieces come in any order, over several packets, and overlap.

/// The hello must fit in this; Suricata has the same limit.
pub const STREAM_MAX_BYTES: usize = 65_535;
/// Separate stretches kept: browsers cut their hello in about ten.
const STRETCHES_MAX: usize = 64;

#[derive(Default)]
pub struct Assembler {
    data: Vec<u8>,
    /// What of `data` is there, as (start, end), sorted, apart from each other.
    stretches: Vec<(usize, usize)>,
}

/// The piece reaches too far, or there are too many.
pub struct TooLong;

impl Assembler {
    pub fn add(&mut self, offset: u64, piece: &[u8]) -> Result<(), TooLong> {
        let start = usize::try_from(offset).map_err(|_| TooLong)?;
        let end = start.checked_add(piece.len()).filter(|end| *end < STREAM_MAX_BYTES).ok_or(TooLong)?;
        if piece.is_empty() {
            return Ok(());
        }
        if self.stretches.len() >= STRETCHES_MAX {
            return Err(TooLong);
        }
        if self.data.len() < end {
            self.data.resize(end, 0);
        }
        if let Some(place) = self.data.get_mut(start..end) {
            place.copy_from_slice(piece);
        }
        let (mut from, mut to) = (start, end);
        self.stretches.retain(|(a, b)| {
            let apart = *b < from || *a > to;
            if !apart {
                from = from.min(*a);
                to = to.max(*b);
            }
            apart
        });
        let at = self.stretches.partition_point(|(a, _)| *a < from);
        self.stretches.insert(at, (from, to));
        Ok(())
    }

    /// What is there from the beginning on.
    pub fn prefix(&self) -> &[u8] {
        match self.stretches.first() {
            Some((0, end)) => self.data.get(..*end).unwrap_or_default(),
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_in_any_order_make_the_whole() {
        let whole: Vec<u8> = (0..100).collect();
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]] {
            let mut a = Assembler::default();
            for n in order {
                assert_ne!(a.prefix(), whole);
                let piece = &whole[n * 25..((n + 1) * 25 + 5).min(100)];
                assert!(a.add((n * 25) as u64, piece).is_ok());
            }
            assert_eq!(a.prefix(), whole);
            assert_eq!(a.stretches, [(0, 100)]);
        }
        assert!(Assembler::default().add(65_530, &[0; 10]).is_err());
        assert!(Assembler::default().add(u64::MAX, &[0]).is_err());
    }
}
