//! Keywords over a number of a transaction (dns.opcode, tls.version, certificate times ...). The number is the protocol's
//! answer to `Transaction::number`.

use super::{number, text, Keyword, Kind};
use crate::app::{Number, ProtocolId, Transaction, PROTOCOLS};
use crate::detect::builder::{no_value, some_value, RuleBuilder};
use crate::detect::cx::EvalCx;
use crate::detect::diagnostic::Refusal;
use crate::detect::program::number::NumberTest;
use crate::detect::rule::TxTest;
use crate::direction::Dir;

/// Instances of a number that are tried at most (records of a DNS message).
const INSTANCES_MAX: usize = 256;

type Holds = Box<dyn Fn(u64, u64) -> bool + Send + Sync>;

/// A test of one number; `holds` gets it and the packet's time in seconds.
struct TxNumber {
    keyword: &'static str,
    /// The only protocol that has it; None: several do, and the rule is limited to those.
    protocol: Option<ProtocolId>,
    dir: Option<Dir>,
    progress: u8,
    holds: Holds,
}

impl TxTest for TxNumber {
    fn dir(&self) -> Option<Dir> {
        self.dir
    }
    fn progress(&self) -> u8 {
        self.progress
    }
    fn protocol(&self) -> Option<ProtocolId> {
        self.protocol
    }
    fn matches(&self, tx: &dyn Transaction, dir: Dir, cx: &EvalCx<'_>) -> bool {
        let now = cx.packet.ts.seconds();
        (0..INSTANCES_MAX)
            .map_while(|index| tx.number_at(self.keyword, index, dir))
            .any(|n| (self.holds)(n, now))
    }
}

/// Adds a test of the number `keyword` of `protocol`; `name` is what the rule calls it.
pub(super) fn add(
    rule: &mut RuleBuilder<'_>,
    name: &'static str,
    keyword: &'static str,
    protocol: &str,
    dir: Option<Dir>,
    holds: impl Fn(u64, u64) -> bool + Send + Sync + 'static,
) -> Result<(), Refusal> {
    let protocol = ProtocolId::find(protocol)
        .ok_or_else(|| Refusal::skip(format!("this build has no {protocol}, which `{name}` is about")))?;
    add_for(rule, name, keyword, vec![protocol], dir, Box::new(holds));
    Ok(())
}

/// A number only the protocols that a rule header's `protocol` stands for have.
pub(super) fn of_protocol(
    rule: &mut RuleBuilder<'_>,
    name: &'static str,
    protocol: &str,
    holds: impl Fn(u64, u64) -> bool + Send + Sync + 'static,
) -> Result<(), Refusal> {
    let ids = super::app::protocols(protocol)?;
    add_for(rule, name, name, ids, None, Box::new(holds));
    Ok(())
}

fn add_for(
    rule: &mut RuleBuilder<'_>,
    name: &'static str,
    keyword: &'static str,
    protocols: Vec<ProtocolId>,
    dir: Option<Dir>,
    holds: Holds,
) {
    let only = match protocols.as_slice() {
        [one] => Some(*one),
        _ => None,
    };
    rule.limits.push((protocols, name.to_owned()));
    if let Some(dir) = dir {
        rule.implied_dirs.push((dir, name.to_owned()));
    }
    rule.rule.tx_tests.push(Box::new(TxNumber { keyword, protocol: only, dir, progress: 0, holds }));
}

/// The protocols whose entries declare a number of this name.
fn declaring(name: &str) -> Vec<ProtocolId> {
    let ids = (0..=u8::MAX).zip(PROTOCOLS);
    ids.filter(|(_, p)| p.numbers.iter().any(|n| n.name == name)).map(|(id, _)| ProtocolId(id)).collect()
}

/// The integer keyword that protocols' entries declare.
pub fn declared(
    rule: &mut RuleBuilder<'_>,
    entry: &'static Number,
    value: Option<&str>,
) -> Result<(), Refusal> {
    let value = some_value(entry.name, value, entry.example())?;
    let bit = |word: &str| entry.words.iter().find(|(w, _)| w.eq_ignore_ascii_case(word)).map(|(_, n)| *n);
    if entry.flags && value.split(',').all(|part| bit(text::negation(part.trim()).1).is_some()) {
        let (mut set, mut clear) = (0u64, 0u64);
        for part in value.split(',') {
            let (negated, word) = text::negation(part.trim());
            *(if negated { &mut clear } else { &mut set }) |= bit(word).unwrap_or(0);
        }
        let holds: Holds = Box::new(move |n, _| n & set == set && n & clear == 0);
        add_for(rule, entry.name, entry.name, declaring(entry.name), entry.dir, holds);
        return Ok(());
    }
    let read = |text: &str| bit(text.trim()).or_else(|| number::unsigned(text));
    let test = number::named_test(entry.name, value, entry.max, &read)?;
    add_for(
        rule,
        entry.name,
        entry.name,
        declaring(entry.name),
        entry.dir,
        Box::new(move |n, _| test.holds(n)),
    );
    Ok(())
}

