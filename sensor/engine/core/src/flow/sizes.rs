//! What an idle flow costs in memory: the sizes of what it is made of, bounded. Flows stand in a busy sensor by the
//! million, and their state is written anew for each.

use super::entry::Flow;
use super::slab::Slot;
use crate::app::flow_state::AppState;
use crate::detect::FlowDetect;
use crate::stream::{StreamSide, TcpSession};

/// An idle flow on TCP may cost this much, with a short request and answer that wait for more to be inspected with.
const IDLE_FLOW_MAX_BYTES: usize = 1024;

/// What allocators round `bytes` up to: a quarter of a power of two (mimalloc and jemalloc alike).
fn allocated(bytes: usize) -> usize {
    bytes.next_multiple_of((bytes.next_power_of_two() / 8).max(16))
}

#[test]
fn an_idle_flow_costs_a_kibibyte_at_most() {
    // A hash entry (slot number and tag) in a table that has just doubled, and one that is half empty after it.
    let linked = (size_of::<u32>() + 1) * 16 / 7;
    // The wheel's entry and the list of free slots, in vectors that have just doubled.
    let listed = 2 * size_of::<super::wheel::Entry>() + 2 * size_of::<u32>();
    // One segment a side: its bytes, and no memory for its extent.
    let waiting = 2 * allocated(32);
    let parts = [
        ("slot", size_of::<Slot>()),
        ("session", allocated(size_of::<TcpSession>())),
        ("hash entry", linked),
        ("lists", listed),
        ("waiting bytes", waiting),
    ];
    let all: usize = parts.iter().map(|(_, bytes)| bytes).sum();
    let within = [
        ("flow", size_of::<Flow>()),
        ("app state", size_of::<AppState>()),
        ("detect state", size_of::<FlowDetect>()),
        ("stream side", size_of::<StreamSide>()),
        ("session", size_of::<TcpSession>()),
    ];
    println!("idle flow: {all} bytes: {parts:?}; {within:?}");
    assert!(all <= IDLE_FLOW_MAX_BYTES, "{all} bytes: {parts:?}; {within:?}");
}
