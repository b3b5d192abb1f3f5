//! The `tls` object of EVE: as `extended: yes` gives it, in its short form, or with the fields that `custom` lists (Suricata
//! manual, "Eve JSON Output", TLS).

use super::cert::{date_text, Chain};
use super::hello::Hello;
use super::tx::TlsTx;
use crate::json::JsonWriter;
use crate::setting::{lists, switch};
use serde_json::Value;

/// Writes the members of the record: `options` is what the configuration says of its type, null where it says nothing.
pub fn record(tx: &TlsTx, out: &mut JsonWriter, options: &Value) {
    if tx.resumed && switch(&options["session-resumption"]) == Some(false) {
        return;
    }
    let chosen = &options["custom"];
    if !chosen.is_null() {
        return custom(tx, out, |name| lists(chosen, name));
    }
    if options.is_null() || switch(&options["extended"]) == Some(true) {
        return log(tx, out);
    }
    custom(tx, out, |name| matches!(name, "subject" | "issuer" | "session_resumed"));
}

fn custom(tx: &TlsTx, out: &mut JsonWriter, wanted: impl Fn(&str) -> bool) {
    let chain = tx.server_chain.as_ref();
    if let Some(leaf) = chain.and_then(|c| c.leaf.as_ref()) {
        for (name, key, text) in [
            ("subject", "subject", leaf.subject.clone()),
            ("issuer", "issuerdn", leaf.issuer.clone()),
            ("serial", "serial", Some(leaf.serial.clone())),
            ("fingerprint", "fingerprint", Some(leaf.fingerprint.clone())),
            ("not_before", "notbefore", Some(date_text(leaf.not_before))),
            ("not_after", "notafter", Some(date_text(leaf.not_after))),
        ] {
            if let Some(text) = text.filter(|_| wanted(name)) {
                out.str(key, &text);
            }
        }
        if wanted("subjectaltname") && !leaf.alt_names.is_empty() {
            out.open_array("subjectaltname");
            leaf.alt_names.iter().for_each(|name| out.item_str(name));
            out.close_array();
        }
    }
    if tx.resumed && wanted("session_resumed") {
        out.bool("session_resumed", true);
    }
    if let Some(chain) = chain {
        if let Some(der) = chain.der(0).filter(|_| wanted("certificate")) {
            out.base64("certificate", der);
        }
        if wanted("chain") {
            out.open_array("chain");
            (0..chain.len()).filter_map(|at| chain.der(at)).for_each(|der| out.item_base64(der));
            out.close_array();
        }
    }
    if let Some(sni) = tx.client_hello.as_ref().and_then(|h| h.sni.as_ref()).filter(|_| wanted("sni")) {
        out.bytes("sni", sni);
    }
    if wanted("version") {
        out.str("version", &version(tx));
    }
    if wanted("ja3") {
        log_ja3("ja3", tx.ja3_hash(), tx.ja3_string(), out);
    }
    if wanted("ja3s") {
        log_ja3("ja3s", tx.ja3s_hash(), tx.ja3s_string(), out);
    }
    if let Some(ja4) = tx.ja4().filter(|_| wanted("ja4")) {
        out.str("ja4", ja4);
    }
    if wanted("client_alpns") {
        log_alpns("client_alpns", tx.client_hello.as_ref(), out);
    }
    if wanted("server_alpns") {
        log_alpns("server_alpns", tx.server_hello.as_ref(), out);
    }
    if let Some(chain) = tx.client_chain.as_ref().filter(|c| c.leaf.is_some() && wanted("client")) {
        out.open_object("client");
        log_chain(chain, out);
        out.close();
    }
}

fn version(tx: &TlsTx) -> String {
    tx.version().map_or_else(|| "UNDETERMINED".to_owned(), |version| version.to_string())
}

/// Writes the members of the object in its extended form.
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
    out.str("version", &version(tx));
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
