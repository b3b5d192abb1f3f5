//! A worker on its thread: frames from its rings in, batches of events out.

use super::{Outbox, RingState, Shared};
use crate::capture::af_packet::{wait, Ring};
use crate::quarantine;
use crate::reload::Edges;
use crate::stage_clock;
use crate::team::{lock, Member};
use crate::time::Timestamp;
use crate::worker::{Heartbeats, Worker};
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Events are handed over in batches of about this size, or after so long.
const BATCH_BYTES: usize = 256 * 1024;
const BATCH_TIME: Duration = Duration::from_millis(200);
/// Frames between two looks at the clock.
const TURN_FRAMES: usize = 512;
/// How long a wait for packets lasts at most, so that batches leave in time.
const WAIT_MILLISECONDS: i32 = 20;
/// How often counters are told.
const TELL_TIME: Duration = Duration::from_secs(1);
/// While no packet comes, packet time follows the clock at this distance: a packet that the kernel still holds is not older.
const IDLE_LAG: Duration = Duration::from_secs(1);
/// At the end: beyond the time in which the kernel hands over its last block.
const LAST_BLOCK: Duration = Duration::from_millis(50);

/// One ring of a worker.
pub struct Line {
    pub ring: Ring,
    pub interface: String,
    pub ring_bytes: u64,
    pub timeout: Duration,
}

pub struct Runner {
    worker: Worker,
    member: Member,
    lines: Vec<Line>,
    /// Where heartbeats of the sensor's own come in.
    heartbeat: Option<Ring>,
    shared: Arc<Shared>,
    outbox: Outbox,
    edges: Edges,
    begun: Instant,
    /// When events were last handed over, and counters told.
    flushed: Instant,
    told: Instant,
    /// Time spent waiting for packets since counters were told.
    waited: Duration,
}

impl Runner {
    pub fn new(
        worker: Worker,
        member: Member,
        (lines, heartbeat): (Vec<Line>, Option<Ring>),
        shared: &Arc<Shared>,
        outbox: Outbox,
        edges: Edges,
    ) -> Runner {
        let now = Instant::now();
        Runner {
            worker,
            member,
            lines,
            heartbeat,
            shared: Arc::clone(shared),
            outbox,
            edges,
            begun: now,
            flushed: now,
            told: now,
            waited: Duration::ZERO,
        }
    }

    /// Its rings on an interface.
    pub fn rings<'a>(&'a self, interface: &'a str) -> impl Iterator<Item = &'a Ring> {
        self.lines.iter().filter(move |line| line.interface == interface).map(|line| &line.ring)
    }

    pub fn heartbeat_ring(&self) -> Option<&Ring> {
        self.heartbeat.as_ref()
    }

    /// Until the capture is stopped; then what the rings hold goes through, and all flows end.
    pub fn run(mut self) {
        self.member.join();
        let mut sockets: Vec<libc::pollfd> = self
            .lines
            .iter()
            .map(|line| libc::pollfd { fd: line.ring.socket().fd(), events: libc::POLLIN, revents: 0 })
            .collect();
        let mut closing: Option<Instant> = None;
        loop {
            let frames = self.turn();
            self.edge();
            if closing.is_none() && self.shared.stop.load(Ordering::Relaxed) {
                self.shut();
                let last = self.lines.iter().map(|line| line.timeout).max().unwrap_or_default();
                closing = Some(Instant::now() + last * 2 + LAST_BLOCK);
            }
            if frames > 0 {
                continue;
            }
            if closing.is_some_and(|end| Instant::now() >= end) {
                break;
            }
            let before = Instant::now();
            wait(&mut sockets, WAIT_MILLISECONDS);
            self.waited += before.elapsed();
            self.idle();
            for (socket, line) in sockets.iter_mut().zip(&self.lines) {
                if socket.revents & (libc::POLLERR | libc::POLLHUP | libc::POLLNVAL) != 0 {
                    if let Some(error) = line.ring.socket().error() {
                        self.shared.warn(format!(
                            "{}: {error}: capture goes on when the interface is back (ip link set {0} up)",
                            line.interface
                        ));
                    }
                    // Such a socket is always ready: without this the loop would not rest.
                    std::thread::sleep(Duration::from_millis(WAIT_MILLISECONDS as u64));
                }
            }
        }
        self.finish();
    }

    /// Takes frames in the order of their time, as far as the rings have them; how many.
    fn turn(&mut self) -> usize {
        let mut frames = 0;
        while frames < TURN_FRAMES {
            let ring = match self.lines.as_mut_slice() {
                [only] => &mut only.ring,
                lines => {
                    let first = lines
                        .iter_mut()
                        .filter_map(|line| line.ring.peek().map(|ts| (ts, &mut line.ring)))
                        .min_by_key(|(ts, _)| *ts);
                    let Some((_, ring)) = first else { break };
                    ring
                }
            };
            let Some(frame) = ring.take() else { break };
            // What many flows that end at once leave stays one batch: the outbox takes a batch whole or not at all.
            self.worker.packet(&frame, 0, |_| ());
            frames += 1;
            if self.worker.pending_bytes() >= BATCH_BYTES {
                if let Some(batch) = self.worker.take_events() {
                    self.outbox.put(batch);
                }
            }
        }
        frames
    }

