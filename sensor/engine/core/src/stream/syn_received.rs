//! The state between the server's SYN/ACK and the ACK that establishes the connection: repeated SYN/ACKs, which of them
//! the client took, and servers that send before that ACK. It must not open connections: `handshake.rs` does.

use super::events::StreamEvent;
use super::seq;
use super::session::{Cx, TcpSession, TcpState, Verdict};
use super::side::StreamSide;
use crate::decode::TcpHeader;
use crate::direction::Dir;

const SYN: u8 = TcpHeader::SYN;
const ACK: u8 = TcpHeader::ACK;
const RST: u8 = TcpHeader::RST;
const FIN: u8 = TcpHeader::FIN;

impl TcpSession {
    pub(super) fn on_syn_recv(&mut self, cx: &mut Cx) -> Verdict {
        if cx.has(RST) {
            return self.reset(cx);
        }
        if cx.has(FIN) && !cx.has(SYN) {
            return self.fin(cx);
        }
        match (cx.h.flags & (SYN | ACK), cx.dir) {
            (flags, _) if flags == SYN | ACK => self.synack_again(cx),
            (SYN, Dir::ToClient) => cx.bad(StreamEvent::ThreeWhsSynToclientOnSynRecv),
            (SYN, Dir::ToServer) if cx.h.seq != self.client.t.isn => {
                cx.bad(StreamEvent::ThreeWhsSynResendDiffSeqOnSynRecv)
            }
            (ACK, Dir::ToServer) => self.handshake_ack(cx),
            (ACK, Dir::ToClient) => self.server_ack(cx),
            _ => Ok(()),
        }
    }

    fn synack_again(&mut self, cx: &mut Cx) -> Verdict {
        if cx.dir == Dir::ToServer {
            return cx.bad(StreamEvent::ThreeWhsSynackToserverOnSynRecv);
        }
        if self.facts.four_way && cx.h.seq == self.server.t.isn {
            return Ok(());
        }
        if cx.h.ack != self.client.t.last_ack && cx.h.ack != self.client.t.next_seq {
            return cx.bad(StreamEvent::ThreeWhsSynackResendWithDifferentAck);
        }
        if cx.h.seq == self.server.t.isn {
            return Ok(());
        }
        cx.event(StreamEvent::ThreeWhsSynackResendWithDiffSeq);
        let max = usize::from(cx.env.config.max_synack_queued);
        self.remember(cx, max, StreamEvent::ThreeWhsSynackFlood)
    }

    /// The client's ACK, which ends the handshake.
    fn handshake_ack(&mut self, cx: &mut Cx) -> Verdict {
        let ack = cx.h.ack;
        let in_range = |side: &StreamSide| {
            let first = side.t.isn.wrapping_add(1);
            seq::geq(ack, first) && seq::leq(ack, side.t.next_seq)
        };
        if !in_range(&self.server) {
            // Perhaps it takes one of the other SYN/ACKs.
            let found = self
                .candidates
                .iter()
                .flat_map(|list| list.iter())
                .find(|c| c.header.seq.wrapping_add(1) == ack)
                .copied();
            if let Some(taken) = found {
                let ours = cx.h;
                cx.h = taken.header;
                self.take_synack(cx);
                cx.h = ours;
            }
        }
        self.check_timestamp(cx)?;
        let midstream = self.facts.midstream;
        let client = &self.client.t;
        let expected = cx.h.seq == client.next_seq;
        // The SYN's data again, or data after an ACK that was not seen.
        let again = self.facts.fast_open
            && seq::geq(cx.h.seq, client.isn.wrapping_add(1))
            && seq::leq(cx.h.seq, client.next_seq);
        let later = seq::gt(cx.h.seq, client.next_seq) && seq::leq(cx.seq_end(), client.next_win);
        let acked = in_range(&self.server) || self.facts.four_way && self.check_ack(cx).is_ok();
        if !acked {
            // An acknowledgement of data that we did not see the server send is fine within its window.
            let window = &self.server.t;
            let unseen =
                later && !expected && seq::gt(ack, window.next_seq) && seq::leq(ack, window.next_win);
            if !unseen && !midstream {
                return cx.bad(if expected {
                    StreamEvent::ThreeWhsRightSeqWrongAckEvasion
                } else {
                    StreamEvent::ThreeWhsWrongSeqWrongAck
                });
            }
        } else if !(expected || again || later || midstream || self.facts.one_sided) {
            return cx.bad(StreamEvent::ThreeWhsWrongSeqWrongAck);
        }
        self.candidates = None;
        self.establish(cx);
        Ok(())
    }

    fn establish(&mut self, cx: &mut Cx) {
        self.enter(TcpState::Established);
        let end = cx.seq_end();
        let (me, _) = self.pair(cx.dir);
        me.t.next_seq = seq::max(me.t.next_seq, end);
        self.take_ack(cx);
        self.store(cx);
    }

    /// An ACK of the server before the client's: the end of a four-way handshake, or data right behind the SYN/ACK.
    fn server_ack(&mut self, cx: &mut Cx) -> Verdict {
        let expected = cx.h.seq == self.server.t.next_seq;
        if self.facts.four_way {
            if !expected {
                return cx.bad(StreamEvent::FourWhsWrongSeq);
            }
            if self.check_ack(cx).is_err() {
                return cx.bad(StreamEvent::FourWhsInvalidAck);
            }
            self.establish(cx);
            return Ok(());
        }
        if cx.len == 0 && !self.facts.fast_open && !self.facts.midstream_synack {
            return cx.bad(StreamEvent::ThreeWhsAckInWrongDir);
        }
        self.check_timestamp(cx)?;
        let in_window =
            seq::geq(cx.h.seq, self.server.t.next_seq) && seq::leq(cx.seq_end(), self.server.t.next_win);
        if !in_window || self.check_ack(cx).is_err() {
            return cx.bad(if cx.len > 0 {
                StreamEvent::ThreeWhsAckDataInject
            } else {
                StreamEvent::ThreeWhsAckInWrongDir
            });
        }
        // The client's ACK was lost on the way to us.
        self.establish(cx);
        Ok(())
    }
}
