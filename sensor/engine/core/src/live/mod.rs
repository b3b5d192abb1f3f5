//! Live capture through the line: interfaces in, batches of events out, on threads of their own.
//!
//! Worker n has ring n of every interface, so that with packets spread by address pair both directions of a flow meet one worker even
//! when they come on two interfaces. Workers never wait for anybody: what the other side does not fetch in time is given up, lowest
//! lane first, and counted.

mod outbox;
mod runner;

use crate::capture::af_packet::{Interface, OpenInterface, RingCounts};
use crate::decode;
use crate::detect::ruleset::Ruleset;
use crate::event::Batch;
use crate::quarantine;
use crate::reload::Handover;
use crate::team::{lock, Team};
use crate::threads::Threads;
use crate::totals;
use crate::worker::{Quarantined, Worker};
use outbox::Outbox;
use runner::{Line, Runner};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Batches that may wait to be fetched.
const BATCHES_WAITING: usize = 64;

/// What one ring has to tell.
#[derive(Clone, Debug, Default)]
pub struct RingState {
    pub interface: String,
    pub worker: usize,
    pub counts: RingCounts,
    pub ring_bytes: u64,
}

/// What a worker last told: all of one moment.
#[derive(Default)]
struct Told {
    counters: Vec<(String, u64)>,
    rings: Vec<RingState>,
    /// Thousandths of the last interval in which it was not waiting for packets.
    busy_permille: u64,
    /// When that was.
    at: Option<Instant>,
}

/// What the threads tell the outside.
struct Shared {
    stop: AtomicBool,
    warnings: Mutex<Vec<String>>,
    told: Vec<Mutex<Told>>,
    /// Counters from outside for the next stats event, which is wanted.
    stats_wanted: Mutex<Option<Vec<(String, u64)>>>,
    interfaces: Mutex<Vec<OpenInterface>>,
    /// How much workers leave out while memory is short.
    shed: AtomicU8,
    /// Where the sensor's own heartbeats come in.
    heartbeat: Mutex<Option<OpenInterface>>,
    /// Packets in exclusion zones and left out by filters, by interface.
    left_out: Mutex<Vec<(String, u64, u64)>>,
    quarantined: Mutex<Vec<Quarantined>>,
    quarantine: Option<PathBuf>,
    /// Workers that have not finished.
    running: Mutex<usize>,
}

impl Shared {
    fn warn(&self, text: String) {
        lock(&self.warnings).push(text);
    }

    fn read_left_out(&self) {
        let mut interfaces = lock(&self.interfaces);
        let read = |open: &mut OpenInterface| {
            let (excluded, filtered) = open.left_out();
            (open.config.interface.clone(), excluded, filtered)
        };
        *lock(&self.left_out) = interfaces.iter_mut().map(read).collect();
    }

    /// All counters as the workers last told them, in order.
    fn counters(&self) -> Vec<(String, u64)> {
        let mut sum = Vec::new();
        let mut rings = RingCounts::default();
        for told in &self.told {
            let told = lock(told);
            totals::add(&mut sum, told.counters.clone());
            for RingState { counts, .. } in &told.rings {
                rings.kernel.packets = rings.kernel.packets.saturating_add(counts.kernel.packets);
                rings.kernel.drops = rings.kernel.drops.saturating_add(counts.kernel.drops);
                rings.kernel.freezes = rings.kernel.freezes.saturating_add(counts.kernel.freezes);
                rings.frames = rings.frames.saturating_add(counts.frames);
                rings.outgoing = rings.outgoing.saturating_add(counts.outgoing);
                rings.truncated = rings.truncated.saturating_add(counts.truncated);
                rings.tags = rings.tags.saturating_add(counts.tags);
                rings.damaged = rings.damaged.saturating_add(counts.damaged);
            }
        }
        let (excluded, filtered) = lock(&self.left_out)
            .iter()
            .fold((0u64, 0u64), |(a, b), (_, c, d)| (a.saturating_add(*c), b.saturating_add(*d)));
        for (name, value) in [
            ("capture.kernel_packets", rings.kernel.packets),
            ("capture.kernel_drops", rings.kernel.drops),
            ("haidang.capture.frames", rings.frames),
            ("haidang.capture.ring_freezes", rings.kernel.freezes),
            ("haidang.capture.excluded", excluded),
            ("haidang.capture.filtered", filtered),
            ("haidang.capture.outgoing", rings.outgoing),
            ("haidang.capture.truncated", rings.truncated),
            ("haidang.capture.vlan_restored", rings.tags),
            ("haidang.capture.damaged", rings.damaged),
        ] {
            sum.push((name.to_owned(), value));
        }
        totals::settle(&mut sum);
        sum
    }
}

/// A live capture: open, then begun, then stopped.
pub struct Live {
    shared: Arc<Shared>,
    runners: Vec<Runner>,
    threads: Threads,
}

