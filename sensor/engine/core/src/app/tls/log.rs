//! The `tls` object of EVE with `extended: yes` (Suricata manual, EVE JSON format, event type TLS).

use super::cert::{date_text, Chain};
use super::hello::Hello;
use super::tx::TlsTx;
use crate::event::JsonWriter;

/// Writes the members of the object.
pub fn log(tx: &TlsTx, out: &mut JsonWriter) {
    if let Some(chain) = &tx.server_chain {
        log_chain(chain, out);
        if let Some(leaf) = chain.leaf.as_ref().filter(|l| !l.alt_names.is_empty()) {
            out.open_array("subjectaltname");
            leaf.alt_names.iter().for_each(|name| out.item_str(name));
            out.close_array();
        }
    }
    if tx.resumed {
        out.bool("session_resumed", true);
    }
    if let Some(sni) = tx.client_hello.as_ref().and_then(|h| h.sni.as_ref()) {
        out.bytes("sni", sni);
    }
    match tx.version() {
        Some(version) => out.fmt("version", format_args!("{version}")),
        None => out.str("version", "UNDETERMINED"),
    }
    let fingerprints = tx.log_fingerprints;
    if fingerprints.is_some_and(|f| f.ja3) {
        log_ja3("ja3", tx.ja3_hash(), tx.ja3_string(), out);
        log_ja3("ja3s", tx.ja3s_hash(), tx.ja3s_string(), out);
    }
    if let Some(ja4) = tx.ja4().filter(|_| fingerprints.is_some_and(|f| f.ja4)) {
        out.str("ja4", ja4);
    }
    log_alpns("client_alpns", tx.client_hello.as_ref(), out);
    log_alpns("server_alpns", tx.server_hello.as_ref(), out);
    if let Some(chain) = tx.client_chain.as_ref().filter(|c| c.leaf.is_some()) {
        out.open_object("client");
        log_chain(chain, out);
        out.close();
    }
}

fn log_chain(chain: &Chain, out: &mut JsonWriter) {
    let Some(leaf) = &chain.leaf else {
        return;
    };
    if let Some(subject) = &leaf.subject {
        out.str("subject", subject);
    }
    if let Some(issuer) = &leaf.issuer {
        out.str("issuerdn", issuer);
    }
    out.str("serial", &leaf.serial);
    out.str("fingerprint", &leaf.fingerprint);
    out.str("notbefore", &date_text(leaf.not_before));
    out.str("notafter", &date_text(leaf.not_after));
}

fn log_ja3(key: &str, hash: Option<&str>, text: Option<&str>, out: &mut JsonWriter) {
    if let (Some(hash), Some(text)) = (hash, text) {
        out.open_object(key);
        out.str("hash", hash);
        out.str("string", text);
        out.close();
    }
}

fn log_alpns(key: &str, hello: Option<&Hello>, out: &mut JsonWriter) {
    if let Some(hello) = hello.filter(|h| !h.alpns.is_empty()) {
        out.open_array(key);
        hello.alpns.iter().for_each(|name| out.item_bytes(name));
        out.close_array();
    }
}