/// Names of TLS versions in tls.version and ssl_version.
fn version(text: &str) -> Option<u64> {
    Some(match text.to_ascii_lowercase().as_str() {
        "sslv2" | "ssl2" => 0x0002,
        "sslv3" | "ssl3" => 0x0300,
        "1.0" | "tls1.0" | "tlsv1" => 0x0301,
        "1.1" | "tls1.1" => 0x0302,
        "1.2" | "tls1.2" => 0x0303,
        "1.3" | "tls1.3" => 0x0304,
        other => return other.strip_prefix("0x").and_then(|h| u64::from_str_radix(h, 16).ok()),
    })
}

/// A version as compared: the drafts of TLS 1.3 (0x7fNN) are TLS 1.3.
fn settled(number: u64) -> u64 {
    if number >> 8 == 0x7f {
        0x0304
    } else {
        number
    }
}

pub static TLS_VERSION: Keyword = Keyword {
    name: "tls.version",
    kind: Kind::App,
    doc: "Version the TLS session settled on: 1.0, 1.1, 1.2, 1.3, or 0x0303.",
    example: "tls.version:1.2;",
    accepts: &["tls.version:1.2;", "tls.version:\"1.3\";", "tls.version:0x7f12;"],
    refuses: &["tls.version;", "tls.version:2;"],
    parse: |rule, value| {
        let value = some_value("tls.version", value, "1.2")?.trim_matches('"').trim();
        let wanted = version(value).ok_or_else(|| {
            Refusal::error(format!("`{value}` is no TLS version"), "use 1.0, 1.1, 1.2, 1.3 or 0x0303")
        })?;
        add(rule, "tls.version", "tls.version", "tls", None, move |n, _| n == wanted || settled(n) == wanted)
    },
    ..Keyword::EMPTY
};

pub static SSL_VERSION: Keyword = Keyword {
    name: "ssl_version",
    kind: Kind::App,
    doc: "Version of the direction's hello: sslv2, sslv3, tls1.0 ... tls1.3, several with commas, ! before = none of them.",
    example: "ssl_version:tls1.0,tls1.1;",
    accepts: &["ssl_version:tls1.2;", "ssl_version:!tls1.2;", "ssl_version:sslv2, sslv3;", "ssl_version:!sslv2,!sslv3;"],
    refuses: &["ssl_version;", "ssl_version:tls9;"],
    parse: |rule, value| {
        let value = some_value("ssl_version", value, "tls1.2")?;
        let (mut wanted, mut unwanted) = (Vec::new(), Vec::new());
        for part in value.split(',').map(str::trim) {
            let (negated, name) = text::negation(part);
            let found = version(name).ok_or_else(|| {
                Refusal::error(format!("`{name}` is no version"), "use sslv2, sslv3, tls1.0, tls1.1, tls1.2 or tls1.3")
            })?;
            if negated { unwanted.push(found) } else { wanted.push(found) }
        }
        add(rule, "ssl_version", "ssl_version", "tls", None, move |n, _| {
            let n = settled(n);
            if unwanted.is_empty() { wanted.contains(&n) } else { !unwanted.contains(&n) }
        })
    },
    ..Keyword::EMPTY
};

pub static SSL_STATE: Keyword = Keyword {
    name: "ssl_state",
    kind: Kind::App,
    doc: "Messages of the TLS handshake seen: client_hello, server_hello, client_keyx, server_keyx; | = any of them.",
    example: "ssl_state:client_hello;",
    accepts: &["ssl_state:client_hello;", "ssl_state:client_hello|server_hello;", "ssl_state:!server_keyx;"],
    refuses: &["ssl_state;", "ssl_state:nonsense;"],
    parse: |rule, value| {
        let value = some_value("ssl_state", value, "client_hello")?;
        let (mut wanted, mut unwanted) = (0u64, 0u64);
        for part in value.split(['|', ',']).map(str::trim) {
            let (negated, name) = text::negation(part);
            let bit = match name {
                "client_hello" => 1,
                "server_hello" => 2,
                "client_keyx" => 4,
                "server_keyx" => 8,
                "unknown" => 16,
                _ => {
                    return Err(Refusal::error(
                        format!("`{name}` is no state"),
                        "use client_hello, server_hello, client_keyx or server_keyx",
                    ));
                }
            };
            if negated { unwanted |= bit } else { wanted |= bit }
        }
        add(rule, "ssl_state", "ssl_state", "tls", None, move |n, _| {
            (wanted == 0 || n & wanted != 0) && n & unwanted == 0
        })
    },
    ..Keyword::EMPTY
};

