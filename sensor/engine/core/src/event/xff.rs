//! The client's address as a proxy names it in a header (`xff` of EVE's output and types; Suricata manual, "Eve JSON Output"):
//! beside the event's own addresses, or in place of the client's.

use crate::app::Transaction;
use crate::direction::Dir;
use crate::flow::Flow;
use crate::json::JsonWriter;
use crate::setting::switch;
use serde_json::Value;
use std::net::IpAddr;

#[derive(Clone, Debug)]
pub struct Xff {
    /// The address takes the place of the client's; else it is a member of its own.
    pub overwrite: bool,
    /// The first address counts (a forward proxy writes it); else the last (what the own reverse proxy added).
    forward: bool,
    header: Vec<u8>,
}

impl Xff {
    /// From the section of an event type, or else that of the output; None when it is off.
    pub fn new(of_type: &Value, of_output: &Value) -> Option<Xff> {
        let node = if of_type.is_object() { of_type } else { of_output };
        switch(&node["enabled"]).filter(|on| *on)?;
        Some(Xff {
            overwrite: node["mode"].as_str() == Some("overwrite"),
            forward: node["deployment"].as_str() == Some("forward"),
            header: node["header"].as_str().unwrap_or("X-Forwarded-For").as_bytes().to_vec(),
        })
    }

    /// The client that the request of a transaction names.
    pub fn client(&self, tx: &dyn Transaction) -> Option<String> {
        address(tx.request_header(&self.header)?, self.forward)
    }

    /// The client that a flow's transaction names, or without one the newest that does.
    pub fn client_of(&self, flow: &Flow, tx: Option<u64>) -> Option<String> {
        const LOOKED_AT_MAX: usize = 64;
        let parser = flow.app.parser.as_ref()?;
        match tx {
            Some(id) => self.client(parser.tx(id)?),
            None => {
                let newest_first = parser.tx_ids().rev().take(LOOKED_AT_MAX);
                newest_first.filter_map(|id| parser.tx(id)).find_map(|tx| self.client(tx))
            }
        }
    }
}

/// What stands in an event for the client's address.
#[derive(Clone, Copy)]
pub struct Client<'a> {
    pub address: &'a str,
    /// The end of the event that the client is: its source to the server, its destination to the client.
    pub end: Dir,
}

impl Client<'_> {
    /// Of (whether it takes the client's place, address): what `Place` is to know when the client is the event's `end`.
    pub fn in_place(client: &Option<(bool, String)>, end: Dir) -> Option<Client<'_>> {
        let (overwrite, address) = client.as_ref()?;
        overwrite.then_some(Client { address, end })
    }
    /// Writes the address as a member of its own when it takes nobody's place.
    pub fn beside(client: &Option<(bool, String)>, out: &mut JsonWriter) {
        if let Some((false, address)) = client {
            out.str("xff", address);
        }
    }
}

/// The first or last address of a list such as "10.0.0.1, [2001:db8::1]:4711".
fn address(list: &[u8], first: bool) -> Option<String> {
    let list = std::str::from_utf8(list).ok()?;
    let mut parts =
        list.split([',', ' ']).map(|part| part.trim().trim_matches('"')).filter(|p| !p.is_empty());
    let part = if first { parts.next() } else { parts.next_back() }?;
    let bare = match part.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        // One colon is a port's; IPv6 has at least two.
        None if part.matches(':').count() == 1 => part.split(':').next()?,
        None => part,
    };
    bare.parse::<IpAddr>().ok().map(|_| bare.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_or_the_last_address_counts() {
        let at = |list: &str, first| address(list.as_bytes(), first);
        assert_eq!(at("10.0.0.1, 192.168.0.2", true).as_deref(), Some("10.0.0.1"));
        assert_eq!(at("10.0.0.1, 192.168.0.2", false).as_deref(), Some("192.168.0.2"));
        assert_eq!(at("10.0.0.1:4711", true).as_deref(), Some("10.0.0.1"));
        assert_eq!(at("\"[2001:db8::1]:4711\"", true).as_deref(), Some("2001:db8::1"));
        assert_eq!(at("2001:db8::1", false).as_deref(), Some("2001:db8::1"));
        for bad in ["", "unknown", "10.0.0.1, _hidden", "300.1.1.1", "\u{202e}"] {
            assert_eq!(at(bad, false), None, "{bad}");
        }
    }
}
