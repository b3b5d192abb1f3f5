//! The table of app-layer sticky buffers: one number per name, whatever protocols provide it.

use crate::app::{Buffer, ProtocolId, Transaction, View, PROTOCOLS};
use crate::direction::Dir;
use std::sync::LazyLock;

/// The local index of `file.magic`: protocols that carry files have it beside their own buffers.
pub const MAGIC: usize = usize::MAX;
pub const MAGIC_NAME: &str = "file.magic";

/// `file.magic` by protocol: it exists where `file.data` does.
static MAGICS: LazyLock<Vec<Option<Buffer>>> = LazyLock::new(|| {
    let magic = |data: &Buffer| Buffer {
        name: MAGIC_NAME,
        aliases: &[],
        modifier: None,
        progress: data.progress,
        multi: true,
        streaming: true,
        doc: "What libmagic, as file(1), says of each file carried.",
    };
    PROTOCOLS.iter().map(|p| p.buffers.iter().find(|b| b.name == "file.data").map(magic)).collect()
});

/// A protocol's buffer by its local index.
pub fn buffer(protocol: ProtocolId, local: usize) -> Option<&'static Buffer> {
    match local {
        MAGIC => MAGICS.get(usize::from(protocol.0))?.as_ref(),
        _ => protocol.get().buffers.get(local),
    }
}

/// What a transaction has in a buffer; see `Transaction::buffer`.
#[inline]
pub fn read(tx: &dyn Transaction, local: usize, index: usize, dir: Dir) -> Option<View<'_>> {
    if local == MAGIC {
        return tx.files(dir).get(index)?.magic().map(|m| View::whole(m.as_bytes()));
    }
    tx.buffer(local, index, dir)
}

/// One sticky buffer name and where each protocol keeps it.
pub struct BufferEntry {
    pub name: &'static str,
    /// (protocol, index in `Protocol::buffers` or `MAGIC`).
    pub providers: Vec<(ProtocolId, usize)>,
}

impl BufferEntry {
    /// The protocol's own description of this buffer and its local index.
    pub fn of(&self, protocol: ProtocolId) -> Option<(&'static Buffer, usize)> {
        let (_, local) = self.providers.iter().find(|(p, _)| *p == protocol)?;
        buffer(protocol, *local).map(|b| (b, *local))
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
    let carriers = (0u8..).zip(MAGICS.iter()).filter(|(_, magic)| magic.is_some());
    let providers = carriers.map(|(id, _)| (ProtocolId(id), MAGIC)).collect();
    table.push(BufferEntry { name: MAGIC_NAME, providers });
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
        entry.providers.iter().any(|(p, local)| buffer(*p, *local).is_some_and(|b| b.multi))
    })
}

fn position(wanted: impl Fn(&Buffer) -> bool) -> Option<u16> {
    TABLE
        .iter()
        .position(|e| e.providers.iter().any(|(p, local)| buffer(*p, *local).is_some_and(&wanted)))
        .and_then(|at| u16::try_from(at).ok())
}
