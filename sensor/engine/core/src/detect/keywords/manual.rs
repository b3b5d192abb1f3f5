//! The keyword table as JSON, from which the command line lists and the manual is made.

use super::{Kind, KEYWORDS};
use crate::app::{Number, PROTOCOLS};
use crate::detect::buffers;
use crate::direction::Dir;
use serde_json::{json, Value};

/// Every name a rule may use, sticky buffers, legacy modifiers and integer keywords included:
/// `[{name, aliases, kind, doc, example, accepts, refuses, protocols, directions, multi, words}]`. `example`, `accepts` and
/// `refuses` are options of whole rules; `protocols`, `directions`, `multi` and `words` ([word, number]) are only where they apply.
pub fn keywords_json() -> String {
    let mut rows: Vec<Value> = KEYWORDS
        .iter()
        .map(|k| {
            json!({
                "name": k.name, "aliases": k.aliases, "kind": k.kind, "doc": k.doc,
                "accepts": k.accepts, "refuses": k.refuses,
                "example": k.accepts.first().unwrap_or(&k.example),
            })
        })
        .collect();
    let mut told: Vec<&str> = Vec::new();
    for number in PROTOCOLS.iter().flat_map(|p| p.numbers) {
        if !told.contains(&number.name) {
            told.push(number.name);
            rows.push(number_row(number));
        }
    }
    for entry in buffers::all() {
        let Some((protocol, local)) = entry.providers.first() else { continue };
        let Some(buffer) = buffers::buffer(*protocol, *local) else { continue };
        let protocols: Vec<&str> = entry.providers.iter().map(|(p, _)| p.get().name).collect();
        let example = format!("{}; content:\"abc\";", buffer.name);
        rows.push(json!({
            "name": buffer.name, "aliases": buffer.aliases, "kind": Kind::Buffer, "doc": buffer.doc,
            "accepts": [example], "refuses": [format!("{};", buffer.name), format!("{}:abc;", buffer.name)],
            "example": example, "protocols": protocols, "directions": directions(buffer), "multi": buffer.multi,
        }));
        if let Some(modifier) = buffer.modifier {
            let example = format!("content:\"abc\"; {modifier};");
            rows.push(json!({
                "name": modifier, "aliases": [], "kind": Kind::ContentModifier,
                "doc": format!("The older form of {}.", buffer.name),
                "accepts": [example], "refuses": [format!("{modifier};")], "example": example, "protocols": protocols,
            }));
        }
    }
    Value::Array(rows).to_string()
}

/// The directions a buffer exists in.
pub fn directions(buffer: &crate::app::Buffer) -> Vec<&'static str> {
    [(Dir::ToServer, "to_server"), (Dir::ToClient, "to_client")]
        .into_iter()
        .filter(|(dir, _)| buffer.progress[*dir].is_some())
        .map(|(_, name)| name)
        .collect()
}

/// An integer keyword takes every form of number.
fn number_row(number: &Number) -> Value {
    let name = number.name;
    let mut accepts = vec![format!("{name}:{};", number.example())];
    accepts.extend([format!("{name}:!0;"), format!("{name}:>0;")]);
    if number.max > 1 {
        accepts.push(format!("{name}:0-{};", number.max.min(5)));
    }
    let having = PROTOCOLS.iter().filter(|p| p.numbers.iter().any(|n| n.name == name));
    let protocols: Vec<&str> = having.map(|p| p.name).collect();
    json!({
        "name": name, "aliases": number.aliases, "kind": Kind::App, "doc": number.doc,
        "example": accepts.first(), "accepts": accepts,
        "refuses": [format!("{name};"), format!("{name}:nonsense;")],
        "protocols": protocols, "words": number.words,
    })
}
