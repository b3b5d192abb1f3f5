//! The `smtp` and `email` objects of EVE (Suricata manual, "EVE JSON Format", event type SMTP).

use super::tx::SmtpTx;
use crate::app::mime::header::addresses;
use crate::app::mime::{md5_hex, Message};
use crate::json::JsonWriter;
use crate::setting::{lists, switch};
use serde_json::Value;

/// Writes the members of `smtp`.
pub fn envelope(tx: &SmtpTx, out: &mut JsonWriter) {
    if let Some(helo) = &tx.helo {
        out.bytes("helo", helo);
    }
    if let Some(from) = &tx.mail_from {
        out.bytes("mail_from", from);
    }
    array(out, "rcpt_to", tx.rcpt_to.iter().map(Vec::as_slice));
}

/// Writes the members of `email` that are always there.
pub fn message(message: &Message, out: &mut JsonWriter) {
    out.str("status", message.status());
    if let Some(from) = message.values(b"from").next() {
        out.bytes("from", from);
    }
    for (key, name) in [("to", b"to"), ("cc", b"cc")] {
        array(out, key, message.values(name).take(1).flat_map(addresses));
    }
    array(out, "attachment", message.files().iter().map(|file| file.name.as_slice()));
    // Suricata writes the last one first.
    array(out, "url", message.urls().iter().rev().map(Vec::as_slice));
}

/// How a field is written.
enum Form {
    Text,
    List,
    /// Each occurrence of the field.
    Each,
}

/// Fields that `extended` (the marked ones) and `custom` choose: (key, name, form, extended).
const CHOSEN: &[(&str, &str, Form, bool)] = &[
    ("reply_to", "reply-to", Form::Text, false),
    ("bcc", "bcc", Form::List, false),
    ("message_id", "message-id", Form::Text, true),
    ("subject", "subject", Form::Text, true),
    ("x_mailer", "x-mailer", Form::Text, true),
    ("user_agent", "user-agent", Form::Text, true),
    ("received", "received", Form::Each, false),
    ("x_originating_ip", "x-originating-ip", Form::Text, false),
    ("in_reply_to", "in-reply-to", Form::Text, false),
    ("references", "references", Form::Text, false),
    ("importance", "importance", Form::Text, false),
    ("priority", "priority", Form::Text, false),
    ("sensitivity", "sensitivity", Form::Text, false),
    ("organization", "organization", Form::Text, false),
    ("content_md5", "content-md5", Form::Text, false),
    ("date", "date", Form::Text, false),
];

/// Writes the members of `email` that the output's `extended`, `custom` and `md5` ask for.
pub fn chosen(message: &Message, options: &Value, out: &mut JsonWriter) {
    let extended = switch(&options["extended"]).unwrap_or(false);
    for (key, name, form, is_extended) in CHOSEN {
        let wanted = (extended && *is_extended) || lists(&options["custom"], name);
        if !wanted {
            continue;
        }
        let mut values = message.values(name.as_bytes());
        match form {
            Form::Text => {
                if let Some(value) = values.next() {
                    out.bytes(key, value);
                }
            }
            Form::List => array(out, key, values.take(1).flat_map(addresses)),
            Form::Each => array(out, key, values),
        }
    }
    if lists(&options["md5"], "subject") {
        if let Some(subject) = message.values(b"subject").next() {
            out.str("subject_md5", &md5_hex(subject));
        }
    }
    if lists(&options["md5"], "body") {
        if let Some(md5) = message.body_md5() {
            out.str("body_md5", md5);
        }
    }
}

/// An array, unless it would be empty.
fn array<'a>(out: &mut JsonWriter, key: &str, items: impl Iterator<Item = &'a [u8]>) {
    let mut items = items.peekable();
    if items.peek().is_some() {
        out.open_array(key);
        items.for_each(|item| out.item_bytes(item));
        out.close_array();
    }
}
