//! Keywords that rewrite the selected buffer before it is tested. What they do is in detect::transforms.

use super::{number, text, Keyword, Kind};
use crate::base64::Mode;
use crate::detect::builder::{no_value, some_value, RuleBuilder};
use crate::detect::diagnostic::Refusal;
use crate::detect::pcre::Options;
use crate::detect::transforms::{FromBase64, PcreXform, Plain, UrlDecode, Xor};

/// A transform without options.
macro_rules! plain {
    ($id:ident, $name:literal, $doc:literal, $apply:expr) => {
        pub static $id: Keyword = Keyword {
            name: $name,
            kind: Kind::Transform,
            doc: $doc,
            example: concat!("http.uri; ", $name, "; content:\"abc\";"),
            accepts: &[concat!("tcp.hdr; ", $name, "; content:\"abc\";")],
            refuses: &[concat!($name, ";"), concat!("tcp.hdr; ", $name, ":nonsense; content:\"abc\";")],
            parse: |rule, value| {
                no_value($name, value)?;
                rule.transform(Box::new(Plain { name: $name, apply: $apply }))
            },
            ..Keyword::EMPTY
        };
    };
}

use crate::detect::transforms as apply;
plain!(TO_LOWERCASE, "to_lowercase", "Upper case letters become lower case.", apply::to_lowercase);
plain!(TO_UPPERCASE, "to_uppercase", "Lower case letters become upper case.", apply::to_uppercase);
plain!(CASECHANGE, "casechange", "Letters change their case.", apply::casechange);
plain!(STRIP_WHITESPACE, "strip_whitespace", "White space is removed.", apply::strip_whitespace);
plain!(
    COMPRESS_WHITESPACE,
    "compress_whitespace",
    "Runs of white space become one space.",
    apply::compress_whitespace
);
plain!(TO_MD5, "to_md5", "The buffer becomes its MD5 digest (16 bytes).", apply::to_md5);
plain!(TO_SHA1, "to_sha1", "The buffer becomes its SHA-1 digest (20 bytes).", apply::to_sha1);
plain!(TO_SHA256, "to_sha256", "The buffer becomes its SHA-256 digest (32 bytes).", apply::to_sha256);
plain!(
    DOTPREFIX,
    "dotprefix",
    "A dot is put before the buffer, so that .example.org matches the domain and below.",
    apply::dotprefix
);
plain!(
    DOMAIN,
    "domain",
    "The registered domain of a host name: its last labels, by a short list of suffixes.",
    apply::domain
);
plain!(TLD, "tld", "The top-level domain of a host name.", apply::tld);
plain!(
    HEADER_LOWERCASE,
    "header_lowercase",
    "Header names become lower case, their values stay.",
    apply::header_lowercase
);
plain!(
    STRIP_PSEUDO_HEADERS,
    "strip_pseudo_headers",
    "HTTP/2 pseudo headers (:path ...) are removed.",
    apply::strip_pseudo_headers
);

pub static URL_DECODE: Keyword = Keyword {
    name: "url_decode",
    kind: Kind::Transform,
    doc: "Decodes %xx and + once.",
    example: "http.request_body; url_decode; content:\"a b\";",
    accepts: &["tcp.hdr; url_decode; content:\"abc\";"],
    refuses: &["url_decode;", "tcp.hdr; url_decode:1; content:\"abc\";"],
    parse: |rule, value| {
        no_value("url_decode", value)?;
        rule.transform(Box::new(UrlDecode))
    },
    ..Keyword::EMPTY
};

