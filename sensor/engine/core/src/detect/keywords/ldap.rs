//! ldap.responses.operation and ldap.responses.result_code: numbers of the responses, all, any or one of them by its place.

use super::{number, Keyword, Kind};
use crate::app::{ldap, ProtocolId, Transaction};
use crate::detect::builder::{some_value, RuleBuilder};
use crate::detect::cx::EvalCx;
use crate::detect::diagnostic::Refusal;
use crate::detect::program::number::NumberTest;
use crate::detect::rule::TxTest;
use crate::direction::Dir;

/// Which responses are meant.
#[derive(Clone, Copy)]
enum Which {
    Any,
    All,
    /// From the front, or with a negative number from the back.
    At(i64),
}

struct ResponseNumber {
    keyword: &'static str,
    protocol: ProtocolId,
    test: NumberTest,
    which: Which,
}

impl TxTest for ResponseNumber {
    fn dir(&self) -> Option<Dir> {
        Some(Dir::ToClient)
    }
    fn progress(&self) -> u8 {
        1
    }
    fn protocol(&self) -> Option<ProtocolId> {
        Some(self.protocol)
    }
    fn matches(&self, tx: &dyn Transaction, dir: Dir, _cx: &EvalCx<'_>) -> bool {
        let number = |index: usize| tx.number_at(self.keyword, index, dir);
        let holds = |n: u64| n != ldap::NO_NUMBER && self.test.holds(n);
        let mut all = (0..).map_while(number);
        match self.which {
            Which::Any => all.any(holds),
            Which::All => number(0).is_some() && all.all(holds),
            Which::At(at) => {
                let index = if at < 0 {
                    let count = (0..).map_while(number).count();
                    usize::try_from(at.unsigned_abs()).ok().and_then(|back| count.checked_sub(back))
                } else {
                    usize::try_from(at).ok()
                };
                index.and_then(number).is_some_and(holds)
            }
        }
    }
}

fn response(
    rule: &mut RuleBuilder<'_>,
    keyword: &'static str,
    value: Option<&str>,
    max: u64,
    words: &'static [(&'static str, u64)],
) -> Result<(), Refusal> {
    let value = some_value(keyword, value, words.first().map_or("1", |(word, _)| word))?;
    let (value, index) = value.split_once(',').map_or((value, "any"), |(v, i)| (v.trim(), i.trim()));
    let which = match index {
        "any" => Which::Any,
        "all" => Which::All,
        _ => Which::At(index.parse().map_err(|_| {
            Refusal::error(
                format!("`{index}` says no place among the responses"),
                "use any, all, or a number (0 is the first, -1 the last)",
            )
        })?),
    };
    let word = |text: &str| words.iter().find(|(w, _)| w.eq_ignore_ascii_case(text)).map(|(_, n)| *n);
    let read = |text: &str| word(text.trim()).or_else(|| number::unsigned(text));
    let test = number::named_test(keyword, value, max, &read)?;
    let protocol = ProtocolId::find("ldap")
        .ok_or_else(|| Refusal::skip(format!("this build has no ldap, which `{keyword}` is about")))?;
    rule.limits.push((vec![protocol], keyword.to_owned()));
    rule.implied_dirs.push((Dir::ToClient, keyword.to_owned()));
    rule.rule.tx_tests.push(Box::new(ResponseNumber { keyword, protocol, test, which }));
    Ok(())
}

pub static RESPONSES_OPERATION: Keyword = Keyword {
    name: "ldap.responses.operation",
    kind: Kind::App,
    doc: "Operation of a response, by number or name; behind a comma which responses: any (the default), all, or a place \
          (0 is the first, -1 the last).",
    example: "ldap.responses.operation:bind_response;",
    accepts: &[
        "ldap.responses.operation:bind_response;",
        "ldap.responses.operation:search_result_done,1;",
        "ldap.responses.operation:search_result_entry,all;",
        "ldap.responses.operation:>4,-1;",
    ],
    refuses: &["ldap.responses.operation;", "ldap.responses.operation:nonsense;", "ldap.responses.operation:1,some;"],
    parse: |rule, value| response(rule, "ldap.responses.operation", value, 255, ldap::OPERATIONS),
    ..Keyword::EMPTY
};

pub static RESPONSES_RESULT_CODE: Keyword = Keyword {
    name: "ldap.responses.result_code",
    kind: Kind::App,
    doc: "Result code of a response, by number or name; behind a comma which responses: any (the default), all, or a place \
          (0 is the first, -1 the last).",
    example: "ldap.responses.result_code:invalid_credentials;",
    accepts: &[
        "ldap.responses.result_code:0;",
        "ldap.responses.result_code:success,any;",
        "ldap.responses.result_code:unavailable,-1;",
        "ldap.responses.result_code:!success,all;",
    ],
    refuses: &["ldap.responses.result_code;", "ldap.responses.result_code:nonsense;"],
    parse: |rule, value| {
        response(rule, "ldap.responses.result_code", value, u64::from(u32::MAX), ldap::RESULT_CODES)
    },
    ..Keyword::EMPTY
};
