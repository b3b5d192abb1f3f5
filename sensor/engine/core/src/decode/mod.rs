//! Decode: from a captured frame to a `Packet`, which is offsets into the raw bytes. Allocates nothing per packet.
//!
//! One file a layer; `layer.rs` has the tables that join them. A frame may hold packets in packets (tunnels) and may
//! complete a datagram (fragments); `Decoder::frame` hands them out one after the other, outermost first.

// Bytes from the wire can never panic: what could is refused here. Tests may.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

pub mod checksum;
pub mod counters;
pub mod defrag;
pub mod events;
pub mod packet;

mod chdlc;
mod config;
mod erspan;
mod ethernet;
mod fields;
mod gre;
mod icmp;
mod ipip;
mod ipv4;
mod ipv6;
mod layer;
pub use layer::link_type_name;
mod mpls;
mod nsh;
mod null;
mod options;
mod overlay;
mod ppp;
mod raw;
mod sll;
mod tags;
mod tcp;
mod transport;
mod udp;
mod vlan;

pub use checksum::ChecksumMode;
pub use config::{Config, Ports};
pub use counters::Counters;
pub use options::IpOptions;
pub use packet::{Addr, Origin, Packet, TcpHeader};

use crate::capture::Frame;
use layer::State;

/// One worker's decoder.
pub struct Decoder {
    state: State,
    outer: Outer,
    /// The reassembled datagram in hand.
    whole: Vec<u8>,
    /// `State::counters` are the ones that are told; else they are here.
    counted: bool,
    uncounted: Box<Counters>,
}

/// What an inner packet takes from the one around it.
#[derive(Clone, Copy, Default)]
struct Outer {
    /// The outer packet is in `Decoder::whole`, not in the frame.
    in_whole: bool,
    /// Where the outer packet's bytes begin there.
    at: usize,
    depth: u8,
    vlan: [u16; 3],
    vlan_count: u8,
}

impl Decoder {
    pub fn new(config: Config) -> Self {
        Decoder {
            state: State {
                checksums: checksum::Policy::new(config.checksums),
                defrag: defrag::Defrag::new(config.defrag.clone()),
                config,
                counters: Counters::default(),
                layers: 0,
                inner: None,
            },
            outer: Outer::default(),
            whole: Vec::new(),
            counted: true,
            uncounted: Box::default(),
        }
    }

    pub fn counters(&self) -> &Counters {
        if self.counted {
            &self.state.counters
        } else {
            &self.uncounted
        }
    }

    /// What comes next depends on frames that were not decoded: every frame is to be.
    #[inline]
    pub fn is_undecided(&self) -> bool {
        self.state.checksums.is_undecided()
    }

    /// Whether frames are counted from now on: of those that several workers decode, one counts.
    pub fn count(&mut self, counted: bool) {
        if self.counted != counted {
            std::mem::swap(&mut self.state.counters, &mut *self.uncounted);
            self.counted = counted;
        }
    }

    /// Decodes a frame and every packet nested in it or completed by it, each handed to `each` before the next is decoded.
    #[inline]
    pub fn frame(&mut self, frame: &Frame<'_>, number: u64, mut each: impl FnMut(&mut Packet<'_>)) {
        each(&mut self.decode(frame, number));
        while let Some(mut inner) = self.inner(frame, number) {
            each(&mut inner);
        }
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
        packet.checksums_checked = state.checksums.checking();
        state.link_layer(&mut packet);
        state.checksums.frame();
        if packet.invalid {
            state.counters.invalid = state.counters.invalid.saturating_add(1);
        }
        self.outer = Outer { vlan: packet.vlan, vlan_count: packet.vlan_count, ..Outer::default() };
        packet
    }

    /// The packet inside the one decoded last (from the same frame), or the datagram it completed, if there is one.
    pub fn inner<'s>(&'s mut self, frame: &Frame<'s>, number: u64) -> Option<Packet<'s>> {
        let state = &mut self.state;
        let inner = state.inner.take()?;
        let mut outer = self.outer;
        if inner.origin == Origin::Defrag {
            std::mem::swap(&mut self.whole, &mut state.defrag.whole);
            outer.in_whole = true;
            outer.at = 0;
        } else {
            outer.at = outer.at.saturating_add(inner.at as usize);
            outer.depth = outer.depth.saturating_add(1);
            outer.vlan_count = 0;
            outer.vlan = [0; 3];
        }
        let holder = if outer.in_whole { self.whole.as_slice() } else { frame.data };
        let len = inner.end.saturating_sub(inner.at);
        let bytes = holder.get(outer.at..outer.at.saturating_add(len as usize))?;
        let mut packet = Packet::new(bytes, frame.ts, number, len, inner.link_type);
        packet.checksums_checked = state.checksums.checking();
        packet.origin = inner.origin;
        packet.depth = outer.depth;
        packet.vlan = outer.vlan;
        packet.vlan_count = outer.vlan_count;
        if state.enter(&mut packet) {
            (inner.layer)(state, &mut packet, 0, bytes.len());
        }
        if packet.invalid {
            state.counters.invalid = state.counters.invalid.saturating_add(1);
        }
        outer.vlan = packet.vlan;
        outer.vlan_count = packet.vlan_count;
        self.outer = outer;
        Some(packet)
    }

    #[cfg(test)]
    fn defrag(&self) -> &defrag::Defrag {
        &self.state.defrag
    }
}

#[cfg(test)]
mod tests;
