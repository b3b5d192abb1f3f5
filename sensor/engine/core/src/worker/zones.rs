//! Exclusion zones where the kernel's filter does not see them: in a tunnel in a tunnel, behind extension headers, in reassembled
//! fragments. Such a packet goes no further, and is counted; its outermost packet has been looked at by then.

use crate::capture::af_packet::program::Network;
use crate::decode::{Addr, Packet};
use serde_json::Value;

/// Those of all interfaces.
#[derive(Default)]
pub(super) struct Zones {
    networks: Vec<Network>,
    packets: u64,
}

impl Zones {
    /// From the interfaces of the engine's document. What is no network is left to whoever opens them.
    pub(super) fn new(document: &Value) -> Zones {
        let interfaces = document["live"]["interfaces"].as_array().into_iter().flatten();
        let mut texts: Vec<&str> = interfaces
            .filter_map(|one| one["excluded-networks"].as_array())
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        texts.sort_unstable();
        texts.dedup();
        let networks = texts.into_iter().filter_map(|text| Network::parse(text).ok()).collect();
        Zones { networks, packets: 0 }
    }

    /// Whether the packet is in a zone, which is counted.
    #[inline]
    pub(super) fn hold(&mut self, packet: &Packet<'_>) -> bool {
        !self.networks.is_empty() && packet.ip_version != 0 && self.search([packet.src, packet.dst])
    }

    #[inline(never)]
    fn search(&mut self, pair: [Addr; 2]) -> bool {
        let is_held = self.networks.iter().any(|network| pair.iter().any(|addr| network.holds(*addr)));
        self.packets = self.packets.saturating_add(is_held.into());
        is_held
    }

    pub(super) fn for_each(&self, put: &mut impl FnMut(&str, u64)) {
        if !self.networks.is_empty() {
            put("haidang.capture.excluded_inside", self.packets);
        }
    }
}
