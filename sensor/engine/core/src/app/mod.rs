//! App: recognition, parsers, transactions. Knows neither rules nor the layout of events beyond its own record.
//!
//! To add a protocol: one file here with a `Protocol` entry, and one word in `PROTOCOLS`.

// Bytes from the wire can never panic: what could is refused here. Tests may.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

#[cfg(test)]
mod any_bytes;
pub mod ber;
pub mod bittorrent;
pub mod body;
mod changed;
mod cursor;
pub mod dcerpc;
pub mod dhcp;
pub mod digest;
pub mod dnp3;
pub mod dns;
pub mod driver;
pub mod enip;
pub mod expectation;
pub mod file;
pub mod flow_state;
pub mod frames;
pub mod ftp;
pub mod http;
pub mod http2;
pub mod ike;
pub mod imap;
pub mod krb5;
pub mod ldap;
pub mod live;
pub mod mdns;
pub mod mime;
pub mod modbus;
pub mod mqtt;
pub mod nfs;
pub mod ntp;
pub mod pgsql;
#[cfg(test)]
mod playbook;
pub mod pop3;
mod queue;
pub mod quic;
pub mod rdp;
pub mod recognise;
pub mod rfb;
pub mod sip;
pub mod smb;
pub mod smtp;
pub mod snmp;
pub mod ssh;
pub mod telnet;
pub mod tftp;
pub mod tls;
pub mod tx;
pub mod websocket;
pub mod wire;

use crate::direction::{Dir, PerDir};
use crate::time::Timestamp;
pub use tx::{LogFor, Transaction, TxMeta, View};

/// What a parser says of the bytes it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything was consumed.
    Done,
    /// `consumed` bytes were used up; call again when at least `needed` bytes (> what is left over) stand behind them.
    /// The driver caps what it holds; a parser must not ask for more than its own named cap.
    NeedMore { consumed: usize, needed: usize },
    /// The stream cannot be this protocol any more; nothing further is parsed in either direction.
    Broken,
}

/// What a parser may see and ask for besides the bytes.
#[derive(Clone, Debug, Default)]
pub struct ParseCx {
    pub ts: Timestamp,
    /// Set by the driver: `data` is one whole datagram (UDP), not a piece of a stream.
    pub datagram: bool,
    pub src_port: u16,
    pub dst_port: u16,
    /// Set by the driver: this is the last data of the direction.
    pub eof: bool,
    /// Set by the parser: let the raw stream be inspected now (e.g. a request ended), as [to server, to client].
    pub trigger_raw: PerDir<bool>,
    /// Set by the driver: the flow is on its way from one protocol to another, and one direction is still to be recognised. A
    /// parser's wish for yet another change would not be heard.
    pub changing: bool,
    /// Set by the parser: go on as another protocol, found by name or, if empty, by recognition anew (STARTTLS, CONNECT, upgrade).
    pub upgrade: Option<&'static str>,
    /// Set by the parser together with `upgrade`: the request and answer that agreed on it. The other protocol then begins with
    /// the next byte of either direction and is told of them.
    pub upgrade_head: Option<Box<UpgradeHead>>,
    /// Set by the parser: the flow has turned out to be this more special protocol; the parser goes on and its transactions
    /// answer to that protocol's entry (DNS over HTTP/2).
    pub rename: Option<&'static str>,
    /// Set by the parser: the rest is not to be parsed (encrypted), nor the raw stream inspected when `no_raw` is set too.
    pub bypass: bool,
    pub no_raw: bool,
    /// Set by the parser: how many bytes of each direction are reassembled, in place of the configured depth; 0 = all.
    pub depth: Option<u64>,
    /// Set by the driver: offset in the direction's stream of the first byte of this call's `data` (or of the gap); 0 in datagrams.
    pub stream_offset: u64,
    /// Set by the driver: nobody looks at this protocol's frames, so none are taken down.
    pub frames_off: bool,
    /// Frames the parser found in this call; see `frame`.
    pub frames: Vec<Frame>,
    /// Set by the parser: flows that will come between the same two hosts.
    pub expect: Vec<expectation::Expect>,
}

impl ParseCx {
    /// Reports a stretch of the direction's bytes as a frame: `kind` is an index in `Protocol::frames`, `at` the offset of its
    /// first byte in the `data` of this call (negative: in data already consumed), `len` None while it has no known end.
    /// Reported again at the same place once the end is known, it is the same frame.
    pub fn frame(&mut self, kind: u8, at: i64, len: Option<u64>) {
        self.frame_of(kind, at, len, None);
    }

