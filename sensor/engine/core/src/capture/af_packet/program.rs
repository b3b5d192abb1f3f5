//! Filter programs for the kernel in classic BPF (Linux, Documentation/networking/filter.rst): exclusion zones, the capture filter
//! behind them, their opposites for counting, and the spread of packets over rings.

use super::zones::zones;
use crate::capture::bpf::{Instruction, INSTRUCTIONS_MAX};
use crate::decode::{Addr, Config};
use std::net::IpAddr;

pub(super) const LD_LEN: u16 = 0x80;
pub(super) const LD_WORD: u16 = 0x20;
pub(super) const LD_HALF: u16 = 0x28;
pub(super) const LD_WORD_X: u16 = 0x40;
pub(super) const LD_MEM: u16 = 0x60;
pub(super) const LDX_IMM: u16 = 0x01;
const LDX_MEM: u16 = 0x61;
pub(super) const ST: u16 = 0x02;
const MUL: u16 = 0x24;
pub(super) const AND: u16 = 0x54;
const RSH: u16 = 0x74;
pub(super) const SUB_X: u16 = 0x1c;
const XOR_X: u16 = 0xac;
pub(super) const JA: u16 = 0x05;
pub(super) const JEQ: u16 = 0x15;
pub(super) const JGE: u16 = 0x35;
pub(super) const RET: u16 = 0x06;
const RET_A: u16 = 0x16;
pub(super) const LD_IMM: u16 = 0x00;
pub(super) const LD_HALF_X: u16 = 0x48;
pub(super) const LD_BYTE_X: u16 = 0x50;
pub(super) const ADD: u16 = 0x04;
pub(super) const ADD_X: u16 = 0x0c;
pub(super) const LSH: u16 = 0x64;
pub(super) const JGT: u16 = 0x25;
pub(super) const JGE_X: u16 = 0x3d;
pub(super) const TAX: u16 = 0x07;
pub(super) const TXA: u16 = 0x87;

/// Where the kernel keeps what it knows beside the frame (SKF_AD_OFF), and where the network header is (SKF_NET_OFF).
const BESIDE: u32 = 0xffff_f000;
const PROTOCOL: u32 = BESIDE;
pub(super) const VLAN_TAG: u32 = BESIDE + 44;
pub(super) const VLAN_TAG_PRESENT: u32 = BESIDE + 48;
const NETWORK: u32 = 0xfff0_0000;

pub(super) const TAGS: [u32; 3] = [0x8100, 0x88a8, 0x9100];
pub(super) const IPV4: u32 = 0x0800;
pub(super) const IPV6: u32 = 0x86dd;
pub(super) const ARP: u32 = 0x0806;
pub(super) const VLAN_ID: u32 = 0x0fff;

/// Keeps a frame whole (the largest snap length in use).
const WHOLE: u32 = 0x4_0000;

/// Nothing passes.
pub const NOTHING: [Instruction; 1] = [(RET, 0, 0, 0)];

/// The programs of one interface.
pub struct Programs {
    /// What is captured.
    pub capture: Vec<Instruction>,
    /// What lies in an exclusion zone; None: there is none.
    pub excluded: Option<Vec<Instruction>>,
    /// What lies in none and the capture filter leaves out; None: it leaves nothing out.
    pub filtered: Option<Vec<Instruction>>,
}

impl Programs {
    /// Errors name what is no network, or say that there are too many.
    pub fn new(
        networks: &[String],
        vlans: &[u16],
        tunnels: &Config,
        filter: &[Instruction],
    ) -> Result<Programs, String> {
        let networks = networks.iter().map(|text| Network::parse(text)).collect::<Result<Vec<_>, _>>()?;
        let has_zones = !(networks.is_empty() && vlans.is_empty());
        let zones = |verdict| if has_zones { zones(&networks, vlans, tunnels, verdict) } else { Vec::new() };
        let everything = [(RET, 0, 0, WHOLE)];
        let filter_or_all = if filter.is_empty() { &everything[..] } else { filter };
        let capture = [zones(0), filter_or_all.to_vec()].concat();
        if capture.len() > INSTRUCTIONS_MAX {
            return Err(format!(
                "exclusion zones and filter need {} instructions, the kernel takes {INSTRUCTIONS_MAX}: join networks",
                capture.len()
            ));
        }
        Ok(Programs {
            capture,
            excluded: has_zones.then(|| [zones(1), NOTHING.to_vec()].concat()),
            filtered: (!filter.is_empty()).then(|| [zones(0), opposite(filter)].concat()),
        })
    }
}

/// A network: its words and their masks.
pub(crate) struct Network {
    words: Vec<(u32, u32)>,
}

