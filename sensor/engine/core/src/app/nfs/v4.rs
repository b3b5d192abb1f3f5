//! Compounds of version 4.0 (RFC 7530) and the operations of 4.1 (RFC 8881) that stand before others. A compound is read as
//! far as its operations are known here; what was read stands.

use super::message::{Arguments, Piece, Results};
use super::xdr::Reader;

const HANDLE_MAX_BYTES: usize = 128;
const NAME_MAX_BYTES: usize = 1024;
const TAG_MAX_BYTES: usize = 1024;
/// Operations read of one compound: real clients send fewer than twenty.
const OPERATIONS_MAX: u32 = 64;
const STATE_ID_BYTES: usize = 16;
const SESSION_ID_BYTES: usize = 16;
const VERIFIER_BYTES: usize = 8;
const CHANGE_INFO_BYTES: usize = 20;
const FILE_SYNC: u32 = 2;

mod op {
    pub const ACCESS: u32 = 3;
    pub const CLOSE: u32 = 4;
    pub const COMMIT: u32 = 5;
    pub const CREATE: u32 = 6;
    pub const DELEGRETURN: u32 = 8;
    pub const GETATTR: u32 = 9;
    pub const GETFH: u32 = 10;
    pub const LINK: u32 = 11;
    pub const LOOKUP: u32 = 15;
    pub const LOOKUPP: u32 = 16;
    pub const OPEN: u32 = 18;
    pub const OPEN_CONFIRM: u32 = 20;
    pub const PUTFH: u32 = 22;
    pub const PUTPUBFH: u32 = 23;
    pub const PUTROOTFH: u32 = 24;
    pub const READ: u32 = 25;
    pub const READLINK: u32 = 27;
    pub const REMOVE: u32 = 28;
    pub const RENAME: u32 = 29;
    pub const RENEW: u32 = 30;
    pub const RESTOREFH: u32 = 31;
    pub const SAVEFH: u32 = 32;
    pub const SETATTR: u32 = 34;
    pub const WRITE: u32 = 38;
    pub const SEQUENCE: u32 = 53;
    pub const RECLAIM_COMPLETE: u32 = 58;
}

/// How much an operation says of what a compound is for; the first of the highest rank names it.
fn rank(operation: u32) -> u8 {
    match operation {
        op::SEQUENCE | op::PUTFH | op::PUTROOTFH | op::PUTPUBFH | op::SAVEFH | op::RESTOREFH => 1,
        op::GETFH | op::GETATTR | op::ACCESS => 2,
        op::LOOKUP | op::LOOKUPP => 3,
        _ => 4,
    }
}

/// Arguments of COMPOUND (RFC 7530, 16.2). None: malformed.
pub fn arguments<'a>(reader: &mut Reader<'a>) -> Option<Arguments<'a>> {
    let mut args = Arguments::default();
    reader.short(TAG_MAX_BYTES)?;
    args.minor = reader.u32()?;
    let count = reader.u32()?.min(OPERATIONS_MAX);
    for _ in 0..count {
        let Some(operation) = reader.u32() else { break };
        if rank(operation) > rank(args.procedure) || args.procedure == 0 {
            args.procedure = operation;
        }
        if argument(operation, reader, &mut args).is_none() {
            break;
        }
    }
    Some(args)
}

/// Reads one operation; None: it is not known, cut or malformed, and what follows cannot be read.
fn argument<'a>(operation: u32, reader: &mut Reader<'a>, args: &mut Arguments<'a>) -> Option<()> {
    match operation {
        op::ACCESS => reader.skip(4),
        op::CLOSE => {
            args.ends_file = true;
            reader.skip(4 + STATE_ID_BYTES)
        }
        op::COMMIT => {
            args.ends_file = true;
            reader.skip(12)
        }
        op::CREATE => {
            match reader.u32()? {
                5 => reader.opaque().map(|_| ())?,
                3 | 4 => reader.skip(8)?,
                _ => {}
            }
            args.name = reader.short(NAME_MAX_BYTES)?;
            attributes(reader)
        }
        op::DELEGRETURN => reader.skip(STATE_ID_BYTES),
        op::GETATTR => reader.words(),
        op::LINK | op::LOOKUP | op::REMOVE => {
            args.name = reader.short(NAME_MAX_BYTES)?;
            Some(())
        }
        op::OPEN => open(reader, args),
        op::OPEN_CONFIRM => reader.skip(STATE_ID_BYTES + 4),
        op::PUTFH => {
            args.handle = reader.short(HANDLE_MAX_BYTES)?;
            Some(())
        }
        op::READ => {
            reader.skip(STATE_ID_BYTES)?;
            (args.offset, args.count, args.reads) = (reader.u64()?, reader.u32()?, true);
            Some(())
        }
        op::RENAME => {
            args.name = reader.short(NAME_MAX_BYTES)?;
            args.to = Some(reader.short(NAME_MAX_BYTES)?);
            Some(())
        }
        op::RENEW => reader.skip(8),
        op::SETATTR => {
            reader.skip(STATE_ID_BYTES)?;
            attributes(reader)
        }
        op::WRITE => {
            reader.skip(STATE_ID_BYTES)?;
            args.offset = reader.u64()?;
            args.ends_file |= reader.u32()? == FILE_SYNC;
            let opaque = reader.opaque_part()?;
            args.write = Some(Piece { data: opaque.data, missing: opaque.missing });
            Some(())
        }
        op::SEQUENCE => reader.skip(SESSION_ID_BYTES + 16),
        op::RECLAIM_COMPLETE => reader.skip(4),
        op::GETFH
        | op::LOOKUPP
        | op::PUTPUBFH
        | op::PUTROOTFH
        | op::READLINK
        | op::RESTOREFH
        | op::SAVEFH => Some(()),
        _ => None,
    }
}

