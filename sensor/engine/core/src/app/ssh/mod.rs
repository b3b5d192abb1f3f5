//! SSH (RFC 4253): banners, and the plain part of the binary packets until NEWKEYS. One transaction per flow.
//!
//! `parser` walks banner and packets, `kex` takes KEXINIT apart for HASSH, `tx` answers rules. Nothing is decrypted.

mod kex;
mod parser;
mod tx;

#[cfg(test)]
mod tests;

use super::{Buffer, Pattern, Protocol, Recognise};
use crate::direction::{Dir, PerDir};
use parser::SshParser;

/// Progress of each side.
mod state {
    /// The banner is longer than it may be; the rest of its line is passed over.
    pub const BANNER_WAIT_EOL: u8 = 1;
    pub const BANNER_DONE: u8 = 2;
    pub const KEX_INIT_DONE: u8 = 3;
    /// NEWKEYS was sent: what follows is encrypted.
    pub const FINISHED: u8 = 4;
}

/// App-layer events; the value is the index in `EVENTS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    InvalidBanner,
    LongBanner,
    InvalidRecord,
    LongKexRecord,
}

const EVENTS: &[&str] = &["invalid_banner", "long_banner", "invalid_record", "long_kex_record"];

/// Indexed by the values in `frame`.
const FRAMES: &[&str] = &["record.hdr", "record.data", "record.pdu"];
mod frame {
    pub const HDR: u8 = 0;
    pub const DATA: u8 = 1;
    pub const PDU: u8 = 2;
}

const BANNERS: PerDir<Option<u8>> = PerDir::new(Some(state::BANNER_DONE), Some(state::BANNER_DONE));
const CLIENT_KEX: PerDir<Option<u8>> = PerDir::new(Some(state::KEX_INIT_DONE), None);
const SERVER_KEX: PerDir<Option<u8>> = PerDir::new(None, Some(state::KEX_INIT_DONE));

const fn sticky(
    name: &'static str,
    aliases: &'static [&'static str],
    progress: PerDir<Option<u8>>,
    doc: &'static str,
) -> Buffer {
    Buffer { name, aliases, modifier: None, progress, multi: false, streaming: false, doc }
}

/// Indexed by `tx::buffer`.
const BUFFERS: &[Buffer] = &[
    sticky("ssh.proto", &["ssh_proto"], BANNERS, "Protocol version of the banner, e.g. `2.0`."),
    sticky(
        "ssh.software",
        &["ssh_software"],
        BANNERS,
        "Software version of the banner, e.g. `OpenSSH_9.2p1`.",
    ),
    sticky("ssh.hassh", &["ssh-hassh"], CLIENT_KEX, "HASSH of the client, 32 hexadecimal digits."),
    sticky(
        "ssh.hassh.string",
        &["ssh-hassh-string"],
        CLIENT_KEX,
        "The algorithms the client's HASSH is made of.",
    ),
    sticky("ssh.hassh.server", &["ssh-hassh-server"], SERVER_KEX, "HASSH of the server."),
    sticky(
        "ssh.hassh.server.string",
        &["ssh-hassh-server-string"],
        SERVER_KEX,
        "The algorithms the server's HASSH is made of.",
    ),
];

const fn banner(dir: Dir) -> Pattern {
    Pattern { dir, bytes: b"SSH-", nocase: false, offset: 0, depth: 4 }
}

pub static SSH: Protocol = Protocol {
    name: "ssh",
    aliases: &[],
    tcp: true,
    udp: false,
    doc: "SSH until encryption begins: banners, and HASSH fingerprints of the key exchange (`app-layer.protocols.ssh.hassh`, \
          by itself on when a rule looks at them). One transaction per flow.",
    recognise: Recognise {
        patterns: &[banner(Dir::ToServer), banner(Dir::ToClient)],
        probe: None,
        tcp_ports: &[],
        udp_ports: &[],
    },
    new: |config| Box::new(SshParser::new(config)),
    buffers: BUFFERS,
    numbers: &[],
    frames: FRAMES,
    events: EVENTS,
    states: PerDir::new(
        &[
            "request_in_progress",
            "request_banner_wait_eol",
            "request_banner_done",
            "request_kex_init_done",
            "request_finished",
        ],
        &[
            "response_in_progress",
            "response_banner_wait_eol",
            "response_banner_done",
            "response_kex_init_done",
            "response_finished",
        ],
    ),
    complete: PerDir::new(state::FINISHED, state::FINISHED),
    log_at: PerDir::new(state::BANNER_DONE, state::BANNER_DONE),
    record: "ssh",
};
