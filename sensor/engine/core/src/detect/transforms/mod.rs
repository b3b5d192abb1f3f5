//! Rewriting a buffer before it is tested. Cost and output are linear in the input.

use crate::base64;

use super::lua::{Script, Scripts};
use super::pcre::Regex;
use super::rule::Transform;
use sha1::Digest;
use std::sync::Arc;

/// A transform without options.
pub struct Plain {
    pub name: &'static str,
    pub apply: fn(&[u8], &mut Vec<u8>),
}

impl Transform for Plain {
    fn identity(&self) -> String {
        self.name.to_owned()
    }
    fn apply(&self, input: &[u8], out: &mut Vec<u8>, _scripts: &Scripts) {
        (self.apply)(input, out);
    }
}

pub fn to_lowercase(input: &[u8], out: &mut Vec<u8>) {
    out.extend(input.iter().map(u8::to_ascii_lowercase));
}

pub fn to_uppercase(input: &[u8], out: &mut Vec<u8>) {
    out.extend(input.iter().map(u8::to_ascii_uppercase));
}

pub fn casechange(input: &[u8], out: &mut Vec<u8>) {
    out.extend(input.iter().map(|b| if b.is_ascii_alphabetic() { b ^ 0x20 } else { *b }));
}

/// As C's isspace in the "C" locale.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

pub fn strip_whitespace(input: &[u8], out: &mut Vec<u8>) {
    out.extend(input.iter().filter(|b| !is_space(**b)));
}

/// Of a run of white space the first byte stays.
pub fn compress_whitespace(input: &[u8], out: &mut Vec<u8>) {
    let mut before = false;
    for byte in input {
        let space = is_space(*byte);
        if !(space && before) {
            out.push(*byte);
        }
        before = space;
    }
}

pub fn to_md5(input: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&md5::Md5::digest(input));
}

pub fn to_sha1(input: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&sha1::Sha1::digest(input));
}

pub fn to_sha256(input: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&sha2::Sha256::digest(input));
}

pub fn dotprefix(input: &[u8], out: &mut Vec<u8>) {
    out.push(b'.');
    out.extend_from_slice(input);
}

/// Second-level labels under which country registries give out names (.co.uk, .com.vn ...).
const SECOND_LEVEL: &[&[u8]] = &[
    b"co", b"com", b"net", b"org", b"edu", b"gov", b"mil", b"ac", b"gob", b"gouv", b"nom", b"or", b"ne",
    b"go", b"id",
];

/// Position of the public suffix: the last label, or the last two where a registry gives out names one level down.
fn suffix(name: &[u8]) -> Option<usize> {
    let last = memchr::memrchr(b'.', name)?;
    let top = name.get(last.saturating_add(1)..)?;
    if top.len() == 2 {
        let before = name.get(..last)?;
        let start = memchr::memrchr(b'.', before).map_or(0, |at| at.saturating_add(1));
        let second = before.get(start..)?;
        if start > 0 && SECOND_LEVEL.iter().any(|s| s.eq_ignore_ascii_case(second)) {
            return Some(start);
        }
    }
    Some(last.saturating_add(1))
}

pub fn domain(input: &[u8], out: &mut Vec<u8>) {
    let Some(before) = suffix(input).and_then(|at| input.get(..at.checked_sub(1)?)) else { return };
    let start = memchr::memrchr(b'.', before).map_or(0, |at| at.saturating_add(1));
    out.extend_from_slice(input.get(start..).unwrap_or(&[]));
}

pub fn tld(input: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(suffix(input).and_then(|at| input.get(at..)).unwrap_or(&[]));
}

pub fn header_lowercase(input: &[u8], out: &mut Vec<u8>) {
    let mut in_name = true;
    for byte in input {
        out.push(if in_name { byte.to_ascii_lowercase() } else { *byte });
        in_name = match byte {
            b':' => false,
            b'\n' => true,
            _ => in_name,
        };
    }
}

/// Lines that begin with a colon go.
pub fn strip_pseudo_headers(input: &[u8], out: &mut Vec<u8>) {
    for line in input.split_inclusive(|b| *b == b'\n').filter(|line| line.first() != Some(&b':')) {
        out.extend_from_slice(line);
    }
}

pub struct UrlDecode;

