//! The line: one worker takes a frame through every stage. It owns all its state; only the ruleset is shared.

mod heartbeat;
mod shed;
mod stages;
mod zones;

pub use heartbeat::Heartbeats;
pub use shed::Shed;

use crate::app::driver::Driver;
use crate::app::frames::FrameChoice;
use crate::capture::Frame;
use crate::decode::{Decoder, Packet};
use crate::detect::ruleset::Ruleset;
use crate::detect::run::Detector;
use crate::detect::watch::Watch;
use crate::dispatch::Dispatch;
use crate::event::stats::Engine;
use crate::event::{Batch, EveConfig, Events};
use crate::files::FileStage;
use crate::flow::{FlowIndex, FlowKey, FlowTable, Tracking};
use crate::reload::{EngineFacts, Fresh, Retired};
use crate::setting;
use crate::stage_clock::{self, lap, Stage};
use crate::stream::Streams;
use crate::team::Member;
use crate::time::Timestamp;
use stages::Stages;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;

/// Frames kept for the quarantine capture; the first ones tell the story.
const QUARANTINE_MAX: usize = 64;

/// A frame on which a stage failed.
pub struct Quarantined {
    pub number: u64,
    pub ts: Timestamp,
    pub link_type: u16,
    pub wire_len: u32,
    pub data: Vec<u8>,
}

/// One worker.
pub struct Worker {
    decoder: Decoder,
    flows: FlowTable,
    stages: Stages,
    first: Option<Timestamp>,
    now: Timestamp,
    /// The flow in hand, for the case that a stage fails.
    in_hand: Option<FlowIndex>,
    /// None: no other worker sees these frames.
    team: Option<Place>,
    panics: u64,
    pub heartbeats: Heartbeats,
    pub quarantine: Vec<Quarantined>,
}

/// The worker among others.
struct Place {
    member: Member,
    dispatch: Dispatch,
    tracking: Tracking,
}

impl Worker {
    /// `document` is the engine's configuration document.
    pub fn new(document: &serde_json::Value, rules: Arc<Ruleset>, member: &Member) -> Result<Worker, String> {
        if setting::switch(&document["haidang"]["stage-times"]) == Some(true) {
            stage_clock::start();
        }
        let config = crate::config::Config::new(document)?;
        let files = FileStage::new(document, rules.files);
        let mut events = Events::new(EveConfig::new(document), Arc::clone(&rules.names));
        events.keep_file_records = files.keeps_records();
        let mut driver = Driver::new(document, &rules.inspected());
        driver.frames = if events.config.frame { FrameChoice::all() } else { rules.frame.choice().clone() };
        let team = (!member.is_alone()).then(|| Place {
            member: member.clone(),
            dispatch: Dispatch::new(member.team().workers(), &config.decode, &member.team().seen),
            tracking: config.flow.tracking(),
        });
        Ok(Worker {
            team,
            decoder: Decoder::new(config.decode),
            // Replays must agree from run to run, so the keys of the tables come from the configuration.
            flows: FlowTable::new(config.flow, config.hash_keys, config.flow_id_seed),
            stages: Stages {
                detector: Detector::new(&rules, config.alerts_per_packet)?,
                streams: Streams::new(config.stream),
                driver,
                files,
                events,
                rules,
                shed: Shed::default(),
                zones: zones::Zones::new(document),
            },
            first: None,
            now: Timestamp::default(),
            in_hand: None,
            panics: 0,
            heartbeats: Heartbeats::default(),
            quarantine: Vec::new(),
        })
    }

    /// Takes one frame through the line. A stage that fails costs its flow and this frame, nothing else. `written` is called
    /// after each flow that ends first, as thousands may, and after the frame: events need not pile up.
    pub fn packet(&mut self, frame: &Frame<'_>, number: u64, written: impl FnMut(&mut Worker)) {
        self.packet_of(frame, number, None, written);
    }

    /// The same among others: takes what is this worker's of it. `whose`: see `Dispatch::of_frame`.
    #[inline]
    pub fn packet_of(
        &mut self,
        frame: &Frame<'_>,
        number: u64,
        whose: Option<u16>,
        mut written: impl FnMut(&mut Worker),
    ) {
        self.first.get_or_insert(frame.ts);
        self.now = self.now.max(frame.ts);
        let whose = whose.filter(|_| !self.decoder.is_undecided());
        let is_others = self.team.as_ref().zip(whose).is_some_and(|(place, worker)| !place.is(worker));
        if !is_others {
            self.guarded(frame, number, |worker| worker.line(frame, number, whose, &mut written));
        } else if self.flows.has_ended() || self.flows.is_due(self.now) {
            // Here it is only that much later.
            self.guarded(frame, number, |worker| worker.end_flows(&mut written));
        }
        if let Some(place) = &self.team {
            place.member.done(number);
        }
        written(self);
    }

    fn guarded(&mut self, frame: &Frame<'_>, number: u64, work: impl FnOnce(&mut Worker)) {
        if catch_unwind(AssertUnwindSafe(|| work(self))).is_err() {
            self.failed(frame, number);
        }
    }

