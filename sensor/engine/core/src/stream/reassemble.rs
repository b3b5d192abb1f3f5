//! From a segment's payload to a side's bytes: urgent data, memory cap, overlap and depth events. Knows no TCP states.

use super::config::UrgentPolicy;
use super::counters::count;
use super::events::StreamEvent;
use super::session::Cx;
use super::side::StreamSide;
use crate::decode::TcpHeader;

/// Urgent bytes left out per side before the limit's policy is in force: more of it is an evasion, not a terminal.
const URGENT_MAX: u16 = 8192;

/// Stores the packet's payload, which begins at sequence number `seq`, in its sender's side.
pub(super) fn store(side: &mut StreamSide, cx: &mut Cx, seq: u32) {
    let payload = cx.pkt.payload();
    if payload.is_empty() || !side.reassembles() {
        return;
    }
    count(&mut cx.env.counters.segments);
    if side.beyond_depth(seq) {
        return;
    }
    if !side.has_room(payload.len(), cx.env.config.reassembly.memcap) {
        count(&mut cx.env.counters.segment_memcap_drop);
        cx.event(StreamEvent::ReassemblyInsertMemcap);
        return;
    }
    let had_depth = side.depth_reached;
    let urgent = if cx.has(TcpHeader::URG) { urgent_bytes(side, cx, payload.len()) } else { Urgent::None };
    match urgent {
        Urgent::None => put(side, cx, seq, payload),
        Urgent::Drop => return,
        Urgent::Byte(at) => {
            // The byte is taken out and what follows moves up: later sequence numbers count it no more.
            let (before, rest) = payload.split_at_checked(at).unwrap_or((payload, &[]));
            put(side, cx, seq, before);
            side.skip_byte();
            let after = rest.get(1..).unwrap_or(&[]);
            let next = seq.wrapping_add(at as u32).wrapping_add(1);
            if !after.is_empty() {
                put(side, cx, next, after);
            }
        }
    }
    cx.pkt.stream_added = true;
    if side.depth_reached && !had_depth {
        count(&mut cx.env.counters.stream_depth_reached);
        cx.event(StreamEvent::ReassemblyDepthReached);
    }
}

enum Urgent {
    None,
    Drop,
    /// Index in the payload of the byte to leave out.
    Byte(usize),
}

fn urgent_bytes(side: &mut StreamSide, cx: &mut Cx, len: usize) -> Urgent {
    let pointer = usize::from(cx.h.urgent);
    let policy = cx.env.config.reassembly.urgent.policy;
    let by = |policy: UrgentPolicy| match policy {
        UrgentPolicy::Inline => Urgent::None,
        UrgentPolicy::Drop | UrgentPolicy::Gap => Urgent::Drop,
        // RFC 9293, 3.8.5: the pointer names the byte after the urgent one; stacks take one byte out of band.
        UrgentPolicy::Oob if pointer >= 1 && pointer <= len => Urgent::Byte(pointer.saturating_sub(1)),
        UrgentPolicy::Oob => Urgent::None,
    };
    let verdict = by(policy);
    if let Urgent::Byte(_) = verdict {
        if side.t.urgent_dropped >= URGENT_MAX {
            cx.event(StreamEvent::ReassemblyUrgentOobLimitReached);
            return match cx.env.config.reassembly.urgent.oob_limit_policy {
                UrgentPolicy::Oob => verdict,
                other => by(other),
            };
        }
        count(&mut cx.env.counters.urgent_oob_data);
    }
    verdict
}

fn put(side: &mut StreamSide, cx: &mut Cx, seq: u32, bytes: &[u8]) {
    let (inserted, before) = side.insert(seq, bytes);
    if before {
        cx.event(StreamEvent::ReassemblySegmentBeforeBaseSeq);
    }
    if inserted.refused {
        count(&mut cx.env.counters.segment_list_drop);
        cx.event(StreamEvent::ReassemblyInsertLimit);
    }
    if inserted.overlap {
        count(&mut cx.env.counters.overlap);
    }
    if inserted.differs {
        count(&mut cx.env.counters.overlap_diff_data);
        cx.event(StreamEvent::ReassemblyOverlapDifferentData);
    }
}
