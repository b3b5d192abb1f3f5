//! Settings of the stream stage, in the shape of suricata.yaml's `stream` node.

use super::policy::HostPolicies;
use crate::flow::ExceptionPolicy;
use serde::Deserialize;

/// Node `stream`. Sizes are bytes.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct StreamConfig {
    /// Bytes that sessions may use; 0 is no limit.
    pub memcap: u64,
    /// Pick up sessions whose start was not seen.
    pub midstream: bool,
    /// What becomes of a flow whose start was not seen.
    pub midstream_policy: ExceptionPolicy,
    /// What becomes of a flow for whose session there is no memory.
    #[serde(skip)]
    pub memcap_policy: Option<ExceptionPolicy>,
    /// Follow sessions of which only one side is seen.
    pub async_oneside: bool,
    /// SYN/ACKs that differ remembered before the handshake is over.
    pub max_synack_queued: u8,
    /// SYNs that differ remembered before the SYN/ACK.
    pub max_syn_queued: u8,
    pub reassembly: ReassemblyConfig,
    /// From node `host-os-policy`.
    #[serde(skip)]
    pub hosts: HostPolicies,
}

impl Default for StreamConfig {
    fn default() -> Self {
        StreamConfig {
            memcap: 64 << 20,
            midstream: false,
            midstream_policy: ExceptionPolicy::default(),
            memcap_policy: None,
            async_oneside: false,
            max_synack_queued: 5,
            max_syn_queued: 10,
            reassembly: ReassemblyConfig::default(),
            hosts: HostPolicies::default(),
        }
    }
}

impl StreamConfig {
    /// From the nodes `stream` and `host-os-policy` of a configuration document; a missing one keeps its defaults. Errors name
    /// the node.
    pub fn new(document: &serde_json::Value) -> Result<Self, String> {
        let mut config = match &document["stream"] {
            serde_json::Value::Null => StreamConfig::default(),
            value => StreamConfig::deserialize(value).map_err(|error| format!("stream: {error}"))?,
        };
        let policy = |own| ExceptionPolicy::of(document, own);
        config.midstream_policy = policy("/stream/midstream-policy").unwrap_or_default();
        config.memcap_policy = policy("/stream/memcap-policy");
        config.reassembly.memcap_policy = policy("/stream/reassembly/memcap-policy");
        config.hosts = match &document["host-os-policy"] {
            serde_json::Value::Null => HostPolicies::default(),
            value => HostPolicies::deserialize(value).map_err(|error| error.to_string())?,
        };
        Ok(config)
    }
}

/// Node `stream.reassembly`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct ReassemblyConfig {
    /// Bytes that stream data may use; 0 is no limit.
    pub memcap: u64,
    /// What becomes of a flow for whose data there is no memory.
    #[serde(skip)]
    pub memcap_policy: Option<ExceptionPolicy>,
    /// Bytes reassembled per side; 0 is no limit.
    pub depth: u64,
    pub toserver_chunk_size: u32,
    pub toclient_chunk_size: u32,
    /// Whether the raw stream is inspected at all.
    pub raw: bool,
    pub urgent: UrgentConfig,
}

impl Default for ReassemblyConfig {
    fn default() -> Self {
        ReassemblyConfig {
            memcap: 256 << 20,
            memcap_policy: None,
            depth: 1 << 20,
            toserver_chunk_size: 2560,
            toclient_chunk_size: 2560,
            raw: true,
            urgent: UrgentConfig::default(),
        }
    }
}

/// Node `stream.reassembly.urgent`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct UrgentConfig {
    pub policy: UrgentPolicy,
    pub oob_limit_policy: UrgentPolicy,
}

impl Default for UrgentConfig {
    fn default() -> Self {
        UrgentConfig { policy: UrgentPolicy::Oob, oob_limit_policy: UrgentPolicy::Drop }
    }
}

/// What to do with data that an urgent pointer marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UrgentPolicy {
    /// The last urgent byte is out of band: it is not part of the stream.
    Oob,
    /// Urgent data is data.
    Inline,
    /// The packet's payload is not used.
    Drop,
    /// The whole payload of the packet counts as a gap.
    Gap,
}
