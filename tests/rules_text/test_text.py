"""Rule text: headers, options, places, and any bytes at all."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.config import load
from sensor.rules.findings import RuleReport
from sensor.rules.loading import read_files
from sensor.rules.text import RuleText, parse
from sensor.rules.variables import Variables

VARIABLES = Variables({"HOME_NET": "10.0.0.0/8"}, {"HTTP_PORTS": "80"})
GOOD = 'alert tcp any any -> any any (msg:"x"; sid:1;)'


def read(text: str | bytes) -> RuleText:
    return parse(text if isinstance(text, bytes) else text.encode(), "x.rules", VARIABLES)


def options(text: str) -> list[tuple[str, str | None]]:
    result = read(f"alert tcp any any -> any any ({text})")
    assert result.findings == []
    return [(option[0], option[1]) for option in result.rules[0][9]]


def test_a_rule_with_its_places() -> None:
    text = f"\ufeff# comment\r\n\r\n  \t\r\n {GOOD}\r\n"
    (rule,) = read(text).rules
    assert rule == (
        "x.rules", 4, "alert", "tcp", "any", "any", "->", "any", "any",
        [("msg", '"x"', 4, 32), ("sid", "1", 4, 41)], f" {GOOD}",
    )  # fmt: skip


def test_continued_lines_keep_their_numbers() -> None:
    text = '# a\nalert tcp any any -> any any ( \\\n  msg:"x"; \\\r\n  content:"a\\\n b"; sid:1;)\n' + GOOD
    result = read(text)
    assert [(rule[1], [option[2:] for option in rule[9]]) for rule in result.rules] == [
        (2, [(3, 3), (4, 3), (5, 6)]),
        (6, [(6, 31), (6, 40)]),
    ]


@pytest.mark.parametrize(
    ("header", "parts"),
    [
        ("alert tcp any any -> any any", ["any", "any", "->", "any", "any"]),
        (
            "drop udp [1.1.1.1, !2.2.2.2] [80, 81:90] <> ! $HOME_NET !$HTTP_PORTS",
            ["[1.1.1.1,!2.2.2.2]", "[80,81:90]", "<>", "!10.0.0.0/8", "!80"],
        ),
        ("pass\thttp1  [any,[ ::1 ] ] any =>\t[ $HOME_NET , 1.1.1.1 ] any",
         ["[any,[::1]]", "any", "=>", "[10.0.0.0/8,1.1.1.1]", "any"]),
    ],
)  # fmt: skip
def test_headers(header: str, parts: list[str]) -> None:
    (rule,) = read(f"{header} (sid:1;)").rules
    assert list(rule[4:9]) == parts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nocase;", [("nocase", None)]),
        (" sid : 7 ;", [("sid", "7")]),
        (r'content:"a\;b"; sid:1;', [("content", r'"a\;b"'), ("sid", "1")]),
        (r'content:"a\"b"; sid:1;', [("content", r'"a\"b"'), ("sid", "1")]),
        (r'pcre:"/a\;\;b\\/"; sid:1;', [("pcre", r'"/a\;\;b\\/"'), ("sid", "1")]),
        (r'content:"a\"; sid:1;', [("content", r'"a\"'), ("sid", "1")]),  # loads in Suricata too
        ('content:!"a:b (c)"; sid:1;', [("content", '!"a:b (c)"'), ("sid", "1")]),
        ("reference:url,x.y/?a=b; sid:1;", [("reference", "url,x.y/?a=b"), ("sid", "1")]),
        ("msg:; sid:1; ", [("msg", ""), ("sid", "1")]),
    ],
)
def test_options(text: str, expected: list[tuple[str, str | None]]) -> None:
    assert options(text) == expected


def test_a_semicolon_within_quotes_is_read_and_warned_of() -> None:
    result = read('alert tcp any any -> any any (content:"a;b;c"; sid:5;)')
    assert [option[1] for option in result.rules[0][9]] == ['"a;b;c"', "5"]
    assert [(f.severity, f.keyword, f.sid, f.column) for f in result.findings] == [
        ("warning", "content", 5, 31)
    ]


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("hello world", 1, "not a rule"),
        ("alert tcp any any -> any (sid:1;)", 1, "6 parts"),
        ("  alert tcp [any , any -> any any (sid:1;)", 3, "3 parts"),
        ("alert tcp any any <- any any (sid:1;)", 19, "no direction"),
        ("alert tcp any any -> any any (sid:1;", 36, "not closed"),
        ("alert tcp any any -> any any (sid:1)", 36, "no ; after"),
        (r"alert tcp any any -> any any (sid:1\;)", 38, "no ; after"),
        ("alert tcp any any -> any any ()", 31, "no options"),
        ("alert tcp any any -> any any (sid:1;;)", 37, "empty option"),
        ('alert tcp any any -> any any (content:"a; sid:1;)', 31, "no end"),
        ("alert tcp $NOPE any -> any any (sid:1;)", 11, "undefined address variable $NOPE"),
        ("alert tcp $HOME_NET $NOPE -> any any (sid:1;)", 21, "undefined port variable $NOPE"),
        ("x" * 70_000, 1, "longer than"),
    ],
)
def test_what_cannot_be_read_is_a_finding_and_the_rest_loads(text: str, column: int, reason: str) -> None:
    result = read(f"{GOOD}\n{text}\n{GOOD}")
    assert len(result.rules) == 2
    (finding,) = result.findings
    assert (finding.line, finding.column, finding.severity) == (2, column, "error")
    assert reason in finding.reason
    assert finding.fix


def test_latin_1_is_read_and_warned_of() -> None:
    result = read(b'# ok\nalert tcp any any -> any any (msg:"caf\xe9"; sid:1;)')
    assert result.rules[0][9][0][1] == '"café"'
    assert [(f.severity, f.line, f.column) for f in result.findings] == [("warning", 2, 39)]


@given(st.text())
def test_any_text_after_the_header(text: str) -> None:
    result = read(f"alert tcp any any -> any any ({text})")
    assert result.rules or result.findings or "\n" in text
    for finding in result.findings:
        assert finding.line >= 1
        assert finding.column >= 1


@given(
    st.lists(st.sampled_from(['"', ";", "\\", "(", ")", ":", "a", "!", " ", "\n", "[", "$", "#", "alert "]))
)
def test_any_order_of_signs(parts: list[str]) -> None:
    read("alert tcp any any -> any any (" + "".join(parts) + ")\n" + GOOD)
    read("".join(parts))


@given(st.binary())
def test_any_bytes(data: bytes) -> None:
    read(data)


@pytest.mark.parametrize(
    "piece", ['a:"', "a:\\;", 'a:"x;', "\\", ";", '"', "[", "! ", "a:!", "$A ", "\\\n", "(", 'a:"\\']
)
@pytest.mark.parametrize("start", ["alert tcp any any -> any any (", "alert tcp "])
def test_cost_is_linear(piece: str, start: str) -> None:
    text = start + piece * (65_000 // len(piece)) + " (x;)"
    before = time.process_time()
    for _ in range(3):
        read(text)
    assert time.process_time() - before < 1.5


def test_a_whole_published_collection_is_quick() -> None:
    folder = os.environ.get("CORPORA_DIR")
    path = Path(folder or "/") / "rules" / "etopen-composite.rules"
    if not path.is_file():
        pytest.skip("CORPORA_DIR does not name a folder with rules/etopen-composite.rules")
    config = load()
    before = time.process_time()
    rules = list(read_files([path], config, RuleReport(), set()))
    assert time.process_time() - before < 1.5
    assert len(rules) == 38_005
