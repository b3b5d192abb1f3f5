//! Settings of the flow table, in the shape of suricata.yaml's `flow`, `flow-timeouts` and `vlan` nodes.

use super::key::Tracking;
use super::FlowState;
use crate::setting;
use serde::Deserialize;

/// Node `flow`. Sizes are bytes.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct FlowConfig {
    /// Bytes the table may use; above it the flow nearest to its timeout is evicted.
    pub memcap: u64,
    /// Flows to make room for at the start.
    pub prealloc: u32,
    /// From node `flow-timeouts`.
    #[serde(skip)]
    pub timeouts: FlowTimeouts,
    /// From node `vlan`.
    #[serde(skip)]
    pub vlan: VlanConfig,
    /// Packets at different tunnel depths are different flows (`decoder.recursion-level.use-for-tracking`).
    #[serde(skip)]
    pub track_depth: bool,
    /// Keep the Ethernet addresses seen on a flow (`ethernet` of the event output).
    #[serde(skip)]
    pub keep_macs: bool,
}

impl Default for FlowConfig {
    fn default() -> Self {
        FlowConfig {
            memcap: 128 << 20,
            prealloc: 0,
            timeouts: FlowTimeouts::default(),
            vlan: VlanConfig::default(),
            track_depth: true,
            keep_macs: false,
        }
    }
}

impl FlowConfig {
    /// What flows are told apart by, beside their endpoints.
    pub fn tracking(&self) -> Tracking {
        Tracking { vlan: self.vlan.use_for_tracking, depth: self.track_depth }
    }

    /// From the nodes `flow`, `flow-timeouts` and `vlan` of a configuration document; a missing one keeps its defaults. Errors
    /// name the node.
    pub fn new(document: &serde_json::Value) -> Result<Self, String> {
        fn node<T: Default + for<'de> Deserialize<'de>>(
            document: &serde_json::Value,
            key: &str,
        ) -> Result<T, String> {
            match &document[key] {
                serde_json::Value::Null => Ok(T::default()),
                value => T::deserialize(value).map_err(|error| format!("{key}: {error}")),
            }
        }
        let mut config: FlowConfig = node(document, "flow")?;
        config.timeouts = node(document, "flow-timeouts")?;
        config.vlan = node(document, "vlan")?;
        let switch = |at: &str| document.pointer(at).and_then(setting::switch);
        config.track_depth = switch("/decoder/recursion-level/use-for-tracking").unwrap_or(true);
        config.keep_macs = switch("/eve/ethernet").unwrap_or(false);
        Ok(config)
    }
}

/// Node `vlan`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct VlanConfig {
    /// Whether VLAN ids are part of a flow's key.
    pub use_for_tracking: bool,
}

impl Default for VlanConfig {
    fn default() -> Self {
        VlanConfig { use_for_tracking: true }
    }
}

/// Seconds of packet time without a packet after which a flow ends, per state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    pub new: u64,
    pub established: u64,
    pub closed: u64,
}

impl Timeouts {
    #[inline]
    pub fn seconds(&self, state: FlowState) -> u64 {
        match state {
            FlowState::New => self.new,
            FlowState::Established => self.established,
            FlowState::Closed => self.closed,
        }
    }
}

/// What a configuration says of one protocol; what it leaves out keeps its default.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct TimeoutsNode {
    new: Option<u64>,
    established: Option<u64>,
    closed: Option<u64>,
}

impl TimeoutsNode {
    fn over(self, base: Timeouts) -> Timeouts {
        Timeouts {
            new: self.new.unwrap_or(base.new),
            established: self.established.unwrap_or(base.established),
            closed: self.closed.unwrap_or(base.closed),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct FlowTimeoutsNode {
    default: TimeoutsNode,
    tcp: TimeoutsNode,
    udp: TimeoutsNode,
    icmp: TimeoutsNode,
}

/// Node `flow-timeouts`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(from = "FlowTimeoutsNode")]
pub struct FlowTimeouts {
    pub default: Timeouts,
    pub tcp: Timeouts,
    pub udp: Timeouts,
    pub icmp: Timeouts,
}

impl From<FlowTimeoutsNode> for FlowTimeouts {
    fn from(node: FlowTimeoutsNode) -> Self {
        const CONNECTIONLESS: Timeouts = Timeouts { new: 30, established: 300, closed: 0 };
        const TCP: Timeouts = Timeouts { new: 60, established: 600, closed: 60 };
        FlowTimeouts {
            default: node.default.over(CONNECTIONLESS),
            tcp: node.tcp.over(TCP),
            udp: node.udp.over(CONNECTIONLESS),
            icmp: node.icmp.over(CONNECTIONLESS),
        }
    }
}

impl Default for FlowTimeouts {
    fn default() -> Self {
        FlowTimeoutsNode::default().into()
    }
}

impl FlowTimeouts {
    /// By layer-4 protocol number.
    #[inline]
    pub fn of(&self, proto: u8) -> &Timeouts {
        match proto {
            6 => &self.tcp,
            17 => &self.udp,
            1 | 58 => &self.icmp,
            _ => &self.default,
        }
    }
}
