//! What the detection and the log see of an HTTP/2 transaction: the `Transaction` of the app stage and EVE's `http` object.

use super::buffers;
use super::frame::{setting_name, ERROR_NAMES};
use super::hpack::Status;
use super::tx::{Http2Tx, Side};
use crate::app::file::File;
use crate::app::{LogFor, Transaction, TxMeta, View};
use crate::direction::Dir;
use crate::json::JsonWriter;

impl Transaction for Http2Tx {
    fn meta(&self) -> &TxMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut TxMeta {
        &mut self.meta
    }
    fn progress(&self, dir: Dir) -> u8 {
        self.sides[dir].progress
    }

    fn buffer(&self, local: usize, index: usize, dir: Dir) -> Option<View<'_>> {
        match local.checked_sub(buffers::TABLE.len()) {
            None => buffers::read(self, local, index, dir),
            Some(dns) => self.sides[dir].dns.as_ref()?.buffer(dns, index, dir),
        }
    }
    fn files(&self, dir: Dir) -> &[File] {
        &self.sides[dir].files
    }
    fn files_mut(&mut self, dir: Dir) -> &mut [File] {
        &mut self.sides[dir].files
    }
    fn request_header(&self, name: &[u8]) -> Option<&[u8]> {
        self.sides.to_server.value(std::str::from_utf8(name).ok()?)
    }
    fn add_file(&mut self, dir: Dir, file: File) {
        self.sides[dir].files.push(file);
    }

    fn number_at(&self, keyword: &str, index: usize, dir: Dir) -> Option<u64> {
        let side = &self.sides[dir];
        match keyword {
            "http2.frametype" => self.kind_at(dir, index),
            "http2.errorcode" => side.errors.get(index).map(|n| u64::from(*n)),
            "http2.priority" => side.priorities.get(index).map(|n| u64::from(*n)),
            "http2.window" => side.windows.get(index).map(|n| u64::from(*n)),
            // Id and value in one: the keyword takes them apart.
            "http2.settings" => side
                .settings
                .get(index)
                .map(|(id, value)| u64::from(*id).wrapping_shl(32) | u64::from(*value)),
            "http2.size_update" => size_updates(side).nth(index),
            _ => side.dns.as_ref()?.number_at(keyword, index, dir),
        }
    }
    fn number(&self, keyword: &str, dir: Dir) -> Option<u64> {
        self.number_at(keyword, 0, dir)
    }

    fn more_records(&self) -> &'static [&'static str] {
        if Dir::BOTH.iter().any(|d| self.sides[*d].dns.is_some()) {
            &["dns"]
        } else {
            &[]
        }
    }

    fn log_more(&self, record: &str, out: &mut JsonWriter) {
        // The answer, when it is there: it repeats the question.
        let dns = self.sides.to_client.dns.as_ref().or(self.sides.to_server.dns.as_ref());
        if let (Some(dns), "dns") = (dns, record) {
            dns.log(out, LogFor::Record);
        }
    }

    fn log(&self, out: &mut JsonWriter, _what: LogFor) {
        if !self.is_loggable() {
            return;
        }
        out.str("version", "2");
        for (key, dir) in [("request_headers", Dir::ToServer), ("response_headers", Dir::ToClient)] {
            fields(&self.sides[dir], key, out);
        }
        let (request, response) = (&self.sides.to_server, &self.sides.to_client);
        for (name, key) in [
            (":method", "http_method"),
            (":path", "url"),
            ("host", "hostname"),
            ("user-agent", "http_user_agent"),
        ] {
            if let Some(value) = request.value(name) {
                out.bytes(key, value);
            }
        }
        number(out, "status", response.values(b":status").last());
        number(out, "length", response.value("content-length").or_else(|| request.value("content-length")));
        out.open_object("http2");
        out.uint("stream_id", u64::from(self.stream));
        for (key, dir) in [("request", Dir::ToServer), ("response", Dir::ToClient)] {
            out.open_object(key);
            frames(&self.sides[dir], out);
            out.close();
        }
        out.close();
    }
}

fn size_updates(side: &Side) -> impl Iterator<Item = u64> + '_ {
    side.fields.iter().filter_map(|f| match f.status {
        Status::SizeUpdate(bytes) => Some(bytes),
        _ => None,
    })
}

/// A decimal value as a number, anything else as the text it is.
fn number(out: &mut JsonWriter, key: &str, value: Option<&[u8]>) {
    let Some(value) = value else { return };
    match std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()) {
        Some(n) => out.uint(key, n),
        None => out.bytes(key, value),
    }
}

fn fields(side: &Side, key: &str, out: &mut JsonWriter) {
    if side.fields.is_empty() {
        return;
    }
    out.open_array(key);
    for field in &side.fields {
        out.open();
        match field.status {
            Status::Good => {
                out.bytes("name", &field.name);
                out.bytes("value", &field.value);
            }
            Status::SizeUpdate(bytes) => out.uint("table_size_update", bytes),
            bad => out.str("error", bad.eve_error()),
        }
        out.close();
    }
    out.close_array();
}

fn frames(side: &Side, out: &mut JsonWriter) {
    if !side.settings.is_empty() {
        out.open_array("settings");
        for (id, value) in &side.settings {
            out.open();
            match setting_name(*id) {
                Some(name) => out.str("settings_id", name),
                None => out.fmt("settings_id", format_args!("SETTINGSUNKNOWN({id})")),
            }
            out.uint("settings_value", u64::from(*value));
            out.close();
        }
        out.close_array();
    }
    if let Some(code) = side.errors.first() {
        match usize::try_from(*code).ok().and_then(|at| ERROR_NAMES.get(at)) {
            Some(name) => out.str("error_code", name),
            None => out.fmt("error_code", format_args!("{code}")),
        }
        if side.errors.len() > 1 {
            out.str("has_multiple", "error_code");
        }
    }
    if let Some(weight) = side.priorities.first() {
        out.uint("priority", u64::from(*weight));
        if side.priorities.len() > 1 {
            out.str("has_multiple", "priority");
        }
    }
}
