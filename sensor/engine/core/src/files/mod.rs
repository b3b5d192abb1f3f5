//! Files: what is computed of the files that protocols carry (digests, libmagic's description) and their storing
//! (Suricata manual, "File Extraction"). Between app and detect it decides what a file needs; between detect and event it
//! hands on what rules asked to store. Must not parse protocols.

pub mod config;
mod magic;
mod ranges;
mod store;

#[cfg(test)]
mod tests;

use crate::app::digest::{Describer, FileWants, Storing};
use crate::app::file::{File, FileState};
use crate::app::PROTOCOLS;
use crate::direction::Dir;
use crate::event::FileRecord;
use crate::flow::Flow;
use crate::team;
use crate::time::Timestamp;
use config::FilesConfig;
pub use magic::is_available as magic_is_available;
use ranges::{Ends, Ranges};
use serde_json::Value;
use store::Store;

/// What storing counts, named as in Suricata's `stats.file_store`.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileCounters {
    /// Files given up on because the disk did not keep up or refused.
    pub fs_errors: u64,
    /// Bytes held of files that come in pieces, and those given up on for want of memory (`http.byterange`).
    pub byterange_memuse: u64,
    pub byterange_memcap: u64,
}

/// One worker's handling of files.
pub struct FileStage {
    wants: FileWants,
    config: FilesConfig,
    describer: Option<Describer>,
    /// Every file is described, whether a rule asks or not.
    force_magic: bool,
    store: Option<Store>,
    /// By protocol: it carries files.
    carries: Vec<bool>,
    /// Files that come in pieces.
    ranges: Ranges,
}

impl FileStage {
    /// `rules` is what the loaded rules ask of files.
    pub fn new(document: &Value, rules: FileWants) -> FileStage {
        let config = FilesConfig::new(document);
        let mut wants = config.wants;
        wants.md5 |= rules.md5;
        wants.sha1 |= rules.sha1;
        wants.sha256 |= rules.sha256;
        wants.magic |= rules.magic;
        if config.store.is_some() {
            // Stored files are named by it.
            wants.sha256 = true;
            wants.may_store = rules.may_store || wants.store_all;
        }
        FileStage {
            describer: wants.magic.then(|| magic::describer(config.magic_file.clone())),
            force_magic: config.wants.magic,
            store: None,
            carries: PROTOCOLS.iter().map(|p| p.buffers.iter().any(|b| b.name == "file.data")).collect(),
            wants,
            config,
            ranges: Ranges::new(document),
        }
    }

    /// From now on what another stage's rules ask of files is asked of those that begin.
    pub fn ask(&mut self, other: FileStage) {
        (self.wants, self.describer) = (other.wants, other.describer);
    }

    pub fn counters(&self) -> FileCounters {
        FileCounters {
            fs_errors: self.store.as_ref().map_or(0, Store::errors),
            byterange_memuse: self.ranges.memory,
            byterange_memcap: self.ranges.refused,
        }
    }

    /// After the app stage: files that began are told what is wanted of them.
    pub fn begin(&mut self, flow: &mut Flow) {
        let mut pieces = false;
        self.each(flow, |stage, file, asked, _| {
            pieces |= file.piece.is_some();
            if file.is_undecided() {
                file.decide(&stage.wants, stage.describer.as_ref());
                // What asked for the files of a flow or transaction meant those still to come.
                if let Some(sid) = asked {
                    file.asked_by(sid);
                }
            }
            if stage.force_magic {
                file.magic();
            }
        });
        if pieces {
            self.assemble(flow);
        }
    }

    /// Hands the new bytes of pieces on to the files they are of; one that is whole joins its last piece's transaction.
    fn assemble(&mut self, flow: &mut Flow) {
        let (ends, now) = (Ends::of(flow), flow.last);
        let Some(parser) = flow.app.parser.as_mut() else { return };
        for id in flow.app.live.turn() {
            let Some(tx) = parser.tx_mut(*id) else { continue };
            let files = tx.files_mut(Dir::ToClient);
            let whole: Vec<File> = files.iter_mut().filter_map(|f| self.extend(f, ends, now)).collect();
            whole.into_iter().for_each(|file| tx.add_file(Dir::ToClient, file));
        }
        for mut file in self.ranges.take_dropped() {
            self.keep(&mut file);
        }
    }

