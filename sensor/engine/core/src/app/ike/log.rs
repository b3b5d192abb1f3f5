//! The `ike` object of EVE.

use super::tx::{Body, Context1, Context2, IkeTx};
use super::{names, v1, Said};
use crate::json::JsonWriter;

/// Flag of version 2's header: sent by the original initiator (RFC 7296 section 3.1).
const FLAG_INITIATOR: u8 = 8;

pub fn log(tx: &IkeTx, out: &mut JsonWriter) {
    let header = &tx.header;
    out.uint("version_major", u64::from(header.major));
    out.uint("version_minor", u64::from(header.minor));
    out.fmt("init_spi", format_args!("{:016x}", header.init_spi));
    out.fmt("resp_spi", format_args!("{:016x}", header.resp_spi));
    out.uint("message_id", u64::from(header.message_id));
    out.uint("exchange_type", u64::from(header.exchange));
    match &tx.body {
        Body::V1(context) => version_1(tx, context, out),
        Body::V2(context) => version_2(tx, context, out),
        Body::None => {}
    }
}

fn version_1(tx: &IkeTx, context: &Context1, out: &mut JsonWriter) {
    let message = &context.message;
    if let Some(first) = context.chosen.first() {
        attributes(first, false, out);
        if context.chosen.len() > 1 {
            out.open_array("server_proposals");
            transforms(&context.chosen, out);
            out.close_array();
        }
    }
    out.open_array("payload");
    for name in message.payloads.iter().filter_map(|kind| names::payload_1(*kind)) {
        out.item_str(name);
    }
    out.close_array();
    out.open_object("ikev1");
    if let Some(doi) = context.doi {
        out.uint("doi", u64::from(doi));
    }
    out.bool("encrypted_payloads", message.encrypted);
    if !message.encrypted {
        out.open_object("client");
        said(&context.client, out);
        if tx.dir == crate::direction::Dir::ToServer && !message.transforms.is_empty() {
            out.open_array("proposals");
            transforms(&message.transforms, out);
            out.close_array();
        }
        out.close();
        out.open_object("server");
        said(&context.server, out);
        out.close();
        if !message.vendors.is_empty() {
            out.open_array("vendor_ids");
            for vendor in &message.vendors {
                out.item_str(vendor);
            }
            out.close_array();
        }
    }
    out.close();
}

fn transforms(transforms: &[v1::Transform], out: &mut JsonWriter) {
    for transform in transforms {
        out.open();
        attributes(transform, true, out);
        out.close();
    }
}

fn attributes(transform: &v1::Transform, with_unknown: bool, out: &mut JsonWriter) {
    let mut unknown = with_unknown;
    for (kind, value) in transform {
        let (key, raw_key) = match names::attribute(*kind) {
            Some(keys) => keys,
            None if std::mem::take(&mut unknown) => ("unknown", "unknown_raw"),
            None => continue,
        };
        out.str(key, names::value_1(*kind, *value));
        out.uint(raw_key, *value);
    }
}

fn said(said: &Said, out: &mut JsonWriter) {
    let parts = [
        ("key_exchange_payload", "key_exchange_payload_length", &said.key_exchange),
        ("nonce_payload", "nonce_payload_length", &said.nonce),
    ];
    for (key, length_key, bytes) in parts {
        if let Some(bytes) = bytes {
            out.str(key, &names::hex(bytes));
            out.uint(length_key, bytes.len() as u64);
        }
    }
}

fn version_2(tx: &IkeTx, context: &Context2, out: &mut JsonWriter) {
    if tx.header.flags & FLAG_INITIATOR != 0 {
        out.str("role", "initiator");
    } else {
        out.str("role", "responder");
        let suite = &context.suite;
        for (key, kind, number) in [
            ("alg_enc", names::ENCRYPTION, suite.encryption),
            ("alg_auth", names::INTEGRITY, suite.integrity),
            ("alg_prf", names::PRF, suite.prf),
            ("alg_dh", names::GROUP, suite.group),
            ("alg_esn", names::SEQUENCE_NUMBERS, suite.sequence_numbers),
        ] {
            numbered(out, Some(key), kind, number);
        }
    }
    out.open_array("payload");
    for kind in &context.message.payloads {
        numbered(out, None, names::PAYLOAD, u16::from(*kind));
    }
    out.close_array();
    out.open_object("ikev2");
    out.uint("errors", context.message.errors);
    if !context.message.notifications.is_empty() {
        out.open_array("notify");
        for kind in &context.message.notifications {
            numbered(out, None, names::NOTIFICATION, *kind);
        }
        out.close_array();
    }
    out.close();
}

/// A number by its name, or as `Kind(10 / 0xa)`; without a key as an element of an array.
fn numbered(out: &mut JsonWriter, key: Option<&str>, kind: names::Kind, number: u16) {
    let unnamed;
    let text = match kind.name(number) {
        Some(name) => name,
        None => {
            unnamed = format!("{}({number} / 0x{number:x})", kind.title);
            &unnamed
        }
    };
    match key {
        Some(key) => out.str(key, text),
        None => out.item_str(text),
    }
}
