//! TLS and SSL over TCP: everything that is said before encryption begins. One transaction per flow.
//!
//! `parser` walks records, `handshake` puts messages together, `hello` and `cert` take messages apart, `fingerprint`
//! computes JA3 and JA4, `tx` answers rules. Nothing is decrypted and no certificate is verified.

mod cert;
pub(super) mod fingerprint;
mod handshake;
pub(super) mod hello;
mod log;
mod parser;
mod tx;

#[cfg(test)]
mod tests;

use super::{Buffer, Pattern, Probe, Protocol, Recognise};
use crate::direction::{Dir, PerDir};
use parser::TlsParser;

/// Progress of the two sides (rule hooks of Suricata 8).
mod state {
    pub const CLIENT_HELLO_DONE: u8 = 1;
    pub const CLIENT_CERT_DONE: u8 = 2;
    pub const CLIENT_HANDSHAKE_DONE: u8 = 3;
    pub const CLIENT_FINISHED: u8 = 4;
    pub const SERVER_HELLO: u8 = 1;
    pub const SERVER_CERT_DONE: u8 = 2;
    pub const SERVER_HELLO_DONE: u8 = 3;
    pub const SERVER_HANDSHAKE_DONE: u8 = 4;
    pub const SERVER_FINISHED: u8 = 5;
}

/// App-layer events; the value is the index in `EVENTS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    InvalidSslv2Header,
    InvalidTlsHeader,
    InvalidRecordVersion,
    InvalidRecordType,
    InvalidHandshakeMessage,
    HeartbeatMessage,
    InvalidHeartbeatMessage,
    OverflowHeartbeatMessage,
    DataleakHeartbeatMismatch,
    HandshakeInvalidLength,
    MultipleSniExtensions,
    InvalidSniType,
    InvalidSniLength,
    TooManyRecordsInPacket,
    InvalidAlertMessage,
    InvalidCertificate,
    CertificateInvalidLength,
    CertificateInvalidVersion,
    CertificateInvalidSerial,
    CertificateInvalidAlgorithm,
    CertificateInvalidX509Name,
    CertificateInvalidDate,
    CertificateInvalidExtensions,
    CertificateInvalidDer,
    CertificateInvalidSubject,
    CertificateInvalidIssuer,
    ErrorMessageEncountered,
}

/// Indexed by `Event`; the last five are never set here but named by rules. Written as EVE does, rules say them in any case.
const EVENTS: &[&str] = &[
    "INVALID_SSLV2_HEADER",
    "INVALID_TLS_HEADER",
    "INVALID_RECORD_VERSION",
    "INVALID_RECORD_TYPE",
    "INVALID_HANDSHAKE_MESSAGE",
    "HEARTBEAT_MESSAGE",
    "INVALID_HEARTBEAT_MESSAGE",
    "OVERFLOW_HEARTBEAT_MESSAGE",
    "DATALEAK_HEARTBEAT_MISMATCH",
    "HANDSHAKE_INVALID_LENGTH",
    "MULTIPLE_SNI_EXTENSIONS",
    "INVALID_SNI_TYPE",
    "INVALID_SNI_LENGTH",
    "TOO_MANY_RECORDS_IN_PACKET",
    "INVALID_ALERT_MESSAGE",
    "INVALID_CERTIFICATE",
    "CERTIFICATE_INVALID_LENGTH",
    "CERTIFICATE_INVALID_VERSION",
    "CERTIFICATE_INVALID_SERIAL",
    "CERTIFICATE_INVALID_ALGORITHMIDENTIFIER",
    "CERTIFICATE_INVALID_X509NAME",
    "CERTIFICATE_INVALID_DATE",
    "CERTIFICATE_INVALID_EXTENSIONS",
    "CERTIFICATE_INVALID_DER",
    "CERTIFICATE_INVALID_SUBJECT",
    "CERTIFICATE_INVALID_ISSUER",
    "ERROR_MESSAGE_ENCOUNTERED",
    "INVALID_SSL_RECORD",
    "CERTIFICATE_INVALID_VALIDITY",
    "CERTIFICATE_MISSING_ELEMENT",
    "CERTIFICATE_UNKNOWN_ELEMENT",
    "CERTIFICATE_INVALID_STRING",
];

