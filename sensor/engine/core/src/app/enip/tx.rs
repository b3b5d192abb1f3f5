//! A request of EtherNet/IP with its response. Must not see bytes of the wire.

use super::message::{Body, Cip, Message, Segment};
use super::{COMMANDS, STATUSES};
use crate::app::{LogFor, Transaction, TxMeta, View};
use crate::direction::{Dir, PerDir};
use crate::json::JsonWriter;

/// Local numbers of the buffers, in the order of `super::BUFFERS`.
const PRODUCT_NAME: usize = 0;
const SERVICE_NAME: usize = 1;

pub struct EnipTx {
    pub meta: TxMeta,
    /// To the server the request, to the client the response.
    pub messages: PerDir<Option<Message>>,
    pub done: bool,
}

impl EnipTx {
    fn number_of(message: &Message, keyword: &str) -> Option<u64> {
        let header = &message.header;
        let identity = || message.identity();
        Some(match keyword {
            "enip_command" => u64::from(header.command),
            "enip.status" => u64::from(header.status),
            "enip.protocol_version" => u64::from(message.protocol_version()?),
            "enip.capabilities" => u64::from(message.service()?.capabilities),
            "enip.vendor_id" => u64::from(identity()?.vendor),
            "enip.device_type" => u64::from(identity()?.device_type),
            "enip.product_code" => u64::from(identity()?.product_code),
            "enip.revision" => u64::from(u16::from_be_bytes(identity()?.revision)),
            "enip.identity_status" => u64::from(identity()?.status),
            "enip.serial" => u64::from(identity()?.serial),
            "enip.state" => u64::from(identity()?.state),
            "enip.cip_status" => u64::from(message.cip().filter(|c| c.response)?.status),
            _ => return None,
        })
    }
}

impl Transaction for EnipTx {
    fn meta(&self) -> &TxMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut TxMeta {
        &mut self.meta
    }
    fn progress(&self, dir: Dir) -> u8 {
        u8::from(self.done || self.messages[dir].is_some())
    }

    fn buffer(&self, local: usize, index: usize, dir: Dir) -> Option<View<'_>> {
        let message = self.messages[dir].as_ref()?;
        let data = match (local, &message.body) {
            (PRODUCT_NAME, Body::Identities(found)) => &found.get(index)?.name,
            (SERVICE_NAME, Body::Services(found)) => &found.get(index)?.name,
            _ => return None,
        };
        Some(View::whole(data))
    }

    fn log(&self, out: &mut JsonWriter, _what: LogFor) {
        for (key, dir) in [("request", Dir::ToServer), ("response", Dir::ToClient)] {
            if let Some(message) = &self.messages[dir] {
                out.open_object(key);
                log_message(message, out);
                out.close();
            }
        }
    }

    fn number(&self, keyword: &str, dir: Dir) -> Option<u64> {
        self.number_at(keyword, 0, dir)
    }

    fn number_at(&self, keyword: &str, index: usize, dir: Dir) -> Option<u64> {
        let message = self.messages[dir].as_ref()?;
        let segments = || message.cips().flat_map(|cip| &cip.path);
        match keyword {
            "enip.cip_extendedstatus" => {
                message.cips().filter_map(|c| c.extended_status).nth(index).map(u64::from)
            }
            "enip.cip_class" => segments().filter_map(|s| of(s, class)).nth(index),
            "enip.cip_instance" => segments().filter_map(|s| of(s, instance)).nth(index),
            "enip.cip_attribute" => message.cips().flat_map(attributes).nth(index),
            // Service, class and attribute in one number; see `detect/keywords/enip.rs`.
            "cip_service" => {
                let number = |part: Option<u64>| part.map_or(u64::from(u16::MAX), |n| n.min(0xfffe));
                message
                    .cips()
                    .flat_map(|cip| {
                        let class = cip.path.iter().find_map(|s| of(s, class));
                        let head = u64::from(cip.service) << 32 | number(class) << 16;
                        let mut found: Vec<u64> = attributes(cip).map(|a| head | number(Some(a))).collect();
                        if found.is_empty() {
                            found.push(head | number(None));
                        }
                        found
                    })
                    .nth(index)
            }
            _ if index == 0 => Self::number_of(message, keyword),
            _ => None,
        }
    }
}

