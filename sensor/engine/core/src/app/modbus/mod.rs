//! Modbus over TCP. A request with its response is one transaction, matched by the transaction number of the header.

mod log;
pub mod message;

#[cfg(test)]
mod tests;

use super::queue::{answers_from_queue, Queue};
use super::{LogFor, Outcome, ParseCx, Parser, Probe, Protocol, Recognise, Transaction, TxMeta, View};
use crate::direction::{Dir, PerDir};
use crate::json::JsonWriter;
use crate::setting;
use message::{error, Message, HEADER_LEN, LENGTH_MAX};

/// Suricata's `request-flood`: requests of one flow without response. More are an event, and the oldest are closed.
const LIVE_TX_MAX: usize = 500;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    UnsolicitedResponse,
    InvalidLength,
    InvalidProtocolId,
    InvalidFunctionCode,
    InvalidValue,
    InvalidExceptionCode,
    ValueMismatch,
    Flooded,
}

/// Indexed by `Event`; the last is never set here but named by rules.
const EVENTS: &[&str] = &[
    "unsolicited_response",
    "invalid_length",
    "invalid_protocol_id",
    "invalid_function_code",
    "invalid_value",
    "invalid_exception_code",
    "value_mismatch",
    "flooded",
    "invalid_unit_identifier",
];

pub static MODBUS: Protocol = Protocol {
    name: "modbus",
    aliases: &[],
    tcp: true,
    udp: false,
    doc: "Modbus over TCP. A request with its response is one transaction and gives one `modbus` event.",
    recognise: Recognise { patterns: &[], probe: Some(probe), tcp_ports: &[502], udp_ports: &[] },
    new: |config| {
        let flood = ["max-tx", "request-flood"].iter().find_map(|key| setting::number(&config[*key]));
        let max = flood.and_then(|n| usize::try_from(n).ok()).unwrap_or(LIVE_TX_MAX).max(1);
        Box::new(ModbusParser {
            txs: Queue::new(max.saturating_mul(16)),
            open: 0,
            max,
            lost: PerDir::default(),
        })
    },
    buffers: &[],
    numbers: &[],
    frames: &[],
    events: EVENTS,
    states: PerDir::new(&["request_started", "request_complete"], &["response_started", "response_complete"]),
    complete: PerDir::new(1, 1),
    log_at: PerDir::new(1, 1),
    record: "modbus",
};

/// A header of protocol 0 with a legal length, and a function code.
fn probe(_dir: Dir, data: &[u8]) -> Probe {
    match data {
        [_, _, hi, lo, ..] if (*hi, *lo) != (0, 0) => Probe::No,
        [_, _, _, _, hi, lo, ..] if !legal(u16::from_be_bytes([*hi, *lo])) => Probe::No,
        [_, _, _, _, _, _, _, 0, ..] => Probe::No,
        [_, _, _, _, _, _, _, _, ..] => Probe::Yes,
        _ => Probe::Unsure,
    }
}

/// The length counts the unit and at least a function code.
fn legal(len: u16) -> bool {
    (2..=LENGTH_MAX).contains(&len)
}

/// The Modbus state of one flow.
struct ModbusParser {
    txs: Queue<ModbusTx>,
    /// Requests without response.
    open: usize,
    max: usize,
    /// Bytes were lost: the next chunk is read only when it begins with a message.
    lost: PerDir<bool>,
}

impl ModbusParser {
    fn one(&mut self, dir: Dir, message: Message) {
        let mut events = events_of(&message);
        if dir == Dir::ToServer {
            self.open = self.open.saturating_add(1);
            while self.open > self.max {
                self.open = self.open.saturating_sub(1);
                if let Some(tx) = self.txs.find_mut(|tx| !tx.done) {
                    tx.done = true;
                }
                events.push(Event::Flooded);
            }
        } else if let Some(tx) = self.asked(message.transaction) {
            if tx.messages[Dir::ToServer].as_ref().is_some_and(|asked| !message.answers(asked)) {
                events.push(Event::ValueMismatch);
            }
            events.iter().for_each(|event| tx.meta.set_event(*event as u8));
            tx.messages[dir] = Some(message);
            tx.done = true;
            self.open = self.open.saturating_sub(1);
            return;
        } else {
            events.push(Event::UnsolicitedResponse);
        }
        self.add(dir, Some(message), &events);
    }

    fn add(&mut self, dir: Dir, message: Option<Message>, events: &[Event]) {
        self.txs.push(|id| {
            let mut meta = TxMeta::new(id);
            events.iter().for_each(|event| meta.set_event(*event as u8));
            meta.skip[Dir::ToServer] = dir == Dir::ToClient;
            meta.logged = message.is_none();
            meta.record_dir = Some(Dir::ToServer);
            let done = message.is_none() || dir == Dir::ToClient;
            let mut messages = PerDir::default();
            messages[dir] = message;
            ModbusTx { meta, messages, done }
        });
    }

