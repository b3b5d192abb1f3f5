//! Stream: TCP sequence space, overlap policy, depth, gaps. Knows no protocols.
//!
//! `packet` takes a packet of a flow; the next stages then read the sides named in its answer (`StreamSide::app_chunk`,
//! `raw_chunk`). A side's bytes become readable when its peer has acknowledged them, or when the flow has ended.

// Bytes from the wire can never panic: what could is refused here. Tests may.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

mod block;
mod buffer;
#[cfg(test)]
mod buffer_tests;
mod checks;
mod closing;
pub mod config;
pub mod counters;
mod established;
pub mod events;
pub mod fuzz;
mod handshake;
mod memory;
mod policy;
mod reassemble;
pub mod seq;
mod session;
mod side;
mod syn_received;
#[cfg(test)]
mod tests;
mod tracking;

pub use config::StreamConfig;
pub use counters::StreamCounters;
pub use fuzz::fuzz_stream;
pub use policy::{HostPolicies, OsPolicy};
pub use session::{StreamUpdate, Streams, TcpSession, TcpState};
pub use side::{Chunk, RawView, StreamSide};

use crate::decode::{Packet, TcpHeader};
use crate::direction::Dir;
use crate::flow::Flow;
use counters::count;

/// Takes a TCP packet of `flow`: makes the session when the packet begins one, moves its state and the flow's, stores the
/// payload. Answers the packet's direction, which is turned round (with the flow) when the flow proves to have been
/// opened from the server's end, and the sides to read now, in order.
pub fn packet(env: &mut Streams, flow: &mut Flow, pkt: &mut Packet, dir: Dir) -> (Dir, StreamUpdate) {
    let Some(header) = pkt.tcp().copied() else {
        return (dir, StreamUpdate::default());
    };
    if pkt.bad_checksum {
        count(&mut env.counters.invalid_checksum);
        return (dir, StreamUpdate::default());
    }
    if header.has(TcpHeader::SYN | TcpHeader::ACK) {
        count(&mut env.counters.synack);
    } else if header.has(TcpHeader::SYN) {
        count(&mut env.counters.syn);
    }
    let mut dir = dir;
    if flow.tcp.is_none() {
        if header.has(TcpHeader::ACK) && header.flags & (TcpHeader::RST | TcpHeader::FIN) == 0 {
            flow.except("stream_midstream", Some(env.config.midstream_policy));
        }
        let cap = env.config.memcap;
        let used = env.memory.sessions();
        if cap != 0 && used.saturating_add(size_of::<TcpSession>() as u64) > cap {
            count(&mut env.counters.ssn_memcap_drop);
            flow.except("stream_memcap", env.config.memcap_policy);
            return (dir, StreamUpdate::default());
        }
        if comes_from_wrong_end(&header, dir, flow, env.config.midstream) {
            flow.swap();
            dir = dir.opposite();
        }
        // Of a connection whose beginning was not seen all packets come here: no session is made to find out.
        let beginning = handshake::beginning(&header, &env.config);
        if !matches!(beginning, Ok(Some(_))) {
            session::look_at_ack(&header, pkt);
            if let Err(event) = beginning {
                pkt.events.set(event.code());
            }
            count(&mut env.counters.no_flow);
            return (dir, StreamUpdate::default());
        }
        let mut session = Box::new(TcpSession::new(env));
        let update = session.packet(env, pkt, dir);
        flow.state = session.flow_state();
        flow.tcp = Some(session);
        return (dir, update);
    }
    let Some(session) = flow.tcp.as_deref_mut() else {
        return (dir, StreamUpdate::default());
    };
    let refused = env.counters.segment_memcap_drop;
    let update = session.packet(env, pkt, dir);
    flow.state = session.flow_state();
    if env.counters.segment_memcap_drop != refused {
        flow.except("stream_reassembly_memcap", env.config.reassembly.memcap_policy);
    }
    (dir, update)
}

/// A flow opened by a SYN/ACK (midstream), or a SYN against the flow's direction when no session was made yet.
fn comes_from_wrong_end(header: &TcpHeader, dir: Dir, flow: &Flow, midstream: bool) -> bool {
    match header.flags & (TcpHeader::SYN | TcpHeader::ACK) {
        TcpHeader::SYN => dir == Dir::ToClient,
        flags if flags == TcpHeader::SYN | TcpHeader::ACK => {
            midstream && dir == Dir::ToServer && flow.packets.to_client == 0
        }
        _ => false,
    }
}
