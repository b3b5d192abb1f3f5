//! The head of a rule: action, protocol, addresses, ports, arrow. Reads text (variables already replaced), builds sets.

use super::effects::Action;
use super::endpoints::{AddrSet, Arrow, PortSet};
use super::rule::Transport;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// Deepest nesting of lists: far beyond what people write, short of exhausting the stack.
const DEPTH_MAX: usize = 32;
const V4_FIRST: u128 = 0xffff_0000_0000;
const V4_LAST: u128 = 0xffff_ffff_ffff;

pub fn action(text: &str) -> Option<Action> {
    Some(match text {
        "alert" | "config" => Action::Alert,
        "pass" => Action::Pass,
        "drop" => Action::Drop,
        "reject" | "rejectsrc" | "rejectdst" | "rejectboth" => Action::Reject,
        _ => return None,
    })
}

pub fn arrow(text: &str) -> Option<Arrow> {
    Some(match text {
        "->" => Arrow::Right,
        "<>" => Arrow::Both,
        "=>" => Arrow::Transaction,
        _ => return None,
    })
}

/// Header protocols below the application layer.
pub fn transport(text: &str) -> Option<Transport> {
    Some(match text {
        "ip" => Transport::Ip,
        "pkthdr" => Transport::Any,
        "tcp" => Transport::Tcp,
        "tcp-pkt" => Transport::TcpPacket,
        "tcp-stream" => Transport::TcpStream,
        "udp" => Transport::Udp,
        "icmpv4" | "icmp4" => Transport::Icmp4,
        "icmpv6" | "icmp6" => Transport::Icmp6,
        "icmp" => Transport::Icmp,
        "ipv4" | "ip4" => Transport::Ipv4,
        "ipv6" | "ip6" => Transport::Ipv6,
        "sctp" => Transport::Sctp,
        "esp" => Transport::Number(50),
        "gre" => Transport::Number(47),
        "arp" => Transport::Arp,
        "ether" => Transport::Ether,
        "igmp" => Transport::Number(2),
        _ => return None,
    })
}

/// Addresses: `any`, `10.0.0.0/8`, `10.0.0.1-10.0.0.9`, `::/0`, `!x`, `[a, !b, [c]]`. Error: the reason, for a person.
pub fn addresses(text: &str) -> Result<AddrSet, String> {
    let set = parse(text, &address_ranges, 0)?.finish(u128::MAX, "address")?;
    Ok(AddrSet(set.map(Arc::from)))
}

/// Ports: `any`, `80`, `1024:`, `:1023`, `80:90`, `!80`, `[a, !b, [c]]`.
pub fn ports(text: &str) -> Result<PortSet, String> {
    let set = parse(text, &port_ranges, 0)?.finish(u128::from(u16::MAX), "port")?;
    Ok(PortSet(set.map(|ranges| ranges.into_iter().map(|(low, high)| (low as u16, high as u16)).collect())))
}

type Ranges = Vec<(u128, u128)>;

/// What a list names and what it takes away again.
#[derive(Default)]
struct Parts {
    any: bool,
    wanted: Ranges,
    unwanted: Ranges,
}

impl Parts {
    fn finish(self, last: u128, what: &str) -> Result<Option<Ranges>, String> {
        if self.unwanted.is_empty() && (self.any || self.wanted.is_empty()) {
            return Ok(None);
        }
        let wanted = if self.any || self.wanted.is_empty() { vec![(0, last)] } else { merge(self.wanted) };
        let set = subtract(wanted, merge(self.unwanted));
        if set.is_empty() {
            return Err(format!("the {what} list takes away everything it names"));
        }
        Ok(Some(set))
    }
}

