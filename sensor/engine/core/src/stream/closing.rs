//! The states after the first FIN, and packets on a closed connection.

use super::events::StreamEvent;
use super::seq;
use super::session::{Bad, Cx, TcpSession, TcpState, Verdict};
use crate::decode::TcpHeader;
use crate::direction::Dir;

const SYN: u8 = TcpHeader::SYN;
const ACK: u8 = TcpHeader::ACK;
const RST: u8 = TcpHeader::RST;
const FIN: u8 = TcpHeader::FIN;

/// Events by state for an acknowledgement and for a sequence number that cannot be.
struct Complaints {
    ack: StreamEvent,
    seq: StreamEvent,
    fin: StreamEvent,
    before: StreamEvent,
}

fn complaints(state: TcpState) -> Complaints {
    use StreamEvent as E;
    let (ack, seq, fin, before) = match state {
        TcpState::FinWait1 => {
            (E::Fin1InvalidAck, E::Fin1AckWrongSeq, E::Fin1FinWrongSeq, E::EstPktBeforeLastAck)
        }
        TcpState::FinWait2 => {
            (E::Fin2InvalidAck, E::Fin2AckWrongSeq, E::Fin2FinWrongSeq, E::EstPktBeforeLastAck)
        }
        TcpState::CloseWait => (
            E::ClosewaitInvalidAck,
            E::ClosewaitAckOutOfWindow,
            E::ClosewaitFinOutOfWindow,
            E::ClosewaitPktBeforeLastAck,
        ),
        TcpState::Closing => {
            (E::ClosingInvalidAck, E::ClosingAckWrongSeq, E::ClosingAckWrongSeq, E::EstPktBeforeLastAck)
        }
        TcpState::LastAck => {
            (E::LastackInvalidAck, E::LastackAckWrongSeq, E::LastackAckWrongSeq, E::EstPktBeforeLastAck)
        }
        _ => (E::TimewaitInvalidAck, E::TimewaitAckWrongSeq, E::TimewaitAckWrongSeq, E::EstPktBeforeLastAck),
    };
    Complaints { ack, seq, fin, before }
}

impl TcpSession {
    /// One end has sent its FIN: FIN-WAIT-1, FIN-WAIT-2 (the server's was first) or CLOSE-WAIT (the client's was).
    pub(super) fn on_half_closed(&mut self, cx: &mut Cx) -> Verdict {
        if cx.has(RST) {
            return self.reset(cx);
        }
        if cx.has(SYN) {
            return cx.bad(StreamEvent::ShutdownSynResend);
        }
        let says = complaints(self.state);
        self.check_timestamp(cx)?;
        if self.check_ack(cx).is_err() {
            return cx.bad(says.ack);
        }
        let end = cx.seq_end();
        let loose = self.facts.midstream || self.facts.one_sided;
        self.note_retransmission(cx);
        let client_closes = self.state == TcpState::CloseWait;
        let (me, _) = self.pair(cx.dir);
        if seq::lt(end, me.t.last_ack) && cx.len > 0 && !loose {
            return cx.bad(says.before);
        }
        // Once more, though it was acknowledged.
        if client_closes
            && cx.has(FIN)
            && cx.len == 0
            && me.ended
            && seq::lt(cx.h.seq, me.t.last_ack)
            && !loose
        {
            return cx.bad(says.fin);
        }
        let edge = seq::max(me.t.next_win, me.t.next_seq);
        if seq::gt(end, edge) && !loose {
            return cx.bad(if cx.has(FIN) { says.fin } else { says.seq });
        }
        if cx.has(FIN) && me.t.fin().is_none() {
            if seq::lt(cx.h.seq, me.t.last_ack) && !loose {
                return cx.bad(says.fin);
            }
            self.take_fin(cx, end);
            let next = match (self.state, cx.dir) {
                (TcpState::CloseWait, _) => TcpState::LastAck,
                _ if self.server.ended || cx.has(ACK) => TcpState::TimeWait,
                _ => TcpState::Closing,
            };
            self.enter(next);
            return Ok(());
        }
        if cx.has(ACK) || cx.has(FIN) {
            self.take_data(cx, end);
            if self.state == TcpState::FinWait1 && cx.dir == Dir::ToServer && self.server.ended {
                self.enter(TcpState::FinWait2);
            }
        }
        Ok(())
    }

    /// Both ends have sent their FIN: CLOSING, LAST-ACK, TIME-WAIT.
    pub(super) fn on_last(&mut self, cx: &mut Cx) -> Verdict {
        if cx.has(RST) {
            return self.reset(cx);
        }
        if cx.has(SYN) {
            return cx.bad(StreamEvent::ShutdownSynResend);
        }
        if !cx.has(ACK) {
            return Ok(());
        }
        let says = complaints(self.state);
        self.check_timestamp(cx)?;
        if self.check_ack(cx).is_err() {
            return cx.bad(says.ack);
        }
        let end = cx.seq_end();
        let loose = self.facts.midstream || self.facts.one_sided;
        let (me, _) = self.pair(cx.dir);
        // After the FIN nothing new may come; what was sent before it may come again.
        if seq::gt(end, me.t.next_seq) && !loose {
            return cx.bad(says.seq);
        }
        let again = cx.has(FIN) || seq::lt(cx.h.seq, me.t.fin().unwrap_or(me.t.next_seq));
        self.take_data(cx, end);
        let next = match (self.state, cx.dir) {
            (TcpState::Closing, _) if !again => TcpState::TimeWait,
            (TcpState::LastAck, Dir::ToServer) if !again => TcpState::Closed,
            (TcpState::TimeWait, _) if !again => TcpState::Closed,
            (state, _) => state,
        };
        self.enter(next);
        Ok(())
    }

    /// Data that came before, once one end has begun to close.
    fn note_retransmission(&self, cx: &mut Cx) {
        let end = cx.seq_end();
        let me = &self.side(cx.dir).t;
        if cx.len == 0 {
            return;
        }
        if seq::leq(end, me.last_ack) {
            cx.event(StreamEvent::PktSpuriousRetransmission);
        } else if seq::leq(end, me.next_seq) || seq::lt(cx.h.seq, me.last_ack) {
            cx.event(StreamEvent::PktRetransmission);
        }
    }

    /// A packet on a connection that is closed. When the end that seems to have sent a RST goes on with new data, it did not
    /// send it: it was injected, and the connection goes on. If the RST was signed, which an end without keys drops, any
    /// packet will do.
    pub(super) fn on_closed(&mut self, cx: &mut Cx) -> Verdict {
        if cx.has(RST) || !self.facts.closed_by_rst {
            return Ok(());
        }
        let (me, _) = self.pair(cx.dir);
        let is_new = cx.len > 0 && seq::geq(cx.h.seq, me.t.next_seq);
        let goes_on = me.t.rst_sent && (me.t.signed_rst || is_new);
        if !goes_on || self.before_rst < TcpState::Established {
            return Err(Bad);
        }
        let before = self.before_rst;
        self.enter(before);
        let verdict = self.on_state(before, cx);
        if verdict.is_err() {
            self.enter(TcpState::Closed);
            return verdict;
        }
        self.facts.closed_by_rst = false;
        let (me, peer) = self.pair(cx.dir);
        me.t.rst_sent = false;
        me.ended = me.ended && me.t.fin().is_some();
        peer.ended = peer.ended && peer.t.fin().is_some();
        (me.closed, peer.closed) = (false, false);
        cx.event(StreamEvent::SuspectedRstInject);
        Ok(())
    }
}
