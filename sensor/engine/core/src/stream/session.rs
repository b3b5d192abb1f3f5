//! One TCP connection: its state, both sides, and the entry of a packet. The states themselves are in `state/`.

use super::config::StreamConfig;
use super::counters::{count, StreamCounters};
use super::events::StreamEvent;
use super::memory::MemoryGauge;
use super::seq;
use super::side::StreamSide;
use crate::decode::{Packet, TcpHeader};
use crate::direction::Dir;
use crate::flow::FlowState;

/// What the sessions of one worker share.
#[derive(Default)]
pub struct Streams {
    pub config: StreamConfig,
    pub counters: StreamCounters,
    /// Bytes that the sessions and their data hold.
    pub memory: MemoryGauge,
}

impl Streams {
    pub fn new(config: StreamConfig) -> Self {
        Streams { config, ..Streams::default() }
    }
}

/// States of a connection as both ends together show them; FIN states are named from the server's end, as Suricata does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum TcpState {
    #[default]
    None,
    SynSent,
    SynRecv,
    Established,
    FinWait1,
    FinWait2,
    TimeWait,
    LastAck,
    CloseWait,
    Closing,
    Closed,
}

impl TcpState {
    /// EVE `tcp.state`.
    pub fn name(self) -> &'static str {
        match self {
            TcpState::None => "none",
            TcpState::SynSent => "syn_sent",
            TcpState::SynRecv => "syn_recv",
            TcpState::Established => "established",
            TcpState::FinWait1 => "fin_wait1",
            TcpState::FinWait2 => "fin_wait2",
            TcpState::TimeWait => "time_wait",
            TcpState::LastAck => "last_ack",
            TcpState::CloseWait => "close_wait",
            TcpState::Closing => "closing",
            TcpState::Closed => "closed",
        }
    }
}

/// A handshake segment that may turn out to be the one the other end took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub header: TcpHeader,
}

/// Facts about the whole connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts {
    pub midstream: bool,
    /// Picked up at a SYN/ACK.
    pub midstream_synack: bool,
    /// Both ends sent a SYN (simultaneous open, split handshake).
    pub four_way: bool,
    /// Only one side is seen.
    pub one_sided: bool,
    pub fast_open: bool,
    pub timestamps: bool,
    pub client_wscale: bool,
    pub closed_by_rst: bool,
    /// An end acknowledged data that we did not see.
    pub lossy: bool,
    /// Bytes of data that came with the SYN.
    pub syn_data: u32,
}

/// Which sides may have something new to read after a packet, in the order they are to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamUpdate {
    pub first: Option<Dir>,
    pub second: Option<Dir>,
}

impl StreamUpdate {
    pub fn iter(self) -> impl Iterator<Item = Dir> {
        [self.first, self.second].into_iter().flatten()
    }
}

/// Both sides of a TCP connection.
pub struct TcpSession {
    pub(super) state: TcpState,
    /// State before a RST closed it.
    pub(super) before_rst: TcpState,
    pub(super) facts: Facts,
    /// Data that the client sends.
    pub(super) client: StreamSide,
    /// Data that the server sends.
    pub(super) server: StreamSide,
    /// SYNs, then SYN/ACKs, that differ from the one taken.
    #[allow(clippy::box_collection)] // rare: a pointer keeps idle sessions small
    pub(super) candidates: Option<Box<Vec<Candidate>>>,
}

/// Counted in `Streams::memory` from `new` on.
impl Drop for TcpSession {
    fn drop(&mut self) {
        self.client.gauge().session_ends(size_of::<TcpSession>() as u64);
    }
}

/// A packet is bad for the connection's state: it changes nothing.
#[derive(Debug)]
pub(super) struct Bad;
pub(super) type Verdict = Result<(), Bad>;

/// The packet in hand.
pub(super) struct Cx<'e, 'p, 'f> {
    pub env: &'e mut Streams,
    pub pkt: &'p mut Packet<'f>,
    pub h: TcpHeader,
    pub dir: Dir,
    /// Payload length.
    pub len: u32,
    /// Packet time in seconds.
    pub now: u32,
}

/// Tells of an acknowledgement that the header says is none.
pub(super) fn look_at_ack(h: &TcpHeader, pkt: &mut Packet) {
    if h.ack != 0 && !h.has(TcpHeader::ACK) {
        pkt.events.set(StreamEvent::PktBrokenAck.code());
    }
}

