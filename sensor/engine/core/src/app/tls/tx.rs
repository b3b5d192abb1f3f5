//! The one transaction of a TLS flow: what both sides said until encryption began, and its sticky buffers.
//! Fingerprints are computed when first asked for. Must not see records.

use super::cert::Chain;
use super::hello::{Hello, TLS13};
use super::{fingerprint, log, state, Event};
use crate::app::{LogFor, Transaction, TxMeta, View};
use crate::direction::{Dir, PerDir};
use crate::json::JsonWriter;
use std::cell::OnceCell;

/// Local numbers of the buffers, in the order of `super::BUFFERS`.
pub mod buffer {
    pub const SNI: usize = 0;
    pub const ALPN: usize = 1;
    pub const SUBJECT_ALT_NAME: usize = 2;
    pub const CERT_SUBJECT: usize = 3;
    pub const CERT_ISSUER: usize = 4;
    pub const CERT_SERIAL: usize = 5;
    pub const CERT_FINGERPRINT: usize = 6;
    pub const CERTS: usize = 7;
    pub const RANDOM: usize = 8;
    pub const RANDOM_TIME: usize = 9;
    pub const RANDOM_BYTES: usize = 10;
    pub const JA3_HASH: usize = 11;
    pub const JA3_STRING: usize = 12;
    pub const JA3S_HASH: usize = 13;
    pub const JA3S_STRING: usize = 14;
    pub const JA4_HASH: usize = 15;
}

/// Bits of `ssl_state`: messages seen so far in the flow.
pub mod seen {
    pub const CLIENT_HELLO: u8 = 1;
    pub const SERVER_HELLO: u8 = 2;
    pub const CLIENT_KEY_EXCHANGE: u8 = 4;
    pub const SERVER_KEY_EXCHANGE: u8 = 8;
}

/// Which fingerprints the record carries; the sticky buffers have them always.
#[derive(Clone, Copy, Debug)]
pub struct Fingerprints {
    pub ja3: bool,
    pub ja4: bool,
}

#[derive(Default)]
pub struct TlsTx {
    pub meta: TxMeta,
    pub progress: PerDir<u8>,
    pub client_hello: Option<Hello>,
    pub server_hello: Option<Hello>,
    pub client_chain: Option<Chain>,
    pub server_chain: Option<Chain>,
    /// Version in the server's first record.
    pub server_record_version: Option<u16>,
    /// `seen` bits.
    pub seen: u8,
    pub resumed: bool,
    pub log_fingerprints: Option<Fingerprints>,
    ja3_string: OnceCell<String>,
    ja3_hash: OnceCell<String>,
    ja3s_string: OnceCell<String>,
    ja3s_hash: OnceCell<String>,
    ja4: OnceCell<String>,
}

impl TlsTx {
    pub fn new(log_fingerprints: Fingerprints) -> TlsTx {
        let mut tx = TlsTx { log_fingerprints: Some(log_fingerprints), ..TlsTx::default() };
        // Nothing is worth a record until a hello is seen.
        tx.meta.logged = true;
        tx
    }

    pub fn event(&mut self, event: Event) {
        self.meta.set_event(event as u8);
    }

    /// Progress never goes back.
    pub fn reach(&mut self, dir: Dir, progress: u8) {
        self.progress[dir] = self.progress[dir].max(progress);
    }

    pub fn hello(&self, dir: Dir) -> Option<&Hello> {
        match dir {
            Dir::ToServer => self.client_hello.as_ref(),
            Dir::ToClient => self.server_hello.as_ref(),
        }
    }
    pub fn chain(&self, dir: Dir) -> Option<&Chain> {
        match dir {
            Dir::ToServer => self.client_chain.as_ref(),
            Dir::ToClient => self.server_chain.as_ref(),
        }
    }

    /// The version the server chose; of a server that refused, that of its records. A TLS 1.3 number in the old field marks
    /// the drafts before 16.
    pub fn version(&self) -> Option<Version> {
        let Some(hello) = &self.server_hello else {
            return self.server_record_version.map(|number| Version { number, early_draft: false });
        };
        Some(match hello.versions.first() {
            Some(&number) => Version { number, early_draft: false },
            None => Version { number: hello.version, early_draft: hello.version == TLS13 },
        })
    }

    pub fn ja3_string(&self) -> Option<&str> {
        let hello = self.client_hello.as_ref().filter(|h| !h.sslv2)?;
        Some(self.ja3_string.get_or_init(|| fingerprint::ja3_string(hello)))
    }
    pub fn ja3_hash(&self) -> Option<&str> {
        let text = self.ja3_string()?;
        Some(self.ja3_hash.get_or_init(|| fingerprint::md5_hex(text)))
    }
    pub fn ja3s_string(&self) -> Option<&str> {
        let hello = self.server_hello.as_ref().filter(|h| !h.sslv2)?;
        Some(self.ja3s_string.get_or_init(|| fingerprint::ja3s_string(hello)))
    }
    pub fn ja3s_hash(&self) -> Option<&str> {
        let text = self.ja3s_string()?;
        Some(self.ja3s_hash.get_or_init(|| fingerprint::md5_hex(text)))
    }
    pub fn ja4(&self) -> Option<&str> {
        let hello = self.client_hello.as_ref().filter(|h| !h.sslv2)?;
        Some(self.ja4.get_or_init(|| fingerprint::ja4(hello, 't')))
    }
}

