//! Transactions meet the ruleset: each sticky buffer is scanned once when it is ready, candidates are evaluated, and what
//! is still open is kept on the transaction until the rest of it arrives.

use super::buffers;
use super::eval::{shape, Scene};
use super::keywords::file::passes;
use super::rule::{BufferTest, Filestore, Rule, StoreScope, Unlogged};
use super::ruleset::Ruleset;
use super::run::{Detector, Hit};
use super::state::{PartialMatch, TxDetect};
use super::tx_groups::{BufferGroup, TxGroup, TxGroups};
use super::watch::{Searched, Subject, Watch, ALL_DONE};
use super::window::Windows;
use crate::app::{ProtocolId, Transaction};
use crate::decode::Packet;
use crate::direction::Dir;
use crate::flow::Flow;

/// A multi-buffer with more instances than this is inspected only so far: cost stays linear in the bytes that made them.
pub const INSTANCES_MAX: u16 = 1024;

impl Detector {
    /// Inspects the flow's transactions in the packet's direction.
    pub(super) fn transactions<W: Watch + ?Sized>(
        &mut self,
        rules: &Ruleset,
        groups: &TxGroups,
        packet: &Packet<'_>,
        flow: &mut Flow,
        dir: Dir,
        watch: &mut W,
    ) {
        if !flow.app.retired.is_empty() && !std::mem::replace(&mut flow.app.retired_inspected[dir], true) {
            for at in 0..flow.app.retired.len() {
                self.retired(rules, groups, packet, flow, dir, at, watch);
            }
        }
        if !std::mem::take(&mut flow.app.dirty[dir]) {
            return;
        }
        flow.app.touched = true;
        let Some(protocol) = flow.app.parser_protocol else { return };
        let Some(group) = groups.group(protocol, dir) else { return };
        let turn = flow.app.live.take_turn();
        for id in &turn {
            self.transaction(rules, group, packet, flow, protocol, dir, *id, watch);
        }
        flow.app.live.give_turn_back(turn);
    }

    /// Inspects what a parser that an upgrade replaced still holds: the request and answer that agreed on it came in the very
    /// packets that ended it.
    #[allow(clippy::too_many_arguments)] // the parts of one scene; a struct would only rename them
    fn retired<W: Watch + ?Sized>(
        &mut self,
        rules: &Ruleset,
        groups: &TxGroups,
        packet: &Packet<'_>,
        flow: &mut Flow,
        dir: Dir,
        at: usize,
        watch: &mut W,
    ) {
        let Some((protocol, parser)) = flow.app.retired.take(at) else { return };
        let ids = parser.tx_ids();
        let present = (flow.app.parser_protocol.replace(protocol), flow.app.parser.replace(parser));
        let first = self.hits.len();
        if let Some(group) = groups.group(protocol, dir) {
            for id in ids {
                self.transaction(rules, group, packet, flow, protocol, dir, id, watch);
            }
        }
        for hit in self.hits.iter_mut().skip(first) {
            hit.retired = Some(at);
        }
        let (present_protocol, present_parser) = present;
        flow.app.parser_protocol = present_protocol;
        if let Some(parser) = std::mem::replace(&mut flow.app.parser, present_parser) {
            flow.app.retired.put_back(at, (protocol, parser));
        }
    }

    #[allow(clippy::too_many_arguments)] // as above
    fn transaction<W: Watch + ?Sized>(
        &mut self,
        rules: &Ruleset,
        group: &TxGroup,
        packet: &Packet<'_>,
        flow: &mut Flow,
        protocol: ProtocolId,
        dir: Dir,
        id: u64,
        watch: &mut W,
    ) {
        let Some(tx) = flow.app.parser.as_mut().and_then(|p| p.tx_mut(id)) else { return };
        let progress = tx.progress(dir);
        let complete = progress >= protocol.get().complete[dir];
        let files = tx.files(dir).len();
        let meta = tx.meta_mut();
        if meta.skip[dir] || meta.detect[dir].done {
            return;
        }
        if group.is_empty() {
            meta.detect[dir].done = complete;
            self.all_tried(rules, packet, flow, protocol, dir, (id, complete), watch);
            return;
        }
        let has_events = meta.events != 0;
        let mut state: TxDetect = std::mem::take(&mut meta.detect[dir]);
        if files > std::mem::replace(&mut state.files, files) && !state.partial.is_empty() {
            another_file(rules, &mut state.partial);
        }
        self.candidates.clear();
        if let Some(tx) = flow.app.parser.as_ref().and_then(|p| p.tx(id)) {
            self.scan_buffers(rules, group, tx, protocol, dir, progress, &mut state, watch);
        }
        let advanced = state.prefiltered <= progress;
        if advanced || group.always_streams {
            self.candidates.extend_from_slice(&group.always);
        }
        let led_here = self.payload_led.iter().filter(|n| group.payload_led.binary_search(n).is_ok());
        self.candidates.extend(led_here);
        if has_events {
            self.candidates.extend_from_slice(&group.on_events);
        }
        self.candidates.extend(state.partial.iter().filter(|p| !p.finished).map(|p| p.rule));
        self.candidates.sort_unstable();
        self.candidates.dedup();
        let candidates = std::mem::take(&mut self.candidates);
        let mut news = Vec::new();
        for number in &candidates {
            let Some(rule) = rules.rule(*number) else { continue };
            let at = state.partial.binary_search_by_key(number, |p| p.rule).ok();
            let mut known =
                at.and_then(|at| state.partial.get(at).copied()).unwrap_or(PartialMatch::new(*number));
            if known.finished {
                continue;
            }
            let scene = Scene { packet, flow: Some(flow), dir, scripts: &self.scripts };
            let Some(tx) = flow.app.parser.as_ref().and_then(|p| p.tx(id)) else { break };
            watch.tries(rules, *number, &scene, Subject::Transaction { tx, protocol, id, complete });
            let matched = scene.try_rule(rule, tx, protocol, complete, &mut known);
            watch.tried(*number, matched.is_some());
            self.scripts.settle(Some(flow));
            if let Some(captures) = matched {
                for action in &rule.on_match {
                    action.apply(packet, Some(flow), &captures);
                }
                if let Some(asked) = &rule.filestore {
                    filestore(flow, id, dir, rule, asked);
                }
                if rule.unlogged == Some(Unlogged::Tx) {
                    if let Some(tx) = flow.app.parser.as_mut().and_then(|p| p.tx_mut(id)) {
                        tx.meta_mut().logged = true;
                    }
                }
                self.hits.push(Hit {
                    rule: *number,
                    tx: Some(id),
                    retired: None,
                    stream: false,
                    frame: None,
                    action: rule.action,
                    ticket: None,
                });
            }
            match at.and_then(|at| state.partial.get_mut(at)) {
                Some(slot) => *slot = known,
                None if known.matched != 0 || known.finished => news.push(known),
                None => {}
            }
        }
        self.candidates = candidates;
        self.all_tried(rules, packet, flow, protocol, dir, (id, complete), watch);
        state.prefiltered = progress.saturating_add(1);
        state.done = complete;
        if complete {
            state.partial = Vec::new();
            state.windows = Windows::default();
        } else if !news.is_empty() {
            state.partial.append(&mut news);
            state.partial.sort_unstable_by_key(|p| p.rule);
        }
        if let Some(tx) = flow.app.parser.as_mut().and_then(|p| p.tx_mut(id)) {
            tx.meta_mut().detect[dir] = state;
        }
    }

