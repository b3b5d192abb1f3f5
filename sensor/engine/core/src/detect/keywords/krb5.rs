//! krb5.ticket_encryption: the encryption of a Kerberos ticket, by number, by name, or whether it is weak.

use super::{text, tx_number, Keyword, Kind};
use crate::app::krb5;
use crate::detect::builder::{some_value, RuleBuilder};
use crate::detect::diagnostic::Refusal;

pub static TICKET_ENCRYPTION: Keyword = Keyword {
    name: "krb5.ticket_encryption",
    kind: Kind::App,
    doc: "Encryption type of the ticket in a Kerberos reply: numbers or names with commas or spaces between, or `weak`, \
          `!weak` (RFC 3961 section 8).",
    example: "krb5.ticket_encryption:weak;",
    accepts: &[
        "krb5.ticket_encryption:weak;",
        "krb5.ticket_encryption:!weak;",
        "krb5.ticket_encryption:23;",
        "krb5.ticket_encryption:-128, rc4-hmac;",
        "krb5.ticket_encryption:rc4-hmac rc4-hmac-exp;",
    ],
    refuses: &["krb5.ticket_encryption;", "krb5.ticket_encryption:rot13;"],
    parse: ticket_encryption,
    ..Keyword::EMPTY
};

fn ticket_encryption(rule: &mut RuleBuilder<'_>, value: Option<&str>) -> Result<(), Refusal> {
    const NAME: &str = "krb5.ticket_encryption";
    let value = some_value(NAME, value, "weak")?;
    let (negated, word) = text::negation(value);
    if word == "weak" {
        return tx_number::add(rule, NAME, NAME, "krb5", None, move |n, _| {
            krb5::is_weak(n as i64) != negated
        });
    }
    let mut wanted = Vec::new();
    for part in value.split([',', ' ']).filter(|part| !part.is_empty()) {
        let number = krb5::encryption_type(part).or_else(|| part.parse().ok());
        wanted.push(number.ok_or_else(|| {
            Refusal::error(
                format!("`{part}` is no Kerberos encryption type"),
                "use weak, !weak, a number, or a name such as rc4-hmac or aes256-cts-hmac-sha1-96",
            )
        })?);
    }
    tx_number::add(rule, NAME, NAME, "krb5", None, move |n, _| wanted.contains(&(n as i64)))
}
