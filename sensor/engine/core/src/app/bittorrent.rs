//! The DHT of BitTorrent over UDP (BEP 5): queries, responses and errors as bencoded dictionaries (BEP 3). Each message is a
//! transaction.

use super::queue::{answers_from_queue, Queue};
use super::{
    LogFor, Outcome, ParseCx, Parser, Pattern, Probe, Protocol, Recognise, Transaction, TxMeta, View,
};
use crate::direction::{Dir, PerDir};
use crate::json::JsonWriter;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Transactions one flow may hold; they go as soon as they are logged.
const LIVE_TX_MAX: usize = 1024;
/// Levels of lists and dictionaries followed: the protocol has two.
const DEPTH_MAX: usize = 8;
/// Bytes of a node: its id, an IPv4 or IPv6 address, a port (BEP 5, BEP 32).
const NODE_LEN: usize = 26;
const NODE6_LEN: usize = 38;
const ID_LEN: usize = 20;

const MALFORMED_PACKET: u8 = 0;

const fn pattern(dir: Dir, bytes: &'static [u8], offset: u16, depth: u16) -> Pattern {
    Pattern { dir, bytes, nocase: false, offset, depth }
}

pub static BITTORRENT_DHT: Protocol = Protocol {
    name: "bittorrent-dht",
    aliases: &[],
    tcp: false,
    udp: true,
    doc: "The distributed hash table of BitTorrent over UDP. Each message is a transaction and gives one `bittorrent_dht` event.",
    recognise: Recognise {
        patterns: &[
            pattern(Dir::ToServer, b"d1:ad2:id20:", 0, 12),
            pattern(Dir::ToServer, b"d1:rd2:id20:", 0, 12),
            pattern(Dir::ToServer, b"d2:ip", 0, 5),
            pattern(Dir::ToServer, b"d1:el", 0, 5),
            pattern(Dir::ToClient, b"d1:ad2:id20:", 0, 12),
            pattern(Dir::ToClient, b"d1:rd2:id20:", 0, 12),
            pattern(Dir::ToClient, b"d2:ip", 0, 5),
            pattern(Dir::ToClient, b"d1:el", 0, 5),
        ],
        probe: Some(|_dir, data| if data.starts_with(b"d") { Probe::Yes } else { Probe::No }),
        tcp_ports: &[],
        udp_ports: &[],
    },
    new: |_config| Box::new(DhtParser { txs: Queue::new(LIVE_TX_MAX) }),
    buffers: &[],
    numbers: &[],
    frames: &[],
    events: &["malformed_packet"],
    states: PerDir::new(&["request_started", "request_complete"], &["response_started", "response_complete"]),
    complete: PerDir::new(1, 1),
    log_at: PerDir::new(1, 1),
    record: "bittorrent_dht",
};

struct DhtParser {
    txs: Queue<DhtTx>,
}

impl Parser for DhtParser {
    fn parse(&mut self, dir: Dir, data: &[u8], _cx: &mut ParseCx) -> Outcome {
        if !data.starts_with(b"d") {
            return Outcome::Done; // Peers speak uTP (BEP 29) on the same port.
        }
        let message = Message::read(data);
        self.txs.push(|id| {
            let mut meta = TxMeta::new(id);
            meta.skip[dir.opposite()] = true;
            if message.is_none() {
                meta.set_event(MALFORMED_PACKET);
                meta.logged = true; // There is no message to speak of.
            }
            DhtTx { meta, message: message.unwrap_or_default() }
        });
        Outcome::Done
    }

    answers_from_queue!();
}

/// A bencoded value.
enum Value<'a> {
    Number(i64),
    Text(&'a [u8]),
    List(Vec<Value<'a>>),
    Dict(Vec<(&'a [u8], Value<'a>)>),
}

impl<'a> Value<'a> {
    fn read(data: &mut &'a [u8], depth: usize) -> Option<Value<'a>> {
        let inner = depth.checked_sub(1)?;
        match data.first()? {
            b'i' => {
                *data = data.get(1..)?;
                Some(Value::Number(until(data, b'e')?.parse().ok()?))
            }
            b'l' => {
                *data = data.get(1..)?;
                let mut list = Vec::new();
                while *data.first()? != b'e' {
                    list.push(Value::read(data, inner)?);
                }
                *data = data.get(1..)?;
                Some(Value::List(list))
            }
            b'd' => {
                *data = data.get(1..)?;
                let mut dict = Vec::new();
                while *data.first()? != b'e' {
                    dict.push((text(data)?, Value::read(data, inner)?));
                }
                *data = data.get(1..)?;
                Some(Value::Dict(dict))
            }
            _ => text(data).map(Value::Text),
        }
    }
    fn get(&self, key: &[u8]) -> Option<&Value<'a>> {
        match self {
            Value::Dict(dict) => dict.iter().find(|(k, _)| *k == key).map(|(_, v)| v),
            _ => None,
        }
    }
    fn text(&self) -> Option<&'a [u8]> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
    fn number(&self) -> Option<i64> {
        match self {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }
}

/// Text up to `end`, which is passed; as a number has it.
fn until<'a>(data: &mut &'a [u8], end: u8) -> Option<&'a str> {
    const DIGITS_MAX: usize = 20;
    let at = data.iter().take(DIGITS_MAX.saturating_add(1)).position(|b| *b == end)?;
    let (head, tail) = data.split_at_checked(at)?;
    *data = tail.get(1..)?;
    std::str::from_utf8(head).ok()
}