    /// The edge of a batch: no packet is in hand. Here events are handed over, counters told, and other rules taken.
    fn edge(&mut self) {
        if let Some(fresh) = self.edges.look_alone() {
            let retired = self.worker.take_rules(fresh);
            self.edges.took(retired);
        }
        self.worker.shed_at(self.shared.shed.load(Ordering::Relaxed));
        if let Some(ring) = &mut self.heartbeat {
            while let Some(frame) = ring.take() {
                self.worker.heartbeat(&frame);
            }
        }
        let now = Instant::now();
        if now.duration_since(self.flushed) >= BATCH_TIME {
            self.flushed = now;
            match self.worker.take_events() {
                Some(batch) => self.outbox.put(batch),
                None => self.outbox.pass_on(),
            }
        }
        if now.duration_since(self.told) >= TELL_TIME {
            self.tell(now);
        }
        // Once stopped, the last worker writes it.
        if self.member.number == 0 && !self.shared.stop.load(Ordering::Relaxed) {
            let wanted = lock(&self.shared.stats_wanted).take();
            if let Some(more) = wanted {
                self.write_stats(more);
            }
        }
    }

    fn write_stats(&mut self, more: Vec<(String, u64)>) {
        let mut counters = self.shared.counters();
        counters.extend(more);
        counters.sort();
        counters.dedup_by(|a, b| a.0 == b.0);
        let uptime = self.begun.elapsed().as_secs();
        self.worker.stats(uptime, &counters, self.edges.facts());
    }

    fn tell(&mut self, now: Instant) {
        let mut counters = self.worker.counters();
        for (name, value) in [
            ("haidang.event_queue.lost_logs", self.outbox.lost_logs),
            ("haidang.event_queue.lost_others", self.outbox.lost_others),
        ] {
            counters.push((name.to_owned(), value));
        }
        let shed = self.worker.shed();
        for (name, value) in [
            ("bypassed_flows", shed.bypassed_flows),
            ("unparsed_flows", shed.unparsed_flows),
            ("dropped_packets", shed.dropped_packets),
        ] {
            counters.push((format!("haidang.shed.{name}"), value));
        }
        if self.heartbeat.is_some() {
            let Heartbeats { frames, decoded, matched } = self.worker.heartbeats;
            for (name, value) in [("frames", frames), ("decoded", decoded), ("matched", matched)] {
                counters.push((format!("haidang.heartbeat.{name}"), value));
            }
        }
        let rings = self.lines.iter_mut().map(|line| RingState {
            interface: line.interface.clone(),
            worker: self.member.number,
            counts: line.ring.counts(),
            ring_bytes: line.ring_bytes,
        });
        let whole = now.duration_since(self.told).as_millis().max(1);
        let busy = 1000u128.saturating_sub(self.waited.as_millis().saturating_mul(1000) / whole);
        if let Some(told) = self.shared.told.get(self.member.number) {
            let mut told = lock(told);
            told.rings = rings.collect();
            told.counters = counters;
            told.busy_permille = busy as u64;
            told.at = Some(now);
        }
        if self.member.number == 0 {
            self.shared.read_left_out();
        }
        self.told = now;
        self.waited = Duration::ZERO;
    }

    fn idle(&mut self) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let past = now.saturating_sub(IDLE_LAG);
        self.worker.idle(Timestamp::from_parts(past.as_secs(), past.subsec_nanos().into()));
    }

    /// Lets nothing in any more.
    fn shut(&self) {
        for line in &self.lines {
            if let Err(what) = line.ring.socket().close_filter() {
                self.shared.warn(format!("{}: {what}", line.interface));
            }
        }
        if self.member.number == 0 {
            lock(&self.shared.interfaces).iter().for_each(|open| open.end());
        }
    }

    /// Ends all flows; the last worker to come here writes the last stats event.
    fn finish(mut self) {
        let outbox = &mut self.outbox;
        self.worker.finish(|worker| {
            if worker.pending_bytes() >= BATCH_BYTES {
                if let Some(batch) = worker.take_events() {
                    outbox.put(batch);
                    outbox.wait();
                }
            }
        });
        self.tell(Instant::now());
        lock(&self.shared.quarantined).append(&mut self.worker.quarantine);
        let last = {
            let mut running = lock(&self.shared.running);
            *running = running.saturating_sub(1);
            *running == 0
        };
        if last {
            self.shared.read_left_out();
            let more = lock(&self.shared.stats_wanted).take().unwrap_or_default();
            self.write_stats(more);
            self.write_quarantine();
        }
        if let Some(batch) = self.worker.take_events() {
            self.outbox.put(batch);
        }
        self.outbox.wait();
        stage_clock::take();
    }

    fn write_quarantine(&self) {
        let packets = std::mem::take(&mut *lock(&self.shared.quarantined));
        quarantine::keep(&self.shared.quarantine, &packets)
            .into_iter()
            .for_each(|told| self.shared.warn(told));
    }
}