    /// The request that waits for a response with this number.
    fn asked(&mut self, transaction: u16) -> Option<&mut ModbusTx> {
        if self.open == 0 {
            return None;
        }
        self.txs.find_mut(|tx| {
            !tx.done && tx.messages[Dir::ToServer].as_ref().is_some_and(|m| m.transaction == transaction)
        })
    }
}

fn events_of(message: &Message) -> Vec<Event> {
    [
        (error::PROTOCOL_ID, Event::InvalidProtocolId),
        (error::DATA_LENGTH, Event::InvalidLength),
        (error::FUNCTION_CODE, Event::InvalidFunctionCode),
        (error::DATA_VALUE, Event::InvalidValue),
        (error::EXCEPTION_CODE, Event::InvalidExceptionCode),
    ]
    .into_iter()
    .filter(|(bit, _)| message.errors & bit != 0)
    .map(|(_, event)| event)
    .collect()
}

impl Parser for ModbusParser {
    fn parse(&mut self, dir: Dir, data: &[u8], _cx: &mut ParseCx) -> Outcome {
        if std::mem::take(&mut self.lost[dir]) && probe(dir, data) == Probe::No {
            return Outcome::Broken;
        }
        let mut at = 0usize;
        loop {
            let rest = data.get(at..).unwrap_or_default();
            if rest.is_empty() {
                return Outcome::Done;
            }
            let Some((header, tail)) = rest.split_first_chunk::<HEADER_LEN>() else {
                return Outcome::NeedMore { consumed: at, needed: HEADER_LEN };
            };
            let [_, _, _, _, hi, lo, _] = *header;
            let len = u16::from_be_bytes([hi, lo]);
            if !legal(len) {
                // Where the next message begins cannot be known.
                self.add(dir, None, &[Event::InvalidLength]);
                return Outcome::Broken;
            }
            let body_len = usize::from(len).saturating_sub(1);
            let needed = HEADER_LEN.saturating_add(body_len);
            let Some(body) = tail.get(..body_len) else {
                return Outcome::NeedMore { consumed: at, needed };
            };
            if let Some(message) = Message::read(header, body, dir == Dir::ToClient) {
                self.one(dir, message);
            }
            at = at.saturating_add(needed);
        }
    }

    fn gap(&mut self, dir: Dir, _len: u64, _cx: &mut ParseCx) -> Outcome {
        self.lost[dir] = true;
        Outcome::Done
    }

    answers_from_queue!();
}

pub struct ModbusTx {
    meta: TxMeta,
    messages: PerDir<Option<Message>>,
    done: bool,
}

impl Transaction for ModbusTx {
    fn meta(&self) -> &TxMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut TxMeta {
        &mut self.meta
    }
    fn progress(&self, dir: Dir) -> u8 {
        u8::from(self.done || self.messages[dir].is_some())
    }
    fn buffer(&self, _local: usize, _index: usize, _dir: Dir) -> Option<View<'_>> {
        None
    }

    fn log(&self, out: &mut JsonWriter, _what: LogFor) {
        out.uint("id", self.meta.id.saturating_add(1));
        for (key, dir) in [("request", Dir::ToServer), ("response", Dir::ToClient)] {
            if let Some(message) = &self.messages[dir] {
                out.open_object(key);
                log::log(message, out);
                out.close();
            }
        }
    }

    /// What the keyword `modbus` asks of a request; see `detect/keywords/modbus.rs`.
    fn number_at(&self, keyword: &str, index: usize, dir: Dir) -> Option<u64> {
        let message = self.messages[Dir::ToServer].as_ref().filter(|_| dir == Dir::ToServer)?;
        let index = u16::try_from(index).ok()?;
        match keyword {
            "modbus.unit" => Some(u64::from(message.unit)),
            "modbus.function" => Some(u64::from(message.function)),
            "modbus.subfunction" => match &message.data {
                message::Data::Diagnostic { function, .. } => Some(u64::from(*function)),
                _ => None,
            },
            "modbus.read_address" => message.span(false).map(|(address, _)| u64::from(address)),
            "modbus.read_quantity" => message.span(false).map(|(_, quantity)| u64::from(quantity)),
            "modbus.write_address" => message.span(true).map(|(address, _)| u64::from(address)),
            "modbus.write_quantity" => message.span(true).map(|(_, quantity)| u64::from(quantity)),
            // The value written to address `index`.
            "modbus.written" => message.written(index).map(u64::from),
            _ => None,
        }
    }
    fn number(&self, keyword: &str, dir: Dir) -> Option<u64> {
        self.number_at(keyword, 0, dir)
    }
}
