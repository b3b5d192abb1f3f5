//! What is known of one end of a connection: its sequence numbers, window and timestamps. It must not know its bytes.

use super::policy::OsPolicy;

/// Sequence state of the sender of this side's data. Fields as in RFC 9293, 3.3.1, seen from outside.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tracking {
    pub isn: u32,
    /// The next sequence number expected.
    pub next_seq: u32,
    /// The highest acknowledgement its peer sent for it.
    pub last_ack: u32,
    /// Right edge of the window its peer offers.
    pub next_win: u32,
    /// The window its peer offers, in bytes (scaled).
    pub window: u32,
    /// The scale of that window.
    pub wscale: u8,
    /// Timestamp of its SYN.
    pub first_ts: u32,
    pub last_ts: u32,
    /// Packet time of `last_ts`, seconds.
    pub last_pkt_ts: u32,
    /// OR of the flags it sent.
    pub tcp_flags: u8,
    pub policy: OsPolicy,
    pub timestamps: bool,
    pub zero_timestamp: bool,
    pub sack: bool,
    pub keepalive: bool,
    /// A RST that seems to come from it was accepted.
    pub rst_sent: bool,
    /// That RST was signed (`TcpHeader::signed`).
    pub signed_rst: bool,
    fin: u32,
    has_fin: bool,
    /// Stream offset 0 is known (`isn` is).
    pub anchored: bool,
    /// Urgent bytes left out of the stream.
    pub urgent_dropped: u16,
}

impl Tracking {
    /// Sequence number of its FIN, once one was accepted.
    #[inline]
    pub fn fin(&self) -> Option<u32> {
        self.has_fin.then_some(self.fin)
    }
    pub fn set_fin(&mut self, seq: u32) {
        (self.fin, self.has_fin) = (seq, true);
    }
}