    /// The same for a frame that belongs to transaction `tx`.
    pub fn frame_of(&mut self, kind: u8, at: i64, len: Option<u64>, tx: Option<u64>) {
        const FRAMES_MAX: usize = 512; // of one call; a 64 KiB chunk of the smallest messages makes fewer worth a rule
        if !self.frames_off && self.frames.len() < FRAMES_MAX {
            self.frames.push(Frame { kind, at, len, tx });
        }
    }

    /// Reports a frame by the stream offset of its first byte, for parsers that count their own.
    pub fn frame_from(&mut self, kind: u8, offset: u64, len: Option<u64>, tx: Option<u64>) {
        let at = i64::try_from(offset).unwrap_or(i64::MAX);
        let here = i64::try_from(self.stream_offset).unwrap_or(i64::MAX);
        self.frame_of(kind, at.saturating_sub(here), len, tx);
    }
}

/// The HTTP/1 exchange by which both peers went on with another protocol (RFC 9110 section 7.8): fields as (name, value).
#[derive(Clone, Debug, Default)]
pub struct UpgradeHead {
    pub method: Vec<u8>,
    pub uri: Vec<u8>,
    pub request: Vec<(Vec<u8>, Vec<u8>)>,
    pub response: Vec<(Vec<u8>, Vec<u8>)>,
}

/// A stretch of stream or datagram that rules look into by name (`frame:dns.pdu`; Suricata manual, "Frame").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub at: i64,
    pub len: Option<u64>,
    /// The transaction it belongs to.
    pub tx: Option<u64>,
}

/// One protocol's state for one flow.
pub trait Parser: Send {
    /// Consumes stream data (TCP: any chunking; UDP: one whole datagram a call).
    fn parse(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Outcome;

    /// `len` bytes of `dir` are lost. `Done`: the parser goes on behind them. Default: it cannot.
    fn gap(&mut self, _dir: Dir, _len: u64, _cx: &mut ParseCx) -> Outcome {
        Outcome::Broken
    }

    /// The flow was announced by another one, whose parser left this note; called before the first `parse`.
    fn expected(&mut self, _note: &[u8]) {}

    /// The direction has ended; no more data comes.
    fn close(&mut self, _dir: Dir, _cx: &mut ParseCx) {}

    /// Bytes of each direction to reassemble unless `stream-depth` of the protocol's configuration says otherwise: 0 is no
    /// limit, None as for any stream.
    fn stream_depth(&self) -> Option<u64> {
        None
    }

    /// Called once, before any data, when an HTTP/1 exchange led here.
    fn upgraded(&mut self, _head: &UpgradeHead) {}

    /// Ids of the transactions held now, oldest first; ids never repeat in a flow.
    fn tx_ids(&self) -> std::ops::Range<u64>;
    /// None when it is gone already or was dropped out of order.
    fn tx(&self, id: u64) -> Option<&dyn Transaction>;
    fn tx_mut(&mut self, id: u64) -> Option<&mut dyn Transaction>;
    /// Frees one transaction; the driver frees from the front mostly, never one still in use.
    fn drop_tx(&mut self, id: u64);

    /// Ids of the transactions that changed since the last call, in any order, also more than once. None: the parser does not
    /// tell, and all it holds are looked at with every packet; for one that may hold many.
    fn take_changed(&mut self) -> Option<Vec<u64>> {
        None
    }

    /// Called by the driver after a direction was inspected, so that streaming buffers can slide their windows.
    fn inspected(&mut self, _id: u64, _dir: Dir) {}
}

/// A byte pattern at the start of a stream by which the protocol is known.
pub struct Pattern {
    pub dir: Dir,
    pub bytes: &'static [u8],
    pub nocase: bool,
    /// First position it may start at, and one past the last byte it may end at.
    pub offset: u16,
    pub depth: u16,
}

/// A probe's answer on the first bytes of a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    Yes,
    /// Yes, and the direction is reversed: these bytes come from the server.
    Reversed,
    No,
    /// Not enough bytes yet.
    Unsure,
}

/// How a protocol is recognised. A pattern hit is confirmed by `probe` when there is one.
pub struct Recognise {
    pub patterns: &'static [Pattern],
    pub probe: Option<fn(dir: Dir, data: &[u8]) -> Probe>,
    /// Server ports on which the probe alone is tried; empty: patterns only.
    pub tcp_ports: &'static [u16],
    pub udp_ports: &'static [u16],
}

/// A sticky buffer of a protocol.
#[derive(Clone, Copy)]
pub struct Buffer {
    /// e.g. "http.uri"; the same name in several protocols is one buffer to rules.
    pub name: &'static str,
    /// Older sticky names, e.g. "tls_sni".
    pub aliases: &'static [&'static str],
    /// The legacy content modifier, e.g. "http_uri".
    pub modifier: Option<&'static str>,
    /// Directions it exists in, with the transaction progress from which it can be inspected; None = not in that direction.
    pub progress: PerDir<Option<u8>>,
    /// More than one instance per transaction (index 0, 1, ...).
    pub multi: bool,
    /// Grows while the transaction goes on (bodies): inspected as its window moves.
    pub streaming: bool,
    /// One line for the manual.
    pub doc: &'static str,
}

