//! A new ruleset under running workers. It is made ready beside them, and all take it before one and the same frame, so that
//! events do not depend on how many they are (docs/adr/0006).

use crate::app::driver::Driver;
use crate::detect::carry::Carry;
use crate::detect::ruleset::{Counts, Ruleset};
use crate::detect::run::Detector;
use crate::files::FileStage;
use crate::team::lock;
use crate::time::Timestamp;
use serde_json::Value;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

/// Workers look for a new ruleset once in so many frames.
const EDGE_FRAMES: u64 = 16;

/// What one worker needs to go on with other rules.
pub struct Fresh {
    pub rules: Arc<Ruleset>,
    pub carry: Arc<Carry>,
    pub detector: Detector,
    pub driver: Driver,
    pub files: FileStage,
}

/// What a worker let go; it is freed off its thread.
pub struct Retired {
    pub rules: Arc<Ruleset>,
    pub carry: Arc<Carry>,
    pub detector: Detector,
}

struct Plan {
    rules: Arc<Ruleset>,
    /// The frame before which all take it; None: no worker was at an edge yet.
    edge: Option<u64>,
    /// By worker.
    fresh: Vec<Option<Fresh>>,
}

struct Inner {
    current: Arc<Ruleset>,
    plan: Option<Plan>,
    /// The furthest edge that any worker was at.
    furthest: u64,
    retired: Vec<Retired>,
    done: u64,
    /// When the last reload was in force everywhere.
    reloaded: Option<Timestamp>,
}

/// The rules in force, for the stats event.
#[derive(Clone, Copy, Debug)]
pub struct EngineFacts {
    pub rules: Counts,
    /// None: since the first packet.
    pub reloaded: Option<Timestamp>,
}

/// The place where new rulesets are handed over.
pub struct Handover {
    workers: usize,
    inner: Mutex<Inner>,
    /// Held by whoever frees what was retired.
    freeing: Mutex<()>,
}

/// One worker's way to look there.
pub struct Edges {
    handover: Arc<Handover>,
    worker: usize,
    next: u64,
}

impl Handover {
    pub fn new(rules: &Arc<Ruleset>, workers: usize) -> Handover {
        let current = Arc::clone(rules);
        let inner = Inner { current, plan: None, furthest: 0, retired: Vec::new(), done: 0, reloaded: None };
        Handover { workers, inner: Mutex::new(inner), freeing: Mutex::default() }
    }

    pub fn edges(self: &Arc<Self>, worker: usize) -> Edges {
        Edges { handover: Arc::clone(self), worker, next: 0 }
    }

    /// Makes `rules` ready for every worker and offers them. Error: those offered before are not taken yet, or libhs failed;
    /// the old ones stay. To be called on a thread that may take its time.
    pub fn offer(&self, document: &Value, rules: &Arc<Ruleset>) -> Result<(), String> {
        let old = {
            let inner = lock(&self.inner);
            if inner.plan.is_some() {
                return Err("the rules of the reload before are not in force yet".to_owned());
            }
            Arc::clone(&inner.current)
        };
        let fresh: Result<Vec<_>, String> = {
            let carry = Arc::new(Carry::new(&old, rules));
            (0..self.workers).map(|_| Fresh::new(document, rules, &carry).map(Some)).collect()
        };
        let fresh = fresh?;
        rules.adopt_datasets(&old);
        let mut inner = lock(&self.inner);
        if inner.plan.is_some() {
            return Err("another reload came between".to_owned());
        }
        inner.plan = Some(Plan { rules: Arc::clone(rules), edge: None, fresh });
        Ok(())
    }

    /// Reloads that all workers have taken, and whether one is under way.
    pub fn state(&self) -> (u64, bool) {
        let inner = lock(&self.inner);
        (inner.done, inner.plan.is_some())
    }

    /// The ruleset that all workers have.
    pub fn current(&self) -> Arc<Ruleset> {
        Arc::clone(&lock(&self.inner).current)
    }

    /// The rules came into force now, by the clock.
    pub fn begin(&self) {
        lock(&self.inner).reloaded = Some(now());
    }

    /// What is known of it; None: nobody told what became of its rules.
    pub fn facts(&self) -> Option<EngineFacts> {
        let inner = lock(&self.inner);
        inner.current.counts.get().map(|rules| EngineFacts { rules: *rules, reloaded: inner.reloaded })
    }

    /// Frees what workers let go, and saves those data sets that no rule has any more; what went wrong. When it returns nobody
    /// is freeing it any more.
    pub fn clear(&self) -> Vec<String> {
        let _freeing = lock(&self.freeing);
        let (retired, current) = {
            let mut inner = lock(&self.inner);
            if inner.plan.is_some() || inner.retired.is_empty() {
                // Until the last worker let go there is nothing to gain.
                return Vec::new();
            }
            (std::mem::take(&mut inner.retired), Arc::clone(&inner.current))
        };
        retired.first().map_or_else(Vec::new, |old| old.rules.save_datasets_without(&current))
    }

