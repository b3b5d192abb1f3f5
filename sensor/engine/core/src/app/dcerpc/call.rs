//! One call, or another exchange of the connection (bind, alter context), as rules and the log see it, be it over TCP, UDP or a
//! named pipe of SMB.

use super::pdu::{self, Interface, Text};
use crate::direction::{Dir, PerDir};
use crate::json::JsonWriter;
use std::sync::Arc;

/// Stub data kept per direction; what comes beyond is counted, not kept. Suricata's limit.
pub const STUB_MAX: usize = 65_535;

/// One direction of a call.
#[derive(Clone, Debug, Default)]
pub struct Side {
    /// Packet type, once seen.
    pub kind: Option<u8>,
    /// Whole.
    pub done: bool,
    pub fragments: u32,
    pub stub: Vec<u8>,
    pub little: bool,
}

impl Side {
    /// Takes a fragment; answers the bytes kept of its stub.
    pub fn fragment(&mut self, kind: u8, little: bool, stub: &[u8], last: bool) -> usize {
        self.kind = Some(kind);
        self.little = little;
        self.fragments = self.fragments.saturating_add(1);
        let room = STUB_MAX.saturating_sub(self.stub.len());
        let kept = stub.get(..room.min(stub.len())).unwrap_or_default();
        self.stub.extend_from_slice(kept);
        self.done |= last;
        kept.len()
    }
    /// Writes the packet type, once whole.
    fn log(&self, out: &mut JsonWriter, key: &str, missing: &str) {
        match self.kind.filter(|_| self.done) {
            Some(kind) => match pdu::TYPES.get(usize::from(kind)) {
                Some(name) => out.str(key, name),
                None => out.fmt(key, format_args!("{kind}")),
            },
            None => out.str(key, missing),
        }
    }
}

#[derive(Clone, Debug, Default)]
pub struct Call {
    pub id: u32,
    pub opnum: Option<u16>,
    pub sides: PerDir<Side>,
    /// A bind: what it asks for. A request: the contexts it may be about.
    pub interfaces: Arc<Vec<Interface>>,
}

impl Call {
    pub fn new(id: u32) -> Call {
        Call { id, ..Call::default() }
    }
    /// It is a request, seen or known by its response.
    pub fn is_request(&self) -> bool {
        self.sides.to_server.kind == Some(pdu::REQUEST)
    }
    pub fn stub(&self, dir: Dir) -> Option<&[u8]> {
        let side = &self.sides[dir];
        (side.done && matches!(side.kind, Some(pdu::REQUEST | pdu::RESPONSE))).then_some(&side.stub)
    }
    /// Bytes held.
    pub fn weight(&self) -> usize {
        self.sides.to_server.stub.len().saturating_add(self.sides.to_client.stub.len())
    }
    pub fn log_request(&self, out: &mut JsonWriter) {
        self.sides.to_server.log(out, "request", "REQUEST_LOST");
    }
    pub fn log_response(&self, out: &mut JsonWriter) {
        self.sides.to_client.log(out, "response", "UNREPLIED");
    }
    /// `req`; `opnum` stands in it except over SMB.
    pub fn log_req(&self, out: &mut JsonWriter, opnum: bool) {
        out.open_object("req");
        if opnum {
            out.uint("opnum", u64::from(self.opnum.unwrap_or(0)));
        }
        out.uint("frag_cnt", u64::from(self.sides.to_server.fragments));
        out.uint("stub_data_size", self.sides.to_server.stub.len() as u64);
        out.close();
    }
    /// `res`, when a response came.
    pub fn log_res(&self, out: &mut JsonWriter) {
        let side = &self.sides.to_client;
        if side.done && side.kind == Some(pdu::RESPONSE) {
            out.open_object("res");
            out.uint("frag_cnt", u64::from(side.fragments));
            out.uint("stub_data_size", side.stub.len() as u64);
            out.close();
        }
    }
    /// `interfaces`: with the server's `result` of a bind, and over SMB a `reason`.
    pub fn log_interfaces(&self, out: &mut JsonWriter, result: bool, reason: bool) {
        if self.interfaces.is_empty() {
            return;
        }
        out.open_array("interfaces");
        for interface in self.interfaces.iter() {
            out.open();
            out.fmt("uuid", format_args!("{}", Text(interface.uuid)));
            out.fmt("version", format_args!("{}.{}", interface.version, interface.minor));
            if let Some((ack_result, _)) = interface.answer.filter(|_| result) {
                out.uint("ack_result", u64::from(ack_result));
                if reason {
                    // Suricata writes 0 whatever the server's reason.
                    out.uint("ack_reason", 0);
                }
            }
            out.close();
        }
        out.close_array();
    }
}