fn text<'a>(data: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len: usize = until(data, b':')?.parse().ok()?;
    let (head, tail) = data.split_at_checked(len)?;
    *data = tail;
    Some(head)
}

/// What is logged of a message; texts as they stand.
#[derive(Debug, Default, PartialEq, Eq)]
struct Message {
    transaction_id: Vec<u8>,
    client_version: Option<Vec<u8>>,
    body: Body,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Body {
    #[default]
    None,
    Query {
        kind: Vec<u8>,
        id: Vec<u8>,
        target: Option<Vec<u8>>,
        info_hash: Option<Vec<u8>>,
        token: Option<Vec<u8>>,
        implied_port: Option<i64>,
        port: Option<i64>,
    },
    Response {
        id: Vec<u8>,
        nodes: Vec<u8>,
        nodes6: Vec<u8>,
        values: Vec<Vec<u8>>,
        token: Option<Vec<u8>>,
    },
    Error {
        number: i64,
        message: Vec<u8>,
    },
}

impl Message {
    fn read(mut data: &[u8]) -> Option<Message> {
        let top = Value::read(&mut data, DEPTH_MAX)?;
        let owned = |value: Option<&Value<'_>>| value.and_then(Value::text).map(<[u8]>::to_vec);
        let body = match top.get(b"y")?.text()? {
            b"q" => {
                let asked = top.get(b"a")?;
                Body::Query {
                    kind: owned(top.get(b"q"))?,
                    id: owned(asked.get(b"id"))?,
                    target: owned(asked.get(b"target")),
                    info_hash: owned(asked.get(b"info_hash")),
                    token: owned(asked.get(b"token")),
                    implied_port: asked.get(b"implied_port").and_then(Value::number),
                    port: asked.get(b"port").and_then(Value::number),
                }
            }
            b"r" => {
                let found = top.get(b"r")?;
                let values = match found.get(b"values") {
                    Some(Value::List(list)) => list.iter().filter_map(|v| owned(Some(v))).collect(),
                    _ => Vec::new(),
                };
                Body::Response {
                    id: owned(found.get(b"id"))?,
                    nodes: owned(found.get(b"nodes")).unwrap_or_default(),
                    nodes6: owned(found.get(b"nodes6")).unwrap_or_default(),
                    values,
                    token: owned(found.get(b"token")),
                }
            }
            b"e" => match top.get(b"e")? {
                Value::List(list) => {
                    Body::Error { number: list.first()?.number()?, message: owned(list.get(1))? }
                }
                _ => return None,
            },
            _ => return None,
        };
        Some(Message { transaction_id: owned(top.get(b"t"))?, client_version: owned(top.get(b"v")), body })
    }

