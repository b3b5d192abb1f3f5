//! Kerberos 5 between client and KDC (RFC 4120 section 7.2), over UDP and TCP. Every message is a transaction of its own, in
//! the direction it was sent; an error tells which kind of request it answers.

mod message;
mod names;
#[cfg(test)]
mod tests;

use super::queue::{answers_from_queue, Queue};
use super::{
    Buffer, LogFor, Number, Outcome, ParseCx, Parser, Probe, Protocol, Recognise, Transaction, TxMeta, View,
};
use crate::app::ber::{self, Header, Reader, Trouble};
use crate::direction::{Dir, PerDir};
use crate::json::JsonWriter;
use message::Message;
pub use names::{encryption_type, is_weak};

/// Bytes of the length that stands before a message on TCP (RFC 4120 section 7.2.2).
const PREFIX_LEN: usize = 4;
/// Longest message on TCP that is read; tickets with large authorization data stay well below. A longer one is taken for
/// something else, as Suricata does.
const MESSAGE_MAX_BYTES: usize = 16_384;
/// Transactions one flow may hold: a 64 KiB chunk of the smallest messages makes about this many. Beyond it the oldest go.
const LIVE_TX_MAX: usize = 1024;
const COMPLETE: u8 = 1;

const MALFORMED_DATA: u8 = 0;
const WEAK_ENCRYPTION: u8 = 1;

const BOTH: PerDir<Option<u8>> = PerDir::new(Some(COMPLETE), Some(COMPLETE));
const CNAME: usize = 0;
const SNAME: usize = 1;

pub static KRB5: Protocol = Protocol {
    name: "krb5",
    aliases: &[],
    tcp: true,
    udp: true,
    doc: "Kerberos 5 between clients and the key distribution centre. Each message gives one `krb5` event.",
    recognise: Recognise { patterns: &[], probe: Some(probe), tcp_ports: &[88], udp_ports: &[88] },
    new: |_config| Box::new(Krb5Parser::new()),
    buffers: &[
        Buffer {
            name: "krb5.cname",
            aliases: &["krb5_cname"],
            modifier: None,
            progress: BOTH,
            multi: true,
            streaming: false,
            doc: "Each part of the client's name, e.g. `alice`.",
        },
        Buffer {
            name: "krb5.sname",
            aliases: &["krb5_sname"],
            modifier: None,
            progress: BOTH,
            multi: true,
            streaming: false,
            doc: "Each part of the server's name, e.g. `krbtgt`.",
        },
    ],
    numbers: &[
        Number {
            name: "krb5_msg_type",
            aliases: &["krb5.msg_type"],
            dir: None,
            max: 255,
            words: &[],
            flags: false,
            doc: "Type of the Kerberos message: 10 AS-REQ, 11 AS-REP, 12 TGS-REQ, 13 TGS-REP, 30 ERROR.",
        },
        Number {
            name: "krb5_err_code",
            aliases: &["krb5.err_code"],
            dir: None,
            max: 0x7fff_ffff,
            words: &[],
            flags: false,
            doc: "Code of a Kerberos error message (RFC 4120 section 7.5.9).",
        },
    ],
    frames: &[],
    events: &["malformed_data", "weak_encryption"],
    states: PerDir::new(&["request_started", "request_complete"], &["response_started", "response_complete"]),
    complete: PerDir::new(COMPLETE, COMPLETE),
    log_at: PerDir::new(COMPLETE, COMPLETE),
    record: "krb5",
};

/// A message, or a message behind its length: the first byte of either cannot be the other's.
fn probe(_dir: Dir, data: &[u8]) -> Probe {
    let Some(first) = data.first() else { return Probe::Unsure };
    if *first >> 6 == ber::APPLICATION {
        return plausible(data);
    }
    let Some((prefix, message)) = data.split_first_chunk::<PREFIX_LEN>() else { return Probe::Unsure };
    if u32::from_be_bytes(*prefix) as usize > MESSAGE_MAX_BYTES {
        return Probe::No;
    }
    plausible(message)
}

/// `[APPLICATION type] SEQUENCE { [0 or 1] INTEGER 5`.
fn plausible(message: &[u8]) -> Probe {
    let mut rest = message;
    for step in 0..4 {
        let header = match Header::read(rest) {
            Ok(header) => header,
            Err(Trouble::Short(_)) => return Probe::Unsure,
            Err(Trouble::Malformed) => return Probe::No,
        };
        let fits = match step {
            0 => {
                header.class == ber::APPLICATION
                    && header.constructed
                    && matches!(header.tag, 10..=16 | 20..=22 | 30)
            }
            1 => header.class == ber::UNIVERSAL && header.tag == ber::SEQUENCE,
            2 => header.class == ber::CONTEXT && header.tag <= 1,
            _ => header.class == ber::UNIVERSAL && header.tag == ber::INTEGER && header.len == Some(1),
        };
        if !fits {
            return Probe::No;
        }
        rest = rest.get(header.header_len..).unwrap_or_default();
    }
    match rest.first() {
        Some(5) => Probe::Yes,
        Some(_) => Probe::No,
        None => Probe::Unsure,
    }
}

struct Krb5Parser {
    txs: Queue<Krb5Tx>,
    /// Type of the request no answer was seen for yet.
    request: Option<u32>,
}

impl Krb5Parser {
    fn new() -> Self {
        Krb5Parser { txs: Queue::new(LIVE_TX_MAX), request: None }
    }

