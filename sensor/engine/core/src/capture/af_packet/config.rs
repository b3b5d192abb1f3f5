//! What one interface is captured with (node `live` of the engine's document, made from `af-packet`).

use crate::capture::bpf::{self, Instruction};
use serde::Deserialize;
use serde_json::Value;

/// How packets go to the rings of one interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cluster {
    /// By the pair of addresses, whichever way a packet goes: so do both directions of a flow, all fragments of a datagram, and
    /// flows that announce one another.
    ClusterPair,
    /// By the kernel's flow hash: addresses, protocol and ports.
    ClusterFlow,
    /// By the receive queue of the card.
    ClusterQm,
    /// By the processor that took the interrupt.
    ClusterCpu,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Interface {
    pub interface: String,
    /// Rings, each with a worker.
    pub threads: usize,
    /// The number of the fanout group; None lets the kernel choose one.
    pub cluster_id: Option<u16>,
    pub cluster_type: Cluster,
    pub block_bytes: u32,
    /// Blocks of a ring.
    pub blocks: u32,
    /// After so many milliseconds a block is handed over as it is.
    pub block_timeout_ms: u32,
    pub promiscuous: bool,
    /// The capture filter; empty lets everything through.
    pub filter: Vec<Instruction>,
    /// Networks (`10.0.0.0/8`) and VLANs that are never to be looked at.
    pub excluded_networks: Vec<String>,
    pub excluded_vlans: Vec<u16>,
}

impl Interface {
    /// The interfaces of the document; errors name what cannot be used.
    pub fn all(document: &Value) -> Result<Vec<Interface>, String> {
        let all: Vec<Interface> = serde_json::from_value(document["live"]["interfaces"].clone())
            .map_err(|error| format!("live.interfaces: {error}"))?;
        for one in &all {
            if !one.filter.is_empty() {
                bpf::check(&one.filter).map_err(|what| format!("{}: bpf-filter: {what}", one.interface))?;
            }
        }
        Ok(all)
    }

    /// The sensor's own interface for its heartbeats (`live.heartbeat`), if it has one.
    pub fn heartbeat(document: &Value) -> Result<Option<Interface>, String> {
        serde_json::from_value(document["live"]["heartbeat"].clone())
            .map_err(|error| format!("live.heartbeat: {error}"))
    }

    pub fn ring_bytes(&self) -> u64 {
        u64::from(self.block_bytes).saturating_mul(u64::from(self.blocks))
    }
}
