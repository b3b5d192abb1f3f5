//! DCE/RPC over TCP (version 5, C706 and MS-RPCE) and UDP (version 4). A transaction is a request with its response, or a bind or
//! alter context with its answer. Over named pipes it is SMB that carries it; see `smb`.

pub mod call;
pub mod pdu;
mod tx;

#[cfg(test)]
mod tests;

use super::queue::{answers_from_queue, Queue};
use super::{Buffer, Outcome, ParseCx, Parser, Pattern, Probe, Protocol, Recognise};
use crate::direction::{Dir, PerDir};
use crate::setting;
use call::Call;
use pdu::{Datagram, Header, Interface, DATAGRAM_HEADER_LEN, HEADER_LEN};
use std::sync::Arc;
use tx::{Activity, DcerpcTx};

/// Transactions one flow may hold (`max-tx`); beyond it the oldest go.
const LIVE_TX_MAX: usize = 1024;
/// Stub data one flow may hold over all its transactions; beyond it the oldest go. Many times what calls in flight need.
const HELD_MAX_BYTES: usize = 8 << 20;
/// Presentation contexts one connection may have: a bind has at most 255, and alter context adds a few.
const CONTEXTS_MAX: usize = 512;
/// Open calls looked through for the one a fragment belongs to: calls in flight on one connection.
const OPEN_SEARCH_MAX: usize = 64;
const COMPLETE: u8 = 1;

const FRAME_PDU: u8 = 0;
const FRAME_HDR: u8 = 1;
const FRAME_DATA: u8 = 2;

/// The stub data of calls; the same buffer that calls over SMB have.
pub const STUB_DATA: Buffer = Buffer {
    name: "dcerpc.stub_data",
    aliases: &["dce_stub_data"],
    modifier: None,
    progress: PerDir::new(Some(COMPLETE), Some(COMPLETE)),
    multi: false,
    streaming: false,
    doc: "Arguments or results of a DCE/RPC call, its fragments put together.",
};

pub static DCERPC: Protocol = Protocol {
    name: "dcerpc",
    aliases: &[],
    tcp: true,
    udp: true,
    doc: "DCE/RPC, the remote procedure calls of Windows, over TCP and UDP. A call with its answer gives one `dcerpc` event. \
          Rules of this protocol see calls over named pipes (SMB) too.",
    recognise: Recognise {
        patterns: &[
            Pattern { dir: Dir::ToServer, bytes: &[5, 0], nocase: false, offset: 0, depth: 2 },
            Pattern { dir: Dir::ToClient, bytes: &[5, 0], nocase: false, offset: 0, depth: 2 },
            Pattern { dir: Dir::ToServer, bytes: &[4, 0], nocase: false, offset: 0, depth: 2 },
        ],
        probe: Some(probe),
        tcp_ports: &[],
        udp_ports: &[],
    },
    new: |config| Box::new(DcerpcParser::new(config)),
    buffers: &[STUB_DATA],
    numbers: &[],
    frames: &["pdu", "hdr", "data"],
    events: &[],
    states: PerDir::new(
        &["request_started", "request_complete"],
        &["response_started", "response_complete"],
    ),
    complete: PerDir::new(COMPLETE, COMPLETE),
    log_at: PerDir::new(COMPLETE, COMPLETE),
    record: "dcerpc",
};

fn probe(dir: Dir, data: &[u8]) -> Probe {
    if Datagram::plausible(data) {
        return Probe::Yes;
    }
    match Header::read(data) {
        None if data.first() == Some(&5) => Probe::Unsure,
        Some(header) if header.plausible(data) => {
            let from_server = matches!(
                header.kind,
                pdu::RESPONSE | pdu::FAULT | pdu::BIND_ACK | pdu::BIND_NAK | pdu::ALTER_CONTEXT_RESP
            );
            if from_server && dir == Dir::ToServer {
                Probe::Reversed
            } else {
                Probe::Yes
            }
        }
        _ => Probe::No,
    }
}

