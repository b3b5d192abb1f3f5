//! DCE/RPC over named pipes: units inside of WRITE, READ, TRANS and IOCTL (MS-RPCE 2.1.1.2).

use super::session::{Head, Pipe, Session, STATUS_BUFFER_OVERFLOW};
use super::tx::{Fid, Kind, Status};
use super::Event;
use crate::app::dcerpc::pdu::{self, Header, HEADER_LEN};
use crate::direction::Dir;
use std::sync::Arc;

/// Pipes whose calls are read, by name; the same as Suricata's.
const SERVICES: [&[u8]; 7] = [b"svcctl", b"srvsvc", b"atsvc", b"lsarpc", b"samr", b"spoolss", b"winreg"];
/// The name given to a pipe whose opening was not seen and that is known by what it carries.
const UNNAMED: &[u8] = b"suricata::dcerpc";
/// A unit is at most 64 KiB.
const PARTIAL_MAX_BYTES: usize = 1 << 16;

impl Session {
    /// Whether calls are read from this pipe.
    pub fn carries_calls(&self, fid: Fid) -> bool {
        let Some(name) = self.names.get(&fid) else { return false };
        let name = name.strip_prefix(b"\\").unwrap_or(name);
        SERVICES.contains(&name) || name == UNNAMED
    }

    /// The same where the tree was not seen: what the pipe carries tells, and is remembered.
    pub fn seems_to_call(&mut self, head: &Head, fid: Fid, data: &[u8]) -> bool {
        let plausible = Header::read(data).is_some_and(|header| header.plausible(data) && header.minor == 0);
        if plausible {
            self.names.insert(fid, UNNAMED.to_vec());
            let tree = super::session::Tree { name: b"suricata::pipe".to_vec(), pipe: true };
            self.trees.insert((head.session, head.tree), tree);
        }
        plausible
    }

    /// A unit goes to the server. `message`: the answer comes in the response to it; 0: in some READ.
    pub fn pipe_request(&mut self, head: &Head, fid: Fid, message: u64, data: &[u8]) {
        // What goes to such a pipe is logged even if it is no call, as exploits do.
        let Some(header) = Header::read(data) else {
            self.event(Event::MalformedData);
            return;
        };
        let unit = data.get(..usize::from(header.frag_len)).unwrap_or(data);
        let body = unit.get(HEADER_LEN..).unwrap_or_default();
        let key = (fid, header.call_id, message);
        let follows = header.kind == pdu::REQUEST && !header.first();
        let known = match self.calls.get(&key).copied().filter(|_| follows) {
            Some(id) => Some(id),
            // Fragments in exchanges of their own: only the last one's answer is the call's.
            None if follows && message != 0 => self.calls.get(&(fid, header.call_id, 0)).copied(),
            None => None,
        };
        let id = match known {
            Some(id) => id,
            None => self.make_call(head, key, message != 0),
        };
        if header.kind == pdu::BIND {
            let mut asked = pdu::bind(&header, body).unwrap_or_default();
            for interface in &mut asked {
                interface.first = true;
            }
            let pipe = Pipe { interfaces: Arc::new(asked), partial: Vec::new() };
            if let Some(Kind::Call(call)) = self.get_mut(id).map(|tx| &mut tx.kind) {
                call.interfaces = Arc::clone(&pipe.interfaces);
            }
            self.pipes.insert(fid, pipe);
        }
        let request = (header.kind == pdu::REQUEST).then(|| pdu::request(&header, body));
        let Some(tx) = self.get_mut(id) else { return };
        let Kind::Call(call) = &mut tx.kind else { return };
        let mut kept = 0;
        match request {
            Some(Some((_, opnum, stub))) => {
                call.opnum.get_or_insert(opnum);
                kept = call.sides[Dir::ToServer].fragment(header.kind, header.little, stub, header.last());
            }
            Some(None) => {
                call.sides[Dir::ToServer].fragment(header.kind, header.little, &[], true);
                tx.meta.set_event(Event::MalformedData as u8);
            }
            None => {
                call.sides[Dir::ToServer].fragment(header.kind, header.little, &[], true);
            }
        }
        let done = call.sides[Dir::ToServer].done;
        tx.done[Dir::ToServer] |= done;
        self.holds(kept);
    }

    /// A unit, or a piece of one, comes from the server.
    pub fn pipe_response(&mut self, head: &Head, fid: Fid, message: u64, data: &[u8]) {
        let overflow = head.nt() == Some(STATUS_BUFFER_OVERFLOW);
        if !overflow && !head.succeeded() {
            self.answered(head);
            return;
        }
        if data.is_empty() {
            return;
        }
        let whole = match self.pipes.get_mut(&fid).map(|pipe| std::mem::take(&mut pipe.partial)) {
            Some(mut partial) if !partial.is_empty() => {
                partial.extend_from_slice(data);
                partial
            }
            _ => data.to_vec(),
        };
        let Some(header) = Header::read(&whole).filter(|header| header.version == 5) else {
            self.event(Event::MalformedData);
            return;
        };
        if overflow && whole.len() < usize::from(header.frag_len) && whole.len() <= PARTIAL_MAX_BYTES {
            match self.pipes.get_mut(&fid) {
                Some(pipe) => pipe.partial = whole,
                None => self.pipes.insert(fid, Pipe { partial: whole, ..Pipe::default() }),
            }
            return;
        }
        let unit = whole.get(..usize::from(header.frag_len)).unwrap_or(&whole);
        let body = unit.get(HEADER_LEN..).unwrap_or_default();
        let mut bound = None;
        if matches!(header.kind, pdu::BIND_ACK | pdu::ALTER_CONTEXT_RESP) {
            let answers = pdu::bind_ack(&header, body).unwrap_or_default();
            if let Some(pipe) = self.pipes.get_mut(&fid).filter(|_| header.kind == pdu::BIND_ACK) {
                for (interface, answer) in Arc::make_mut(&mut pipe.interfaces).iter_mut().zip(&answers) {
                    interface.answer = Some(*answer);
                }
                bound = Some(Arc::clone(&pipe.interfaces));
            }
        }
        let (call_key, loose) = ((fid, header.call_id, message), (fid, header.call_id, 0));
        let known = self.calls.get(&call_key).or_else(|| self.calls.get(&loose)).copied();
        let found = known.filter(|id| self.txs.typed(*id).is_some_and(|tx| !tx.done[Dir::ToClient]));
        let id = match found {
            Some(id) => id,
            None => {
                // The request was lost: there is none to wait for.
                let id = self.make_call(head, call_key, false);
                if let Some(tx) = self.get_mut(id) {
                    tx.done[Dir::ToServer] = true;
                }
                id
            }
        };
        let Some(tx) = self.get_mut(id) else { return };
        let Kind::Call(call) = &mut tx.kind else { return };
        tx.status = Some(head.nt().map_or(head.status, Status::Nt));
        if let Some(interfaces) = bound {
            call.interfaces = interfaces;
        }
        let (stub, last) = match header.kind {
            pdu::RESPONSE => (pdu::response(body).unwrap_or_default(), header.last()),
            _ => (&[][..], true),
        };
        let kept = call.sides[Dir::ToClient].fragment(header.kind, header.little, stub, last);
        tx.done[Dir::ToClient] |= last;
        if last {
            self.calls.remove(&call_key);
            self.calls.remove(&loose);
        }
        self.holds(kept);
    }
}
