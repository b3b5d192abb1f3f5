//! http2.settings: a setting by name with a test of its value. The other numbers of HTTP/2 are declared in its entry.

use super::{number, tx_number, Keyword, Kind};
use crate::detect::builder::some_value;
use crate::detect::diagnostic::Refusal;

const NAMES: [(&str, u64); 6] = [
    ("SETTINGS_HEADER_TABLE_SIZE", 1),
    ("SETTINGS_ENABLE_PUSH", 2),
    ("SETTINGS_MAX_CONCURRENT_STREAMS", 3),
    ("SETTINGS_INITIAL_WINDOW_SIZE", 4),
    ("SETTINGS_MAX_FRAME_SIZE", 5),
    ("SETTINGS_MAX_HEADER_LIST_SIZE", 6),
];

pub static SETTINGS: Keyword = Keyword {
    name: "http2.settings",
    kind: Kind::App,
    doc: "A setting in a SETTINGS frame, by its name in RFC 9113, alone or with a test of its value.",
    example: "http2.settings:SETTINGS_MAX_CONCURRENT_STREAMS>100;",
    accepts: &[
        "http2.settings:SETTINGS_ENABLE_PUSH;",
        "http2.settings:SETTINGS_ENABLE_PUSH=0;",
        "http2.settings:SETTINGS_HEADER_TABLE_SIZE >4096;",
        "http2.settings:SETTINGS_INITIAL_WINDOW_SIZE 1-100;",
    ],
    refuses: &["http2.settings;", "http2.settings:SETTINGS_NONE;", "http2.settings:SETTINGS_ENABLE_PUSH>x;"],
    parse: |rule, value| {
        let value = some_value("http2.settings", value, "SETTINGS_ENABLE_PUSH=0")?.trim();
        let end = value.find(|c: char| !(c.is_ascii_alphabetic() || c == '_')).unwrap_or(value.len());
        let (name, rest) = value.split_at(end);
        let id = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, id)| *id);
        let Some(id) = id else {
            return Err(Refusal::error(
                format!("`{name}` is no setting of HTTP/2"),
                "use a name of RFC 9113 section 6.5.2, e.g. SETTINGS_MAX_FRAME_SIZE",
            ));
        };
        let rest = rest.trim();
        let test = match rest.strip_prefix('=').map_or(rest, str::trim) {
            "" => None,
            text => Some(number::test("http2.settings", text, u64::from(u32::MAX))?),
        };
        tx_number::of_protocol(rule, "http2.settings", "http2", move |packed, _| {
            packed >> 32 == id && test.as_ref().is_none_or(|t| t.holds(packed & 0xffff_ffff))
        })
    },
    ..Keyword::EMPTY
};
