//! Plays conversations through a parser as the driver would, for the parsers' tests: every chunking must tell the same.

use super::{LogFor, Outcome, ParseCx, Parser, Protocol, Transaction};
use crate::direction::{Dir, PerDir};
use crate::json::JsonWriter;
use serde_json::{json, Value};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A parser with what it has not consumed yet.
pub struct Play {
    pub protocol: &'static Protocol,
    pub parser: Box<dyn Parser>,
    pending: PerDir<Vec<u8>>,
    wanted: PerDir<usize>,
    /// What the parser asked for last: (upgrade, bypass, no_raw).
    pub upgrade: Option<&'static str>,
    pub bypass: bool,
    pub no_raw: bool,
    pub broken: bool,
    /// Name, direction and bytes of each frame reported while its first byte was at hand.
    pub frames: Vec<(&'static str, Dir, Option<u64>)>,
}

impl Play {
    pub fn new(protocol: &'static Protocol, config: Value) -> Play {
        Play {
            protocol,
            parser: (protocol.new)(&config),
            pending: PerDir::default(),
            wanted: PerDir::default(),
            upgrade: None,
            bypass: false,
            no_raw: false,
            broken: false,
            frames: Vec::new(),
        }
    }

    /// Plays a conversation in chunks of at most `chunk` bytes, then closes both directions.
    pub fn whole(protocol: &'static Protocol, config: Value, talk: &[(Dir, Vec<u8>)], chunk: usize) -> Play {
        let mut play = Play::new(protocol, config);
        for (dir, data) in talk {
            for piece in data.chunks(chunk) {
                play.data(*dir, piece);
            }
        }
        play.close();
        play
    }

    /// Gives bytes of a stream.
    pub fn data(&mut self, dir: Dir, data: &[u8]) {
        self.give(dir, data, false);
    }
    /// Gives one datagram.
    pub fn datagram(&mut self, dir: Dir, data: &[u8]) {
        self.give(dir, data, true);
    }

    fn give(&mut self, dir: Dir, data: &[u8], datagram: bool) {
        if self.broken || self.bypass || self.upgrade.is_some() {
            return;
        }
        let held = &mut self.pending[dir];
        held.extend_from_slice(data);
        while !self.broken && !held.is_empty() && held.len() >= self.wanted[dir] {
            let mut cx = ParseCx { datagram, ..ParseCx::default() };
            let before = seen(self.protocol, self.parser.as_ref());
            let outcome = self.parser.parse(dir, held, &mut cx);
            check_changed(self.protocol, self.parser.as_mut(), &before);
            self.wanted[dir] = 0;
            self.upgrade = self.upgrade.or(cx.upgrade);
            self.bypass |= cx.bypass;
            self.no_raw |= cx.no_raw;
            let named = cx
                .frames
                .iter()
                .filter_map(|f| Some((*self.protocol.frames.get(usize::from(f.kind))?, dir, f.len)));
            self.frames.extend(named);
            match outcome {
                Outcome::Done => held.clear(),
                Outcome::NeedMore { consumed, needed } => {
                    assert!(consumed <= held.len() && needed > held.len() - consumed);
                    held.drain(..consumed);
                    self.wanted[dir] = needed;
                }
                Outcome::Broken => self.broken = true,
            }
            if self.upgrade.is_some() {
                break;
            }
        }
    }

    pub fn close(&mut self) {
        for dir in Dir::BOTH {
            let before = seen(self.protocol, self.parser.as_ref());
            self.parser.close(dir, &mut ParseCx { eof: true, ..ParseCx::default() });
            check_changed(self.protocol, self.parser.as_mut(), &before);
        }
    }

    pub fn txs(&self) -> impl Iterator<Item = &dyn Transaction> {
        self.parser.tx_ids().filter_map(|id| self.parser.tx(id))
    }
    /// Records of all transactions that would be written.
    pub fn records(&self) -> Vec<Value> {
        self.txs().filter(|tx| !tx.meta().logged).map(record).collect()
    }
    /// Names of all events set.
    pub fn events(&self) -> Vec<&'static str> {
        let events = self.protocol.events;
        let of = |tx: &dyn Transaction| {
            (0u8..)
                .zip(events)
                .filter(|(bit, _)| tx.meta().has_event(*bit))
                .map(|(_, name)| *name)
                .collect::<Vec<_>>()
        };
        self.txs().flat_map(of).collect()
    }
    /// Every instance of a sticky buffer in all transactions, as text.
    pub fn buffer(&self, name: &str, dir: Dir) -> Vec<String> {
        let local = self.protocol.buffers.iter().position(|b| b.name == name).unwrap();
        let multi = self.protocol.buffers[local].multi;
        let of = |tx: &dyn Transaction| {
            (0..if multi { 1000 } else { 1 })
                .map_while(|at| {
                    tx.buffer(local, at, dir).map(|v| String::from_utf8_lossy(v.data).into_owned())
                })
                .collect::<Vec<_>>()
        };
        self.txs().flat_map(of).collect()
    }
}

/// What rules and the log can see of each transaction.
pub fn seen(protocol: &Protocol, parser: &dyn Parser) -> HashMap<u64, u64> {
    let mut all = HashMap::new();
    for id in parser.tx_ids() {
        let Some(tx) = parser.tx(id) else { continue };
        let mut hash = DefaultHasher::new();
        let mut out = JsonWriter::new();
        out.open();
        tx.log(&mut out, LogFor::Record);
        out.close();
        (out.as_bytes(), tx.meta().events).hash(&mut hash);
        for dir in Dir::BOTH {
            tx.progress(dir).hash(&mut hash);
            for (local, buffer) in protocol.buffers.iter().enumerate() {
                for index in 0..if buffer.multi { 100 } else { 1 } {
                    let Some(view) = tx.buffer(local, index, dir) else { break };
                    view.data.hash(&mut hash);
                }
            }
        }
        all.insert(id, hash.finish());
    }
    all
}

/// What changed is told, and no more told than is held.
pub fn check_changed(protocol: &Protocol, parser: &mut dyn Parser, before: &HashMap<u64, u64>) {
    let Some(changed) = parser.take_changed() else { return };
    let after = seen(protocol, parser);
    assert!(changed.len() <= after.len(), "{}", protocol.name);
    for (id, now) in &after {
        assert!(before.get(id) == Some(now) || changed.contains(id), "{} {id}", protocol.name);
    }
}

/// The record's object of a transaction.
pub fn record(tx: &dyn Transaction) -> Value {
    let mut out = JsonWriter::new();
    out.open();
    tx.log(&mut out, LogFor::Record);
    out.close();
    serde_json::from_slice(out.as_bytes()).unwrap_or(json!(null))
}

/// What a conversation tells must not depend on how it was cut; returns the play in one piece each.
pub fn same_in_every_chunking(protocol: &'static Protocol, config: &Value, talk: &[(Dir, Vec<u8>)]) -> Play {
    let whole = Play::whole(protocol, config.clone(), talk, usize::MAX);
    for chunk in [1, 2, 3, 5, 7, 11, 64, 1000] {
        let cut = Play::whole(protocol, config.clone(), talk, chunk);
        assert_eq!(cut.records(), whole.records(), "chunks of {chunk}");
        assert_eq!(cut.events(), whole.events(), "chunks of {chunk}");
        assert_eq!(
            (cut.upgrade, cut.bypass, cut.broken),
            (whole.upgrade, whole.bypass, whole.broken),
            "{chunk}"
        );
    }
    whole
}
