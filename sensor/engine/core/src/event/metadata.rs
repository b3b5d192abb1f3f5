//! What rules left on a flow: flowbits, counters and captured variables, and the traffic labels among the flowbits
//! (Suricata manual, "EVE JSON format": `metadata`, `traffic`).

use super::JsonWriter;
use crate::detect::names::{BitName, Names};
use crate::detect::FlowDetect;

/// Writes `traffic` and `metadata`, when there is anything to say.
pub(super) fn write(out: &mut JsonWriter, names: &Names, state: &FlowDetect) {
    if state.is_empty() {
        return;
    }
    let state = state.left();
    let bits = || state.flowbits.iter().filter_map(|id| names.flowbit(*id));
    let ids = bits().filter_map(|b| match b {
        BitName::TrafficId(text) => Some(text.as_str()),
        _ => None,
    });
    let labels = bits().filter_map(|b| match b {
        BitName::TrafficLabel(text) => Some(text.as_str()),
        _ => None,
    });
    if bits().any(|b| !matches!(b, BitName::Plain(_))) {
        out.open_object("traffic");
        list(out, "id", ids);
        list(out, "label", labels);
        out.close();
    }
    out.open_object("metadata");
    list(
        out,
        "flowbits",
        bits().filter_map(|b| match b {
            BitName::Plain(text) => Some(text.as_str()),
            _ => None,
        }),
    );
    if !state.flowints.is_empty() {
        out.open_object("flowints");
        for (id, value) in &state.flowints {
            if let Some(name) = names.flowint(*id) {
                out.uint(name, u64::from(*value));
            }
        }
        out.close();
    }
    variables(out, "flowvars", names, &state.flowvars);
    variables(out, "pktvars", names, &state.pktvars);
    out.close();
}

fn list<'a>(out: &mut JsonWriter, key: &str, texts: impl Iterator<Item = &'a str>) {
    let mut texts = texts.peekable();
    if texts.peek().is_none() {
        return;
    }
    out.open_array(key);
    for text in texts {
        out.item_str(text);
    }
    out.close_array();
}

fn variables(out: &mut JsonWriter, key: &str, names: &Names, values: &[(u32, Vec<u8>)]) {
    if values.is_empty() {
        return;
    }
    out.open_array(key);
    for (id, value) in values {
        if let Some(variable) = names.variable(*id) {
            out.open();
            out.bytes(&variable.name, value);
            out.close();
        }
    }
    out.close_array();
}

/// Writes `context` of an alert: what its rule captured for it, and what data sets know of the values.
pub(super) fn context(out: &mut JsonWriter, names: &Names, wanted: &[u32], state: &FlowDetect) {
    let mut held = state.left().context.iter().filter(|(id, _)| wanted.contains(id)).peekable();
    if held.peek().is_none() {
        return;
    }
    out.open_object("context");
    for (id, value) in held {
        match names.variable(*id) {
            Some(variable) if variable.json => out.raw(&variable.name, value),
            Some(variable) => out.bytes(&variable.name, value),
            None => {}
        }
    }
    out.close();
}