impl Network {
    pub(crate) fn parse(text: &str) -> Result<Network, String> {
        let wrong = || format!("`{text}` is no network: write 10.0.0.0/8 or 2001:db8::/32");
        let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
        let bytes = match address.trim().parse().map_err(|_| wrong())? {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        let most = bytes.len().saturating_mul(8);
        let mut bits: usize = bits.map_or(Ok(most), |b| b.trim().parse().map_err(|_| wrong()))?;
        if bits > most {
            return Err(wrong());
        }
        let mut words = Vec::new();
        for word in bytes.chunks_exact(4) {
            let own = bits.min(32) as u32;
            bits = bits.saturating_sub(32);
            let mask = u32::MAX.checked_shl(32 - own).unwrap_or(0);
            let value = word.iter().fold(0, |value, byte| value << 8 | u32::from(*byte));
            words.push((value & mask, mask));
        }
        Ok(Network { words })
    }

    pub(super) fn words(&self) -> &[(u32, u32)] {
        &self.words
    }

    pub(crate) fn holds(&self, addr: Addr) -> bool {
        let join = |all: u128, word: u32| all << 32 | u128::from(word);
        let (value, mask) = self.words.iter().fold((0, 0), |(a, b), (c, d)| (join(a, *c), join(b, *d)));
        self.is_v6() != addr.is_v4() && addr.0 & mask == value
    }

    pub(super) fn is_v6(&self) -> bool {
        self.words.len() > 1
    }

    /// Ends with the verdict when the address at X + `at` is in the network.
    pub(super) fn test(&self, at: u32, verdict: u32) -> Vec<Instruction> {
        let mut code = vec![(RET, 0, 0, verdict)];
        // From the last word to the first, so that every jump knows how much is behind it.
        for (n, (value, mask)) in
            (0..self.words.len() as u32).zip(&self.words).rev().filter(|(_, (_, mask))| *mask != 0)
        {
            let behind = code.len() as u8;
            let mut one = vec![(LD_WORD_X, 0, 0, at + 4 * n)];
            if *mask != u32::MAX {
                one.push((AND, 0, 0, *mask));
            }
            one.push((JEQ, 0, behind, *value));
            code.splice(0..0, one);
        }
        code
    }
}

/// `inside` when A is one of the values.
pub(super) fn if_any(values: &[u32], inside: Vec<Instruction>) -> Vec<Instruction> {
    let mut code: Vec<Instruction> = (1..=values.len() as u8)
        .rev()
        .zip(values)
        .map(|(to_inside, value)| (JEQ, to_inside, 0, *value))
        .collect();
    code.push((JA, 0, 0, inside.len() as u32));
    code.extend(inside);
    code
}

/// `inside` when the word of memory is one of the values.
pub(super) fn when(word: u32, values: &[u32], inside: Vec<Instruction>) -> Vec<Instruction> {
    [vec![(LD_MEM, 0, 0, word)], if_any(values, inside)].concat()
}

/// `inside` when so many bytes are left at X: a load beyond the end would end the program.
pub(super) fn room(bytes: u32, inside: Vec<Instruction>) -> Vec<Instruction> {
    let len = inside.len() as u32;
    let mut code = vec![(LD_LEN, 0, 0, 0), (JGE_X, 1, 0, 0), (JA, 0, 0, len + 3)];
    code.extend([(SUB_X, 0, 0, 0), (JGE, 1, 0, bytes), (JA, 0, 0, len)]);
    code.extend(inside);
    code
}

/// X goes on by so many bytes.
pub(super) fn skip(bytes: u32) -> Vec<Instruction> {
    vec![(TXA, 0, 0, 0), (ADD, 0, 0, bytes), (TAX, 0, 0, 0)]
}

pub(super) fn set(word: u32, value: u32) -> Vec<Instruction> {
    vec![(LD_IMM, 0, 0, value), (ST, 0, 0, word)]
}

/// Lets through one byte of what the program leaves out, and nothing else.
fn opposite(program: &[Instruction]) -> Vec<Instruction> {
    let turned = |&(code, jt, jf, k): &Instruction| match (code, k) {
        (RET, 0) => (code, jt, jf, 1),
        (RET, _) => (code, jt, jf, 0),
        _ => (code, jt, jf, k),
    };
    program.iter().map(turned).collect()
}

/// A number that is the same for both directions of two addresses and spreads them; 0 for what is no IP. The kernel takes the rest
/// of its division by the number of rings.
pub fn spread() -> Vec<Instruction> {
    const ODD: u32 = 0x9e37_79b1; // 2^32 divided by the golden ratio (Knuth, The Art of Computer Programming 3, 6.4)
    const PLACE: u32 = 0;
    const SUM: u32 = 1;
    let mut code = vec![(LDX_IMM, 0, 0, 0), (LD_WORD, 0, 0, PROTOCOL)];
    for at in [0, 4] {
        // A tag below the one that the kernel took off.
        code.extend(if_any(&TAGS, vec![(LDX_IMM, 0, 0, at + 4), (LD_HALF, 0, 0, NETWORK + at + 2)]));
    }
    code.extend([(ST, 0, 0, 2), (0x03, 0, 0, PLACE)]);
    for (kind, words) in [(IPV4, 12..20), (IPV6, 8..40)] {
        let mut inside = vec![(0x00, 0, 0, 0), (ST, 0, 0, SUM)];
        for at in words.step_by(4) {
            inside.extend([(LDX_MEM, 0, 0, PLACE), (LD_WORD_X, 0, 0, NETWORK + at)]);
            inside.extend([(LDX_MEM, 0, 0, SUM), (XOR_X, 0, 0, 0), (ST, 0, 0, SUM)]);
        }
        inside.extend([(MUL, 0, 0, ODD), (RSH, 0, 0, 16), (RET_A, 0, 0, 0)]);
        code.push((LD_MEM, 0, 0, 2));
        code.extend(if_any(&[kind], inside));
    }
    code.push((RET, 0, 0, 0));
    code
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::bpf;

    /// Runs the program where nothing beside the frame is asked for.
    fn admits(program: &[Instruction], frame: &[u8]) -> bool {
        bpf::check(program).unwrap();
        bpf::run(program, frame, frame.len() as u32) != 0
    }

    fn ipv4(src: [u8; 4], dst: [u8; 4], tag: Option<u16>) -> Vec<u8> {
        let mut frame = vec![2; 12];
        if let Some(tag) = tag {
            frame.extend([0x88, 0xa8]);
            frame.extend(tag.to_be_bytes());
        }
        frame.extend([8, 0, 0x45, 0, 0, 20, 0, 0, 0, 0, 64, 6, 0, 0]);
        frame.extend(src);
        frame.extend(dst);
        frame
    }

    #[test]
    fn zones_keep_their_networks_out_in_either_direction_and_below_a_tag() {
        let zones = ["10.1.0.0/16".to_owned(), "192.0.2.7".to_owned(), "2001:db8:10::/44".to_owned()];
        let programs = Programs::new(&zones, &[], &Config::default(), &[]).unwrap();
        let excluded = programs.excluded.unwrap();
        let v6 = |third: u8| {
            let mut frame = vec![2; 12];
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 0, 59, 1]);
            frame.extend([0x20, 1, 0xd, 0xb8, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
            frame.extend([0x20, 1, 0xd, 0xb8, 0, third, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
            frame
        };
        for (frame, is_inside) in [
            (ipv4([10, 1, 2, 3], [8, 8, 8, 8], None), true),
            (ipv4([8, 8, 8, 8], [10, 1, 2, 3], Some(5)), true),
            (ipv4([192, 0, 2, 7], [8, 8, 8, 8], None), true),
            (ipv4([192, 0, 2, 8], [10, 2, 0, 1], None), false),
            (ipv4([10, 1, 2, 3], [8, 8, 8, 8], None)[..30].to_vec(), false),
            (v6(0x1f), true),
            (v6(0x2f), false),
        ] {
            assert_eq!(admits(&excluded, &frame), is_inside, "{frame:?}");
            assert_eq!(admits(&programs.capture, &frame), !is_inside, "{frame:?}");
        }
    }

    #[test]
    fn what_a_filter_leaves_out_is_counted_unless_it_is_in_a_zone() {
        // ip proto 17 for Ethernet.
        let filter = [
            (0x28, 0, 0, 12),
            (0x15, 0, 3, 0x800),
            (0x30, 0, 0, 23),
            (0x15, 0, 1, 17),
            (6, 0, 0, 9),
            (6, 0, 0, 0),
        ];
        let programs = Programs::new(&["10.1.0.0/16".to_owned()], &[], &Config::default(), &filter).unwrap();
        let filtered = programs.filtered.unwrap();
        let (tcp, mut udp) = (ipv4([1, 1, 1, 1], [2, 2, 2, 2], None), ipv4([1, 1, 1, 1], [2, 2, 2, 2], None));
        udp[23] = 17;
        assert!(admits(&programs.capture, &udp) && !admits(&filtered, &udp));
        assert!(!admits(&programs.capture, &tcp) && admits(&filtered, &tcp));
        let excluded = ipv4([10, 1, 1, 1], [2, 2, 2, 2], None);
        assert!(!admits(&programs.capture, &excluded) && !admits(&filtered, &excluded));
    }

    #[test]
    fn what_is_no_network_is_named_and_too_many_are_refused() {
        for wrong in ["10.0.0.0/33", "x", "10.0.0/8", "::/129", ""] {
            assert!(Programs::new(&[wrong.to_owned()], &[], &Config::default(), &[])
                .err()
                .unwrap()
                .contains(wrong));
        }
        let many: Vec<String> = (0..900).map(|n| format!("10.{}.{}.0/24", n / 256, n % 256)).collect();
        assert!(Programs::new(&many, &[], &Config::default(), &[]).is_err());
        bpf::check(&Programs::new(&many[..150], &[7; 250], &Config::default(), &[]).unwrap().capture)
            .unwrap();
        let networks_only = Programs::new(&many[..270], &[], &Config::default(), &[]).unwrap();
        bpf::check(&networks_only.capture).unwrap();
        bpf::check(&spread()).unwrap();
    }
}
