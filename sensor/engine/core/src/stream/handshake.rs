//! The states up to the server's answer: none and SYN sent. Knows three-, four- and five-way handshakes, TCP Fast Open
//! (RFC 7413), forged SYN/ACKs and midstream pick-up. What follows the answer is in `syn_received.rs`.

use super::config::StreamConfig;
use super::counters::count;
use super::events::StreamEvent;
use super::session::{Bad, Candidate, Cx, TcpSession, TcpState, Verdict};
use super::side::StreamSide;
use crate::decode::TcpHeader;
use crate::direction::Dir;

/// Window scales above this are cut (RFC 7323, 2.3).
const WSCALE_MAX: u8 = 14;
/// Window assumed of a connection picked up in the middle, whose scale is unknown.
const MIDSTREAM_WINDOW: u32 = 1 << 20;

const SYN: u8 = TcpHeader::SYN;
const ACK: u8 = TcpHeader::ACK;
const RST: u8 = TcpHeader::RST;
const FIN: u8 = TcpHeader::FIN;

/// How a packet begins a session.
#[derive(Clone, Copy)]
pub(super) enum Beginning {
    Syn,
    /// Midstream: the client's SYN was not seen.
    SynAck,
    /// Midstream: no part of the handshake was seen.
    Later,
}

/// How a packet that belongs to no session begins one; None: it does not. Error: it is out of place.
pub(super) fn beginning(h: &TcpHeader, config: &StreamConfig) -> Result<Option<Beginning>, StreamEvent> {
    if h.has(RST) {
        return Err(StreamEvent::RstButNoSession);
    }
    let (midstream, one_sided) = (config.midstream, config.async_oneside);
    if h.has(FIN) && !(midstream && h.has(ACK) && !h.has(SYN)) {
        return Err(StreamEvent::FinButNoSession);
    }
    Ok(match h.flags & (SYN | ACK) {
        SYN => Some(Beginning::Syn),
        flags if flags == SYN | ACK && (midstream || one_sided) => Some(Beginning::SynAck),
        ACK if midstream => Some(Beginning::Later),
        _ => None,
    })
}

impl TcpSession {
    pub(super) fn on_none(&mut self, cx: &mut Cx) -> Verdict {
        match beginning(&cx.h, &cx.env.config) {
            Err(event) => return cx.bad(event),
            Ok(None) => return Ok(()),
            Ok(Some(Beginning::Syn)) => self.take_syn(cx),
            Ok(Some(Beginning::SynAck)) => self.pick_up_synack(cx),
            Ok(Some(Beginning::Later)) => self.pick_up(cx),
        }
        self.set_policies(cx);
        count(&mut cx.env.counters.sessions);
        if self.facts.midstream {
            count(&mut cx.env.counters.ssn_from_midstream);
        }
        if !cx.has(SYN) || self.facts.fast_open {
            self.store(cx);
        }
        Ok(())
    }

    /// The receiver's operating system decides how a side's overlaps resolve.
    fn set_policies(&mut self, cx: &mut Cx) {
        let (src, dst) = (cx.pkt.src, cx.pkt.dst);
        let (me, peer) = self.pair(cx.dir);
        me.t.policy = cx.env.config.hosts.of(dst);
        peer.t.policy = cx.env.config.hosts.of(src);
    }

    /// The client's SYN.
    fn take_syn(&mut self, cx: &mut Cx) {
        let h = cx.h;
        self.facts.one_sided = cx.env.config.async_oneside;
        offer(&mut self.client, &h, cx.now);
        self.server.t.window = u32::from(h.window);
        self.server.t.wscale = h.window_scale.unwrap_or(0).min(WSCALE_MAX);
        self.facts.client_wscale = h.window_scale.is_some();
        self.facts.fast_open = h.fast_open;
        self.facts.syn_data = 0;
        if h.fast_open && cx.len > 0 {
            self.facts.syn_data = cx.len;
            self.client.t.next_seq = self.client.t.next_seq.wrapping_add(cx.len);
        }
        self.enter(TcpState::SynSent);
    }

