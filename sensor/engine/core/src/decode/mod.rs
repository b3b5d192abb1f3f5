//! Decode: from a captured frame to a `Packet`, which is offsets into the raw bytes. Allocates nothing per packet.
//!
//! One file a layer; `layer.rs` has the tables that join them. A frame may hold packets in packets (tunnels) and may
//! complete a datagram (fragments); the worker takes them one after the other:
//!
//! ```text
//! let packet = decoder.decode(&frame, number);
//! line(packet);
//! while let Some(inner) = decoder.inner(&frame, number) {
//!     line(inner);
//! }
//! ```

pub mod checksum;
pub mod counters;
pub mod events;
pub mod packet;

mod chdlc;
mod ethernet;
mod fields;
mod icmp;
mod ipip;
mod ipv4;
mod ipv6;
mod layer;
mod null;
mod options;
mod ppp;
mod raw;
mod sll;
mod tcp;
mod transport;
mod udp;
mod vlan;

pub use checksum::ChecksumMode;
pub use counters::Counters;
pub use options::IpOptions;
pub use packet::{Addr, Origin, Packet, TcpHeader};

use crate::capture::Frame;
use layer::State;

/// How to decode; the defaults are Suricata's.
#[derive(Clone, Debug)]
pub struct Config {
    /// Layers per frame, tunnels included (`decoder.max-layers`).
    pub max_layers: u8,
    pub checksums: ChecksumMode,
}

impl Default for Config {
    fn default() -> Self {
        Config { max_layers: 16, checksums: ChecksumMode::default() }
    }
}

/// One worker's decoder.
pub struct Decoder {
    state: State,
    /// Depth and VLAN tags of the packet that holds `state.inner`.
    outer: Outer,
}

/// What an inner packet takes from the one around it.
#[derive(Clone, Copy, Default)]
struct Outer {
    /// Where the outer packet's bytes begin in the frame.
    at: usize,
    depth: u8,
}

impl Decoder {
    pub fn new(config: Config) -> Self {
        Decoder {
            state: State {
                checksums: checksum::Policy::new(config.checksums),
                config,
                counters: Counters::default(),
                layers: 0,
                inner: None,
            },
            outer: Outer::default(),
        }
    }

    pub fn counters(&self) -> &Counters {
        &self.state.counters
    }

    /// Decodes a frame; `number` is its 1-based place in the capture. Never fails: what cannot be decoded is a packet
    /// with events and without the headers that were not understood.
    pub fn decode<'a>(&mut self, frame: &Frame<'a>, number: u64) -> Packet<'a> {
        let state = &mut self.state;
        state.layers = 1;
        state.inner = None;
        let len = frame.data.len() as u64;
        state.counters.pkts = state.counters.pkts.saturating_add(1);
        state.counters.bytes = state.counters.bytes.saturating_add(len);
        state.counters.max_pkt_size = state.counters.max_pkt_size.max(len);
        let mut packet = Packet::new(frame.data, frame.ts, number, frame.wire_len, frame.link_type);
        state.link_layer(&mut packet);
        state.checksums.frame();
        if packet.invalid {
            state.counters.invalid = state.counters.invalid.saturating_add(1);
        }
        self.outer = Outer::default();
        packet
    }

    /// The packet inside the one decoded last (from the same frame), if there is one.
    pub fn inner<'s>(&'s mut self, frame: &Frame<'s>, number: u64) -> Option<Packet<'s>> {
        let state = &mut self.state;
        let inner = state.inner.take()?;
        let at = self.outer.at.saturating_add(inner.at as usize);
        let end = self.outer.at.saturating_add(inner.end as usize);
        let bytes = frame.data.get(at..end)?;
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let mut packet = Packet::new(bytes, frame.ts, number, len, Packet::LINK_TYPE_RAW);
        packet.origin = Origin::Tunnel(inner.origin);
        packet.depth = self.outer.depth.saturating_add(1);
        self.outer = Outer { at, depth: packet.depth };
        if state.enter(&mut packet) {
            (inner.layer)(state, &mut packet, 0, bytes.len());
        }
        if packet.invalid {
            state.counters.invalid = state.counters.invalid.saturating_add(1);
        }
        Some(packet)
    }
}

#[cfg(test)]
mod tests;
