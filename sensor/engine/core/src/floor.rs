//! The floor under the line's cost, for the benchmark: what reading, decoding and one search of each payload take by
//! themselves, with the decoder and the databases of the line. Keeps no flows and makes no events.

use crate::capture::{self, Source};
use crate::decode::{Decoder, Packet};
use crate::detect::class::Class;
use crate::detect::prefilter::ScanState;
use crate::detect::ruleset::Ruleset;
use crate::direction::Dir;
use crate::stage_clock::thread_time;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// Processor time of three passes over a capture, each doing what the one before does and one thing more.
#[derive(Clone, Copy, Debug, Default)]
pub struct Floor {
    pub packets: u64,
    pub bytes: u64,
    pub read: Duration,
    pub decode: Duration,
    pub scan: Duration,
    pub scans: u64,
    pub scanned_bytes: u64,
}

/// Measures a capture. Errors are those of the configuration or of the file.
pub fn measure(document: &Value, rules: &Ruleset, path: &Path) -> Result<Floor, String> {
    let mut floor = Floor::default();
    let mut scan = ScanState::of_hyperscan();
    rules.fit(&mut scan)?;
    let mut sum = 0u64;
    let begun = thread_time();
    each_frame(path, |frame, _| {
        floor.packets = floor.packets.saturating_add(1);
        floor.bytes = floor.bytes.saturating_add(frame.data.len() as u64);
        sum = sum.wrapping_add(frame.data.last().map_or(0, |byte| u64::from(*byte)));
    })?;
    floor.read = thread_time().saturating_sub(begun);

    let begun = thread_time();
    let mut decoder = Decoder::new(crate::config::Config::new(document)?.decode);
    each_frame(path, |frame, number| {
        decoder.frame(frame, number, |packet| sum = sum.wrapping_add(u64::from(packet.payload_len)));
    })?;
    floor.decode = thread_time().saturating_sub(begun);

    let begun = thread_time();
    let mut decoder = Decoder::new(crate::config::Config::new(document)?.decode);
    let mut candidates = Vec::new();
    each_frame(path, |frame, number| {
        decoder.frame(frame, number, |packet| {
            candidates.clear();
            search(rules, packet, &mut scan, &mut candidates);
            sum = sum.wrapping_add(candidates.len() as u64);
        });
    })?;
    floor.scan = thread_time().saturating_sub(begun);
    (floor.scans, floor.scanned_bytes) = (scan.scans, scan.scanned_bytes);
    std::hint::black_box(sum);
    Ok(floor)
}

/// One search of the payload, for the patterns that the line would look for in it first. Without flows, the server is the end
/// with the lower port.
fn search(rules: &Ruleset, packet: &Packet<'_>, scan: &mut ScanState, candidates: &mut Vec<u32>) {
    let dir = if packet.dst_port <= packet.src_port { Dir::ToServer } else { Dir::ToClient };
    let class = Class::of(packet);
    let group = rules.groups(packet).packet.group(class, dir);
    let patterns = if class == Class::Tcp { &group.stream } else { &group.packet };
    if let Some(prefilter) = &patterns.any {
        prefilter.scan(packet.payload(), 0, scan, candidates);
    }
}

fn each_frame(path: &Path, mut take: impl FnMut(&capture::Frame<'_>, u64)) -> Result<(), String> {
    let mut source = capture::open(path).map_err(|e| e.to_string())?;
    let mut number = 0u64;
    while let Some(frame) = source.next() {
        number = number.saturating_add(1);
        take(&frame.map_err(|e| e.to_string())?, number);
    }
    Ok(())
}
