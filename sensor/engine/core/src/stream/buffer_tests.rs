//! The buffer against a naive oracle that keeps every byte in a map.

use super::buffer::{At, Buffer};
use super::policy::OsPolicy;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Bytes by offset, and the extents of the segments that came.
#[derive(Default)]
struct Oracle {
    bytes: BTreeMap<u64, u8>,
    extents: Vec<(u64, u64)>,
    floor: u64,
}

impl Oracle {
    fn insert(&mut self, offset: u64, data: &[u8], policy: OsPolicy) -> (bool, bool) {
        let extent = (offset, offset + data.len() as u64);
        if extent.1 <= self.floor || data.is_empty() {
            return (false, false);
        }
        let mut resolved: BTreeMap<u64, u8> =
            (offset..).zip(data.iter().copied()).filter(|(at, _)| *at >= self.floor).collect();
        let (mut overlap, mut differs) = (false, false);
        self.extents.sort();
        for &old in &self.extents {
            for at in old.0.max(extent.0).max(self.floor)..old.1.min(extent.1) {
                overlap = true;
                let held = self.bytes[&at];
                differs |= old != extent && data[(at - offset) as usize] != held;
                if !policy.new_wins(old, extent) {
                    resolved.insert(at, held);
                }
            }
        }
        self.bytes.extend(resolved);
        if !self.extents.contains(&extent) {
            self.extents.push(extent);
        }
        (overlap, differs)
    }
    fn slide(&mut self, floor: u64) {
        self.floor = self.floor.max(floor);
        self.bytes = self.bytes.split_off(&self.floor);
    }
    fn read(&self, mut at: u64) -> Vec<Result<u8, u64>> {
        let mut out = Vec::new();
        while let Some((&next, &byte)) = self.bytes.range(at..).next() {
            if next > at {
                out.push(Err(next - at));
            }
            out.push(Ok(byte));
            at = next + 1;
        }
        out
    }
}

fn read(buffer: &Buffer, mut at: u64) -> Vec<Result<u8, u64>> {
    let mut out = Vec::new();
    loop {
        match buffer.at(at) {
            At::End => return out,
            At::Hole(len) => {
                out.push(Err(len));
                at += len;
            }
            At::Bytes(bytes) => {
                assert!(!bytes.is_empty());
                out.extend(bytes.iter().map(|b| Ok(*b)));
                at += bytes.len() as u64;
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u64, Vec<u8>),
    /// Uses up this many per cent of what is readable without a hole.
    Use(u64),
    /// Gives up on the hole at the floor.
    Skip,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0u64..120, prop::collection::vec(b'a'..=b'd', 1..24)).prop_map(|(o, d)| Step::Insert(o, d)),
        2 => (0u64..=100).prop_map(Step::Use),
        1 => Just(Step::Skip),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn buffer_equals_the_byte_map(
        steps in prop::collection::vec(step(), 1..60),
        policy in 0usize..OsPolicy::ALL.len(),
        lookback in 0u64..8,
    ) {
        let policy = OsPolicy::ALL[policy].1;
        let mut buffer = Buffer::default();
        let mut oracle = Oracle::default();
        for step in steps {
            match step {
                Step::Insert(offset, data) => {
                    let got = buffer.insert(offset, &data, policy);
                    let (overlap, differs) = oracle.insert(offset, &data, policy);
                    prop_assert_eq!((got.overlap, got.differs), (overlap, differs));
                    prop_assert!(!got.refused);
                }
                Step::Use(percent) => {
                    let ready = match buffer.at(oracle.floor) {
                        At::Bytes(bytes) => bytes.len() as u64,
                        _ => 0,
                    };
                    let floor = oracle.floor + ready * percent / 100;
                    buffer.slide(floor, floor.saturating_sub(lookback));
                    oracle.slide(floor);
                }
                Step::Skip => {
                    if let At::Hole(len) = buffer.at(oracle.floor) {
                        let floor = oracle.floor + len;
                        buffer.slide(floor, floor.saturating_sub(lookback));
                        oracle.slide(floor);
                    }
                }
            }
            prop_assert_eq!(read(&buffer, oracle.floor), oracle.read(oracle.floor));
        }
    }

    #[test]
    fn in_order_bytes_come_out_whatever_the_cuts(
        data in prop::collection::vec(any::<u8>(), 1..4000),
        cuts in prop::collection::vec(1usize..300, 1..60),
        back in 0u64..400,
    ) {
        let mut buffer = Buffer::default();
        let (mut at, mut used, mut out) = (0usize, 0u64, Vec::new());
        for cut in cuts.iter().cycle() {
            if at >= data.len() {
                break;
            }
            let end = (at + cut).min(data.len());
            buffer.insert(at as u64, &data[at..end], OsPolicy::Bsd);
            at = end;
            if cut % 3 == 0 {
                if let At::Bytes(bytes) = buffer.at(used) {
                    out.extend_from_slice(bytes);
                    used += bytes.len() as u64;
                    buffer.slide(used, used.saturating_sub(back));
                    let seen = buffer.before(used.saturating_sub(1), back);
                    prop_assert!(seen <= back);
                }
            }
        }
        if let At::Bytes(bytes) = buffer.at(used) {
            out.extend_from_slice(bytes);
        }
        prop_assert_eq!(out, data);
    }
}

#[test]
fn many_holes_are_refused_and_memory_is_bounded() {
    let mut buffer = Buffer::default();
    let refused = (0..100_000u64).filter(|i| buffer.insert(2 + i * 2, b"x", OsPolicy::Linux).refused).count();
    assert_eq!(refused, 100_000 - 1024);
    assert!(buffer.memory() < 256 * 1024);
}
