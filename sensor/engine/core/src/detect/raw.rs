//! Rules as the reader of files hands them over: headers and options cut apart, nothing understood. All of them lie in one
//! block of bytes, a fifth of what a million small strings would take, which the cache keeps as it is. The bytes may come
//! from a file, so reading them never trusts them.

use super::mapped::Bytes;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

/// As many options as most rules have.
const OPTIONS: usize = 24;

/// Names of parts of a block.
pub const STARTS: &str = "starts";
pub const RULES: &str = "rules";

/// So many rules are read before the pages they stand on are given back: those of a whole block are 20 MB.
const READ_AT_ONCE: usize = 1024;

/// One option as written: escapes are still in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawOption<'a> {
    pub keyword: &'a str,
    pub value: Option<&'a str>,
    /// 1-based.
    pub line: u32,
    pub column: u32,
}

/// One rule as split by the reader of files; variables are replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawRule<'a> {
    pub file: &'a str,
    pub line: u32,
    pub action: &'a str,
    pub protocol: &'a str,
    pub src: &'a str,
    pub sport: &'a str,
    pub arrow: &'a str,
    pub dst: &'a str,
    pub dport: &'a str,
    pub options: Vec<RawOption<'a>>,
}

/// Rules in one block.
///
/// A rule is: its file, line and the seven words of its header; then for each option its keyword, the length of its value
/// plus one (0: no value), the value, how many lines below the rule's first it stands, and its column. Numbers are LEB128
/// of 32 bits; file, header words and keywords are numbers of strings, for they repeat.
#[derive(Default)]
pub struct RawRules {
    /// Where each rule begins in `rules`: 64 bits, little-endian.
    starts: Bytes,
    rules: Bytes,
    /// Where each string ends in `strings`: 64 bits, little-endian.
    ends: Bytes,
    strings: Bytes,
    /// How many rules were read.
    reads: AtomicUsize,
}

impl RawRules {
    pub fn len(&self) -> usize {
        self.starts.len() / 8
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// None: there is none of this number, or the block is damaged.
    pub fn rule(&self, number: usize) -> Option<RawRule<'_>> {
        self.read(number, |string| self.string(string))
    }

    /// For reading many rules: their common strings are looked at once. None: the block is damaged.
    pub fn reader(&self) -> Option<RawReader<'_>> {
        let count = u32::try_from(self.ends.len() / 8).ok()?;
        Some(RawReader { rules: self, strings: (0..count).map(|n| self.string(n)).collect::<Option<_>>()? })
    }

    fn read<'a>(&'a self, number: usize, string: impl Fn(u32) -> Option<&'a str>) -> Option<RawRule<'a>> {
        let mut input = Input(self.record(number)?);
        let file = string(input.number()?)?;
        let line = input.number()?;
        let mut word = || string(input.number()?);
        let [action, protocol, src] = [word()?, word()?, word()?];
        let [sport, arrow, dst, dport] = [word()?, word()?, word()?, word()?];
        let mut options = Vec::with_capacity(OPTIONS);
        while !input.0.is_empty() {
            let keyword = string(input.number()?)?;
            let value = match input.number()?.checked_sub(1) {
                Some(length) => Some(std::str::from_utf8(input.take(usize::try_from(length).ok()?)?).ok()?),
                None => None,
            };
            let below = input.number()?;
            options.push(RawOption {
                keyword,
                value,
                line: line.checked_add(below)?,
                column: input.number()?,
            });
        }
        Some(RawRule { file, line, action, protocol, src, sport, arrow, dst, dport, options })
    }

    /// The parts of a block of the rules of these numbers, in this order: `starts`, then what is in `rules`. The others are
    /// this block's, for strings keep their numbers.
    pub fn only<'a>(&'a self, numbers: &'a [usize]) -> (Vec<u8>, impl Iterator<Item = &'a [u8]>) {
        let records = || numbers.iter().filter_map(|number| self.record(*number));
        let mut at = 0u64;
        let mut starts = Vec::with_capacity(self.starts.len());
        for record in records() {
            starts.extend_from_slice(&at.to_le_bytes());
            at = at.saturating_add(record.len() as u64);
        }
        (starts, records())
    }

    /// It will not be read for a while; see `Bytes::rest`.
    pub fn rest(&self) {
        self.rules.rest();
    }

    /// The block in parts, by name.
    pub fn sections(&self) -> [(&'static str, &[u8]); 4] {
        [(STARTS, &self.starts), (RULES, &self.rules), ("ends", &self.ends), ("strings", &self.strings)]
    }

    /// The block that these are the parts of.
    pub fn of_sections(part: impl Fn(&str) -> Option<Bytes>) -> Option<RawRules> {
        Some(RawRules {
            starts: part(STARTS)?,
            rules: part(RULES)?,
            ends: part("ends")?,
            strings: part("strings")?,
            reads: AtomicUsize::default(),
        })
    }

    fn record(&self, number: usize) -> Option<&[u8]> {
        if self.reads.fetch_add(1, Ordering::Relaxed) % READ_AT_ONCE == 0 {
            self.rest();
        }
        let start = entry(&self.starts, number)?;
        let end = entry(&self.starts, number.checked_add(1)?).unwrap_or(self.rules.len());
        self.rules.get(start..end)
    }

    fn string(&self, number: u32) -> Option<&str> {
        let number = usize::try_from(number).ok()?;
        let start = match number.checked_sub(1) {
            Some(before) => entry(&self.ends, before)?,
            None => 0,
        };
        std::str::from_utf8(self.strings.get(start..entry(&self.ends, number)?)?).ok()
    }
}

