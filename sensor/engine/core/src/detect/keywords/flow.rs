//! flow, stream_size and the counters of a flow.

use super::{number, Keyword, Kind};
use crate::detect::builder::{some_value, RuleBuilder};
use crate::detect::diagnostic::Refusal;
use crate::detect::rule::FlowCondition;
use crate::direction::Dir;

pub static FLOW: Keyword = Keyword {
    name: "flow",
    kind: Kind::Flow,
    doc: "State and direction: established, not_established, stateless, to_server, to_client, from_client, from_server, only_stream, no_stream, only_frag, no_frag.",
    example: "flow:established,to_server;",
    accepts: &[
        "flow:established,to_server;",
        "flow: from_server , not_established;",
        "flow:stateless;",
        "flow:no_stream;",
        "flow:only_frag;",
    ],
    refuses: &[
        "flow;",
        "flow:sideways;",
        "flow:to_server,to_client;",
        "flow:established,stateless;",
        "flow:only_stream,no_stream;",
        "flow:established; flow:established;",
    ],
    parse: flow,
    ..Keyword::EMPTY
};

fn flow(rule: &mut RuleBuilder<'_>, value: Option<&str>) -> Result<(), Refusal> {
    let value = some_value("flow", value, "established,to_server")?;
    let condition = &mut rule.rule.flow;
    if *condition != FlowCondition::default() {
        return Err(Refusal::error(
            "the rule has a flow option already",
            "write one flow option with all parts",
        ));
    }
    let conflict = |a: &str| {
        Refusal::error(
            format!("`{a}` contradicts another flow option, or repeats one"),
            "name one direction and one state",
        )
    };
    for option in value.split(',').map(str::trim) {
        let lower = option.to_ascii_lowercase();
        let states = condition.established || condition.not_established || condition.stateless;
        match lower.as_str() {
            "to_server" | "from_client" | "to_client" | "from_server" => {
                let dir = match lower.as_str() {
                    "to_server" | "from_client" => Dir::ToServer,
                    _ => Dir::ToClient,
                };
                if condition.dir.is_some() {
                    return Err(conflict(option));
                }
                condition.dir = Some(dir);
            }
            "established" | "not_established" | "stateless" if states => return Err(conflict(option)),
            "established" => condition.established = true,
            "not_established" => condition.not_established = true,
            "stateless" => condition.stateless = true,
            "only_stream" | "no_stream" if condition.only_stream || condition.no_stream => {
                return Err(conflict(option));
            }
            "only_stream" => condition.only_stream = true,
            "no_stream" => condition.no_stream = true,
            "only_frag" | "no_frag" if condition.only_frag || condition.no_frag => {
                return Err(conflict(option));
            }
            "only_frag" => condition.only_frag = true,
            "no_frag" => condition.no_frag = true,
            _ => {
                return Err(Refusal::error(
                    format!("`{option}` is no flow option"),
                    "use established, not_established, stateless, to_server, to_client, from_client, from_server, only_stream, no_stream, only_frag or no_frag",
                ));
            }
        }
    }
    Ok(())
}

pub static STREAM_SIZE: Keyword = Keyword {
    name: "stream_size",
    kind: Kind::Flow,
    doc: "Bytes of TCP stream data acknowledged or seen so far: server|client|both|either, operator, bytes.",
    example: "stream_size:server,<,6;",
    accepts: &["stream_size:server,<,6;", "stream_size:both,>=,100;", "stream_size:either,!=,10;"],
    refuses: &["stream_size;", "stream_size:all,<,6;", "stream_size:server,?,6;", "stream_size:server,<;"],
    parse: stream_size,
    ..Keyword::EMPTY
};

fn stream_size(rule: &mut RuleBuilder<'_>, value: Option<&str>) -> Result<(), Refusal> {
    let value = some_value("stream_size", value, "server,<,6")?;
    let wrong = || {
        Refusal::error(
            format!("`{value}` is not a stream size"),
            "write stream_size:server|client|both|either,OPERATOR,BYTES; with < <= > >= = or !=",
        )
    };
    let mut parts = value.split(',').map(str::trim);
    let (side, operator, bytes) = match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(side), Some(operator), Some(bytes), None) => (side, operator, bytes),
        _ => return Err(wrong()),
    };
    if !matches!(operator, "<" | "<=" | ">" | ">=" | "=" | "==" | "!=") {
        return Err(wrong());
    }
    let operator = if operator == "==" { "=" } else { operator };
    let test = number::test_with(&format!("{operator}{bytes}"), &number::unsigned).ok_or_else(wrong)?;
    let dirs: (bool, bool, bool) = match side {
        // What the client sent goes to the server.
        "client" => (true, false, true),
        "server" => (false, true, true),
        "both" => (true, true, true),
        "either" => (true, true, false),
        _ => return Err(wrong()),
    };
    rule.has_stream_size = true;
    let below = match operator {
        "<" => bytes.parse().ok(),
        "<=" | "=" => bytes.parse::<u64>().ok().and_then(|bytes| bytes.checked_add(1)),
        _ => None,
    };
    let sender = if side == "client" { Dir::ToServer } else { Dir::ToClient };
    if let (Some(below), "client" | "server") = (below, side) {
        rule.rule.stream_below = Some((sender, below));
    }
    rule.packet_test(move |cx| {
        let Some(session) = cx.flow.and_then(|f| f.tcp.as_deref()) else {
            return false;
        };
        let holds = |dir: Dir| test.holds(session.bytes_seen(dir));
        match dirs {
            (true, false, _) => holds(Dir::ToServer),
            (false, _, _) => holds(Dir::ToClient),
            (true, true, true) => holds(Dir::ToServer) && holds(Dir::ToClient),
            (true, true, false) => holds(Dir::ToServer) || holds(Dir::ToClient),
        }
    });
    Ok(())
}

