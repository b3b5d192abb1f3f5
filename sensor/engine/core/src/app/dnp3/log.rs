//! The `dnp3` object of EVE (Suricata manual, EVE JSON format): one message.

use super::decode::{Object, Point, Value};
use super::tx::Dnp3Tx;
use crate::json::JsonWriter;

/// Function code of an unsolicited response.
const UNSOLICITED: u8 = 130;

/// Names of the internal indications: bits 8 to 15 are the first octet.
pub const INDICATIONS: [(&str, u16); 16] = [
    ("all_stations", 0x0100),
    ("class_1_events", 0x0200),
    ("class_2_events", 0x0400),
    ("class_3_events", 0x0800),
    ("need_time", 0x1000),
    ("local_control", 0x2000),
    ("device_trouble", 0x4000),
    ("device_restart", 0x8000),
    ("no_func_code_support", 0x0001),
    ("object_unknown", 0x0002),
    ("parameter_error", 0x0004),
    ("event_buffer_overflow", 0x0008),
    ("already_executing", 0x0010),
    ("config_corrupt", 0x0020),
    ("reserved_2", 0x0040),
    ("reserved_1", 0x0080),
];

/// Writes the members of the object.
pub fn log(tx: &Dnp3Tx, out: &mut JsonWriter) {
    let kind = match (tx.request, tx.function()) {
        (true, _) => "request",
        (false, Some(UNSOLICITED)) => "unsolicited_response",
        (false, _) => "response",
    };
    out.str("type", kind);
    let link = &tx.link;
    out.open_object("control");
    out.bool("dir", link.is_from_master());
    out.bool("pri", link.primary());
    out.bool("fcb", link.control & 0x20 != 0);
    out.bool("fcv", link.control & 0x10 != 0);
    out.uint("function_code", u64::from(link.function()));
    out.close();
    out.uint("src", u64::from(link.src));
    out.uint("dst", u64::from(link.dst));
    let control = tx.application_control().unwrap_or(0);
    out.open_object("application");
    out.open_object("control");
    out.bool("fir", control & 0x80 != 0);
    out.bool("fin", control & 0x40 != 0);
    out.bool("con", control & 0x20 != 0);
    out.bool("uns", control & 0x10 != 0);
    out.uint("sequence", u64::from(control & 0xf));
    out.close();
    out.uint("function_code", u64::from(tx.function().unwrap_or(0)));
    if !tx.objects.is_empty() {
        out.open_array("objects");
        tx.objects.iter().for_each(|object| log_object(object, out));
        out.close_array();
    }
    out.bool("complete", tx.decoded);
    out.close();
    if let Some(iin) = tx.indications() {
        out.open_object("iin");
        if iin != 0 {
            out.open_array("indicators");
            INDICATIONS.iter().filter(|(_, bit)| iin & bit != 0).for_each(|(name, _)| out.item_str(name));
            out.close_array();
        }
        out.close();
    }
}

fn log_object(object: &Object, out: &mut JsonWriter) {
    out.open();
    out.uint("group", u64::from(object.group));
    out.uint("variation", u64::from(object.variation));
    out.uint("qualifier", u64::from(object.qualifier));
    out.uint("prefix_code", u64::from(object.prefix_code()));
    out.uint("range_code", u64::from(object.range_code()));
    out.uint("start", u64::from(object.start));
    out.uint("stop", u64::from(object.stop));
    out.uint("count", u64::from(object.count));
    if !object.points.is_empty() {
        out.open_array("points");
        object.points.iter().for_each(|point| log_point(point, out));
        out.close_array();
    }
    out.close();
}

fn log_point(point: &Point, out: &mut JsonWriter) {
    out.open();
    out.uint("prefix", u64::from(point.prefix));
    out.uint("index", u64::from(point.index));
    if let Some(size) = point.size {
        out.uint("size", u64::from(size));
    }
    for (name, value) in &point.fields {
        match value {
            Value::Unsigned(number) => out.uint(name, *number),
            Value::Signed(number) => out.int(name, *number),
            Value::Float(number) => out.float(name, *number),
            Value::Text(text) => out.bytes(name, text),
            Value::Hex(bytes) => out.hex(name, bytes),
        }
    }
    out.close();
}
