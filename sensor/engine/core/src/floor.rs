//! The floor under the line's cost, for the benchmark: what reading, decoding and one search of each payload take by themselves.
//! Keeps no flows, tries no rules and makes no events.
//!
//! It is taken twice. Grouped: as a plain loop around Hyperscan has it, with one database for all payload patterns of a
//! protocol and direction. Narrowed: with the databases of the line, which leave out what ends, port or place rule out, or
//! what is found without Hyperscan.

use crate::capture::{self, Source};
use crate::decode::{Decoder, Packet};
use crate::detect::class::Class;
use crate::detect::hs::{Database, Literal, Scratch};
use crate::detect::prefilter::ScanState;
use crate::detect::ruleset::Ruleset;
use crate::direction::{Dir, PerDir};
use crate::stage_clock::thread_time;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

/// Processor time of passes over a capture.
#[derive(Clone, Copy, Debug, Default)]
pub struct Floor {
    pub packets: u64,
    pub bytes: u64,
    pub read: Duration,
    /// With what `read` does.
    pub decode: Duration,
    /// With what `decode` does, and a search.
    pub grouped: Duration,
    pub narrowed: Duration,
    /// Of the databases of the line.
    pub scans: u64,
    pub scanned_bytes: u64,
}

/// Measures a capture. Errors are those of the configuration, of the file, or libhs's.
pub fn measure(document: &Value, rules: &Ruleset, path: &Path) -> Result<Floor, String> {
    let mut floor = Floor::default();
    let mut sum = 0u64;
    each_frame(path, |_, _| ())?; // not counted: every pass finds the capture in memory
    let begun = thread_time();
    each_frame(path, |frame, _| {
        floor.packets = floor.packets.saturating_add(1);
        floor.bytes = floor.bytes.saturating_add(frame.data.len() as u64);
        sum = sum.wrapping_add(frame.data.last().map_or(0, |byte| u64::from(*byte)));
    })?;
    floor.read = thread_time().saturating_sub(begun);
    floor.decode =
        each_packet(document, path, |packet| sum = sum.wrapping_add(u64::from(packet.payload_len)))?;

    let mut grouped = Grouped::new(rules)?;
    floor.grouped = each_packet(document, path, |packet| sum = sum.wrapping_add(grouped.search(packet)))?;

    let mut scan = ScanState::of_hyperscan();
    rules.fit(&mut scan)?;
    let mut candidates = Vec::new();
    floor.narrowed = each_packet(document, path, |packet| {
        candidates.clear();
        search(rules, packet, &mut scan, &mut candidates);
        sum = sum.wrapping_add(candidates.len() as u64);
    })?;
    (floor.scans, floor.scanned_bytes) = (scan.scans, scan.scanned_bytes);
    std::hint::black_box(sum);
    Ok(floor)
}

/// Without flows, the server is the end with the lower port.
fn direction(packet: &Packet<'_>) -> Dir {
    if packet.dst_port <= packet.src_port {
        Dir::ToServer
    } else {
        Dir::ToClient
    }
}

/// A database for the payload patterns of each protocol and direction.
struct Grouped {
    /// In the order of `Class::ALL`.
    databases: [PerDir<Option<Database>>; Class::ALL.len()],
    scratch: Scratch,
    hits: Vec<(u32, u32)>,
}

impl Grouped {
    fn new(rules: &Ruleset) -> Result<Grouped, String> {
        let mut grouped =
            Grouped { databases: Default::default(), scratch: Scratch::default(), hits: Vec::new() };
        for (class, pair) in Class::ALL.into_iter().zip(&mut grouped.databases) {
            for dir in Dir::BOTH {
                let of_group = rules.rules.iter().filter(|rule| class.has(rule, dir));
                let patterns = of_group.filter_map(|rule| rule.fast_pattern.as_ref());
                let of_payload = patterns.filter(|pattern| pattern.buffer.is_none());
                let once: BTreeSet<(&[u8], bool)> =
                    of_payload.map(|pattern| (&*pattern.bytes, pattern.nocase)).collect();
                let literals: Vec<Literal<'_>> = once
                    .iter()
                    .zip(0..)
                    .map(|((bytes, nocase), id)| Literal { bytes, nocase: *nocase, id })
                    .collect();
                if !literals.is_empty() {
                    let database = Database::compile(&literals)?;
                    grouped.scratch.fit(&database)?;
                    pair[dir] = Some(database);
                }
            }
        }
        Ok(grouped)
    }

    /// How many patterns are in the payload.
    fn search(&mut self, packet: &Packet<'_>) -> u64 {
        let pair = self.databases.get(Class::of(packet) as usize);
        let Some(database) = pair.and_then(|pair| pair[direction(packet)].as_ref()) else { return 0 };
        self.hits.clear();
        if packet.payload_len > 0 {
            self.scratch.scan(database, packet.payload(), &mut self.hits);
        }
        self.hits.len() as u64
    }
}

/// One search of the payload, for the patterns that the line would look for in it first.
fn search(rules: &Ruleset, packet: &Packet<'_>, scan: &mut ScanState, candidates: &mut Vec<u32>) {
    let class = Class::of(packet);
    let group = rules.groups(packet).packet.group(class, direction(packet));
    let patterns = if class == Class::Tcp { &group.stream } else { &group.packet };
    if let Some(prefilter) = &patterns.any {
        prefilter.scan(packet.payload(), 0, scan, candidates);
    }
}

/// Decodes a capture; the processor time it took.
fn each_packet(document: &Value, path: &Path, mut take: impl FnMut(&Packet<'_>)) -> Result<Duration, String> {
    let begun = thread_time();
    let mut decoder = Decoder::new(crate::config::Config::new(document)?.decode);
    each_frame(path, |frame, number| decoder.frame(frame, number, |packet| take(packet)))?;
    Ok(thread_time().saturating_sub(begun))
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
