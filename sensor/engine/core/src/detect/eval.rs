//! Full evaluation of one rule against one packet: header, flow, packet tests, payload and stream.

use super::cx::{EvalCx, PacketCx, VARIABLES_MAX};
use super::endpoints::{AddrSet, Arrow, PortSet};
use super::lua::Scripts;
use super::rule::{BufferTest, Rule, Target, Transport};
use crate::app::{ProtocolId, Transaction, View};
use crate::decode::packet::L4;
use crate::decode::{Origin, Packet};
use crate::direction::Dir;
use crate::flow::Flow;

/// How often content inspection may go back within one rule (Suricata: `detect.inspection-recursion-limit`, 3000).
pub const INSPECTION_BUDGET: u32 = 3000;

/// One packet with its flow, ready for rules.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    pub packet: &'a Packet<'a>,
    pub flow: Option<&'a Flow>,
    pub dir: Dir,
    pub scripts: &'a Scripts,
}

/// What made a rule match.
pub struct Match {
    /// The bytes were those of the stream rather than of the packet.
    pub stream: bool,
    pub captures: Vec<(u32, Vec<u8>)>,
}

impl<'a> Scene<'a> {
    fn eval_cx<'b>(&'b self, rule: &'b Rule, tx: Option<(&'b dyn Transaction, ProtocolId)>) -> EvalCx<'b> {
        EvalCx {
            rule: Some(rule),
            scripts: self.scripts,
            packet: self.packet,
            flow: self.flow,
            dir: self.dir,
            tx,
            variables: [0; VARIABLES_MAX],
            budget: INSPECTION_BUDGET,
            base64: Vec::new(),
            captures: Vec::new(),
        }
    }

    /// The whole of a rule that is not about transactions.
    pub fn matches(&self, rule: &Rule) -> Option<Match> {
        // Cheap tests that say no most often come first.
        if !self.header(rule) || !self.protocol(rule) || !self.packet_tests(rule) || !self.endpoints(rule) {
            return None;
        }
        let mut cx = self.eval_cx(rule, None);
        for test in &rule.buffers {
            if !packet_buffer(test, &mut cx) {
                return None;
            }
        }
        let stream = match &rule.payload {
            None => false,
            Some(_) => self.payload(rule, &mut cx)?,
        };
        if !self.last_word(rule, &cx) {
            return None;
        }
        Some(Match { stream, captures: cx.captures })
    }

    /// Header and packet tests of a rule about transactions.
    pub fn admits(&self, rule: &Rule) -> bool {
        self.header(rule) && self.endpoints(rule) && self.packet_tests(rule)
    }

    /// One buffer test of a rule about transactions. `view` is already transformed.
    pub fn buffer(&self, test: &BufferTest, view: View<'_>, cx: &mut EvalCx<'_>) -> bool {
        test.program.matches(view, cx)
    }

    /// A fresh evaluation context without a transaction.
    pub fn packet_cx<'b>(&'b self, rule: &'b Rule) -> EvalCx<'b> {
        self.eval_cx(rule, None)
    }

    /// A fresh evaluation context for a transaction.
    pub fn tx_cx<'b>(&'b self, rule: &'b Rule, tx: &'b dyn Transaction, protocol: ProtocolId) -> EvalCx<'b> {
        self.eval_cx(rule, Some((tx, protocol)))
    }

    /// Payload contents of a rule: true when the stream matched, false when the packet did. None: neither.
    pub fn payload(&self, rule: &Rule, cx: &mut EvalCx<'_>) -> Option<bool> {
        let program = rule.payload.as_ref()?;
        if let Some(stretch) = self.payload_stream(rule) {
            if program.matches(View::whole(stretch), cx) {
                return Some(true);
            }
        }
        let payload = self.payload_packet(rule)?;
        program.matches(View::whole(payload), cx).then_some(false)
    }

    /// The stretch of stream that the payload contents of a rule look at. Positions count from its start, not from that of the
    /// stream: so does Suricata.
    pub fn payload_stream(&self, rule: &Rule) -> Option<&'a [u8]> {
        if !rule.payload_on_stream {
            return None;
        }
        self.raw().map(|raw| raw.data)
    }

    /// The packet's own bytes, where they look at those.
    pub fn payload_packet(&self, rule: &Rule) -> Option<&'a [u8]> {
        if rule.payload_on_stream {
            if rule.flow.only_stream || rule.transport == Transport::TcpStream {
                return None;
            }
            if !rule.payload_on_packet && self.packet.stream_added {
                return None;
            }
        }
        let inspectable = !self.packet.no_inspect && self.packet.origin != Origin::FlowEnd;
        inspectable.then(|| self.packet.payload())
    }

    fn raw(&self) -> Option<crate::stream::RawView<'a>> {
        let session = self.flow?.tcp.as_ref()?;
        session.side(self.dir).raw_chunk(self.packet.origin == Origin::FlowEnd)
    }

    /// The app protocol a rule without buffers asks for.
    pub(super) fn protocol(&self, rule: &Rule) -> bool {
        rule.protocols.is_empty()
            || self.flow.and_then(|f| f.app.protocol).is_some_and(|known| rule.protocols.contains(&known))
    }

    fn packet_tests(&self, rule: &Rule) -> bool {
        let cx = PacketCx { packet: self.packet, flow: self.flow, dir: self.dir };
        rule.packet_tests.iter().all(|t| t.matches(&cx))
    }

    /// What is asked last: the rule's scripts, and what workers share.
    pub fn last_word(&self, rule: &Rule, cx: &EvalCx<'_>) -> bool {
        if !rule.scripts.iter().all(|test| cx.scripts.holds(test, cx, None)) {
            return false;
        }
        let cx = PacketCx { packet: self.packet, flow: self.flow, dir: self.dir };
        rule.shared_tests.iter().all(|test| test.matches(&cx))
    }

    fn header(&self, rule: &Rule) -> bool {
        self.transport(rule) && self.flow_condition(rule)
    }

    /// The kind of packet.
    pub(super) fn transport(&self, rule: &Rule) -> bool {
        let packet = self.packet;
        match rule.transport {
            Transport::Any | Transport::App => true,
            Transport::Ip => packet.ip_version != 0,
            Transport::Ipv4 => packet.ip_version == 4,
            Transport::Ipv6 => packet.ip_version == 6,
            Transport::Tcp | Transport::TcpPacket | Transport::TcpStream => matches!(packet.l4, L4::Tcp(_)),
            Transport::Udp => matches!(packet.l4, L4::Udp),
            Transport::Icmp => matches!(packet.l4, L4::Icmp { .. }),
            Transport::Icmp4 => matches!(packet.l4, L4::Icmp { v6: false, .. }),
            Transport::Icmp6 => matches!(packet.l4, L4::Icmp { v6: true, .. }),
            Transport::Sctp => matches!(packet.l4, L4::Sctp),
            Transport::Arp => packet.arp_off.is_some(),
            Transport::Ether => packet.has_ethernet,
            Transport::Number(number) => packet.ip_version != 0 && packet.proto == number,
        }
    }

    /// `flow:`
    pub(super) fn flow_condition(&self, rule: &Rule) -> bool {
        let want = &rule.flow;
        if *want == Default::default() {
            return true;
        }
        if (want.no_frag && self.packet.is_fragment) || (want.only_frag && !self.packet.is_fragment) {
            return false;
        }
        let needs_flow = want.dir.is_some() || want.established || want.not_established;
        if needs_flow && self.flow.is_none() {
            return false;
        }
        want.dir.is_none_or(|d| d == self.dir)
            && (!want.established || self.packet.established)
            && (!want.not_established || !self.packet.established)
    }

    fn endpoints(&self, rule: &Rule) -> bool {
        use End::{Destination, DestinationPort, Source, SourcePort};
        let holds = |turned| {
            [SourcePort, DestinationPort, Source, Destination]
                .into_iter()
                .all(|end| self.end_holds(rule, end, turned))
        };
        match rule.arrow {
            Arrow::Right => holds(false),
            Arrow::Both => holds(false) || holds(true),
            Arrow::Transaction => holds(self.dir == Dir::ToClient),
        }
    }

    /// Whether one part of the header's ends is the packet's; `turned`: as an answer would have them.
    #[inline(always)]
    pub(super) fn end_holds(&self, rule: &Rule, end: End, turned: bool) -> bool {
        let p = self.packet;
        let has_ports = matches!(p.l4, L4::Tcp(_) | L4::Udp | L4::Sctp);
        let port = |set: &PortSet, port: u16| if has_ports { set.contains(port) } else { set.0.is_none() };
        let address =
            |set: &AddrSet, address| if p.ip_version == 0 { set.0.is_none() } else { set.contains(address) };
        let (source_is_first, wants_source) = (!turned, matches!(end, End::Source | End::SourcePort));
        let first = source_is_first == wants_source;
        match end {
            End::Source => address(&rule.src, if first { p.src } else { p.dst }),
            End::SourcePort => port(&rule.src_ports, if first { p.src_port } else { p.dst_port }),
            End::Destination => address(&rule.dst, if first { p.src } else { p.dst }),
            End::DestinationPort => port(&rule.dst_ports, if first { p.src_port } else { p.dst_port }),
        }
    }
}

/// A part of the header's ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Source,
    SourcePort,
    Destination,
    DestinationPort,
}

/// A header buffer (`tcp.hdr` ...) with its transforms.
fn packet_buffer(test: &BufferTest, cx: &mut EvalCx<'_>) -> bool {
    let Target::Packet(read) = test.target else { return false };
    let Some(bytes) = read(cx.packet) else { return false };
    if test.transforms.is_empty() {
        return test.program.matches(View::whole(bytes), cx);
    }
    let shaped = shape(test, bytes, cx.scripts);
    test.program.matches(View::whole(&shaped), cx)
}

/// Applies a test's transforms in order.
pub fn shape(test: &BufferTest, bytes: &[u8], scripts: &Scripts) -> Vec<u8> {
    let mut current = bytes.to_vec();
    let mut next = Vec::new();
    for transform in &test.transforms {
        next.clear();
        transform.apply(&current, &mut next, scripts);
        std::mem::swap(&mut current, &mut next);
    }
    current
}
