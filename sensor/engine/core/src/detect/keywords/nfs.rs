//! nfs_procedure and the older rpc keyword. Source: Suricata manual, "NFS Keywords" and "rpc".

use super::{number, text, Keyword, Kind};
use crate::app::nfs::names;
use crate::app::{ProtocolId, Transaction};
use crate::decode::Packet;
use crate::detect::builder::some_value;
use crate::detect::cx::EvalCx;
use crate::detect::diagnostic::Refusal;
use crate::detect::program::number::NumberTest;
use crate::detect::rule::TxTest;
use crate::direction::Dir;

/// What nfs_procedure asks for.
enum Asked {
    Number(NumberTest),
    /// The number a name has in versions 2, 3 and 4; u64::MAX where it has none.
    Name {
        negated: bool,
        numbers: [u64; 3],
    },
}

struct Procedure {
    protocol: ProtocolId,
    asked: Asked,
}

impl TxTest for Procedure {
    fn dir(&self) -> Option<Dir> {
        Some(Dir::ToServer)
    }
    fn progress(&self) -> u8 {
        0
    }
    fn protocol(&self) -> Option<ProtocolId> {
        Some(self.protocol)
    }
    fn matches(&self, tx: &dyn Transaction, dir: Dir, _cx: &EvalCx<'_>) -> bool {
        let (Some(procedure), Some(version)) =
            (tx.number("nfs_procedure", dir), tx.number("nfs.version", dir))
        else {
            return false;
        };
        match &self.asked {
            Asked::Number(test) => test.holds(procedure),
            Asked::Name { negated, numbers: [v2, v3, v4] } => {
                let wanted = match version {
                    2 => *v2,
                    3 => *v3,
                    _ => *v4,
                };
                (procedure == wanted) != *negated
            }
        }
    }
}

fn asked(value: &str) -> Option<Asked> {
    let (negated, name) = text::negation(value.trim());
    let number = |version| {
        let table = names::procedures(version)?;
        table.iter().position(|known| !known.is_empty() && known.eq_ignore_ascii_case(name)).map(|n| n as u64)
    };
    let numbers = [number(2), number(3), number(4)];
    if numbers.iter().any(Option::is_some) {
        return Some(Asked::Name { negated, numbers: numbers.map(|n| n.unwrap_or(u64::MAX)) });
    }
    let read = |part: &str| number::unsigned(part).filter(|n| *n <= u64::from(u32::MAX));
    // Unlike other integer keywords, the ends of a range belong to it.
    Some(Asked::Number(match number::test_with(value, &read)? {
        NumberTest::Between(0, high) => NumberTest::LessOrEqual(high),
        NumberTest::NotBetween(0, high) => NumberTest::Greater(high),
        NumberTest::Between(low, high) => NumberTest::Between(low.saturating_sub(1), high.saturating_add(1)),
        NumberTest::NotBetween(low, high) => {
            NumberTest::NotBetween(low.saturating_sub(1), high.saturating_add(1))
        }
        other => other,
    }))
}

pub static NFS_PROCEDURE: Keyword = Keyword {
    name: "nfs_procedure",
    kind: Kind::App,
    doc: "Procedure of an NFS call, by number or by name (a name means the number it has in the call's version; in version 4 \
          the operation that says most of a compound). The ends of a range belong to it.",
    example: "nfs_procedure:lookup;",
    accepts: &["nfs_procedure:6;", "nfs_procedure:READ;", "nfs_procedure:!write;", "nfs_procedure:3-5;", "nfs_procedure:0<>4;", "nfs_procedure:>=7;"],
    refuses: &["nfs_procedure;", "nfs_procedure:fly;", "nfs_procedure:4294967296;"],
    parse: |rule, value| {
        let value = some_value("nfs_procedure", value, "lookup")?;
        let asked = asked(value).ok_or_else(|| {
            Refusal::error(format!("`{value}` is no procedure of NFS"), "write nfs_procedure:lookup; or nfs_procedure:3;")
        })?;
        let protocol = ProtocolId::find("nfs")
            .ok_or_else(|| Refusal::skip("this build has no nfs, which `nfs_procedure` is about".to_owned()))?;
        rule.limits.push((vec![protocol], "nfs_procedure".to_owned()));
        rule.implied_dirs.push((Dir::ToServer, "nfs_procedure".to_owned()));
        rule.rule.tx_tests.push(Box::new(Procedure { protocol, asked }));
        Ok(())
    },
    ..Keyword::EMPTY
};

/// Program, version and procedure of the RPC call that a packet's payload begins with (RFC 5531); on TCP behind its mark.
fn rpc_call(packet: &Packet<'_>) -> Option<[u32; 3]> {
    const MARK_LEN: usize = 4;
    let payload = packet.payload();
    let message = if packet.tcp().is_some() { payload.get(MARK_LEN..)? } else { payload };
    let mut words = message.chunks_exact(4).map(|w| w.try_into().map(u32::from_be_bytes).unwrap_or(u32::MAX));
    let (_xid, kind, version) = (words.next()?, words.next()?, words.next()?);
    let call = [words.next()?, words.next()?, words.next()?];
    (kind == 0 && version == 2).then_some(call)
}

pub static RPC: Keyword = Keyword {
    name: "rpc",
    kind: Kind::Packet,
    doc: "A Sun RPC call in the packet: program, then version and procedure, each a number or * for any.",
    example: "rpc:100003,3,*;",
    accepts: &["rpc:100000;", "rpc:100000,2;", "rpc:100000, 2, 3;", "rpc:100000,*,*;", "rpc:100000,*,3;"],
    refuses: &["rpc;", "rpc:*;", "rpc:portmap;", "rpc:100000,x;", "rpc:100000,2,3,4;"],
    parse: |rule, value| {
        let value = some_value("rpc", value, "100003,3,*")?;
        let wrong =
            || Refusal::error(format!("`{value}` names no RPC call"), "write rpc:program,version,procedure;");
        let mut parts = value.split(',').map(str::trim);
        let read = |part: Option<&str>| match part {
            None | Some("*") => Some(None),
            Some(text) => Some(Some(number::unsigned(text).and_then(|n| u32::try_from(n).ok())?)),
        };
        let wanted = [read(parts.next()), read(parts.next()), read(parts.next())];
        let [Some(program @ Some(_)), Some(version), Some(procedure)] = wanted else { return Err(wrong()) };
        if parts.next().is_some() {
            return Err(wrong());
        }
        let wanted = [program, version, procedure];
        rule.packet_test(move |cx| {
            let Some(call) = rpc_call(cx.packet) else { return false };
            wanted.iter().zip(call).all(|(wanted, found)| wanted.is_none_or(|n| n == found))
        });
        Ok(())
    },
    ..Keyword::EMPTY
};
