//! A call over TCP or UDP as a transaction, and its `dcerpc` object in EVE.

use super::call::Call;
use super::pdu::{self, Interface, Text};
use super::COMPLETE;
use crate::app::{LogFor, Transaction, TxMeta, View};
use crate::direction::Dir;
use crate::json::JsonWriter;

/// Of a connectionless call.
#[derive(Clone, Copy)]
pub struct Activity {
    pub id: [u8; 16],
    pub sequence: u32,
}

pub struct DcerpcTx {
    pub meta: TxMeta,
    pub call: Call,
    /// Version and minor version of the protocol.
    pub version: (u8, u8),
    pub activity: Option<Activity>,
}

impl Transaction for DcerpcTx {
    fn meta(&self) -> &TxMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut TxMeta {
        &mut self.meta
    }
    fn progress(&self, dir: Dir) -> u8 {
        if self.call.sides[dir].done {
            COMPLETE
        } else {
            0
        }
    }
    fn buffer(&self, _local: usize, index: usize, dir: Dir) -> Option<View<'_>> {
        self.call.stub(dir).filter(|_| index == 0).map(View::whole)
    }
    fn number(&self, keyword: &str, _dir: Dir) -> Option<u64> {
        match keyword {
            "dcerpc.opnum" => self.call.opnum.filter(|_| self.call.is_request()).map(u64::from),
            _ => None,
        }
    }
    fn interfaces(&self) -> &[Interface] {
        if self.call.is_request() {
            &self.call.interfaces
        } else {
            &[]
        }
    }
    fn little_endian(&self, dir: Dir) -> Option<bool> {
        Some(self.call.sides[dir].little)
    }

    fn log(&self, out: &mut JsonWriter, _what: LogFor) {
        let call = &self.call;
        call.log_request(out);
        match call.sides.to_server.kind.filter(|_| call.sides.to_server.done) {
            Some(pdu::REQUEST) => {
                call.log_req(out, true);
                if self.activity.is_none() {
                    call.log_interfaces(out, true, false);
                }
            }
            Some(pdu::BIND) => call.log_interfaces(out, true, false),
            _ => {}
        }
        call.log_response(out);
        call.log_res(out);
        match self.activity {
            Some(activity) => {
                out.fmt("activityuuid", format_args!("{}", Text(activity.id)));
                out.uint("seqnum", u64::from(activity.sequence));
            }
            None => out.uint("call_id", u64::from(call.id)),
        }
        out.fmt("rpc_version", format_args!("{}.{}", self.version.0, self.version.1));
    }
}
