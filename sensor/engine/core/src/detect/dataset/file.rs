//! Files of values: a value a line, or JSON. Reads at load time only.

use super::{Dataset, Entry, Form, Keys};
use serde_json::Value;

/// Adds what the file holds. The error names the line.
pub fn load(set: &Dataset, bytes: &[u8], form: &Form) -> Result<(), String> {
    match form {
        Form::Lines => lines(set, bytes),
        Form::Json(keys) => {
            let document: Value =
                serde_json::from_slice(bytes).map_err(|error| format!("is no JSON ({error})"))?;
            let array = at(&document, &keys.array)
                .and_then(Value::as_array)
                .ok_or_else(|| format!("has no array at `{}`", keys.array))?;
            array.iter().try_for_each(|object| add_object(set, object, keys))
        }
        Form::JsonLines(keys) => {
            let text = String::from_utf8_lossy(bytes);
            for (number, line) in (1u64..).zip(text.lines()).filter(|(_, l)| !l.trim().is_empty()) {
                let object = serde_json::from_str(line).map_err(|error| format!("line {number}: {error}"))?;
                add_object(set, &object, keys).map_err(|reason| format!("line {number}: {reason}"))?;
            }
            Ok(())
        }
    }
}

fn lines(set: &Dataset, bytes: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(bytes);
    for (number, line) in (1u64..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (value, reputation) =
            line.split_once(',').map_or((line, None), |(v, r)| (v.trim(), Some(r.trim())));
        let wrong = |what: &str| format!("line {number}: {what}");
        let value = set.kind.read(value).ok_or_else(|| wrong("is no value of the set's type"))?;
        let reputation = match reputation {
            None => 0,
            Some(text) => text.parse().map_err(|_| wrong("the reputation is no number up to 65535"))?,
        };
        set.add(&value, Entry { reputation, context: None });
    }
    Ok(())
}

fn add_object(set: &Dataset, object: &Value, keys: &Keys) -> Result<(), String> {
    let value = at(object, &keys.value).and_then(Value::as_str);
    let value = value.ok_or_else(|| format!("an object has no text at `{}`", keys.value))?;
    let value =
        set.kind.read_plain(value).ok_or_else(|| format!("`{value}` is no value of the set's type"))?;
    let mut shown = object.clone();
    if keys.remove {
        remove(&mut shown, &keys.value);
    }
    set.add(&value, Entry { reputation: 0, context: Some(shown.to_string().into_bytes().into()) });
    Ok(())
}

/// The member at a path written with dots; the document itself at an empty path.
fn at<'v>(document: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').filter(|part| !part.is_empty()).try_fold(document, |value, part| value.get(part))
}

fn remove(document: &mut Value, path: &str) {
    let (parent, last) = match path.rsplit_once('.') {
        Some((parent, last)) => (parent, last),
        None => ("", path),
    };
    let holder = parent
        .split('.')
        .filter(|part| !part.is_empty())
        .try_fold(document, |value, part| value.get_mut(part));
    if let Some(members) = holder.and_then(Value::as_object_mut) {
        members.remove(last);
    }
}