    /// Tells who looks on that every rule has had its turn.
    #[allow(clippy::too_many_arguments)] // as above
    #[inline(always)]
    fn all_tried<W: Watch + ?Sized>(
        &self,
        rules: &Ruleset,
        packet: &Packet<'_>,
        flow: &Flow,
        protocol: ProtocolId,
        dir: Dir,
        (id, complete): (u64, bool),
        watch: &mut W,
    ) {
        if !watch.is_on() {
            return;
        }
        let Some(tx) = flow.app.parser.as_ref().and_then(|p| p.tx(id)) else { return };
        let scene = Scene { packet, flow: Some(flow), dir, scripts: &self.scripts };
        watch.tries(rules, ALL_DONE, &scene, Subject::Transaction { tx, protocol, id, complete });
    }

    #[allow(clippy::too_many_arguments)] // as above
    fn scan_buffers<W: Watch + ?Sized>(
        &mut self,
        rules: &Ruleset,
        group: &TxGroup,
        tx: &dyn Transaction,
        protocol: ProtocolId,
        dir: Dir,
        progress: u8,
        state: &mut TxDetect,
        watch: &mut W,
    ) {
        for (at, buffer) in (0u16..).zip(&group.buffers) {
            if buffer.progress > progress {
                break;
            }
            if buffer.progress < state.prefiltered && !buffer.streaming {
                continue;
            }
            for index in 0..if buffer.multi { INSTANCES_MAX } else { 1 } {
                let Some(view) = buffers::read(tx, buffer.local, usize::from(index), dir) else { break };
                let (prefilter, scan) = (&buffer.prefilter, &mut self.scan);
                let first = self.candidates.len();
                watch.searches();
                match shaping(rules, buffer) {
                    None if buffer.streaming => {
                        state.windows.scan((at, index), view, prefilter, scan, &mut self.candidates);
                    }
                    None => prefilter.scan(view.data, view.offset, scan, &mut self.candidates),
                    Some(test) => {
                        let shaped = shape(test, view.data, &self.scripts);
                        prefilter.scan(&shaped, 0, scan, &mut self.candidates);
                    }
                }
                let what = Searched::Buffer(protocol, dir, buffer.local);
                watch.searched(what, view.data.len(), self.candidates.get(first..).unwrap_or_default());
            }
        }
    }
}

/// A file has come to those that rules matched on: what rules ask of files is asked anew.
fn another_file(rules: &Ruleset, partial: &mut [PartialMatch]) {
    for known in partial {
        let rule = rules.rule(known.rule).filter(|rule| !rule.file_tests.is_empty());
        if let Some(rule) = rule {
            let buffers =
                1u32.checked_shl(rule.buffers.len() as u32).map_or(u32::MAX, |bit| bit.wrapping_sub(1));
            (known.matched, known.finished) = (known.matched & buffers, false);
        }
    }
}

/// Marks what a matching rule asks to store.
fn filestore(flow: &mut Flow, id: u64, dir: Dir, rule: &Rule, asked: &Filestore) {
    for d in Dir::BOTH.into_iter().filter(|d| asked.dirs.map_or(*d == dir, |dirs| dirs[*d])) {
        if asked.scope == StoreScope::Flow {
            flow.detect.left_mut().store[d].get_or_insert(rule.sid);
        }
        let Some(tx) = flow.app.parser.as_mut().and_then(|p| p.tx_mut(id)) else { return };
        if asked.scope == StoreScope::Tx {
            tx.meta_mut().store[d].get_or_insert(rule.sid);
        }
        for file in tx.files_mut(d) {
            if asked.scope != StoreScope::File || passes(&rule.file_tests, file) {
                file.asked_by(rule.sid);
            }
        }
    }
}

fn shaping<'r>(rules: &'r Ruleset, buffer: &BufferGroup) -> Option<&'r BufferTest> {
    let (rule, at) = buffer.shaped_by?;
    rules.rule(rule)?.buffers.get(at)
}
