//! The older SSH keywords that carry their value: ssh.protoversion and ssh.softwareversion (Suricata manual, "SSH Keywords").

use super::{text, Keyword, Kind};
use crate::app::{ProtocolId, Transaction};
use crate::detect::builder::{some_value, RuleBuilder};
use crate::detect::cx::EvalCx;
use crate::detect::diagnostic::Refusal;
use crate::detect::rule::TxTest;
use crate::direction::Dir;

pub static PROTOVERSION: Keyword = Keyword {
    name: "ssh.protoversion",
    kind: Kind::App,
    doc: "Protocol version of the banner, e.g. 2.0; 2_compat is 2.0 or 1.99.",
    example: "ssh.protoversion:2_compat;",
    accepts: &["ssh.protoversion:2.0;", "ssh.protoversion:\"1.99\";", "ssh.protoversion:2_compat;"],
    refuses: &["ssh.protoversion;", "ssh.protoversion:two;"],
    parse: |rule, value| {
        let value = plain("ssh.protoversion", value)?;
        let wanted: Vec<Vec<u8>> = match value.as_str() {
            "2_compat" => vec![b"2".to_vec(), b"2.0".to_vec(), b"1.99".to_vec()],
            text if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') => vec![text.as_bytes().to_vec()],
            text => {
                return Err(Refusal::error(
                    format!("`{text}` is no protocol version"),
                    "use e.g. 2.0 or 2_compat",
                ))
            }
        };
        add(rule, "ssh.proto", "ssh.protoversion", move |found| wanted.iter().any(|w| w == found))
    },
    ..Keyword::EMPTY
};

pub static SOFTWAREVERSION: Keyword = Keyword {
    name: "ssh.softwareversion",
    kind: Kind::App,
    doc: "Part of the banner's software version.",
    example: "ssh.softwareversion:\"OpenSSH\";",
    accepts: &["ssh.softwareversion:\"PuTTY\";", "ssh.softwareversion:OpenSSH_5.5;"],
    refuses: &["ssh.softwareversion;", "ssh.softwareversion:\"\";"],
    parse: |rule, value| {
        let wanted = memchr::memmem::Finder::new(&plain("ssh.softwareversion", value)?).into_owned();
        add(rule, "ssh.software", "ssh.softwareversion", move |found| wanted.find(found).is_some())
    },
    ..Keyword::EMPTY
};

fn plain(name: &str, value: Option<&str>) -> Result<String, Refusal> {
    let value = text::plain(some_value(name, value, "2.0")?.trim_matches('"'));
    if value.is_empty() {
        return Err(Refusal::error(format!("`{name}` compares with nothing"), format!("write {name}:2.0;")));
    }
    Ok(value)
}

type Holds = Box<dyn Fn(&[u8]) -> bool + Send + Sync>;

/// A test of one part of the direction's banner.
struct Banner {
    protocol: ProtocolId,
    /// Index of the sticky buffer in the protocol's entry.
    local: usize,
    progress: u8,
    holds: Holds,
}

impl TxTest for Banner {
    fn dir(&self) -> Option<Dir> {
        None
    }
    fn progress(&self) -> u8 {
        self.progress
    }
    fn protocol(&self) -> Option<ProtocolId> {
        Some(self.protocol)
    }
    fn matches(&self, tx: &dyn Transaction, dir: Dir, _cx: &EvalCx<'_>) -> bool {
        tx.buffer(self.local, 0, dir).is_some_and(|view| (self.holds)(view.data))
    }
}

fn add(
    rule: &mut RuleBuilder<'_>,
    buffer: &str,
    name: &str,
    holds: impl Fn(&[u8]) -> bool + Send + Sync + 'static,
) -> Result<(), Refusal> {
    let missing = || Refusal::skip(format!("this build has no SSH, which `{name}` is about"));
    let protocol = ProtocolId::find("ssh").ok_or_else(missing)?;
    let local = protocol.get().buffers.iter().position(|b| b.name == buffer).ok_or_else(missing)?;
    let progress = protocol.get().buffers.get(local).and_then(|b| b.progress[Dir::ToServer]).unwrap_or(0);
    rule.limits.push((vec![protocol], name.to_owned()));
    rule.rule.tx_tests.push(Box::new(Banner { protocol, local, progress, holds: Box::new(holds) }));
    Ok(())
}
