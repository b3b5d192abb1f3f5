//! frame: a stretch of raw stream or datagram that a parser tells apart, as a sticky buffer.

use super::{Keyword, Kind, LATER_PROTOCOLS};
use crate::app::{frames, Protocol, ProtocolId};
use crate::detect::builder::{some_value, List, Place, RuleBuilder};
use crate::detect::diagnostic::Refusal;

pub static FRAME: Keyword = Keyword {
    name: "frame",
    kind: Kind::Buffer,
    doc: "The raw bytes of each frame of a kind, as a sticky buffer: `protocol.frame`, or `frame` alone where the rule's header \
          names the protocol. Every protocol on TCP has the frame `stream`, all the bytes of a direction.",
    example: "frame:dns.pdu; content:\"abc\";",
    accepts: &[
        "frame:dns.pdu; content:\"abc\";",
        "frame:http1.request; strip_whitespace; content:\"GET\"; startswith;",
        "frame:tls.stream; content:\"a\";",
    ],
    refuses: &[
        "frame; content:\"a\";",
        "frame:pdu; content:\"a\";",
        "frame:dns.nonsense; content:\"a\";",
        "frame:nonsense.pdu; content:\"a\";",
        "frame:dns.pdu;",
        "frame:dns.pdu; content:\"a\"; dns.query; content:\"b\";",
        "content:\"a\"; frame:dns.pdu; content:\"a\";",
        "frame:tls.pdu; content:\"a\"; frame:tls.hdr; content:\"a\";",
    ],
    parse: |rule, value| {
        let value = some_value("frame", value, "dns.pdu")?.to_ascii_lowercase();
        match place(rule, &value) {
            Ok((protocol, kind)) => rule.select(Place::Frame(protocol, kind)),
            Err(refusal) => {
                // What follows is still checked, on a buffer of its own.
                rule.lists.push(List::new(Place::Later, rule.option));
                rule.current = rule.lists.len().saturating_sub(1);
                Err(refusal)
            }
        }
    },
    ..Keyword::EMPTY
};

fn place(rule: &RuleBuilder<'_>, value: &str) -> Result<(ProtocolId, u8), Refusal> {
    if let Some((protocol, name)) = value.split_once('.') {
        if let Some(id) = ProtocolId::find(protocol) {
            return frames::find(id.get(), name)
                .map(|kind| (id, kind))
                .ok_or_else(|| unknown(id.get(), name));
        }
        if LATER_PROTOCOLS.contains(&protocol) {
            return Err(Refusal::skip(format!("protocol `{protocol}` is not supported by this build yet")));
        }
    }
    let mine = &rule.rule.protocols;
    let found = mine.iter().find_map(|id| frames::find(id.get(), value).map(|kind| (*id, kind)));
    found.ok_or_else(|| match mine.first() {
        Some(id) => unknown(id.get(), value),
        None => Refusal::error(
            format!("`{value}` does not say whose frame it is"),
            "write frame:protocol.name; or name the protocol in the rule's header",
        ),
    })
}

fn unknown(protocol: &Protocol, name: &str) -> Refusal {
    let stream = protocol.tcp.then_some("stream");
    let names: Vec<&str> = protocol.frames.iter().copied().chain(stream).collect();
    Refusal::error(
        format!("protocol `{}` has no frame `{name}`", protocol.name),
        format!("use one of: {}", names.join(", ")),
    )
}
