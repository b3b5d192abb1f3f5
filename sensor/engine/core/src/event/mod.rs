//! Event: EVE-shaped NDJSON (Suricata 8 field names), written straight into the output buffer.
//!
//! `Events` owns the buffer; each kind of event has its file. Nothing here may block or look at rules' logic.

pub mod alert;
pub mod anomaly;
pub mod arp;
mod aside;
pub mod buffer;
pub mod community_id;
pub mod config;
mod ether;
pub mod flow;
pub mod frame;
pub mod header;
pub mod heartbeat;
pub mod log;
mod metadata;
pub mod netflow;
pub mod record;
pub mod stats;
pub mod xff;

pub use buffer::{Batch, Lane, BATCH_BYTES_MAX};
pub use config::EveConfig;
pub use header::Endpoints;

use crate::detect::names::Names;
use crate::json::JsonWriter;
use crate::time::Timestamp;
use aside::Aside;
use buffer::{Buffers, Marks};
use std::sync::Arc;

/// The event of a stored file.
pub struct FileRecord {
    /// Its number in the store.
    pub id: u64,
    pub sha256: [u8; 32],
    pub json: Vec<u8>,
}

/// One worker's event output.
pub struct Events {
    pub config: EveConfig,
    json: JsonWriter,
    /// The type of the event that was begun last.
    kind: &'static str,
    marks: Marks,
    buffers: Buffers,
    aside: Aside,
    /// What the rules in force call flowbits and variables.
    names: Arc<Names>,
    /// Records of stored files are wanted in `file_records`.
    pub keep_file_records: bool,
    /// The packet in hand is the sensor's own heartbeat, and whether its signature matched.
    heartbeat: Option<bool>,
    /// The capture file in hand, where events are to name it.
    pub pcap_file: Option<Arc<str>>,
    /// Those written since the caller last took them.
    pub file_records: Vec<FileRecord>,
}

impl Events {
    /// Flowbits and variables have these names from now on.
    pub fn name_as(&mut self, names: &Arc<Names>) {
        self.names = Arc::clone(names);
    }

    pub fn new(config: EveConfig, names: Arc<Names>) -> Events {
        Events {
            config,
            json: JsonWriter::new(),
            kind: "",
            marks: Marks::default(),
            buffers: Buffers::default(),
            aside: Aside::default(),
            names,
            keep_file_records: false,
            heartbeat: None,
            pcap_file: None,
            file_records: Vec::new(),
        }
    }

    /// Bytes waiting in the buffer.
    pub fn pending_bytes(&self) -> usize {
        self.json.len()
    }

    /// Takes what was written since the last call; None when there is nothing.
    pub fn take(&mut self) -> Option<Batch> {
        if self.json.is_empty() {
            return None;
        }
        let data = self.json.take(self.buffers.get());
        Some(std::mem::take(&mut self.marks).into_batch(data, &self.buffers))
    }

    /// Ends the event that was begun at packet time `ts`.
    fn end(&mut self, lane: Lane, ts: Timestamp) {
        if let Some(name) = &self.pcap_file {
            self.json.str("pcap_filename", name);
        }
        self.json.end_line();
        self.marks.push(lane, self.kind, self.json.len(), ts);
    }
}
