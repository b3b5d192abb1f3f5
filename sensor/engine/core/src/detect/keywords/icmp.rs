//! Keywords about ICMP (RFC 792) and ICMPv6 (RFC 4443).

use super::ip::packet_number;
use super::{Keyword, Kind};
use crate::decode::packet::L4;

packet_number!(ITYPE, "itype", &[], 255, "ICMP type.", |p| match p.l4 {
    L4::Icmp { kind, .. } => Some(u64::from(kind)),
    _ => None,
});
packet_number!(ICODE, "icode", &[], 255, "ICMP code.", |p| match p.l4 {
    L4::Icmp { code, .. } => Some(u64::from(code)),
    _ => None,
});
packet_number!(ICMP_ID, "icmp_id", &[], 65_535, "ICMP identifier, where the type has one.", |p| match p.l4 {
    L4::Icmp { id, .. } => id.map(u64::from),
    _ => None,
});
packet_number!(
    ICMP_SEQ,
    "icmp_seq",
    &[],
    65_535,
    "ICMP sequence number, where the type has one.",
    |p| match p.l4 {
        L4::Icmp { seq, .. } => seq.map(u64::from),
        _ => None,
    }
);
packet_number!(ICMPV6_MTU, "icmpv6.mtu", &[], 0xffff_ffff, "MTU of an ICMPv6 packet-too-big message.", |p| {
    match p.l4 {
        L4::Icmp { v6: true, kind: 2, .. } => {
            let bytes = p.l4_bytes().get(4..)?.first_chunk::<4>()?;
            Some(u64::from(u32::from_be_bytes(*bytes)))
        }
        _ => None,
    }
});