    /// Goes on with other rules, in the middle of everything: what flows bear goes on too. To be called between frames.
    pub fn take_rules(&mut self, fresh: Fresh) -> Retired {
        let Fresh { rules, carry, mut detector, driver, files } = fresh;
        self.flows.each_mut(|flow| carry.flow(flow));
        let stages = &mut self.stages;
        detector.follow(&mut stages.detector);
        stages.driver.configure_as(driver);
        if !stages.events.config.frame {
            stages.driver.frames = rules.frame.choice().clone();
        }
        stages.files.ask(files);
        stages.events.name_as(&rules.names);
        let detector = std::mem::replace(&mut stages.detector, detector);
        Retired { rules: std::mem::replace(&mut stages.rules, rules), carry, detector }
    }

    fn line(
        &mut self,
        frame: &Frame<'_>,
        number: u64,
        whose: Option<u16>,
        written: &mut impl FnMut(&mut Worker),
    ) {
        lap(Stage::Capture);
        self.end_flows(written);
        let Worker { decoder, flows, stages, in_hand, team, .. } = self;
        let Some(place) = team else {
            return decoder.frame(frame, number, |packet| take(flows, stages, in_hand, packet));
        };
        let mut step = 0;
        match whose {
            Some(_) => {
                place.member.at(number, step);
                decoder.frame(frame, number, |packet| take(flows, stages, in_hand, packet));
            }
            None => {
                // All decode it, one counts it, and each packet in it has its own worker.
                decoder.count(place.member.number == 0);
                decoder.frame(frame, number, |packet| {
                    place.member.at(number, step);
                    step += 1;
                    if place.has(packet, flows) {
                        take(flows, stages, in_hand, packet);
                    }
                });
                decoder.count(true);
            }
        }
    }

    /// Ends the flows whose time is over by now.
    #[inline]
    fn end_flows(&mut self, written: &mut impl FnMut(&mut Worker)) {
        self.flows.expire(self.now);
        lap(Stage::Flow);
        self.flows.sort_ended();
        while let Some((index, born)) = self.flows.next_ended() {
            self.reap_one(index, born);
            written(self);
        }
    }

    fn reap_one(&mut self, index: FlowIndex, born: u64) {
        if let Some(place) = &self.team {
            place.member.ending(born);
        }
        self.in_hand = Some(index);
        if let Some(flow) = self.flows.get_mut(index) {
            self.stages.end(flow);
        }
        self.flows.release(index);
        self.in_hand = None;
        lap(Stage::Flow);
    }

    /// Ends every flow: nothing more will come. `written` is called after each, so that events need not pile up.
    pub fn finish(&mut self, mut written: impl FnMut(&mut Worker)) {
        if let Some(place) = &self.team {
            place.member.last();
        }
        self.flows.drain();
        while let Some((index, born)) = self.flows.next_ended() {
            if catch_unwind(AssertUnwindSafe(|| self.reap_one(index, born))).is_err() {
                self.forget_in_hand();
            }
            written(self);
        }
    }

    /// Nothing more comes of it, as all know: has every alert decided that still waits for others.
    pub fn decide_alerts(&mut self) {
        self.stages.events.decide(true);
    }

    /// Nothing came until `now`: flows that have timed out end.
    pub fn idle(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        if catch_unwind(AssertUnwindSafe(|| self.end_flows(&mut |_| ()))).is_err() {
            self.forget_in_hand();
        }
    }

    /// A stage failed on a flow that ends.
    #[cold]
    fn forget_in_hand(&mut self) {
        self.panics = self.panics.saturating_add(1);
        if let Some(index) = self.in_hand.take() {
            self.flows.forget(index);
        }
    }

    #[cold]
    fn failed(&mut self, frame: &Frame<'_>, number: u64) {
        self.decoder.count(true);
        self.forget_in_hand();
        if self.quarantine.len() < QUARANTINE_MAX {
            self.quarantine.push(Quarantined {
                number,
                ts: frame.ts,
                link_type: frame.link_type,
                wire_len: frame.wire_len,
                data: frame.data.to_vec(),
            });
        }
    }

    /// Has detection looked on at.
    pub fn watch_with(&mut self, watch: Box<dyn Watch>) {
        self.stages.detector.watch = Some(watch);
    }

    /// What was seen; nobody looks on any more.
    pub fn end_watch(&mut self) -> serde_json::Value {
        let watch = self.stages.detector.watch.take();
        watch.map_or(serde_json::Value::Null, |mut watch| watch.report(&self.stages.rules))
    }

    /// How much to leave out from now on while memory is short: 0 (nothing) to 3.
    pub fn shed_at(&mut self, level: u8) {
        self.stages.shed.level = level;
    }

    /// What was left out.
    pub fn shed(&self) -> Shed {
        self.stages.shed
    }

    /// Takes the events written since the last call.
    pub fn take_events(&mut self) -> Option<Batch> {
        self.stages.events.decide(false);
        self.stages.events.take()
    }

    /// Bytes of events waiting.
    pub fn pending_bytes(&self) -> usize {
        self.stages.events.pending_bytes()
    }

