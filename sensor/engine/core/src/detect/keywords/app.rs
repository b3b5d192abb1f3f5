//! Keywords about application protocols as such: app-layer-protocol, app-layer-event, hooks in the rule header.

use super::{text, Keyword, Kind, LATER_PROTOCOLS};
use crate::app::flow_state::Recognition;
use crate::app::{driver, ProtocolId, Transaction, PROTOCOLS};
use crate::detect::builder::{some_value, RuleBuilder};
use crate::detect::cx::{EvalCx, PacketCx};
use crate::detect::diagnostic::Refusal;
use crate::detect::rule::{PacketTest, TxTest};
use crate::direction::Dir;

/// Older names of events.
const EVENT_ALIASES: &[(&str, &str)] =
    &[("not_a_request", "not_request"), ("not_a_response", "not_response")];

/// The protocols a rule name stands for.
pub fn protocols(name: &str) -> Result<Vec<ProtocolId>, Refusal> {
    let found: Vec<ProtocolId> = (0..=u8::MAX)
        .zip(PROTOCOLS)
        .filter(|(_, p)| p.name == name || p.aliases.contains(&name))
        .map(|(id, _)| ProtocolId(id))
        .collect();
    if !found.is_empty() {
        return Ok(found);
    }
    if LATER_PROTOCOLS.contains(&name) {
        return Err(Refusal::skip(format!("protocol `{name}` is not supported by this build yet")));
    }
    let known = PROTOCOLS.iter().map(|p| p.name).chain(["tcp", "udp", "icmp", "ip", "pkthdr", "sctp"]);
    let fix = match super::nearest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "use ip, tcp, udp, icmp or an application protocol (see: haidang protocols)".to_owned(),
    };
    Err(Refusal::error(format!("unknown protocol `{name}`"), fix))
}

/// `http1:request_headers`, `tcp:flow_start`: the moment at which the rule is tried.
pub fn hook(rule: &mut RuleBuilder<'_>, protocol: &str, hook: &str) -> Result<(), Refusal> {
    if hook == "all" {
        return Ok(());
    }
    let Some(id) = ProtocolId::find(protocol) else {
        if hook == "flow_start" {
            // The first packet of either direction.
            rule.packet_test(|cx| cx.flow.is_some_and(|f| f.packets[cx.dir] <= 1));
            return Ok(());
        }
        return Err(Refusal::error(
            format!("protocol `{protocol}` has no hook `{hook}`"),
            "use flow_start, or remove the hook",
        ));
    };
    for dir in Dir::BOTH {
        let states = id.get().states[dir];
        if let Some(at) = states.iter().position(|s| *s == hook) {
            rule.implied_dirs.push((dir, format!("{protocol}:{hook}")));
            let progress = u8::try_from(at).unwrap_or(u8::MAX);
            rule.rule.tx_tests.push(Box::new(Reached { protocol: id, dir, progress }));
            return Ok(());
        }
    }
    let both = Dir::BOTH.map(|dir| id.get().states[dir].join(", "));
    Err(Refusal::error(
        format!("protocol `{protocol}` has no hook `{hook}`"),
        format!("use one of {}", both.join(", ")),
    ))
}

/// The transaction has come so far.
struct Reached {
    protocol: ProtocolId,
    dir: Dir,
    progress: u8,
}

impl TxTest for Reached {
    fn dir(&self) -> Option<Dir> {
        Some(self.dir)
    }
    fn progress(&self) -> u8 {
        self.progress
    }
    fn protocol(&self) -> Option<ProtocolId> {
        Some(self.protocol)
    }
    fn matches(&self, _tx: &dyn Transaction, _dir: Dir, _cx: &EvalCx<'_>) -> bool {
        true
    }
}

pub static APP_LAYER_PROTOCOL: Keyword = Keyword {
    name: "app-layer-protocol",
    kind: Kind::App,
    doc: "The flow's application protocol, by name, `failed` or `unknown`; `,final|original|either|to_server|to_client` \
          says which recognition is meant.",
    example: "app-layer-protocol:!tls;",
    accepts: &["app-layer-protocol:dns;", "app-layer-protocol:!dns;", "app-layer-protocol:failed;", "app-layer-protocol:dns,to_server;"],
    refuses: &["app-layer-protocol;", "app-layer-protocol:nonsense;", "app-layer-protocol:dns,sideways;"],
    parse: app_layer_protocol,
    ..Keyword::EMPTY
};

#[derive(Clone, Copy)]
enum Which {
    Final,
    Original,
    Either,
    Seen(Dir),
}

fn app_layer_protocol(rule: &mut RuleBuilder<'_>, value: Option<&str>) -> Result<(), Refusal> {
    let value = some_value("app-layer-protocol", value, "tls")?;
    let (negated, value) = text::negation(value.trim_matches('"'));
    let (name, mode) = value.split_once(',').map_or((value, "final"), |(n, m)| (n.trim(), m.trim()));
    let which = match mode {
        "final" => Which::Final,
        "original" => Which::Original,
        "either" => Which::Either,
        "to_server" | "toserver" => Which::Seen(Dir::ToServer),
        "to_client" | "toclient" => Which::Seen(Dir::ToClient),
        _ => {
            return Err(Refusal::error(
                format!("`{mode}` does not say which recognition is meant"),
                "use final, original, either, to_server or to_client",
            ));
        }
    };
    let asked = match name {
        "failed" => Asked::Failed,
        "unknown" => Asked::Unknown,
        _ => Asked::Protocols(match protocols(name) {
            Ok(ids) => ids,
            // A protocol that is never recognised is never the flow's: the negation still has a meaning.
            Err(refusal) if negated && refusal.severity == super::Severity::Skip => Vec::new(),
            Err(refusal) => return Err(refusal),
        }),
    };
    rule.rule.packet_tests.push(Box::new(Recognised { asked, which, negated }));
    Ok(())
}