/// A keyword over a number of the flow.
macro_rules! flow_number {
    ($id:ident, $name:literal, $doc:literal, $read:expr) => {
        pub static $id: Keyword = Keyword {
            name: $name,
            kind: Kind::Flow,
            doc: $doc,
            example: concat!($name, ":>100;"),
            accepts: &[concat!($name, ":>100;"), concat!($name, ":1<>10;")],
            refuses: &[concat!($name, ";"), concat!($name, ":x;")],
            parse: |rule, value| {
                let value = some_value($name, value, ">100")?;
                let test = number::test($name, value, u64::MAX)?;
                let read: fn(&crate::detect::cx::PacketCx<'_>, &crate::flow::Flow) -> u64 = $read;
                rule.packet_test(move |cx| cx.flow.is_some_and(|flow| test.holds(read(cx, flow))));
                Ok(())
            },
            ..Keyword::EMPTY
        };
    };
}

flow_number!(AGE, "flow.age", "Age of the flow in seconds.", |cx, flow| {
    cx.packet.ts.seconds_since(flow.start)
});
flow_number!(PKTS_TOSERVER, "flow.pkts_toserver", "Packets of the flow to the server so far.", |_, flow| {
    flow.packets.to_server
});
flow_number!(PKTS_TOCLIENT, "flow.pkts_toclient", "Packets of the flow to the client so far.", |_, flow| {
    flow.packets.to_client
});
flow_number!(BYTES_TOSERVER, "flow.bytes_toserver", "Bytes of the flow to the server so far.", |_, flow| {
    flow.bytes.to_server
});
flow_number!(BYTES_TOCLIENT, "flow.bytes_toclient", "Bytes of the flow to the client so far.", |_, flow| {
    flow.bytes.to_client
});

/// flow.pkts and flow.bytes: a direction and a number.
fn directed(
    rule: &mut RuleBuilder<'_>,
    name: &'static str,
    value: Option<&str>,
    read: fn(&crate::flow::Flow) -> crate::direction::PerDir<u64>,
) -> Result<(), Refusal> {
    let value = some_value(name, value, "toserver,>10")?;
    let (dir, text) = value.split_once(',').unwrap_or((value, ""));
    let test = number::test(name, text, u64::MAX)?;
    let holds: fn(crate::direction::PerDir<u64>, &dyn Fn(u64) -> bool) -> bool = match dir.trim() {
        "toserver" => |n, t| t(n.to_server),
        "toclient" => |n, t| t(n.to_client),
        "both" => |n, t| t(n.to_server) && t(n.to_client),
        "either" => |n, t| t(n.to_server) || t(n.to_client),
        other => {
            return Err(Refusal::error(
                format!("`{other}` is not a direction"),
                "use toserver, toclient, both or either",
            ));
        }
    };
    rule.packet_test(move |cx| cx.flow.is_some_and(|flow| holds(read(flow), &|n| test.holds(n))));
    Ok(())
}

pub static PKTS: Keyword = Keyword {
    name: "flow.pkts",
    kind: Kind::Flow,
    doc: "Packets of the flow so far: toserver|toclient|both|either, number.",
    example: "flow.pkts:toserver,>10;",
    accepts: &["flow.pkts:toserver,>10;", "flow.pkts:either,2;"],
    refuses: &["flow.pkts;", "flow.pkts:5;"],
    parse: |rule, value| directed(rule, "flow.pkts", value, |flow| flow.packets),
    ..Keyword::EMPTY
};

pub static BYTES: Keyword = Keyword {
    name: "flow.bytes",
    kind: Kind::Flow,
    doc: "Bytes of the flow so far: toserver|toclient|both|either, number.",
    example: "flow.bytes:toserver,>1000;",
    accepts: &["flow.bytes:both,>1000;"],
    refuses: &["flow.bytes;", "flow.bytes:5;"],
    parse: |rule, value| directed(rule, "flow.bytes", value, |flow| flow.bytes),
    ..Keyword::EMPTY
};