/// The DCE/RPC state of one flow.
struct DcerpcParser {
    txs: Queue<DcerpcTx>,
    live_max: usize,
    /// Bytes of stub data in `txs`, about.
    held: usize,
    contexts: Vec<Interface>,
    /// Where in `contexts` the last bind or alter context begins.
    asked: usize,
    /// Bytes were lost: reading goes on at the next plausible header.
    gap: PerDir<bool>,
}

impl DcerpcParser {
    fn new(config: &serde_json::Value) -> DcerpcParser {
        DcerpcParser {
            txs: Queue::new(usize::MAX), // `make` bounds it, by bytes too
            live_max: setting::count(&config["max-tx"]).map_or(LIVE_TX_MAX, |n| n.clamp(1, LIVE_TX_MAX)),
            held: 0,
            contexts: Vec::new(),
            asked: 0,
            gap: PerDir::default(),
        }
    }

    fn make(&mut self, call: Call, version: (u8, u8), activity: Option<Activity>) -> &mut DcerpcTx {
        while self.txs.len() >= self.live_max || self.held > HELD_MAX_BYTES {
            let Some(old) = self.txs.pop_oldest() else { break };
            self.freed(&old);
        }
        self.txs.push(|id| DcerpcTx { meta: super::TxMeta::new(id), call, version, activity })
    }
    fn freed(&mut self, old: &DcerpcTx) {
        self.held = self.held.saturating_sub(old.call.weight());
    }

    /// The newest call for which `wanted` holds.
    fn open(&mut self, wanted: impl Fn(&DcerpcTx) -> bool) -> Option<&mut DcerpcTx> {
        self.txs.find_last_mut(OPEN_SEARCH_MAX, wanted)
    }

    /// One unit of a connection. False: not one Suricata or we go on behind.
    fn unit(&mut self, header: &Header, body: &[u8]) -> bool {
        let id = header.call_id;
        let version = (header.version, header.minor);
        match header.kind {
            pdu::BIND | pdu::ALTER_CONTEXT => {
                let asked = pdu::bind(header, body).unwrap_or_default();
                self.asked = self.contexts.len();
                let room = CONTEXTS_MAX.saturating_sub(self.asked);
                self.contexts.extend(asked.iter().take(room));
                let mut call = Call::new(id);
                call.interfaces = Arc::new(asked);
                call.sides.to_server.fragment(header.kind, header.little, &[], true);
                self.make(call, version, None);
            }
            pdu::BIND_ACK | pdu::ALTER_CONTEXT_RESP | pdu::BIND_NAK => {
                let answers = pdu::bind_ack(header, body).unwrap_or_default();
                for (context, answer) in self.contexts.iter_mut().skip(self.asked).zip(&answers) {
                    context.answer = Some(*answer);
                }
                self.answer(header, &[], true);
                let bound = self.open(|tx| {
                    tx.call.id == id
                        && matches!(tx.call.sides.to_server.kind, Some(pdu::BIND | pdu::ALTER_CONTEXT))
                });
                if let Some(tx) = bound {
                    for (context, answer) in Arc::make_mut(&mut tx.call.interfaces).iter_mut().zip(&answers) {
                        context.answer = Some(*answer);
                    }
                }
            }
            pdu::REQUEST => {
                let Some((context, opnum, stub)) = pdu::request(header, body) else { return false };
                let part =
                    |tx: &DcerpcTx| tx.call.id == id && tx.call.is_request() && !tx.call.sides.to_server.done;
                let tx = match self.open(part) {
                    Some(tx) => tx,
                    None => {
                        let mut call = Call::new(id);
                        call.opnum = Some(opnum);
                        let known = |i: &&Interface| i.context == context && i.accepted();
                        call.interfaces =
                            Arc::new(self.contexts.iter().rev().find(known).copied().into_iter().collect());
                        self.make(call, version, None)
                    }
                };
                let kept = tx.call.sides.to_server.fragment(header.kind, header.little, stub, header.last());
                self.held = self.held.saturating_add(kept);
            }
            pdu::RESPONSE => {
                self.answer(header, body, header.last());
            }
            pdu::FAULT => self.answer(header, &[], true),
            _ => return false,
        }
        true
    }

