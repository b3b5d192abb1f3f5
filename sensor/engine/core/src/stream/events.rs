//! Stream events: oddities of a TCP connection that rules can match (`stream-event:NAME`). Names are Suricata's.

/// The first stream event code; decoder events lie below.
pub const FIRST: u16 = 512;

macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// One stream event; its code is `FIRST` + index in `NAMES`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u16)]
        pub enum StreamEvent {
            $($(#[$doc])* $variant,)*
        }
        /// Keyword names by index.
        pub const NAMES: &[&str] = &[$($name,)*];
    };
}

events! {
    ThreeWhsAckInWrongDir = "3whs_ack_in_wrong_dir",
    ThreeWhsAsyncWrongSeq = "3whs_async_wrong_seq",
    ThreeWhsRightSeqWrongAckEvasion = "3whs_right_seq_wrong_ack_evasion",
    ThreeWhsSynackInWrongDirection = "3whs_synack_in_wrong_direction",
    ThreeWhsSynackResendWithDifferentAck = "3whs_synack_resend_with_different_ack",
    ThreeWhsSynackResendWithDiffSeq = "3whs_synack_resend_with_diff_seq",
    ThreeWhsSynackToserverOnSynRecv = "3whs_synack_toserver_on_syn_recv",
    ThreeWhsSynackWithWrongAck = "3whs_synack_with_wrong_ack",
    ThreeWhsSynackFlood = "3whs_synack_flood",
    ThreeWhsSynackTfoDataIgnored = "3whs_synack_tfo_data_ignored",
    ThreeWhsSynFlood = "3whs_syn_flood",
    ThreeWhsSynResendDiffSeqOnSynRecv = "3whs_syn_resend_diff_seq_on_syn_recv",
    ThreeWhsSynToclientOnSynRecv = "3whs_syn_toclient_on_syn_recv",
    ThreeWhsWrongSeqWrongAck = "3whs_wrong_seq_wrong_ack",
    ThreeWhsAckDataInject = "3whs_ack_data_inject",
    FourWhsSynackWithWrongAck = "4whs_synack_with_wrong_ack",
    FourWhsSynackWithWrongSyn = "4whs_synack_with_wrong_syn",
    FourWhsWrongSeq = "4whs_wrong_seq",
    FourWhsInvalidAck = "4whs_invalid_ack",
    ClosewaitAckOutOfWindow = "closewait_ack_out_of_window",
    ClosewaitFinOutOfWindow = "closewait_fin_out_of_window",
    ClosewaitPktBeforeLastAck = "closewait_pkt_before_last_ack",
    ClosewaitInvalidAck = "closewait_invalid_ack",
    ClosingAckWrongSeq = "closing_ack_wrong_seq",
    ClosingInvalidAck = "closing_invalid_ack",
    EstPacketOutOfWindow = "est_packet_out_of_window",
    EstPktBeforeLastAck = "est_pkt_before_last_ack",
    EstSynackResend = "est_synack_resend",
    EstSynackResendWithDifferentAck = "est_synack_resend_with_different_ack",
    EstSynackResendWithDiffSeq = "est_synack_resend_with_diff_seq",
    EstSynackToserver = "est_synack_toserver",
    EstSynResend = "est_syn_resend",
    EstSynResendDiffSeq = "est_syn_resend_diff_seq",
    EstSynToclient = "est_syn_toclient",
    EstInvalidAck = "est_invalid_ack",
    EstAckZwpData = "est_ack_zwp_data",
    FinInvalidAck = "fin_invalid_ack",
    Fin1AckWrongSeq = "fin1_ack_wrong_seq",
    Fin1FinWrongSeq = "fin1_fin_wrong_seq",
    Fin1InvalidAck = "fin1_invalid_ack",
    Fin2AckWrongSeq = "fin2_ack_wrong_seq",
    Fin2FinWrongSeq = "fin2_fin_wrong_seq",
    Fin2InvalidAck = "fin2_invalid_ack",
    FinButNoSession = "fin_but_no_session",
    FinOutOfWindow = "fin_out_of_window",
    FinSyn = "fin_syn",
    LastackAckWrongSeq = "lastack_ack_wrong_seq",
    LastackInvalidAck = "lastack_invalid_ack",
    RstButNoSession = "rst_but_no_session",
    RstInvalidAck = "rst_invalid_ack",
    TimewaitAckWrongSeq = "timewait_ack_wrong_seq",
    TimewaitInvalidAck = "timewait_invalid_ack",
    ShutdownSynResend = "shutdown_syn_resend",
    PktInvalidTimestamp = "pkt_invalid_timestamp",
    PktInvalidAck = "pkt_invalid_ack",
    PktBrokenAck = "pkt_broken_ack",
    PktBadWindowUpdate = "pkt_bad_window_update",
    PktRetransmission = "pkt_retransmission",
    PktSpuriousRetransmission = "pkt_spurious_retransmission",
    SuspectedRstInject = "suspected_rst_inject",
    /// Only a sensor that spreads flows over threads wrongly sets it; kept so that rules load.
    WrongThread = "wrong_thread",
    ReassemblySegmentBeforeBaseSeq = "reassembly_segment_before_base_seq",
    ReassemblyNoSegment = "reassembly_no_segment",
    ReassemblySeqGap = "reassembly_seq_gap",
    ReassemblyOverlapDifferentData = "reassembly_overlap_different_data",
    ReassemblyDepthReached = "reassembly_depth_reached",
    ReassemblyInsertLimit = "reassembly_insert_limit",
    ReassemblyInsertMemcap = "reassembly_insert_memcap",
    ReassemblyInsertInvalid = "reassembly_insert_invalid",
    ReassemblyUrgentOobLimitReached = "reassembly_urgent_oob_limit_reached",
}

impl StreamEvent {
    /// The code for `PacketEvents`.
    #[inline]
    pub const fn code(self) -> u16 {
        FIRST.saturating_add(self as u16)
    }
}

/// The code of a keyword name, e.g. "est_invalid_ack", with or without Suricata's "stream." before it.
pub fn find(name: &str) -> Option<u16> {
    let name = name.strip_prefix("stream.").unwrap_or(name);
    let index = NAMES.iter().position(|known| *known == name)?;
    u16::try_from(index).ok().map(|index| FIRST.saturating_add(index))
}

/// The keyword name of a code.
pub fn name(code: u16) -> Option<&'static str> {
    NAMES.get(usize::from(code.checked_sub(FIRST)?)).copied()
}