fn attributes(reader: &mut Reader<'_>) -> Option<()> {
    reader.words()?;
    reader.opaque().map(|_| ())
}

/// OPEN (RFC 7530, 16.16; the later ways of RFC 8881, 18.16).
fn open<'a>(reader: &mut Reader<'a>, args: &mut Arguments<'a>) -> Option<()> {
    reader.skip(12 + 8)?; // seqid, share access and deny, the owner's client
    reader.opaque()?;
    if reader.u32()? == 1 {
        match reader.u32()? {
            0 | 1 => attributes(reader)?,
            2 => reader.skip(VERIFIER_BYTES)?,
            _ => {
                reader.skip(VERIFIER_BYTES)?;
                attributes(reader)?;
            }
        }
    }
    match reader.u32()? {
        0 | 3 => args.name = reader.short(NAME_MAX_BYTES)?,
        1 => reader.skip(4)?,
        2 => {
            reader.skip(STATE_ID_BYTES)?;
            args.name = reader.short(NAME_MAX_BYTES)?;
        }
        5 => reader.skip(STATE_ID_BYTES)?,
        _ => {}
    }
    Some(())
}

/// Results of COMPOUND. None: malformed.
pub fn results<'a>(reader: &mut Reader<'a>) -> Option<Results<'a>> {
    let mut results = Results { status: reader.u32()?, ..Results::default() };
    reader.short(TAG_MAX_BYTES)?;
    let count = reader.u32()?.min(OPERATIONS_MAX);
    for _ in 0..count {
        let (Some(operation), Some(status)) = (reader.u32(), reader.u32()) else { break };
        if status != 0 || result(operation, reader, &mut results).is_none() {
            break;
        }
    }
    Some(results)
}

fn result<'a>(operation: u32, reader: &mut Reader<'a>, results: &mut Results<'a>) -> Option<()> {
    match operation {
        op::ACCESS => reader.skip(8),
        op::CLOSE | op::OPEN_CONFIRM => reader.skip(STATE_ID_BYTES),
        op::COMMIT => reader.skip(VERIFIER_BYTES),
        op::CREATE => {
            reader.skip(CHANGE_INFO_BYTES)?;
            reader.words()
        }
        op::GETATTR => attributes(reader),
        op::GETFH => {
            results.handle = Some(reader.short(HANDLE_MAX_BYTES)?);
            Some(())
        }
        op::LINK | op::REMOVE => reader.skip(CHANGE_INFO_BYTES),
        op::OPEN => {
            reader.skip(STATE_ID_BYTES + CHANGE_INFO_BYTES + 4)?;
            reader.words()?;
            delegation(reader)
        }
        op::READ => {
            results.eof = reader.bool()?;
            let opaque = reader.opaque_part()?;
            results.read = Some(Piece { data: opaque.data, missing: opaque.missing });
            Some(())
        }
        op::READLINK => reader.opaque().map(|_| ()),
        op::RENAME => reader.skip(CHANGE_INFO_BYTES * 2),
        op::SETATTR => reader.words(),
        op::WRITE => reader.skip(8 + VERIFIER_BYTES),
        op::SEQUENCE => reader.skip(SESSION_ID_BYTES + 20),
        op::DELEGRETURN
        | op::LOOKUP
        | op::LOOKUPP
        | op::PUTFH
        | op::PUTPUBFH
        | op::PUTROOTFH
        | op::RENEW
        | op::RESTOREFH
        | op::SAVEFH
        | op::RECLAIM_COMPLETE => Some(()),
        _ => None,
    }
}

/// open_delegation4 (RFC 7530, 16.16.2; RFC 8881, 18.16.2 adds why there is none).
fn delegation(reader: &mut Reader<'_>) -> Option<()> {
    match reader.u32()? {
        0 => return Some(()),
        1 => reader.skip(STATE_ID_BYTES + 4)?,
        2 => reader.skip(STATE_ID_BYTES + 4 + 12)?,
        3 => {
            return match reader.u32()? {
                1 | 2 => reader.skip(4),
                _ => Some(()),
            }
        }
        _ => return None,
    }
    reader.skip(12)?; // type, flags and mask of the access entry
    reader.opaque().map(|_| ())
}
