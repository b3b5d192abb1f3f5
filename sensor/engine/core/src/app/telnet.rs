//! Telnet (RFC 854): recognised, and its stream divided into frames that rules can look into: controls and text. It has no
//! transactions and no record.

use super::{Outcome, ParseCx, Parser, Probe, Protocol, Recognise, Transaction};
use crate::direction::{Dir, PerDir};
use std::ops::Range;

/// Interpret As Command, and what may follow it (RFC 854, "TELNET COMMAND STRUCTURE").
const IAC: u8 = 255;
const SE: u8 = 240;
const SB: u8 = 250;
const WILL: u8 = 251;
const DONT: u8 = 254;

/// Longest subnegotiation that is awaited; the longest in use, environment lists, stay far below.
const SUBNEGOTIATION_MAX: usize = 4096;
/// Text without a prompt that recognition waits through.
const BANNER_MAX: usize = 1024;

/// Indices in `Protocol::frames`.
const PDU: u8 = 0;
const CTL: u8 = 1;
const DATA: u8 = 2;

pub static TELNET: Protocol = Protocol {
    name: "telnet",
    aliases: &[],
    tcp: true,
    udp: false,
    doc: "A terminal's session in clear. It is recognised and divided into the frames `ctl` (a command or a subnegotiation) and \
          `data` (a line of text); `pdu` is either.",
    recognise: Recognise { patterns: &[], probe: Some(probe), tcp_ports: &[23], udp_ports: &[] },
    new: |_node| Box::new(TelnetParser::default()),
    buffers: &[],
    numbers: &[],
    frames: &["pdu", "ctl", "data"],
    events: &[],
    states: PerDir::new(&[], &[]),
    complete: PerDir::new(0, 0),
    log_at: PerDir::new(0, 0),
    record: "",
};

/// A session begins with negotiation, or with the server's prompt.
fn probe(dir: Dir, data: &[u8]) -> Probe {
    match data {
        [IAC, command, ..] if (SE..=DONT).contains(command) => Probe::Yes,
        [IAC] => Probe::Unsure,
        _ if dir == Dir::ToServer => Probe::No,
        text if !text
            .iter()
            .all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace() || matches!(b, 0 | 27)) =>
        {
            Probe::No
        }
        text if prompts(text) => Probe::Yes,
        text if text.len() < BANNER_MAX => Probe::Unsure,
        _ => Probe::No,
    }
}

fn prompts(text: &[u8]) -> bool {
    let text = text.to_ascii_lowercase();
    [&b"login:"[..], b"username:", b"password:"].iter().any(|p| memchr::memmem::find(&text, p).is_some())
}

#[derive(Default)]
struct TelnetParser {
    /// Inside of a line whose frame was reported.
    in_text: PerDir<bool>,
    /// The client has sent a line: what the server shows from then on is lines, before it is a prompt.
    answered: bool,
}

/// Length of the control sequence at the front. None: it is not whole.
fn control_len(data: &[u8]) -> Option<usize> {
    match data.get(1)? {
        &SB => {
            let body = data.get(2..).unwrap_or(&[]);
            let end = memchr::memchr_iter(IAC, body).find(|at| body.get(at.saturating_add(1)) == Some(&SE));
            match end {
                Some(at) => Some(at.saturating_add(2)),
                None if data.len() >= SUBNEGOTIATION_MAX => Some(data.len()),
                None => None,
            }
        }
        WILL..=DONT => (data.len() >= 3).then_some(3),
        _ => Some(2),
    }
}

impl TelnetParser {
    /// Length of the text at the front, its line end included, and whether it ends here.
    fn text_len(&self, dir: Dir, data: &[u8]) -> (usize, bool) {
        let control = memchr::memchr(IAC, data);
        let upto = data.get(..control.unwrap_or(data.len())).unwrap_or(data);
        let by_line = dir == Dir::ToServer || self.answered;
        match memchr::memchr(b'\n', upto).filter(|_| by_line) {
            Some(at) => (at.saturating_add(1), true),
            None => (upto.len(), control.is_some()),
        }
    }
}

