//! Packets on which a stage failed, kept as a capture so that the fault can be found.

use crate::worker::Quarantined;
use serde_json::Value;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Where they go: `quarantine.pcap` in the log directory; None when the configuration names none.
pub fn path(document: &Value) -> Option<PathBuf> {
    document["default-log-dir"].as_str().map(|dir| Path::new(dir).join("quarantine.pcap"))
}

/// Keeps the packets, if there are any and a place for them; what is to be told of it.
pub fn keep(path: &Option<PathBuf>, packets: &[Quarantined]) -> Option<String> {
    let path = path.as_ref().filter(|_| !packets.is_empty())?;
    let (count, path_shown) = (packets.len(), path.display());
    Some(match write(path, packets) {
        Ok(()) => format!("{count} packets made a stage fail; they are in {path_shown}: please report them"),
        Err(error) => format!("{path_shown}: cannot write quarantined packets: {error}"),
    })
}

/// Writes a nanosecond pcap with the link type of the first packet; packets of other link types are left out.
fn write(path: &Path, packets: &[Quarantined]) -> io::Result<()> {
    let Some(first) = packets.first() else { return Ok(()) };
    let mut out = io::BufWriter::new(std::fs::File::create(path)?);
    for word in [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 0x0004_0000, u32::from(first.link_type)] {
        out.write_all(&word.to_le_bytes())?;
    }
    for packet in packets.iter().filter(|p| p.link_type == first.link_type) {
        let nanos = packet.ts.0 % crate::time::Timestamp::NANOS_PER_SECOND;
        let len = u32::try_from(packet.data.len()).unwrap_or(u32::MAX);
        for word in [packet.ts.seconds() as u32, nanos as u32, len, packet.wire_len.max(len)] {
            out.write_all(&word.to_le_bytes())?;
        }
        out.write_all(&packet.data)?;
    }
    out.flush()
}
