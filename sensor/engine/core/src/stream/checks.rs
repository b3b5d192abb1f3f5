//! Validity of a segment against its connection: acknowledgement, timestamp (RFC 7323 PAWS), RST (RFC 5961 in the form of
//! each operating system), keep-alives and window updates.

use super::counters::count;
use super::events::StreamEvent;
use super::policy::OsPolicy;
use super::seq;
use super::session::{Bad, Cx, TcpSession, TcpState, Verdict};
use super::side::StreamSide;
use crate::decode::TcpHeader;

/// Seconds without a packet after which an old timestamp proves nothing (RFC 7323, 5.5: 24 days).
const PAWS_SECONDS: u32 = 24 * 24 * 3600;

impl TcpSession {
    /// Whether the acknowledgement lies in what its receiver (`peer`) may have been told; sets `pkt_invalid_ack`.
    pub(super) fn check_ack(&self, cx: &mut Cx) -> Verdict {
        if !cx.has(TcpHeader::ACK) {
            return Ok(());
        }
        let ack = cx.h.ack;
        let peer = &self.side(cx.dir.opposite()).t;
        if seq::geq(ack, peer.last_ack) && seq::leq(ack, peer.next_win) || ack == peer.last_ack {
            return Ok(());
        }
        if seq::lt(ack, peer.last_ack) {
            let oldest = peer.last_ack.wrapping_sub(peer.window.max(1));
            if peer.window == 0 || seq::geq(ack, oldest) {
                return Ok(());
            }
            return cx.bad(StreamEvent::PktInvalidAck);
        }
        if self.facts.one_sided || self.state <= TcpState::SynSent {
            return Ok(());
        }
        // A FIN, or the probe of a closed window, lies one past the window's edge; what we saw being sent is valid anyhow.
        if ack == peer.next_win.wrapping_add(1) || seq::leq(ack, peer.next_seq) {
            return Ok(());
        }
        cx.bad(StreamEvent::PktInvalidAck)
    }

    /// Protection against wrapped sequence numbers; remembers the timestamp of a valid packet.
    pub(super) fn check_timestamp(&mut self, cx: &mut Cx) -> Verdict {
        let Some((value, echo)) = cx.h.timestamp else {
            return Ok(());
        };
        if !self.facts.timestamps {
            return Ok(());
        }
        let (me, peer) = self.pair(cx.dir);
        if me.t.zero_timestamp || me.t.last_ts == 0 {
            me.t.zero_timestamp = false;
            me.t.last_ts = value;
            me.t.last_pkt_ts = cx.now;
            return Ok(());
        }
        // Hosts of these systems let the timestamp step back by one.
        let lowest_step = match peer.t.policy {
            OsPolicy::Linux | OsPolicy::Windows | OsPolicy::Windows2k3 | OsPolicy::Vista => -1,
            _ => 0,
        };
        let step = value.wrapping_sub(me.t.last_ts) as i32;
        let outdated = cx.now.saturating_sub(me.t.last_pkt_ts) > PAWS_SECONDS;
        if step < lowest_step && !outdated {
            return cx.bad(StreamEvent::PktInvalidTimestamp);
        }
        let _ = echo;
        if seq::leq(cx.h.seq, me.t.next_seq) || step > 0 {
            if step > 0 || outdated {
                me.t.last_ts = value;
            }
            me.t.last_pkt_ts = cx.now;
        }
        Ok(())
    }

    /// Before the handshake is over an answer must echo a timestamp that the client sent, or 0.
    pub(super) fn check_echo(&self, cx: &mut Cx) -> Verdict {
        let Some((_, echo)) = cx.h.timestamp else {
            return Ok(());
        };
        let client = &self.client.t;
        let sent = client.timestamps && (client.last_ts == echo || client.first_ts == echo);
        let candidates = self.candidates.iter().flat_map(|list| list.iter());
        let known = sent
            || candidates.filter_map(|c| c.header.timestamp).any(|(value, _)| value == echo)
            || echo == 0;
        if known {
            Ok(())
        } else {
            cx.bad(StreamEvent::PktInvalidTimestamp)
        }
    }

