//! SNMP versions 1, 2c and 3 over UDP (RFC 1157, RFC 3416, RFC 3412, RFC 3414). Every message is a transaction of its own.
//! Nothing is decrypted: of an encrypted version 3 message only the user's name is known.

mod message;
#[cfg(test)]
mod tests;

use super::queue::{answers_from_queue, Queue};
use super::{
    Buffer, LogFor, Number, Outcome, ParseCx, Parser, Probe, Protocol, Recognise, Transaction, TxMeta, View,
};
use crate::direction::{Dir, PerDir};
use crate::json::JsonWriter;
use message::{Message, Security};

/// Transactions one flow may hold until they are inspected. Beyond it the oldest go.
const LIVE_TX_MAX: usize = 1024;
const COMPLETE: u8 = 1;

const MALFORMED_DATA: u8 = 0;
const UNKNOWN_SECURITY_MODEL: u8 = 1;
const VERSION_MISMATCH: u8 = 2;

const BOTH: PerDir<Option<u8>> = PerDir::new(Some(COMPLETE), Some(COMPLETE));
const COMMUNITY: usize = 0;
const USM: usize = 1;

const PDU_TYPES: &[(&str, u64)] = &[
    ("get_request", 0),
    ("get_next_request", 1),
    ("response", 2),
    ("set_request", 3),
    ("trap_v1", 4),
    ("get_bulk_request", 5),
    ("inform_request", 6),
    ("trap_v2", 7),
    ("report", 8),
];

pub static SNMP: Protocol = Protocol {
    name: "snmp",
    aliases: &[],
    tcp: false,
    udp: true,
    doc: "The Simple Network Management Protocol, versions 1, 2c and 3. Each message gives one `snmp` event.",
    recognise: Recognise { patterns: &[], probe: Some(probe), tcp_ports: &[], udp_ports: &[161, 162] },
    new: |_config| Box::new(SnmpParser { txs: Queue::new(LIVE_TX_MAX), version: None }),
    buffers: &[
        Buffer {
            name: "snmp.community",
            aliases: &[],
            modifier: None,
            progress: BOTH,
            multi: false,
            streaming: false,
            doc: "Community of a version 1 or 2c message, e.g. `public`.",
        },
        Buffer {
            name: "snmp.usm",
            aliases: &[],
            modifier: None,
            progress: BOTH,
            multi: false,
            streaming: false,
            doc: "User name of a version 3 message (User-based Security Model).",
        },
    ],
    numbers: &[
        Number {
            name: "snmp.version",
            aliases: &[],
            dir: None,
            max: u32::MAX as u64,
            words: &[],
            flags: false,
            doc: "Version of the SNMP message: 1, 2 (for 2c) or 3.",
        },
        Number {
            name: "snmp.pdu_type",
            aliases: &[],
            dir: None,
            max: u32::MAX as u64,
            words: PDU_TYPES,
            flags: false,
            doc: "Type of the SNMP PDU; absent where it is encrypted.",
        },
    ],
    frames: &[],
    events: &["malformed_data", "unknown_security_model", "version_mismatch"],
    states: PerDir::new(&["request_started", "request_complete"], &["response_started", "response_complete"]),
    complete: PerDir::new(COMPLETE, COMPLETE),
    log_at: PerDir::new(COMPLETE, COMPLETE),
    record: "snmp",
};

/// A sequence that begins with a known version and what must follow it.
fn probe(_dir: Dir, data: &[u8]) -> Probe {
    match message::envelope(data) {
        Some(_) => Probe::Yes,
        None => Probe::No,
    }
}

struct SnmpParser {
    txs: Queue<SnmpTx>,
    /// Version of the flow's first message.
    version: Option<u8>,
}

impl Parser for SnmpParser {
    fn parse(&mut self, dir: Dir, data: &[u8], _cx: &mut ParseCx) -> Outcome {
        let message = Message::read(data);
        let malformed = message.is_none();
        let message = message.unwrap_or_default();
        let version = message.version;
        let unknown_model = message.security == Security::Unknown;
        let mismatch = !malformed && *self.version.get_or_insert(version) != version;
        let tx = self.txs.push(|id| {
            let mut meta = TxMeta::new(id);
            meta.skip[dir.opposite()] = true;
            meta.logged = malformed;
            SnmpTx { meta, dir, message }
        });
        for (is, event) in [
            (malformed, MALFORMED_DATA),
            (unknown_model, UNKNOWN_SECURITY_MODEL),
            (mismatch, VERSION_MISMATCH),
        ] {
            if is {
                tx.meta.set_event(event);
            }
        }
        Outcome::Done // a bad datagram says nothing of the next one
    }
    answers_from_queue!();
}

struct SnmpTx {
    meta: TxMeta,
    dir: Dir,
    message: Message,
}

impl Transaction for SnmpTx {
    fn meta(&self) -> &TxMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut TxMeta {
        &mut self.meta
    }
    fn progress(&self, _dir: Dir) -> u8 {
        COMPLETE
    }
    fn buffer(&self, local: usize, _index: usize, dir: Dir) -> Option<View<'_>> {
        if dir != self.dir {
            return None;
        }
        match (local, &self.message.security) {
            (COMMUNITY, Security::Community(name)) | (USM, Security::User(name)) => Some(View::whole(name)),
            _ => None,
        }
    }
    fn number(&self, keyword: &str, dir: Dir) -> Option<u64> {
        if dir != self.dir || self.message.version == 0 {
            return None;
        }
        match keyword {
            "snmp.version" => Some(u64::from(self.message.version)),
            "snmp.pdu_type" => self.message.pdu.as_ref().map(|pdu| u64::from(pdu.kind)),
            _ => None,
        }
    }
    fn log(&self, out: &mut JsonWriter, _what: LogFor) {
        let message = &self.message;
        out.uint("version", u64::from(message.version));
        let Some(pdu) = &message.pdu else {
            out.str("pdu_type", "encrypted");
            return;
        };
        match PDU_TYPES.iter().find(|(_, n)| *n == u64::from(pdu.kind)) {
            Some((name, _)) => out.str("pdu_type", name),
            None => out.fmt("pdu_type", format_args!("Unknown(0x{:x})", pdu.kind)),
        }
        match pdu.error {
            0 => {}
            1 => out.str("error", "TooBig"),
            2 => out.str("error", "NoSuchName"),
            3 => out.str("error", "BadValue"),
            4 => out.str("error", "ReadOnly"),
            5 => out.str("error", "GenErr"),
            other => out.fmt("error", format_args!("ErrorStatus({other})")),
        }
        if let Some(trap) = &pdu.trap {
            match trap.name() {
                Some(name) => out.str("trap_type", name),
                None => out.fmt("trap_type", format_args!("TrapType({})", trap.generic)),
            }
            out.str("trap_oid", &trap.enterprise);
            if let Some(address) = trap.address {
                out.fmt("trap_address", format_args!("{address}"));
            }
        }
        if !pdu.variables.is_empty() {
            out.open_array("vars");
            for variable in &pdu.variables {
                out.item_str(variable);
            }
            out.close_array();
        }
        match &message.security {
            Security::Community(name) => out.bytes("community", name),
            Security::User(name) => out.bytes("usm", name),
            Security::None | Security::Unknown => {}
        }
    }
}