impl Transform for UrlDecode {
    fn identity(&self) -> String {
        "url_decode".to_owned()
    }
    fn apply(&self, input: &[u8], out: &mut Vec<u8>, _scripts: &Scripts) {
        let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
        let mut rest = input;
        while let Some((first, tail)) = rest.split_first() {
            rest = tail;
            match (first, tail) {
                (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                    (Some(high), Some(low)) => {
                        out.push(high << 4 | low);
                        rest = after;
                    }
                    _ => out.push(b'%'),
                },
                (b'+', _) => out.push(b' '),
                (byte, _) => out.push(*byte),
            }
        }
    }
}

pub struct Xor(pub Vec<u8>);

impl Transform for Xor {
    fn identity(&self) -> String {
        format!("xor:{:02x?}", self.0)
    }
    fn apply(&self, input: &[u8], out: &mut Vec<u8>, _scripts: &Scripts) {
        out.extend(input.iter().zip(self.0.iter().cycle()).map(|(byte, key)| byte ^ key));
    }
}

pub struct PcreXform {
    pub pattern: String,
    pub regex: Regex,
}

impl Transform for PcreXform {
    fn identity(&self) -> String {
        format!("pcrexform:{}", self.pattern)
    }
    /// Without a match the buffer stays as it is.
    fn apply(&self, input: &[u8], out: &mut Vec<u8>, _scripts: &Scripts) {
        let mut found = None;
        let matched = self.regex.captures_at(input, 0, |group, range| {
            if group == 1 {
                found = input.get(range);
            }
        });
        match matched {
            Some(_) => out.extend_from_slice(found.unwrap_or(&[])),
            None => out.extend_from_slice(input),
        }
    }
}

pub struct FromBase64 {
    pub offset: usize,
    pub bytes: Option<usize>,
    pub mode: base64::Mode,
}

impl Transform for FromBase64 {
    fn identity(&self) -> String {
        format!("from_base64:{},{:?},{:?}", self.offset, self.bytes, self.mode)
    }
    /// Without a byte decoded the buffer stays as it is.
    fn apply(&self, input: &[u8], out: &mut Vec<u8>, _scripts: &Scripts) {
        let rest = input.get(self.offset..).unwrap_or(&[]);
        let encoded = self.bytes.and_then(|n| rest.get(..n)).unwrap_or(rest);
        base64::decode(encoded, self.mode, out);
        if out.is_empty() {
            out.extend_from_slice(input);
        }
    }
}

/// luaxform
pub struct LuaTransform {
    pub script: Arc<Script>,
    pub arguments: Vec<String>,
}

impl Transform for LuaTransform {
    /// Each mention is a script of its own.
    fn identity(&self) -> String {
        format!("luaxform:{}", self.script.number)
    }
    fn may_prefilter(&self) -> bool {
        false
    }
    /// An empty buffer is not the script's business; without an answer the buffer stays as it is.
    fn apply(&self, input: &[u8], out: &mut Vec<u8>, scripts: &Scripts) {
        let made = Some(input).filter(|i| !i.is_empty());
        match made.and_then(|input| scripts.transform(&self.script, &self.arguments, input)) {
            Some(made) => out.extend_from_slice(&made),
            None => out.extend_from_slice(input),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(apply: fn(&[u8], &mut Vec<u8>), input: &str) -> String {
        let mut out = Vec::new();
        apply(input.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn rewrites() {
        assert_eq!(plain(strip_whitespace, " a\t b\r\n"), "ab");
        assert_eq!(plain(compress_whitespace, "a \t b"), "a b");
        assert_eq!(plain(dotprefix, "a.b"), ".a.b");
        assert_eq!(plain(casechange, "aB1"), "Ab1");
        assert_eq!(plain(header_lowercase, "Host: A\r\nX-Y: B"), "host: A\r\nx-y: B");
        assert_eq!(plain(strip_pseudo_headers, ":path: /\r\nhost: a\r\n"), "host: a\r\n");
        assert_eq!(plain(|i, o| UrlDecode.apply(i, o, &Scripts::default()), "a%20b+c%zz%4"), "a b c%zz%4");
        assert_eq!(plain(|i, o| Xor(vec![1, 2]).apply(i, o, &Scripts::default()), "abc"), "``b");
        assert_eq!(plain(tld, "www.example.co.uk"), "co.uk");
        assert_eq!(plain(domain, "www.example.co.uk"), "example.co.uk");
        assert_eq!(plain(domain, "www.example.com"), "example.com");
        assert_eq!(plain(domain, "localhost"), "");
    }
}
