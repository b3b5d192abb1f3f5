//! Which rules packets can match by what they carry, as far as grouping goes.

use super::rule::{Rule, Transport};
use crate::decode::packet::L4;
use crate::decode::Packet;
use crate::direction::Dir;

/// What a packet carries, as far as grouping goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    Tcp = 0,
    Udp = 1,
    Icmp = 2,
    Other = 3,
}

impl Class {
    pub const ALL: [Class; 4] = [Class::Tcp, Class::Udp, Class::Icmp, Class::Other];

    #[inline]
    pub fn of(packet: &Packet<'_>) -> Class {
        match packet.l4 {
            L4::Tcp(_) => Class::Tcp,
            L4::Udp => Class::Udp,
            L4::Icmp { .. } => Class::Icmp,
            _ => Class::Other,
        }
    }

    /// Whether its packets of this direction can match the rule, as far as grouping goes.
    pub fn has(self, rule: &Rule, dir: Dir) -> bool {
        self.carries(rule) && rule.flow.dir.is_none_or(|own| own == dir)
    }

    fn carries(self, rule: &Rule) -> bool {
        match rule.transport {
            Transport::Ip | Transport::Any | Transport::Ether | Transport::Ipv4 | Transport::Ipv6 => true,
            Transport::Tcp | Transport::TcpPacket | Transport::TcpStream => self == Class::Tcp,
            Transport::Udp => self == Class::Udp,
            Transport::Icmp | Transport::Icmp4 | Transport::Icmp6 => self == Class::Icmp,
            Transport::Sctp | Transport::Arp => self == Class::Other,
            Transport::Number(number) => match number {
                6 => self == Class::Tcp,
                17 => self == Class::Udp,
                1 | 58 => self == Class::Icmp,
                _ => self == Class::Other,
            },
            Transport::App => match self {
                Class::Tcp => rule.protocols.iter().any(|p| p.get().tcp),
                Class::Udp => rule.protocols.iter().any(|p| p.get().udp),
                _ => false,
            },
        }
    }
}