impl Cx<'_, '_, '_> {
    #[inline]
    pub fn event(&mut self, event: StreamEvent) {
        self.pkt.events.set(event.code());
    }
    /// Sets the event and refuses the packet.
    pub fn bad(&mut self, event: StreamEvent) -> Verdict {
        self.event(event);
        Err(Bad)
    }
    #[inline]
    pub fn has(&self, flags: u8) -> bool {
        self.h.has(flags)
    }
    /// Sequence number after the payload.
    #[inline]
    pub fn seq_end(&self) -> u32 {
        self.h.seq.wrapping_add(self.len)
    }
}

impl TcpSession {
    pub(super) fn new(env: &Streams) -> Self {
        let config = &env.config.reassembly;
        let side = |chunk| StreamSide::new(&env.memory, config.depth, chunk, config.raw);
        env.memory.session_begins(size_of::<TcpSession>() as u64);
        TcpSession {
            state: TcpState::None,
            before_rst: TcpState::None,
            facts: Facts::default(),
            client: side(config.toserver_chunk_size),
            server: side(config.toclient_chunk_size),
            candidates: None,
        }
    }

    /// The side whose data travels in `dir`.
    #[inline]
    pub fn side(&self, dir: Dir) -> &StreamSide {
        match dir {
            Dir::ToServer => &self.client,
            Dir::ToClient => &self.server,
        }
    }
    #[inline]
    pub fn side_mut(&mut self, dir: Dir) -> &mut StreamSide {
        match dir {
            Dir::ToServer => &mut self.client,
            Dir::ToClient => &mut self.server,
        }
    }
    /// (sender's side, receiver's side) of a packet.
    #[inline]
    pub(super) fn pair(&mut self, dir: Dir) -> (&mut StreamSide, &mut StreamSide) {
        match dir {
            Dir::ToServer => (&mut self.client, &mut self.server),
            Dir::ToClient => (&mut self.server, &mut self.client),
        }
    }