    fn log(&self, out: &mut JsonWriter) {
        out.hex("transaction_id", &self.transaction_id);
        if let Some(version) = &self.client_version {
            out.hex("client_version", version);
        }
        match &self.body {
            Body::None => {}
            Body::Query { kind, id, target, info_hash, token, implied_port, port } => {
                out.bytes("request_type", kind);
                out.open_object("request");
                out.hex("id", id);
                for (key, value) in [("target", target), ("info_hash", info_hash), ("token", token)] {
                    if let Some(value) = value {
                        out.hex(key, value);
                    }
                }
                for (key, value) in [("implied_port", implied_port), ("port", port)] {
                    if let Some(value) = value {
                        out.int(key, *value);
                    }
                }
                out.close();
            }
            Body::Response { id, nodes, nodes6, values, token } => {
                out.open_object("response");
                out.hex("id", id);
                log_nodes("nodes", nodes, NODE_LEN, out);
                log_nodes("nodes6", nodes6, NODE6_LEN, out);
                if !values.is_empty() {
                    out.open_array("values");
                    values.iter().for_each(|peer| log_peer(peer, out));
                    out.close_array();
                }
                if let Some(token) = token {
                    out.hex("token", token);
                }
                out.close();
            }
            Body::Error { number, message } => {
                out.open_object("error");
                out.int("num", *number);
                out.bytes("msg", message);
                out.close();
            }
        }
    }
}

fn log_nodes(key: &str, nodes: &[u8], len: usize, out: &mut JsonWriter) {
    if nodes.len() < len {
        return;
    }
    out.open_array(key);
    for node in nodes.chunks_exact(len) {
        let Some((id, peer)) = node.split_at_checked(ID_LEN) else { break };
        out.open();
        out.hex("id", id);
        address(peer, out);
        out.close();
    }
    out.close_array();
}

fn log_peer(peer: &[u8], out: &mut JsonWriter) {
    out.open();
    address(peer, out);
    out.close();
}

/// An address of either family with its port; nothing for what has neither length.
fn address(peer: &[u8], out: &mut JsonWriter) {
    let Some((ip, port)) = peer.split_last_chunk::<2>() else { return };
    if let Ok(ip) = <[u8; 4]>::try_from(ip) {
        out.fmt("ip", format_args!("{}", Ipv4Addr::from(ip)));
    } else if let Ok(ip) = <[u8; 16]>::try_from(ip) {
        out.fmt("ip", format_args!("{}", Ipv6Addr::from(ip)));
    }
    out.uint("port", u64::from(u16::from_be_bytes(*port)));
}

struct DhtTx {
    meta: TxMeta,
    message: Message,
}

impl Transaction for DhtTx {
    fn meta(&self) -> &TxMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut TxMeta {
        &mut self.meta
    }
    /// A message is whole when it becomes a transaction.
    fn progress(&self, _dir: Dir) -> u8 {
        1
    }
    fn buffer(&self, _local: usize, _index: usize, _dir: Dir) -> Option<View<'_>> {
        None
    }
    fn log(&self, out: &mut JsonWriter, _what: LogFor) {
        self.message.log(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const QUERY: &[u8] = b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234564:porti6881e\
        5:token1:xe1:q13:announce_peer1:t2:aa1:v4:LT011:y1:qe";

    fn record(data: &[u8]) -> Option<serde_json::Value> {
        let mut parser = (BITTORRENT_DHT.new)(&serde_json::Value::Null);
        parser.parse(Dir::ToServer, data, &mut ParseCx { datagram: true, ..ParseCx::default() });
        let tx = parser.tx(0).unwrap();
        if tx.meta().has_event(MALFORMED_PACKET) {
            return None;
        }
        let mut out = JsonWriter::new();
        out.open();
        tx.log(&mut out, LogFor::Record);
        out.close();
        Some(serde_json::from_slice(out.as_bytes()).unwrap())
    }

    #[test]
    fn messages_are_logged() {
        let query = record(QUERY).unwrap();
        assert_eq!(
            (&query["request_type"], &query["transaction_id"]),
            (&json!("announce_peer"), &json!("6161"))
        );
        assert_eq!(query["request"]["port"], 6881);
        let nodes = b"d1:rd2:id20:abcdefghij01234567895:nodes26:abcdefghij0123456789\x0a\x00\x00\x01\x1a\xe1e1:t2:aa1:y1:re";
        assert_eq!(record(nodes).unwrap()["response"]["nodes"][0]["ip"], "10.0.0.1");
        let error = record(b"d1:eli201e5:Errore1:t2:aa1:y1:ee").unwrap();
        assert_eq!(error["error"], json!({"num": 201, "msg": "Error"}));
    }

    #[test]
    fn another_protocol_of_the_port_is_let_be() {
        let mut parser = (BITTORRENT_DHT.new)(&serde_json::Value::Null);
        let utp = b"\x41\x00\x12\x34\x00\x00\x00\x01\x00\x00\x00\x02\x00\x10\x00\x00\x00\x01\x00\x00";
        let mut cx = ParseCx { datagram: true, ..ParseCx::default() };
        assert!(matches!(parser.parse(Dir::ToServer, utp, &mut cx), Outcome::Done));
        assert!(parser.tx(0).is_none());
        parser.parse(Dir::ToServer, QUERY, &mut cx);
        assert!(parser.tx(0).is_some());
    }

    #[test]
    fn what_is_malformed_is_an_event() {
        for cut in 1..QUERY.len() {
            assert_eq!(record(&QUERY[..cut]), None, "{cut}");
        }
        assert_eq!(record(&[b'd'; 5000]), None);
        assert_eq!(record(b"d1:y1:q99999999999999999999:"), None);
    }
}
