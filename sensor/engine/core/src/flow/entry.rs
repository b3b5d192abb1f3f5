//! One flow and what the stages keep on it.

use super::ExceptionPolicy;
use crate::app::flow_state::AppState;
use crate::decode::Addr;
use crate::detect::FlowDetect;
use crate::direction::PerDir;
use crate::stream::TcpSession;
use crate::time::Timestamp;
use std::num::NonZeroU64;

/// EVE `flow.state`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlowState {
    #[default]
    New,
    Established,
    Closed,
}

impl FlowState {
    /// EVE's text.
    pub fn eve_name(self) -> &'static str {
        match self {
            FlowState::New => "new",
            FlowState::Established => "established",
            FlowState::Closed => "closed",
        }
    }
}

/// Why a flow ended: EVE `flow.reason`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EndReason {
    Timeout,
    /// Evicted: the table was full, or its state could no longer be trusted.
    Forced,
    /// Another connection began on the same ports.
    TcpReuse,
    /// Nothing more comes.
    #[default]
    Shutdown,
}

impl EndReason {
    /// EVE's text.
    pub fn eve_name(self) -> &'static str {
        match self {
            EndReason::Timeout => "timeout",
            EndReason::Forced => "forced",
            EndReason::TcpReuse => "tcp_reuse",
            EndReason::Shutdown => "shutdown",
        }
    }
}

/// Least and greatest TTL (or hop limit) seen; 0 before the first packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TtlRange {
    pub min: u8,
    pub max: u8,
}

impl TtlRange {
    pub fn add(&mut self, ttl: u8) {
        self.min = if self.min == 0 { ttl } else { self.min.min(ttl) };
        self.max = self.max.max(ttl);
    }
}

/// Distinct Ethernet addresses in the order they were seen, up to a handful: more is a loop or an attack.
#[derive(Clone, Debug, Default)]
pub struct MacSet(Vec<[u8; 6]>);

impl MacSet {
    const MAX: usize = 10;

    pub fn add(&mut self, mac: [u8; 6]) {
        if self.0.len() < Self::MAX && !self.0.contains(&mac) {
            self.0.push(mac);
        }
    }
    pub fn as_slice(&self) -> &[[u8; 6]] {
        &self.0
    }
}

/// Ethernet addresses of both ends of a flow.
#[derive(Clone, Debug, Default)]
pub struct FlowMacs {
    pub client: MacSet,
    pub server: MacSet,
}

/// A flow, as its initiator opened it (src = client).
pub struct Flow {
    /// EVE `flow_id`: the same for the same flow on every machine and in every run.
    pub id: u64,
    /// The flow whose parser announced this one (EVE `parent_id`).
    pub parent: Option<NonZeroU64>,
    pub src: Addr,
    pub dst: Addr,
    pub src_port: u16,
    pub dst_port: u16,
    pub ip_version: u8,
    pub proto: u8,
    /// Tunnel depth of its packets, 0 = outermost.
    pub depth: u8,
    /// ICMP only: type and code of the first packet.
    pub icmp: Option<(u8, u8)>,
    /// ICMP only: type and code of the first packet of the other direction.
    pub icmp_response: Option<(u8, u8)>,
    /// ESP only: the security parameters index.
    pub spi: Option<u32>,
    pub ttl: PerDir<TtlRange>,
    /// None unless they are to be kept.
    pub macs: Option<Box<FlowMacs>>,
    pub vlan: [u16; 3],
    pub vlan_count: u8,
    pub start: Timestamp,
    pub last: Timestamp,
    pub packets: PerDir<u64>,
    pub bytes: PerDir<u64>,
    pub state: FlowState,
    /// Of its end, once it has ended.
    pub reason: EndReason,
    pub alerted: bool,
    /// It has alerts of which it is not known yet whether a threshold lets them pass.
    pub alert_waits: bool,
    /// Exceptions that befell it, each target once, with the policy that was followed.
    #[allow(clippy::box_collection)] // rare: a pointer keeps flows small
    pub exceptions: Option<Box<Vec<(&'static str, ExceptionPolicy)>>>,
    /// Counted and nothing else, as a policy wants it.
    pub bypassed: bool,
    /// `dir` was turned round after the fact (midstream).
    pub swapped: bool,
    pub tcp: Option<Box<TcpSession>>,
    pub app: AppState,
    pub detect: FlowDetect,
}

impl Flow {
    /// EVE `parent_id`.
    pub fn parent_id(&self) -> Option<u64> {
        self.parent.map(NonZeroU64::get)
    }

    /// Turns the flow round: the packet that opened it came from the server. A session that stands on the flow is turned
    /// too; one that was taken off it is its holder's to turn (`TcpSession::swap`).
    pub fn swap(&mut self) {
        std::mem::swap(&mut self.src, &mut self.dst);
        std::mem::swap(&mut self.src_port, &mut self.dst_port);
        std::mem::swap(&mut self.packets.to_server, &mut self.packets.to_client);
        std::mem::swap(&mut self.bytes.to_server, &mut self.bytes.to_client);
        std::mem::swap(&mut self.ttl.to_server, &mut self.ttl.to_client);
        if let Some(macs) = self.macs.as_deref_mut() {
            std::mem::swap(&mut macs.client, &mut macs.server);
        }
        self.swapped = !self.swapped;
        if let Some(session) = self.tcp.as_deref_mut() {
            session.swap();
        }
    }
}