/// Indexed by `frame`.
const FRAMES: &[&str] = &["hdr", "pdu", "data", "alert", "heartbeat", "ssl2.hdr", "ssl2.pdu"];
/// Kinds of frames.
mod frame {
    pub const HDR: u8 = 0;
    pub const PDU: u8 = 1;
    pub const DATA: u8 = 2;
    pub const ALERT: u8 = 3;
    pub const HEARTBEAT: u8 = 4;
    pub const SSL2_HDR: u8 = 5;
    pub const SSL2_PDU: u8 = 6;
}

const CLIENT_HELLO: PerDir<Option<u8>> = PerDir::new(Some(state::CLIENT_HELLO_DONE), None);
const SERVER_HELLO: PerDir<Option<u8>> = PerDir::new(None, Some(state::SERVER_HELLO));
const HELLOS: PerDir<Option<u8>> = PerDir::new(Some(state::CLIENT_HELLO_DONE), Some(state::SERVER_HELLO));
const CERTS: PerDir<Option<u8>> = PerDir::new(Some(state::CLIENT_CERT_DONE), Some(state::SERVER_CERT_DONE));

const fn sticky(
    name: &'static str,
    aliases: &'static [&'static str],
    progress: PerDir<Option<u8>>,
    multi: bool,
    doc: &'static str,
) -> Buffer {
    Buffer { name, aliases, modifier: None, progress, multi, streaming: false, doc }
}

/// Indexed by `tx::buffer`.
const BUFFERS: &[Buffer] = &[
    sticky("tls.sni", &["tls_sni"], CLIENT_HELLO, false, "The server name the client asks for."),
    sticky(
        "tls.alpn",
        &[],
        HELLOS,
        true,
        "Each application protocol offered (to server) or chosen (to client).",
    ),
    sticky("tls.subjectaltname", &[], CERTS, true, "Each subject alternative name of the certificate."),
    sticky(
        "tls.cert_subject",
        &["tls_cert_subject"],
        CERTS,
        false,
        "Subject, e.g. `C=US, O=Example, CN=www.example.com`.",
    ),
    sticky("tls.cert_issuer", &["tls_cert_issuer"], CERTS, false, "Issuer, in the form of the subject."),
    sticky("tls.cert_serial", &["tls_cert_serial"], CERTS, false, "Serial number, e.g. `5C:19:B7:B1`."),
    sticky(
        "tls.cert_fingerprint",
        &["tls_cert_fingerprint"],
        CERTS,
        false,
        "SHA-1 of the certificate, e.g. `4a:a3:66:...`.",
    ),
    sticky("tls.certs", &["tls_certs"], CERTS, true, "Each certificate of the chain as DER."),
    sticky("tls.random", &[], HELLOS, false, "The 32 random bytes of the hello."),
    sticky("tls.random_time", &[], HELLOS, false, "The first 4 random bytes, once a time."),
    sticky("tls.random_bytes", &[], HELLOS, false, "The last 28 random bytes."),
    sticky("ja3.hash", &["ja3_hash"], CLIENT_HELLO, false, "JA3 of the client as MD5."),
    sticky("ja3.string", &["ja3_string"], CLIENT_HELLO, false, "JA3 of the client as text."),
    sticky("ja3s.hash", &["ja3s_hash"], SERVER_HELLO, false, "JA3S of the server as MD5."),
    sticky("ja3s.string", &["ja3s_string"], SERVER_HELLO, false, "JA3S of the server as text."),
    sticky("ja4.hash", &["ja4_hash"], CLIENT_HELLO, false, "JA4 of the client."),
];

