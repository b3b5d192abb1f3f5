//! One message of the beginning of an RDP connection as a transaction, and its record.

use super::message::{Message, Negotiation};
use super::COMPLETE;
use crate::app::{LogFor, Transaction, TxMeta, View};
use crate::direction::Dir;
use crate::json::JsonWriter;

const REQUEST_FLAGS: &[(u8, &str)] = &[
    (0x01, "restricted_admin_mode_required"),
    (0x02, "redirected_authentication_mode_required"),
    (0x08, "correlation_info_present"),
];
const RESPONSE_FLAGS: &[(u8, &str)] = &[
    (0x01, "extended_client_data"),
    (0x02, "dynvc_gfx"),
    (0x08, "restricted_admin"),
    (0x10, "redirected_authentication"),
];

pub struct RdpTx {
    meta: TxMeta,
    message: Message,
}

impl RdpTx {
    pub fn new(id: u64, dir: Dir, message: Message) -> RdpTx {
        let mut meta = TxMeta::new(id);
        meta.skip[dir.opposite()] = true;
        RdpTx { meta, message }
    }
}

fn flags(out: &mut JsonWriter, key: &str, names: &[(u8, &str)], flags: u8) {
    out.open_array(key);
    names.iter().filter(|(bit, _)| flags & bit != 0).for_each(|(_, name)| out.item_str(name));
    out.close_array();
}

fn protocol_name(protocol: u32) -> &'static str {
    match protocol {
        1 => "ssl",
        2 => "hybrid",
        4 => "rds_tls",
        8 => "hybrid_ex",
        _ => "rdp",
    }
}

fn failure_reason(code: u32) -> &'static str {
    match code {
        1 => "ssl required by server",
        2 => "ssl not allowed by server",
        3 => "ssl cert not on server",
        4 => "inconsistent flags",
        5 => "hybrid required by server",
        _ => "ssl with user auth required by server",
    }
}

impl Transaction for RdpTx {
    fn meta(&self) -> &TxMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut TxMeta {
        &mut self.meta
    }
    /// A message is whole when it becomes a transaction.
    fn progress(&self, _dir: Dir) -> u8 {
        COMPLETE
    }
    fn buffer(&self, _local: usize, _index: usize, _dir: Dir) -> Option<View<'_>> {
        None
    }

    fn log(&self, out: &mut JsonWriter, _what: LogFor) {
        // EVE counts the transactions of a flow from one.
        out.uint("tx_id", self.meta.id.saturating_add(1));
        match &self.message {
            Message::InitialRequest { cookie, flags: set } => {
                out.str("event_type", "initial_request");
                if let Some(cookie) = cookie {
                    out.bytes("cookie", cookie);
                }
                if REQUEST_FLAGS.iter().any(|(bit, _)| set & bit != 0) {
                    flags(out, "flags", REQUEST_FLAGS, *set);
                }
            }
            Message::InitialResponse(negotiation) => {
                out.str("event_type", "initial_response");
                match negotiation {
                    Negotiation::None => {}
                    Negotiation::Chosen { flags: set, protocol } => {
                        flags(out, "server_supports", RESPONSE_FLAGS, *set);
                        out.str("protocol", protocol_name(*protocol));
                    }
                    Negotiation::Failed { code } => {
                        out.uint("error_code", u64::from(*code));
                        out.str("reason", failure_reason(*code));
                    }
                }
            }
            Message::ConnectRequest { core, channels } => {
                out.str("event_type", "connect_request");
                if let Some(core) = core {
                    out.open_object("client");
                    core.log(out);
                    out.close();
                }
                if !channels.is_empty() {
                    out.open_array("channels");
                    channels.iter().for_each(|name| out.item_bytes(name));
                    out.close_array();
                }
            }
            Message::ConnectResponse => out.str("event_type", "connect_response"),
            Message::TlsHandshake { serials } => {
                out.str("event_type", "tls_handshake");
                out.open_array("x509_serials");
                serials.iter().for_each(|serial| out.item_str(serial));
                out.close_array();
            }
        }
    }
}