/// A single item or a bracketed list; `!` turns a whole list round.
fn parse(text: &str, item: &dyn Fn(&str) -> Result<Ranges, String>, depth: usize) -> Result<Parts, String> {
    if depth > DEPTH_MAX {
        return Err(format!("lists nest deeper than {DEPTH_MAX}"));
    }
    let text = text.trim();
    let mut parts = Parts::default();
    if let Some(inner) = text.strip_prefix('!') {
        let inner = parse(inner, item, depth.saturating_add(1))?;
        if inner.any {
            return Err("!any matches nothing".to_owned());
        }
        let all = merge(inner.wanted);
        if all.is_empty() && !inner.unwanted.is_empty() {
            parts.wanted = inner.unwanted;
        } else {
            parts.unwanted = subtract(all, merge(inner.unwanted));
        }
        return Ok(parts);
    }
    let Some(list) = text.strip_prefix('[') else {
        match text {
            "" => return Err("an item is empty".to_owned()),
            "any" => parts.any = true,
            _ => parts.wanted = item(text)?,
        }
        return Ok(parts);
    };
    let list = list.strip_suffix(']').ok_or_else(|| format!("`{text}` has no closing ]"))?;
    for piece in split(list)? {
        let inner = parse(piece, item, depth.saturating_add(1))?;
        parts.any |= inner.any;
        if piece.trim_start().starts_with('[') && !inner.unwanted.is_empty() {
            // [a, [b, !c]]: c is taken from b only.
            let base = if inner.wanted.is_empty() { vec![(0, u128::MAX)] } else { merge(inner.wanted) };
            parts.wanted.extend(subtract(base, merge(inner.unwanted)));
        } else {
            parts.wanted.extend(inner.wanted);
            parts.unwanted.extend(inner.unwanted);
        }
    }
    Ok(parts)
}

/// Splits at commas outside of brackets.
fn split(list: &str) -> Result<Vec<&str>, String> {
    let mut pieces = Vec::new();
    let (mut depth, mut start) = (0usize, 0usize);
    for (at, c) in list.char_indices() {
        match c {
            '[' => depth = depth.saturating_add(1),
            ']' => {
                depth = depth.checked_sub(1).ok_or_else(|| format!("`[{list}]` has a ] too many"))?;
            }
            ',' if depth == 0 => {
                pieces.push(list.get(start..at).unwrap_or(""));
                start = at.saturating_add(1);
            }
            _ => {}
        }
    }
    if depth > 0 {
        return Err(format!("`[{list}]` has a [ too many"));
    }
    pieces.push(list.get(start..).unwrap_or(""));
    Ok(pieces)
}

/// Sorted and disjoint.
fn merge(mut ranges: Ranges) -> Ranges {
    ranges.sort_unstable();
    let mut merged: Ranges = Vec::with_capacity(ranges.len());
    for (low, high) in ranges {
        match merged.last_mut() {
            Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
            _ => merged.push((low, high)),
        }
    }
    merged
}

/// `from` without `away`; both sorted and disjoint.
fn subtract(from: Ranges, away: Ranges) -> Ranges {
    let mut left = Vec::new();
    for (mut low, high) in from {
        let mut gone = false;
        let first = away.partition_point(|a| a.1 < low);
        for &(cut_low, cut_high) in away.iter().skip(first) {
            if cut_low > high {
                break;
            }
            if cut_low > low {
                left.push((low, cut_low.saturating_sub(1)));
            }
            match cut_high.checked_add(1).filter(|next| *next <= high) {
                Some(next) => low = next,
                None => {
                    gone = true;
                    break;
                }
            }
        }
        if !gone {
            left.push((low, high));
        }
    }
    left
}

fn address_ranges(text: &str) -> Result<Ranges, String> {
    let wrong = || format!("`{text}` is not an address");
    if let Some((net, mask)) = text.split_once('/') {
        let (base, v4) = address(net.trim()).ok_or_else(wrong)?;
        let bits: u32 = if v4 { 32 } else { 128 };
        let prefix = match mask.trim().parse::<u32>() {
            Ok(prefix) => prefix,
            Err(_) => {
                let mask: Ipv4Addr = mask.trim().parse().map_err(|_| wrong())?;
                let mask = u32::from(mask);
                if !v4 || mask.leading_ones().saturating_add(mask.trailing_zeros()) < 32 {
                    return Err(format!("`{text}` has a mask with holes"));
                }
                mask.leading_ones()
            }
        };
        if prefix > bits {
            return Err(format!("`{text}`: the prefix is longer than {bits}"));
        }
        let host = bits.saturating_sub(prefix);
        let mask = 1u128.checked_shl(host).unwrap_or(0).wrapping_sub(1);
        return Ok(without_mapped(base & !mask, base | mask, v4));
    }
    if let Some((low, high)) = text.split_once('-') {
        let (low, v4) = address(low.trim()).ok_or_else(wrong)?;
        let (high, v4_too) = address(high.trim()).ok_or_else(wrong)?;
        if v4 != v4_too || low > high {
            return Err(format!("`{text}` is not a range from low to high"));
        }
        return Ok(without_mapped(low, high, v4));
    }
    let (one, _) = address(text).ok_or_else(wrong)?;
    Ok(vec![(one, one)])
}

