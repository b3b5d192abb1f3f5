//! Digests of large bytes, on several threads: SHA-256 over the SHA-256 of each piece.

use crate::detect::databases::Digest;
use crate::detect::parallel;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::os::unix::fs::FileExt;

/// Large enough that pieces cost nothing, small enough that two threads end together on 20 MB of rules.
pub const PIECE_BYTES: usize = 256 << 10;

fn sha256(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

/// The digest of each of `parts`.
pub fn all(parts: &[&[u8]]) -> Vec<Digest> {
    let pieces: Vec<&[u8]> = parts.iter().flat_map(|part| part.chunks(PIECE_BYTES)).collect();
    let mut digests = parallel::map(&pieces, |piece| sha256(piece)).into_iter();
    parts.iter().map(|part| join(digests.by_ref().take(part.len().div_ceil(PIECE_BYTES)))).collect()
}

/// The digest of some bytes.
pub fn of(bytes: &[u8]) -> Digest {
    let mut gatherer = Gatherer::default();
    gatherer.add(bytes);
    gatherer.finish()
}

/// The digest of bytes that come in parts.
#[derive(Default)]
pub struct Gatherer {
    whole: Sha256,
    piece: Sha256,
    piece_bytes: usize,
}

impl Gatherer {
    pub fn add(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = PIECE_BYTES.saturating_sub(self.piece_bytes);
            let (now, later) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
            self.piece.update(now);
            self.piece_bytes = self.piece_bytes.saturating_add(now.len());
            if self.piece_bytes == PIECE_BYTES {
                self.end_piece();
            }
            bytes = later;
        }
    }

    fn end_piece(&mut self) {
        self.whole.update(self.piece.finalize_reset());
        self.piece_bytes = 0;
    }

    pub fn finish(mut self) -> Digest {
        if self.piece_bytes > 0 {
            self.end_piece();
        }
        self.whole.finalize().into()
    }
}

fn join(pieces: impl Iterator<Item = Digest>) -> Digest {
    let mut whole = Sha256::new();
    pieces.for_each(|piece| whole.update(piece));
    whole.finalize().into()
}

/// The digest of each file, as `of` gives it for what is in it; None when one cannot be read, is larger than `max_bytes`, or
/// changes under the reader's hands.
pub fn files(files: &[File], max_bytes: u64) -> Option<Vec<Digest>> {
    let mut jobs: Vec<(&File, u64)> = Vec::new();
    let mut counts = Vec::new();
    for file in files {
        let length = file.metadata().ok().filter(|facts| facts.is_file() && facts.len() <= max_bytes)?.len();
        let starts = (0..length).step_by(PIECE_BYTES);
        counts.push((starts.clone().count(), length));
        jobs.extend(starts.map(|start| (file, start)));
    }
    let read = parallel::map(&jobs, |(file, start)| {
        let mut piece = vec![0; PIECE_BYTES];
        let length = fill(file, *start, &mut piece)?;
        Some((sha256(piece.get(..length)?), length as u64))
    });
    let mut read = read.into_iter();
    let mut digests = Vec::with_capacity(files.len());
    for (count, length) in counts {
        let pieces: Vec<(Digest, u64)> = read.by_ref().take(count).collect::<Option<_>>()?;
        if pieces.iter().fold(0, |sum: u64, (_, length)| sum.saturating_add(*length)) != length {
            return None;
        }
        digests.push(join(pieces.into_iter().map(|(digest, _)| digest)));
    }
    Some(digests)
}

/// Reads up to the end of the piece or of the file.
fn fill(file: &File, start: u64, piece: &mut [u8]) -> Option<usize> {
    let mut length = 0usize;
    while let Some(space) = piece.get_mut(length..).filter(|space| !space.is_empty()) {
        match file.read_at(space, start.checked_add(length as u64)?) {
            Ok(0) => break,
            Ok(count) => length = length.checked_add(count)?,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    Some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ways_agree() {
        let parts: Vec<Vec<u8>> = [0, 1, PIECE_BYTES - 1, PIECE_BYTES, 3 * PIECE_BYTES + 5]
            .iter()
            .map(|length| (0..*length).map(|at| (at % 251) as u8).collect())
            .collect();
        let digests: Vec<Digest> = parts.iter().map(|part| of(part)).collect();
        for (part, digest) in parts.iter().zip(&digests) {
            let mut gatherer = Gatherer::default();
            part.chunks(PIECE_BYTES / 3 + 1).for_each(|some| gatherer.add(some));
            assert_eq!(gatherer.finish(), *digest);
        }
        assert_eq!(all(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>()), digests);
        let path = std::env::temp_dir().join(format!("haidang-digest-{}", std::process::id()));
        for (part, digest) in parts.iter().zip(&digests) {
            std::fs::write(&path, part).unwrap();
            let file = || vec![File::open(&path).unwrap()];
            assert_eq!(files(&file(), u64::MAX), Some(vec![*digest]));
            assert_eq!(files(&file(), 0), part.is_empty().then(|| vec![*digest]));
        }
        std::fs::remove_file(&path).unwrap();
    }
}
