//! Keywords about the IP header.

use super::{number, Keyword, Kind};
use crate::decode::Packet;
use crate::detect::builder::{no_value, some_value, RuleBuilder};
use crate::detect::diagnostic::Refusal;
use crate::detect::program::number::NumberTest;
use crate::detect::rule::Transport;

/// The IPv4 header, options included.
fn v4<'a>(packet: &Packet<'a>) -> Option<&'a [u8]> {
    if packet.ip_version != 4 {
        return None;
    }
    packet.ip_bytes().get(..usize::from(packet.ip_header_len))
}

fn be16(header: &[u8], at: usize) -> Option<u16> {
    let bytes = header.get(at..)?.first_chunk::<2>()?;
    Some(u16::from_be_bytes(*bytes))
}

/// A keyword over a number of the packet. It keeps contents of its rule to single packets, as in Suricata.
macro_rules! packet_number {
    ($id:ident, $name:literal, $aliases:expr, $max:expr, $doc:literal, $read:expr) => {
        pub static $id: Keyword = Keyword {
            name: $name,
            aliases: $aliases,
            kind: Kind::Packet,
            doc: $doc,
            example: concat!($name, ":10;"),
            accepts: &[
                concat!($name, ":10;"),
                concat!($name, ":>10;"),
                concat!($name, ":<10;"),
                concat!($name, ":5-10;"),
            ],
            refuses: &[concat!($name, ";"), concat!($name, ":x;"), concat!($name, ":9999999999999;")],
            parse: |rule, value| {
                let value = $crate::detect::builder::some_value($name, value, ">10")?;
                let value = value.trim_matches('"');
                let test = $crate::detect::keywords::number::test($name, value, $max)?;
                let read: fn(&$crate::decode::Packet<'_>) -> Option<u64> = $read;
                rule.needs_packet = true;
                rule.packet_test(move |cx| read(cx.packet).is_some_and(|n| test.holds(n)));
                Ok(())
            },
        };
    };
}
pub(super) use packet_number;

packet_number!(TTL, "ttl", &[], 255, "Time to live, or hop limit.", |p| {
    (p.ip_version != 0).then_some(u64::from(p.ttl))
});
packet_number!(IGMP_TYPE, "igmp.type", &[], 255, "Type of an IGMP message.", |p| {
    const IGMP: u8 = 2;
    let kind = p.l4_bytes().first().filter(|_| p.ip_version == 4 && p.proto == IGMP)?;
    Some(u64::from(*kind))
});
packet_number!(TOS, "tos", &[], 255, "Type of service byte (IPv4).", |p| {
    v4(p)?.get(1).map(|b| u64::from(*b))
});
packet_number!(ID, "id", &[], 65_535, "Identification of the IPv4 header.", |p| be16(v4(p)?, 4)
    .map(u64::from));
packet_number!(
    FRAGOFFSET,
    "fragoffset",
    &[],
    65_535,
    "Fragment offset of the IPv4 header, in units of 8 bytes.",
    |p| { be16(v4(p)?, 6).map(|n| u64::from(n & 0x1fff)) }
);
pub static VLAN_LAYERS: Keyword = Keyword {
    name: "vlan.layers",
    kind: Kind::Packet,
    doc: "How many VLAN tags the packet has.",
    example: "vlan.layers:2;",
    accepts: &["vlan.layers:2;", "vlan.layers:>0;"],
    refuses: &["vlan.layers;", "vlan.layers:9;"],
    parse: |rule, value| {
        let test = number::test("vlan.layers", some_value("vlan.layers", value, "2")?, 3)?;
        rule.packet_test(move |cx| test.holds(u64::from(cx.packet.vlan_count)));
        Ok(())
    },
    ..Keyword::EMPTY
};

pub static VLAN_ID: Keyword = Keyword {
    name: "vlan.id",
    kind: Kind::Packet,
    doc: "VLAN number, of any layer or of one (`,0` outermost, `,-1` innermost, `,all`).",
    example: "vlan.id:200;",
    accepts: &["vlan.id:200;", "vlan.id:>100,1;", "vlan.id:5,all;", "vlan.id:5,-1;"],
    refuses: &["vlan.id;", "vlan.id:x;", "vlan.id:200,7;"],
    parse: vlan_id,
    ..Keyword::EMPTY
};

fn vlan_id(rule: &mut RuleBuilder<'_>, value: Option<&str>) -> Result<(), Refusal> {
    let value = some_value("vlan.id", value, "200")?;
    let (text, layer) = value.split_once(',').unwrap_or((value, "any"));
    let test = number::test("vlan.id", text, 4095)?;
    let layer = layer.trim();
    let index = match layer {
        "any" | "all" => None,
        _ => Some(layer.parse::<i8>().ok().filter(|n| (-3..=2).contains(n)).ok_or_else(|| {
            Refusal::error(format!("`{layer}` is no VLAN layer"), "use 0 to 2, -3 to -1, any or all")
        })?),
    };
    let all = layer == "all";
    rule.packet_test(move |cx| {
        let tags = cx.packet.vlan.get(..usize::from(cx.packet.vlan_count)).unwrap_or(&[]);
        let holds = |tag: &u16| test.holds(u64::from(*tag & 0x0fff));
        match index {
            Some(n) => {
                let at = if n < 0 {
                    tags.len().checked_sub(usize::from(n.unsigned_abs()))
                } else {
                    Some(usize::from(n.unsigned_abs()))
                };
                at.and_then(|at| tags.get(at)).is_some_and(holds)
            }
            None if all => !tags.is_empty() && tags.iter().all(holds),
            None => tags.iter().any(holds),
        }
    });
    Ok(())
}

pub static SAMEIP: Keyword = Keyword {
    name: "sameip",
    kind: Kind::Packet,
    doc: "Source and destination address are the same.",
    example: "sameip;",
    accepts: &["sameip;"],
    refuses: &["sameip:1;"],
    parse: |rule, value| {
        no_value("sameip", value)?;
        rule.needs_packet = true;
        rule.packet_test(|cx| cx.packet.ip_version != 0 && cx.packet.src == cx.packet.dst);
        Ok(())
    },
    ..Keyword::EMPTY
};

pub static L3_PROTO: Keyword = Keyword {
    name: "l3_proto",
    kind: Kind::Packet,
    doc: "The IP version: ipv4 (ip4) or ipv6 (ip6).",
    example: "l3_proto:ipv6;",
    accepts: &["l3_proto:ipv6;", "l3_proto:ip4;"],
    refuses: &["l3_proto;", "l3_proto:5;"],
    parse: |rule, value| {
        let version = match some_value("l3_proto", value, "ipv6")?.to_ascii_lowercase().as_str() {
            "ipv4" | "ip4" => 4,
            "ipv6" | "ip6" => 6,
            other => {
                return Err(Refusal::error(format!("`{other}` is no IP version"), "use ipv4 or ipv6"));
            }
        };
        rule.ip_only_test(move |cx| cx.packet.ip_version == version);
        Ok(())
    },
    ..Keyword::EMPTY
};

pub static IP_PROTO: Keyword = Keyword {
    name: "ip_proto",
    kind: Kind::Packet,
    doc: "IP protocol by number or name.",
    example: "ip_proto:GRE;",
    accepts: &["ip_proto:47;", "ip_proto:!TCP;", "ip_proto:>50;"],
    refuses: &["ip_proto;", "ip_proto:nonsense;", "ip_proto:300;"],
    parse: |rule, value| {
        let value = some_value("ip_proto", value, "47")?;
        if !matches!(
            rule.rule.transport,
            Transport::Ip | Transport::Any | Transport::Ipv4 | Transport::Ipv6 | Transport::Number(_)
        ) {
            return Err(Refusal::error(
                "ip_proto is for rules on any IP packet",
                "write alert ip in the header, or remove ip_proto",
            ));
        }
        let test = number::named_test("ip_proto", value.trim_matches('"'), 255, &protocol)?;
        if let (Transport::Ip, NumberTest::Equal(wanted)) = (rule.rule.transport, &test) {
            // As good as a header for this protocol, and packets of other protocols never meet the rule.
            rule.rule.transport = Transport::Number(u8::try_from(*wanted).unwrap_or(u8::MAX));
            return Ok(());
        }
        rule.ip_only_test(move |cx| cx.packet.ip_version != 0 && test.holds(u64::from(cx.packet.proto)));
        Ok(())
    },
    ..Keyword::EMPTY
};

/// IANA protocol numbers that rules name.
fn protocol(text: &str) -> Option<u64> {
    const NAMES: &[(&str, u64)] = &[
        ("ip", 0),
        ("hopopt", 0),
        ("icmp", 1),
        ("igmp", 2),
        ("ggp", 3),
        ("ipencap", 4),
        ("ipip", 4),
        ("st", 5),
        ("tcp", 6),
        ("egp", 8),
        ("igp", 9),
        ("udp", 17),
        ("dccp", 33),
        ("ipv6", 41),
        ("ipv6-route", 43),
        ("ipv6-frag", 44),
        ("rsvp", 46),
        ("gre", 47),
        ("esp", 50),
        ("ipsec-esp", 50),
        ("ah", 51),
        ("ipsec-ah", 51),
        ("icmpv6", 58),
        ("ipv6-icmp", 58),
        ("eigrp", 88),
        ("ospf", 89),
        ("pim", 103),
        ("vrrp", 112),
        ("l2tp", 115),
        ("sctp", 132),
    ];
    number::unsigned(text).or_else(|| {
        let named = NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text.trim()));
        named.map(|(_, number)| *number)
    })
}

