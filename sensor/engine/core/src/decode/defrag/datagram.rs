//! One datagram being put together: which fragment owns which bytes. Memory is of the order of what is owned, whatever the
//! offsets claim and however often a fragment comes again.

use super::policy::Policy;

/// Bytes [start, end) of the datagram's data, at `at` in the store.
#[derive(Clone, Copy)]
struct Piece {
    start: u32,
    end: u32,
    at: u32,
    /// The whole fragment it is from, as it came.
    origin: (u32, u32),
}

impl Piece {
    /// The part of it in [start, end).
    fn part(self, start: u32, end: u32) -> Piece {
        Piece { start, end, at: self.at.saturating_add(start.saturating_sub(self.start)), ..self }
    }
}

#[derive(Default)]
pub(super) struct Datagram {
    /// Disjoint, in order.
    pieces: Vec<Piece>,
    store: Vec<u8>,
    /// Bytes the pieces cover.
    covered: u32,
    /// Length of the data, once the last fragment is known.
    total: Option<u32>,
    /// Headers of the fragment with offset 0, up to the data (IPv4) or the fragment header (IPv6).
    pub header: Vec<u8>,
    /// IPv6: where in `header` the number of the fragment header stands, and the number that takes its place.
    pub next_header: (u16, u8),
}

impl Datagram {
    /// Bytes it holds on to.
    pub fn memory(&self) -> usize {
        self.store
            .capacity()
            .saturating_add(self.header.capacity())
            .saturating_add(self.pieces.capacity().saturating_mul(size_of::<Piece>()))
    }

    /// Fragments of which something is kept; one that others were put into the middle of counts once for each part.
    pub fn fragments(&self) -> usize {
        self.pieces.len()
    }

    pub fn is_complete(&self) -> bool {
        self.total == Some(self.covered) && !self.header.is_empty()
    }

    /// Length of the data.
    pub fn len(&self) -> usize {
        self.covered as usize
    }

    /// Puts a fragment in: `data` from `start`, `last` when no more follow. Answers whether it overlapped another.
    pub fn insert(&mut self, policy: Policy, start: u32, data: &[u8], last: bool) -> bool {
        let end = start.saturating_add(u32::try_from(data.len()).unwrap_or(u32::MAX));
        // An end before data already here is a lie: hosts drop it (RFC 815 leaves no hole there to fill).
        if last && self.total.is_none() && self.pieces.last().is_none_or(|piece| piece.end <= end) {
            self.total = Some(end);
        }
        let visible_end = self.total.map_or(end, |total| end.min(total));
        if visible_end <= start {
            return false;
        }
        let at = u32::try_from(self.store.len()).unwrap_or(u32::MAX);
        let new = Piece { start, end: visible_end, at, origin: (start, end) };
        // In order, which is nearly always.
        if self.pieces.last().is_none_or(|piece| piece.end <= start) {
            self.pieces.push(new);
            self.covered = self.covered.saturating_add(visible_end.saturating_sub(start));
            self.store.extend_from_slice(data);
            return false;
        }
        self.store.extend_from_slice(data);
        let overlapped = self.merge(policy, new);
        if self.store.len() / 2 > self.len() {
            self.compact();
        }
        overlapped
    }

    /// Lets go of the bytes that no fragment owns.
    fn compact(&mut self) {
        let mut owned = Vec::with_capacity(self.len());
        self.append_to(&mut owned);
        self.store = owned;
        let mut at = 0u32;
        for piece in &mut self.pieces {
            piece.at = at;
            at = at.saturating_add(piece.end.saturating_sub(piece.start));
        }
    }

