//! The one transaction of an RFB flow, its record and what rules ask of it. Must not see messages.

use super::{Event, NAME};
use crate::app::{LogFor, Transaction, TxMeta, View};
use crate::direction::{Dir, PerDir};
use crate::json::JsonWriter;

/// What `rfb.secresult:unknown` compares with: the first number without a meaning stands for all of them.
pub const SECURITY_RESULT_UNKNOWN: u64 = 3;

/// `RFB 003.008`.
pub struct Version {
    major: String,
    minor: String,
}

impl Version {
    /// Of the 12 bytes of a version message.
    pub fn read(data: &[u8]) -> Option<Version> {
        let [b'R', b'F', b'B', b' ', major @ .., b'\n'] = data else { return None };
        let text = std::str::from_utf8(major).ok()?;
        let (major, minor) = text.split_once('.')?;
        let number = |text: &str| text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit());
        (number(major) && number(minor)).then(|| Version { major: major.to_owned(), minor: minor.to_owned() })
    }
    pub fn minor_number(&self) -> u32 {
        self.minor.parse().unwrap_or(0)
    }
}

/// Size and pixel format of the screen (RFC 6143 sections 7.3.2 and 7.4).
pub struct Framebuffer {
    width: u16,
    height: u16,
    bits_per_pixel: u8,
    depth: u8,
    big_endian: bool,
    true_color: bool,
    /// Red, green, blue.
    max: [u16; 3],
    shift: [u8; 3],
}

impl Framebuffer {
    pub fn read(data: &[u8]) -> Option<Framebuffer> {
        let [w0, w1, h0, h1, bits_per_pixel, depth, big_endian, true_color, r0, r1, g0, g1, b0, b1, r, g, b, ..] =
            *data
        else {
            return None;
        };
        let be = |hi, lo| u16::from_be_bytes([hi, lo]);
        Some(Framebuffer {
            width: be(w0, w1),
            height: be(h0, h1),
            bits_per_pixel,
            depth,
            big_endian: big_endian != 0,
            true_color: true_color != 0,
            max: [be(r0, r1), be(g0, g1), be(b0, b1)],
            shift: [r, g, b],
        })
    }

    fn log(&self, name: &[u8], out: &mut JsonWriter) {
        out.open_object("framebuffer");
        out.uint("width", u64::from(self.width));
        out.uint("height", u64::from(self.height));
        out.bytes("name", name);
        out.open_object("pixel_format");
        out.uint("bits_per_pixel", u64::from(self.bits_per_pixel));
        out.uint("depth", u64::from(self.depth));
        out.bool("big_endian", self.big_endian);
        out.bool("true_color", self.true_color);
        for (key, value) in ["red_max", "green_max", "blue_max"].iter().zip(self.max) {
            out.uint(key, u64::from(value));
        }
        for (key, value) in ["red_shift", "green_shift", "blue_shift"].iter().zip(self.shift) {
            out.uint(key, u64::from(value));
        }
        out.close();
        out.close();
    }
}

#[derive(Default)]
pub struct RfbTx {
    meta: TxMeta,
    progress: PerDir<u8>,
    pub server_version: Option<Version>,
    pub client_version: Option<Version>,
    pub security_type: Option<u32>,
    pub challenge: Option<[u8; 16]>,
    pub response: Option<[u8; 16]>,
    pub security_result: Option<u32>,
    pub failure_reason: Option<Vec<u8>>,
    pub shared: Option<bool>,
    pub framebuffer: Option<Framebuffer>,
    pub name: Option<Vec<u8>>,
}

impl RfbTx {
    pub fn event(&mut self, event: Event) {
        self.meta.set_event(event as u8);
    }
    /// Progress never goes back.
    pub fn reach(&mut self, dir: Dir, progress: u8) {
        self.progress[dir] = self.progress[dir].max(progress);
    }
}

fn log_version(key: &str, version: Option<&Version>, out: &mut JsonWriter) {
    if let Some(version) = version {
        out.open_object(key);
        out.str("major", &version.major);
        out.str("minor", &version.minor);
        out.close();
    }
}

fn log_hex(key: &str, bytes: &[u8; 16], out: &mut JsonWriter) {
    out.fmt(key, format_args!("{:032x}", u128::from_be_bytes(*bytes)));
}

impl Transaction for RfbTx {
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
        match (local, index, dir) {
            (NAME, 0, Dir::ToClient) => self.name.as_deref().map(View::whole),
            _ => None,
        }
    }

    fn log(&self, out: &mut JsonWriter, _what: LogFor) {
        log_version("server_protocol_version", self.server_version.as_ref(), out);
        log_version("client_protocol_version", self.client_version.as_ref(), out);
        out.open_object("authentication");
        if let Some(kind) = self.security_type {
            out.uint("security_type", u64::from(kind));
        }
        if self.challenge.is_some() || self.response.is_some() {
            out.open_object("vnc");
            if let Some(challenge) = &self.challenge {
                log_hex("challenge", challenge, out);
            }
            if let Some(response) = &self.response {
                log_hex("response", response, out);
            }
            out.close();
        }
        match self.security_result {
            Some(0) => out.str("security_result", "OK"),
            Some(1) => out.str("security_result", "FAIL"),
            Some(2) => out.str("security_result", "TOOMANY"),
            Some(other) => out.fmt("security_result", format_args!("UNKNOWN ({other})")),
            None => {}
        }
        out.close();
        if let Some(reason) = &self.failure_reason {
            out.bytes("server_security_failure_reason", reason);
        }
        if let Some(shared) = self.shared {
            out.bool("screen_shared", shared);
        }
        if let Some(framebuffer) = &self.framebuffer {
            framebuffer.log(self.name.as_deref().unwrap_or_default(), out);
        }
    }

    fn number(&self, keyword: &str, dir: Dir) -> Option<u64> {
        self.number_at(keyword, 0, dir)
    }
    fn number_at(&self, keyword: &str, index: usize, _dir: Dir) -> Option<u64> {
        match (keyword, index) {
            ("rfb.sectype", 0) => self.security_type.map(u64::from),
            ("rfb.secresult", 0) => self.security_result.map(u64::from),
            ("rfb.secresult", 1) => self
                .security_result
                .filter(|n| u64::from(*n) > SECURITY_RESULT_UNKNOWN)
                .map(|_| SECURITY_RESULT_UNKNOWN),
            _ => None,
        }
    }
}
