//! The `dns` object of EVE, version 2 (Suricata 5 to 7): each query a record of its own, a response one record.

use super::log::{flags, grouped, log_rrtype, name, rcode, section};
use super::message::Message;
use super::options::Form;
use crate::json::JsonWriter;

/// Records of a message.
pub fn records(message: &Message) -> usize {
    if message.header.is_response() {
        1
    } else {
        message.queries.len()
    }
}

/// Writes the members of record number `index`.
pub fn log(message: &Message, tx_id: u64, index: usize, form: Form, out: &mut JsonWriter) {
    out.uint("version", 2);
    if message.header.is_response() {
        answer(message, form, out);
    } else {
        query(message, tx_id, index, out);
    }
}

/// Writes the members inside an alert.
pub fn log_in_alert(message: &Message, tx_id: u64, form: Form, out: &mut JsonWriter) {
    out.uint("version", 2);
    if message.header.is_response() {
        out.open_object("answer");
        out.uint("version", 2);
        answer(message, form, out);
        out.close();
        return;
    }
    out.open_array("query");
    for index in 0..message.queries.len() {
        out.open();
        query(message, tx_id, index, out);
        out.close();
    }
    out.close_array();
}

fn query(message: &Message, tx_id: u64, index: usize, out: &mut JsonWriter) {
    let Some(query) = message.queries.get(index) else { return };
    out.str("type", "query");
    out.uint("id", u64::from(message.header.id));
    name(message, "rrname", "rrname_truncated", query.name, out);
    log_rrtype(query.rrtype, out);
    out.uint("tx_id", tx_id);
    if message.header.flags & 0x0040 != 0 {
        out.bool("z", true);
    }
    out.uint("opcode", u64::from(message.header.opcode()));
}

fn answer(message: &Message, form: Form, out: &mut JsonWriter) {
    out.str("type", "answer");
    out.uint("id", u64::from(message.header.id));
    flags(message, out);
    out.uint("opcode", u64::from(message.header.opcode()));
    if let Some(query) = message.queries.first() {
        name(message, "rrname", "rrname_truncated", query.name, out);
        log_rrtype(query.rrtype, out);
    }
    rcode(message, out);
    if form.detailed {
        section(message, "answers", &message.answers, out);
    }
    if form.grouped && !message.answers.is_empty() {
        grouped(message, out);
    }
    section(message, "authorities", &message.authorities, out);
}
