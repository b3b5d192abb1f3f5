//! ftpbounce, ftpdata_command, ftp.mode, ftp.reply_received. Source: Suricata manual, "FTP/FTP-DATA Keywords".

use super::{tx_number, Keyword, Kind};
use crate::app::{ProtocolId, Transaction};
use crate::decode::Addr;
use crate::detect::builder::{no_value, some_value, RuleBuilder};
use crate::detect::cx::EvalCx;
use crate::detect::diagnostic::Refusal;
use crate::detect::rule::TxTest;
use crate::direction::Dir;

/// A keyword whose value is one of a few words, each a number of the transaction.
fn word(
    rule: &mut RuleBuilder<'_>,
    name: &'static str,
    value: Option<&str>,
    protocol: &str,
    words: &[(&str, u64, Dir)],
) -> Result<(), Refusal> {
    let example = words.first().map_or("", |(word, _, _)| *word);
    let value = some_value(name, value, example)?.trim();
    let Some((_, wanted, dir)) = words.iter().find(|(word, _, _)| word.eq_ignore_ascii_case(value)) else {
        let known: Vec<&str> = words.iter().map(|(word, _, _)| *word).collect();
        return Err(Refusal::error(
            format!("`{value}` is not what {name} knows"),
            format!("use {}", known.join(", ")),
        ));
    };
    let wanted = *wanted;
    tx_number::add(rule, name, name, protocol, Some(*dir), move |n, _| n == wanted)
}

pub static FTPDATA_COMMAND: Keyword = Keyword {
    name: "ftpdata_command",
    kind: Kind::App,
    doc: "The command a data connection of FTP serves: `retr` (the client gets a file; to_client) or `stor` (it puts one; \
          to_server), however the connection was made.",
    example: "ftpdata_command:stor;",
    accepts: &["ftpdata_command:stor;", "ftpdata_command:RETR;"],
    refuses: &["ftpdata_command;", "ftpdata_command:list;"],
    parse: |rule, value| {
        let words = [("retr", 1, Dir::ToClient), ("stor", 0, Dir::ToServer)];
        word(rule, "ftpdata_command", value, "ftp-data", &words)
    },
    ..Keyword::EMPTY
};

pub static FTP_MODE: Keyword = Keyword {
    name: "ftp.mode",
    kind: Kind::App,
    doc: "How the data connection was agreed: `active` (PORT, EPRT) or `passive` (PASV, EPSV). Matches on the command that \
          settled the port.",
    example: "ftp.mode:active;",
    accepts: &["ftp.mode:active;", "ftp.mode: passive;"],
    refuses: &["ftp.mode;", "ftp.mode:both;"],
    parse: |rule, value| {
        word(rule, "ftp.mode", value, "ftp", &[("active", 1, Dir::ToServer), ("passive", 0, Dir::ToServer)])
    },
    ..Keyword::EMPTY
};

pub static FTP_REPLY_RECEIVED: Keyword = Keyword {
    name: "ftp.reply_received",
    kind: Kind::App,
    doc: "Whether the server answered the command: yes (or on), no (or off). `no` is decided when no answer can come any more.",
    example: "ftp.reply_received:yes;",
    accepts: &["ftp.reply_received:yes;", "ftp.reply_received: on;", "ftp.reply_received:no;", "ftp.reply_received:off;"],
    refuses: &["ftp.reply_received;", "ftp.reply_received:maybe;"],
    parse: |rule, value| {
        let words = [("yes", 1), ("on", 1), ("true", 1), ("1", 1), ("no", 0), ("off", 0), ("false", 0), ("0", 0)];
        word(rule, "ftp.reply_received", value, "ftp", &words.map(|(word, n)| (word, n, Dir::ToClient)))
    },
    ..Keyword::EMPTY
};

/// The address a PORT names is not the client's.
struct Bounce(ProtocolId);

impl TxTest for Bounce {
    fn dir(&self) -> Option<Dir> {
        Some(Dir::ToServer)
    }
    fn progress(&self) -> u8 {
        0
    }
    fn protocol(&self) -> Option<ProtocolId> {
        Some(self.0)
    }
    fn matches(&self, tx: &dyn Transaction, dir: Dir, cx: &EvalCx<'_>) -> bool {
        let Some(flow) = cx.flow.filter(|flow| flow.ip_version == 4) else { return false };
        let named = tx.number("ftp.port_target", dir).and_then(|n| u32::try_from(n).ok());
        named.is_some_and(|named| Addr::v4(named.to_be_bytes()) != flow.src)
    }
}

pub static FTPBOUNCE: Keyword = Keyword {
    name: "ftpbounce",
    kind: Kind::App,
    doc: "A PORT or EPRT that sends the server's data connection to an IPv4 address other than the client's.",
    example: "ftpbounce;",
    accepts: &["ftpbounce;"],
    refuses: &["ftpbounce:yes;"],
    parse: |rule, value| {
        no_value("ftpbounce", value)?;
        let ftp = ProtocolId::find("ftp")
            .ok_or_else(|| Refusal::skip("this build has no ftp, which `ftpbounce` is about".to_owned()))?;
        rule.limits.push((vec![ftp], "ftpbounce".to_owned()));
        rule.implied_dirs.push((Dir::ToServer, "ftpbounce".to_owned()));
        rule.rule.tx_tests.push(Box::new(Bounce(ftp)));
        Ok(())
    },
    ..Keyword::EMPTY
};
