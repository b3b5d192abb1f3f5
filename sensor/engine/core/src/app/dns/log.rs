//! The `dns` object of EVE, version 3 (Suricata 8). Knows nothing of transactions' state.

use super::message::{Message, Name, Query, Rdata, Record, Soa, Span};
use super::options::Form;
use super::rrtype;
use crate::json::JsonWriter;
use std::net::Ipv6Addr;

/// Writes the members of the object.
pub fn log(message: &Message, tx_id: u64, form: Form, out: &mut JsonWriter) {
    let header = &message.header;
    out.uint("version", 3);
    let kind = if header.is_response() { "response" } else { "request" };
    out.str("type", kind);
    out.uint("tx_id", tx_id);
    out.uint("id", u64::from(header.id));
    flags(message, out);
    out.uint("opcode", u64::from(header.opcode()));
    rcode(message, out);
    if !message.queries.is_empty() {
        out.open_array("queries");
        for query in &message.queries {
            log_query(message, query, out);
        }
        out.close_array();
    }
    if form.detailed {
        section(message, "answers", &message.answers, out);
    }
    if form.grouped && !message.answers.is_empty() {
        grouped(message, out);
    }
    section(message, "authorities", &message.authorities, out);
    section(message, "additionals", &message.additionals, out);
}

/// The flags as a whole and those that are set by name.
pub fn flags(message: &Message, out: &mut JsonWriter) {
    let flags = message.header.flags;
    out.fmt("flags", format_args!("{flags:x}"));
    for (bit, key) in
        [(0x8000, "qr"), (0x0400, "aa"), (0x0200, "tc"), (0x0100, "rd"), (0x0080, "ra"), (0x0040, "z")]
    {
        if flags & bit != 0 {
            out.bool(key, true);
        }
    }
}

pub fn rcode(message: &Message, out: &mut JsonWriter) {
    let rcode = message.header.rcode();
    match rrtype::RCODES.get(usize::from(rcode)) {
        Some(name) => out.str("rcode", name),
        None => out.fmt("rcode", format_args!("{rcode}")),
    }
}

fn log_query(message: &Message, query: &Query, out: &mut JsonWriter) {
    out.open();
    name(message, "rrname", "rrname_truncated", query.name, out);
    log_rrtype(query.rrtype, out);
    out.close();
}

pub fn section(message: &Message, key: &str, records: &[Record], out: &mut JsonWriter) {
    if records.is_empty() {
        return;
    }
    out.open_array(key);
    for record in records {
        match record.data {
            // Each string is an entry of its own.
            Rdata::Txt(span) => {
                for text in strings(message.text(span)) {
                    open_record(message, record, out);
                    out.bytes("rdata", text);
                    out.close();
                }
            }
            _ => {
                open_record(message, record, out);
                rdata(message, &record.data, out);
                out.close();
            }
        }
    }
    out.close_array();
}

fn open_record(message: &Message, record: &Record, out: &mut JsonWriter) {
    out.open();
    name(message, "rrname", "rrname_truncated", record.name, out);
    log_rrtype(record.rrtype, out);
    out.uint("ttl", u64::from(record.ttl));
}

fn rdata(message: &Message, data: &Rdata, out: &mut JsonWriter) {
    match *data {
        Rdata::A([a, b, c, d]) => out.fmt("rdata", format_args!("{a}.{b}.{c}.{d}")),
        Rdata::Aaaa(bytes) => out.fmt("rdata", format_args!("{}", Full(bytes))),
        Rdata::Name(n) => name(message, "rdata", "rdata_truncated", n, out),
        Rdata::Null(span) => out.bytes("rdata", message.text(span)),
        Rdata::Soa(ref value) => {
            out.open_object("soa");
            soa(message, value, out);
            out.close();
        }
        Rdata::Srv { .. } => {
            out.open_object("srv");
            srv(message, data, out);
            out.close();
        }
        Rdata::Sshfp { .. } => {
            out.open_object("sshfp");
            sshfp(message, data, out);
            out.close();
        }
        Rdata::Opt(span) => opt(message, span, out),
        Rdata::Txt(_) | Rdata::Other => {}
    }
}

/// The answers' data by type: `"grouped":{"A":[...],"CNAME":[...]}`.
pub fn grouped(message: &Message, out: &mut JsonWriter) {
    const GROUPS: [u16; 11] = [
        rrtype::A,
        rrtype::AAAA,
        rrtype::CNAME,
        rrtype::MX,
        rrtype::NS,
        rrtype::NULL,
        rrtype::PTR,
        rrtype::SOA,
        rrtype::SRV,
        rrtype::SSHFP,
        rrtype::TXT,
    ];
    out.open_object("grouped");
    for group in GROUPS {
        let mut records = message
            .answers
            .iter()
            .filter(|r| r.rrtype == group && !matches!(r.data, Rdata::Other))
            .peekable();
        if records.peek().is_none() {
            continue;
        }
        out.open_array(rrtype::name(group).unwrap_or_default());
        for record in records {
            grouped_item(message, &record.data, out);
        }
        out.close_array();
    }
    out.close();
}

