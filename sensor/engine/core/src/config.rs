//! The engine's configuration document: the shape of suricata.yaml as JSON, normalised by the command line.

use crate::decode;
use crate::flow::FlowConfig;
use crate::stream::StreamConfig;
use serde_json::Value;

/// Alerts on one packet at most (Suricata: `packet-alert-max`).
const ALERTS_PER_PACKET: usize = 15;

/// Seeds of flow ids: any constant will do, as long as every worker and every run has the same.
const FLOW_ID_SEED: u64 = 0x4861_6944_616e_6721;

pub struct Config {
    pub decode: decode::Config,
    pub flow: FlowConfig,
    pub stream: StreamConfig,
    pub alerts_per_packet: usize,
    pub hash_keys: [u64; 4],
    pub flow_id_seed: u64,
}

impl Config {
    /// Errors name the key that cannot be used.
    pub fn new(document: &Value) -> Result<Config, String> {
        Ok(Config {
            decode: decode::Config::new(document)?,
            flow: FlowConfig::new(document)?,
            stream: StreamConfig::new(document)?,
            alerts_per_packet: document["packet-alert-max"]
                .as_u64()
                .and_then(|n| usize::try_from(n).ok())
                .filter(|n| *n > 0)
                .unwrap_or(ALERTS_PER_PACKET),
            hash_keys: hash_keys(),
            flow_id_seed: document["flow-id-seed"].as_u64().unwrap_or(FLOW_ID_SEED),
        })
    }
}

/// Keys for tables that hold what an attacker chose; drawn per process. No output depends on the order of such a table.
fn hash_keys() -> [u64; 4] {
    use std::hash::{BuildHasher, Hasher};
    std::array::from_fn(|n| {
        let mut hasher = std::collections::hash_map::RandomState::new().build_hasher();
        hasher.write_usize(n);
        hasher.finish()
    })
}
