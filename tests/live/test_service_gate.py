"""A sensor is in service only while its checks hold, and says why when it is not."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from test_keeper import Capture

from sensor.doctor.check import OK, Result
from sensor.doctor.examine import Answer
from sensor.errors import UserError
from sensor.live import keeper as keeping
from sensor.live.fitness import NAMES, SERVICE_CHECKS, Books, Examination, Facts, Losses, Rules, Traffic
from sensor.live.gate import Gate
from sensor.live.keeper import Keeper
from sensor.live.status import read_status, status_lines, write_status


class Machine:
    """What is wrong, by check."""

    def __init__(self) -> None:
        self.ill: dict[str, str] = {}

    def answers(self) -> list[Answer]:
        checks = (Books(), Losses())
        return [
            Answer(
                check,
                Result(self.ill[check.name], {"what": "5 are nowhere"}) if check.name in self.ill else OK,
            )
            for check in checks
        ]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setenv("HAIDANG_LANG", "en")
    monkeypatch.setattr(keeping, "read_counts", lambda name: None)
    return Machine()


def gate(
    machine: Machine, folder: Path, told: list[str], *accepted: str, required: tuple[str, ...] = ()
) -> Gate:
    return Gate(
        machine.answers,
        required=required,
        accepted=accepted,
        seconds=0,
        record=folder / "commissioning.jsonl",
        tell=told.append,
    )


def test_the_states_follow_the_checks(machine: Machine, tmp_path: Path) -> None:
    told: list[str] = []
    one = gate(machine, tmp_path, told)
    states = []
    for ill in ({"books": "fail"}, {}, {"losses": "warn"}, {"books": "fail"}, {"books": "fail"}, {}):
        machine.ill = ill
        one.look()
        states.append(one.state)
    assert states == ["commissioning", "in service", "in service", "degraded", "degraded", "in service"]
    assert [line for line in told if line.startswith("service")] == [
        "service: commissioning", "service: in service", "service: degraded", "service: in service",
    ]  # fmt: skip
    assert told[1].startswith("fails: books: 5 are nowhere: report it with")
    written = [json.loads(line) for line in (tmp_path / "commissioning.jsonl").read_text().splitlines()]
    assert [entry["state"] for entry in written] == ["commissioning", "in service", "degraded", "in service"]


def test_a_warning_counts_only_where_it_is_required(machine: Machine, tmp_path: Path) -> None:
    machine.ill = {"losses": "warn"}
    one = gate(machine, tmp_path, [], required=("losses",))
    one.look()
    assert (one.state, one.counters()["haidang.service.failing"]) == ("commissioning", 1)


def test_what_is_accepted_is_written_down_and_shown(machine: Machine, tmp_path: Path) -> None:
    machine.ill = {"books": "fail"}
    told: list[str] = []
    one = gate(machine, tmp_path, told, "books")
    assert one.look()
    assert not one.look()
    assert one.state == "in service"
    assert any(line.startswith("fails, accepted: books") for line in told)
    (entry,) = (json.loads(line) for line in (tmp_path / "commissioning.jsonl").read_text().splitlines())
    assert [row["check"] for row in entry["accepted"]] == ["books"]
    assert one.counters()["haidang.service.accepted"] == 1
    assert one.summary() == "in service (accepted as failing: books)"
    books = Keeper(Capture(), ["eth1"], seconds=0.0, warn=told.append)  # type: ignore[arg-type]
    books.look()
    write_status(tmp_path, books, is_running=True, gate=one)
    assert any("fails, accepted: books" in line for line in status_lines(read_status(tmp_path)))


def test_a_check_that_is_none_is_refused(machine: Machine, tmp_path: Path) -> None:
    for accepted, required in ((("weather",), ()), ((), ("weather",))):
        with pytest.raises(UserError, match="`weather` is no check"):
            gate(machine, tmp_path, [], *accepted, required=required)


def test_a_disk_that_takes_no_record_is_told(machine: Machine, tmp_path: Path) -> None:
    told: list[str] = []
    gate(machine, tmp_path / "nowhere", told).look()
    assert any("is not written down" in line for line in told)


def facts(silence: float = 300) -> tuple[Facts, Capture]:
    capture = Capture()
    books = Keeper(capture, ["eth1", "eth9"], seconds=0.0, warn=lambda _: None)  # type: ignore[arg-type]
    return Facts(["eth1", "eth9"], books, lambda: 0, silence), capture


def test_an_interface_without_packets_fails(machine: Machine) -> None:
    known, capture = facts(silence=0.05)
    result = Traffic().look(known)
    assert (result.verdict, result.numbers["never"], result.numbers["quiet"]) == ("fail", "eth9", "-")
    time.sleep(0.1)
    assert Traffic().look(known).numbers["quiet"] == "eth1 (0 s)"
    capture.live.drops += 5  # of so many more packets
    assert Traffic().look(known).numbers["quiet"] == "-"
    for text in Traffic.evidence + Traffic.remedy:
        assert text.format(**result.numbers)
    assert Rules().look(known).verdict == "fail"


def test_every_check_of_a_running_sensor_answers(machine: Machine, tmp_path: Path) -> None:
    known, _ = facts()
    answers = Examination(known, tmp_path, tmp_path).answers()
    assert {answer.check.name for answer in answers} == set(NAMES)
    for check in SERVICE_CHECKS:
        assert check.doc[0] != check.doc[1] and "`" in check.remedy[0] and "`" in check.remedy[1]
