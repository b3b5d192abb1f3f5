//! One flow and what the stages keep on it.

use crate::app::flow_state::AppState;
use crate::decode::Addr;
use crate::detect::FlowDetect;
use crate::direction::PerDir;
use crate::stream::TcpSession;
use crate::time::Timestamp;

/// EVE `flow.state`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlowState {
    #[default]
    New,
    Established,
    Closed,
}

/// A flow, as its initiator opened it (src = client).
pub struct Flow {
    /// EVE `flow_id`: the same for the same flow on every machine and in every run.
    pub id: u64,
    pub src: Addr,
    pub dst: Addr,
    pub src_port: u16,
    pub dst_port: u16,
    pub ip_version: u8,
    pub proto: u8,
    /// ICMP only.
    pub icmp: Option<(u8, u8)>,
    pub vlan: [u16; 3],
    pub vlan_count: u8,
    pub start: Timestamp,
    pub last: Timestamp,
    pub packets: PerDir<u64>,
    pub bytes: PerDir<u64>,
    pub state: FlowState,
    /// EVE `flow.reason` once it ended.
    pub reason: &'static str,
    pub alerted: bool,
    /// `dir` was turned round after the fact (midstream).
    pub swapped: bool,
    pub tcp: Option<Box<TcpSession>>,
    pub app: AppState,
    pub detect: FlowDetect,
}
