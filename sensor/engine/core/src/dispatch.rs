//! Which worker takes a packet, and the blocks in which frames come to workers of one replay.

use crate::capture::Frame;
use crate::decode::{self, Addr, Packet, Ports};
use crate::time::Timestamp;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

/// Frames of one file, where they were read.
#[derive(Default)]
pub struct Block {
    data: Vec<u8>,
    frames: Vec<Entry>,
}

/// A frame of a block.
pub struct Entry {
    start: usize,
    len: usize,
    ts: Timestamp,
    wire_len: u32,
    link_type: u16,
    /// See `Dispatch::of_frame`.
    worker: Option<u16>,
    number: u64,
}

impl Entry {
    /// A frame at `start` of its buffer. `worker`: see `Dispatch::of_frame`.
    #[inline]
    pub fn new(frame: &Frame<'_>, start: usize, number: u64, worker: Option<u16>) -> Entry {
        Entry {
            start,
            len: frame.data.len(),
            ts: frame.ts,
            wire_len: frame.wire_len,
            link_type: frame.link_type,
            worker,
            number,
        }
    }
}

impl Block {
    /// Empties it for other frames, and gives the buffer they were in.
    pub fn clear(&mut self) -> Vec<u8> {
        self.frames.clear();
        std::mem::take(&mut self.data)
    }

    #[inline]
    pub fn push(&mut self, entry: Entry) {
        self.frames.push(entry);
    }

    /// The buffer in which its frames lie.
    pub fn fill(&mut self, data: Vec<u8>) {
        self.data = data;
    }

