//! Any segments of one TCP session through the whole line: decode, flow, stream, recognition, parsers, events.
#![no_main]

use haidang_core::capture::Frame;
use haidang_core::detect::compile::Earlier;
use haidang_core::detect::ruleset::Ruleset;
use haidang_core::team::Member;
use haidang_core::time::Timestamp;
use haidang_core::worker::Worker;
use haidang_fuzz::{segments, Taker};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

/// LINKTYPE_RAW
const RAW_IP: u16 = 101;

fuzz_target!(|data: &[u8]| {
    let mut input = Taker(data);
    let document = serde_json::json!({
        "checksum-mode": "none",
        "stream": {"midstream": input.u8() & 1 == 0, "reassembly": {"depth": 65536}},
    });
    let (rules, _) = Ruleset::build(Vec::new(), Default::default(), Vec::new(), Earlier::NOTHING)
        .expect("no rules compile");
    let member = Member::alone();
    member.join();
    let mut worker = Worker::new(&document, Arc::new(rules), &member).expect("the document is fine");
    let mut number = 0;
    while let Some(packet) = segments::next(&mut input) {
        number += 1;
        let wire_len = u32::try_from(packet.len()).unwrap_or(0);
        let frame =
            Frame { data: &packet, ts: Timestamp::from_parts(number, 0), wire_len, link_type: RAW_IP };
        worker.packet(&frame, number, |_| ());
    }
    worker.finish(|_| {});
    while let Some(batch) = worker.take_events() {
        for line in batch.data.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let event: Result<serde_json::Value, _> = serde_json::from_slice(line);
            assert!(event.is_ok(), "no JSON: {:?}", String::from_utf8_lossy(line));
        }
    }
    assert!(worker.quarantine.is_empty(), "a stage failed");
});
