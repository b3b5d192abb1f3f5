//! The heartbeat: the sensor's own packet, seen by its reserved signature at the end of the line. Nothing else is written of it.

use super::{Events, Lane};
use crate::decode::Packet;

/// The reserved signature (gid 1); sids from here to the end of a signed 32-bit number are the sensor's own.
pub const HEARTBEAT_SID: u32 = 2_147_483_000;

/// What the packet says before its number.
pub const HEARTBEAT_TEXT: &[u8] = b"haidang-heartbeat ";

/// Where events stood before a heartbeat's packet.
pub struct Place {
    bytes: usize,
    comma: bool,
    events: usize,
}

impl Events {
    /// From here on only the reserved signature is noticed.
    pub fn begin_heartbeat(&mut self) -> Place {
        self.heartbeat = Some(false);
        let (bytes, comma) = self.json.mark();
        Place { bytes, comma, events: self.marks.count() }
    }

    /// The stage failed on it.
    pub fn forget_heartbeat(&mut self) {
        self.heartbeat = None;
    }

    /// Takes back what was written since, and writes the heartbeat when its signature matched; whether it did.
    pub fn end_heartbeat(&mut self, place: &Place, packet: &Packet<'_>) -> bool {
        let matched = self.heartbeat.take() == Some(true);
        self.json.truncate(place.bytes, place.comma);
        self.marks.truncate(place.events);
        self.file_records.clear();
        let number = packet.payload().strip_prefix(HEARTBEAT_TEXT).and_then(number);
        let Some(number) = number.filter(|_| matched) else { return false };
        self.kind = "heartbeat";
        self.json.open();
        super::header::timestamp(&mut self.json, "timestamp", packet.ts);
        self.json.str("event_type", self.kind);
        self.json.open_object("haidang");
        self.json.open_object("heartbeat");
        self.json.uint("number", number);
        self.json.close();
        self.json.close();
        self.end(Lane::Health, packet.ts);
        true
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}
