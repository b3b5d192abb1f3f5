//! Any bytes as frames of any link type through decode, defragmentation and tunnels.
#![no_main]

use haidang_core::capture::Frame;
use haidang_core::decode::{Config, Decoder};
use haidang_core::time::Timestamp;
use haidang_fuzz::Taker;
use libfuzzer_sys::fuzz_target;

/// LINKTYPE_: null, Ethernet, raw, Linux cooked, raw IPv4, raw IPv6, Linux cooked v2, loop, and one nobody knows.
const LINK_TYPES: [u16; 9] = [0, 1, 101, 113, 228, 229, 276, 108, 999];

fuzz_target!(|data: &[u8]| {
    let mut input = Taker(data);
    let mut decoder = Decoder::new(Config::default());
    let mut number = 0;
    while !input.is_empty() {
        number += 1;
        let link_type = LINK_TYPES[usize::from(input.u8()) % LINK_TYPES.len()];
        let len = usize::from(input.u16());
        let frame = Frame {
            data: input.bytes(len),
            ts: Timestamp::from_parts(number, 0),
            wire_len: u32::try_from(len).unwrap_or(0),
            link_type,
        };
        decoder.frame(&frame, number, |packet| {
            std::hint::black_box(packet.payload());
        });
    }
});
