//! IPv4 options (RFC 791, 3.1; registry "IP Option Numbers"): which are there, and what is wrong with them.

use super::events;
use super::layer::State;
use super::packet::Packet;

/// The options of one header, as a set; what the `ipopts` keyword asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IpOptions(u16);

impl IpOptions {
    pub const RECORD_ROUTE: IpOptions = IpOptions(1);
    pub const EOL: IpOptions = IpOptions(1 << 1);
    pub const NOP: IpOptions = IpOptions(1 << 2);
    pub const TIMESTAMP: IpOptions = IpOptions(1 << 3);
    pub const SECURITY: IpOptions = IpOptions(1 << 4);
    pub const EXTENDED_SECURITY: IpOptions = IpOptions(1 << 5);
    pub const LOOSE_SOURCE_ROUTE: IpOptions = IpOptions(1 << 6);
    pub const STRICT_SOURCE_ROUTE: IpOptions = IpOptions(1 << 7);
    pub const STREAM_ID: IpOptions = IpOptions(1 << 8);
    pub const QUICK_START: IpOptions = IpOptions(1 << 9);
    pub const CIPSO: IpOptions = IpOptions(1 << 10);
    pub const ROUTER_ALERT: IpOptions = IpOptions(1 << 11);

    /// The set a keyword argument names (`rr`, `eol`, `nop`, `ts`, `sec`, `esec`, `lsrr`, `ssrr`, `satid`, `any`).
    pub fn named(name: &str) -> Option<IpOptions> {
        Some(match name {
            "rr" => Self::RECORD_ROUTE,
            "eol" => Self::EOL,
            "nop" => Self::NOP,
            "ts" => Self::TIMESTAMP,
            "sec" => Self::SECURITY,
            "esec" => Self::EXTENDED_SECURITY,
            "lsrr" => Self::LOOSE_SOURCE_ROUTE,
            "ssrr" => Self::STRICT_SOURCE_ROUTE,
            "satid" => Self::STREAM_ID,
            "any" => IpOptions(u16::MAX),
            _ => return None,
        })
    }
    /// Whether any option of `wanted` is in the set.
    #[inline]
    pub fn intersects(self, wanted: IpOptions) -> bool {
        self.0 & wanted.0 != 0
    }
    fn contains(self, other: IpOptions) -> bool {
        self.intersects(other)
    }
    fn insert(&mut self, other: IpOptions) {
        self.0 |= other.0;
    }
}

/// Option numbers with the copied flag, as on the wire.
fn of_number(number: u8) -> Option<IpOptions> {
    Some(match number {
        0 => IpOptions::EOL,
        1 => IpOptions::NOP,
        7 => IpOptions::RECORD_ROUTE,
        25 => IpOptions::QUICK_START,
        68 => IpOptions::TIMESTAMP,
        130 => IpOptions::SECURITY,
        131 => IpOptions::LOOSE_SOURCE_ROUTE,
        133 => IpOptions::EXTENDED_SECURITY,
        134 => IpOptions::CIPSO,
        136 => IpOptions::STREAM_ID,
        137 => IpOptions::STRICT_SOURCE_ROUTE,
        148 => IpOptions::ROUTER_ALERT,
        _ => return None,
    })
}

/// Walks the options, telling `oddity` what is wrong; answers the set of those that are right.
fn walk(mut rest: &[u8], mut oddity: impl FnMut(u16)) -> IpOptions {
    let mut seen = IpOptions::default();
    if rest.len() % 8 != 0 {
        oddity(events::IPV4_OPT_PAD_REQUIRED);
    }
    while let Some((&number, tail)) = rest.split_first() {
        match number {
            0 => {
                seen.insert(IpOptions::EOL);
                break;
            }
            1 => {
                seen.insert(IpOptions::NOP);
                rest = tail;
                continue;
            }
            _ => {}
        }
        let Some(&length) = tail.first() else {
            oddity(events::IPV4_OPT_EOL_REQUIRED);
            break;
        };
        let option = match rest.get(..usize::from(length)) {
            Some(option) if length >= 2 => option,
            _ => {
                oddity(events::IPV4_OPT_INVALID_LEN);
                break;
            }
        };
        rest = rest.get(usize::from(length)..).unwrap_or(&[]);
        let Some(kind) = of_number(number) else {
            oddity(events::IPV4_OPT_INVALID);
            continue;
        };
        if seen.contains(kind) {
            oddity(events::IPV4_OPT_DUPLICATE);
            continue;
        }
        match fault(kind, option) {
            Some(event) => oddity(event),
            None => seen.insert(kind),
        }
    }
    seen
}

/// What is wrong with one option, length field included in `option`.
fn fault(kind: IpOptions, option: &[u8]) -> Option<u16> {
    let len = option.len();
    let good_len = match kind {
        IpOptions::QUICK_START => len >= 8,
        IpOptions::STREAM_ID | IpOptions::ROUTER_ALERT => len == 4,
        IpOptions::TIMESTAMP => len >= 5,
        IpOptions::CIPSO => len >= 10,
        _ => len >= 3,
    };
    if !good_len {
        return Some(events::IPV4_OPT_INVALID_LEN);
    }
    // Routes and timestamps carry a pointer to the next free entry: 1-based, to a whole entry, at most just past the end.
    let pointer = usize::from(option.get(2).copied().unwrap_or(0));
    let (first, entry) = match kind {
        IpOptions::RECORD_ROUTE | IpOptions::LOOSE_SOURCE_ROUTE | IpOptions::STRICT_SOURCE_ROUTE => (4, 4),
        IpOptions::TIMESTAMP => {
            let with_address = option.get(3).is_some_and(|flags| matches!(flags & 0x0f, 1 | 3));
            (5, if with_address { 8 } else { 4 })
        }
        IpOptions::CIPSO => return cipso_is_malformed(option).then_some(events::IPV4_OPT_MALFORMED),
        _ => return None,
    };
    let aligned = pointer.checked_sub(first).and_then(|past| past.checked_rem(entry)) == Some(0);
    (!aligned || pointer > len.saturating_add(1)).then_some(events::IPV4_OPT_MALFORMED)
}

/// Domain of interpretation, then tags (FIPS 188).
fn cipso_is_malformed(option: &[u8]) -> bool {
    const TAG_LEN_MIN: usize = 4;
    const TAG_LEN_MAX: usize = 34;
    let Some((domain, mut tags)) = option.get(2..).and_then(<[u8]>::split_first_chunk::<4>) else {
        return true;
    };
    if *domain == [0; 4] {
        return true;
    }
    while let Some(&[kind, len]) = tags.first_chunk::<2>() {
        let len = usize::from(len);
        let known = matches!(kind, 1 | 2 | 5 | 6 | 7);
        if !known || !(TAG_LEN_MIN..=TAG_LEN_MAX).contains(&len) || len > tags.len() {
            return true;
        }
        tags = tags.get(len..).unwrap_or(&[]);
    }
    !tags.is_empty()
}

/// Sets the events of the options at `frame[at..end]`.
pub(super) fn check(state: &mut State, packet: &mut Packet<'_>, at: usize, end: usize) {
    let bytes = packet.frame.get(at..end).unwrap_or(&[]);
    walk(bytes, |event| state.event(packet, event));
}

/// The set of options in `bytes`, the options part of an IPv4 header.
pub(super) fn set_of(bytes: &[u8]) -> IpOptions {
    walk(bytes, |_| {})
}
