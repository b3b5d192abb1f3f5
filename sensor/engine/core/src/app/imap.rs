//! IMAP (RFC 9051): recognised, so that rules and flow records can name it; its commands are not parsed. STARTTLS is followed.

use super::{Outcome, ParseCx, Parser, Pattern, Protocol, Recognise, Transaction};
use crate::direction::{Dir, PerDir};
use std::ops::Range;

const fn untagged(bytes: &'static [u8], depth: u16) -> Pattern {
    Pattern { dir: Dir::ToClient, bytes, nocase: true, offset: 0, depth }
}

pub static IMAP: Protocol = Protocol {
    name: "imap",
    aliases: &[],
    tcp: true,
    udp: false,
    doc: "Mail read on a server. The protocol is recognised and its change to TLS followed; commands are not parsed.",
    recognise: Recognise {
        patterns: &[
            untagged(b"* OK ", 5),
            untagged(b"* NO ", 5),
            untagged(b"* BAD ", 6),
            untagged(b"* LIST ", 7),
            untagged(b"* ESEARCH ", 10),
            untagged(b"* STATUS ", 9),
            untagged(b"* FLAGS ", 8),
            // A tag may be long; clients use up to 20 characters.
            Pattern { dir: Dir::ToServer, bytes: b" CAPABILITY", nocase: true, offset: 0, depth: 42 },
        ],
        probe: None,
        tcp_ports: &[],
        udp_ports: &[],
    },
    new: |_node| Box::new(ImapParser::default()),
    buffers: &[],
    numbers: &[],
    frames: &[],
    events: &[],
    states: PerDir::new(&[], &[]),
    complete: PerDir::new(0, 0),
    log_at: PerDir::new(0, 0),
    record: "",
};

/// Bytes of a line that are looked at: a tag, a space, STARTTLS.
const HEAD_MAX: usize = 64;

/// Looks for `tag STARTTLS` and for the server's `tag OK`.
#[derive(Default)]
struct ImapParser {
    head: PerDir<Vec<u8>>,
    /// The tag of a STARTTLS that was not answered yet.
    tag: Option<Vec<u8>>,
}

impl ImapParser {
    fn line(&mut self, dir: Dir, cx: &mut ParseCx) {
        let line = std::mem::take(&mut self.head[dir]);
        let mut words = line.split(|b| b.is_ascii_whitespace());
        let (Some(tag), Some(word)) = (words.next(), words.next()) else { return };
        match dir {
            Dir::ToServer if word.eq_ignore_ascii_case(b"STARTTLS") => self.tag = Some(tag.to_vec()),
            Dir::ToClient if self.tag.as_deref() == Some(tag) => {
                if word.eq_ignore_ascii_case(b"OK") {
                    cx.upgrade = Some("tls");
                }
                self.tag = None;
            }
            _ => {}
        }
    }
}

impl Parser for ImapParser {
    fn parse(&mut self, dir: Dir, mut data: &[u8], cx: &mut ParseCx) -> Outcome {
        while let Some(at) = memchr::memchr(b'\n', data) {
            let (line, rest) = data.split_at(at.saturating_add(1));
            self.keep(dir, line);
            self.line(dir, cx);
            if cx.upgrade.is_some() {
                return Outcome::Done;
            }
            data = rest;
        }
        self.keep(dir, data);
        Outcome::Done
    }
    fn gap(&mut self, dir: Dir, _len: u64, _cx: &mut ParseCx) -> Outcome {
        self.head[dir].clear();
        Outcome::Done
    }
    fn tx_ids(&self) -> Range<u64> {
        0..0
    }
    fn tx(&self, _id: u64) -> Option<&dyn Transaction> {
        None
    }
    fn tx_mut(&mut self, _id: u64) -> Option<&mut dyn Transaction> {
        None
    }
    fn drop_tx(&mut self, _id: u64) {}
}

impl ImapParser {
    fn keep(&mut self, dir: Dir, bytes: &[u8]) {
        let head = &mut self.head[dir];
        let room = HEAD_MAX.saturating_sub(head.len());
        head.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upgrade(talk: &[(Dir, &[u8])], size: usize) -> bool {
        let mut parser = ImapParser::default();
        let mut upgrade = false;
        for (dir, said) in talk {
            for piece in said.chunks(size) {
                let mut cx = ParseCx::default();
                assert_eq!(parser.parse(*dir, piece, &mut cx), Outcome::Done);
                upgrade |= cx.upgrade == Some("tls");
            }
        }
        upgrade
    }

    #[test]
    fn starttls_is_followed_when_it_is_granted() {
        let ask = (Dir::ToServer, &b"a1 CAPABILITY\r\na2 starttls\r\n"[..]);
        for size in [1, 4, 100] {
            assert!(upgrade(&[ask, (Dir::ToClient, b"* OK x\r\na1 OK\r\na2 OK begin\r\n")], size));
            assert!(!upgrade(&[ask, (Dir::ToClient, b"a1 OK\r\na2 NO sorry\r\n")], size));
        }
    }
}
