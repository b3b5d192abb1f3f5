//! The decoded packet: what every later stage reads. Offsets into the frame, never copies.

use crate::time::Timestamp;

/// An IP address; IPv4 is held as its IPv4-mapped form, so both families compare and hash alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Addr(pub u128);

impl Addr {
    const V4_PREFIX: u128 = 0xffff_0000_0000;

    #[inline]
    pub fn v4(bytes: [u8; 4]) -> Self {
        Addr(Self::V4_PREFIX | u128::from(u32::from_be_bytes(bytes)))
    }
    #[inline]
    pub fn v6(bytes: [u8; 16]) -> Self {
        Addr(u128::from_be_bytes(bytes))
    }
    #[inline]
    pub fn is_v4(self) -> bool {
        self.0 >> 32 == 0xffff
    }
    /// Appends its text; `version` is the packet's IP version (4 or 6), since ::ffff:a.b.c.d may really be on the wire. Every
    /// event has two: no formatting machinery.
    pub fn write(self, version: u8, out: &mut Vec<u8>) {
        let [.., a, b, c, d] = self.0.to_be_bytes();
        if version == 4 {
            for (at, octet) in [a, b, c, d].into_iter().enumerate() {
                if at > 0 {
                    out.push(b'.');
                }
                if octet >= 100 {
                    out.push(b'0' | (octet / 100));
                }
                if octet >= 10 {
                    out.push(b'0' | (octet / 10 % 10));
                }
                out.push(b'0' | (octet % 10));
            }
            return;
        }
        // In full, as Suricata writes it: tools compare these texts.
        for (at, byte) in self.0.to_be_bytes().into_iter().enumerate() {
            if at > 0 && at % 2 == 0 {
                out.push(b':');
            }
            let digit = |value: u8| b"0123456789abcdef".get(usize::from(value)).copied();
            out.extend([byte >> 4, byte & 15].into_iter().filter_map(digit));
        }
    }
    /// Its text, see `write`.
    pub fn display(self, version: u8) -> String {
        let mut text = Vec::new();
        self.write(version, &mut text);
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// Where a packet came from (EVE `pkt_src`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Wire,
    /// Decapsulated from a tunnel; the name is EVE's, e.g. "ip-in-ip", "gre tunnel".
    Tunnel(&'static str),
    /// Reassembled from IP fragments.
    Defrag,
    /// Made by the engine at the end of a flow to flush what the streams still hold.
    FlowEnd,
}

impl Origin {
    /// EVE's `pkt_src` text.
    pub fn eve_name(self) -> &'static str {
        match self {
            Origin::Wire => "wire/pcap",
            Origin::Tunnel(name) => name,
            Origin::Defrag => "defrag",
            Origin::FlowEnd => "stream (flow timeout)",
        }
    }
}

/// The TCP header fields that later stages use (RFC 9293, 3.1; options RFC 7323, RFC 2018).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpHeader {
    pub seq: u32,
    pub ack: u32,
    /// CWR ECE URG ACK PSH RST SYN FIN, bit 0 = FIN.
    pub flags: u8,
    /// The four reserved bits beside the data offset.
    pub reserved: u8,
    pub window: u16,
    pub urgent: u16,
    /// Header length in bytes, options included.
    pub header_len: u8,
    pub mss: Option<u16>,
    pub window_scale: Option<u8>,
    /// (TSval, TSecr)
    pub timestamp: Option<(u32, u32)>,
    pub sack_permitted: bool,
    /// Offset in the frame and length of the SACK blocks (8 bytes each).
    pub sack: Option<(u32, u8)>,
    /// TCP Fast Open option present (RFC 7413).
    pub fast_open: bool,
    /// An MD5 or authentication option present (RFC 2385, RFC 5925): an end that shares no key drops the segment.
    pub signed: bool,
}

impl TcpHeader {
    pub const FIN: u8 = 0x01;
    pub const SYN: u8 = 0x02;
    pub const RST: u8 = 0x04;
    pub const PSH: u8 = 0x08;
    pub const ACK: u8 = 0x10;
    pub const URG: u8 = 0x20;
    pub const ECE: u8 = 0x40;
    pub const CWR: u8 = 0x80;

    #[inline]
    pub fn has(&self, flags: u8) -> bool {
        self.flags & flags == flags
    }
}

/// Layer-4 header, as far as later stages need it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum L4 {
    #[default]
    None,
    Tcp(TcpHeader),
    Udp,
    /// ICMPv4 (RFC 792) or ICMPv6 (RFC 4443); id and sequence only where the type has them.
    Icmp {
        v6: bool,
        kind: u8,
        code: u8,
        id: Option<u16>,
        seq: Option<u16>,
    },
    Sctp,
    Esp,
    Other,
}

/// Engine events of one packet (decoder and stream), as codes of `decode::events` / `stream::events`.
#[derive(Clone, Copy, Debug, Default)]
pub struct PacketEvents {
    codes: [u16; Self::MAX],
    count: u8,
}

impl PacketEvents {
    /// More events than this on one packet say nothing new.
    const MAX: usize = 14;