    /// The same for one piece; answers the file when it is whole now.
    fn extend(&mut self, file: &mut File, ends: Ends, now: Timestamp) -> Option<File> {
        let piece = file.piece.as_mut().filter(|piece| !piece.bytes.is_empty())?;
        let wants = self.wants;
        let (key, mut whole) = self.ranges.take(ends, piece, now);
        if whole.file.is_undecided() {
            whole.file.decide(&wants, self.describer.as_ref());
        }
        whole.write(piece);
        file.sids.iter().for_each(|sid| whole.file.asked_by(*sid));
        if whole.is_whole() {
            whole.file.close(FileState::Closed);
        }
        if self.force_magic {
            whole.file.magic();
        }
        self.keep(&mut whole.file);
        if whole.is_whole() {
            return Some(whole.file);
        }
        self.ranges.put(key, whole, &wants, now);
        None
    }

    /// After detection: files that rules asked for are stored as far as they have come. `at_end`: nothing more comes.
    pub fn end(&mut self, flow: &mut Flow, at_end: bool) {
        if !self.wants.any() && !at_end && flow.app.retired.is_empty() {
            return;
        }
        let mut stored = [false; 2];
        for dir in Dir::BOTH {
            let mut any = false;
            self.each_of(flow, dir, |stage, file, _, retired| {
                if at_end || retired {
                    file.close(FileState::Truncated);
                    if stage.force_magic {
                        file.magic();
                    }
                }
                any |= stage.keep(file);
            });
            if let Some(slot) = stored.get_mut(dir.index()) {
                *slot = any;
            }
        }
        let depth = self.config.store.as_ref().and_then(|s| s.stream_depth);
        if let (Some(depth), Some(session)) = (depth, flow.tcp.as_mut()) {
            for dir in Dir::BOTH {
                if stored.get(dir.index()) == Some(&true) {
                    session.side_mut(dir).raise_depth(depth);
                }
            }
        }
    }

    /// Keeps the record of a stored file beside it.
    pub fn keep_record(&mut self, record: &FileRecord, seconds: u64) {
        if let Some(store) = &mut self.store {
            store.record(record.id, record.sha256, seconds, &record.json);
        }
    }

    /// Whether `keep_record` wants to see records.
    pub fn keeps_records(&self) -> bool {
        self.config.store.as_ref().is_some_and(|s| s.write_fileinfo)
    }

    /// Hands on the new bytes of a file that is to be stored; answers whether it is one.
    fn keep(&mut self, file: &mut File) -> bool {
        let Some(config) = &self.config.store else { return false };
        let asked = self.wants.store_all || !file.sids.is_empty();
        let over = file.state != FileState::Open;
        let Some(tracker) = file.tracker() else { return false };
        if asked && tracker.storing() == Storing::Maybe {
            tracker.store(team::next_stored_file());
        }
        let Storing::Yes(id) = tracker.storing() else { return false };
        let store = self.store.get_or_insert_with(|| Store::open(config));
        let bytes = tracker.take_held();
        let mut kept = bytes.is_empty() || store.append(id, bytes);
        if over && kept && tracker.take_end() {
            kept = tracker.sums().sha256.is_some_and(|sha256| store.close(id, sha256));
        }
        if !kept {
            tracker.give_up();
            store.drop_file(id);
        }
        kept
    }

    fn each(&mut self, flow: &mut Flow, mut act: impl FnMut(&mut FileStage, &mut File, Option<u32>, bool)) {
        for dir in Dir::BOTH {
            self.each_of(flow, dir, &mut act);
        }
    }

    /// Every file of a direction, with the rule that asked for all files of its flow or transaction, and whether
    /// its parser was replaced.
    fn each_of(
        &mut self,
        flow: &mut Flow,
        dir: Dir,
        mut act: impl FnMut(&mut FileStage, &mut File, Option<u32>, bool),
    ) {
        let app = &mut flow.app;
        let retired = app.retired.iter_mut().map(|(p, parser)| (*p, parser, true));
        let current = app.parser_protocol.zip(app.parser.as_mut()).map(|(p, parser)| (p, parser, false));
        for (protocol, parser, retired) in retired.chain(current) {
            if self.carries.get(usize::from(protocol.0)) != Some(&true) {
                continue;
            }
            let replaced = if retired { parser.tx_ids() } else { 0..0 };
            let turn: &[u64] = if retired { &[] } else { app.live.turn() };
            for id in turn.iter().copied().chain(replaced) {
                let Some(tx) = parser.tx_mut(id) else { continue };
                let asked = tx.meta().store[dir].or(flow.detect.left().store[dir]);
                for file in tx.files_mut(dir) {
                    act(self, file, asked, retired);
                }
            }
        }
    }
}