fn grouped_item(message: &Message, data: &Rdata, out: &mut JsonWriter) {
    match *data {
        Rdata::A([a, b, c, d]) => out.item_fmt(format_args!("{a}.{b}.{c}.{d}")),
        Rdata::Aaaa(bytes) => out.item_fmt(format_args!("{}", Full(bytes))),
        Rdata::Name(n) => out.item_bytes(message.name(n)),
        Rdata::Null(span) => out.item_bytes(message.text(span)),
        Rdata::Txt(span) => strings(message.text(span)).for_each(|text| out.item_bytes(text)),
        Rdata::Soa(ref value) => {
            out.open();
            soa(message, value, out);
            out.close();
        }
        Rdata::Srv { .. } => {
            out.open();
            srv(message, data, out);
            out.close();
        }
        Rdata::Sshfp { .. } => {
            out.open();
            sshfp(message, data, out);
            out.close();
        }
        Rdata::Opt(_) | Rdata::Other => {}
    }
}

pub fn soa(message: &Message, soa: &Soa, out: &mut JsonWriter) {
    name(message, "mname", "mname_truncated", soa.mname, out);
    name(message, "rname", "rname_truncated", soa.rname, out);
    out.uint("serial", u64::from(soa.serial));
    out.uint("refresh", u64::from(soa.refresh));
    out.uint("retry", u64::from(soa.retry));
    out.uint("expire", u64::from(soa.expire));
    out.uint("minimum", u64::from(soa.minimum));
}

pub fn srv(message: &Message, data: &Rdata, out: &mut JsonWriter) {
    if let Rdata::Srv { priority, weight, port, target } = *data {
        out.uint("priority", u64::from(priority));
        out.uint("weight", u64::from(weight));
        out.uint("port", u64::from(port));
        out.bytes("name", message.name(target));
    }
}

pub fn sshfp(message: &Message, data: &Rdata, out: &mut JsonWriter) {
    if let Rdata::Sshfp { algorithm, kind, fingerprint } = *data {
        out.fmt("fingerprint", format_args!("{}", Hex(message.text(fingerprint), ":")));
        out.uint("algo", u64::from(algorithm));
        out.uint("type", u64::from(kind));
    }
}

/// EDNS options, as far as they are whole.
pub fn opt(message: &Message, span: Span, out: &mut JsonWriter) {
    out.open_array("opt");
    let mut rest = message.text(span);
    while let Some((&[c0, c1, l0, l1], tail)) = rest.split_first_chunk::<4>() {
        let Some((data, tail)) = tail.split_at_checked(usize::from(u16::from_be_bytes([l0, l1]))) else {
            break;
        };
        rest = tail;
        out.open();
        out.uint("code", u64::from(u16::from_be_bytes([c0, c1])));
        out.fmt("data", format_args!("{}", Hex(data, "")));
        out.close();
    }
    out.close_array();
}

/// The strings of TXT data; a last one that is cut is given as far as it goes.
pub fn strings(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (&len, tail) = rest.split_first()?;
        let (text, tail) = tail.split_at_checked(usize::from(len)).unwrap_or((tail, &[]));
        rest = tail;
        Some(text)
    })
}

pub fn name(message: &Message, key: &str, truncated_key: &str, name: Name, out: &mut JsonWriter) {
    out.bytes(key, message.name(name));
    if name.truncated {
        out.bool(truncated_key, true);
    }
}

pub fn log_rrtype(value: u16, out: &mut JsonWriter) {
    match rrtype::name(value) {
        Some(text) => out.str("rrtype", text),
        None => out.fmt("rrtype", format_args!("{value}")),
    }
}

/// An IPv6 address with all its digits, as EVE prints addresses.
pub struct Full(pub [u8; 16]);

impl std::fmt::Display for Full {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [a, b, c, d, e, g, h, i] = Ipv6Addr::from(self.0).segments();
        write!(f, "{a:04x}:{b:04x}:{c:04x}:{d:04x}:{e:04x}:{g:04x}:{h:04x}:{i:04x}")
    }
}

/// Lower-case hex with a separator.
struct Hex<'a>(&'a [u8], &'static str);

impl std::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(self.1)?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}