    /// Whether the receiver of a RST would take it.
    pub(super) fn check_rst(&mut self, cx: &mut Cx) -> Verdict {
        if self.facts.one_sided {
            return Ok(());
        }
        self.check_timestamp(cx)?;
        if cx.has(TcpHeader::ACK) && self.check_ack(cx).is_err() {
            return cx.bad(StreamEvent::RstInvalidAck);
        }
        // We miss packets: what we take for the expected sequence number may be behind.
        let lossy = self.facts.lossy;
        let (me, peer) = self.pair(cx.dir);
        let end = cx.h.seq.wrapping_add(cx.len);
        let window_edge = me.t.next_seq.wrapping_add(me.t.window);
        let in_window = seq::geq(end, me.t.last_ack) && seq::leq(cx.h.seq, window_edge);
        let valid = match peer.t.policy {
            OsPolicy::HpUx11 => seq::geq(cx.h.seq, me.t.next_seq),
            OsPolicy::Linux | OsPolicy::OldLinux | OsPolicy::Solaris => in_window,
            _ => cx.h.seq == me.t.next_seq || fin_is_next(me, cx.h.seq) || cx.h.seq == me.t.last_ack,
        } || lossy && cx.has(TcpHeader::ACK) && seq::geq(cx.h.seq, me.t.last_ack);
        if valid {
            Ok(())
        } else {
            Err(Bad)
        }
    }

    /// A valid RST: closes. What it carries is a diagnostic (RFC 1122, 4.2.2.12), not part of the stream.
    pub(super) fn reset(&mut self, cx: &mut Cx) -> Verdict {
        self.check_rst(cx)?;
        self.take_ack(cx);
        count(&mut cx.env.counters.rst);
        let end = cx.seq_end();
        let state = self.state;
        let (me, _) = self.pair(cx.dir);
        me.t.next_seq = seq::max(me.t.next_seq, end);
        me.t.rst_sent = true;
        me.t.signed_rst = cx.h.signed;
        me.acknowledge_received(); // nobody else will
        self.before_rst = state;
        self.facts.closed_by_rst = true;
        self.enter(TcpState::Closed);
        Ok(())
    }

    /// Keep-alive probes (one byte or none before the expected sequence number) and their answers change nothing.
    pub(super) fn skip_keepalive(&mut self, cx: &mut Cx) -> bool {
        if self.state < TcpState::Established
            || cx.h.flags & (TcpHeader::SYN | TcpHeader::FIN | TcpHeader::RST) != 0
            || !cx.has(TcpHeader::ACK)
        {
            return false;
        }
        let (me, peer) = self.pair(cx.dir);
        let probe = cx.len <= 1
            && cx.h.seq == me.t.next_seq.wrapping_sub(1)
            && cx.h.ack == peer.t.last_ack
            && me.t.next_seq == me.t.last_ack
            && cx.h.window != 0;
        if probe {
            me.t.keepalive = true;
            return true;
        }
        let answer =
            cx.len == 0 && peer.t.keepalive && cx.h.seq == me.t.next_seq && cx.h.ack == peer.t.next_seq;
        me.t.keepalive = false;
        peer.t.keepalive = false;
        answer
    }

    /// A window that shrinks by more than came, in a packet ahead of both ends.
    pub(super) fn check_window_update(&mut self, cx: &mut Cx) -> Verdict {
        if self.state < TcpState::Established
            || self.state == TcpState::Closed
            || cx.h.flags & (TcpHeader::SYN | TcpHeader::FIN | TcpHeader::RST) != 0
            || !cx.has(TcpHeader::ACK)
            || self.facts.one_sided
        {
            return Ok(());
        }
        let (me, peer) = self.pair(cx.dir);
        let window = u32::from(cx.h.window) << peer.t.wscale.min(14);
        if window >= peer.t.window {
            return Ok(());
        }
        let shrinks = peer.t.window.saturating_sub(window);
        let ahead = seq::gt(cx.h.ack, peer.t.next_seq) && seq::gt(cx.h.seq, me.t.next_seq);
        if ahead && shrinks > cx.len {
            return cx.bad(StreamEvent::PktBadWindowUpdate);
        }
        Ok(())
    }
}

fn fin_is_next(me: &StreamSide, seq: u32) -> bool {
    me.t.fin().is_some_and(|fin| seq == fin || seq == fin.wrapping_add(1))
}
