//! The keyword of EtherNet/IP that is no plain number: cip_service (Suricata manual, "ENIP/CIP Keywords").

use super::{number, tx_number, Keyword, Kind};
use crate::detect::builder::some_value;
use crate::detect::diagnostic::Refusal;

pub static CIP_SERVICE: Keyword = Keyword {
    name: "cip_service",
    aliases: &[],
    kind: Kind::App,
    doc: "Service of a CIP message, optionally with the class and the attribute it is asked of.",
    example: "cip_service:16,246,6;",
    accepts: &["cip_service:75;", "cip_service:16, 246;", "cip_service:16,246,6;"],
    refuses: &["cip_service;", "cip_service:a;", "cip_service:300;", "cip_service:1,2,3,4;"],
    parse: |rule, value| {
        let value = some_value("cip_service", value, "16,246,6")?;
        let refusal = || {
            Refusal::error(
                format!("`{value}` is no service, class and attribute"),
                "write cip_service:SERVICE; cip_service:SERVICE,CLASS; or cip_service:SERVICE,CLASS,ATTRIBUTE;",
            )
        };
        let (mut wanted, mut mask) = (0u64, 0u64);
        for (at, part) in value.split(',').enumerate() {
            let (shift, max) =
                [(32u32, 0xffu64), (16, 0xffff), (0, 0xffff)].get(at).copied().ok_or_else(refusal)?;
            let number = number::unsigned(part).filter(|n| *n <= max).ok_or_else(refusal)?;
            wanted |= number << shift;
            mask |= max << shift;
        }
        tx_number::add(rule, "cip_service", "cip_service", "enip", None, move |n, _| n & mask == wanted)
    },
};