pub static FRAGBITS: Keyword = Keyword {
    name: "fragbits",
    kind: Kind::Packet,
    doc: "Bits of the IPv4 header: M more fragments, D do not fragment, R reserved; + others may be set too, * any of them, ! not.",
    example: "fragbits:M;",
    accepts: &["fragbits:M;", "fragbits:+D;", "fragbits:*MDR;", "fragbits:!D;"],
    refuses: &["fragbits;", "fragbits:X;", "fragbits:+;"],
    parse: fragbits,
    ..Keyword::EMPTY
};

fn fragbits(rule: &mut RuleBuilder<'_>, value: Option<&str>) -> Result<(), Refusal> {
    let value = some_value("fragbits", value, "M")?.trim_matches('"');
    let (mut wanted, mut mode) = (0u16, None);
    for letter in value.chars().filter(|c| !c.is_whitespace()) {
        match letter {
            'M' | 'm' => wanted |= 0x2000,
            'D' | 'd' => wanted |= 0x4000,
            'R' | 'r' => wanted |= 0x8000,
            '+' | '*' | '!' if mode.is_none() => mode = Some(letter),
            _ => {
                return Err(Refusal::error(
                    format!("`{letter}` is no fragment bit"),
                    "use M, D, R with +, * or ! before",
                ))
            }
        }
    }
    if wanted == 0 {
        return Err(Refusal::error("no fragment bit is named", "use M, D or R"));
    }
    rule.needs_packet = true;
    rule.packet_test(move |cx| {
        let bits = v4(cx.packet).and_then(|h| be16(h, 6)).map(|n| n & 0xe000);
        bits.is_some_and(|bits| super::tcp::flags_match(mode, bits, wanted))
    });
    Ok(())
}

