//! The compiled ruleset: rules in evaluation order, grouped so that traffic meets only rules that can match it.
//!
//! Immutable once built and shared by every worker. The groups for packets and streams are in `packet_groups`, those for
//! transactions in `tx_groups`, each once for the ends that a packet may have; those for frames are in `frame_groups`.

use super::buffers;
use super::compile::Earlier;
use super::databases::{Compiled, Databases, Digest};
use super::dataset::Dataset;
use super::effects::Action;
use super::ends::{Ends, Guarded};
use super::frame_groups::FrameGroups;
use super::gate::Gate;
use super::hs::Database;
use super::names::Names;
use super::packet_groups::PacketGroups;
use super::parallel;
use super::places::Places;
use super::prefilter::{Prefilter, ScanState};
use super::rule::{Rule, Target};
use super::tx_groups::TxGroups;
use crate::app::digest::FileWants;
use crate::decode::Packet;
use crate::json::JsonWriter;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

/// Rules with their prefilters.
pub struct Ruleset {
    pub rules: Vec<Rule>,
    /// By rule number.
    pub gates: Vec<Gate>,
    /// See `alert_json`, by rule number; written when the rule first alerts.
    alert_json: Vec<OnceLock<Box<[u8]>>>,
    guarded: Guarded,
    groups: Vec<Groups>,
    /// Which of them packets meet, by the number of their ends.
    group_of: [usize; Ends::COUNT],
    pub frame: FrameGroups,
    /// What the rules ask of files.
    pub files: FileWants,
    /// What events call flowbits and variables.
    pub names: Arc<Names>,
    pub datasets: Vec<Arc<Dataset>>,
    /// By what is in them, for a ruleset that comes after this one.
    databases: HashMap<Digest, Database>,
    /// Some rule tags hosts.
    pub tags_hosts: bool,
    /// Some rule runs a script, which may ask whether its flow has alerted.
    pub runs_scripts: bool,
    /// What became of the rules it was made from, once somebody has told.
    pub counts: OnceLock<Counts>,
}

/// The groups of the rules that certain ends can match.
pub struct Groups {
    pub packet: PacketGroups,
    pub tx: TxGroups,
}

impl Groups {
    fn prefilters(&self) -> impl Iterator<Item = &Prefilter> {
        self.packet.prefilters().chain(self.tx.prefilters())
    }
}

/// What became of the rules.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    pub loaded: u64,
    pub failed: u64,
    pub skipped: u64,
}

impl Ruleset {
    /// Orders and groups rules; beside the ruleset come its databases. Errors come from libhs alone.
    pub fn build(
        mut rules: Vec<Rule>,
        names: Names,
        datasets: Vec<Arc<Dataset>>,
        earlier: Earlier<'_>,
    ) -> Result<(Ruleset, Compiled), String> {
        order(&mut rules);
        let databases = Databases::default();
        let guarded = Guarded::by(&rules);
        let known = |patterns: &Digest| earlier.database(patterns);
        let mut compiled = None;
        if parallel::is_sparing() {
            // libhs takes much for a while: before the groups take theirs.
            drop((grouped(&rules, &guarded, &databases), FrameGroups::build(&rules, &databases)));
            parallel::step_done();
            compiled = Some(databases.compile(&known)?);
        }
        let (groups, group_of) = grouped(&rules, &guarded, &databases);
        let frame = FrameGroups::build(&rules, &databases);
        let gates = rules.iter().map(Gate::new).collect();
        let alert_json = rules.iter().map(|_| OnceLock::new()).collect();
        parallel::step_done();
        let tags_hosts = rules.iter().flat_map(|rule| &rule.tags).any(|tag| tag.host_src.is_some());
        let runs_scripts = rules.iter().any(|rule| !rule.scripts.is_empty());
        let mut ruleset = Ruleset {
            counts: OnceLock::new(),
            rules,
            gates,
            alert_json,
            guarded,
            groups,
            group_of,
            frame,
            files: FileWants::default(),
            names: Arc::new(names),
            datasets,
            databases: HashMap::new(),
            tags_hosts,
            runs_scripts,
        };
        let compiled = compiled.map_or_else(|| databases.compile(&known), Ok)?;
        ruleset.prefilters().for_each(|prefilter| prefilter.settle(&compiled));
        ruleset.databases = compiled.list.iter().cloned().collect();
        Ok((ruleset, compiled))
    }

    /// What its rules say will not be read for a while.
    pub fn rest(&self) {
        if let Some(rule) = self.rules.first() {
            rule.texts.all().rules.rest();
        }
    }

    /// The database of these patterns, if some group searches for them.
    pub fn database(&self, patterns: &Digest) -> Option<Database> {
        self.databases.get(patterns).cloned()
    }

    fn prefilters(&self) -> impl Iterator<Item = &Prefilter> {
        self.groups.iter().flat_map(Groups::prefilters).chain(self.frame.prefilters())
    }

    /// The rules that a packet with such ends can match.
    #[inline]
    #[allow(clippy::indexing_slicing)] // a place for each number, and in it one of the groups: `grouped`
    pub fn groups(&self, packet: &Packet<'_>) -> &Groups {
        &self.groups[self.group_of[self.guarded.ends(packet).number()]]
    }

