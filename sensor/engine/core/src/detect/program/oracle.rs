//! A second, naive evaluator (tests only): tries every position by brute force, exponential, without budget. It decides
//! rule text of its own small shape, so that it shares nothing with the real one but the rules of the language.

use crate::app::View;
use crate::detect::rule::FastPattern;
use crate::detect::test_rules;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Place {
    Anywhere,
    Absolute { offset: usize, depth: Option<usize> },
    Relative { distance: i64, within: Option<usize> },
}

#[derive(Clone, Debug)]
enum Test {
    Content { bytes: Vec<u8>, negated: bool, nocase: bool, ends: bool, place: Place },
    DataAt { distance: usize, negated: bool, relative: bool },
    Byte { offset: usize, value: u8, relative: bool },
    Jump { relative: bool },
}

impl Test {
    fn text(&self) -> String {
        match self {
            Test::Content { bytes, negated, nocase, ends, place } => {
                let mut text = format!(
                    "content:{}\"{}\";",
                    if *negated { "!" } else { "" },
                    String::from_utf8_lossy(bytes)
                );
                match place {
                    Place::Anywhere => {}
                    Place::Absolute { offset, depth } => {
                        text += &format!(" offset:{offset};");
                        if let Some(depth) = depth {
                            text += &format!(" depth:{depth};");
                        }
                    }
                    Place::Relative { distance, within } => {
                        text += &format!(" distance:{distance};");
                        if let Some(within) = within {
                            text += &format!(" within:{within};");
                        }
                    }
                }
                for (on, word) in [(nocase, " nocase;"), (ends, " endswith;")] {
                    if *on {
                        text += word;
                    }
                }
                text
            }
            Test::DataAt { distance, negated, relative } => format!(
                "isdataat:{}{distance}{};",
                if *negated { "!" } else { "" },
                if *relative { ",relative" } else { "" }
            ),
            Test::Byte { offset, value, relative } => {
                format!("byte_test:1,=,{value},{offset}{};", if *relative { ",relative" } else { "" })
            }
            Test::Jump { relative } => {
                format!("byte_jump:1,0{};", if *relative { ",relative" } else { "" })
            }
        }
    }
}

/// Whether the tests hold from `pos` on.
fn holds(tests: &[Test], data: &[u8], pos: usize) -> bool {
    let Some((test, rest)) = tests.split_first() else { return true };
    match test {
        Test::Content { bytes, negated, nocase, ends, place } => {
            let fits = |at: usize| {
                let end = at + bytes.len();
                let Some(part) = data.get(at..end) else { return false };
                let same = if *nocase { part.eq_ignore_ascii_case(bytes) } else { part == &bytes[..] };
                let (at, end) = (at as i64, end as i64);
                same && (!ends || end == data.len() as i64)
                    && match place {
                        Place::Anywhere => true,
                        Place::Absolute { offset, depth } => {
                            at >= *offset as i64 && depth.is_none_or(|d| end <= (*offset + d) as i64)
                        }
                        Place::Relative { distance, within } => {
                            let from = pos as i64 + distance;
                            at >= from && within.is_none_or(|w| end <= from + w as i64)
                        }
                    }
            };
            if *negated {
                return !(0..=data.len()).any(fits) && holds(rest, data, pos);
            }
            (0..=data.len()).any(|at| fits(at) && holds(rest, data, at + bytes.len()))
        }
        Test::DataAt { distance, negated, relative } => {
            let there = if *relative { pos + distance <= data.len() } else { *distance < data.len() };
            there != *negated && holds(rest, data, pos)
        }
        Test::Byte { offset, value, relative } => {
            let at = offset + if *relative { pos } else { 0 };
            data.get(at) == Some(value) && holds(rest, data, pos)
        }
        Test::Jump { relative } => {
            let at = if *relative { pos } else { 0 };
            let Some(value) = data.get(at) else { return false };
            let target = at + 1 + usize::from(*value);
            target <= data.len() && holds(rest, data, target)
        }
    }
}

fn place(len: usize) -> impl Strategy<Value = Place> {
    let room = move || proptest::option::of(len..len + 6);
    prop_oneof![
        Just(Place::Anywhere),
        (0usize..6, room()).prop_map(|(offset, depth)| Place::Absolute { offset, depth }),
        (-3i64..5, room()).prop_map(|(distance, within)| Place::Relative { distance, within }),
        (0i64..2, room()).prop_map(|(distance, within)| Place::Relative { distance, within }),
    ]
}

