//! DHCP for IPv4 (RFC 2131, RFC 2132). Every message is a transaction of its own. As in Suricata only acknowledgements are
//! logged, unless the `dhcp` event type has `extended: yes`.

mod message;
#[cfg(test)]
mod tests;

use super::queue::{answers_from_queue, Queue};
use super::{
    LogFor, Number, Outcome, ParseCx, Parser, Probe, Protocol, Recognise, Transaction, TxMeta, View,
};
use crate::direction::{Dir, PerDir};
use crate::json::JsonWriter;
use message::{option, Message, Options};
use std::net::Ipv4Addr;

/// Transactions one flow may hold until they are inspected. Beyond it the oldest go.
const LIVE_TX_MAX: usize = 1024;
const COMPLETE: u8 = 1;

const MALFORMED_OPTIONS: u8 = 0;
const TRUNCATED_OPTIONS: u8 = 1;

const REPLY: u8 = 2;
const ACK: u8 = 5;

const fn seconds(name: &'static str, doc: &'static str) -> Number {
    Number { name, aliases: &[], dir: None, max: u64::MAX, words: &[], flags: false, doc }
}

pub static DHCP: Protocol = Protocol {
    name: "dhcp",
    aliases: &[],
    tcp: false,
    udp: true,
    doc: "The Dynamic Host Configuration Protocol for IPv4. Acknowledgements give a `dhcp` event; with `extended: yes` every \
          message does.",
    recognise: Recognise { patterns: &[], probe: Some(probe), tcp_ports: &[], udp_ports: &[67, 68] },
    new: |config| {
        Box::new(DhcpParser {
            txs: Queue::new(LIVE_TX_MAX),
            extended: config.pointer("/log/extended").and_then(|v| v.as_bool()).unwrap_or(false),
        })
    },
    buffers: &[],
    numbers: &[
        seconds("dhcp.leasetime", "Lease time in seconds (option 51)."),
        seconds("dhcp.rebinding_time", "Rebinding time in seconds (option 59)."),
        seconds("dhcp.renewal_time", "Renewal time in seconds (option 58)."),
    ],
    frames: &[],
    events: &["malformed_options", "truncated_options"],
    states: PerDir::new(&["request_started", "request_complete"], &["response_started", "response_complete"]),
    complete: PerDir::new(COMPLETE, COMPLETE),
    log_at: PerDir::new(COMPLETE, COMPLETE),
    record: "dhcp",
};

fn probe(_dir: Dir, data: &[u8]) -> Probe {
    match Message::read(data) {
        Some(message) if message.plausible() => Probe::Yes,
        _ => Probe::No,
    }
}

struct DhcpParser {
    txs: Queue<DhcpTx>,
    extended: bool,
}

impl Parser for DhcpParser {
    fn parse(&mut self, dir: Dir, data: &[u8], _cx: &mut ParseCx) -> Outcome {
        let extended = self.extended;
        let message = Message::read(data);
        self.txs.push(|id| {
            let mut meta = TxMeta::new(id);
            meta.skip[dir.opposite()] = true;
            let options = message.as_ref().map(|m| &m.options);
            let ack = options.is_some_and(|o| o.get(option::MESSAGE_TYPE) == Some(&[ACK]));
            meta.logged = message.is_none() || !(ack || extended);
            if options.is_none_or(|o| o.malformed) {
                meta.set_event(MALFORMED_OPTIONS);
            }
            if options.is_some_and(|o| o.truncated) {
                meta.set_event(TRUNCATED_OPTIONS);
            }
            DhcpTx { meta, dir, extended, message: message.unwrap_or_default() }
        });
        Outcome::Done // a bad datagram says nothing of the next one
    }
    answers_from_queue!();
}

struct DhcpTx {
    meta: TxMeta,
    dir: Dir,
    extended: bool,
    message: Message,
}