    /// Of its buffer.
    pub fn bytes(&self) -> usize {
        self.data.len()
    }

    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Gives every frame with its number and whose it is.
    pub fn each(&self, mut take: impl FnMut(&Frame<'_>, u64, Option<u16>)) {
        for entry in &self.frames {
            let data = self.data.get(entry.start..entry.start.saturating_add(entry.len)).unwrap_or(&[]);
            let frame = Frame { data, ts: entry.ts, wire_len: entry.wire_len, link_type: entry.link_type };
            take(&frame, entry.number, entry.worker);
        }
    }
}

/// Layers below which a frame that looks plain here may be refused by the decoder (`decoder.max-layers`).
const LAYERS_PLAIN: u8 = 8;

/// Half of the bits (64 KiB) are set after some hundred thousand address pairs.
const SEEN_BITS: usize = 1 << 19;

/// A bit for each address pair that came, by its hash. Workers share it: whoever takes a frame in hand has set what came before.
pub struct Seen(Box<[AtomicU64]>);

impl Default for Seen {
    fn default() -> Seen {
        Seen((0..SEEN_BITS / 64).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Seen {
    #[inline]
    fn seat(&self, hash: u64) -> Option<(&AtomicU64, u64)> {
        let at = hash as usize % SEEN_BITS;
        Some((self.0.get(at / 64)?, 1 << (at % 64)))
    }

    #[inline]
    fn set(&self, hash: u64) {
        if let Some((word, bit)) = self.seat(hash) {
            // Mostly it is set already: the line stays in every core's cache.
            if word.load(Ordering::Relaxed) & bit == 0 {
                word.fetch_or(bit, Ordering::Relaxed);
            }
        }
    }

    fn has(&self, hash: u64) -> bool {
        self.seat(hash).is_none_or(|(word, bit)| word.load(Ordering::Relaxed) & bit != 0)
    }
}

/// Who takes what. A packet belongs to the worker of its two addresses, whichever way it goes: so do both directions of a flow,
/// all fragments of a datagram, and flows that announce one another. Packets without IP go to the first.
pub struct Dispatch {
    workers: u64,
    /// UDP ports on which tunnels are looked for.
    tunnels: [Ports; 3],
    max_layers: u8,
    seen: Arc<Seen>,
}

impl Dispatch {
    pub fn new(workers: usize, config: &decode::Config, seen: &Arc<Seen>) -> Dispatch {
        Dispatch {
            workers: workers.max(1) as u64,
            tunnels: [config.teredo.clone(), config.vxlan.clone(), config.geneve.clone()],
            max_layers: config.max_layers,
            seen: Arc::clone(seen),
        }
    }

    /// The worker whose packet this is.
    #[inline]
    pub fn of_packet(&self, packet: &Packet<'_>) -> usize {
        self.take(hash(packet.src.0 ^ packet.dst.0))
    }

    /// The worker of two addresses.
    #[inline]
    pub fn of_pair(&self, a: Addr, b: Addr) -> usize {
        self.of(hash(a.0 ^ b.0))
    }

    /// Whether a packet between these two may have come before: if not, nobody has a flow of theirs.
    pub fn may_have_seen(&self, a: Addr, b: Addr) -> bool {
        self.seen.has(hash(a.0 ^ b.0))
    }

    #[inline]
    fn of(&self, hash: u64) -> usize {
        ((hash >> 32).wrapping_mul(self.workers) >> 32) as usize
    }

    /// The worker of a packet that came.
    #[inline]
    fn take(&self, hash: u64) -> usize {
        self.seen.set(hash);
        self.of(hash)
    }

    /// The worker of a frame, where its outermost headers leave no doubt: they are right, and the frame holds one packet, which
    /// is no fragment and quotes no other. None: it has to be decoded, each packet in it goes its own way.
    #[inline]
    pub fn of_frame(&self, frame: &Frame<'_>) -> Option<usize> {
        if self.max_layers < LAYERS_PLAIN {
            return None;
        }
        let data = frame.data;
        let pair = match frame.link_type {
            1 => self.pair_of_ethernet(data),
            12 | 14 | 101 | 228 | 229 => match data.first()? >> 4 {
                4 => self.pair_of_ipv4(data),
                _ => self.pair_of_ipv6(data),
            },
            113 => self.pair_of_ethertype(data.get(14..16)?, data.get(16..)?),
            276 => self.pair_of_ethertype(data.get(..2)?, data.get(20..)?),
            _ => None,
        };
        pair.map(|pair| self.take(hash(pair)))
    }

    #[inline]
    fn pair_of_ethernet(&self, data: &[u8]) -> Option<u128> {
        const TAGS_MAX: usize = 3;
        let mut at = 12usize;
        for _ in 0..=TAGS_MAX {
            let (kind, behind) = (data.get(at..at + 2)?, data.get(at + 2..)?);
            match kind {
                [0x81, 0x00] | [0x88, 0xa8] | [0x91, 0x00] => at += 4,
                _ => return self.pair_of_ethertype(kind, behind),
            }
        }
        None
    }

    #[inline]
    fn pair_of_ethertype(&self, kind: &[u8], behind: &[u8]) -> Option<u128> {
        match kind {
            [0x08, 0x00] => self.pair_of_ipv4(behind),
            [0x86, 0xdd] => self.pair_of_ipv6(behind),
            _ => None,
        }
    }

    #[inline]
    fn pair_of_ipv4(&self, ip: &[u8]) -> Option<u128> {
        const FRAGMENT: u16 = 0x3fff;
        const UNREACHABLE: u8 = 3;
        let h: &[u8; 20] = ip.first_chunk()?;
        let header_len = usize::from(h[0] & 0x0f) * 4;
        let total_len = usize::from(u16::from_be_bytes([h[2], h[3]]));
        let fragment = u16::from_be_bytes([h[6], h[7]]) & FRAGMENT;
        if h[0] >> 4 != 4 || header_len < 20 || total_len < header_len || fragment != 0 {
            return None;
        }
        let behind = ip.get(header_len..total_len)?;
        match h[9] {
            6 | 132 => {}
            17 if self.holds_no_tunnel(behind) => {}
            1 if behind.first().is_some_and(|kind| *kind != UNREACHABLE) => {}
            _ => return None,
        }
        let pair = u32::from_be_bytes([h[12], h[13], h[14], h[15]])
            ^ u32::from_be_bytes([h[16], h[17], h[18], h[19]]);
        Some(u128::from(pair))
    }

    #[inline]
    fn pair_of_ipv6(&self, ip: &[u8]) -> Option<u128> {
        let h: &[u8; 40] = ip.first_chunk()?;
        let behind = ip.get(40..40 + usize::from(u16::from_be_bytes([h[4], h[5]])))?;
        if h[0] >> 4 != 6 {
            return None;
        }
        match h[6] {
            6 | 132 | 58 => {}
            17 if self.holds_no_tunnel(behind) => {}
            _ => return None,
        }
        let address = |at: usize| h.get(at..at + 16)?.try_into().ok().map(u128::from_be_bytes);
        Some(address(8)? ^ address(24)?)
    }

    #[inline]
    fn holds_no_tunnel(&self, udp: &[u8]) -> bool {
        let Some(&[s0, s1, d0, d1]) = udp.first_chunk() else { return false };
        let (src, dst) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
        self.tunnels.iter().all(|ports| !ports.contains(src) && !ports.contains(dst))
    }
}

/// The finaliser of SplitMix64: neighbouring addresses spread.
#[inline]
fn hash(pair: u128) -> u64 {
    let z = (pair as u64) ^ ((pair >> 64) as u64).rotate_left(32);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Decoder;
    use crate::flow::{FlowKey, Tracking};
    use proptest::prelude::*;

    const WORKERS: usize = 5;

    fn dispatch() -> Dispatch {
        Dispatch::new(WORKERS, &decode::Config::default(), &Arc::default())
    }

    fn frame(data: &[u8], link_type: u16) -> Frame<'_> {
        Frame { data, ts: Timestamp(0), wire_len: data.len() as u32, link_type }
    }

    /// Ethernet, VLAN tags, IPv4 with a payload that means something under several protocols.
    fn ipv4(tags: usize, proto: u8, behind: &[u8]) -> Vec<u8> {
        let mut data = vec![2; 12];
        for tag in 0..tags {
            data.extend([0x81, 0, 0, tag as u8]);
        }
        data.extend([8, 0]);
        let total = 20 + behind.len() as u8;
        data.extend([0x45, 0, 0, total, 0, 1, 0, 0, 64, proto, 0, 0, 10, 0, 0, 1, 192, 168, 7, 9]);
        data.extend(behind);
        data
    }

    fn ipv6(next: u8, behind: &[u8]) -> Vec<u8> {
        let mut data = vec![2; 12];
        data.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, behind.len() as u8, next, 64]);
        data.extend((0..32).map(|n| n * 7));
        data.extend(behind);
        data
    }