/// IPv4 is held as its mapped form: an IPv6 range that spans it does not mean it.
fn without_mapped(low: u128, high: u128, v4: bool) -> Ranges {
    if v4 || low >= V4_FIRST || high <= V4_LAST {
        return vec![(low, high)];
    }
    subtract(vec![(low, high)], vec![(V4_FIRST, V4_LAST)])
}

fn address(text: &str) -> Option<(u128, bool)> {
    if let Ok(v4) = text.parse::<Ipv4Addr>() {
        return Some((V4_FIRST | u128::from(u32::from(v4)), true));
    }
    text.parse::<Ipv6Addr>().ok().map(|v6| (u128::from(v6), false))
}

fn port_ranges(text: &str) -> Result<Ranges, String> {
    let number = |part: &str, empty: u16| -> Result<u128, String> {
        let part = part.trim();
        if part.is_empty() {
            return Ok(u128::from(empty));
        }
        part.parse::<u16>()
            .map(u128::from)
            .map_err(|_| format!("`{text}` is not a port (0 to 65535) or a range like 1024:2048"))
    };
    match text.split_once(':') {
        Some((low, high)) => {
            let (low, high) = (number(low, 0)?, number(high, u16::MAX)?);
            if low > high {
                return Err(format!("`{text}` is not a range from low to high"));
            }
            Ok(vec![(low, high)])
        }
        None => number(text, 0).map(|n| vec![(n, n)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Addr;

    fn has(set: &str, addr: &str) -> bool {
        let addr = address(addr).unwrap().0;
        addresses(set).unwrap().contains(Addr(addr))
    }

    #[test]
    fn reads_every_form_of_address() {
        assert_eq!(addresses("any").unwrap(), AddrSet(None));
        assert!(has("10.0.0.0/8", "10.9.9.9") && !has("10.0.0.0/8", "11.0.0.0"));
        assert!(has("10.0.0.0/255.0.0.0", "10.255.255.255"));
        assert!(has("10.0.0.5-10.0.0.7", "10.0.0.7"));
        assert!(!has("!10.0.0.1", "10.0.0.1") && has("!10.0.0.1", "::1"));
        assert!(!has("[10.0.0.0/8,!10.1.0.0/16]", "10.1.2.3"));
        assert!(has("[10.0.0.0/8,![10.1.0.0/16,!10.1.1.0/24]]", "10.1.1.3"));
        assert!(!has("![10.0.0.0/8,192.168.0.0/16]", "192.168.1.1"));
        assert!(has("![10.0.0.0/8,192.168.0.0/16]", "8.8.8.8"));
        assert!(has("::/0", "2001:db8::1") && !has("::/0", "1.2.3.4"));
        assert!(has("0.0.0.0/0", "1.2.3.4") && !has("0.0.0.0/0", "2001:db8::1"));
    }

    #[test]
    fn refuses_what_is_no_address() {
        for wrong in ["!any", "10.0.0", "[10.0.0.1", "10.0.0.0/33", "[1.2.3.4,!1.2.3.4]", "", "[1.1.1.1,]"] {
            assert!(addresses(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn reads_every_form_of_port() {
        let has = |set: &str, port| ports(set).unwrap().contains(port);
        assert!(has("1024:", 65535) && !has("1024:", 1023) && has(":1023", 0));
        assert!(has("!80", 81) && !has("!80", 80));
        assert!(has("[1:100,!50]", 49) && !has("[1:100,!50]", 50));
        assert!(has("[80,443,8000:8100]", 8050));
        assert!(!has("![80,443]", 443) && has("![80,443]", 22));
        assert!(ports("65536").is_err() && ports("90:80").is_err() && ports("!any").is_err());
    }
}