/// Reads rules one after the other.
pub struct RawReader<'a> {
    rules: &'a RawRules,
    strings: Vec<&'a str>,
}

impl<'a> RawReader<'a> {
    pub fn rule(&self, number: usize) -> Option<RawRule<'a>> {
        self.rules.read(number, |string| self.strings.get(usize::try_from(string).ok()?).copied())
    }
}

/// An entry of a table of 64-bit numbers.
fn entry(table: &[u8], at: usize) -> Option<usize> {
    let from = at.checked_mul(8)?;
    let bytes = table.get(from..from.checked_add(8)?)?;
    usize::try_from(u64::from_le_bytes(bytes.try_into().ok()?)).ok()
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        let mut number = 0u32;
        for shift in (0..u32::BITS).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            let part = u32::from(byte & 0x7f);
            let placed = part.checked_shl(shift)?;
            if placed >> shift != part {
                return None;
            }
            number |= placed;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }
}

/// Takes rules in, one after the other.
#[derive(Default)]
pub struct RawRulesBuilder {
    starts: Vec<u8>,
    rules: Vec<u8>,
    ends: Vec<u8>,
    strings: Vec<u8>,
    known: HashMap<Box<str>, u32, ahash::RandomState>,
    /// The line of the rule in hand.
    line: u32,
}

impl RawRulesBuilder {
    /// For rules of about so many bytes of text: memory is taken as it is used.
    pub fn with_capacity(text_bytes: usize) -> Self {
        RawRulesBuilder { rules: Vec::with_capacity(text_bytes), ..RawRulesBuilder::default() }
    }

    /// Begins a rule: action, protocol, source, its port, direction, destination, its port.
    pub fn begin(&mut self, file: &str, line: u32, header: [&str; 7]) {
        self.starts.extend_from_slice(&(self.rules.len() as u64).to_le_bytes());
        self.line = line;
        self.string(file);
        put(&mut self.rules, line);
        header.into_iter().for_each(|word| self.string(word));
    }

    /// Adds an option to the rule in hand. A value beyond 4 GiB is no value.
    pub fn option(&mut self, option: RawOption<'_>) {
        self.string(option.keyword);
        let length = option.value.and_then(|value| u32::try_from(value.len()).ok()?.checked_add(1));
        put(&mut self.rules, length.unwrap_or(0));
        if let (Some(value), Some(_)) = (option.value, length) {
            self.rules.extend_from_slice(value.as_bytes());
        }
        put(&mut self.rules, option.line.saturating_sub(self.line));
        put(&mut self.rules, option.column);
    }