    /// Makes a worker's scan memory fit every prefilter.
    pub fn fit(&self, scan: &mut ScanState) -> Result<(), String> {
        for prefilter in self.prefilters() {
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

    /// What traffic made of the data sets of the ruleset before goes on here.
    pub fn adopt_datasets(&self, old: &Ruleset) {
        for set in &self.datasets {
            if let Some(before) = old.datasets.iter().find(|before| before.name == set.name) {
                set.adopt(before);
            }
        }
    }

    /// As `save_datasets`, of those sets that `next` does not have.
    pub fn save_datasets_without(&self, next: &Ruleset) -> Vec<String> {
        let gone = self.datasets.iter().filter(|set| next.datasets.iter().all(|n| n.name != set.name));
        gone.filter_map(|set| set.save().err()).collect()
    }

    pub fn rule(&self, number: u32) -> Option<&Rule> {
        self.rules.get(number as usize)
    }

    /// Members of EVE's `alert` object that never change.
    pub fn alert_json(&self, number: u32) -> Option<&[u8]> {
        let slot = self.alert_json.get(number as usize)?;
        let rule = self.rule(number)?;
        Some(slot.get_or_init(|| alert_json(rule)))
    }
}

/// Groups of rules for each two ends, and which of them are whose: ends that the same rules match share them.
fn grouped(rules: &[Rule], guarded: &Guarded, databases: &Databases) -> (Vec<Groups>, [usize; Ends::COUNT]) {
    let places = Places::of(rules);
    let matching = guarded.matching(rules);
    let of_ends = |number: usize| rules.iter().zip(&matching).filter(move |(_, ends)| ends.has(number));
    let same = |one: usize, other: usize| matching.iter().all(|ends| ends.has(one) == ends.has(other));
    let is_first =
        |number: &usize| Ends::ALL.into_iter().find(|other| same(*other, *number)) == Some(*number);
    let mut numbers: Vec<usize> = Ends::ALL.into_iter().filter(is_first).collect();
    // The most first, so that no thread is left alone with them in the end.
    numbers.sort_by_key(|number| std::cmp::Reverse(of_ends(*number).count()));
    let group_of = Ends::ALL.map(|number| numbers.iter().position(|other| same(*other, number)).unwrap_or(0));
    let groups = parallel::map(&numbers, |number| {
        let mine: Vec<&Rule> = of_ends(*number).map(|(rule, _)| rule).collect();
        let packet = PacketGroups::build(&mine, &places, databases);
        Groups { packet, tx: TxGroups::build(&mine, databases) }
    });
    (groups, group_of)
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
    let mut keys: Vec<_> =
        rules.iter().zip(0..).map(|(r, at)| (action(r.action), bits(r), r.priority, r.number, at)).collect();
    keys.sort_unstable();
    let mut came_from: Vec<usize> = keys.into_iter().map(|(.., at)| at).collect();
    // Rules are large: each is moved once, along the cycles of the permutation.
    for start in 0..came_from.len() {
        let mut here = start;
        while let Some(slot) = came_from.get_mut(here) {
            let from = std::mem::replace(slot, here);
            if from == start || from == here {
                break;
            }
            rules.swap(here, from);
            here = from;
        }
    }
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
    out.str("signature", &rule.texts.msg());
    out.str("category", &rule.class_description);
    out.uint("severity", u64::from(rule.priority));
    let metadata = rule.texts.metadata();
    if !metadata.is_empty() {
        out.open_object("metadata");
        let mut done: Vec<&str> = Vec::new();
        for (key, _) in &metadata {
            if done.contains(&key.as_str()) {
                continue;
            }
            done.push(key);
            out.open_array(key);
            for (_, value) in metadata.iter().filter(|(k, _)| k == key) {
                out.item_str(value);
            }
            out.close_array();
        }
        out.close();
    }
    // It is said once; a page that was read may have brought in a megabyte beside it.
    rule.texts.all().rules.rest();
    out.take(Vec::new()).into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rules_of_one_kind_keep_their_order(kinds in proptest::collection::vec((0u8..4, any::<[bool; 2]>(), 1u8..4), 0..60)) {
            let mut rules: Vec<Rule> = (0u32..)
                .zip(&kinds)
                .map(|(sid, (action, [set, read], priority))| {
                    let mut rule = Rule::empty(Default::default());
                    rule.action = [Action::Alert, Action::Pass, Action::Drop, Action::Reject][usize::from(*action)];
                    (rule.sid, rule.priority) = (sid, *priority);
                    rule.bits_set = if *set { vec![1] } else { Vec::new() };
                    rule.bits_read = if *read { vec![1] } else { Vec::new() };
                    rule
                })
                .collect();
            let rank = |r: &Rule| {
                let action = [Action::Pass, Action::Drop, Action::Reject, Action::Alert];
                let bits = [(true, false), (true, true), (false, true), (false, false)];
                let has = (!r.bits_set.is_empty(), !r.bits_read.is_empty());
                let place = |found: Option<usize>| found.unwrap();
                (
                    place(action.iter().position(|a| *a == r.action)),
                    place(bits.iter().position(|b| *b == has)),
                    r.priority,
                    r.sid,
                )
            };
            let mut expected: Vec<_> = rules.iter().map(rank).collect();
            expected.sort_unstable();
            order(&mut rules);
            prop_assert_eq!(rules.iter().map(rank).collect::<Vec<_>>(), expected);
            prop_assert!((0u32..).zip(&rules).all(|(number, rule)| rule.number == number));
        }
    }
}
