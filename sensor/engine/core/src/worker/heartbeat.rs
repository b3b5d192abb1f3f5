//! The sensor's own packet through the line.

use super::Worker;
use crate::capture::Frame;
use std::panic::{catch_unwind, AssertUnwindSafe};

/// The sensor's own packets, by how far they came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heartbeats {
    pub frames: u64,
    pub decoded: u64,
    pub matched: u64,
}

impl Worker {
    /// Takes a frame of the sensor's own through the line, to prove it: no event but the heartbeat's comes of it, and no counter
    /// of traffic knows of it.
    pub fn heartbeat(&mut self, frame: &Frame<'_>) {
        self.heartbeats.frames = self.heartbeats.frames.saturating_add(1);
        let stages = &self.stages;
        let (detected, failed) = (stages.detector.counters, stages.driver.counters.failed);
        self.decoder.count(false);
        if catch_unwind(AssertUnwindSafe(|| self.prove(frame))).is_err() {
            self.stages.events.forget_heartbeat();
            self.failed(frame, 0);
        }
        self.decoder.count(true);
        self.stages.detector.counters = detected;
        self.stages.driver.counters.failed = failed;
    }

    fn prove(&mut self, frame: &Frame<'_>) {
        let Worker { decoder, flows, stages, in_hand, heartbeats, .. } = self;
        decoder.frame(frame, 0, |packet| {
            heartbeats.decoded = heartbeats.decoded.saturating_add(1);
            let counted = flows.counters.clone();
            let Some((index, dir, true)) = flows.find_or_create(packet) else { return };
            *in_hand = Some(index);
            if let Some(flow) = flows.get_mut(index) {
                let place = stages.events.begin_heartbeat();
                stages.packet(flow, packet, dir);
                let matched = stages.events.end_heartbeat(&place, packet);
                heartbeats.matched = heartbeats.matched.saturating_add(matched.into());
            }
            flows.packet_done(index);
            flows.forget(index);
            *in_hand = None;
            if flows.counters.memcap == counted.memcap {
                flows.counters = counted;
            }
        });
    }
}