pub static TLS_CHAIN_LEN: Keyword = Keyword {
    name: "tls.cert_chain_len",
    kind: Kind::App,
    doc: "How many certificates the peer sent.",
    example: "tls.cert_chain_len:>3;",
    accepts: &["tls.cert_chain_len:>3;", "tls.cert_chain_len:1<>5;"],
    refuses: &["tls.cert_chain_len;", "tls.cert_chain_len:x;"],
    parse: |rule, value| {
        let test = number::test(
            "tls.cert_chain_len",
            some_value("tls.cert_chain_len", value, ">3")?,
            u64::from(u32::MAX),
        )?;
        add(rule, "tls.cert_chain_len", "tls.cert_chain_len", "tls", None, move |n, _| test.holds(n))
    },
    ..Keyword::EMPTY
};

/// `2015-10-22`, `2015-10`, `2015`, `2015-10-22T23:59:59` (UTC), as seconds since the epoch.
#[allow(clippy::arithmetic_side_effects)] // a year has four digits and the rest its range: nothing overflows
fn date(text: &str) -> Option<u64> {
    let text = text.trim();
    let (day, clock) = text.split_once(['T', ' ']).unwrap_or((text, ""));
    let mut parts = day.split('-');
    let year: i64 = parts.next().filter(|y| y.len() == 4)?.parse().ok()?;
    let mut next = |low: i64, high: i64| match parts.next() {
        None => Some(1),
        Some(n) => n.parse::<i64>().ok().filter(|n| (low..=high).contains(n)),
    };
    let (month, day) = (next(1, 12)?, next(1, 31)?);
    let mut clock = clock.split(':').filter(|c| !c.is_empty());
    let mut time = |high: u64| match clock.next() {
        None => Some(0),
        Some(n) => n.parse::<u64>().ok().filter(|n| *n <= high),
    };
    let seconds = time(23)? * 3600 + time(59)? * 60 + time(60)?;
    // Days since the epoch in the proleptic Gregorian calendar, years counted from March.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719_468;
    u64::try_from(days).ok().map(|d| d * 86_400 + seconds)
}

fn date_test(name: &str, value: &str) -> Result<NumberTest, Refusal> {
    let value = value.trim_matches('"');
    number::test_with(value, &date).ok_or_else(|| {
        Refusal::error(
            format!("`{value}` is no date or range of dates"),
            format!("write {name}:<2015-10-22; or {name}:2015-10-01<>2015-11-01;"),
        )
    })
}

macro_rules! certificate_time {
    ($id:ident, $name:literal, $number:literal, $doc:literal) => {
        pub static $id: Keyword = Keyword {
            name: $name,
            kind: Kind::App,
            doc: $doc,
            example: concat!($name, ":<2015-10-22;"),
            accepts: &[
                concat!($name, ":<2015-10-22;"),
                concat!($name, ":2015-10-01<>2015-11-01;"),
                concat!($name, ":>2016;"),
            ],
            refuses: &[concat!($name, ";"), concat!($name, ":yesterday;")],
            parse: |rule, value| {
                let test = date_test($name, some_value($name, value, "<2015-10-22")?)?;
                add(rule, $name, $number, "tls", Some(Dir::ToClient), move |n, _| test.holds(n))
            },
            ..Keyword::EMPTY
        };
    };
}

certificate_time!(
    TLS_NOTBEFORE,
    "tls_cert_notbefore",
    "tls.cert_notbefore",
    "Begin of the certificate's validity."
);
certificate_time!(
    TLS_NOTAFTER,
    "tls_cert_notafter",
    "tls.cert_notafter",
    "End of the certificate's validity."
);

pub static TLS_EXPIRED: Keyword = Keyword {
    name: "tls_cert_expired",
    kind: Kind::App,
    doc: "The server's certificate had expired when the packet was seen.",
    example: "tls_cert_expired;",
    accepts: &["tls_cert_expired;"],
    refuses: &["tls_cert_expired:1;"],
    parse: |rule, value| {
        no_value("tls_cert_expired", value)?;
        add(rule, "tls_cert_expired", "tls.cert_notafter", "tls", Some(Dir::ToClient), |end, now| end < now)
    },
    ..Keyword::EMPTY
};

pub static TLS_VALID: Keyword = Keyword {
    name: "tls_cert_valid",
    kind: Kind::App,
    doc: "The server's certificate was within its dates when the packet was seen.",
    example: "tls_cert_valid;",
    accepts: &["tls_cert_valid;"],
    refuses: &["tls_cert_valid:1;"],
    parse: |rule, value| {
        no_value("tls_cert_valid", value)?;
        add(rule, "tls_cert_valid", "tls.cert_notafter", "tls", Some(Dir::ToClient), |end, now| end >= now)?;
        add(rule, "tls_cert_valid", "tls.cert_notbefore", "tls", Some(Dir::ToClient), |begin, now| {
            begin <= now
        })
    },
    ..Keyword::EMPTY
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_dates() {
        assert_eq!(date("1970-01-01"), Some(0));
        assert_eq!(date("2015-10-22T01:02:03"), Some(1_445_475_723));
        assert_eq!(date("2016"), Some(1_451_606_400));
        assert_eq!(date("20"), None);
        assert_eq!(date("2015-13"), None);
    }
}
