"""Runs the checks, and puts what they find in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sensor.doctor.check import VERDICTS, CaptureCheck, Check, Result
from sensor.doctor.conversations import Conversation, Conversations
from sensor.doctor.frame import dissect
from sensor.doctor.registry import CAPTURE_CHECKS
from sensor.pcap.files import CaptureFile

_TELL_EVERY = 1000  # packets between two moves of the progress bar


@dataclass
class Answer:
    """follows: the finding that explains this one."""

    check: Check
    result: Result
    follows: str = ""

    @property
    def is_finding(self) -> bool:
        return self.result.verdict in ("warn", "fail")


def examine_capture(
    path: str, tell: Callable[[int], None] = lambda _: None
) -> tuple[list[Answer], list[str]]:
    """The answers in order, and what was wrong with the file. tell: bytes read so far.

    UserError: no capture.
    """
    checks = [kind() for kind in CAPTURE_CHECKS]
    conversations = Conversations()
    with CaptureFile(path) as capture:
        for packet in capture:
            frame = dissect(packet)
            for check in checks:
                check.frame(frame)
            if frame.protocol == 6 and frame.l4_ok and not frame.fragment:
                closed = conversations.add(frame)
                if closed is not None:
                    _close(checks, closed)
            if packet.number % _TELL_EVERY == 0:
                tell(packet.offset)
        for conversation in conversations.rest():
            _close(checks, conversation)
        return in_order([Answer(check, check.result()) for check in checks]), capture.problems


def _close(checks: Iterable[CaptureCheck], conversation: Conversation) -> None:
    for check in checks:
        check.closed(conversation)


def in_order(answers: Sequence[Answer]) -> list[Answer]:
    """Causes first, worst first among them, then what follows from them, then the rest."""
    found = {answer.check.name: answer for answer in answers if answer.is_finding}
    for answer in found.values():
        for name in answer.check.explains:
            if name in found and not found[name].follows:
                found[name].follows = answer.check.name
    return sorted(
        answers,
        key=lambda answer: (
            not answer.is_finding,
            bool(answer.follows),
            VERDICTS.index(answer.result.verdict),
        ),
    )