/// A number that rules test: an integer keyword (Suricata manual, "Integer Keywords"). Transactions answer it from
/// `Transaction::number` or `number_at`, by `name`.
#[derive(Clone, Copy)]
pub struct Number {
    /// e.g. "dns.opcode".
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    /// The direction it belongs to; None: either.
    pub dir: Option<Dir>,
    pub max: u64,
    /// Words for some of its values, matched in any case (`dns.rcode:nxdomain`).
    pub words: &'static [(&'static str, u64)],
    /// The words are bits, and several may be asked for at once (`mqtt.flags:retain,!dup`).
    pub flags: bool,
    /// One line for the manual.
    pub doc: &'static str,
}

impl Number {
    /// A value for the manual.
    pub fn example(&self) -> &'static str {
        self.words.first().map_or("1", |(word, _)| word)
    }
}

/// The registry entry of an app-layer protocol.
pub struct Protocol {
    /// Rule and configuration name, e.g. "http".
    pub name: &'static str,
    /// Further rule names, e.g. "http1"; one name may stand for several protocols ("http" for HTTP/1 and HTTP/2).
    pub aliases: &'static [&'static str],
    pub tcp: bool,
    pub udp: bool,
    /// One paragraph for the manual.
    pub doc: &'static str,
    pub recognise: Recognise,
    /// Makes the state of one flow; `config` is the node `app-layer.protocols.<name>` of the configuration, with `log` and
    /// `inspected` added by the driver.
    pub new: fn(config: &serde_json::Value) -> Box<dyn Parser>,
    pub buffers: &'static [Buffer],
    /// Integer keywords; others have a file in `detect/keywords`.
    pub numbers: &'static [Number],
    /// Names of its frames, e.g. "pdu" (rules say `frame:dns.pdu` or `frame:pdu`).
    pub frames: &'static [&'static str],
    /// App-layer events, e.g. "invalid_request_field_start" (rules say `app-layer-event:http.…`); code = index, at most 128.
    pub events: &'static [&'static str],
    /// Names of the progress steps per direction (rule hooks, e.g. `http1:request_headers`); index = progress.
    pub states: PerDir<&'static [&'static str]>,
    /// Progress at which the transaction is complete.
    pub complete: PerDir<u8>,
    /// Progress at which its record is logged (both directions must have reached theirs).
    pub log_at: PerDir<u8>,
    /// EVE event type of its record and key of the object, e.g. "http"; empty = no record.
    pub record: &'static str,
}

/// Index into `PROTOCOLS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProtocolId(pub u8);

impl ProtocolId {
    #[allow(clippy::indexing_slicing)] // ids come from `find` and from counting `PROTOCOLS`, never from the wire
    pub fn get(self) -> &'static Protocol {
        PROTOCOLS[usize::from(self.0)]
    }
    /// By name, else by alias.
    /// By rule name or alias.
    pub fn find(name: &str) -> Option<ProtocolId> {
        let named = PROTOCOLS.iter().position(|p| p.name == name);
        named
            .or_else(|| PROTOCOLS.iter().position(|p| p.aliases.contains(&name)))
            .and_then(|at| u8::try_from(at).ok())
            .map(ProtocolId)
    }
}

/// Every protocol this build knows. One word adds one.
#[rustfmt::skip]
pub static PROTOCOLS: &[&Protocol] = &[
    &sip::SIP,
    &http::PROTOCOL,
    &http2::HTTP2,
    &http2::DOH2,
    &dns::DNS,
    &mdns::MDNS,
    &tls::TLS,
    &ssh::SSH,
    &rfb::RFB,
    &pgsql::PGSQL,
    &rdp::RDP,
    &pop3::POP3, // before FTP: on its port a client's USER is its own
    &ftp::FTP,
    &ftp::data::FTP_DATA,
    &tftp::TFTP,
    &websocket::WEBSOCKET,
    &smtp::SMTP,
    &imap::IMAP,
    &telnet::TELNET,
    &dcerpc::DCERPC,
    &smb::SMB,
    &krb5::KRB5,
    &ldap::LDAP,
    &snmp::SNMP,
    &ike::IKE,
    &dhcp::DHCP,
    &ntp::NTP,
    &nfs::NFS,
    &mqtt::MQTT,
    &quic::QUIC,
    &dnp3::DNP3,
    &enip::ENIP,
    &modbus::MODBUS,
    &bittorrent::BITTORRENT_DHT,
];