    /// Adds an event; false when it was there already or there is no room.
    pub fn set(&mut self, code: u16) -> bool {
        if self.contains(code) {
            return false;
        }
        let slot = self.codes.get_mut(usize::from(self.count));
        let room = slot.is_some();
        if let Some(slot) = slot {
            *slot = code;
            self.count = self.count.saturating_add(1);
        }
        room
    }
    #[inline]
    pub fn contains(&self, code: u16) -> bool {
        self.as_slice().contains(&code)
    }
    #[inline]
    pub fn as_slice(&self) -> &[u16] {
        self.codes.get(..usize::from(self.count)).unwrap_or(&[])
    }
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// A decoded packet. `frame` starts at layer 2 for wire packets, at the inner layer for tunnelled and reassembled ones.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// 1-based number in the capture (EVE `pcap_cnt`); inner packets keep their outer packet's number.
    pub number: u64,
    pub ts: Timestamp,
    pub frame: &'a [u8],
    /// Length on the wire in bytes; `frame` may be shorter.
    pub wire_len: u32,
    pub link_type: u16,
    pub origin: Origin,
    /// Tunnel depth, 0 = outermost.
    pub depth: u8,
    pub vlan: [u16; 3],
    pub vlan_count: u8,
    /// Whether frame[0..12] are Ethernet addresses.
    pub has_ethernet: bool,
    /// Where an ARP message for Ethernet and IPv4 begins in the frame (28 bytes), when the packet is one.
    pub arp_off: Option<u32>,
    /// 0 = no IP, else 4 or 6.
    pub ip_version: u8,
    pub ip_off: u32,
    /// Header length in bytes, IPv6 extension headers included.
    pub ip_header_len: u16,
    pub src: Addr,
    pub dst: Addr,
    /// Layer-4 protocol number (after IPv6 extension headers).
    pub proto: u8,
    /// TTL or hop limit.
    pub ttl: u8,
    /// A fragment (not reassembled): has no ports unless it is the first.
    pub is_fragment: bool,
    /// The fragment's offset in bytes and its "more fragments" flag; of an IPv6 atomic fragment too.
    pub fragment_offset: u16,
    pub more_fragments: bool,
    /// IPv6: offset in the frame of the next-header byte that announces the fragment header.
    pub fragment_number_at: u32,
    pub src_port: u16,
    pub dst_port: u16,
    pub l4: L4,
    pub l4_off: u32,
    /// Where layer 4 ends in the frame by the IP (or UDP) length: what follows is padding.
    pub l4_end: u32,
    pub payload_off: u32,
    pub payload_len: u32,
    /// A checksum is wrong and checking is on: the packet is counted, matched by header rules, and enters no stream.
    pub bad_checksum: bool,
    /// Checksums are being looked at (`-k`): otherwise all count as right.
    pub checksums_checked: bool,
    /// Some header makes no sense (its event says which): the packet has no more layers, no flow and no payload.
    pub invalid: bool,
    /// Set by stream: the payload went into a stream.
    pub stream_added: bool,
    /// Set by stream: the packet belongs to an established session.
    pub established: bool,
    /// Set by stream: the segment is bogus (outside window and so on); no payload or stream rules on it.
    pub no_inspect: bool,
    pub events: PacketEvents,
}

impl<'a> Packet<'a> {
    /// LINKTYPE_RAW: the frame begins with an IP header.
    pub const LINK_TYPE_RAW: u16 = 101;

    /// A packet with no headers yet.
    pub fn new(frame: &'a [u8], ts: Timestamp, number: u64, wire_len: u32, link_type: u16) -> Self {
        Packet {
            number,
            ts,
            frame,
            wire_len,
            link_type,
            origin: Origin::Wire,
            depth: 0,
            vlan: [0; 3],
            vlan_count: 0,
            has_ethernet: false,
            arp_off: None,
            ip_version: 0,
            ip_off: 0,
            ip_header_len: 0,
            src: Addr::default(),
            dst: Addr::default(),
            proto: 0,
            ttl: 0,
            is_fragment: false,
            fragment_offset: 0,
            more_fragments: false,
            fragment_number_at: 0,
            src_port: 0,
            dst_port: 0,
            l4: L4::None,
            l4_off: 0,
            l4_end: 0,
            payload_off: 0,
            payload_len: 0,
            bad_checksum: false,
            checksums_checked: false,
            invalid: false,
            stream_added: false,
            established: false,
            no_inspect: false,
            events: PacketEvents::default(),
        }
    }

    /// Layer-4 payload.
    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        let start = self.payload_off as usize;
        self.frame.get(start..start.saturating_add(self.payload_len as usize)).unwrap_or(&[])
    }

    /// The IP header and everything after it, without link-layer padding.
    #[inline]
    pub fn ip_bytes(&self) -> &'a [u8] {
        if self.ip_version == 0 {
            return &[];
        }
        self.frame.get(self.ip_off as usize..self.l4_end as usize).unwrap_or(&[])
    }

    /// The layer-4 header and everything after it, without link-layer padding; empty without IP.
    #[inline]
    pub fn l4_bytes(&self) -> &'a [u8] {
        self.frame.get(self.l4_off as usize..self.l4_end as usize).unwrap_or(&[])
    }

    #[inline]
    pub fn tcp(&self) -> Option<&TcpHeader> {
        match &self.l4 {
            L4::Tcp(header) => Some(header),
            _ => None,
        }
    }
}
