//! Worked examples (tests only): options, bytes, and whether they match. Each family of keywords has its cases here.

use crate::app::View;
use crate::detect::test_rules;

fn on(view: View<'_>, options: &str) -> bool {
    let rule = match test_rules::options(options) {
        Ok(rule) => rule,
        Err(found) => panic!("{options}: {found:?}"),
    };
    let program = rule.payload.unwrap_or_else(|| panic!("{options}: no payload test"));
    test_rules::matches(&program, view)
}

/// Each case: options, bytes, expected.
fn play(cases: &[(&str, &[u8], bool)]) {
    for (options, bytes, expected) in cases {
        assert_eq!(
            on(View::whole(bytes), options),
            *expected,
            "{options} on {:?}",
            String::from_utf8_lossy(bytes)
        );
    }
}

#[test]
fn contents_and_positions() {
    play(&[
        ("content:\"abc\";", b"xxabcxx", true),
        ("content:\"ABC\"; nocase;", b"xxaBcxx", true),
        ("content:!\"abc\";", b"xxabcxx", false),
        ("content:\"abc\"; offset:2; depth:3;", b"xxabcxx", true),
        ("content:\"abc\"; offset:3;", b"xxabcxx", false),
        ("content:\"abc\"; depth:4;", b"xxabcxx", false),
        ("content:\"abc\"; startswith;", b"abcx", true),
        ("content:\"abc\"; startswith;", b"xabc", false),
        ("content:\"abc\"; endswith;", b"xabc", true),
        ("content:!\"abc\"; endswith;", b"abcx", true),
        ("content:\"ab\"; content:\"cd\"; distance:0; within:2;", b"ab cd abcd", true),
        ("content:\"ab\"; content:\"cd\"; distance:1; within:2;", b"abcd", false),
        (
            "content:\"AllWorkAndNoPlayMakesWill\"; content:\"DullBoy\"; distance:1; within:7;",
            b"AllWorkAndNoPlayMakesWillADullBoy",
            true,
        ),
        ("content:\"a\"; content:\"b\"; distance:-2; within:2;", b"ba", true),
        ("content:\"b\"; fast_pattern:only; content:\"a\";", b"ab", true),
    ]);
}

#[test]
fn relative_chains_go_back() {
    play(&[
        (
            "content:\"a\"; content:\"b\"; distance:1; within:1; content:\"c\"; distance:0; within:1;",
            b"a.x a.b a.bc",
            true,
        ),
        ("content:\"a\"; content:\"b\"; within:2; content:!\"c\"; within:1;", b"abc abd", true),
        ("content:\"a\"; pcre:\"/^b/R\";", b"ac ab", true),
        ("pcre:\"/a+/\"; content:\"c\"; within:1;", b"ab aac", true),
        ("content:\"a\"; isdataat:!1,relative;", b"a..a", true),
        ("content:\"a\"; isdataat:!1,relative;", b"a..ax", false),
    ]);
}

#[test]
fn numbers_in_the_payload() {
    play(&[
        ("byte_test:2,=,258,0;", &[1, 2], true),
        ("byte_test:2,=,513,0,little;", &[1, 2], true),
        ("byte_test:1,=,0x07,0,bitmask 0xF8;", &[0x38], true),
        ("byte_test:3,>,99,0,string,dec;", b"123", true),
        ("byte_test:1,!&,0x80,0;", &[0x7f], true),
        ("byte_test:4,=,1,0;", &[0, 1], false),
        ("byte_extract:1,0,n; content:\"b\"; offset:n; depth:1;", &[3, b'b', b'x', b'b'], true),
        ("byte_extract:1,0,n; content:\"b\"; offset:n; depth:1;", &[2, b'b', b'x', b'b'], false),
        ("byte_math:bytes 1, offset 0, oper +, rvalue 2, result n; byte_test:1,=,n,1;", &[3, 5], true),
        ("byte_extract:1,1,z; byte_math:bytes 1, offset 0, oper /, rvalue z, result n;", &[3, 0], false),
        ("byte_jump:1,0; content:\"b\"; within:1;", &[2, b'x', b'x', b'b'], true),
        ("byte_jump:1,0,from_beginning; content:\"b\"; within:1;", &[2, b'x', b'b'], true),
        ("content:\"Question?\"; byte_jump:2,0,relative,string,from_end,post_offset -26; content:\"pandemic\"; distance:0;",
         b"Question?13When will the pandemic end?", true),
        ("content:\"a\"; byte_jump:0,0,relative,post_offset -8; content:\"a\"; within:1;", b"a", true),
        ("byte_jump:1,0;", &[9, 1], false),
    ]);
}

#[test]
fn expressions_and_base64() {
    play(&[
        ("pcre:\"/A.C/i\";", b"xabcx", true),
        ("pcre:!\"/abc/\";", b"xabcx", false),
        (
            "content:\"arg=\"; base64_decode:relative; base64_data; content:\"thisisatest\";",
            b"?arg=dGhpc2lzYXRlc3QK",
            true,
        ),
        (
            "content:\"arg=\"; base64_decode:bytes 10,offset 0,relative; base64_data; content:\"test\";",
            b"?arg=dGhpc2lzYXRlc3QK",
            false,
        ),
        ("base64_decode; base64_data; pcre:\"/./\";", b"%", false),
    ]);
}

#[test]
fn what_is_not_complete_is_not_decided() {
    let part = View { data: b"abc", offset: 0, complete: false };
    assert!(!on(part, "content:\"abc\"; endswith;"));
    assert!(!on(part, "content:!\"xyz\"; endswith;"));
    assert!(!on(part, "content:\"abc\"; isdataat:!1,relative;"));
    let moved = View { data: b"abc", offset: 100, complete: true };
    assert!(on(moved, "content:\"abc\"; offset:100; depth:3;"));
    assert!(!on(moved, "content:\"abc\"; depth:3;"));
}

#[test]
fn hopeless_rules_end() {
    let data = vec![b'a'; 4096];
    let chain = "content:\"a\"; content:\"a\"; distance:0; content:\"a\"; distance:0; content:\"a\"; distance:0; content:\"b\"; distance:0;";
    let begin = std::time::Instant::now();
    assert!(!on(View::whole(&data), chain));
    assert!(begin.elapsed().as_millis() < 1000);
}
