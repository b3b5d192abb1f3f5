//! Addresses and ports as commands and replies write them.

use crate::decode::Addr;

/// `h1,h2,h3,h4,p1,p2` (RFC 959, PORT).
pub fn host_port(text: &[u8]) -> Option<(Addr, u16)> {
    let mut numbers = [0u8; 6];
    let mut parts = text.trim_ascii().split(|b| *b == b',');
    for number in &mut numbers {
        *number = std::str::from_utf8(parts.next()?.trim_ascii()).ok()?.parse().ok()?;
    }
    let [a, b, c, d, high, low] = numbers;
    parts.next().is_none().then_some((Addr::v4([a, b, c, d]), u16::from_be_bytes([high, low])))
}

/// `|1|132.235.1.2|6275|` or `|2|1080::8:800:200C:417A|5282|`, with any delimiter (RFC 2428, EPRT).
pub fn extended(text: &[u8]) -> Option<(Addr, u16)> {
    let text = text.trim_ascii();
    let mut parts = text.get(1..)?.split(|b| Some(b) == text.first());
    let family = parts.next()?;
    let address = std::str::from_utf8(parts.next()?).ok()?;
    let port = std::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
    let address = match family {
        b"1" => Addr::v4(address.parse::<std::net::Ipv4Addr>().ok()?.octets()),
        b"2" => Addr::v6(address.parse::<std::net::Ipv6Addr>().ok()?.octets()),
        _ => return None,
    };
    Some((address, port))
}

/// The port in a reply to PASV: six numbers, in parentheses or not (RFC 1123, 4.1.2.6, says to look for the digits).
pub fn passive_port(reply: &[u8]) -> Option<u16> {
    let commas = reply.iter().position(|b| *b == b',')?;
    let start =
        reply.get(..commas)?.iter().rposition(|b| !b.is_ascii_digit()).map_or(0, |at| at.saturating_add(1));
    let rest = reply.get(start..)?;
    let end = rest.iter().position(|b| !b.is_ascii_digit() && *b != b',').unwrap_or(rest.len());
    host_port(rest.get(..end)?).map(|(_, port)| port)
}

/// The port in a reply to EPSV: `(|||6446|)` (RFC 2428).
pub fn extended_passive_port(reply: &[u8]) -> Option<u16> {
    let open = reply.iter().position(|b| *b == b'(')?;
    let inner = reply.get(open.saturating_add(1)..)?;
    let delimiter = inner.first()?;
    let digits = inner.split(|b| b == delimiter).nth(3)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}
