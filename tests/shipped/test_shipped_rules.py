"""Every shipped rule fires where rules/tests.toml says and nowhere else, and keeps the house style."""

import re
import tomllib
from collections import Counter

import pytest
from shipped import CAPTURES, ROOT, RULES, Alerts, find, newer_than, replay_all

TESTS = {int(sid): case for sid, case in tomllib.loads((ROOT / "rules/tests.toml").read_text()).items()}
LINES = [
    (path.stem, line)
    for path in RULES
    for line in path.read_text().splitlines()
    if line and not line.startswith("#")
]
SID = re.compile(r"\bsid:(\d+);")


def _sid(line: str) -> int:
    found = SID.search(line)
    assert found, line
    return int(found[1])


@pytest.fixture(scope="session", params=["haidang", "suricata"])
def engine(request: pytest.FixtureRequest) -> list[str]:
    """Our engine is asked, and Suricata too where it is installed: it judges the rules themselves."""
    command = find(request.param)
    if command is None:
        pytest.skip(f"{request.param} is not installed")
    return command


@pytest.fixture(scope="session")
def alerts(engine: list[str], tmp_path_factory: pytest.TempPathFactory) -> Alerts:
    return replay_all(engine, tmp_path_factory.mktemp("shipped"))


@pytest.fixture(scope="session")
def left_out(engine: list[str]) -> set[int]:
    return newer_than(engine)


@pytest.mark.parametrize("sid", TESTS)
def test_fires(sid: int, alerts: Alerts, left_out: set[int]) -> None:
    if sid in left_out:
        pytest.skip("needs version 8 of the rule language")
    expected = {name: count for name, count in TESTS[sid]["fires"].items() if name in alerts}
    assert expected
    assert {name: alerts[name][sid] for name in expected} == expected


@pytest.mark.parametrize("sid", TESTS)
def test_near_miss_stays_silent(sid: int, alerts: Alerts) -> None:
    assert [name for name in TESTS[sid]["silent"] if alerts[name][sid]] == []


@pytest.mark.parametrize("name", CAPTURES)
def test_nothing_else_fires(name: str, alerts: Alerts, left_out: set[int]) -> None:
    if name not in alerts:
        pytest.skip("a capture Suricata 7 cannot read")
    listed = {sid: case["fires"][name] for sid, case in TESTS.items() if name in case["fires"]}
    assert dict(alerts[name]) == {sid: count for sid, count in listed.items() if sid not in left_out}


def test_every_rule_has_both_tests() -> None:
    # A rule that only sets a bit is tested through the rule that asks for it.
    assert sorted(TESTS) == sorted(_sid(line) for _, line in LINES if "flowbits:noalert;" not in line)
    assert [sid for sid, case in TESTS.items() if not case["fires"] or not case["silent"]] == []
    named = {name for case in TESTS.values() for name in (*case["fires"], *case["silent"])}
    assert named <= set(CAPTURES)


def test_sids_are_unique_and_ours() -> None:
    sids = Counter(_sid(line) for _, line in LINES)
    assert [sid for sid, count in sids.items() if count > 1 or not 9_000_001 <= sid <= 9_099_999] == []


@pytest.mark.parametrize(("category", "line"), LINES, ids=[str(_sid(line)) for _, line in LINES])
def test_style(category: str, line: str) -> None:
    classes = re.findall(
        r"^config classification: ([a-z0-9-]+),", (ROOT / "rules/classification.config").read_text(), re.M
    )
    kinds = re.findall(r"^config reference: (\w+)", (ROOT / "rules/reference.config").read_text(), re.M)
    assert f'msg:"HD {category.upper()} ' in line
    assert re.search(r"classtype:([a-z0-9-]+);", line)[1] in classes  # type: ignore[index]
    assert set(re.findall(r"reference:(\w+),", line)) <= set(kinds)
    assert re.search(
        r"metadata:attack_target \w+, confidence (High|Medium|Low), created_at \d{4}_\d\d_\d\d;\)$", line
    )
