//! geoip: the countries of the packet's addresses (Suricata manual, "IP Keywords", geoip).

use super::side::Side;
use super::{Keyword, Kind};
use crate::detect::builder::{some_value, RuleBuilder};
use crate::detect::diagnostic::{Refusal, Severity};

pub static GEOIP: Keyword = Keyword {
    name: "geoip",
    kind: Kind::Packet,
    doc: "Country of an address, by ISO 3166 codes: [src|dst|both|any,]CC[,CC ...]; with ! before a code, a country that is \
          none of them. Without a side it is any. An address of no known country never matches. Needs `geoip-database` in the \
          configuration, a MaxMind DB file of your own; without it the rule is skipped.",
    example: "geoip:src,KP,RU;",
    refuses: &["geoip;", "geoip:src;", "geoip:src,;", "geoip:here,CN;", "geoip:src,CHN;", "geoip:!src,CN;", "geoip:src,C1;"],
    parse,
    ..Keyword::EMPTY
};

/// Codes are two letters (ISO 3166-1 alpha-2).
fn code(text: &str) -> Option<[u8; 2]> {
    let letters: [u8; 2] = text.as_bytes().try_into().ok()?;
    letters.iter().all(u8::is_ascii_alphabetic).then(|| letters.map(|b| b.to_ascii_uppercase()))
}

fn parse(rule: &mut RuleBuilder<'_>, value: Option<&str>) -> Result<(), Refusal> {
    let value = some_value("geoip", value, "src,CC")?;
    let wrong = |part: &str| {
        Refusal::error(
            format!("`{part}` is no country"),
            "write geoip:src|dst|both|any,CC,CC; or geoip:src,!CC,CC; with codes of two letters",
        )
    };
    let mut parts: Vec<&str> = value.split(',').map(str::trim).collect();
    let side = match parts.first() {
        Some(&"dest") => Some(Side::Dst),
        Some(first) => Side::read(first),
        None => None,
    };
    if side.is_some() {
        parts.remove(0);
    }
    let side = side.unwrap_or(Side::Any);
    if parts.is_empty() {
        return Err(wrong(value));
    }
    // One ! turns the whole list round, wherever it stands: so does Suricata.
    let (mut negated, mut listed) = (false, Vec::new());
    for part in parts {
        let bare = part.strip_prefix('!');
        negated |= bare.is_some();
        listed.push(code(bare.unwrap_or(part).trim()).ok_or_else(|| wrong(part))?);
    }
    let countries = match rule.shared.outside().geoip.countries() {
        Some(Ok(countries)) => countries,
        Some(Err(reason)) => {
            return Err(Refusal::error(
                format!("geoip-database cannot be read: {reason}"),
                "set geoip-database to a MaxMind DB file, e.g. GeoLite2-Country.mmdb",
            ));
        }
        None => {
            return Err(Refusal {
                severity: Severity::Skip,
                reason: "`geoip` needs `geoip-database` in the configuration".to_owned(),
                fix: "set geoip-database to a MaxMind DB file, e.g. GeoLite2-Country.mmdb".to_owned(),
            });
        }
    };
    rule.packet_test(move |cx| {
        let packet = cx.packet;
        let holds = |addr| {
            let country = countries.of(addr, packet.ip_version);
            country.is_some_and(|country| listed.iter().any(|c| c == country.as_bytes()) != negated)
        };
        packet.ip_version != 0 && side.holds(packet, holds)
    });
    Ok(())
}
