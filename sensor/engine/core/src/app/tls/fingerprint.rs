//! JA3, JA3S and JA4 of hellos. Pure functions; must not know flows. JA4 alone of its family, since the others' licence forbids selling.
//!
//! Sources: github.com/salesforce/ja3 (README), github.com/FoxIO-LLC/ja4 (technical_details/JA4.md).

use super::hello::{is_grease, Hello, EXT_ALPN, EXT_SERVER_NAME};
use crate::json;
use md5::{Digest, Md5};
use sha2::Sha256;
use std::fmt::Write as _;

/// `version,ciphers,extensions,groups,point formats`, decimal, without GREASE.
pub fn ja3_string(hello: &Hello) -> String {
    let mut out = String::with_capacity(256);
    // Writing into a String cannot fail.
    let _ = write!(out, "{},", hello.version);
    list(&mut out, &hello.ciphers);
    out.push(',');
    list(&mut out, &hello.extensions);
    out.push(',');
    list(&mut out, &hello.groups);
    out.push(',');
    let formats: Vec<u16> = hello.point_formats.iter().map(|f| u16::from(*f)).collect();
    list(&mut out, &formats);
    out
}

/// `version,cipher,extensions` of a ServerHello.
pub fn ja3s_string(hello: &Hello) -> String {
    let mut out = String::with_capacity(32);
    let _ = write!(out, "{},", hello.version);
    list(&mut out, &hello.ciphers);
    out.push(',');
    list(&mut out, &hello.extensions);
    out
}

pub fn md5_hex(text: &str) -> String {
    hex(&Md5::digest(text.as_bytes()))
}

/// JA4 of a ClientHello, e.g. `t13d1516h2_8daaf6152771_e5627efa2ab1`; `transport` is t for TCP, q for QUIC.
pub fn ja4(hello: &Hello, transport: char) -> String {
    // Drafts of TLS 1.3 and GREASE have no name here, and do not count.
    let version = hello.versions.iter().filter_map(|v| version_name(*v).map(|name| (v, name))).max();
    let version = version.map(|(_, name)| name).or(version_name(hello.version)).unwrap_or("00");
    let sni = if hello.extensions.contains(&EXT_SERVER_NAME) { 'd' } else { 'i' };
    let mut ciphers = plain(&hello.ciphers);
    let mut extensions = plain(&hello.extensions);
    let (first, last) = alpn_ends(hello.alpns.first().map_or(&[][..], |a| a));
    let counts = (ciphers.len().min(99), extensions.len().min(99));
    ciphers.sort_unstable();
    extensions.retain(|e| *e != EXT_SERVER_NAME && *e != EXT_ALPN);
    extensions.sort_unstable();
    let mut tail = hex_list(&extensions);
    let algorithms = plain(&hello.signature_algorithms);
    if !tail.is_empty() && !algorithms.is_empty() {
        tail.push('_');
        tail.push_str(&hex_list(&algorithms));
    }
    format!(
        "{transport}{version}{sni}{:02}{:02}{first}{last}_{}_{}",
        counts.0,
        counts.1,
        sha256_12(&hex_list(&ciphers)),
        sha256_12(&tail)
    )
}

fn version_name(version: u16) -> Option<&'static str> {
    Some(match version {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        _ => return None,
    })
}

/// First and last character of the first ALPN value; of its hex form when either is not alphanumeric; "00" without one.
fn alpn_ends(alpn: &[u8]) -> (char, char) {
    let (Some(&first), Some(&last)) = (alpn.first(), alpn.last()) else {
        return ('0', '0');
    };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return (char::from(first), char::from(last));
    }
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    (digit(first >> 4), digit(last & 0xf))
}

fn plain(values: &[u16]) -> Vec<u16> {
    values.iter().copied().filter(|v| !is_grease(*v)).collect()
}

fn list(out: &mut String, values: &[u16]) {
    let mut first = true;
    for value in values.iter().filter(|v| !is_grease(**v)) {
        if !first {
            out.push('-');
        }
        first = false;
        let _ = write!(out, "{value}");
    }
}

fn hex_list(values: &[u16]) -> String {
    let mut out = String::with_capacity(values.len().saturating_mul(5));
    for value in values {
        if !out.is_empty() {
            out.push(',');
        }
        out.extend(value.to_be_bytes().into_iter().flat_map(json::hex).map(char::from));
    }
    out
}

/// The first 12 hex digits of the SHA-256; all zeros for an empty list.
fn sha256_12(text: &str) -> String {
    if text.is_empty() {
        return "000000000000".to_owned();
    }
    let digest = Sha256::digest(text.as_bytes());
    hex(digest.get(..6).unwrap_or_default())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| json::hex(*byte)).map(char::from).collect()
}