fn content() -> impl Strategy<Value = Test> {
    let byte = prop_oneof![Just(b'a'), Just(b'b'), Just(b'A')];
    let flags = (prop::bool::weighted(0.2), any::<bool>(), prop::bool::weighted(0.1));
    proptest::collection::vec(byte, 1..3).prop_flat_map(move |bytes| {
        (Just(bytes.clone()), flags, place(bytes.len())).prop_map(
            |(bytes, (negated, nocase, ends), place)| Test::Content { bytes, negated, nocase, ends, place },
        )
    })
}

fn test() -> impl Strategy<Value = Test> {
    prop_oneof![
        6 => content(),
        1 => (0usize..6, any::<bool>(), any::<bool>())
            .prop_map(|(distance, negated, relative)| Test::DataAt { distance, negated, relative }),
        1 => (0usize..4, prop_oneof![Just(1u8), Just(b'a'), Just(b'b')], any::<bool>())
            .prop_map(|(offset, value, relative)| Test::Byte { offset, value, relative }),
        1 => any::<bool>().prop_map(|relative| Test::Jump { relative }),
    ]
}

/// Whether the pattern stands where the prefilter looks for it; data[0] stands at `offset` of the whole buffer.
fn is_led(pattern: &FastPattern, data: &[u8], offset: u64) -> bool {
    let len = pattern.bytes.len();
    data.windows(len).zip(offset..).any(|(there, at)| {
        let same = there == pattern.bytes || pattern.nocase && there.eq_ignore_ascii_case(&pattern.bytes);
        same && at >= u64::from(pattern.bounds.start) && at + len as u64 <= u64::from(pattern.bounds.end)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn what_matches_has_the_pattern_where_it_is_looked_for(
        tests in proptest::collection::vec(test(), 1..5),
        data in proptest::collection::vec(prop_oneof![3 => Just(b'a'), 3 => Just(b'b'), 1 => Just(1u8)], 1..14),
        offset in prop_oneof![Just(0u64), 0u64..6],
    ) {
        let text: String = tests.iter().map(Test::text).collect();
        let Ok(rule) = test_rules::options(&text) else { panic!("{text}") };
        let view = View { offset, ..View::whole(&data) };
        if test_rules::matches_within(rule.payload.as_ref().unwrap(), view, u32::MAX) {
            for pattern in rule.fast_pattern.iter().chain(&rule.packet_pattern) {
                prop_assert!(is_led(pattern, &data, offset), "{} {:?}", text, pattern);
            }
        }
    }

    #[test]
    fn the_program_answers_as_brute_force_does(
        tests in proptest::collection::vec(test(), 1..5),
        data in proptest::collection::vec(
            prop_oneof![3 => Just(b'a'), 3 => Just(b'b'), 1 => Just(b'A'), 1 => Just(1u8), 1 => Just(2u8)], 1..14),
    ) {
        let text: String = tests.iter().map(Test::text).collect();
        let rule = match test_rules::options(&text) {
            Ok(rule) => rule,
            Err(found) => panic!("{text}: {found:?}"),
        };
        let program = rule.payload.unwrap();
        prop_assert_eq!(
            test_rules::matches_within(&program, View::whole(&data), u32::MAX),
            holds(&tests, &data, 0),
            "{}", text
        );
        let (all_hold, trace) = test_rules::trace(&program, View::whole(&data));
        prop_assert_eq!(all_hold, holds(&tests, &data, 0), "{}", text);
        if all_hold {
            // Where each content was found, all that was asked of it holds.
            for (at, test) in tests.iter().enumerate() {
                if let (Test::Content { bytes, negated: false, nocase, .. }, Some((start, end))) = (test, trace.held(at, true).found) {
                    let there = &data[start..end];
                    prop_assert!(there == &bytes[..] || *nocase && there.eq_ignore_ascii_case(bytes), "{}", text);
                }
            }
        } else {
            // Without the test that stopped it, and those behind it, it holds.
            prop_assert!(holds(&tests[..trace.reached()], &data, 0), "{} {:?}", text, trace);
        }
    }
}