fn of(segment: &Segment, pick: fn(Segment) -> Option<u32>) -> Option<u64> {
    pick(*segment).map(u64::from)
}
fn class(segment: Segment) -> Option<u32> {
    match segment {
        Segment::Class(n) => Some(n),
        _ => None,
    }
}
fn instance(segment: Segment) -> Option<u32> {
    match segment {
        Segment::Instance(n) => Some(n),
        _ => None,
    }
}

/// Attributes in the path, then those asked for in a list.
fn attributes(cip: &Cip) -> impl Iterator<Item = u64> + '_ {
    let in_path = cip.path.iter().filter_map(|s| match s {
        Segment::Attribute(n) => Some(u64::from(*n)),
        _ => None,
    });
    in_path.chain(cip.attributes.iter().map(|n| u64::from(*n)))
}

/// The word for a number, or `unknown-N`.
fn word(key: &str, words: &[(&str, u64)], number: u64, out: &mut JsonWriter) {
    match words.iter().find(|(_, n)| *n == number) {
        Some((name, _)) => out.str(key, name),
        None => out.fmt(key, format_args!("unknown-{number}")),
    }
}

fn log_message(message: &Message, out: &mut JsonWriter) {
    word("command", COMMANDS, u64::from(message.header.command), out);
    word("status", STATUSES, u64::from(message.header.status), out);
    match &message.body {
        Body::Other => {}
        Body::RegisterSession { protocol_version, options } => {
            out.open_object("register_session");
            out.uint("protocol_version", u64::from(*protocol_version));
            out.uint("options", u64::from(*options));
            out.close();
        }
        Body::Services(found) => {
            for service in found.iter().take(1) {
                out.open_object("list_services");
                out.uint("protocol_version", u64::from(service.protocol_version));
                out.uint("capabilities", u64::from(service.capabilities));
                out.bytes("service_name", &service.name);
                out.close();
            }
        }
        Body::Identities(found) => {
            for identity in found.iter().take(1) {
                out.open_object("identity");
                out.uint("protocol_version", u64::from(identity.protocol_version));
                let [major, minor] = identity.revision;
                out.fmt("revision", format_args!("{major}.{minor}"));
                out.uint("vendor_id", u64::from(identity.vendor));
                out.uint("device_type", u64::from(identity.device_type));
                out.uint("product_code", u64::from(identity.product_code));
                out.uint("status", u64::from(identity.status));
                out.uint("serial", u64::from(identity.serial));
                out.bytes("product_name", &identity.name);
                out.uint("state", u64::from(identity.state));
                out.close();
            }
        }
        Body::Cip(cip) => {
            out.open_object("cip");
            log_cip(cip, out);
            if !cip.embedded.is_empty() {
                out.open_array("multiple");
                for inner in &cip.embedded {
                    out.open();
                    log_cip(inner, out);
                    out.close();
                }
                out.close_array();
            }
            out.close();
        }
    }
}

fn log_cip(cip: &Cip, out: &mut JsonWriter) {
    out.uint("service", u64::from(cip.service));
    if cip.response {
        out.uint("status", u64::from(cip.status));
        if let Some(status) = cip.extended_status {
            out.fmt("status_extended", format_args!("{status:04x}"));
        }
        return;
    }
    if !cip.path.is_empty() {
        out.open_array("path");
        for segment in &cip.path {
            let (kind, value) = match segment {
                Segment::Class(n) => ("class", *n),
                Segment::Instance(n) => ("instance", *n),
                Segment::Attribute(n) => ("attribute", *n),
                Segment::Other => continue,
            };
            out.open();
            out.str("segment_type", kind);
            out.uint("value", u64::from(value));
            out.close();
        }
        out.close_array();
    }
}
