//! Arguments and results of versions 2 (RFC 1094) and 3 (RFC 1813). None: malformed.

use super::message::{Arguments, Piece, Results};
use super::xdr::Reader;

/// Bytes of a file handle (RFC 1094: always 32; RFC 1813: up to 64).
const HANDLE_V2_BYTES: usize = 32;
const HANDLE_MAX_BYTES: usize = 128;
/// Bytes of a name: paths are no names, and no server takes longer ones.
const NAME_MAX_BYTES: usize = 1024;
/// Bytes of fattr (RFC 1094, 2.3.5) and where the size stands in it, and of fattr3 (RFC 1813, 2.6).
const ATTRIBUTES_V2_BYTES: usize = 68;
const ATTRIBUTES_V2_SIZE_AT: usize = 20;
const ATTRIBUTES_BYTES: usize = 84;
/// Entries of one directory listing that are remembered.
const ENTRIES_MAX: usize = 1024;
const FILE_SYNC: u32 = 2;

/// Procedures by what they are, whatever their number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    None,
    Handle,
    HandleName,
    Read,
    Write,
    Rename,
    Link,
    Commit,
}

fn shape(version: u32, procedure: u32) -> Shape {
    match (version, procedure) {
        (2, 4 | 9 | 10 | 13 | 14 | 15) | (3, 3 | 8..=13) => Shape::HandleName,
        (2, 1 | 2 | 5 | 16 | 17) | (3, 1 | 2 | 4 | 5 | 16..=20) => Shape::Handle,
        (_, 6) => Shape::Read,
        (2, 8) | (3, 7) => Shape::Write,
        (2, 11) | (3, 14) => Shape::Rename,
        (2, 12) | (3, 15) => Shape::Link,
        (3, 21) => Shape::Commit,
        _ => Shape::None,
    }
}

fn handle<'a>(version: u32, reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    match version {
        2 => reader.take(HANDLE_V2_BYTES),
        _ => reader.short(HANDLE_MAX_BYTES),
    }
}

pub fn arguments<'a>(version: u32, procedure: u32, reader: &mut Reader<'a>) -> Option<Arguments<'a>> {
    let mut args = Arguments { procedure, ..Arguments::default() };
    let shape = shape(version, procedure);
    if shape == Shape::None {
        return Some(args);
    }
    args.handle = handle(version, reader)?;
    match shape {
        Shape::HandleName => args.name = reader.short(NAME_MAX_BYTES)?,
        Shape::Rename => {
            args.name = reader.short(NAME_MAX_BYTES)?;
            handle(version, reader)?;
            args.to = Some(reader.short(NAME_MAX_BYTES)?);
        }
        Shape::Link => {
            handle(version, reader)?;
            args.name = reader.short(NAME_MAX_BYTES)?;
        }
        Shape::Read => {
            args.reads = true;
            args.offset = if version == 2 { u64::from(reader.u32()?) } else { reader.u64()? };
            args.count = reader.u32()?;
        }
        Shape::Write => {
            if version == 2 {
                reader.u32()?;
                args.offset = u64::from(reader.u32()?);
                reader.u32()?;
            } else {
                args.offset = reader.u64()?;
                args.count = reader.u32()?;
                args.ends_file = reader.u32()? == FILE_SYNC;
            }
            args.write = Some(piece(reader)?);
        }
        Shape::Commit => args.ends_file = true,
        Shape::Handle | Shape::None => {}
    }
    Some(args)
}

fn piece<'a>(reader: &mut Reader<'a>) -> Option<Piece<'a>> {
    let opaque = reader.opaque_part()?;
    Some(Piece { data: opaque.data, missing: opaque.missing })
}

/// `offset` is where the call asked to read.
pub fn results<'a>(
    version: u32,
    procedure: u32,
    offset: u64,
    reader: &mut Reader<'a>,
) -> Option<Results<'a>> {
    let mut results = Results::default();
    if procedure == 0 {
        return Some(results);
    }
    results.status = reader.u32()?;
    if results.status != 0 {
        return Some(results);
    }
    match (version, procedure) {
        (2, 4 | 9 | 14) => results.handle = Some(handle(2, reader)?),
        (2, 6) => {
            let attributes = reader.take(ATTRIBUTES_V2_BYTES)?;
            let size = Reader::new(attributes.get(ATTRIBUTES_V2_SIZE_AT..)?).u32()?;
            let data = piece(reader)?;
            let end = offset.saturating_add(data.data.len() as u64).saturating_add(data.missing as u64);
            results.eof = end >= u64::from(size);
            results.read = Some(data);
        }
        (3, 3) => results.handle = Some(handle(3, reader)?),
        (3, 8..=11) if reader.bool()? => results.handle = Some(handle(3, reader)?),
        (3, 6) => {
            attributes(reader)?;
            reader.u32()?;
            results.eof = reader.bool()?;
            results.read = Some(piece(reader)?);
        }
        (3, 17) => {
            attributes(reader)?;
            reader.skip(8)?;
            // A listing cut short is still a listing.
            let _ = entries(reader, &mut results.entries);
        }
        _ => {}
    }
    Some(results)
}

fn attributes(reader: &mut Reader<'_>) -> Option<()> {
    if reader.bool()? {
        reader.skip(ATTRIBUTES_BYTES)?;
    }
    Some(())
}

/// READDIRPLUS (RFC 1813, 3.3.17).
fn entries<'a>(reader: &mut Reader<'a>, out: &mut Vec<(&'a [u8], &'a [u8])>) -> Option<()> {
    while reader.bool()? && out.len() < ENTRIES_MAX {
        reader.u64()?;
        let name = reader.short(NAME_MAX_BYTES)?;
        reader.u64()?;
        attributes(reader)?;
        if reader.bool()? {
            out.push((name, reader.short(HANDLE_MAX_BYTES)?));
        }
    }
    Some(())
}