const fn record(dir: Dir, bytes: &'static [u8]) -> Pattern {
    Pattern { dir, bytes, nocase: false, offset: 0, depth: 3 }
}
/// An SSLv2 hello: message type and version behind the two bytes of its header.
const fn sslv2(dir: Dir, bytes: &'static [u8]) -> Pattern {
    Pattern { dir, bytes, nocase: false, offset: 2, depth: 5 }
}

pub static TLS: Protocol = Protocol {
    name: "tls",
    aliases: &[],
    tcp: true,
    udp: false,
    doc: "TLS and SSL over TCP, until encryption begins: hellos, certificates, fingerprints. One transaction per flow.",
    recognise: Recognise {
        patterns: &[
            record(Dir::ToServer, b"\x16\x03\x00"),
            record(Dir::ToServer, b"\x16\x03\x01"),
            record(Dir::ToServer, b"\x16\x03\x02"),
            record(Dir::ToServer, b"\x16\x03\x03"),
            record(Dir::ToClient, b"\x16\x03\x00"),
            record(Dir::ToClient, b"\x16\x03\x01"),
            record(Dir::ToClient, b"\x16\x03\x02"),
            record(Dir::ToClient, b"\x16\x03\x03"),
            record(Dir::ToClient, b"\x16\x03\x04"),
            sslv2(Dir::ToServer, b"\x01\x00\x02"),
            sslv2(Dir::ToServer, b"\x01\x03\x00"),
            sslv2(Dir::ToServer, b"\x01\x03\x01"),
            sslv2(Dir::ToServer, b"\x01\x03\x02"),
            sslv2(Dir::ToServer, b"\x01\x03\x03"),
        ],
        probe: Some(probe),
        tcp_ports: &[443],
        udp_ports: &[],
    },
    new: |config| Box::new(TlsParser::new(config)),
    buffers: BUFFERS,
    numbers: &[],
    frames: FRAMES,
    events: EVENTS,
    states: PerDir::new(
        &["client_in_progress", "client_hello_done", "client_cert_done", "client_handshake_done", "client_finished"],
        &[
            "server_in_progress",
            "server_hello",
            "server_cert_done",
            "server_hello_done",
            "server_handshake_done",
            "server_finished",
        ],
    ),
    complete: PerDir::new(state::CLIENT_FINISHED, state::SERVER_FINISHED),
    log_at: PerDir::new(state::CLIENT_HELLO_DONE, state::SERVER_HELLO_DONE),
    record: "tls",
};

/// Recognises a first record: a hello, or on the server's side an alert in its place.
fn probe(dir: Dir, data: &[u8]) -> Probe {
    match *data {
        [] | [0x15 | 0x16] | [0x15 | 0x16, 3] => Probe::Unsure,
        [0x16, 3, 0..=4] | [0x16, 3, 0..=4, _] | [0x16, 3, 0..=4, _, _] => Probe::Unsure,
        [0x16, 3, 0..=4, hi, lo, kind, ..] => {
            let len = u16::from_be_bytes([hi, lo]);
            match (dir, kind) {
                // An empty record says no more than that it is one.
                _ if len == 0 => Probe::Yes,
                _ if usize::from(len) > parser::RECORD_MAX => Probe::No,
                (Dir::ToServer, 1) | (Dir::ToClient, 2) => Probe::Yes,
                (Dir::ToServer, 2) => Probe::Reversed,
                _ => Probe::No,
            }
        }
        [0x15, 3, 0..=4, 0, 2, ..] if dir == Dir::ToClient => Probe::Yes,
        [first, ..] if first & 0x80 != 0 => probe_sslv2(dir, data),
        _ => Probe::No,
    }
}

fn probe_sslv2(dir: Dir, data: &[u8]) -> Probe {
    match (dir, data) {
        (Dir::ToServer, [_, _, 1, 0, 2, ..] | [_, _, 1, 3, 0..=3, ..]) => Probe::Yes,
        (Dir::ToServer, [_] | [_, _] | [_, _, 1] | [_, _, 1, 0 | 3]) => Probe::Unsure,
        _ => Probe::No,
    }
}
