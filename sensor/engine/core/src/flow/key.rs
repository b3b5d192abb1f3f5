//! The symmetrical key of a flow and the flow id made from it.

use crate::decode::packet::L4;
use crate::decode::{Addr, Packet};
use crate::direction::Dir;
use crate::time::Timestamp;
use std::hash::{Hash, Hasher};

/// Equal for both directions of a flow: the endpoint with the smaller (address, port) stands first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FlowKey {
    low: Addr,
    high: Addr,
    pub(super) rest: KeyRest,
}

/// A key without its addresses, which the flow itself has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct KeyRest {
    low_port: u16,
    high_port: u16,
    vlan: [u16; 3],
    proto: u8,
    ip_version: u8,
    /// Tunnel depth: an inner flow never mixes with an outer one of the same addresses.
    depth: u8,
}

impl Hash for KeyRest {
    /// All of it at once: a hasher takes as long for each of the fields as for their sum.
    #[inline]
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let KeyRest { low_port, high_port, vlan: [v0, v1, v2], proto, ip_version, depth } = *self;
        let words =
            [low_port, high_port, v0, v1, v2, u16::from_le_bytes([proto, ip_version]), depth.into(), 0];
        hasher.write_u128(words.iter().fold(0, |sum, word| sum << u16::BITS | u128::from(*word)));
    }
}

/// What tells flows of the same endpoints apart.
#[derive(Clone, Copy, Debug)]
pub struct Tracking {
    pub vlan: bool,
    /// The tunnel depth.
    pub depth: bool,
}

/// The ICMP type that answers `kind`, where there is one (RFC 792, RFC 950, RFC 4443, RFC 4861, RFC 2710).
fn icmp_counterpart(v6: bool, kind: u8) -> Option<u8> {
    const PAIRS_V4: [(u8, u8); 5] = [(8, 0), (13, 14), (15, 16), (17, 18), (10, 9)];
    const PAIRS_V6: [(u8, u8); 6] = [(128, 129), (130, 131), (133, 134), (135, 136), (144, 145), (139, 140)];
    let pairs: &[(u8, u8)] = if v6 { &PAIRS_V6 } else { &PAIRS_V4 };
    pairs.iter().find_map(|&(ask, answer)| match kind {
        k if k == ask => Some(answer),
        k if k == answer => Some(ask),
        _ => None,
    })
}

/// The two numbers that stand for ports in the key: ICMP uses its type and the type that answers it, so that a request
/// and its reply share a flow, and an error stands alone.
fn key_ports(pkt: &Packet) -> Option<(u16, u16)> {
    match pkt.l4 {
        L4::Tcp(_) | L4::Udp | L4::Sctp => Some((pkt.src_port, pkt.dst_port)),
        L4::Icmp { v6, kind, .. } => {
            Some((u16::from(kind), u16::from(icmp_counterpart(v6, kind).unwrap_or(0))))
        }
        L4::Esp => Some((0, 0)),
        L4::None | L4::Other => None,
    }
}

impl FlowKey {
    pub fn proto(&self) -> u8 {
        self.rest.proto
    }

    /// Whether it lies between these two, whichever way.
    #[inline]
    pub(super) fn is_between(&self, a: Addr, b: Addr) -> bool {
        (self.low == a && self.high == b) || (self.low == b && self.high == a)
    }

    /// The addresses of its ends.
    pub fn addresses(&self) -> (Addr, Addr) {
        (self.low, self.high)
    }

    /// None for packets that belong to no flow: not IP, a fragment that was not reassembled, or no known layer 4.
    #[inline]
    pub fn of(pkt: &Packet, tracking: Tracking) -> Option<FlowKey> {
        if pkt.ip_version == 0 || pkt.is_fragment {
            return None;
        }
        let (src_port, dst_port) = key_ports(pkt)?;
        let vlan = if tracking.vlan { pkt.vlan } else { [0; 3] };
        let depth = if tracking.depth { pkt.depth } else { 0 };
        let mut key =
            FlowKey::new(pkt.src, pkt.dst, src_port, dst_port, vlan, pkt.proto, pkt.ip_version, depth);
        if let Some(spi) = pkt.esp_spi() {
            // The same whichever way the packet goes.
            (key.rest.high_port, key.rest.low_port) = ((spi >> 16) as u16, spi as u16);
        }
        Some(key)
    }

