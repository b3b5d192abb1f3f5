//! Values of the configuration in every form they may be written in; what cannot be used gives None, and its reader keeps a
//! default.

use serde_json::Value;

/// yes/no, true/false, on/off, 1/0.
pub fn switch(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(on) => Some(*on),
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "yes" | "true" | "on" | "1" => Some(true),
            "no" | "false" | "off" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// A number, or one as text.
pub fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// A number of things, 0 or more.
pub fn count(value: &Value) -> Option<usize> {
    usize::try_from(number(value)?).ok()
}

/// Bytes: a number, or text such as "100 KiB", "1mb", "4096".
pub fn size(value: &Value) -> Option<u64> {
    if let Some(number) = value.as_u64() {
        return Some(number);
    }
    let text = value.as_str()?.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// Whether a list of the configuration, or one written as text, has `name`.
pub fn lists(node: &Value, name: &str) -> bool {
    match node {
        Value::Array(items) => {
            items.iter().any(|item| item.as_str().is_some_and(|item| item.eq_ignore_ascii_case(name)))
        }
        Value::String(text) => {
            text.trim_matches(['[', ']']).split(',').any(|item| item.trim().eq_ignore_ascii_case(name))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_read_in_every_form() {
        assert_eq!(switch(&json!("Yes")), Some(true));
        assert_eq!(switch(&json!("perhaps")), None);
        assert_eq!(
            (number(&json!("-1")), count(&json!("-1")), count(&json!("7"))),
            (Some(-1), None, Some(7))
        );
        assert_eq!(size(&json!("1 MiB")), Some(1 << 20));
        assert_eq!(size(&json!("1x")), None);
    }
}
