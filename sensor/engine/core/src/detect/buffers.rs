//! The table of app-layer sticky buffers: one number per name, whatever protocols provide it.

use crate::app::{Buffer, ProtocolId, PROTOCOLS};
use std::sync::LazyLock;

/// One sticky buffer name and where each protocol keeps it.
pub struct BufferEntry {
    pub name: &'static str,
    /// (protocol, index in `Protocol::buffers`).
    pub providers: Vec<(ProtocolId, usize)>,
}

impl BufferEntry {
    /// The protocol's own description of this buffer and its local index.
    pub fn of(&self, protocol: ProtocolId) -> Option<(&'static Buffer, usize)> {
        let (_, local) = self.providers.iter().find(|(p, _)| *p == protocol)?;
        protocol.get().buffers.get(*local).map(|b| (b, *local))
    }
}

static TABLE: LazyLock<Vec<BufferEntry>> = LazyLock::new(|| {
    let mut table: Vec<BufferEntry> = Vec::new();
    for (id, protocol) in PROTOCOLS.iter().enumerate() {
        let Ok(id) = u8::try_from(id) else { break };
        for (local, buffer) in protocol.buffers.iter().enumerate() {
            match table.iter_mut().find(|e| e.name == buffer.name) {
                Some(entry) => entry.providers.push((ProtocolId(id), local)),
                None => {
                    table.push(BufferEntry { name: buffer.name, providers: vec![(ProtocolId(id), local)] })
                }
            }
        }
    }
    table
});

/// All buffers; the number of a buffer is its index here.
pub fn all() -> &'static [BufferEntry] {
    &TABLE
}

/// By name or alias (sticky form).
pub fn find(name: &str) -> Option<u16> {
    position(|b| b.name == name || b.aliases.contains(&name))
}

/// By legacy content modifier, e.g. `http_uri`.
pub fn find_modifier(name: &str) -> Option<u16> {
    position(|b| b.modifier == Some(name))
}

/// Whether some protocol has several instances of the buffer per transaction.
pub fn is_multi(number: u16) -> bool {
    TABLE.get(usize::from(number)).is_some_and(|entry| {
        entry.providers.iter().any(|(p, local)| p.get().buffers.get(*local).is_some_and(|b| b.multi))
    })
}

fn position(wanted: impl Fn(&Buffer) -> bool) -> Option<u16> {
    TABLE
        .iter()
        .position(|e| e.providers.iter().any(|(p, local)| p.get().buffers.get(*local).is_some_and(&wanted)))
        .and_then(|at| u16::try_from(at).ok())
}
