//! Messages of the server ("Message Formats", backend), gathered over one request.

use super::request::{member, text};
use crate::json::JsonWriter;

/// Parameters kept of one answer; servers report about fifteen.
const PARAMETERS_MAX: usize = 64;
/// Fields kept of one error or notice; there are eighteen kinds.
const FIELDS_MAX: usize = 32;

/// Types of the server's messages.
pub fn is_type(kind: u8) -> bool {
    b"123ACDEGHIKNRSTVWZcdnstv".contains(&kind)
}

/// Kinds of authentication the server asks for or speaks of.
pub mod authentication {
    pub const OK: u32 = 0;
    pub const MD5: u32 = 5;
    pub const SASL: u32 = 10;
    pub const SASL_CONTINUE: u32 = 11;
    pub const SASL_FINAL: u32 = 12;
}

fn authentication_name(kind: u32) -> Option<&'static str> {
    Some(match kind {
        authentication::OK => "authentication_ok",
        2 => "authentication_kerb5",
        3 => "authentication_cleartext_password",
        6 => "authentication_scm_credential",
        7 => "authentication_gss",
        8 => "authentication_gss_continue",
        9 => "authentication_sspi",
        authentication::SASL => "authentication_sasl",
        authentication::SASL_CONTINUE => "authentication_sasl_continue",
        _ => return None,
    })
}

/// What the server answered to one request.
#[derive(Default)]
pub struct Response {
    pub ssl_accepted: Option<bool>,
    sasl_final: Option<Vec<u8>>,
    md5_salt: Option<Vec<u8>>,
    /// The last kind of authentication that was spoken of.
    authentication: Option<u32>,
    fields: Vec<(u8, Vec<u8>)>,
    parameters: Vec<(String, Vec<u8>)>,
    key: Option<(u32, u32)>,
    notification: Option<(u32, Vec<u8>, Vec<u8>)>,
    columns: Option<u16>,
    /// `CopyInResponse`, `CopyOutResponse`: columns.
    copy_in: Option<u16>,
    copy_out: Option<u16>,
    pub rows: u64,
    pub rows_bytes: u64,
    pub copied: u64,
    pub copied_bytes: u64,
    completed: Option<Vec<u8>>,
}

impl Response {
    /// Anything worth an object.
    pub fn is_empty(&self) -> bool {
        let texts = [self.sasl_final.is_some(), self.md5_salt.is_some(), self.completed.is_some()];
        let numbers =
            [self.columns.is_some(), self.copy_in.is_some(), self.copy_out.is_some(), self.key.is_some()];
        self.ssl_accepted.is_none()
            && self.authentication.is_none()
            && self.notification.is_none()
            && self.fields.is_empty()
            && self.parameters.is_empty()
            && self.rows == 0
            && self.copied == 0
            && !texts.contains(&true)
            && !numbers.contains(&true)
    }

    /// Takes a message's body; rows are counted by the parser. None: it is malformed.
    pub fn message(&mut self, kind: u8, body: &[u8]) -> Option<()> {
        match kind {
            b'R' => {
                let (number, rest) = body.split_first_chunk::<4>()?;
                let number = u32::from_be_bytes(*number);
                match number {
                    authentication::MD5 => self.md5_salt = Some(rest.get(..4)?.to_vec()),
                    authentication::SASL_FINAL => self.sasl_final = Some(rest.to_vec()),
                    _ => self.authentication = Some(number),
                }
            }
            b'E' => self.fields = fields(body),
            b'S' => {
                let name = text(body);
                let value = text(body.get(name.len().saturating_add(1)..)?);
                if self.parameters.len() < PARAMETERS_MAX {
                    self.parameters.push((parameter(name), value.to_vec()));
                }
            }
            b'K' => {
                let (process, rest) = body.split_first_chunk::<4>()?;
                // Since protocol 3.2 the key may be longer; its beginning stands for it.
                let (key, _) = rest.split_first_chunk::<4>()?;
                self.key = Some((u32::from_be_bytes(*process), u32::from_be_bytes(*key)));
            }
            b'A' => {
                let (process, rest) = body.split_first_chunk::<4>()?;
                let channel = text(rest);
                let payload = text(rest.get(channel.len().saturating_add(1)..)?);
                self.notification = Some((u32::from_be_bytes(*process), channel.to_vec(), payload.to_vec()));
            }
            b'T' => self.columns = Some(u16::from_be_bytes(*body.first_chunk::<2>()?)),
            b'G' => self.copy_in = Some(u16::from_be_bytes(*body.get(1..)?.first_chunk::<2>()?)),
            b'H' => self.copy_out = Some(u16::from_be_bytes(*body.get(1..)?.first_chunk::<2>()?)),
            b'C' => self.completed = Some(text(body).to_vec()),
            _ => {}
        }
        Some(())
    }

