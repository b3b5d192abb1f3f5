//! The configuration node `app-layer.protocols.smb`, named as in suricata.yaml.

use crate::setting;
use serde_json::Value;

/// Limits of one flow; 0 = none, unless it says otherwise.
#[derive(Clone, Debug)]
pub struct Config {
    /// Transactions held (`max-tx`).
    pub live_max: usize,
    /// Bytes of each direction that are reassembled; 0 = all, Suricata's default for SMB.
    pub stream_depth: u64,
    /// Largest single READ and WRITE before it is an event and skipped, in bytes.
    pub read_size_max: u32,
    pub write_size_max: u32,
    /// Chunks that came before their turn, in number and bytes; never without limit.
    pub read_queue_size: u64,
    pub read_queue_count: usize,
    pub write_queue_size: u64,
    pub write_queue_count: usize,
}

/// Suricata's defaults: 16 MiB in one READ or WRITE, 64 chunks and 64 MiB out of order.
const SIZE_MAX: u32 = 16 << 20;
const QUEUE_SIZE: u64 = 64 << 20;
const QUEUE_COUNT: usize = 64;
/// Transactions one flow may hold. Suricata's default for `max-tx`.
const LIVE_MAX: usize = 1024;

impl Config {
    pub fn new(node: &Value) -> Config {
        let size =
            |key: &str| setting::size(&node[key]).map_or(SIZE_MAX, |n| u32::try_from(n).unwrap_or(u32::MAX));
        let bytes = |key: &str| match setting::size(&node[key]) {
            None | Some(0) => QUEUE_SIZE,
            Some(n) => n.min(QUEUE_SIZE),
        };
        let count = |key: &str| match setting::count(&node[key]) {
            None | Some(0) => QUEUE_COUNT,
            Some(n) => n.min(16 * QUEUE_COUNT),
        };
        Config {
            live_max: setting::count(&node["max-tx"]).map_or(LIVE_MAX, |n| n.clamp(1, 16 * LIVE_MAX)),
            stream_depth: setting::size(&node["stream-depth"]).unwrap_or(0),
            read_size_max: size("max-read-size"),
            write_size_max: size("max-write-size"),
            read_queue_size: bytes("max-read-queue-size"),
            read_queue_count: count("max-read-queue-cnt"),
            write_queue_size: bytes("max-write-queue-size"),
            write_queue_count: count("max-write-queue-cnt"),
        }
    }
}
