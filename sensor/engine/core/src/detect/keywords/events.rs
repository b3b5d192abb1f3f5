//! decode-event, stream-event and engine-event: oddities that decoding and reassembly found.

use super::{nearest, Keyword, Kind};
use crate::decode;
use crate::detect::builder::{some_value, RuleBuilder};
use crate::detect::cx::PacketCx;
use crate::detect::diagnostic::Refusal;
use crate::detect::rule::PacketTest;
use crate::stream;

macro_rules! event_keyword {
    ($id:ident, $name:literal, $doc:literal, $example:literal) => {
        pub static $id: Keyword = Keyword {
            name: $name,
            kind: Kind::Packet,
            doc: $doc,
            example: concat!($name, ":", $example, ";"),
            accepts: &[concat!($name, ":", $example, ";")],
            refuses: &[concat!($name, ";"), concat!($name, ":nonsense;")],
            parse: |rule, value| event(rule, $name, some_value($name, value, $example)?),
            ..Keyword::EMPTY
        };
    };
}

event_keyword!(DECODE_EVENT, "decode-event", "An oddity in packet headers.", "ipv4.pkt_too_small");
event_keyword!(STREAM_EVENT, "stream-event", "An oddity of a TCP connection.", "3whs_ack_in_wrong_dir");
event_keyword!(
    ENGINE_EVENT,
    "engine-event",
    "The old name of decode-event and stream-event.",
    "ipv4.pkt_too_small"
);

/// The code of an event, whatever of its two prefixes it is written with.
fn code(name: &str) -> Option<u16> {
    let bare = name.strip_prefix("decoder.").unwrap_or(name);
    let decoder = decode::events::NAMES.iter().position(|n| n.strip_prefix("decoder.").unwrap_or(n) == bare);
    if let Some(at) = decoder {
        return u16::try_from(at).ok();
    }
    let bare = name.strip_prefix("stream.").unwrap_or(name);
    let at = stream::events::NAMES.iter().position(|n| *n == bare)?;
    u16::try_from(at).ok()?.checked_add(stream::events::FIRST)
}

struct HasEvent(u16);

impl PacketTest for HasEvent {
    fn matches(&self, cx: &PacketCx<'_>) -> bool {
        cx.packet.events.contains(self.0)
    }
    fn event_code(&self) -> Option<u16> {
        Some(self.0)
    }
}

fn event(rule: &mut RuleBuilder<'_>, keyword: &str, name: &str) -> Result<(), Refusal> {
    let name = name.trim_matches('"').to_ascii_lowercase();
    let Some(code) = code(&name) else {
        let known = decode::events::NAMES
            .iter()
            .map(|n| n.strip_prefix("decoder.").unwrap_or(n))
            .chain(stream::events::NAMES.iter().copied());
        let fix = match nearest(&name, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("see the list of events of {keyword} in the manual"),
        };
        return Err(Refusal::error(format!("unknown event `{name}`"), fix));
    };
    rule.rule.packet_tests.push(Box::new(HasEvent(code)));
    Ok(())
}