pub static IPOPTS: Keyword = Keyword {
    name: "ipopts",
    kind: Kind::Packet,
    doc: "An IPv4 option is there: rr, eol, nop, ts, sec, esec, lsrr, ssrr, satid, cipso, or any.",
    example: "ipopts:lsrr;",
    accepts: &["ipopts:lsrr;", "ipopts:any;"],
    refuses: &["ipopts;", "ipopts:foo;"],
    parse: ipopts,
    ..Keyword::EMPTY
};

fn ipopts(rule: &mut RuleBuilder<'_>, value: Option<&str>) -> Result<(), Refusal> {
    let value = some_value("ipopts", value, "lsrr")?;
    let wanted: Option<u8> = match value.to_ascii_lowercase().as_str() {
        "any" => None,
        "eol" => Some(0),
        "nop" => Some(1),
        "rr" => Some(7),
        "ts" => Some(68),
        "sec" => Some(130),
        "lsrr" | "lsrre" => Some(131),
        "esec" => Some(133),
        "cipso" => Some(134),
        "satid" => Some(136),
        "ssrr" => Some(137),
        _ => {
            return Err(Refusal::error(
                format!("`{value}` is no IP option"),
                "use rr, eol, nop, ts, sec, esec, lsrr, ssrr, satid, cipso or any",
            ));
        }
    };
    rule.needs_packet = true;
    rule.packet_test(move |cx| {
        let options = v4(cx.packet).and_then(|h| h.get(20..)).unwrap_or(&[]);
        has_option(options, wanted)
    });
    Ok(())
}

/// Walks the options (RFC 791, 3.1): each step goes at least one byte on.
fn has_option(mut options: &[u8], wanted: Option<u8>) -> bool {
    while let Some((kind, rest)) = options.split_first() {
        if wanted.is_none_or(|w| w == *kind) {
            return true;
        }
        options = match kind {
            0 => return false,
            1 => rest,
            _ => {
                let len = rest.first().map_or(0, |l| usize::from(*l));
                if len < 2 {
                    return false;
                }
                options.get(len..).unwrap_or(&[])
            }
        };
    }
    false
}