    /// The key of the flow that an ICMPv4 "destination unreachable" complains about, from the packet it quotes (RFC 792), with
    /// that packet's source.
    #[cold]
    pub fn quoted(pkt: &Packet, tracking: Tracking) -> Option<(FlowKey, Addr, u16)> {
        const UNREACHABLE: u8 = 3;
        if !matches!(pkt.l4, L4::Icmp { v6: false, kind: UNREACHABLE, .. }) || pkt.is_fragment {
            return None;
        }
        let quoted = pkt.l4_bytes().get(8..)?;
        let header_len = usize::from(quoted.first()? & 0x0f).saturating_mul(4);
        let (version, proto) = (quoted.first()? >> 4, *quoted.get(9)?);
        if version != 4 || header_len < 20 {
            return None;
        }
        let addr = |at: usize| {
            let bytes: [u8; 4] = quoted.get(at..at.saturating_add(4))?.try_into().ok()?;
            Some(Addr::v4(bytes))
        };
        let port = |at: usize| {
            let at = header_len.saturating_add(at);
            let bytes: [u8; 2] = quoted.get(at..at.saturating_add(2))?.try_into().ok()?;
            Some(u16::from_be_bytes(bytes))
        };
        let (src, dst) = (addr(12)?, addr(16)?);
        let (src_port, dst_port) = match proto {
            6 | 17 | 132 => (port(0)?, port(2)?),
            _ => return None,
        };
        let vlan = if tracking.vlan { pkt.vlan } else { [0; 3] };
        let depth = if tracking.depth { pkt.depth } else { 0 };
        let key = FlowKey::new(src, dst, src_port, dst_port, vlan, proto, 4, depth);
        Some((key, src, src_port))
    }

    #[allow(clippy::too_many_arguments)] // the fields of the key
    #[inline]
    fn new(
        src: Addr,
        dst: Addr,
        src_port: u16,
        dst_port: u16,
        vlan: [u16; 3],
        proto: u8,
        ip_version: u8,
        depth: u8,
    ) -> FlowKey {
        let forward = (src, src_port) <= (dst, dst_port);
        let (low, high, low_port, high_port) =
            if forward { (src, dst, src_port, dst_port) } else { (dst, src, dst_port, src_port) };
        FlowKey { low, high, rest: KeyRest { low_port, high_port, vlan, proto, ip_version, depth } }
    }

    /// A flow id of 51 bits (exact in every JSON reader), never 0: a keyed hash of the tuple, the first packet's time and
    /// its number in the capture. Plain arithmetic, so that every machine and any number of workers agree.
    pub fn flow_id(&self, start: Timestamp, packet_number: u64, seed: u64) -> u64 {
        let KeyRest { low_port, high_port, vlan, proto, ip_version, depth } = self.rest;
        let [v0, v1, v2] = vlan.map(u64::from);
        let words = [
            self.low.0 as u64,
            (self.low.0 >> 64) as u64,
            self.high.0 as u64,
            (self.high.0 >> 64) as u64,
            u64::from(low_port) << 48 | u64::from(high_port) << 32 | v0 << 16 | v1,
            v2 << 24 | u64::from(proto) << 16 | u64::from(ip_version) << 8 | u64::from(depth),
            start.0,
            packet_number,
        ];
        let hash = words.iter().fold(seed, |state, word| mix(state ^ word));
        (hash >> 13).max(1)
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection with full avalanche.
fn mix(value: u64) -> u64 {
    let z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Which way `pkt` goes in a flow opened from (src, src_port). ICMP goes by address, and by type when both are one host.
#[inline]
pub fn direction(pkt: &Packet, src: Addr, dst: Addr, src_port: u16, icmp: Option<(u8, u8)>) -> Dir {
    let forward = if src != dst {
        pkt.src == src
    } else {
        match (icmp, pkt.l4) {
            (Some((first, _)), L4::Icmp { kind, .. }) => kind == first,
            _ => pkt.src_port == src_port,
        }
    };
    if forward {
        Dir::ToServer
    } else {
        Dir::ToClient
    }
}
