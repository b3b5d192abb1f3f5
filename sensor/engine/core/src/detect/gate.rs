//! What a rule asks of a packet's outside, in a few bytes side by side with those of all other rules: most candidates are
//! turned away here, without their rule being touched. Must never turn away what the rule itself would let pass.

use super::endpoints::{Arrow, PortSet};
use super::rule::{Rule, Transport};
use crate::decode::packet::L4;
use crate::decode::Packet;
use crate::direction::Dir;

const ESTABLISHED: u8 = 1;
const NOT_ESTABLISHED: u8 = 2;
const TO_SERVER: u8 = 4;
const TO_CLIENT: u8 = 8;
/// The rule is about transactions: it is not for the packet stage to try.
const APP: u8 = 16;
const NEEDS_FLOW: u8 = ESTABLISHED | NOT_ESTABLISHED | TO_SERVER | TO_CLIENT;

/// Of one rule.
#[derive(Clone, Copy, Debug)]
pub struct Gate {
    asks: u8,
    /// Lengths of the payload that dsize allows, as far as a packet's length goes.
    payload: (u16, u16),
    /// The least and greatest port that the header names, of source and destination.
    src_port: (u16, u16),
    dst_port: (u16, u16),
}

impl Gate {
    pub fn new(rule: &Rule) -> Gate {
        let mut asks = 0;
        asks |= if rule.flow.established { ESTABLISHED } else { 0 };
        asks |= if rule.flow.not_established { NOT_ESTABLISHED } else { 0 };
        asks |= match rule.flow.dir {
            Some(Dir::ToServer) => TO_SERVER,
            Some(Dir::ToClient) => TO_CLIENT,
            None => 0,
        };
        asks |= if rule.is_app() { APP } else { 0 };
        let narrow = |length: u32| u16::try_from(length).unwrap_or(u16::MAX);
        let ports = |set: &PortSet| match (&set.0, rule.arrow, rule.transport) {
            (
                Some(ranges),
                Arrow::Right,
                Transport::Tcp | Transport::TcpPacket | Transport::TcpStream | Transport::Udp,
            ) => {
                let least = ranges.first().map_or(0, |range| range.0);
                (least, ranges.last().map_or(u16::MAX, |range| range.1))
            }
            _ => (0, u16::MAX),
        };
        Gate {
            asks,
            payload: (narrow(rule.payload_len.0), narrow(rule.payload_len.1)),
            src_port: ports(&rule.src_ports),
            dst_port: ports(&rule.dst_ports),
        }
    }

    pub fn is_app(self) -> bool {
        self.asks & APP != 0
    }
}

/// The side of a packet that gates look at.
pub struct Outside {
    /// What is so of the packet and must not be asked otherwise: a rule that asks for one of these is turned away.
    refused: u8,
    payload_len: u16,
    src_port: u16,
    dst_port: u16,
    has_ports: bool,
}

impl Outside {
    pub fn new(packet: &Packet<'_>, has_flow: bool, dir: Dir) -> Outside {
        let state = if packet.established { NOT_ESTABLISHED } else { ESTABLISHED };
        let way = if dir == Dir::ToServer { TO_CLIENT } else { TO_SERVER };
        Outside {
            refused: if has_flow { state | way } else { NEEDS_FLOW },
            payload_len: u16::try_from(packet.payload_len).unwrap_or(u16::MAX),
            src_port: packet.src_port,
            dst_port: packet.dst_port,
            has_ports: matches!(packet.l4, L4::Tcp(_) | L4::Udp),
        }
    }

    /// Whether the rule may match.
    #[inline]
    pub fn passes(&self, gate: &Gate) -> bool {
        let within = |value: u16, (low, high): (u16, u16)| value >= low && value <= high;
        gate.asks & self.refused == 0
            && within(self.payload_len, gate.payload)
            && (!self.has_ports
                || (within(self.dst_port, gate.dst_port) && within(self.src_port, gate.src_port)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_rules;
    use super::*;
    use crate::time::Timestamp;

    fn packet(established: bool, payload_len: u32, ports: (u16, u16)) -> Packet<'static> {
        let mut packet = Packet::new(&[], Timestamp::default(), 1, 0, 101);
        packet.l4 = L4::Udp;
        packet.established = established;
        packet.payload_len = payload_len;
        (packet.src_port, packet.dst_port) = ports;
        packet
    }

    #[test]
    fn turns_away_what_cannot_match() {
        let gate = |text: &str| Gate::new(&test_rules::rule(text).unwrap_or_else(|_| panic!("{text}")));
        let passes = |gate: Gate, packet: &Packet<'_>, dir| Outside::new(packet, true, dir).passes(&gate);
        let sized = gate("alert udp any any -> any 6892:6893 (dsize:13<>32; content:\"c\"; sid:1;)");
        for (payload_len, port, expected) in
            [(14, 6892, true), (31, 6893, true), (13, 6892, false), (32, 6892, false), (14, 6891, false)]
        {
            assert_eq!(passes(sized, &packet(true, payload_len, (9, port)), Dir::ToServer), expected);
        }
        let flow = gate("alert udp any any -> any any (flow:established,to_client; content:\"abc\"; sid:1;)");
        assert!(passes(flow, &packet(true, 5, (1, 2)), Dir::ToClient));
        assert!(!passes(flow, &packet(false, 5, (1, 2)), Dir::ToClient));
        assert!(!passes(flow, &packet(true, 5, (1, 2)), Dir::ToServer));
        assert!(!Outside::new(&packet(true, 5, (1, 2)), false, Dir::ToClient).passes(&flow));
        let both = gate("alert udp any 53 <> any 99 (content:\"abc\"; sid:1;)");
        assert!(passes(both, &packet(true, 5, (99, 53)), Dir::ToServer));
        assert!(gate("alert http any any -> any any (http.uri; content:\"abc\"; sid:1;)").is_app());
    }
}