    /// Writes the members of the `response` object.
    pub fn log(&self, out: &mut JsonWriter) {
        if let Some(accepted) = self.ssl_accepted {
            out.bool("ssl_accepted", accepted);
        }
        if let Some(data) = &self.sasl_final {
            out.bytes("authentication_sasl_final", data);
        }
        if let Some(salt) = &self.md5_salt {
            out.bytes("authentication_md5_password", salt);
        }
        // An error has a member `message` of its own.
        if let Some(name) =
            self.authentication.and_then(authentication_name).filter(|_| self.fields.is_empty())
        {
            out.str("message", name);
        }
        for (kind, value) in &self.fields {
            if let Some(name) = field_name(*kind) {
                out.bytes(name, value);
            }
        }
        if !self.parameters.is_empty() {
            out.open_array("parameter_status");
            for (name, value) in &self.parameters {
                out.open();
                member(out, name, value);
                out.close();
            }
            out.close_array();
        }
        if let Some((process, key)) = self.key {
            out.uint("process_id", u64::from(process));
            out.uint("secret_key", u64::from(key));
        } else if let Some((process, _, _)) = &self.notification {
            out.uint("process_id", u64::from(*process));
        }
        if let Some((_, channel, payload)) = &self.notification {
            out.bytes("channel_name", channel);
            out.bytes("payload", payload);
        }
        if let Some(columns) = self.columns {
            out.uint("field_count", u64::from(columns));
        }
        for (key, columns) in [("copy_in_response", self.copy_in), ("copy_out_response", self.copy_out)] {
            if let Some(columns) = columns {
                out.open_object(key);
                out.uint("copy_column_count", u64::from(columns));
                out.close();
            }
        }
        if self.rows > 0 {
            out.uint("data_rows", self.rows);
            out.uint("data_size", self.rows_bytes);
        }
        if self.copied > 0 {
            out.open_object("copy_data_out");
            out.uint("row_count", self.copied);
            out.uint("data_size", self.copied_bytes);
            out.close();
        }
        if let Some(text) = &self.completed {
            out.bytes("command_completed", text);
        }
    }
}

/// Fields of an error or notice, each one letter and a text.
fn fields(body: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut fields: Vec<(u8, Vec<u8>)> = Vec::new();
    for text in body.split(|b| *b == 0).take(FIELDS_MAX) {
        let Some((kind, value)) = text.split_first() else { break };
        if fields.iter().all(|(known, _)| known != kind) {
            fields.push((*kind, value.to_vec()));
        }
    }
    fields
}

/// EVE's names of error fields ("Error and Notice Message Fields").
fn field_name(kind: u8) -> Option<&'static str> {
    Some(match kind {
        b'S' => "severity_localizable",
        b'V' => "severity_non_localizable",
        b'C' => "code",
        b'M' => "message",
        b'D' => "detail",
        b'H' => "hint",
        b'P' => "position",
        b'p' => "internal_position",
        b'q' => "internal_query",
        b'W' => "where",
        b's' => "schema_name",
        b't' => "table_name",
        b'c' => "column_name",
        b'd' => "data_type",
        b'n' => "constraint_name",
        b'F' => "file",
        b'L' => "line",
        b'R' => "routine",
        _ => return None,
    })
}

/// A parameter's name as EVE has it: those with capitals get underscores.
fn parameter(name: &[u8]) -> String {
    match name {
        b"DateStyle" => "date_style".to_owned(),
        b"IntervalStyle" => "interval_style".to_owned(),
        b"TimeZone" => "time_zone".to_owned(),
        other => String::from_utf8_lossy(other).into_owned(),
    }
}
