//! Quoted values and their escapes.

use crate::detect::diagnostic::Refusal;

/// Takes a leading `!` off.
pub fn negation(value: &str) -> (bool, &str) {
    match value.strip_prefix('!') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, value),
    }
}

/// The inside of a quoted value.
pub fn quoted<'v>(name: &str, value: &'v str) -> Result<&'v str, Refusal> {
    value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).ok_or_else(|| {
        Refusal::error(format!("the value of `{name}` is not in quotes"), format!("write {name}:\"...\";"))
    })
}

/// Plain text with `\"`, `\;`, `\\` and the like unescaped.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(next @ ('"' | ';' | '\\' | ':')) => out.push(next),
                Some(next) => {
                    out.push('\\');
                    out.push(next);
                }
                None => out.push('\\'),
            },
            _ => out.push(c),
        }
    }
    out
}

/// The bytes of a content: text, `|hex|`, and the escapes \" \; \\ \:.
pub fn bytes(text: &str) -> Result<Vec<u8>, Refusal> {
    let mut out = Vec::with_capacity(text.len());
    let mut hex = false;
    let mut high: Option<u8> = None;
    let mut input = text.bytes();
    while let Some(byte) = input.next() {
        match (hex, byte) {
            (_, b'|') => {
                if high.is_some() {
                    return Err(Refusal::error(
                        "a hex digit stands alone",
                        "write every byte between | | with two digits, e.g. |0d 0a|",
                    ));
                }
                hex = !hex;
            }
            (true, b' ') => {}
            (true, _) => {
                let digit = char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
                let Some(digit) = digit else {
                    return Err(Refusal::error(
                        format!("`{}` between | | is not a hex digit", char::from(byte)),
                        "write bytes as |0d 0a|, and a literal | as |7c|",
                    ));
                };
                match high.take() {
                    None => high = Some(digit),
                    Some(first) => out.push(first << 4 | digit),
                }
            }
            (false, b'\\') => match input.next() {
                Some(next @ (b'"' | b';' | b'\\' | b':')) => out.push(next),
                other => {
                    let other = other.map(char::from).unwrap_or(' ');
                    return Err(Refusal::error(
                        format!("`\\{other}` is not an escape"),
                        "escape only \" ; \\ and :, and write a literal \\ as |5c|",
                    ));
                }
            },
            (false, b'"') => {
                return Err(Refusal::error("a quote stands inside the value", "write it as |22|"));
            }
            (false, _) => out.push(byte),
        }
    }
    if hex {
        return Err(Refusal::error("a | is not closed", "write bytes as |0d 0a|"));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unescapes_contents() {
        assert_eq!(bytes("a|0D 0a|b").unwrap(), b"a\r\nb");
        assert_eq!(bytes(r#"\"\;\\\:"#).unwrap(), b"\";\\:");
        for wrong in ["|0", "|0|", "|zz|", "\\x", "a\"b", "\\"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }
}
