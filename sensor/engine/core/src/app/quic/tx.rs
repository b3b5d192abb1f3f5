//! One QUIC packet of a handshake as a transaction, with its record. Must not see bytes of the wire.

use super::frames::Chlo;
use super::header::Version;
use super::names;
use crate::app::tls::fingerprint;
use crate::app::tls::hello::{Hello, EXT_ALPN, EXT_SERVER_NAME, EXT_SIGNATURE_ALGORITHMS, EXT_VERSIONS};
use crate::app::{LogFor, Transaction, TxMeta, View};
use crate::direction::Dir;
use crate::json::JsonWriter;

/// Local numbers of the buffers, in the order of `super::BUFFERS`.
pub mod buffer {
    pub const VERSION: usize = 0;
    pub const SNI: usize = 1;
    pub const USER_AGENT: usize = 2;
    pub const CYU_HASH: usize = 3;
    pub const CYU_STRING: usize = 4;
    pub const JA3_HASH: usize = 5;
    pub const JA3_STRING: usize = 6;
    pub const JA4_HASH: usize = 7;
}

/// Which fingerprints the record carries; the sticky buffers have them always.
#[derive(Clone, Copy, Debug)]
pub struct Logged {
    pub ja3: bool,
    pub ja4: bool,
}

/// CYU: the version and the tags of a client hello of Google's QUIC, and their MD5 (github.com/salesforce/CYU).
pub struct Cyu {
    pub string: String,
    pub hash: String,
}

/// What a hello of TLS gives away.
pub struct Tls {
    pub hello: Hello,
    pub ja3_string: String,
    pub ja3_hash: String,
    /// Of clients.
    pub ja4: Option<String>,
}

pub struct QuicTx {
    pub meta: TxMeta,
    pub dir: Dir,
    pub version: Version,
    version_bytes: [u8; 4],
    pub sni: Option<Vec<u8>>,
    pub user_agent: Option<Vec<u8>>,
    pub cyu: Vec<Cyu>,
    pub tls: Option<Box<Tls>>,
    logged: Logged,
}

impl QuicTx {
    pub fn new(id: u64, dir: Dir, version: Version, logged: Logged) -> QuicTx {
        let mut meta = TxMeta::new(id);
        meta.skip[dir.opposite()] = true;
        QuicTx {
            meta,
            dir,
            version,
            version_bytes: version.0.to_be_bytes(),
            sni: None,
            user_agent: None,
            cyu: Vec::new(),
            tls: None,
            logged,
        }
    }

    pub fn add_chlo(&mut self, chlo: Chlo) {
        // Of the versions that CYU knows; the others' hellos are told without one.
        let version = match self.version {
            Version::Q043 => Some("43"),
            Version::Q044 | Version::Q045 => Some("44"),
            Version::Q046 => Some("46"),
            _ => None,
        };
        if let Some(version) = version {
            let mut string = format!("{version},");
            for (at, tag) in chlo.tags.iter().enumerate() {
                if at > 0 {
                    string.push('-');
                }
                string.extend(tag.iter().filter(|b| b.is_ascii_graphic()).map(|b| char::from(*b)));
            }
            self.cyu.push(Cyu { hash: fingerprint::md5_hex(&string), string });
        }
        self.sni = chlo.sni.or(self.sni.take());
        self.user_agent = chlo.user_agent.or(self.user_agent.take());
    }

    pub fn add_hello(&mut self, hello: Hello) {
        let client = self.dir == Dir::ToServer;
        let ja3_string =
            if client { fingerprint::ja3_string(&hello) } else { fingerprint::ja3s_string(&hello) };
        self.sni = hello.sni.clone().or(self.sni.take());
        self.tls = Some(Box::new(Tls {
            ja3_hash: fingerprint::md5_hex(&ja3_string),
            ja4: client.then(|| fingerprint::ja4(&hello, 'q')),
            ja3_string,
            hello,
        }));
    }
}

impl Transaction for QuicTx {
    fn meta(&self) -> &TxMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut TxMeta {
        &mut self.meta
    }
    /// A packet is whole when it becomes a transaction.
    fn progress(&self, _dir: Dir) -> u8 {
        1
    }

    fn buffer(&self, local: usize, index: usize, dir: Dir) -> Option<View<'_>> {
        if dir != self.dir {
            return None;
        }
        let client = dir == Dir::ToServer;
        let data = match local {
            buffer::CYU_HASH => self.cyu.get(index)?.hash.as_bytes(),
            buffer::CYU_STRING => self.cyu.get(index)?.string.as_bytes(),
            _ if index > 0 => return None,
            buffer::VERSION => &self.version_bytes,
            buffer::SNI => self.sni.as_deref()?,
            buffer::USER_AGENT => self.user_agent.as_deref()?,
            buffer::JA3_HASH if client => self.tls.as_ref()?.ja3_hash.as_bytes(),
            buffer::JA3_STRING if client => self.tls.as_ref()?.ja3_string.as_bytes(),
            buffer::JA4_HASH => self.tls.as_ref()?.ja4.as_ref()?.as_bytes(),
            _ => return None,
        };
        Some(View::whole(data))
    }

    fn log(&self, out: &mut JsonWriter, what: LogFor) {
        out.fmt("version", format_args!("{}", self.version));
        if let Some(sni) = &self.sni {
            out.bytes("sni", sni);
        }
        if let Some(agent) = &self.user_agent {
            out.bytes("ua", agent);
        }
        if !self.cyu.is_empty() {
            out.open_array("cyu");
            for cyu in &self.cyu {
                out.open();
                out.str("hash", &cyu.hash);
                out.str("string", &cyu.string);
                out.close();
            }
            out.close_array();
        }
        let Some(tls) = &self.tls else { return };
        if self.logged.ja3 {
            out.open_object(if self.dir == Dir::ToServer { "ja3" } else { "ja3s" });
            out.str("hash", &tls.ja3_hash);
            out.str("string", &tls.ja3_string);
            out.close();
        }
        // An alert shows what its rule may have matched, whatever the record leaves out.
        if let Some(ja4) = tls.ja4.as_ref().filter(|_| self.logged.ja4 || what == LogFor::Alert) {
            out.str("ja4", ja4);
        }
        log_extensions(&tls.hello, out);
    }
}

fn log_extensions(hello: &Hello, out: &mut JsonWriter) {
    if hello.extensions.is_empty() {
        return;
    }
    out.open_array("extensions");
    for kind in &hello.extensions {
        out.open();
        if let Some(name) = names::extension(*kind) {
            out.str("name", name);
        }
        out.uint("type", u64::from(*kind));
        let values = match *kind {
            EXT_SERVER_NAME => hello.sni.iter().len(),
            EXT_ALPN => hello.alpns.len(),
            EXT_SIGNATURE_ALGORITHMS => hello.signature_algorithms.len(),
            EXT_VERSIONS => hello.versions.len(),
            _ => 0,
        };
        if values > 0 {
            out.open_array("values");
            match *kind {
                EXT_SERVER_NAME => hello.sni.iter().for_each(|v| out.item_bytes(v)),
                EXT_ALPN => hello.alpns.iter().for_each(|v| out.item_bytes(v)),
                EXT_VERSIONS => hello
                    .versions
                    .iter()
                    .for_each(|v| out.item_fmt(format_args!("{}", names::TlsVersion(*v)))),
                _ => hello.signature_algorithms.iter().for_each(|v| out.item_fmt(format_args!("{v}"))),
            }
            out.close_array();
        }
        out.close();
    }
    out.close_array();
}