    fn pick_up_synack(&mut self, cx: &mut Cx) {
        let h = cx.h;
        self.facts.midstream = true;
        self.facts.midstream_synack = true;
        self.facts.one_sided = cx.env.config.async_oneside;
        offer(&mut self.server, &h, cx.now);
        let server = &mut self.server.t;
        server.last_ack = server.next_seq;
        // What the client offers was in the SYN that was not seen.
        server.window = MIDSTREAM_WINDOW;
        server.next_win = server.last_ack.wrapping_add(MIDSTREAM_WINDOW);
        let client = &mut self.client.t;
        client.isn = h.ack.wrapping_sub(1);
        client.anchored = true;
        client.next_seq = h.ack;
        client.last_ack = h.ack;
        client.window = u32::from(h.window);
        client.wscale = h.window_scale.unwrap_or(0).min(WSCALE_MAX);
        client.next_win = h.ack.wrapping_add(client.window);
        // The client's own scale was in the SYN that was not seen: assume the largest when the server agreed to one.
        self.server.t.wscale = if h.window_scale.is_some() { WSCALE_MAX } else { 0 };
        self.facts.timestamps = h.timestamp.is_some();
        self.enter(TcpState::SynRecv);
    }

    /// Picks the connection up at a packet with ACK, data or FIN.
    fn pick_up(&mut self, cx: &mut Cx) {
        let h = cx.h;
        self.facts.midstream = true;
        self.facts.one_sided = cx.env.config.async_oneside;
        self.facts.timestamps = h.timestamp.is_some();
        let end = cx.seq_end();
        let (me, peer) = self.pair(cx.dir);
        let sender = &mut me.t;
        sender.isn = h.seq.wrapping_sub(1);
        sender.anchored = true;
        sender.next_seq = end;
        sender.last_ack = h.seq;
        sender.wscale = WSCALE_MAX;
        sender.window = MIDSTREAM_WINDOW;
        sender.next_win = h.seq.wrapping_add(MIDSTREAM_WINDOW);
        if let Some((value, _)) = h.timestamp {
            sender.last_ts = value;
            sender.last_pkt_ts = cx.now;
        }
        let receiver = &mut peer.t;
        receiver.isn = h.ack.wrapping_sub(1);
        receiver.anchored = true;
        receiver.next_seq = h.ack;
        receiver.last_ack = h.ack;
        receiver.wscale = WSCALE_MAX;
        receiver.window = (u32::from(h.window) << WSCALE_MAX).max(MIDSTREAM_WINDOW);
        receiver.next_win = h.ack.wrapping_add(receiver.window);
        self.enter(TcpState::Established);
        if cx.has(FIN) {
            let (me, _) = self.pair(cx.dir);
            me.t.set_fin(end);
            me.t.next_seq = end.wrapping_add(1);
            self.enter(if cx.dir == Dir::ToServer { TcpState::CloseWait } else { TcpState::FinWait1 });
        }
    }

    pub(super) fn on_syn_sent(&mut self, cx: &mut Cx) -> Verdict {
        if cx.dir == Dir::ToClient {
            self.check_echo(cx)?;
        }
        if cx.has(RST) {
            return self.refuse(cx);
        }
        if cx.has(FIN) {
            return Ok(());
        }
        match (cx.h.flags & (SYN | ACK), cx.dir) {
            (flags, Dir::ToServer) if flags == SYN | ACK => self.four_way_synack(cx),
            (flags, Dir::ToClient) if flags == SYN | ACK => self.synack(cx),
            (SYN, Dir::ToServer) => self.syn_again(cx),
            (SYN, Dir::ToClient) => {
                let h = cx.h;
                self.facts.four_way = true;
                offer(&mut self.server, &h, cx.now);
                self.client.t.window = u32::from(h.window);
                self.client.t.wscale = h.window_scale.unwrap_or(0).min(WSCALE_MAX);
                Ok(())
            }
            (ACK, Dir::ToServer) if self.facts.one_sided => self.one_sided_ack(cx),
            _ => Ok(()),
        }
    }