    fn merge(&mut self, policy: Policy, new: Piece) -> bool {
        let from = self.pieces.partition_point(|piece| piece.end <= new.start);
        let to = self.pieces.partition_point(|piece| piece.start < new.end);
        let mut result: Vec<Piece> = Vec::with_capacity(to.saturating_sub(from).saturating_add(2));
        let mut added = 0u32;
        // Neighbouring parts of the new fragment become one again, so that pieces never outnumber fragments by much.
        let mut push = |piece: Piece| match result.last_mut() {
            Some(last)
                if last.origin == piece.origin
                    && last.end == piece.start
                    && last.part(last.end, last.end).at == piece.at =>
            {
                last.end = piece.end;
            }
            _ if piece.start < piece.end => result.push(piece),
            _ => {}
        };
        let mut cursor = new.start;
        let old = self.pieces.get(from..to).unwrap_or(&[]);
        for &piece in old {
            if cursor < piece.start {
                added = added.saturating_add(piece.start.saturating_sub(cursor));
                push(new.part(cursor, piece.start));
            }
            if policy.newer_wins(piece.origin, new.origin) {
                let (start, end) = (piece.start.max(new.start), piece.end.min(new.end));
                push(piece.part(piece.start, start));
                push(new.part(start, end));
                push(piece.part(end, piece.end));
            } else {
                push(piece);
            }
            cursor = cursor.max(piece.end);
        }
        if cursor < new.end {
            added = added.saturating_add(new.end.saturating_sub(cursor));
            push(new.part(cursor, new.end));
        }
        let overlapped = !old.is_empty();
        self.pieces.splice(from..to, result);
        self.covered = self.covered.saturating_add(added);
        overlapped
    }

    /// Appends the data to `out`.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        for piece in &self.pieces {
            let end = piece.part(piece.end, piece.end).at;
            out.extend_from_slice(self.store.get(piece.at as usize..end as usize).unwrap_or(&[]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Byte by byte: who owns each, by asking the policy about each pair.
    fn naive(policy: Policy, fragments: &[(u32, Vec<u8>)], total: u32) -> Option<Vec<u8>> {
        let mut owner: Vec<Option<usize>> = vec![None; total as usize];
        for (index, (start, data)) in fragments.iter().enumerate() {
            let range = (*start, start + data.len() as u32);
            for at in range.0..range.1.min(total) {
                let slot = &mut owner[at as usize];
                let wins = slot.is_none_or(|old| {
                    let (start, data) = &fragments[old];
                    policy.newer_wins((*start, start + data.len() as u32), range)
                });
                if wins {
                    *slot = Some(index);
                }
            }
        }
        owner
            .iter()
            .enumerate()
            .map(|(at, owner)| owner.map(|index| fragments[index].1[at - fragments[index].0 as usize]))
            .collect()
    }

    const POLICIES: [Policy; 7] = [
        Policy::Bsd,
        Policy::BsdRight,
        Policy::Linux,
        Policy::Windows,
        Policy::Solaris,
        Policy::First,
        Policy::Last,
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3_000))]
        #[test]
        fn reassembles_like_the_naive_one(
            parts in proptest::collection::vec((0u32..8, 1usize..6, any::<u8>()), 1..14),
            policy in prop::sample::select(POLICIES.to_vec()),
            last_at in 0usize..15,
        ) {
            let fragments: Vec<(u32, Vec<u8>)> =
                parts.iter().map(|&(start, len, fill)| (start * 8, vec![fill; len * 8])).collect();
            let mut datagram = Datagram { header: vec![0], ..Datagram::default() };
            let total = fragments.iter().map(|(start, data)| start + data.len() as u32).max().unwrap();
            // The empty last fragment may come at any time.
            for (index, (start, data)) in fragments.iter().enumerate() {
                if index == last_at {
                    datagram.insert(policy, total, &[], true);
                }
                datagram.insert(policy, *start, data, false);
                prop_assert!(datagram.store.len() <= 2 * datagram.len() + 1);
            }
            datagram.insert(policy, total, &[], true);
            let expected = naive(policy, &fragments, total);
            prop_assert_eq!(datagram.is_complete(), expected.is_some());
            if let Some(expected) = expected {
                let mut out = Vec::new();
                datagram.append_to(&mut out);
                prop_assert_eq!(out, expected);
            }
        }
    }
}
