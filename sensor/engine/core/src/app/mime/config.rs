//! `app-layer.protocols.smtp.mime` and `inspected-tracker` of the configuration (Suricata manual, "suricata.yaml").

use crate::app::body::BodyLimits;
use serde_json::Value;

pub struct Config {
    pub decode_base64: bool,
    pub decode_quoted_printable: bool,
    /// Bytes kept of a header value.
    pub header_value_max: usize,
    pub extract_urls: bool,
    /// Each in lower case with what stands behind it: `http://`, `mailto:`.
    pub url_schemes: Vec<Vec<u8>>,
    pub log_url_scheme: bool,
    pub body_md5: bool,
    /// How the content of files is inspected.
    pub tracker: BodyLimits,
}

impl Default for Config {
    fn default() -> Config {
        Config::new(&Value::Null, &Value::Null)
    }
}

impl Config {
    pub fn new(mime: &Value, tracker: &Value) -> Config {
        /// A header value is never kept beyond this, whatever is configured.
        const HEADER_VALUE_MAX: u64 = 64 << 10;
        let depth = number(&mime["header-value-depth"], 2000).clamp(1, HEADER_VALUE_MAX);
        Config {
            decode_base64: switch(&mime["decode-base64"], true),
            decode_quoted_printable: switch(&mime["decode-quoted-printable"], true),
            header_value_max: usize::try_from(depth).unwrap_or(usize::MAX),
            extract_urls: switch(&mime["extract-urls"], true),
            url_schemes: schemes(&mime["extract-urls-schemes"]),
            log_url_scheme: switch(&mime["log-url-scheme"], false),
            // "auto", the default, is worth a hash: a rule or the log may ask for it.
            body_md5: switch(&mime["body-md5"], true),
            tracker: BodyLimits {
                limit: number(&tracker["content-limit"], 100_000),
                min_inspect: number(&tracker["content-inspect-min-size"], 32_768),
                window: number(&tracker["content-inspect-window"], 4096),
            },
        }
    }
}

fn schemes(node: &Value) -> Vec<Vec<u8>> {
    let names: Vec<String> = match node {
        Value::Array(items) => items.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
        Value::String(text) => {
            text.trim_matches(['[', ']']).split(',').map(|part| part.trim().to_owned()).collect()
        }
        _ => vec!["http".to_owned()],
    };
    names
        .iter()
        .filter(|name| !name.is_empty())
        .map(|name| {
            let mark = if name.eq_ignore_ascii_case("mailto") { ":" } else { "://" };
            format!("{}{mark}", name.to_ascii_lowercase()).into_bytes()
        })
        .collect()
}

/// A switch: `yes`, `no`, true, false; anything else is the default.
pub fn switch(node: &Value, default: bool) -> bool {
    match node {
        Value::Bool(on) => *on,
        Value::String(text) => match text.as_str() {
            "yes" | "true" | "on" | "1" => true,
            "no" | "false" | "off" | "0" => false,
            _ => default,
        },
        _ => default,
    }
}

/// A number, or a size with a unit (`100kb`).
fn number(node: &Value, default: u64) -> u64 {
    match node {
        Value::Number(number) => number.as_u64().unwrap_or(default),
        Value::String(text) => {
            let text = text.trim().to_ascii_lowercase();
            let (digits, unit) = [("kb", 1 << 10), ("mb", 1 << 20), ("gb", 1 << 30)]
                .iter()
                .find_map(|(unit, factor)| text.strip_suffix(unit).map(|digits| (digits.trim(), *factor)))
                .unwrap_or((text.as_str(), 1u64));
            digits.parse::<u64>().map_or(default, |number| number.saturating_mul(unit))
        }
        _ => default,
    }
}
