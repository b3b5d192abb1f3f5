//! What a worker leaves out while memory is short, cheapest loss first: large flows are bypassed, then new flows are not parsed,
//! then packets of new flows are left out. Everything is counted.

use super::Stages;
use crate::direction::Dir;
use crate::flow::Flow;

/// Nothing, large flows, parsing of new flows, packets of new flows: each with those before it.
pub const LARGE_FLOWS: u8 = 1;
pub const PARSING: u8 = 2;
pub const NEW_FLOWS: u8 = 3;

/// A flow of so many bytes has told what it is; what it still holds is worth more to others.
const LARGE_BYTES: u64 = 256 * 1024;

/// How much is left out, and what was.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shed {
    pub level: u8,
    pub bypassed_flows: u64,
    pub unparsed_flows: u64,
    pub dropped_packets: u64,
}

impl Stages {
    /// Bypasses the flow if it is large: what was reassembled of it goes.
    #[cold]
    pub(super) fn shed_if_large(&mut self, flow: &mut Flow) {
        let bytes = flow.bytes.to_server.saturating_add(flow.bytes.to_client);
        if bytes >= LARGE_BYTES {
            flow.bypassed = true;
            flow.tcp = None;
            self.shed.bypassed_flows = self.shed.bypassed_flows.saturating_add(1);
        }
    }

    /// A new flow is not to be parsed.
    #[cold]
    pub(super) fn shed_parsing(&mut self, flow: &mut Flow) {
        flow.app.stopped = true;
        if let Some(session) = flow.tcp.as_mut() {
            Dir::BOTH.iter().for_each(|dir| session.side_mut(*dir).app_disable());
        }
        self.shed.unparsed_flows = self.shed.unparsed_flows.saturating_add(1);
    }
}