impl Parser for TelnetParser {
    fn parse(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Outcome {
        let mut at = 0usize;
        loop {
            let rest = data.get(at..).unwrap_or(&[]);
            let place = i64::try_from(at).unwrap_or(i64::MAX);
            if rest.is_empty() {
                return Outcome::Done;
            }
            if rest.first() == Some(&IAC) {
                let Some(len) = control_len(rest) else {
                    return Outcome::NeedMore { consumed: at, needed: rest.len().saturating_add(1) };
                };
                self.in_text[dir] = false;
                cx.frame(PDU, place, Some(len as u64));
                cx.frame(CTL, place, Some(len as u64));
                at = at.saturating_add(len);
                continue;
            }
            let (len, ends) = self.text_len(dir, rest);
            if !std::mem::replace(&mut self.in_text[dir], !ends) {
                let known = ends.then_some(len as u64);
                cx.frame(PDU, place, known);
                cx.frame(DATA, place, known);
            }
            self.answered |= dir == Dir::ToServer && ends;
            at = at.saturating_add(len);
        }
    }
    fn gap(&mut self, dir: Dir, _len: u64, _cx: &mut ParseCx) -> Outcome {
        self.in_text[dir] = false;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(chunks: &[(Dir, &[u8])]) -> Vec<(u8, i64, Option<u64>)> {
        let mut parser = TelnetParser::default();
        let mut found = Vec::new();
        for (dir, data) in chunks {
            let mut cx = ParseCx::default();
            parser.parse(*dir, data, &mut cx);
            found.extend(cx.frames.iter().filter(|f| f.kind != PDU).map(|f| (f.kind, f.at, f.len)));
        }
        found
    }

    #[test]
    fn controls_and_lines_are_frames() {
        let client = b"\xff\xfd\x03\xff\xfa\x18\x00xterm\xff\xf0ls\r\nexit\r\n";
        let expected = [
            (CTL, 0, Some(3)),
            (CTL, 3, Some(9)),
            (CTL, 12, Some(2)),
            (DATA, 14, Some(4)),
            (DATA, 18, Some(6)),
        ];
        assert_eq!(frames(&[(Dir::ToServer, client)]), expected);
    }

    #[test]
    fn a_prompt_is_one_frame_and_a_line_in_pieces_too() {
        let seen = frames(&[
            (Dir::ToClient, b"\r\nhost\r\nlogin: "),
            (Dir::ToServer, b"ro"),
            (Dir::ToServer, b"ot\r\n"),
            (Dir::ToClient, b"one\r\ntwo\r\n"),
        ]);
        let expected = [(DATA, 0, None), (DATA, 0, None), (DATA, 5, Some(5))];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_control_is_awaited_whole_and_never_for_ever() {
        let mut parser = TelnetParser::default();
        let mut cx = ParseCx::default();
        let outcome = parser.parse(Dir::ToServer, b"a\xff\xfb", &mut cx);
        assert_eq!(outcome, Outcome::NeedMore { consumed: 1, needed: 3 });
        let mut endless = vec![IAC, SB];
        endless.resize(SUBNEGOTIATION_MAX, 1);
        assert_eq!(parser.parse(Dir::ToServer, &endless, &mut cx), Outcome::Done);
    }

    #[test]
    fn negotiation_and_prompts_are_recognised() {
        assert_eq!(probe(Dir::ToServer, b"\xff\xfd\x03"), Probe::Yes);
        assert_eq!(probe(Dir::ToClient, b"\r\nUbuntu\r\nbox Login: "), Probe::Yes);
        assert_eq!(probe(Dir::ToClient, b"\r\nUbuntu"), Probe::Unsure);
        assert_eq!(probe(Dir::ToClient, b"\x00\x01\x02\x80"), Probe::No);
        assert_eq!(probe(Dir::ToServer, b"GET / HTTP/1.0\r\n"), Probe::No);
    }
}
