//! ipv4-csum, tcpv4-csum ...: whether a packet's checksum is right.

use super::{Keyword, Kind};
use crate::decode::checksum::{igmp_is_right, ipv4_is_right, transport_is_right};
use crate::decode::packet::{Packet, L4};
use crate::detect::builder::some_value;
use crate::detect::diagnostic::Refusal;

macro_rules! checksum {
    ($id:ident, $name:literal, $doc:literal, $about:expr, $right:expr) => {
        pub static $id: Keyword = Keyword {
            name: $name,
            kind: Kind::Packet,
            doc: $doc,
            example: concat!($name, ":invalid;"),
            accepts: &[
                concat!($name, ":invalid;"),
                concat!($name, ":valid;"),
                concat!($name, ":\"invalid\";"),
            ],
            refuses: &[concat!($name, ";"), concat!($name, ":wrong;")],
            parse: |rule, value| {
                let value = some_value($name, value, "invalid")?.trim_matches('"').trim();
                let wanted = match value {
                    _ if value.eq_ignore_ascii_case("valid") => true,
                    _ if value.eq_ignore_ascii_case("invalid") => false,
                    _ => {
                        return Err(Refusal::error(
                            format!("`{value}` is neither valid nor invalid"),
                            concat!("write ", $name, ":invalid;"),
                        ));
                    }
                };
                rule.needs_packet = true;
                let about: fn(&Packet<'_>) -> bool = $about;
                let right: fn(&Packet<'_>) -> bool = $right;
                // With checksums not looked at (`-k none`, or given up on), every packet counts as right.
                rule.packet_test(move |cx| {
                    let packet = cx.packet;
                    !packet.frame.is_empty()
                        && about(packet)
                        && (!packet.checksums_checked || right(packet)) == wanted
                });
                Ok(())
            },
            ..Keyword::EMPTY
        };
    };
}

fn tcp(p: &Packet<'_>, version: u8) -> bool {
    p.ip_version == version && matches!(p.l4, L4::Tcp(_))
}
fn udp(p: &Packet<'_>, version: u8) -> bool {
    p.ip_version == version && matches!(p.l4, L4::Udp)
}

checksum!(
    IPV4,
    "ipv4-csum",
    "The IPv4 header's checksum is valid, or invalid.",
    |p| p.ip_version == 4,
    ipv4_is_right
);
checksum!(
    TCPV4,
    "tcpv4-csum",
    "The checksum of TCP over IPv4 is valid, or invalid.",
    |p| tcp(p, 4),
    transport_is_right
);
checksum!(
    TCPV6,
    "tcpv6-csum",
    "The checksum of TCP over IPv6 is valid, or invalid.",
    |p| tcp(p, 6),
    transport_is_right
);
checksum!(
    UDPV4,
    "udpv4-csum",
    "The checksum of UDP over IPv4 is valid, or invalid.",
    |p| udp(p, 4),
    transport_is_right
);
checksum!(
    UDPV6,
    "udpv6-csum",
    "The checksum of UDP over IPv6 is valid, or invalid.",
    |p| udp(p, 6),
    transport_is_right
);
checksum!(
    ICMPV4,
    "icmpv4-csum",
    "The checksum of ICMPv4 is valid, or invalid.",
    |p| matches!(p.l4, L4::Icmp { v6: false, .. }),
    transport_is_right
);
checksum!(
    ICMPV6,
    "icmpv6-csum",
    "The checksum of ICMPv6 is valid, or invalid.",
    |p| matches!(p.l4, L4::Icmp { v6: true, .. }),
    transport_is_right
);
checksum!(
    IGMP,
    "igmp-csum",
    "The checksum of IGMP is valid, or invalid.",
    |p| p.ip_version == 4 && p.proto == 2 && !p.l4_bytes().is_empty(),
    igmp_is_right
);