    pub fn state(&self) -> TcpState {
        self.state
    }
    /// Sequence numbers the sender of `dir` has used so far, SYN and FIN included (`stream_size`).
    pub fn bytes_seen(&self, dir: Dir) -> u64 {
        let tracking = &self.side(dir).t;
        u64::from(tracking.next_seq.wrapping_sub(tracking.isn))
    }
    /// EVE `tcp.state`.
    pub fn state_name(&self) -> &'static str {
        self.state.name()
    }
    pub fn is_closed(&self) -> bool {
        self.state == TcpState::Closed
    }
    pub fn is_established(&self) -> bool {
        self.state >= TcpState::Established
    }
    pub fn is_midstream(&self) -> bool {
        self.facts.midstream
    }
    /// The flow's state that goes with the connection's.
    pub fn flow_state(&self) -> FlowState {
        match self.state {
            TcpState::None | TcpState::SynSent | TcpState::SynRecv => FlowState::New,
            TcpState::Established
            | TcpState::FinWait1
            | TcpState::FinWait2
            | TcpState::Closing
            | TcpState::CloseWait => FlowState::Established,
            TcpState::LastAck | TcpState::TimeWait | TcpState::Closed => FlowState::Closed,
        }
    }

    /// Turns the connection round: what was taken for the client is the server. `Flow::swap` calls it.
    pub fn swap(&mut self) {
        std::mem::swap(&mut self.client, &mut self.server);
    }

    /// OR of the flags of all packets (EVE `tcp.tcp_flags`).
    pub fn tcp_flags(&self) -> u8 {
        self.client.t.tcp_flags | self.server.t.tcp_flags
    }

    /// Whether a packet begins another connection on the same ports: a SYN with another sequence number once this one is
    /// closing.
    pub(crate) fn is_reused_by(&self, header: &TcpHeader, dir: Dir) -> bool {
        let flags = header.flags & (TcpHeader::SYN | TcpHeader::ACK | TcpHeader::RST);
        if flags != TcpHeader::SYN {
            return false;
        }
        if dir == Dir::ToServer && header.seq == self.client.t.isn {
            return false;
        }
        self.state == TcpState::None || self.state >= TcpState::LastAck
    }

    /// Takes one packet of the connection: moves the state, stores the payload, sets stream events and the packet's
    /// `established` and `stream_added`. A bad packet changes nothing.
    pub fn packet(&mut self, env: &mut Streams, pkt: &mut Packet, dir: Dir) -> StreamUpdate {
        let Some(h) = pkt.tcp().copied() else {
            return StreamUpdate::default();
        };
        let len = pkt.payload_len;
        let now = pkt.ts.seconds() as u32;
        self.side_mut(dir).t.tcp_flags |= h.flags;
        look_at_ack(&h, pkt);
        let mut cx = Cx { env, pkt, h, dir, len, now };
        let had_depth = self.side(dir).depth_reached;
        let verdict = self.dispatch(&mut cx);
        if self.state >= TcpState::Established {
            cx.pkt.established = true;
        }
        match verdict {
            Ok(()) => {
                let mut update = self.update_of(h.flags, dir);
                if self.side(dir).depth_reached && !had_depth && update.first != Some(dir) {
                    // The end of what is followed is told at once, not with the next acknowledgement.
                    update.second = Some(dir);
                }
                update
            }
            Err(Bad) => StreamUpdate::default(),
        }
    }

    /// To be called when the sides were read after `packet`: reports the holes that were given up on.
    pub fn packet_done(&mut self, env: &mut Streams, pkt: &mut Packet) {
        for side in [&mut self.client, &mut self.server] {
            if std::mem::take(&mut side.gap_fresh) {
                count(&mut env.counters.reassembly_gap);
                pkt.events.set(StreamEvent::ReassemblySeqGap.code());
            }
        }
    }

    fn dispatch(&mut self, cx: &mut Cx) -> Verdict {
        if self.state == TcpState::None {
            return self.on_none(cx);
        }
        if self.skip_keepalive(cx) {
            return Ok(());
        }
        self.check_window_update(cx)?;
        self.on_state(self.state, cx)
    }

    pub(super) fn on_state(&mut self, state: TcpState, cx: &mut Cx) -> Verdict {
        match state {
            TcpState::None => self.on_none(cx),
            TcpState::SynSent => self.on_syn_sent(cx),
            TcpState::SynRecv => self.on_syn_recv(cx),
            TcpState::Established => self.on_established(cx),
            TcpState::FinWait1 | TcpState::FinWait2 | TcpState::CloseWait => self.on_half_closed(cx),
            TcpState::Closing | TcpState::LastAck | TcpState::TimeWait => self.on_last(cx),
            TcpState::Closed => self.on_closed(cx),
        }
    }

    /// Data becomes readable when the peer acknowledges it, so a packet mostly opens the other side's data.
    fn update_of(&self, flags: u8, dir: Dir) -> StreamUpdate {
        let (own, other) = (Some(dir), Some(dir.opposite()));
        let fin_seen = flags & TcpHeader::FIN != 0 && self.state > TcpState::TimeWait;
        let (first, second) = if flags & TcpHeader::RST != 0 {
            (own, None)
        } else if self.state == TcpState::Closed || (fin_seen && flags & TcpHeader::ACK != 0) {
            (other, own)
        } else if fin_seen {
            (own, None)
        } else {
            (other, None)
        };
        StreamUpdate { first, second }
    }

    /// Moves to another state; a closed connection's sides get no more bytes.
    pub(super) fn enter(&mut self, state: TcpState) {
        self.state = state;
        for side in [&mut self.client, &mut self.server] {
            side.closing = state > TcpState::TimeWait;
            if state == TcpState::Closed {
                (side.ended, side.closed) = (true, true);
            }
        }
    }

    /// Stores the payload in the sender's side.
    pub(super) fn store(&mut self, cx: &mut Cx) {
        let at = if cx.has(TcpHeader::SYN) { cx.h.seq.wrapping_add(1) } else { cx.h.seq };
        super::reassemble::store(self.side_mut(cx.dir), cx, at);
    }

    /// The packet's acknowledgement and window, taken for the receiver's side.
    pub(super) fn take_ack(&mut self, cx: &mut Cx) {
        if !cx.has(TcpHeader::ACK) {
            return;
        }
        let mut unseen = false;
        let (_, peer) = self.pair(cx.dir);
        let scale = u32::from(peer.t.wscale.min(14));
        peer.t.window = u32::from(cx.h.window) << scale;
        let ack = cx.h.ack;
        if seq::gt(ack, peer.t.next_seq) {
            // Data that we did not see was acknowledged.
            if seq::leq(ack, peer.t.next_win) || peer.t.fin().is_some() {
                count(&mut cx.env.counters.ack_unseen_data);
                peer.t.next_seq = ack;
                unseen = true;
            }
        }
        if seq::gt(ack, peer.t.last_ack) {
            peer.t.last_ack = ack;
            peer.acknowledge(ack);
        }
        let edge = peer.t.last_ack.wrapping_add(peer.t.window);
        peer.t.next_win = seq::max(peer.t.next_win, edge);
        if let Some(fin) = peer.t.fin() {
            if seq::gt(ack, fin) {
                peer.ended = true;
            }
        }
        self.facts.lossy |= unseen;
    }
}