enum Asked {
    Failed,
    Unknown,
    Protocols(Vec<ProtocolId>),
}

/// `app-layer-protocol`: what the flow was recognised as.
struct Recognised {
    asked: Asked,
    which: Which,
    negated: bool,
}

impl PacketTest for Recognised {
    fn matches(&self, cx: &PacketCx<'_>) -> bool {
        let Some(app) = cx.flow.map(|f| &f.app) else { return false };
        let over = Dir::BOTH.iter().all(|d| app.recognition[*d] == Recognition::Failed);
        let wanted = match &self.asked {
            Asked::Failed => return (app.protocol.is_none() && over) != self.negated,
            Asked::Unknown => return app.protocol.is_none() != self.negated,
            Asked::Protocols(wanted) => wanted,
        };
        let is = |found: Option<ProtocolId>| found.is_some_and(|p| wanted.contains(&p));
        let first = app.original.or(app.protocol);
        let (known, found) = match self.which {
            Which::Final => (app.protocol.is_some(), is(app.protocol)),
            Which::Original => (first.is_some(), is(first)),
            Which::Either => (app.protocol.is_some(), is(app.protocol) || is(first)),
            Which::Seen(dir) => (app.seen[dir].is_some(), is(app.seen[dir])),
        };
        known && found != self.negated
    }

    fn about_recognition(&self) -> bool {
        true
    }
}

pub static APP_LAYER_EVENT: Keyword = Keyword {
    name: "app-layer-event",
    kind: Kind::App,
    doc: "An oddity the protocol's parser found: `protocol.event`, or `applayer_...` for recognition itself.",
    example: "app-layer-event:dns.malformed_data;",
    accepts: &["app-layer-event:applayer_wrong_direction_first_data;"],
    refuses: &[
        "app-layer-event;",
        "app-layer-event:nonsense;",
        "app-layer-event:dns.nonsense;",
        "app-layer-event:nope.x;",
    ],
    parse: app_layer_event,
    ..Keyword::EMPTY
};

fn app_layer_event(rule: &mut RuleBuilder<'_>, value: Option<&str>) -> Result<(), Refusal> {
    let value = some_value("app-layer-event", value, "dns.malformed_data")?;
    let unknown = |near: Option<&str>| {
        let fix = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write app-layer-event:protocol.event; (see: haidang protocols)".to_owned(),
        };
        Refusal::error(format!("unknown app-layer event `{value}`"), fix)
    };
    let Some((name, event)) = value.split_once('.') else {
        let at = driver::EVENTS.iter().position(|e| *e == value);
        let at = at.ok_or_else(|| unknown(super::nearest(value, driver::EVENTS.iter().copied())))?;
        let bit = u32::try_from(at).ok().and_then(|at| 1u16.checked_shl(at)).unwrap_or(0);
        rule.packet_test(move |cx| cx.flow.is_some_and(|f| f.app.events & bit != 0));
        return Ok(());
    };
    let mut ids = protocols(name)?;
    if let Some(owner) = ProtocolId::find(name) {
        // A name may stand for several protocols; the event is of those that share its owner's list.
        ids.retain(|id| std::ptr::eq(id.get().events, owner.get().events));
    }
    if !rule.rule.protocols.is_empty() {
        let shared: Vec<ProtocolId> =
            ids.iter().copied().filter(|p| rule.rule.protocols.contains(p)).collect();
        if !shared.is_empty() {
            ids = shared;
        }
    }
    let Some(id) = ids.first().copied() else {
        return Err(unknown(None));
    };
    let events = id.get().events;
    let event = EVENT_ALIASES.iter().find(|(old, _)| *old == event).map_or(event, |(_, new)| *new);
    let Some(index) = events.iter().position(|e| e.eq_ignore_ascii_case(event)) else {
        return Err(unknown(super::nearest(event, events.iter().copied())));
    };
    let only = (ids.len() == 1).then_some(id);
    rule.limits.push((ids, format!("app-layer-event:{value}")));
    rule.rule
        .tx_tests
        .push(Box::new(Event { protocol: only, index: u8::try_from(index).unwrap_or(u8::MAX) }));
    Ok(())
}

struct Event {
    /// None: several, which the rule is limited to.
    protocol: Option<ProtocolId>,
    index: u8,
}

impl TxTest for Event {
    fn dir(&self) -> Option<Dir> {
        None
    }
    fn progress(&self) -> u8 {
        0
    }
    fn protocol(&self) -> Option<ProtocolId> {
        self.protocol
    }
    fn matches(&self, tx: &dyn Transaction, _dir: Dir, _cx: &EvalCx<'_>) -> bool {
        tx.meta().has_event(self.index)
    }
    fn needs_events(&self) -> bool {
        true
    }
}
