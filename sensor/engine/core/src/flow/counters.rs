//! What the flow stage counts, under Suricata's names.

/// Totals since start.
#[derive(Clone, Debug, Default)]
pub struct FlowCounters {
    pub total: u64,
    pub tcp: u64,
    pub udp: u64,
    pub icmpv4: u64,
    pub icmpv6: u64,
    pub tcp_reuse: u64,
    /// A new flow found the table at its cap.
    pub memcap: u64,
    pub end_timeout: u64,
    pub end_evicted: u64,
    pub end_shutdown: u64,
    pub end_new: u64,
    pub end_established: u64,
    pub end_closed: u64,
    /// Flows held now.
    pub active: u64,
    /// Bytes held now.
    pub memuse: u64,
}

impl FlowCounters {
    pub fn for_each(&self, mut visit: impl FnMut(&'static str, u64)) {
        visit("flow.total", self.total);
        visit("flow.active", self.active);
        visit("flow.tcp", self.tcp);
        visit("flow.udp", self.udp);
        visit("flow.icmpv4", self.icmpv4);
        visit("flow.icmpv6", self.icmpv6);
        visit("flow.tcp_reuse", self.tcp_reuse);
        visit("flow.memcap", self.memcap);
        visit("flow.memuse", self.memuse);
        visit("flow.end.state.new", self.end_new);
        visit("flow.end.state.established", self.end_established);
        visit("flow.end.state.closed", self.end_closed);
        visit("flow.mgr.flows_timeout", self.end_timeout);
        visit("flow.mgr.flows_evicted", self.end_evicted);
        visit("flow.end.shutdown", self.end_shutdown);
    }

    pub(super) fn opened(&mut self, proto: u8) {
        self.total = self.total.saturating_add(1);
        let kind = match proto {
            6 => &mut self.tcp,
            17 => &mut self.udp,
            1 => &mut self.icmpv4,
            58 => &mut self.icmpv6,
            _ => return,
        };
        *kind = kind.saturating_add(1);
    }
}