    /// What a frame is said to be is what the decoder finds in it.
    fn agrees(dispatch: &Dispatch, frame: &Frame<'_>) -> bool {
        let Some(worker) = dispatch.of_frame(frame) else { return false };
        let mut found = Vec::new();
        Decoder::new(decode::Config::default()).frame(frame, 1, |packet| {
            assert!(FlowKey::quoted(packet, Tracking { vlan: true, depth: true }).is_none(), "{frame:?}");
            assert!(!packet.is_fragment, "{frame:?}");
            found.push(dispatch.of_packet(packet));
        });
        assert_eq!(found, [worker], "{frame:?}");
        true
    }

    fn samples() -> Vec<Vec<u8>> {
        let tcp = [1, 2, 0, 80, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x10, 1, 1, 0, 0, 0, 0];
        let udp = |port: u16| {
            let [a, b] = port.to_be_bytes();
            let mut udp = vec![1, 2, a, b, 0, 62, 0, 0, 8, 0, 0, 0, 0, 0, 1, 0];
            udp.extend_from_slice(&ipv4(0, 17, &[])[..34]);
            udp.extend([0; 12]);
            udp
        };
        let inner = &ipv4(0, 6, &tcp)[14..];
        let unreachable = [&[3, 1, 0, 0, 0, 0, 0, 0], inner].concat();
        vec![
            ipv4(0, 6, &tcp),
            ipv4(3, 6, &tcp),
            ipv4(4, 6, &tcp),
            ipv4(1, 17, &udp(53)),
            ipv4(0, 17, &udp(4789)),
            ipv4(0, 1, &[8, 0, 0, 0, 0, 1, 0, 1]),
            ipv4(0, 1, &unreachable),
            ipv4(0, 4, inner),
            ipv4(0, 47, &[&[0, 0, 8, 0], inner].concat()),
            ipv6(6, &tcp),
            ipv6(17, &udp(6081)),
            ipv6(44, &[&[6, 0, 0, 1, 0, 0, 0, 1], &tcp[..]].concat()),
            ipv6(58, &[1, 0, 0, 0, 0, 0, 0, 0]),
        ]
    }

