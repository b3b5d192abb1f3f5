//! Keywords about the TCP header.

use super::ip::packet_number;
use super::{Keyword, Kind};
use crate::decode::packet::TcpHeader;
use crate::detect::builder::{some_value, RuleBuilder};
use crate::detect::diagnostic::Refusal;

packet_number!(SEQ, "tcp.seq", &["seq"], 0xffff_ffff, "Sequence number.", |p| p
    .tcp()
    .map(|t| u64::from(t.seq)));
packet_number!(ACK, "tcp.ack", &["ack"], 0xffff_ffff, "Acknowledgement number.", |p| p
    .tcp()
    .map(|t| u64::from(t.ack)));
packet_number!(WINDOW, "tcp.window", &["window"], 65_535, "Window as in the header (not scaled).", |p| {
    p.tcp().map(|t| u64::from(t.window))
});
packet_number!(WSCALE, "tcp.wscale", &[], 255, "Window scale option.", |p| p
    .tcp()?
    .window_scale
    .map(u64::from));
packet_number!(MSS, "tcp.mss", &[], 65_535, "Maximum segment size option.", |p| p.tcp()?.mss.map(u64::from));

pub static FLAGS: Keyword = Keyword {
    name: "tcp.flags",
    aliases: &["flags"],
    kind: Kind::Packet,
    doc: "TCP flags F S R P A U C E (0 = none), exactly; + others may be set too, * any of them, ! not; `,CE` ignores those.",
    example: "tcp.flags:S,CE;",
    accepts: &["tcp.flags:S;", "flags:+SA;", "flags:SA,12;", "flags:!F;", "flags:*FU;", "flags:0;"],
    refuses: &["tcp.flags;", "tcp.flags:X;", "tcp.flags:S,X;", "tcp.flags:+;"],
    parse: flags,
};

fn flag(letter: char) -> Option<u16> {
    Some(u16::from(match letter.to_ascii_uppercase() {
        'F' => TcpHeader::FIN,
        'S' => TcpHeader::SYN,
        'R' => TcpHeader::RST,
        'P' => TcpHeader::PSH,
        'A' => TcpHeader::ACK,
        'U' => TcpHeader::URG,
        'C' | '1' => TcpHeader::CWR,
        'E' | '2' => TcpHeader::ECE,
        _ => return None,
    }))
}

/// Flag tests of tcp.flags and fragbits: exact, or `+`, `*`, `!`.
pub(super) fn flags_match(mode: Option<char>, found: u16, wanted: u16) -> bool {
    match mode {
        Some('+') => found & wanted == wanted,
        Some('*') => found & wanted != 0,
        Some('!') => found & wanted != wanted,
        _ => found == wanted,
    }
}

fn flags(rule: &mut RuleBuilder<'_>, value: Option<&str>) -> Result<(), Refusal> {
    let value = some_value("tcp.flags", value, "S")?.trim_matches('"');
    let wrong = |letter: char| {
        Refusal::error(
            format!("`{letter}` is no TCP flag"),
            "use F S R P A U C E or 0, with +, * or ! before",
        )
    };
    let (tested, ignored) = value.split_once(',').unwrap_or((value, ""));
    let (mut wanted, mut mode, mut none) = (0, None, false);
    for letter in tested.chars().filter(|c| !c.is_whitespace()) {
        match letter {
            '0' => none = true,
            '+' | '*' | '!' if mode.is_none() => mode = Some(letter),
            _ => wanted |= flag(letter).ok_or_else(|| wrong(letter))?,
        }
    }
    if wanted == 0 && !none {
        return Err(Refusal::error("no TCP flag is named", "use F S R P A U C E or 0"));
    }
    let mut mask = 0xffu16;
    for letter in ignored.chars().filter(|c| !c.is_whitespace()) {
        mask &= !flag(letter).ok_or_else(|| wrong(letter))?;
    }
    rule.needs_packet = true;
    rule.packet_test(move |cx| {
        cx.packet.tcp().is_some_and(|t| flags_match(mode, u16::from(t.flags) & mask, wanted))
    });
    Ok(())
}