pub static XOR: Keyword = Keyword {
    name: "xor",
    kind: Kind::Transform,
    doc: "Exclusive or with a key in hex, repeated.",
    example: "http.uri; xor:\"0d0ac8ff\"; content:\"abc\";",
    accepts: &["tcp.hdr; xor:\"0d0ac8ff\"; content:\"abc\";"],
    refuses: &[
        "tcp.hdr; xor; content:\"a\";",
        "tcp.hdr; xor:\"0d0\"; content:\"a\";",
        "tcp.hdr; xor:\"zz\"; content:\"a\";",
    ],
    parse: |rule, value| {
        let value = some_value("xor", value, "\"0d0ac8ff\"")?.trim_matches('"');
        let wrong = || {
            Refusal::error(
                format!("`{value}` is not a key"),
                "write two hex digits for each byte, e.g. xor:\"0d0ac8ff\";",
            )
        };
        let key: Option<Vec<u8>> = value
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok().filter(|p| p.len() == 2)?, 16).ok())
            .collect();
        let key = key.filter(|k| !k.is_empty()).ok_or_else(wrong)?;
        rule.transform(Box::new(Xor(key)))
    },
    ..Keyword::EMPTY
};

pub static PCREXFORM: Keyword = Keyword {
    name: "pcrexform",
    kind: Kind::Transform,
    doc: "The buffer becomes the first group of a regular expression.",
    example: "http.request_line; pcrexform:\"[a-zA-Z]+\\s+(.*)\\s+HTTP\"; content:\"/dropper.php\";",
    accepts: &["tcp.hdr; pcrexform:\"a(b+)c\"; content:\"b\";"],
    refuses: &[
        "tcp.hdr; pcrexform; content:\"b\";",
        "tcp.hdr; pcrexform:\"a(\"; content:\"b\";",
        "tcp.hdr; pcrexform:\"abc\"; content:\"b\";",
    ],
    parse: |rule, value| {
        let pattern = text::quoted("pcrexform", some_value("pcrexform", value, "\"a(b+)c\"")?)?;
        let regex = rule.shared.regex(pattern.as_bytes(), Options::default()).map_err(|reason| {
            Refusal::error(
                format!("the expression does not compile: {reason}"),
                "mend the pattern (it is PCRE2's syntax)",
            )
        })?;
        if regex.groups() != 1 {
            return Err(Refusal::error(
                "the expression needs exactly one group",
                "put ( ) round the part that is meant",
            ));
        }
        rule.transform(Box::new(PcreXform { pattern: pattern.to_owned(), regex }))
    },
    ..Keyword::EMPTY
};

pub static FROM_BASE64: Keyword = Keyword {
    name: "from_base64",
    kind: Kind::Transform,
    doc: "The buffer becomes what its base64 says: bytes N, offset N, mode rfc4648|rfc2045|strict.",
    example: "http.uri; from_base64:offset 6, mode rfc2045; content:\"foobar\";",
    accepts: &[
        "tcp.hdr; from_base64; content:\"b\";",
        "tcp.hdr; from_base64: bytes 6, offset 2, mode strict; content:\"b\";",
    ],
    refuses: &[
        "from_base64;",
        "tcp.hdr; from_base64:mode x; content:\"b\";",
        "tcp.hdr; from_base64:foo; content:\"b\";",
    ],
    parse: from_base64,
    ..Keyword::EMPTY
};

fn from_base64(rule: &mut RuleBuilder<'_>, value: Option<&str>) -> Result<(), Refusal> {
    let mut transform = FromBase64 { offset: 0, bytes: None, mode: Mode::Rfc4648 };
    for part in value.unwrap_or("").split(',').map(str::trim).filter(|p| !p.is_empty()) {
        let wrong = || {
            Refusal::error(
                format!("`{part}` is no option of from_base64"),
                "use bytes N, offset N and mode rfc4648|rfc2045|strict",
            )
        };
        let count = |n: &str| number::unsigned(n).and_then(|n| usize::try_from(n).ok()).ok_or_else(wrong);
        match part.split_once(char::is_whitespace).map(|(k, v)| (k, v.trim())).ok_or_else(wrong)? {
            ("bytes", n) => transform.bytes = Some(count(n)?),
            ("offset", n) => transform.offset = count(n)?,
            ("mode", mode) => {
                transform.mode = match mode.to_ascii_lowercase().as_str() {
                    "rfc4648" => Mode::Rfc4648,
                    "rfc2045" => Mode::Rfc2045,
                    "strict" => Mode::Strict,
                    _ => return Err(wrong()),
                }
            }
            _ => return Err(wrong()),
        }
    }
    rule.transform(Box::new(transform))
}
