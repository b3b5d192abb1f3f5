//! The `ldap` object of EVE.

use super::message::{Attribute, Body, Control, Message, Outcome};
use super::names;
use super::tx::LdapTx;
use crate::json::JsonWriter;

pub fn log(tx: &LdapTx, out: &mut JsonWriter) {
    if let Some(request) = &tx.request {
        out.open_object("request");
        message(request, out);
        out.close();
    }
    if !tx.responses.is_empty() {
        out.open_array("responses");
        for response in &tx.responses {
            out.open();
            message(response, out);
            out.close();
        }
        out.close_array();
    }
}

fn message(message: &Message, out: &mut JsonWriter) {
    let operation = names::operation(message.operation);
    out.uint("message_id", message.id);
    out.str("operation", operation);
    let empty = matches!(message.body, Body::Empty);
    if !empty {
        out.open_object(operation);
        body(&message.body, out);
        out.close();
    }
    if !message.controls.is_empty() {
        out.open_array("controls");
        for control in &message.controls {
            write_control(control, out);
        }
        out.close_array();
    }
}

fn body(body: &Body, out: &mut JsonWriter) {
    match body {
        Body::Bind { version, name, sasl } => {
            out.uint("version", *version);
            out.bytes("name", name);
            if let Some((mechanism, credentials)) = sasl {
                out.open_object("sasl");
                out.bytes("mechanism", mechanism);
                hex(out, "credentials", credentials.as_deref());
                out.close();
            }
        }
        Body::Search(search) => {
            out.bytes("base_object", &search.base);
            out.uint("scope", search.scope);
            out.uint("deref_alias", search.deref);
            out.uint("size_limit", search.size_limit);
            out.uint("time_limit", search.time_limit);
            out.bool("types_only", search.types_only);
            if let Some(attribute) = &search.present {
                out.open_object("filter");
                out.str("type", "present");
                out.bytes("value", attribute);
                out.close();
            }
            strings(out, "attributes", &search.attributes);
        }
        Body::Modify { object, changes } => {
            out.bytes("object", object);
            if !changes.is_empty() {
                out.open_array("changes");
                for (kind, attribute) in changes {
                    out.open();
                    change(*kind, attribute, out);
                    out.close();
                }
                out.close_array();
            }
        }
        Body::Add { entry, attributes } => {
            out.bytes("entry", entry);
            write_attributes(attributes, "name", out);
        }
        Body::Delete { dn } => out.bytes("dn", dn),
        Body::ModifyDn { entry, new_rdn, delete_old, new_superior } => {
            out.bytes("entry", entry);
            out.bytes("new_rdn", new_rdn);
            out.bool("delete_old_rdn", *delete_old);
            optional(out, "new_superior", new_superior.as_deref());
        }
        Body::Compare { entry, description, value } => {
            out.bytes("entry", entry);
            out.open_object("attribute_value_assertion");
            out.bytes("description", description);
            out.bytes("value", value);
            out.close();
        }
        Body::Abandon { id } => out.uint("message_id", *id),
        Body::Named { name, value } => {
            optional(out, "name", name.as_deref());
            optional(out, "value", value.as_deref());
        }
        Body::SearchEntry { base, attributes } => {
            out.bytes("base_object", base);
            write_attributes(attributes, "type", out);
        }
        Body::Result { outcome, credentials, name, value } => {
            result(outcome, out);
            hex(out, "server_sasl_creds", credentials.as_deref());
            optional(out, "name", name.as_deref());
            optional(out, "value", value.as_deref());
        }
        Body::Empty => {}
    }
}

fn result(outcome: &Outcome, out: &mut JsonWriter) {
    match names::result_code(outcome.code) {
        Some(name) => out.str("result_code", name),
        None => out.fmt("result_code", format_args!("unknown-{}", outcome.code)),
    }
    out.bytes("matched_dn", &outcome.matched_dn);
    out.bytes("message", &outcome.message);
}

fn change(kind: u64, attribute: &Attribute, out: &mut JsonWriter) {
    match names::change(kind) {
        Some(name) => out.str("operation", name),
        None => out.fmt("operation", format_args!("unknown-{kind}")),
    }
    out.open_object("modification");
    out.bytes("attribute_type", &attribute.name);
    strings(out, "attribute_values", &attribute.values);
    out.close();
}

fn write_attributes(attributes: &[Attribute], name_key: &str, out: &mut JsonWriter) {
    if attributes.is_empty() {
        return;
    }
    out.open_array("attributes");
    for attribute in attributes {
        out.open();
        out.bytes(name_key, &attribute.name);
        strings(out, "values", &attribute.values);
        out.close();
    }
    out.close_array();
}

fn write_control(control: &Control, out: &mut JsonWriter) {
    out.open();
    out.bytes("control_type", &control.kind);
    out.bool("criticality", control.critical);
    hex(out, "control_value", control.value.as_deref());
    out.close();
}

fn strings(out: &mut JsonWriter, key: &str, values: &[Vec<u8>]) {
    if values.is_empty() {
        return;
    }
    out.open_array(key);
    for value in values {
        out.item_bytes(value);
    }
    out.close_array();
}

fn optional(out: &mut JsonWriter, key: &str, value: Option<&[u8]>) {
    if let Some(value) = value {
        out.bytes(key, value);
    }
}

fn hex(out: &mut JsonWriter, key: &str, bytes: Option<&[u8]>) {
    struct Hex<'a>(&'a [u8]);
    impl std::fmt::Display for Hex<'_> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
        }
    }
    if let Some(bytes) = bytes {
        out.fmt(key, format_args!("{}", Hex(bytes)));
    }
}
