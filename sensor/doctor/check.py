"""What a check is, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from sensor.doctor.conversations import Conversation
    from sensor.doctor.frame import Frame
    from sensor.doctor.machine import Machine

VERDICTS = ("fail", "warn", "skipped", "ok")
Text = tuple[str, str]  # English, Vietnamese


@dataclass
class Result:
    """numbers fill the braces of the check's evidence. why: why a check was skipped."""

    verdict: str
    numbers: Mapping[str, object] = field(default_factory=dict)
    why: Text = ("", "")


OK = Result("ok")


def skipped(english: str, vietnamese: str) -> Result:
    """The answer of a check that could not look."""
    return Result("skipped", why=(english, vietnamese))


class Check:
    """name: as --list shows it. explains: checks whose finding follows from this one's."""

    name: ClassVar[str]
    doc: ClassVar[Text]
    evidence: ClassVar[Text]
    remedy: ClassVar[Text]
    explains: ClassVar[tuple[str, ...]] = ()


class CaptureCheck(Check):
    """Sees every frame, every conversation when it is over, and then answers. Memory is bounded."""

    def frame(self, frame: Frame) -> None:
        """One frame, in the order of the capture."""

    def closed(self, conversation: Conversation) -> None:
        """A conversation of which nothing more comes."""

    def result(self) -> Result:
        """After the last frame."""
        raise NotImplementedError


class LiveCheck(Check):
    """Looks at the machine, and mends what it safely can."""

    def look(self, machine: Machine) -> Result:
        """Reads only."""
        raise NotImplementedError

    def fix(self, machine: Machine) -> list[list[str]]:  # noqa: ARG002  # others look
        """The commands that mend it; empty when nobody but a person should."""
        return []