    fn at_edge(&self, worker: usize, frame: u64) -> Option<Fresh> {
        let mut inner = lock(&self.inner);
        let first = frame > inner.furthest;
        inner.furthest = inner.furthest.max(frame);
        let plan = inner.plan.as_mut()?;
        if plan.edge.is_none() && first {
            plan.edge = Some(frame);
        }
        plan.edge.filter(|edge| frame >= *edge)?;
        plan.fresh.get_mut(worker)?.take()
    }

    fn at_any_time(&self, worker: usize) -> Option<Fresh> {
        lock(&self.inner).plan.as_mut()?.fresh.get_mut(worker)?.take()
    }

    fn took(&self, retired: Retired) {
        let mut inner = lock(&self.inner);
        inner.retired.push(retired);
        if inner.plan.as_ref().is_some_and(|plan| plan.fresh.iter().all(Option::is_none)) {
            if let Some(plan) = inner.plan.take() {
                inner.current = plan.rules;
                inner.done = inner.done.saturating_add(1);
                inner.reloaded = Some(now());
            }
        }
    }
}

fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_parts(now.as_secs(), now.subsec_nanos().into())
}

impl Edges {
    /// Before a frame: the rules to take, if it is time for new ones.
    #[inline]
    pub fn look(&mut self, frame: u64) -> Option<Fresh> {
        if frame < self.next {
            return None;
        }
        self.next = (frame / EDGE_FRAMES).saturating_add(1).saturating_mul(EDGE_FRAMES);
        self.handover.at_edge(self.worker, frame)
    }

    /// The rules to take, if there are new ones, for workers that have no frames in common.
    pub fn look_alone(&self) -> Option<Fresh> {
        self.handover.at_any_time(self.worker)
    }

    pub fn took(&self, retired: Retired) {
        self.handover.took(retired);
    }

    /// See `Handover::facts`.
    pub fn facts(&self) -> Option<EngineFacts> {
        self.handover.facts()
    }
}

impl Fresh {
    pub fn new(document: &Value, rules: &Arc<Ruleset>, carry: &Arc<Carry>) -> Result<Fresh, String> {
        let config = crate::config::Config::new(document)?;
        Ok(Fresh {
            detector: Detector::new(rules, config.alerts_per_packet)?,
            driver: Driver::new(document, &rules.inspected()),
            files: FileStage::new(document, rules.files),
            rules: Arc::clone(rules),
            carry: Arc::clone(carry),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::compile::{compile, Earlier};
    use crate::detect::raw::RawRulesBuilder;

    fn rules() -> Arc<Ruleset> {
        let raw = RawRulesBuilder::default().finish();
        Arc::new(compile(&Value::Null, raw, false, Earlier::NOTHING).unwrap().0.ruleset)
    }

    fn retired(fresh: Fresh) -> Retired {
        Retired { rules: fresh.rules, carry: fresh.carry, detector: fresh.detector }
    }

    #[test]
    fn all_take_them_at_the_first_edge_where_nobody_was() {
        let old = rules();
        let handover = Arc::new(Handover::new(&old, 2));
        let (mut ahead, mut behind) = (handover.edges(0), handover.edges(1));
        assert!((1..=40).all(|frame| ahead.look(frame).is_none()));
        assert!((1..=20).all(|frame| behind.look(frame).is_none()));
        let new = rules();
        handover.offer(&Value::Null, &new).unwrap();
        assert!(handover.offer(&Value::Null, &new).is_err(), "one at a time");
        assert!((21..48).all(|frame| behind.look(frame).is_none()), "the other was at 32 already");
        let fresh = behind.look(48).unwrap();
        behind.took(retired(fresh));
        assert_eq!(handover.state(), (0, true));
        assert!((41..48).all(|frame| ahead.look(frame).is_none()));
        let fresh = ahead.look(48).unwrap();
        ahead.took(retired(fresh));
        assert_eq!(handover.state(), (1, false));
        assert!(Arc::ptr_eq(&handover.current(), &new));
        assert!((49..200).all(|frame| ahead.look(frame).is_none()), "once");
    }

    #[test]
    fn workers_apart_take_them_when_they_look() {
        let handover = Arc::new(Handover::new(&rules(), 2));
        let workers = [handover.edges(0), handover.edges(1)];
        assert!(workers.iter().all(|edges| edges.look_alone().is_none()));
        handover.offer(&Value::Null, &rules()).unwrap();
        for (done, edges) in (0..).zip(&workers) {
            assert_eq!(handover.state(), (0, true), "{done} have it");
            edges.took(retired(edges.look_alone().unwrap()));
            assert!(edges.look_alone().is_none());
        }
        assert_eq!(handover.state(), (1, false));
    }
}