    pub fn len(&self) -> usize {
        self.starts.len() / 8
    }

    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    pub fn finish(self) -> RawRules {
        RawRules {
            starts: self.starts.into(),
            rules: self.rules.into(),
            ends: self.ends.into(),
            strings: self.strings.into(),
            reads: AtomicUsize::default(),
        }
    }

    fn string(&mut self, text: &str) {
        let number = match self.known.get(text) {
            Some(number) => *number,
            None => {
                let number = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
                self.known.insert(text.into(), number);
                self.strings.extend_from_slice(text.as_bytes());
                self.ends.extend_from_slice(&(self.strings.len() as u64).to_le_bytes());
                number
            }
        };
        put(&mut self.rules, number);
    }
}

fn put(out: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Written = (String, u32, [String; 7], Vec<(String, Option<String>, u32, u32)>);

    fn written() -> impl Strategy<Value = Written> {
        let word = || prop_oneof![Just("any".to_owned()), "[a-zé]{0,6}"];
        let words = (word(), word(), word(), word(), word(), word(), word());
        let words = words.prop_map(|(a, b, c, d, e, f, g)| [a, b, c, d, e, f, g]);
        let value = proptest::option::of(".{0,200}");
        let option = (word(), value, 0u32..1000, any::<u32>());
        (word(), 0u32..1 << 30, words, proptest::collection::vec(option, 0..6))
    }

    fn build(rules: &[Written]) -> RawRules {
        let mut builder = RawRulesBuilder::default();
        for (file, line, words, options) in rules {
            builder.begin(file, *line, words.each_ref().map(String::as_str));
            for (keyword, value, below, column) in options {
                let (value, line) = (value.as_deref(), line + below);
                builder.option(RawOption { keyword, value, line, column: *column });
            }
        }
        builder.finish()
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(rules in proptest::collection::vec(written(), 0..5)) {
            let raw = build(&rules);
            prop_assert_eq!(raw.len(), rules.len());
            let odd: Vec<usize> = (0..rules.len()).filter(|n| n % 2 == 1).collect();
            let (starts, records) = raw.only(&odd);
            let odd = RawRules {
                starts: starts.into(),
                rules: records.collect::<Vec<_>>().concat().into(),
                ends: raw.ends.to_vec().into(),
                strings: raw.strings.to_vec().into(),
                ..RawRules::default()
            };
            for (number, (file, line, words, options)) in rules.iter().enumerate() {
                let rule = raw.rule(number).unwrap();
                prop_assert_eq!(&raw.reader().unwrap().rule(number).unwrap(), &rule);
                prop_assert_eq!((rule.file, rule.line), (file.as_str(), *line));
                let header =
                    [rule.action, rule.protocol, rule.src, rule.sport, rule.arrow, rule.dst, rule.dport];
                prop_assert_eq!(header, words.each_ref().map(String::as_str));
                prop_assert_eq!(rule.options.len(), options.len());
                for (option, (keyword, value, below, column)) in rule.options.iter().zip(options) {
                    let (value, line) = (value.as_deref(), line + below);
                    prop_assert_eq!(*option, RawOption { keyword, value, line, column: *column });
                }
                if number % 2 == 1 {
                    prop_assert_eq!(odd.rule(number / 2).unwrap(), rule);
                }
            }
            prop_assert!(raw.rule(rules.len()).is_none());
        }

        #[test]
        fn any_bytes_give_rules_or_none(
            starts in proptest::collection::vec(0u64..80, 0..6),
            ends in proptest::collection::vec(0u64..40, 0..6),
            rules: Vec<u8>,
            strings: Vec<u8>,
        ) {
            let table = |list: &[u64]| list.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<u8>>();
            let raw = RawRules {
                starts: table(&starts).into(),
                rules: rules.into(),
                ends: table(&ends).into(),
                strings: strings.into(),
                ..RawRules::default()
            };
            for number in 0..=raw.len() {
                let _ = raw.rule(number);
                let _ = raw.reader().and_then(|reader| reader.rule(number));
            }
        }
    }
}
