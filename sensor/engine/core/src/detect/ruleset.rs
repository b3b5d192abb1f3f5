//! The compiled ruleset: rules in evaluation order, grouped so that traffic meets only rules that can match it.
//!
//! Immutable once built and shared by every worker. The groups for packets and streams are in `packet_groups`, those for
//! transactions in `tx_groups`, those for frames in `frame_groups`.

use super::buffers;
use super::dataset::Dataset;
use super::frame_groups::FrameGroups;
use super::gate::Gate;
use super::names::Names;
use super::packet_groups::PacketGroups;
use super::prefilter::ScanState;
use super::rule::{Action, Rule, Target};
use super::tx_groups::TxGroups;
use crate::app::digest::FileWants;
use crate::json::JsonWriter;
use std::collections::HashSet;
use std::sync::Arc;

/// Rules with their prefilters.
pub struct Ruleset {
    pub rules: Vec<Rule>,
    /// By rule number.
    pub gates: Vec<Gate>,
    /// Members of EVE's `alert` object that never change, by rule number.
    pub alert_json: Vec<Box<[u8]>>,
    pub packet: PacketGroups,
    pub tx: TxGroups,
    pub frame: FrameGroups,
    /// What the rules ask of files.
    pub files: FileWants,
    /// What events call flowbits and variables.
    pub names: Arc<Names>,
    pub datasets: Vec<Arc<Dataset>>,
    /// Some rule tags hosts.
    pub tags_hosts: bool,
}

impl Ruleset {
    /// Orders and groups rules. Errors come from libhs alone (out of memory, an impossible pattern) and name the group.
    pub fn build(mut rules: Vec<Rule>, names: Names, datasets: Vec<Arc<Dataset>>) -> Result<Ruleset, String> {
        order(&mut rules);
        let packet = PacketGroups::build(&rules)?;
        let tx = TxGroups::build(&rules)?;
        let frame = FrameGroups::build(&rules)?;
        let gates = rules.iter().map(Gate::new).collect();
        let alert_json = rules.iter().map(alert_json).collect();
        let tags_hosts = rules.iter().flat_map(|rule| &rule.tags).any(|tag| tag.host_src.is_some());
        Ok(Ruleset {
            rules,
            gates,
            alert_json,
            packet,
            tx,
            frame,
            files: FileWants::default(),
            names: Arc::new(names),
            datasets,
            tags_hosts,
        })
    }

    /// Makes a worker's scan memory fit every prefilter.
    pub fn fit(&self, scan: &mut ScanState) -> Result<(), String> {
        for prefilter in self.packet.prefilters().chain(self.tx.prefilters()).chain(self.frame.prefilters()) {
            prefilter.fit(&mut scan.scratch)?;
        }
        Ok(())
    }

    /// Names of the sticky buffers that rules look at.
    pub fn inspected(&self) -> HashSet<&'static str> {
        let targets = self.rules.iter().flat_map(|rule| &rule.buffers).map(|b| &b.target);
        let looked_at = targets.filter_map(|target| match target {
            Target::App(number) => buffers::all().get(usize::from(*number)).map(|entry| entry.name),
            _ => None,
        });
        looked_at.chain(self.rules.iter().flat_map(|rule| &rule.asked).copied()).collect()
    }

    /// Writes the data sets that are kept from run to run; what went wrong.
    pub fn save_datasets(&self) -> Vec<String> {
        self.datasets.iter().filter_map(|set| set.save().err()).collect()
    }

    pub fn rule(&self, number: u32) -> Option<&Rule> {
        self.rules.get(number as usize)
    }
}

/// Evaluation order (Suricata manual, "Action-order" and rule ordering): pass, drop, reject, alert; rules that set flowbits
/// before those that read them; priority; then the order of loading.
fn order(rules: &mut [Rule]) {
    let action = |a: Action| match a {
        Action::Pass => 0,
        Action::Drop => 1,
        Action::Reject => 2,
        Action::Alert => 3,
    };
    let bits = |r: &Rule| match (r.bits_set.is_empty(), r.bits_read.is_empty()) {
        (false, true) => 0,
        (false, false) => 1,
        (true, false) => 2,
        (true, true) => 3,
    };
    rules.sort_by_key(|r| (action(r.action), bits(r), r.priority));
    for (number, rule) in (0u32..).zip(rules.iter_mut()) {
        rule.number = number;
    }
}

fn alert_json(rule: &Rule) -> Box<[u8]> {
    let mut out = JsonWriter::new();
    // The sensor is passive: nothing is ever blocked. What the rule wanted stands beside the alert.
    out.str("action", "allowed");
    out.uint("gid", u64::from(rule.gid));
    out.uint("signature_id", u64::from(rule.sid));
    out.uint("rev", u64::from(rule.rev));
    out.str("signature", &rule.msg);
    out.str("category", &rule.class_description);
    out.uint("severity", u64::from(rule.priority));
    if !rule.metadata.is_empty() {
        out.open_object("metadata");
        let mut done: Vec<&str> = Vec::new();
        for (key, _) in &rule.metadata {
            if done.contains(&key.as_str()) {
                continue;
            }
            done.push(key);
            out.open_array(key);
            for (_, value) in rule.metadata.iter().filter(|(k, _)| k == key) {
                out.item_str(value);
            }
            out.close_array();
        }
        out.close();
    }
    out.take().into_boxed_slice()
}