    fn answer(&mut self, header: &Header, stub: &[u8], last: bool) {
        let id = header.call_id;
        let tx = match self.open(|tx| tx.call.id == id && !tx.call.sides.to_client.done) {
            Some(tx) => tx,
            None => {
                // The request was lost: there is none to wait for.
                let mut call = Call::new(id);
                call.sides.to_server.done = true;
                self.make(call, (header.version, header.minor), None)
            }
        };
        let kept = tx.call.sides.to_client.fragment(header.kind, header.little, stub, last);
        self.held = self.held.saturating_add(kept);
    }

    fn datagram(&mut self, data: &[u8]) {
        let Some(header) = Datagram::read(data) else { return };
        let body = data.get(DATAGRAM_HEADER_LEN..).unwrap_or_default();
        let stub = body.get(..usize::from(header.len)).unwrap_or(body);
        let dir = match header.kind {
            pdu::REQUEST => Dir::ToServer,
            pdu::RESPONSE | pdu::FAULT | pdu::REJECT => Dir::ToClient,
            _ => return,
        };
        let same = |tx: &DcerpcTx| {
            tx.activity.is_some_and(|a| a.id == header.activity && a.sequence == header.sequence)
                && !tx.call.sides[dir].done
        };
        let tx = match self.open(same) {
            Some(tx) => tx,
            None => {
                let mut call = Call::new(0);
                call.sides.to_server.done = dir == Dir::ToClient;
                let activity = Activity { id: header.activity, sequence: header.sequence };
                self.make(call, (4, 0), Some(activity))
            }
        };
        if dir == Dir::ToServer {
            tx.call.opnum = Some(header.opnum);
            let (version, minor) = (header.version as u16, (header.version >> 16) as u16);
            let interface = Interface {
                uuid: header.interface,
                version,
                minor,
                first: true,
                answer: Some((0, 0)),
                context: 0,
            };
            tx.call.interfaces = Arc::new(vec![interface]);
        }
        let kept = tx.call.sides[dir].fragment(header.kind, header.little, stub, header.last());
        self.held = self.held.saturating_add(kept);
    }
}

/// Where behind lost bytes the next plausible header begins.
fn resume(data: &[u8]) -> Option<usize> {
    memchr::memmem::find_iter(data, &[5, 0]).find(|at| {
        let rest = data.get(*at..).unwrap_or_default();
        Header::read(rest).is_some_and(|header| header.plausible(rest))
    })
}

impl Parser for DcerpcParser {
    fn parse(&mut self, dir: Dir, data: &[u8], cx: &mut ParseCx) -> Outcome {
        if cx.datagram {
            self.datagram(data);
            return Outcome::Done;
        }
        let mut at = 0usize;
        if self.gap[dir] {
            match resume(data) {
                Some(found) => at = found,
                None => return Outcome::Done,
            }
            self.gap[dir] = false;
        }
        loop {
            let rest = data.get(at..).unwrap_or_default();
            if rest.is_empty() {
                return Outcome::Done;
            }
            let Some(header) = Header::read(rest) else {
                return Outcome::NeedMore { consumed: at, needed: HEADER_LEN };
            };
            if !header.plausible(rest) {
                return Outcome::Broken;
            }
            let len = usize::from(header.frag_len);
            let Some(unit) = rest.get(..len) else {
                return Outcome::NeedMore { consumed: at, needed: len };
            };
            let start = i64::try_from(at).unwrap_or(i64::MAX);
            cx.frame(FRAME_PDU, start, Some(len as u64));
            cx.frame(FRAME_HDR, start, Some(HEADER_LEN as u64));
            cx.frame(
                FRAME_DATA,
                start.saturating_add(HEADER_LEN as i64),
                Some(len.saturating_sub(HEADER_LEN) as u64),
            );
            at = at.saturating_add(len);
            cx.trigger_raw[dir] = true;
            if !self.unit(&header, unit.get(HEADER_LEN..).unwrap_or_default()) {
                return Outcome::Broken;
            }
        }
    }

    fn gap(&mut self, dir: Dir, _len: u64, _cx: &mut ParseCx) -> Outcome {
        self.gap[dir] = true;
        Outcome::Done
    }

    answers_from_queue!(freed);
}
