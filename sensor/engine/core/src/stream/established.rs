//! The established state, data segments, and what every later state shares with it.

use super::events::StreamEvent;
use super::seq;
use super::session::{Cx, TcpSession, TcpState, Verdict};
use crate::decode::TcpHeader;
use crate::direction::Dir;

const SYN: u8 = TcpHeader::SYN;
const ACK: u8 = TcpHeader::ACK;
const RST: u8 = TcpHeader::RST;
const FIN: u8 = TcpHeader::FIN;

impl TcpSession {
    pub(super) fn on_established(&mut self, cx: &mut Cx) -> Verdict {
        if cx.h.flags & (SYN | RST | FIN) == 0 {
            return if cx.has(ACK) { self.data(cx) } else { Ok(()) };
        }
        if cx.has(RST) {
            return self.reset(cx);
        }
        if cx.has(FIN) {
            if cx.has(SYN) {
                cx.event(StreamEvent::FinSyn);
            }
            return self.fin(cx);
        }
        if cx.has(ACK) {
            self.late_synack(cx)
        } else {
            self.late_syn(cx)
        }
    }

    fn late_synack(&mut self, cx: &mut Cx) -> Verdict {
        if cx.dir == Dir::ToServer {
            return cx.bad(StreamEvent::EstSynackToserver);
        }
        if cx.h.ack != self.client.t.isn.wrapping_add(1) && cx.h.ack != self.client.t.last_ack {
            return cx.bad(StreamEvent::EstSynackResendWithDifferentAck);
        }
        if cx.h.seq != self.server.t.isn {
            return cx.bad(StreamEvent::EstSynackResendWithDiffSeq);
        }
        if self.server.t.next_seq == self.server.t.isn.wrapping_add(1) {
            // The client's ACK may have been lost behind us: the server repeats itself rightly.
            return Ok(());
        }
        cx.bad(StreamEvent::EstSynackResend)
    }

    fn late_syn(&mut self, cx: &mut Cx) -> Verdict {
        cx.bad(if cx.dir == Dir::ToClient {
            StreamEvent::EstSynToclient
        } else if cx.h.seq != self.client.t.isn {
            StreamEvent::EstSynResendDiffSeq
        } else {
            StreamEvent::EstSynResend
        })
    }

    /// A segment with ACK and perhaps data.
    pub(super) fn data(&mut self, cx: &mut Cx) -> Verdict {
        self.check_timestamp(cx)?;
        if self.check_ack(cx).is_err() {
            return cx.bad(StreamEvent::EstInvalidAck);
        }
        let end = cx.seq_end();
        let loose = self.facts.midstream || self.facts.one_sided;
        if cx.len > 0 && seq::leq(end, self.side(cx.dir).t.last_ack) {
            cx.event(StreamEvent::PktSpuriousRetransmission);
        }
        let me = &self.side(cx.dir).t;
        if seq::lt(end, me.last_ack) && !loose {
            return cx.bad(StreamEvent::EstPktBeforeLastAck);
        }
        // A probe of a closed window sends one byte beyond it.
        let probe = cx.len == 1 && me.window == 0 && cx.h.seq == me.next_seq;
        if seq::gt(end, me.next_win) && !loose && !probe {
            return cx.bad(StreamEvent::EstPacketOutOfWindow);
        }
        self.take_data(cx, end);
        Ok(())
    }

    /// Takes sequence numbers, acknowledgement and payload of a valid segment.
    pub(super) fn take_data(&mut self, cx: &mut Cx, end: u32) {
        let one_sided = self.facts.one_sided;
        let (me, _) = self.pair(cx.dir);
        me.t.next_seq = seq::max(me.t.next_seq, end);
        if one_sided {
            // Nobody will acknowledge: what was sent before this segment counts as received.
            let first = cx.h.seq;
            if seq::gt(first, me.t.last_ack) {
                me.t.last_ack = first;
                me.acknowledge(first);
            }
            me.t.next_win = seq::max(me.t.next_win, end.wrapping_add(me.t.window));
        }
        self.take_ack(cx);
        self.store(cx);
    }

    /// A FIN on a connection where its sender has not sent one before.
    pub(super) fn fin(&mut self, cx: &mut Cx) -> Verdict {
        self.check_timestamp(cx)?;
        if self.check_ack(cx).is_err() {
            return cx.bad(StreamEvent::FinInvalidAck);
        }
        let end = cx.seq_end();
        let (me, _) = self.pair(cx.dir);
        let edge = me.t.last_ack.wrapping_add(me.t.window);
        if seq::lt(cx.h.seq, me.t.last_ack) || seq::gt(cx.h.seq, edge) && me.t.window != 0 {
            return cx.bad(StreamEvent::FinOutOfWindow);
        }
        let next = match cx.dir {
            Dir::ToServer => TcpState::CloseWait,
            Dir::ToClient => TcpState::FinWait1,
        };
        self.enter(next);
        self.take_fin(cx, end);
        Ok(())
    }

    /// Takes the FIN's place in sequence space with its data and acknowledgement.
    pub(super) fn take_fin(&mut self, cx: &mut Cx, end: u32) {
        self.take_data(cx, end);
        let (me, _) = self.pair(cx.dir);
        me.t.set_fin(end);
        me.t.next_seq = seq::max(me.t.next_seq, end.wrapping_add(1));
    }
}