    /// RST on a SYN: from the server it must acknowledge the SYN, from the client it must be the SYN's.
    fn refuse(&mut self, cx: &mut Cx) -> Verdict {
        let client = &self.client.t;
        let after_syn = client.isn.wrapping_add(1);
        let valid = match cx.dir {
            Dir::ToServer => cx.h.seq == client.isn,
            Dir::ToClient => {
                cx.has(ACK)
                    && (cx.h.ack == after_syn || cx.h.ack == client.next_seq || {
                        let candidates = self.candidates.iter().flat_map(|list| list.iter());
                        candidates.map(|c| c.header.seq.wrapping_add(1)).any(|seq| seq == cx.h.ack)
                    })
            }
        };
        if !valid {
            return Err(Bad);
        }
        count(&mut cx.env.counters.rst);
        self.before_rst = self.state;
        self.facts.closed_by_rst = true;
        self.enter(TcpState::Closed);
        Ok(())
    }

    /// Another SYN of the client before any answer.
    fn syn_again(&mut self, cx: &mut Cx) -> Verdict {
        if cx.h.seq == self.client.t.isn {
            if let Some((value, _)) = cx.h.timestamp {
                self.client.t.last_ts = value;
            }
            return Ok(());
        }
        let max = usize::from(cx.env.config.max_syn_queued);
        let verdict = self.remember(cx, max, StreamEvent::ThreeWhsSynFlood);
        if let (Err(_), Some(list), 1..) = (&verdict, self.candidates.as_mut(), max) {
            // The client's own SYN may come again in the middle of a flood of forged ones: the newest are kept.
            list.rotate_left(1);
            if let Some(last) = list.last_mut() {
                *last = Candidate { header: cx.h };
            }
        }
        verdict
    }

    /// Keeps a handshake segment for the case that the other end took it.
    pub(super) fn remember(&mut self, cx: &mut Cx, max: usize, flood: StreamEvent) -> Verdict {
        let list = self.candidates.get_or_insert_with(Default::default);
        let known = |c: &Candidate| {
            c.header.seq == cx.h.seq && c.header.ack == cx.h.ack && c.header.timestamp == cx.h.timestamp
        };
        if list.iter().any(known) {
            return Ok(());
        }
        if list.len() >= max {
            return cx.bad(flood);
        }
        list.push(Candidate { header: cx.h });
        Ok(())
    }

    /// The server's SYN/ACK.
    fn synack(&mut self, cx: &mut Cx) -> Verdict {
        let ack = cx.h.ack;
        let after_syn = self.client.t.isn.wrapping_add(1);
        if ack != after_syn && ack != self.client.t.next_seq {
            let found = self
                .candidates
                .iter()
                .flat_map(|list| list.iter())
                .find(|c| c.header.seq.wrapping_add(1) == ack)
                .copied();
            let Some(taken) = found else {
                return cx.bad(StreamEvent::ThreeWhsSynackWithWrongAck);
            };
            // The server answers another SYN than the first.
            self.client.restart();
            offer(&mut self.client, &taken.header, cx.now);
            self.server.t.window = u32::from(taken.header.window);
            self.server.t.wscale = taken.header.window_scale.unwrap_or(0).min(WSCALE_MAX);
            self.facts.client_wscale = taken.header.window_scale.is_some();
            self.facts.syn_data = 0;
        } else if self.facts.syn_data > 0 && ack == after_syn {
            // The server did not take the SYN's data; the client will send it again.
            cx.event(StreamEvent::ThreeWhsSynackTfoDataIgnored);
            self.client.t.next_seq = after_syn;
            self.client.restart();
            self.facts.syn_data = 0;
        }
        self.candidates = None;
        self.take_synack(cx);
        self.store(cx);
        let end = self.server.t.isn.wrapping_add(1).wrapping_add(cx.len);
        self.server.t.next_seq = end;
        self.enter(TcpState::SynRecv);
        Ok(())
    }

