//! The Internet checksum (RFC 1071) and the policy of when to verify it. Sums are taken in the machine's byte order,
//! which changes nothing (RFC 1071, 2 (B)), 32 bits at a time into 64-bit accumulators the compiler makes vectors of.

use super::packet::{Packet, L4};

/// When checksums are verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChecksumMode {
    /// Never: every packet counts as right.
    None,
    /// Always.
    All,
    /// Until the capture shows that it was taken before the network card filled checksums in (Suricata manual,
    /// `checksum-checks: auto`): more than one wrong in ten among the first thousand packets.
    #[default]
    Auto,
}

const SAMPLE_PACKETS: u32 = 1_000;
const WRONG_RATIO: u32 = 10;

pub(super) struct Policy {
    checking: bool,
    /// Packets of the sample still to come; 0 = decided.
    undecided: u32,
    wrong: u32,
}

impl Policy {
    pub fn new(mode: ChecksumMode) -> Self {
        Policy {
            checking: mode != ChecksumMode::None,
            undecided: if mode == ChecksumMode::Auto { SAMPLE_PACKETS } else { 0 },
            wrong: 0,
        }
    }

    #[inline]
    pub fn checking(&self) -> bool {
        self.checking
    }

    /// The sample is not complete: every frame counts.
    #[inline]
    pub fn is_undecided(&self) -> bool {
        self.undecided > 0
    }

    /// One more frame was read.
    #[inline]
    pub fn frame(&mut self) {
        if self.undecided == 0 {
            return;
        }
        self.undecided = self.undecided.saturating_sub(1);
        if self.undecided == 0 && self.wrong.saturating_mul(WRONG_RATIO) > SAMPLE_PACKETS {
            self.checking = false;
        }
    }

    pub fn wrong(&mut self) {
        self.wrong = self.wrong.saturating_add(1);
    }
}

/// Adds `bytes` to a running one's-complement sum; only the last piece may be of odd length.
#[inline]
fn add(sum: u64, bytes: &[u8]) -> u64 {
    let mut words = bytes.chunks_exact(4);
    let mut total = sum;
    for word in words.by_ref() {
        if let &[a, b, c, d] = word {
            // 2^32 words of 2^32 fit: a packet cannot overflow 64 bits.
            total = total.wrapping_add(u64::from(u32::from_ne_bytes([a, b, c, d])));
        }
    }
    let tail = match *words.remainder() {
        [a] => [a, 0, 0, 0],
        [a, b] => [a, b, 0, 0],
        [a, b, c] => [a, b, c, 0],
        _ => [0; 4],
    };
    total.wrapping_add(u64::from(u32::from_ne_bytes(tail)))
}

#[inline]
#[allow(clippy::arithmetic_side_effects)] // both halves are at most 2^32 - 1: their sum fits
fn fold(sum: u64) -> u16 {
    let mut sum = (sum >> 32) + (sum & 0xffff_ffff);
    sum = (sum >> 32) + (sum & 0xffff_ffff);
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    ((sum >> 16) + (sum & 0xffff)) as u16
}

/// The checksum of `bytes` (whose checksum field is 0), as a big-endian field's value.
pub(super) fn of(bytes: &[u8]) -> u16 {
    u16::from_be(!fold(add(0, bytes)))
}

/// Whether data that holds its own checksum adds up.
#[inline]
fn adds_up(sum: u64) -> bool {
    fold(sum) == 0xffff
}

/// Whether the IPv4 header's checksum is right; true for other packets.
pub fn ipv4_is_right(packet: &Packet<'_>) -> bool {
    if packet.ip_version != 4 {
        return true;
    }
    let header = packet.ip_bytes().get(..usize::from(packet.ip_header_len)).unwrap_or(&[]);
    adds_up(add(0, header))
}

/// Whether the TCP, UDP or ICMP checksum is right; true for other packets and for UDP over IPv4 without one.
pub fn transport_is_right(packet: &Packet<'_>) -> bool {
    let segment = packet.l4_bytes();
    let number: u8 = match packet.l4 {
        L4::Tcp(_) => 6,
        L4::Udp => {
            if packet.ip_version == 4 && segment.get(6..8) == Some(&[0, 0]) {
                return true;
            }
            17
        }
        L4::Icmp { v6: true, .. } => 58,
        L4::Icmp { v6: false, .. } => return adds_up(add(0, segment)),
        _ => return true,
    };
    let ip = packet.ip_bytes();
    let addresses = match packet.ip_version {
        4 => ip.get(12..20),
        _ => ip.get(8..40),
    };
    let len = (segment.len() as u32).to_be_bytes();
    let pseudo = [len[0], len[1], len[2], len[3], 0, 0, 0, number];
    adds_up(add(add(add(0, addresses.unwrap_or(&[])), &pseudo), segment))
}

/// Over the whole message, without addresses (RFC 2236, section 2.3).
pub fn igmp_is_right(packet: &Packet<'_>) -> bool {
    adds_up(add(0, packet.l4_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 1071, 4.1, as it reads.
    fn naive(bytes: &[u8]) -> u16 {
        let mut sum = 0u32;
        for pair in bytes.chunks(2) {
            let word = [pair[0], pair.get(1).copied().unwrap_or(0)];
            sum += u32::from(u16::from_be_bytes(word));
            sum = (sum & 0xffff) + (sum >> 16);
        }
        sum as u16
    }

    proptest! {
        #[test]
        fn sums_like_the_rfc(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
            prop_assert_eq!(u16::from_be(fold(add(0, &bytes))), naive(&bytes));
        }
    }

    #[test]
    fn auto_gives_up_on_offloaded_captures() {
        for (every, expected) in [(5, false), (20, true)] {
            let mut policy = Policy::new(ChecksumMode::Auto);
            for number in 0..SAMPLE_PACKETS {
                assert!(policy.checking());
                policy.frame();
                if number % every == 0 {
                    policy.wrong();
                }
            }
            policy.frame();
            assert_eq!(policy.checking(), expected);
        }
    }
}
