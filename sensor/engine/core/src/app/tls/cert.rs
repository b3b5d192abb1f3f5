//! The certificates of one side (RFC 5246 section 7.4.2, RFC 5280): the chain as DER, the fields of its first one as text.
//! Nothing is verified here.

use super::hello::Reader;
use super::Event;
use crate::app::ber::{Header, Trouble};
use sha1::{Digest, Sha1};
use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use x509_parser::error::X509Error;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};

/// Certificates of a chain that are kept; real chains have fewer than ten.
pub const CHAIN_MAX: usize = 64;
/// Alternative names kept: shared certificates list a few hundred.
pub const ALT_NAMES_MAX: usize = 1024;

/// A chain, and what its first certificate says.
#[derive(Debug, Default)]
pub struct Chain {
    der: Vec<u8>,
    certs: Vec<Range<usize>>,
    pub leaf: Option<Leaf>,
}

/// Fields of a certificate in EVE's form.
#[derive(Debug, Default)]
pub struct Leaf {
    /// "C=US, O=..., CN=..."; None when it cannot be written.
    pub subject: Option<String>,
    pub issuer: Option<String>,
    /// "0A:1B:..."
    pub serial: String,
    /// SHA-1, "0a:1b:..."
    pub fingerprint: String,
    /// Seconds since 1970, UTC; negative before.
    pub not_before: i64,
    pub not_after: i64,
    pub alt_names: Vec<String>,
}

impl Chain {
    /// Reads the body of a Certificate message. What is malformed is reported through `event`.
    pub fn read(body: &[u8], event: &mut dyn FnMut(Event)) -> Chain {
        let mut chain = Chain::default();
        let mut r = Reader(body);
        let list = r.u24().and_then(|len| r.take(len));
        let Some(list) = list else {
            event(Event::InvalidHandshakeMessage);
            event(Event::CertificateInvalidLength);
            return chain;
        };
        let mut list_reader = Reader(list);
        while !list_reader.0.is_empty() && chain.certs.len() < CHAIN_MAX {
            let Some(der) = list_reader.u24().and_then(|len| list_reader.take(len)) else {
                event(Event::InvalidHandshakeMessage);
                event(Event::CertificateInvalidLength);
                break;
            };
            if chain.certs.is_empty() {
                chain.leaf = Leaf::read(der, event);
            }
            let start = chain.der.len();
            chain.der.extend_from_slice(der);
            chain.certs.push(start..chain.der.len());
        }
        chain
    }

    pub fn len(&self) -> usize {
        self.certs.len()
    }
    /// The DER of certificate `index`, the leaf being 0.
    pub fn der(&self, index: usize) -> Option<&[u8]> {
        self.der.get(self.certs.get(index)?.clone())
    }
}

impl Leaf {
    fn read(der: &[u8], event: &mut dyn FnMut(Event)) -> Option<Leaf> {
        let cert = match X509Certificate::from_der(der) {
            Ok((_, cert)) => cert,
            Err(error) => {
                let kind =
                    if ends_in_a_header(der) { Event::CertificateInvalidLength } else { event_of(&error) };
                if matches!(kind, Event::InvalidCertificate | Event::CertificateInvalidLength) {
                    event(Event::InvalidHandshakeMessage);
                }
                event(kind);
                return None;
            }
        };
        let subject = name_text(cert.subject());
        if subject.is_none() {
            event(Event::CertificateInvalidSubject);
        }
        let issuer = name_text(cert.issuer());
        if issuer.is_none() {
            event(Event::CertificateInvalidIssuer);
        }
        Some(Leaf {
            subject,
            issuer,
            serial: hex_colons(cert.raw_serial(), true),
            fingerprint: hex_colons(&Sha1::digest(der), false),
            not_before: cert.validity().not_before.timestamp(),
            not_after: cert.validity().not_after.timestamp(),
            alt_names: alt_names(&cert),
        })
    }
}

/// Whether the bytes end within the identifier or length of the certificate or of what it begins with.
fn ends_in_a_header(der: &[u8]) -> bool {
    match Header::read(der) {
        Ok(outer) => {
            let body = der.get(outer.header_len..).unwrap_or_default();
            let body = body.get(..outer.len.unwrap_or(body.len())).unwrap_or(body);
            matches!(Header::read(body), Err(Trouble::Short(_)))
        }
        Err(trouble) => matches!(trouble, Trouble::Short(_)),
    }
}

/// None when a part of the name has no text form.
fn name_text(name: &X509Name<'_>) -> Option<String> {
    let mut out = String::new();
    // `to_string` would panic when the name refuses to be written.
    write!(out, "{name}").ok()?;
    Some(out)
}

fn alt_names(cert: &X509Certificate<'_>) -> Vec<String> {
    let mut out = Vec::new();
    for extension in cert.extensions() {
        let ParsedExtension::SubjectAlternativeName(names) = extension.parsed_extension() else {
            continue;
        };
        for name in names.general_names.iter().take(ALT_NAMES_MAX.saturating_sub(out.len())) {
            match name {
                GeneralName::DNSName(text) | GeneralName::RFC822Name(text) | GeneralName::URI(text) => {
                    out.push((*text).to_owned());
                }
                GeneralName::IPAddress(bytes) => out.extend(address(bytes)),
                GeneralName::DirectoryName(name) => out.extend(name_text(name)),
                _ => {}
            }
        }
    }
    out
}

fn address(bytes: &[u8]) -> Option<String> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(v4).to_string());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|v6| Ipv6Addr::from(v6).to_string())
}

fn event_of(error: &x509_parser::nom::Err<X509Error>) -> Event {
    use x509_parser::nom::Err;
    match error {
        Err::Incomplete(_) => Event::InvalidCertificate,
        Err::Error(e) | Err::Failure(e) => match e {
            X509Error::InvalidVersion => Event::CertificateInvalidVersion,
            X509Error::InvalidSerial => Event::CertificateInvalidSerial,
            X509Error::InvalidAlgorithmIdentifier => Event::CertificateInvalidAlgorithm,
            X509Error::InvalidX509Name => Event::CertificateInvalidX509Name,
            X509Error::InvalidDate => Event::CertificateInvalidDate,
            X509Error::InvalidExtensions | X509Error::DuplicateExtensions => {
                Event::CertificateInvalidExtensions
            }
            X509Error::Der(_) => Event::CertificateInvalidDer,
            _ => Event::InvalidCertificate,
        },
    }
}

fn hex_colons(bytes: &[u8], upper: bool) -> String {
    let mut out = String::with_capacity(bytes.len().saturating_mul(3));
    for byte in bytes {
        if !out.is_empty() {
            out.push(':');
        }
        let _ = if upper { write!(out, "{byte:02X}") } else { write!(out, "{byte:02x}") };
    }
    out
}

/// Seconds since 1970 as "2015-02-12T18:07:27" (proleptic Gregorian calendar).
#[allow(clippy::arithmetic_side_effects)] // `day` is below 146,097 and `era` below 2^63 / 146,097: nothing overflows
pub fn date_text(seconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days to civil date: years begin in March, eras have 400 of them.
    let shifted = days.saturating_add(719_468);
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era.saturating_mul(400) + i64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day_of_month:02}T{:02}:{:02}:{:02}",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}
