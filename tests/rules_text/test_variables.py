"""Variables in headers."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.config import load
from sensor.rules.variables import VariableError, Variables

GROUPS = {
    "A": "10.0.0.0/8",
    "LIST": "[1.1.1.1, 2.2.2.2]",
    "BARE": "1.1.1.1,2.2.2.2",
    "NOT": "!$LIST",
    "DEEP": "[$A,!$NOT]",
    "SELF": "$OTHER",
    "OTHER": "[$SELF]",
}


@pytest.mark.parametrize(
    ("expression", "expanded"),
    [
        ("any", "any"),
        ("$A", "10.0.0.0/8"),
        ("!$A", "!10.0.0.0/8"),
        ("$LIST", "[1.1.1.1,2.2.2.2]"),
        ("!$LIST", "![1.1.1.1,2.2.2.2]"),
        ("!$BARE", "![1.1.1.1,2.2.2.2]"),
        ("!$NOT", "[1.1.1.1,2.2.2.2]"),
        ("[$A, !$LIST]", "[10.0.0.0/8,![1.1.1.1,2.2.2.2]]"),
        ("$DEEP", "[10.0.0.0/8,[1.1.1.1,2.2.2.2]]"),
    ],
)
def test_expansion(expression: str, expanded: str) -> None:
    assert Variables(GROUPS, {}).address(expression) == expanded


@pytest.mark.parametrize(
    ("expression", "word"), [("$NOPE", "$NOPE"), ("$SELF", "$SELF"), ("$", "without a name")]
)
def test_refusals_name_the_variable(expression: str, word: str) -> None:
    with pytest.raises(VariableError) as caught:
        Variables(GROUPS, {}).address(expression)
    assert word in caught.value.reason


def test_ports_and_addresses_are_apart() -> None:
    with pytest.raises(VariableError):
        Variables({"A": "1.1.1.1"}, {}).port("$A")


def test_the_defaults_all_expand() -> None:
    config = load()
    for group, expand in (("address", config.variables.address), ("port", config.variables.port)):
        for name in config.get(f"vars.{group}-groups"):  # type: ignore[union-attr]
            assert "$" not in expand(f"${name}")


def test_doubling_ends_at_the_cap() -> None:
    groups = {"V0": "1.1.1.1"} | {f"V{i}": f"[$V{i - 1},$V{i - 1}]" for i in range(1, 60)}
    before = time.monotonic()
    with pytest.raises(VariableError, match="expands to more than"):
        Variables(groups, {}).address("$V59")
    assert time.monotonic() - before < 2


@given(st.dictionaries(st.sampled_from("ABC"), st.text("AB$C![],1 ")), st.text("AB$C![],1 "))
def test_any_groups_end(groups: dict[str, str], expression: str) -> None:
    try:
        assert "$" not in Variables(groups, {}).address(expression)
    except VariableError as error:
        assert error.fix
