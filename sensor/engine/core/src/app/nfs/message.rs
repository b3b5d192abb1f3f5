//! What the arguments and results of a procedure say, in one form for all versions. A message may be cut; what was read
//! before the cut stands.

/// Data of a file inside a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Piece<'a> {
    pub data: &'a [u8],
    /// Bytes of it that are still to come.
    pub missing: usize,
}

/// A call's arguments.
#[derive(Debug, Default)]
pub struct Arguments<'a> {
    /// The procedure, or in version 4 the operation that says most of the compound.
    pub procedure: u32,
    /// Version 4: the minor version.
    pub minor: u32,
    pub handle: &'a [u8],
    pub name: &'a [u8],
    /// RENAME's second name.
    pub to: Option<&'a [u8]>,
    /// READ and WRITE: where in the file.
    pub offset: u64,
    pub count: u32,
    pub write: Option<Piece<'a>>,
    /// READ: the results bring data of the file.
    pub reads: bool,
    /// COMMIT, CLOSE, or a WRITE that must be on disk before it is answered: the file in hand is whole.
    pub ends_file: bool,
}

/// A reply's results.
#[derive(Debug, Default)]
pub struct Results<'a> {
    pub status: u32,
    /// The object a LOOKUP, CREATE or OPEN found.
    pub handle: Option<&'a [u8]>,
    /// Names and handles of a directory listing.
    pub entries: Vec<(&'a [u8], &'a [u8])>,
    pub read: Option<Piece<'a>>,
    pub eof: bool,
}
