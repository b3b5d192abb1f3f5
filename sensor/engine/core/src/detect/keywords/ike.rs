//! ike.chosen_sa_attribute: an attribute of the security association the responder chose.

use super::{number, tx_number, Keyword, Kind};
use crate::detect::builder::{some_value, RuleBuilder};
use crate::detect::diagnostic::Refusal;
use crate::direction::Dir;

/// The attributes that can be asked for (Suricata manual, "IKE Keywords").
const ATTRIBUTES: &[&str] = &[
    "alg_enc",
    "alg_hash",
    "alg_auth",
    "alg_dh",
    "alg_prf",
    "sa_group_type",
    "sa_life_type",
    "sa_life_duration",
    "sa_key_length",
    "sa_field_size",
];

pub static CHOSEN_SA_ATTRIBUTE: Keyword = Keyword {
    name: "ike.chosen_sa_attribute",
    kind: Kind::App,
    doc: "An attribute of the security association the responder chose: alg_enc, alg_hash, alg_auth, alg_dh, alg_prf, \
          sa_group_type, sa_life_type, sa_life_duration, sa_key_length or sa_field_size, and its number.",
    example: "ike.chosen_sa_attribute:alg_hash=2;",
    accepts: &[
        "ike.chosen_sa_attribute:alg_hash=2;",
        "ike.chosen_sa_attribute:sa_key_length=128;",
        "ike.chosen_sa_attribute:sa_life_duration<3600;",
    ],
    refuses: &["ike.chosen_sa_attribute;", "ike.chosen_sa_attribute:alg_hash;", "ike.chosen_sa_attribute:x=1;"],
    parse: chosen_sa_attribute,
    ..Keyword::EMPTY
};

fn chosen_sa_attribute(rule: &mut RuleBuilder<'_>, value: Option<&str>) -> Result<(), Refusal> {
    const NAME: &str = "ike.chosen_sa_attribute";
    let value = some_value(NAME, value, "alg_hash=2")?;
    let found = ATTRIBUTES.iter().find_map(|name| value.strip_prefix(name).map(|rest| (*name, rest.trim())));
    let Some((attribute, rest)) = found.filter(|(_, rest)| rest.starts_with(['=', '<', '>', '!'])) else {
        return Err(Refusal::error(
            format!("`{value}` is no attribute with a number"),
            format!("write {NAME}:alg_hash=2; with one of {}", ATTRIBUTES.join(", ")),
        ));
    };
    let test = number::test(NAME, rest, u64::from(u32::MAX))?;
    tx_number::add(rule, NAME, attribute, "ike", Some(Dir::ToClient), move |n, _| test.holds(n))
}
