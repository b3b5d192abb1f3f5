//! The form of an entry: sections behind each other, then a table of them. It must not know what is in the sections.
//!
//! An entry begins with 64 bytes: a mark of 16, where the table begins and how long it is (64 bits each, little-endian), and
//! the table's digest. A row of the table has 80 bytes: the section's name, where it begins, how long it is, its digest.
//! See docs/spec/cache.md.

use super::digest;
use crate::detect::databases::Digest;
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;

const MARK: &[u8; 16] = b"haidang rules 1\n";
const HEAD_BYTES: usize = 64;
const ROW_BYTES: usize = 80;

/// The name of a section: letters behind which there are zeros, or the digest of what is in it.
pub type Name = Digest;

/// The name that is spelled so; at most 32 letters of it count.
pub fn name(text: &str) -> Name {
    let mut name = [0; 32];
    for (byte, letter) in name.iter_mut().zip(text.bytes()) {
        *byte = letter;
    }
    name
}

/// Writes an entry. What is written is an entry only after `finish`.
pub struct Writer<W: Write + Seek> {
    out: W,
    at: u64,
    table: Vec<u8>,
}

impl<W: Write + Seek> Writer<W> {
    pub fn new(mut out: W) -> io::Result<Self> {
        out.write_all(&[0; HEAD_BYTES])?;
        Ok(Writer { out, at: HEAD_BYTES as u64, table: Vec::new() })
    }

    pub fn section(&mut self, name: Name, bytes: &[u8]) -> io::Result<()> {
        self.section_of(name, std::iter::once(bytes))
    }

    /// A section that comes in parts.
    pub fn section_of<'b>(&mut self, name: Name, parts: impl Iterator<Item = &'b [u8]>) -> io::Result<()> {
        let mut digest = digest::Gatherer::default();
        let mut length = 0u64;
        for part in parts {
            self.out.write_all(part)?;
            digest.add(part);
            length = length.saturating_add(part.len() as u64);
        }
        self.table.extend_from_slice(&name);
        self.table.extend_from_slice(&self.at.to_le_bytes());
        self.table.extend_from_slice(&length.to_le_bytes());
        self.table.extend_from_slice(&digest.finish());
        self.at = self.at.saturating_add(length);
        Ok(())
    }

    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&self.table)?;
        self.out.seek(SeekFrom::Start(0))?;
        self.out.write_all(MARK)?;
        self.out.write_all(&self.at.to_le_bytes())?;
        self.out.write_all(&(self.table.len() as u64).to_le_bytes())?;
        self.out.write_all(&digest::of(&self.table))?;
        Ok(self.out)
    }
}

/// A section as the table has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    pub name: Name,
    pub range: Range<usize>,
    digest: Digest,
}

impl Section {
    /// Its bytes, if they are those that were written.
    pub fn checked<'e>(&self, entry: &'e [u8]) -> Option<&'e [u8]> {
        let bytes = entry.get(self.range.clone())?;
        (digest::of(bytes) == self.digest).then_some(bytes)
    }
}

/// The table of an entry. None: it is no entry, of another version, or damaged. Every range lies within the entry.
pub fn table(entry: &[u8]) -> Option<Vec<Section>> {
    let (mark, rest) = entry.split_at_checked(MARK.len())?;
    let (at, length) = (number(rest, 0)?, number(rest, 8)?);
    // The table is the end of the entry.
    if at < HEAD_BYTES || at.checked_add(length)? != entry.len() {
        return None;
    }
    let table = entry.get(at..)?;
    let wanted = entry.get(HEAD_BYTES.checked_sub(size_of::<Digest>())?..HEAD_BYTES)?;
    if mark != MARK || length % ROW_BYTES != 0 || digest::of(table) != wanted {
        return None;
    }
    table.chunks_exact(ROW_BYTES).map(|row| section(row, entry.len())).collect()
}

fn section(row: &[u8], entry_bytes: usize) -> Option<Section> {
    let (start, length) = (number(row, 32)?, number(row, 40)?);
    let range = start..start.checked_add(length)?;
    let name = row.get(..32)?.try_into().ok()?;
    let digest = row.get(48..)?.try_into().ok()?;
    (range.end <= entry_bytes).then_some(Section { name, range, digest })
}

/// Whether all of these sections are as they were written; checked on several threads.
pub fn are_whole(sections: &[&Section], entry: &[u8]) -> bool {
    let parts: Option<Vec<&[u8]>> = sections.iter().map(|section| entry.get(section.range.clone())).collect();
    parts.is_some_and(|parts| {
        digest::all(&parts).iter().zip(sections).all(|(digest, section)| *digest == section.digest)
    })
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(8)?)?;
    usize::try_from(u64::from_le_bytes(bytes.try_into().ok()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    fn write(sections: &[(Name, Vec<u8>)]) -> Vec<u8> {
        let mut writer = Writer::new(Cursor::new(Vec::new())).unwrap();
        for (name, bytes) in sections {
            writer.section(*name, bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn read(entry: &[u8]) -> Option<Vec<(Name, Vec<u8>)>> {
        table(entry)?.iter().map(|s| Some((s.name, s.checked(entry)?.to_vec()))).collect()
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out_and_no_changed_byte_passes(
            sections in proptest::collection::vec((any::<[u8; 32]>(), any::<Vec<u8>>()), 0..5),
            at: proptest::sample::Index,
            flip in 1u8..,
            cut: proptest::sample::Index,
        ) {
            let entry = write(&sections);
            prop_assert_eq!(read(&entry), Some(sections));
            let table = table(&entry).unwrap();
            prop_assert!(are_whole(&table.iter().collect::<Vec<_>>(), &entry));
            let mut changed = entry.clone();
            changed[at.index(entry.len())] ^= flip;
            prop_assert_eq!(read(&changed), None);
            prop_assert_eq!(read(&entry[..cut.index(entry.len())]), None);
        }

        #[test]
        fn any_bytes_are_read_or_not(bytes: Vec<u8>, rows in proptest::collection::vec(any::<[u64; 10]>(), 0..4)) {
            let _ = read(&bytes);
            // With a good digest, as whoever writes the file can make one.
            let table: Vec<u8> = rows.iter().flatten().flat_map(|n| (n % 300).to_le_bytes()).collect();
            let mut entry = MARK.to_vec();
            entry.extend_from_slice(&64u64.to_le_bytes());
            entry.extend_from_slice(&(table.len() as u64).to_le_bytes());
            entry.extend_from_slice(&digest::of(&table));
            entry.extend_from_slice(&table);
            let sections = super::table(&entry).into_iter().flatten();
            prop_assert!(sections.into_iter().all(|s| s.range.end <= entry.len()));
        }
    }

    #[test]
    fn unfinished_is_no_entry() {
        let mut writer = Writer::new(Cursor::new(Vec::new())).unwrap();
        writer.section(name("x"), b"y").unwrap();
        assert!(table(writer.out.get_ref()).is_none());
    }
}