    /// Takes sequence numbers and options of a SYN/ACK.
    pub(super) fn take_synack(&mut self, cx: &mut Cx) {
        let h = cx.h;
        offer(&mut self.server, &h, cx.now);
        self.facts.timestamps = self.client.t.timestamps && h.timestamp.is_some();
        match h.window_scale {
            Some(scale) if self.facts.client_wscale => {
                self.client.t.wscale = scale.min(WSCALE_MAX);
            }
            _ => {
                self.client.t.wscale = 0;
                self.server.t.wscale = 0;
            }
        }
        let client = &mut self.client;
        client.t.window = u32::from(h.window);
        client.t.last_ack = h.ack;
        client.acknowledge(h.ack);
        client.t.next_win = h.ack.wrapping_add(client.t.window);
        let server = &mut self.server.t;
        server.last_ack = server.next_seq;
        server.next_win = server.last_ack.wrapping_add(server.window);
    }

    /// Four-way handshake: the client's SYN/ACK on the server's SYN.
    fn four_way_synack(&mut self, cx: &mut Cx) -> Verdict {
        if !self.facts.four_way {
            return cx.bad(StreamEvent::ThreeWhsSynackInWrongDirection);
        }
        if cx.h.ack != self.server.t.isn.wrapping_add(1) {
            return cx.bad(StreamEvent::FourWhsSynackWithWrongAck);
        }
        if cx.h.seq != self.client.t.isn {
            return cx.bad(StreamEvent::FourWhsSynackWithWrongSyn);
        }
        let h = cx.h;
        self.facts.timestamps = self.server.t.timestamps && h.timestamp.is_some();
        let server = &mut self.server.t;
        server.window = u32::from(h.window);
        server.wscale = h.window_scale.unwrap_or(0).min(WSCALE_MAX);
        server.last_ack = h.ack;
        server.next_win = h.ack.wrapping_add(server.window);
        let client = &mut self.client.t;
        client.last_ack = client.isn.wrapping_add(1);
        client.next_win = client.last_ack.wrapping_add(client.window);
        self.enter(TcpState::SynRecv);
        Ok(())
    }

    /// Only the client is seen: its ACK tells the server's sequence number.
    fn one_sided_ack(&mut self, cx: &mut Cx) -> Verdict {
        if cx.h.seq != self.client.t.next_seq {
            return cx.bad(StreamEvent::ThreeWhsAsyncWrongSeq);
        }
        let h = cx.h;
        let server = &mut self.server.t;
        server.isn = h.ack.wrapping_sub(1);
        server.anchored = true;
        server.next_seq = h.ack;
        server.last_ack = h.ack;
        server.window = u32::from(h.window) << server.wscale.min(WSCALE_MAX);
        server.next_win = h.ack.wrapping_add(server.window);
        let client = &mut self.client.t;
        client.last_ack = h.seq;
        client.wscale = WSCALE_MAX;
        client.window = MIDSTREAM_WINDOW;
        client.next_win = h.seq.wrapping_add(MIDSTREAM_WINDOW);
        client.next_seq = cx.seq_end();
        self.enter(TcpState::Established);
        self.store(cx);
        Ok(())
    }
}

/// Takes a sender's first sequence number and its options from its SYN.
fn offer(side: &mut StreamSide, h: &TcpHeader, now: u32) {
    side.t.isn = h.seq;
    side.t.anchored = true;
    side.t.next_seq = h.seq.wrapping_add(1);
    side.t.sack = h.sack_permitted;
    side.t.timestamps = h.timestamp.is_some();
    if let Some((value, _)) = h.timestamp {
        side.t.first_ts = value;
        side.t.last_ts = value;
        side.t.zero_timestamp = value == 0;
        side.t.last_pkt_ts = now;
    }
}