/// A protocol version, as negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    pub number: u16,
    /// A draft of TLS 1.3 before 16, which had no number of its own.
    pub early_draft: bool,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.number {
            _ if self.early_draft => f.write_str("TLS 1.3 draft-<16"),
            0x0002 => f.write_str("SSLv2"),
            0x0300 => f.write_str("SSLv3"),
            0x0301 => f.write_str("TLSv1"),
            0x0302 => f.write_str("TLS 1.1"),
            0x0303 => f.write_str("TLS 1.2"),
            TLS13 => f.write_str("TLS 1.3"),
            0x7f00..=0x7f0f => f.write_str("TLS 1.3 draft-<16"),
            draft @ 0x7f10..=0x7f1c => write!(f, "TLS 1.3 draft-{}", draft & 0xff),
            0xfb16 | 0xfb17 | 0xfb1a => f.write_str("TLS 1.3 draft-fb"),
            other => write!(f, "0x{other:04x}"),
        }
    }
}

impl Transaction for TlsTx {
    fn meta(&self) -> &TxMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut TxMeta {
        &mut self.meta
    }
    fn progress(&self, dir: Dir) -> u8 {
        self.progress[dir]
    }

    fn buffer(&self, local: usize, index: usize, dir: Dir) -> Option<View<'_>> {
        if index > 0 && !super::BUFFERS.get(local)?.multi {
            return None;
        }
        let leaf = self.chain(dir).and_then(|c| c.leaf.as_ref());
        let random = |range: std::ops::Range<usize>| self.hello(dir)?.random.get(range);
        let client = dir == Dir::ToServer;
        let data = match local {
            buffer::SNI if client => self.client_hello.as_ref()?.sni.as_deref(),
            buffer::ALPN => self.hello(dir)?.alpns.get(index).map(Vec::as_slice),
            buffer::SUBJECT_ALT_NAME => leaf?.alt_names.get(index).map(String::as_bytes),
            buffer::CERT_SUBJECT => leaf?.subject.as_deref().map(str::as_bytes),
            buffer::CERT_ISSUER => leaf?.issuer.as_deref().map(str::as_bytes),
            buffer::CERT_SERIAL => Some(leaf?.serial.as_bytes()),
            buffer::CERT_FINGERPRINT => Some(leaf?.fingerprint.as_bytes()),
            buffer::CERTS => self.chain(dir)?.der(index),
            buffer::RANDOM => random(0..32),
            buffer::RANDOM_TIME => random(0..4),
            buffer::RANDOM_BYTES => random(4..32),
            buffer::JA3_HASH if client => self.ja3_hash().map(str::as_bytes),
            buffer::JA3_STRING if client => self.ja3_string().map(str::as_bytes),
            buffer::JA3S_HASH if !client => self.ja3s_hash().map(str::as_bytes),
            buffer::JA3S_STRING if !client => self.ja3s_string().map(str::as_bytes),
            buffer::JA4_HASH if client => self.ja4().map(str::as_bytes),
            _ => None,
        };
        data.map(View::whole)
    }

    fn log(&self, out: &mut JsonWriter, _what: LogFor) {
        log::log(self, out);
    }
    fn log_record(&self, _index: usize, out: &mut JsonWriter, options: &serde_json::Value) {
        log::record(self, out, options);
    }

    fn number(&self, keyword: &str, dir: Dir) -> Option<u64> {
        let leaf = || self.chain(dir).and_then(|c| c.leaf.as_ref());
        let seconds = |at: i64| u64::try_from(at).unwrap_or(0);
        match keyword {
            "tls.version" => self.version().map(|v| u64::from(v.number)),
            "ssl_version" => match dir {
                Dir::ToServer => self.client_hello.as_ref().map(|h| u64::from(h.version)),
                Dir::ToClient => self.version().map(|v| u64::from(v.number)),
            },
            "ssl_state" => Some(u64::from(self.seen)),
            "tls.cert_notbefore" => leaf().map(|l| seconds(l.not_before)),
            "tls.cert_notafter" => leaf().map(|l| seconds(l.not_after)),
            "tls.cert_chain_len" => {
                let ready = match dir {
                    Dir::ToServer => state::CLIENT_CERT_DONE,
                    Dir::ToClient => state::SERVER_CERT_DONE,
                };
                let chain = self.chain(dir).filter(|_| self.progress[dir] >= ready);
                chain.and_then(|c| u64::try_from(c.len()).ok())
            }
            _ => None,
        }
    }
}
