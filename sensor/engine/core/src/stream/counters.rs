//! What the stream stage counts, under Suricata's names.

macro_rules! counters {
    ($($(#[$doc:meta])* $field:ident = $name:literal,)*) => {
        /// Totals since start.
        #[derive(Clone, Debug, Default)]
        pub struct StreamCounters {
            $($(#[$doc])* pub $field: u64,)*
        }
        impl StreamCounters {
            /// Calls `visit` with each counter's name and value.
            pub fn for_each(&self, mut visit: impl FnMut(&'static str, u64)) {
                $(visit($name, self.$field);)*
            }
        }
    };
}

counters! {
    syn = "tcp.syn",
    synack = "tcp.synack",
    rst = "tcp.rst",
    sessions = "tcp.sessions",
    active_sessions = "tcp.active_sessions",
    /// A session was not made: the streams are at `stream.memcap`.
    ssn_memcap_drop = "tcp.ssn_memcap_drop",
    ssn_from_midstream = "tcp.ssn_from_midstream",
    invalid_checksum = "tcp.invalid_checksum",
    /// Packets that began no session and belong to none.
    no_flow = "tcp.no_session",
    ack_unseen_data = "tcp.ack_unseen_data",
    /// Payload not stored: the streams are at `stream.reassembly.memcap`.
    segment_memcap_drop = "tcp.segment_memcap_drop",
    /// Payload not stored: the side holds too many holes.
    segment_list_drop = "tcp.segment_list_drop",
    stream_depth_reached = "tcp.stream_depth_reached",
    reassembly_gap = "tcp.reassembly_gap",
    overlap = "tcp.overlap",
    overlap_diff_data = "tcp.overlap_diff_data",
    insert_data_normal_fail = "tcp.insert_data_normal_fail",
    urgent_oob_data = "tcp.urgent_oob_data",
    segments = "tcp.segments",
    /// Bytes held for stream data.
    reassembly_memuse = "tcp.reassembly_memuse",
}

/// Adds one.
#[inline]
pub(super) fn count(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}
