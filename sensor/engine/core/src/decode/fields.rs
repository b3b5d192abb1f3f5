//! Header fields that only rules ask for: read from the frame when asked, not stored.

use super::options::{self, IpOptions};
use super::packet::{Packet, L4};

impl<'a> Packet<'a> {
    #[inline]
    fn ip_u16(&self, at: usize) -> Option<u16> {
        match self.ip_bytes().get(at..at.saturating_add(2)) {
            Some(&[a, b]) => Some(u16::from_be_bytes([a, b])),
            _ => None,
        }
    }
    #[inline]
    fn v4_u16(&self, at: usize) -> Option<u16> {
        if self.ip_version == 4 {
            self.ip_u16(at)
        } else {
            None
        }
    }
    /// IPv4 identification (the `id` keyword); None for IPv6.
    #[inline]
    pub fn ip_id(&self) -> Option<u16> {
        self.v4_u16(4)
    }
    /// IPv4 type of service byte; None for IPv6.
    #[inline]
    pub fn tos(&self) -> Option<u8> {
        self.v4_u16(0).map(|word| word as u8)
    }
    /// IPv4 total length in bytes; None for IPv6.
    #[inline]
    pub fn ipv4_total_len(&self) -> Option<u16> {
        self.v4_u16(2)
    }
    /// IPv6 payload length in bytes; None for IPv4.
    #[inline]
    pub fn ipv6_payload_len(&self) -> Option<u16> {
        if self.ip_version == 6 {
            self.ip_u16(4)
        } else {
            None
        }
    }
    /// The three IPv4 flag bits (4 = reserved, 2 = don't fragment, 1 = more fragments); None for IPv6.
    #[inline]
    pub fn ip_flags(&self) -> Option<u8> {
        self.v4_u16(6).map(|word| (word >> 13) as u8)
    }
    /// The IPv4 options present and well-formed; empty for IPv6.
    pub fn ip_options(&self) -> IpOptions {
        match self.ip_bytes().get(20..usize::from(self.ip_header_len)) {
            Some(bytes) if self.ip_version == 4 && !bytes.is_empty() => options::set_of(bytes),
            _ => IpOptions::default(),
        }
    }
    /// The IP header, options or extension headers included; empty without IP.
    #[inline]
    pub fn ip_header(&self) -> &'a [u8] {
        self.ip_bytes().get(..usize::from(self.ip_header_len)).unwrap_or(&[])
    }
    /// The layer-4 header, options included; empty when there is none.
    #[inline]
    pub fn l4_header(&self) -> &'a [u8] {
        let len = match self.l4 {
            L4::None | L4::Other => 0,
            _ => self.payload_off.saturating_sub(self.l4_off) as usize,
        };
        self.l4_bytes().get(..len).unwrap_or(&[])
    }
    /// Next-hop MTU of an ICMPv6 "packet too big" (RFC 4443, 3.2).
    pub fn icmpv6_mtu(&self) -> Option<u32> {
        match (self.l4, self.l4_bytes().get(4..8)) {
            (L4::Icmp { v6: true, kind: 2, .. }, Some(&[a, b, c, d])) => {
                Some(u32::from_be_bytes([a, b, c, d]))
            }
            _ => None,
        }
    }
    /// The Ethernet header (IEEE 802.3): destination, source, ethertype or length.
    pub fn ether_header(&self) -> Option<&'a [u8]> {
        self.frame.get(..14).filter(|_| self.has_ethernet)
    }
    /// Security parameters index of an ESP packet (RFC 4303, 2.1).
    pub fn esp_spi(&self) -> Option<u32> {
        let spi = self.l4_bytes().first_chunk::<4>().filter(|_| matches!(self.l4, L4::Esp))?;
        Some(u32::from_be_bytes(*spi))
    }
    /// The ARP message (RFC 826), when the packet is one for Ethernet and IPv4.
    pub fn arp(&self) -> Option<&'a [u8; 28]> {
        self.frame.get(self.arp_off? as usize..)?.first_chunk()
    }
    /// Source Ethernet address.
    pub fn ether_src(&self) -> Option<[u8; 6]> {
        self.frame.get(6..12).filter(|_| self.has_ethernet)?.try_into().ok()
    }
    /// Destination Ethernet address.
    pub fn ether_dst(&self) -> Option<[u8; 6]> {
        self.frame.get(0..6).filter(|_| self.has_ethernet)?.try_into().ok()
    }
}