impl Live {
    /// Opens every interface of the document; nothing comes in yet. Privileges are needed here and nowhere after.
    pub fn open(document: &Value, rules: &Arc<Ruleset>) -> Result<Live, String> {
        let tunnels = decode::Config::new(document)?;
        let open = |config| OpenInterface::open(config, &tunnels);
        let mut interfaces =
            Interface::all(document)?.into_iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let workers = interfaces.iter().map(|open| open.rings.len()).max().unwrap_or(0);
        if workers == 0 {
            return Err("no interface to capture on".to_owned());
        }
        let mut heartbeat = Interface::heartbeat(document)?.map(open).transpose()?;
        let mut own_rings: Vec<_> =
            heartbeat.iter_mut().flat_map(|open| open.rings.drain(..)).map(Some).collect();
        own_rings.resize_with(workers, || None);
        let mut lines: Vec<Vec<Line>> = (0..workers).map(|_| Vec::new()).collect();
        for open in &mut interfaces {
            let (name, ring_bytes) = (open.config.interface.clone(), open.config.ring_bytes());
            let timeout = Duration::from_millis(open.config.block_timeout_ms.into());
            for (line, ring) in lines.iter_mut().zip(open.rings.drain(..)) {
                line.push(Line { ring, interface: name.clone(), ring_bytes, timeout });
            }
        }
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            warnings: Mutex::default(),
            told: (0..workers).map(|_| Mutex::default()).collect(),
            stats_wanted: Mutex::default(),
            interfaces: Mutex::new(interfaces),
            shed: AtomicU8::new(0),
            heartbeat: Mutex::new(heartbeat),
            left_out: Mutex::default(),
            quarantined: Mutex::default(),
            quarantine: quarantine::path(document),
            running: Mutex::new(workers),
        });
        let (sender, batches) = sync_channel(BATCHES_WAITING);
        let mut runners = Vec::new();
        let handover = Arc::new(Handover::new(rules, workers));
        for ((member, rings), own) in Team::apart(workers).into_iter().zip(lines).zip(own_rings) {
            let worker = Worker::new(document, Arc::clone(rules), &member)?;
            let edges = handover.edges(member.number);
            let outbox = Outbox::new(sender.clone());
            runners.push(Runner::new(worker, member, (rings, own), &shared, outbox, edges));
        }
        Ok(Live { shared, runners, threads: Threads::new(batches, handover) })
    }

    /// Lets packets in and starts the workers.
    pub fn begin(&mut self) -> Result<(), String> {
        for open in lock(&self.shared.interfaces).iter() {
            let rings = self.runners.iter().flat_map(|runner| runner.rings(&open.config.interface));
            open.begin(rings).map_err(|what| format!("{}: {what}", open.config.interface))?;
        }
        if let Some(open) = &*lock(&self.shared.heartbeat) {
            open.begin(self.runners.iter().filter_map(Runner::heartbeat_ring))?;
        }
        self.shared.told.iter().for_each(|told| lock(told).at = Some(Instant::now()));
        self.threads.handover().begin();
        for (at, runner) in self.runners.drain(..).enumerate() {
            self.threads.spawn(format!("worker-{at}"), move || runner.run())?;
        }
        Ok(())
    }

    /// The next batch, or None when none came in time or all is done (`finished`).
    pub fn next_batch(&mut self, timeout: Duration) -> Option<Batch> {
        let shared = &self.shared;
        self.threads.next_batch(timeout, |text| shared.warn(text))
    }

    /// Where a new ruleset may be offered to the workers.
    pub fn handover(&self) -> &Arc<Handover> {
        self.threads.handover()
    }

    /// Stopped, every packet is through and every batch was fetched.
    pub fn finished(&self) -> bool {
        self.threads.finished()
    }

    /// Takes the warnings since the last call.
    pub fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.shared.warnings))
    }

    /// Counters by dotted name, at most a second old; exact once finished.
    pub fn counters(&self) -> Vec<(String, u64)> {
        self.shared.counters()
    }

    /// Every ring, and how busy its worker was, in thousandths.
    pub fn rings(&self) -> Vec<(RingState, u64)> {
        let of = |told: &Mutex<Told>| {
            let told = lock(told);
            told.rings.iter().map(|ring| (ring.clone(), told.busy_permille)).collect::<Vec<_>>()
        };
        self.shared.told.iter().flat_map(of).collect()
    }

    /// How long the worker that was silent longest has told nothing; workers tell once a second.
    pub fn silent(&self) -> Duration {
        let of = |told: &Mutex<Told>| lock(told).at.map_or(Duration::ZERO, |at| at.elapsed());
        self.shared.told.iter().map(of).max().unwrap_or_default()
    }

    /// Packets in exclusion zones, and left out by the filter, by interface.
    pub fn left_out(&self) -> Vec<(String, u64, u64)> {
        lock(&self.shared.left_out).clone()
    }

    /// Workers leave out more or less from their next batch on: 0 nothing, 1 what large flows still bring, 2 parsing of new flows,
    /// 3 packets of new flows.
    pub fn shed_at(&self, level: u8) {
        self.shared.shed.store(level, Ordering::Relaxed);
    }

    /// A stats event is to be written, with these counters in it too.
    pub fn write_stats(&self, more: Vec<(String, u64)>) {
        *lock(&self.shared.stats_wanted) = Some(more);
    }

    /// No packet comes in any more; those in the rings go through, and all flows end.
    pub fn stop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // One that never began has nothing to flush.
        self.runners.clear();
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.stop();
        let shared = &self.shared;
        self.threads.end(|text| shared.warn(text));
    }
}