    /// One message. False: it is none.
    fn message(&mut self, dir: Dir, data: &[u8]) -> bool {
        let element = Reader(data).element().ok().filter(|e| e.class == ber::APPLICATION);
        let message = element.and_then(|e| match e.tag {
            message::AS_REQ | message::TGS_REQ => Message::request(&e),
            message::AS_REP | message::TGS_REP => Message::reply(&e),
            message::ERROR => Message::error(&e),
            // Messages between client and server (AP-REQ and so on) have nothing that is logged or asked for.
            _ => Some(Message { kind: e.tag, ..Message::default() }),
        });
        let Some(mut message) = message else {
            let tx = self.txs.push(|id| Krb5Tx::new(id, dir, Message::default()));
            tx.meta.set_event(MALFORMED_DATA);
            tx.meta.logged = true;
            return false;
        };
        match message.kind {
            message::AS_REQ | message::TGS_REQ => self.request = Some(message.kind),
            message::AS_REP | message::TGS_REP => self.request = None,
            message::ERROR => message.failed_request = self.request.take(),
            _ => return true,
        }
        let weak = message.encryption.is_some_and(is_weak);
        let tx = self.txs.push(|id| Krb5Tx::new(id, dir, message));
        if weak {
            tx.meta.set_event(WEAK_ENCRYPTION);
        }
        true
    }

    fn stream(&mut self, dir: Dir, data: &[u8]) -> Outcome {
        let mut at = 0usize;
        loop {
            let rest = data.get(at..).unwrap_or_default();
            if rest.is_empty() {
                return Outcome::Done;
            }
            let Some((prefix, body)) = rest.split_first_chunk::<PREFIX_LEN>() else {
                return Outcome::NeedMore { consumed: at, needed: PREFIX_LEN };
            };
            let len = u32::from_be_bytes(*prefix) as usize;
            if len > MESSAGE_MAX_BYTES {
                return Outcome::Broken;
            }
            let needed = PREFIX_LEN.saturating_add(len);
            let Some(message) = body.get(..len) else {
                return Outcome::NeedMore { consumed: at, needed };
            };
            if !self.message(dir, message) {
                return Outcome::Broken;
            }
            at = at.saturating_add(needed);
        }
    }
}

impl Parser for Krb5Parser {
    fn parse(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Outcome {
        if cx.datagram {
            self.message(dir, data);
            return Outcome::Done;
        }
        self.stream(dir, data)
    }
    answers_from_queue!();
}

struct Krb5Tx {
    meta: TxMeta,
    dir: Dir,
    message: Message,
}

impl Krb5Tx {
    fn new(id: u64, dir: Dir, message: Message) -> Krb5Tx {
        let mut meta = TxMeta::new(id);
        meta.skip[dir.opposite()] = true;
        Krb5Tx { meta, dir, message }
    }
}

impl Transaction for Krb5Tx {
    fn meta(&self) -> &TxMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut TxMeta {
        &mut self.meta
    }
    fn progress(&self, _dir: Dir) -> u8 {
        COMPLETE
    }
    fn buffer(&self, local: usize, index: usize, dir: Dir) -> Option<View<'_>> {
        let name = match local {
            CNAME => self.message.cname.as_ref()?,
            SNAME => self.message.sname.as_ref()?,
            _ => return None,
        };
        let part = name.get(index).filter(|_| dir == self.dir)?;
        Some(View::whole(part))
    }
    fn number(&self, keyword: &str, dir: Dir) -> Option<u64> {
        if dir != self.dir {
            return None;
        }
        match keyword {
            "krb5_msg_type" => Some(u64::from(self.message.kind)),
            "krb5_err_code" => u64::try_from(self.message.error_code?).ok(),
            // Negative types are in use: the keyword reads the number back as a signed one.
            "krb5.ticket_encryption" => self.message.ticket_encryption.map(|n| n as u64),
            _ => None,
        }
    }
    fn log(&self, out: &mut JsonWriter, _what: LogFor) {
        let message = &self.message;
        out.str("msg_type", names::message_type(message.kind));
        if let Some(code) = message.error_code {
            out.str("failed_request", message.failed_request.map_or("UNKNOWN", names::message_type));
            match names::error_code(code) {
                Some(name) => out.str("error_code", name),
                None => out.fmt("error_code", format_args!("ErrorCode({code})")),
            }
        }
        principal(out, "cname", message.cname.as_deref());
        match &message.realm {
            Some(realm) => out.bytes("realm", realm),
            None => out.str("realm", "<empty>"),
        }
        principal(out, "sname", message.sname.as_deref());
        match message.encryption {
            Some(number) => encryption(out, "encryption", number),
            None => out.str("encryption", "<none>"),
        }
        out.bool("weak_encryption", message.encryption.is_some_and(is_weak));
        if let Some(number) = message.ticket_encryption {
            encryption(out, "ticket_encryption", number);
            out.bool("ticket_weak_encryption", is_weak(number));
        }
    }
}

fn principal(out: &mut JsonWriter, key: &str, name: Option<&[Vec<u8>]>) {
    match name {
        Some(parts) => out.bytes(key, &parts.join(&b'/')),
        None => out.str(key, "<empty>"),
    }
}

fn encryption(out: &mut JsonWriter, key: &str, number: i64) {
    match names::encryption_name(number) {
        Some(name) => out.str(key, name),
        None => out.fmt(key, format_args!("EncryptionType({number})")),
    }
}
