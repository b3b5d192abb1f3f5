//! `app-layer.protocols.smtp.mime` and `inspected-tracker` of the configuration (Suricata manual, "suricata.yaml").

use crate::app::body::BodyLimits;
use crate::setting;
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
        let switch = |key: &str, default: bool| setting::switch(&mime[key]).unwrap_or(default);
        let size = |value: &Value, default: u64| setting::size(value).unwrap_or(default);
        let depth = size(&mime["header-value-depth"], 2000).clamp(1, HEADER_VALUE_MAX);
        Config {
            decode_base64: switch("decode-base64", true),
            decode_quoted_printable: switch("decode-quoted-printable", true),
            header_value_max: usize::try_from(depth).unwrap_or(usize::MAX),
            extract_urls: switch("extract-urls", true),
            url_schemes: schemes(&mime["extract-urls-schemes"]),
            log_url_scheme: switch("log-url-scheme", false),
            // "auto", the default, is worth a hash: a rule or the log may ask for it.
            body_md5: switch("body-md5", true),
            tracker: BodyLimits {
                limit: size(&tracker["content-limit"], 100_000),
                min_inspect: size(&tracker["content-inspect-min-size"], 32_768),
                window: size(&tracker["content-inspect-window"], 4096),
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
