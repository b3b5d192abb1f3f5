//! Playbooks of the HTTP parser: bytes in, buffers and events out.

mod chunking;
mod decompress;
mod evader;
mod playbook;

use super::PROTOCOL;
use crate::app::{ParseCx, Parser, Transaction};
use crate::direction::Dir;
use crate::json::JsonWriter;
use serde_json::json;

/// A parser fed as the driver feeds it: what is not consumed is offered again.
pub struct Feed {
    pub parser: Box<dyn Parser>,
    rest: [Vec<u8>; 2],
    pub broken: bool,
    pub port: u16,
    pub upgrade: Option<&'static str>,
}

pub fn cx() -> ParseCx {
    ParseCx { src_port: 40_000, dst_port: 80, ..ParseCx::default() }
}

impl Feed {
    pub fn new() -> Self {
        Self::with(&json!({}))
    }
    pub fn with(config: &serde_json::Value) -> Self {
        Feed {
            parser: (PROTOCOL.new)(config),
            rest: [Vec::new(), Vec::new()],
            broken: false,
            port: 80,
            upgrade: None,
        }
    }
    pub fn push(&mut self, dir: Dir, data: &[u8]) -> &mut Self {
        if self.broken || self.upgrade.is_some() {
            return self;
        }
        let mut all = std::mem::take(&mut self.rest[dir.index()]);
        all.extend_from_slice(data);
        let mut cx = cx();
        cx.dst_port = self.port;
        match self.parser.parse(dir, &all, &mut cx) {
            crate::app::Outcome::Done => {}
            crate::app::Outcome::NeedMore { consumed, needed } => {
                assert!(needed > all.len() - consumed);
                self.rest[dir.index()] = all[consumed..].to_vec();
            }
            crate::app::Outcome::Broken => self.broken = true,
        }
        self.upgrade = cx.upgrade;
        self
    }
    pub fn client(&mut self, data: &[u8]) -> &mut Self {
        self.push(Dir::ToServer, data)
    }
    pub fn server(&mut self, data: &[u8]) -> &mut Self {
        self.push(Dir::ToClient, data)
    }
    pub fn close(&mut self) -> &mut Self {
        for dir in Dir::BOTH {
            self.parser.close(dir, &mut cx());
        }
        self
    }
    pub fn tx(&self, id: u64) -> &dyn Transaction {
        self.parser.tx(id).expect("transaction")
    }
    pub fn count(&self) -> usize {
        self.parser.tx_ids().count()
    }
    pub fn buffer(&self, id: u64, dir: Dir, name: &str) -> Option<Vec<u8>> {
        self.buffer_at(id, dir, name, 0)
    }
    pub fn buffer_at(&self, id: u64, dir: Dir, name: &str, index: usize) -> Option<Vec<u8>> {
        let local = PROTOCOL.buffers.iter().position(|b| b.name == name);
        let view = self.tx(id).buffer(local.expect("buffer name"), index, dir)?;
        Some(view.data.to_vec())
    }
    pub fn events(&self, id: u64) -> Vec<&'static str> {
        let meta = self.tx(id).meta();
        let names = PROTOCOL.events.iter().enumerate();
        names.filter(|(at, _)| meta.has_event(*at as u8)).map(|(_, name)| *name).collect()
    }
    /// The record with these options of its type.
    pub fn record(&self, id: u64, options: &serde_json::Value) -> serde_json::Value {
        let mut out = JsonWriter::new();
        out.open();
        self.tx(id).log_record(0, &mut out, options);
        out.close();
        serde_json::from_slice(out.as_bytes()).expect("JSON")
    }
    pub fn log(&self, id: u64) -> serde_json::Value {
        let mut out = JsonWriter::new();
        out.open();
        self.tx(id).log(&mut out, crate::app::LogFor::Record);
        out.close();
        serde_json::from_slice(out.as_bytes()).expect("JSON")
    }
}
