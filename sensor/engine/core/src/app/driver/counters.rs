//! What app-layer work counts.

use crate::app::{ProtocolId, PROTOCOLS};
use crate::flow::Flow;

/// What app-layer work counts, named as in Suricata's `stats.app_layer`.
#[derive(Clone, Debug, Default)]
pub struct AppCounters {
    /// Flows per protocol, in registry order, as [tcp, udp].
    pub flows: Vec<[u64; 2]>,
    /// Transactions likewise.
    pub txs: Vec<[u64; 2]>,
    pub failed: [u64; 2],
    /// Streams and datagrams that parsers gave up on, likewise.
    pub parser_errors: Vec<[u64; 2]>,
    /// Gaps in what parsers were given, likewise.
    pub gaps: Vec<[u64; 2]>,
}

impl AppCounters {
    pub(super) fn new() -> AppCounters {
        let none = || vec![[0; 2]; PROTOCOLS.len()];
        AppCounters { flows: none(), txs: none(), failed: [0; 2], parser_errors: none(), gaps: none() }
    }

    /// A flow's protocol is known.
    pub(super) fn flow_begun(&mut self, id: ProtocolId, datagram: bool) {
        add(&mut self.flows, Some(id), datagram, 1);
    }

    /// Transactions have begun on a flow.
    pub(super) fn txs_begun(&mut self, id: Option<ProtocolId>, datagram: bool, begun: u64) {
        add(&mut self.txs, id, datagram, begun);
    }

    /// A flow whose protocol nobody knows.
    pub(super) fn unknown(&mut self, datagram: bool) {
        if let Some(count) = self.failed.get_mut(usize::from(datagram)) {
            *count = count.saturating_add(1);
        }
    }

    pub(super) fn parser_error(&mut self, flow: &Flow) {
        add(&mut self.parser_errors, flow.app.parser_protocol, is_datagram(flow), 1);
    }

    pub(super) fn gap(&mut self, flow: &Flow) {
        add(&mut self.gaps, flow.app.parser_protocol, is_datagram(flow), 1);
    }
}

fn add(counts: &mut [[u64; 2]], id: Option<ProtocolId>, datagram: bool, more: u64) {
    let slots = id.and_then(|id| counts.get_mut(usize::from(id.0)));
    if let Some(count) = slots.and_then(|slots| slots.get_mut(usize::from(datagram))) {
        *count = count.saturating_add(more);
    }
}

fn is_datagram(flow: &Flow) -> bool {
    const TCP: u8 = 6;
    flow.proto != TCP
}
