//! Names of engine events: decoder events have the codes below `stream::events::FIRST`, stream events those from there on.

use crate::{decode, stream};

pub fn is_stream(code: u16) -> bool {
    code >= stream::events::FIRST
}

/// The name as anomaly records write it, e.g. "decoder.ipv4.pkt_too_small" or "stream.3whs_ack_in_wrong_dir".
pub fn name(code: u16) -> Option<String> {
    if is_stream(code) {
        stream::events::name(code).map(|n| format!("stream.{n}"))
    } else {
        decode::events::NAMES.get(usize::from(code)).map(|n| (*n).to_owned())
    }
}