impl Transaction for DhcpTx {
    fn meta(&self) -> &TxMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut TxMeta {
        &mut self.meta
    }
    fn progress(&self, _dir: Dir) -> u8 {
        COMPLETE
    }
    fn buffer(&self, _local: usize, _index: usize, _dir: Dir) -> Option<View<'_>> {
        None
    }
    fn number(&self, keyword: &str, dir: Dir) -> Option<u64> {
        let code = match keyword {
            "dhcp.leasetime" => option::LEASE_TIME,
            "dhcp.rebinding_time" => option::REBINDING_TIME,
            "dhcp.renewal_time" => option::RENEWAL_TIME,
            _ => return None,
        };
        self.message.options.seconds(code).filter(|_| dir == self.dir)
    }
    fn log(&self, out: &mut JsonWriter, _what: LogFor) {
        let message = &self.message;
        let kind = match message.op {
            1 => "request",
            REPLY => "reply",
            _ => "<unknown>",
        };
        out.str("type", kind);
        out.uint("id", u64::from(message.id));
        out.fmt("client_mac", format_args!("{}", Colons(message.client_mac())));
        address(out, "assigned_ip", message.assigned);
        if self.extended {
            address(out, "client_ip", message.client);
            if message.op == REPLY {
                address(out, "relay_ip", message.relay);
                address(out, "next_server_ip", message.next_server);
            }
        }
        for (code, data) in message.options.iter() {
            self.option(out, code, data);
        }
    }
}

impl DhcpTx {
    /// Writes what is known of one option; the short form leaves most of them out.
    fn option(&self, out: &mut JsonWriter, code: u8, data: &[u8]) {
        match code {
            option::MESSAGE_TYPE => {
                if let [kind] = data {
                    out.str("dhcp_type", message_type(*kind));
                }
            }
            option::HOST_NAME => out.bytes("hostname", data),
            option::CLIENT_ID => {
                // The first byte says what kind of identifier follows (RFC 2132 section 9.14).
                if let Some((_, id)) = data.split_first() {
                    out.fmt("client_id", format_args!("{}", Colons(id)));
                }
            }
            option::RENEWAL_TIME => time(out, "renewal_time", data),
            _ if !self.extended => {}
            option::SUBNET_MASK => address_option(out, "subnet_mask", data),
            option::REQUESTED_IP => address_option(out, "requested_ip", data),
            option::ROUTER => addresses(out, "routers", data),
            option::DNS_SERVER => addresses(out, "dns_servers", data),
            option::LEASE_TIME => time(out, "lease_time", data),
            option::REBINDING_TIME => time(out, "rebinding_time", data),
            option::VENDOR_CLASS => out.bytes("vendor_class_identifier", data),
            option::PARAMETERS => {
                out.open_array("params");
                for name in data.iter().filter_map(|code| parameter(*code)) {
                    out.item_str(name);
                }
                out.close_array();
            }
            _ => {}
        }
    }
}

fn message_type(kind: u8) -> &'static str {
    const NAMES: [&str; 9] =
        ["unknown", "discover", "offer", "request", "decline", "ack", "nak", "release", "inform"];
    NAMES.get(usize::from(kind)).copied().unwrap_or("unknown")
}

/// The parameters Suricata names.
fn parameter(code: u8) -> Option<&'static str> {
    Some(match code {
        1 => "subnet_mask",
        3 => "router",
        6 => "dns_server",
        15 => "domain",
        35 => "arp_timeout",
        42 => "ntp_server",
        66 => "tftp_server_name",
        150 => "tftp_server_ip",
        _ => return None,
    })
}

fn time(out: &mut JsonWriter, key: &str, data: &[u8]) {
    if let Some(seconds) = Options::number(data) {
        out.uint(key, seconds);
    }
}

fn address(out: &mut JsonWriter, key: &str, octets: [u8; 4]) {
    out.fmt(key, format_args!("{}", Ipv4Addr::from(octets)));
}

fn address_option(out: &mut JsonWriter, key: &str, data: &[u8]) {
    if let Ok(octets) = data.try_into() {
        address(out, key, octets);
    }
}

fn addresses(out: &mut JsonWriter, key: &str, data: &[u8]) {
    out.open_array(key);
    for octets in data.chunks_exact(4).filter_map(|c| <[u8; 4]>::try_from(c).ok()) {
        out.item_fmt(format_args!("{}", Ipv4Addr::from(octets)));
    }
    out.close_array();
}

/// Lower-case hex with colons.
struct Colons<'a>(&'a [u8]);

impl std::fmt::Display for Colons<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(":")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}