    #[test]
    fn plain_frames_are_known_without_decoding_and_others_are_not() {
        let dispatch = dispatch();
        let plain: Vec<usize> = (0usize..)
            .zip(&samples())
            .filter(|(_, data)| agrees(&dispatch, &frame(data, 1)))
            .map(|(at, _)| at)
            .collect();
        assert_eq!(plain, [0, 1, 3, 5, 9, 12]);
        assert!(agrees(&dispatch, &frame(&samples()[0][14..], 101)));
    }

    #[test]
    fn pairs_that_came_are_known_both_ways() {
        let dispatch = dispatch();
        let (a, b) = (Addr::v4([10, 0, 0, 1]), Addr::v4([192, 168, 7, 9]));
        assert!(!dispatch.may_have_seen(a, b));
        dispatch.of_pair(a, b);
        assert!(!dispatch.may_have_seen(a, b), "asked about, not come");
        dispatch.of_frame(&frame(&samples()[0], 1)).unwrap();
        assert!(dispatch.may_have_seen(a, b) && dispatch.may_have_seen(b, a));
        assert!(!dispatch.may_have_seen(a, Addr::v4([192, 168, 7, 8])));
    }

    #[test]
    fn both_directions_go_to_one_worker_and_hosts_spread() {
        let dispatch = dispatch();
        let mut count = [0usize; WORKERS];
        for host in 0..=255 {
            let (a, b) = (Addr::v4([10, 0, 0, host]), Addr::v4([192, 168, 7, 9]));
            assert_eq!(dispatch.of_pair(a, b), dispatch.of_pair(b, a));
            count[dispatch.of_pair(a, b)] += 1;
        }
        assert!(count.iter().all(|n| (30..75).contains(n)), "{count:?}");
    }

    proptest! {
        #[test]
        fn damage_does_not_mislead(
            sample in 0usize..13,
            changes in proptest::collection::vec((0usize..80, any::<u8>()), 0..4),
            cut in 0usize..100,
            link_type in prop_oneof![Just(1u16), Just(101), Just(113), Just(276), Just(0)],
        ) {
            let mut data = samples().swap_remove(sample);
            for (at, byte) in changes {
                if let Some(slot) = data.get_mut(at) {
                    *slot = byte;
                }
            }
            data.truncate(cut.max(1));
            agrees(&dispatch(), &frame(&data, link_type));
        }
    }

    #[test]
    fn blocks_give_back_what_was_put_in() {
        let mut block = Block::default();
        block.push(Entry::new(&frame(b"gone", 101), 0, 1, None));
        block.fill(b"gone".to_vec());
        assert_eq!(block.clear(), b"gone");
        assert!(block.is_empty());
        block.push(Entry::new(&frame(b"one", 101), 2, 2, Some(1)));
        block.push(Entry::new(&frame(b"", 101), 9, 3, None));
        block.fill(b"..one".to_vec());
        let mut seen = Vec::new();
        block.each(|f, n, worker| seen.push((f.data.to_vec(), n, worker)));
        assert_eq!(seen, [(b"one".to_vec(), 2, Some(1)), (Vec::new(), 3, None)]);
        assert!(!block.is_empty());
    }
}
