//! SMTP (RFC 5321) with pipelining (RFC 2920), chunking (RFC 3030), STARTTLS (RFC 3207) and AUTH (RFC 4954). A transaction is
//! one mail, from the first command after the mail before it to its end; QUIT and what is refused make transactions too.

mod connection;
mod events;
mod log;
mod tx;

#[cfg(test)]
mod tests;

use super::mime::config::Config as MimeConfig;
use super::{Buffer, Pattern, Probe, Protocol, Recognise};
use crate::direction::{Dir, PerDir};
use crate::setting::{count, switch};
use serde_json::Value;
use std::sync::Arc;

/// Progress of the direction to the server: the envelope stands, then the whole mail. The other direction has one step.
const ENVELOPE: u8 = 1;
const COMPLETE: u8 = 2;

/// `app-layer.protocols.smtp` of the configuration.
struct Config {
    decode_mime: bool,
    /// Keep each message as one file as it came; only where it is not decoded.
    raw_extraction: bool,
    max_tx: usize,
    mime: Arc<MimeConfig>,
}

impl Config {
    fn new(node: &Value) -> Config {
        let mime = &node["mime"];
        let decode_mime = switch(&mime["decode-mime"]).unwrap_or(true);
        Config {
            decode_mime,
            raw_extraction: switch(&node["raw-extraction"]).unwrap_or(false) && !decode_mime,
            max_tx: max_tx(node),
            mime: Arc::new(MimeConfig::new(mime, &node["inspected-tracker"])),
        }
    }
}

/// `max-tx`: transactions held of one flow; Suricata's default.
pub(super) fn max_tx(node: &Value) -> usize {
    const MAX_TX: usize = 256;
    count(&node["max-tx"]).filter(|n| *n > 0).unwrap_or(MAX_TX)
}

const fn buffer(name: &'static str, progress: u8, multi: bool, doc: &'static str) -> Buffer {
    Buffer {
        name,
        aliases: &[],
        modifier: None,
        progress: PerDir::new(Some(progress), None),
        multi,
        streaming: false,
        doc,
    }
}

/// In the order of `tx::Slot`.
const BUFFERS: &[Buffer] = &[
    buffer("smtp.helo", ENVELOPE, false, "The name a mail client gives itself in HELO or EHLO."),
    buffer("smtp.mail_from", ENVELOPE, false, "The sender in MAIL FROM, as it came, e.g. `<a@example.com>`."),
    buffer("smtp.rcpt_to", ENVELOPE, true, "Each recipient in RCPT TO, as it came."),
    buffer("email.from", COMPLETE, false, "The From field of a mail."),
    buffer("email.subject", COMPLETE, false, "The Subject field of a mail, encoded words as they came."),
    buffer("email.to", COMPLETE, false, "The To field of a mail."),
    buffer("email.cc", COMPLETE, false, "The Cc field of a mail."),
    buffer("email.date", COMPLETE, false, "The Date field of a mail."),
    buffer("email.message_id", COMPLETE, false, "The Message-Id field of a mail."),
    buffer("email.x_mailer", COMPLETE, false, "The X-Mailer field of a mail."),
    buffer("email.url", COMPLETE, true, "Each URL in the text of a mail."),
    buffer("email.received", COMPLETE, true, "Each Received field of a mail."),
    buffer("email.body_md5", COMPLETE, false, "MD5 of a mail's body, in lower-case hexadecimal."),
    Buffer {
        aliases: &["file_data"],
        streaming: true,
        ..buffer("file.data", 0, true, "The content of a file.")
    },
    Buffer { streaming: true, ..buffer("file.name", 0, true, "The name of a file.") },
];

const fn word(bytes: &'static [u8]) -> Pattern {
    Pattern { dir: Dir::ToServer, bytes, nocase: true, offset: 0, depth: 4 }
}

pub static SMTP: Protocol = Protocol {
    name: "smtp",
    aliases: &[],
    tcp: true,
    udp: false,
    doc: "Mail on its way to a server. Each mail gives one `smtp` event with the envelope (`smtp`) and the message (`email`), and \
          one `fileinfo` event per attachment.",
    recognise: Recognise {
        patterns: &[word(b"EHLO"), word(b"HELO"), word(b"QUIT")],
        probe: Some(probe),
        tcp_ports: &[25, 465],
        udp_ports: &[],
    },
    new: |node| Box::new(connection::SmtpParser::new(Config::new(node))),
    buffers: BUFFERS,
    numbers: &[],
    frames: &[],
    events: events::NAMES,
    states: PerDir::new(
        &["request_started", "request_started", "request_complete"],
        &["response_started", "response_complete"],
    ),
    complete: PerDir::new(COMPLETE, 1),
    log_at: PerDir::new(COMPLETE, 1),
    record: "smtp",
};

/// A client begins with a greeting, a server with `220 its.name`, where a mail server is expected (RFC 5321 section 4.2).
fn probe(dir: Dir, data: &[u8]) -> Probe {
    const WORDS: [&[u8]; 3] = [b"EHLO", b"HELO", b"QUIT"];
    let begins = |word: &[u8]| {
        let len = word.len().min(data.len());
        data.get(..len).zip(word.get(..len)).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b))
    };
    match dir {
        Dir::ToServer if !WORDS.iter().any(|word| begins(word)) => Probe::No,
        Dir::ToServer if data.len() < 4 => Probe::Unsure,
        Dir::ToServer => Probe::Yes,
        Dir::ToClient if !(begins(b"220 ") || begins(b"220-")) => Probe::No,
        Dir::ToClient if data.len() < 5 => Probe::Unsure,
        Dir::ToClient => Probe::Yes,
    }
}
