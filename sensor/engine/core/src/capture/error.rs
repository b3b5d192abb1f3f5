//! What can go wrong with a capture, said to the person who has to fix it: what, where, how to fix it.

use std::fmt;
use std::path::{Path, PathBuf};

/// A capture that cannot be read (any further).
#[derive(Debug)]
pub struct CaptureError {
    pub path: PathBuf,
    /// Byte offset in the file, when the trouble has a place.
    pub offset: Option<u64>,
    pub what: String,
    pub fix: String,
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path.display())?;
        if let Some(offset) = self.offset {
            write!(f, "at byte {offset}: ")?;
        }
        write!(f, "{}; {}", self.what, self.fix)
    }
}

impl std::error::Error for CaptureError {}

impl CaptureError {
    pub(super) fn new(path: &Path, offset: Option<u64>, what: &str, fix: &str) -> Self {
        CaptureError { path: path.to_path_buf(), offset, what: what.to_string(), fix: fix.to_string() }
    }

    pub(super) fn io(path: &Path, offset: Option<u64>, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        match error.kind() {
            ErrorKind::NotFound => Self::new(path, offset, "no such file", "check the path"),
            ErrorKind::PermissionDenied => Self::new(
                path,
                offset,
                "permission denied",
                "run as a user who may read it, or change its mode",
            ),
            ErrorKind::IsADirectory => directory(path),
            _ => Self::new(
                path,
                offset,
                &format!("cannot be read ({error})"),
                "check the disk or the mount it is on",
            ),
        }
    }
}

pub(super) fn directory(path: &Path) -> CaptureError {
    CaptureError::new(path, None, "is a directory, not a capture file", "name the files in it")
}

/// First bytes of things people mistake for captures: (magic, what it is, what to do).
const MISTAKEN: &[(&[u8], &str, &str)] = &[
    (b"\x1f\x8b", "a gzip-compressed file", "gunzip it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd-compressed file", "decompress it first (zstd -d)"),
    (b"\xfd7zXZ", "an xz-compressed file", "decompress it first (xz -d)"),
    (b"BZh", "a bzip2-compressed file", "decompress it first (bunzip2)"),
    (b"\x04\x22\x4d\x18", "an lz4-compressed file", "decompress it first (lz4 -d)"),
    (b"PK\x03\x04", "a zip archive", "unzip it first"),
    (b"snoop\0\0\0", "a Solaris snoop capture", "convert it: editcap -F pcapng IN OUT"),
    (b"GMBU", "a Microsoft Network Monitor capture", "convert it: editcap -F pcapng IN OUT"),
    (b"RTSS", "a Microsoft Network Monitor capture", "convert it: editcap -F pcapng IN OUT"),
    (b"\x54\x52\x53\x4e\x49\x46\x46", "a Sniffer capture", "convert it: editcap -F pcapng IN OUT"),
];

pub(super) fn not_a_capture(path: &Path, start: &[u8], total: u64) -> CaptureError {
    if start.is_empty() {
        return CaptureError::new(
            path,
            Some(0),
            "is empty (0 bytes)",
            "the capture wrote nothing; check the tool or the disk that made it",
        );
    }
    if let Some((_, what, fix)) = MISTAKEN.iter().find(|(magic, ..)| start.starts_with(magic)) {
        return CaptureError::new(path, Some(0), &format!("is {what}"), fix);
    }
    let shown: Vec<String> = start.iter().take(4).map(|b| format!("{b:02x}")).collect();
    let size = if total > 0 { format!(", {total} bytes") } else { String::new() };
    CaptureError::new(
        path,
        Some(0),
        &format!("is not a pcap or pcapng capture (it begins {}{size})", shown.join(" ")),
        "give a capture file as written by tcpdump, dumpcap or Wireshark",
    )
}
