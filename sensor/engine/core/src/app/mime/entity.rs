//! What the header of one entity (a message or a part of one) says of its body: RFC 2045, RFC 2183.

use super::header::{parameters, Parameters};
use super::FILE_NAME_MAX;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// text/plain, text/html and what has no type at all.
    #[default]
    Text,
    Multipart,
    /// A message in a part; its own header follows.
    Message,
    Other,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    #[default]
    Plain,
    Base64,
    QuotedPrintable,
}

impl Encoding {
    pub fn is_encoded(self) -> bool {
        self != Encoding::Plain
    }
}

#[derive(Default)]
pub struct Entity {
    pub kind: Kind,
    pub encoding: Encoding,
    pub boundary: Option<Vec<u8>>,
    /// From Content-Disposition, else from Content-Type.
    pub file_name: Vec<u8>,
    typed: bool,
}

impl Entity {
    /// Takes a header field, by lower-case name. True: a file name was cut.
    pub fn field(&mut self, name: &[u8], value: &[u8]) -> bool {
        match name {
            b"content-type" if !self.typed => {
                self.typed = true;
                let (kind, rest) = split(value);
                self.kind = kind_of(kind);
                let given = parameters(rest);
                self.boundary = given.get(b"boundary").filter(|b| !b.is_empty());
                self.file_name.is_empty() && self.name(given.get(b"name"))
            }
            b"content-disposition" => {
                let given: Parameters = parameters(split(value).1);
                let name = given.get(b"filename").filter(|n| !n.is_empty());
                name.is_some() && self.name(name)
            }
            b"content-transfer-encoding" => {
                self.encoding = match value.to_ascii_lowercase().as_slice() {
                    b"base64" => Encoding::Base64,
                    b"quoted-printable" => Encoding::QuotedPrintable,
                    _ => Encoding::Plain,
                };
                false
            }
            _ => false,
        }
    }

    fn name(&mut self, name: Option<Vec<u8>>) -> bool {
        let mut name = name.unwrap_or_default();
        let long = name.len() > FILE_NAME_MAX;
        name.truncate(FILE_NAME_MAX);
        self.file_name = name;
        long
    }
}

/// A value up to its first parameter, and the parameters.
fn split(value: &[u8]) -> (&[u8], &[u8]) {
    let at = memchr::memchr(b';', value).unwrap_or(value.len());
    let (main, rest) = value.split_at(at);
    (main.trim_ascii(), rest.get(1..).unwrap_or(&[]))
}

fn kind_of(media_type: &[u8]) -> Kind {
    let media_type = media_type.to_ascii_lowercase();
    if media_type.starts_with(b"multipart/") {
        Kind::Multipart
    } else if media_type.starts_with(b"message/rfc822") || media_type.starts_with(b"message/global") {
        Kind::Message
    } else if media_type.starts_with(b"text/") || media_type.is_empty() {
        Kind::Text
    } else {
        Kind::Other
    }
}
