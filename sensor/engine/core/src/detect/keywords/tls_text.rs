//! The older TLS keywords that compare text: tls.subject, tls.issuerdn, tls.fingerprint.

use super::{text, Keyword, Kind};
use crate::detect::buffers;
use crate::detect::builder::{some_value, ContentDraft, Item, Place, RuleBuilder};
use crate::detect::diagnostic::Refusal;
use crate::detect::program::Amount;

macro_rules! tls_text {
    ($id:ident, $name:literal, $buffer:literal, $whole:expr, $doc:literal) => {
        pub static $id: Keyword = Keyword {
            name: $name,
            kind: Kind::App,
            doc: $doc,
            example: concat!($name, ":\"abc\";"),
            accepts: &[concat!($name, ":\"abc\";"), concat!($name, ":!\"abc\";")],
            refuses: &[concat!($name, ";"), concat!($name, ":\"\";")],
            parse: |rule, value| compare(rule, $name, $buffer, $whole, value),
            ..Keyword::EMPTY
        };
    };
}

tls_text!(SUBJECT, "tls.subject", "tls.cert_subject", false, "Part of the certificate's subject.");
tls_text!(ISSUERDN, "tls.issuerdn", "tls.cert_issuer", false, "Part of the certificate's issuer.");
tls_text!(
    FINGERPRINT,
    "tls.fingerprint",
    "tls.cert_fingerprint",
    true,
    "SHA-1 fingerprint of the certificate."
);

fn compare(
    rule: &mut RuleBuilder<'_>,
    name: &str,
    buffer: &str,
    whole: bool,
    value: Option<&str>,
) -> Result<(), Refusal> {
    let value = some_value(name, value, "\"abc\"")?;
    let (negated, value) = text::negation(value);
    let bytes = text::plain(value.trim_matches('"')).into_bytes();
    if bytes.is_empty() {
        return Err(Refusal::error(
            format!("`{name}` compares with nothing"),
            format!("write {name}:\"abc\";"),
        ));
    }
    let buffer =
        buffers::find(buffer).ok_or_else(|| Refusal::skip(format!("this build has no buffer `{buffer}`")))?;
    let len = i64::try_from(bytes.len()).ok();
    let draft = ContentDraft {
        offset: whole.then_some(Amount::Fixed(0)),
        depth: len.filter(|_| whole).map(Amount::Fixed),
        ends_with: whole,
        bytes,
        negated,
        ..ContentDraft::default()
    };
    let list = rule.plain_list(Place::App(buffer));
    if let Some(found) = rule.lists.get_mut(list) {
        found.items.push(Item::Content(draft));
    }
    Ok(())
}