    /// Writes the stats event from counters that may be those of several workers.
    pub fn stats(&mut self, uptime_seconds: u64, counters: &[(String, u64)], facts: Option<EngineFacts>) {
        let (now, first) = (self.now, self.started());
        let engine =
            facts.map(|facts| Engine { rules: facts.rules, reloaded: facts.reloaded.unwrap_or(first) });
        self.stages.events.stats(now, uptime_seconds, counters, engine);
    }

    /// The frames that come now are from this capture file.
    pub fn set_file(&mut self, name: &Arc<str>) {
        if self.stages.events.config.pcap_file {
            self.stages.events.pcap_file = Some(Arc::clone(name));
        }
    }

    /// Packet time of the first frame.
    pub fn started(&self) -> Timestamp {
        self.first.unwrap_or_default()
    }

    /// Packet time of the newest frame.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Every counter by its dotted name.
    pub fn counters(&self) -> Vec<(String, u64)> {
        let mut all = Vec::new();
        let mut put = |name: &str, value: u64| all.push((name.to_owned(), value));
        self.decoder.counters().for_each(&mut put);
        self.flows.counters.for_each(&mut put);
        self.stages.streams.counters.for_each(&mut put);
        self.stages.zones.for_each(&mut put);
        let app = &self.stages.driver.counters;
        for (kind, what, counts) in [
            ("flow", "", &app.flows),
            ("tx", "", &app.txs),
            ("error", ".gap", &app.gaps),
            ("error", ".parser", &app.parser_errors),
        ] {
            for (protocol, [tcp, udp]) in crate::app::PROTOCOLS.iter().zip(counts) {
                let name = protocol.name;
                match (protocol.tcp, protocol.udp) {
                    (true, true) => {
                        put(&format!("app_layer.{kind}.{name}_tcp{what}"), *tcp);
                        put(&format!("app_layer.{kind}.{name}_udp{what}"), *udp);
                    }
                    _ => put(&format!("app_layer.{kind}.{name}{what}"), tcp.saturating_add(*udp)),
                }
            }
        }
        let given_up = app.parser_errors.iter().flatten().sum();
        put("haidang.parser_errors", given_up);
        put("app_layer.flow.failed_tcp", app.failed[0]);
        put("app_layer.flow.failed_udp", app.failed[1]);
        let detect = &self.stages.detector.counters;
        let (passed, held) = self.stages.events.late_alerts();
        put("detect.alert", detect.alerts.saturating_add(passed));
        put("detect.alert_queue_overflow", detect.alert_queue_overflow);
        put("detect.alerts_suppressed", detect.alerts_suppressed.saturating_add(held));
        put("detect.candidates", detect.candidates);
        let scripts = self.stages.detector.script_counters();
        put("detect.lua.errors", scripts.errors);
        put("detect.lua.blocked_function_errors", scripts.blocked_function_errors);
        put("detect.lua.instruction_limit_errors", scripts.instruction_limit_errors);
        put("detect.lua.memory_limit_errors", scripts.memory_limit_errors);
        put("haidang.scan_failures", self.stages.detector.scan_failures());
        let files = self.stages.files.counters();
        put("file_store.fs_errors", files.fs_errors);
        put("http.byterange.memuse", files.byterange_memuse);
        put("http.byterange.memcap", files.byterange_memcap);
        put("haidang.panics", self.panics);
        all
    }
}

impl Place {
    #[inline]
    fn is(&self, worker: u16) -> bool {
        usize::from(worker) == self.member.number
    }

    /// Whether the packet is this worker's: it goes by its addresses, and an ICMP error to the flow it is about if there is one.
    fn has(&self, packet: &Packet<'_>, flows: &FlowTable) -> bool {
        let own = self.member.number;
        let by_addresses = self.dispatch.of_packet(packet);
        if let Some((key, ..)) = FlowKey::quoted(packet, self.tracking) {
            let (a, b) = key.addresses();
            let by_quote = self.dispatch.of_pair(a, b);
            if by_quote != by_addresses && by_quote == own {
                let takes = flows.has_quoted(packet);
                if takes {
                    self.member.take_quoted();
                }
                return takes;
            }
            if by_quote != by_addresses && by_addresses == own {
                return !(self.dispatch.may_have_seen(a, b) && self.member.is_quoted());
            }
        }
        by_addresses == own
    }
}

/// A packet of its own.
#[inline]
fn take(
    flows: &mut FlowTable,
    stages: &mut Stages,
    in_hand: &mut Option<FlowIndex>,
    packet: &mut Packet<'_>,
) {
    lap(Stage::Decode);
    *in_hand = None;
    if stages.leaves_out(packet, flows) {
        return;
    }
    match flows.find_or_create(packet) {
        Some((index, dir, is_new)) => {
            *in_hand = Some(index);
            if let Some(flow) = flows.get_mut(index) {
                lap(Stage::Flow);
                stages.packet(flow, packet, dir);
                if is_new && stages.shed.level >= shed::PARSING {
                    stages.shed_parsing(flow);
                }
            }
            flows.packet_done(index);
            lap(Stage::Flow);
        }
        None => stages.lone_packet(packet),
    }
}
