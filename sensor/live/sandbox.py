"""What a sensor may still do once its interfaces are open, from the configuration: Suricata's
`security.landlock`, and seccomp.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from sensor.cli.language import say
from sensor.config import Config
from sensor.errors import UserError
from sensor.live import landlock, seccomp

_SYSTEM = ("/usr", "/lib", "/lib64", "/etc", "/proc", "/sys", "/dev", "/run/systemd/resolve")
"""What the interpreter, libraries, name resolution and the checks read."""
_DEVICES = ("/dev/null", "/dev/full", "/dev/tty")


def confine(
    config: Config, *, read: Iterable[Path], write: Iterable[Path], warn: Callable[[str], None]
) -> list[str]:
    """Give up what is not needed any more; the names of what is in force. read and write: what this run
    reaches beside the system's own. Call it before there are threads. UserError: required, and cannot be.
    """
    in_force = []
    steps: tuple[tuple[str, str, Callable[[], None]], ...] = (
        ("landlock", "security.landlock.enabled", lambda: _landlock(config, read, write)),
        ("seccomp", "haidang.seccomp.enabled", seccomp.restrict),
    )
    for name, key, restrict in steps:
        wanted = config.text(key, "auto")
        if wanted == "no":
            continue
        try:
            restrict()
        except UserError as error:
            if wanted == "yes":
                raise UserError(error.what, where=key, fix="write auto, to go on without") from None
            without = say("goes on without", "chạy tiếp mà không có")
            warn(f"{key}: {error}: {without} {name}")
        else:
            in_force.append(name)
    return in_force


def _landlock(config: Config, read: Iterable[Path], write: Iterable[Path]) -> None:
    def named(kind: str) -> list[Path]:
        given = config.get(f"security.landlock.directories.{kind}")
        return [Path(str(path)) for path in given] if isinstance(given, list) else []

    package = Path(__file__).resolve().parents[2]
    reading = [
        *map(Path, _SYSTEM),
        *(Path(place) for place in {sys.prefix, sys.base_prefix, sys.exec_prefix, *sys.path} if place),
        package / "sensor",
        package / "rules",
    ]
    # A service that was started in / does not mean all that is below it.
    below = [path for path in write if path.resolve() != Path("/")]
    landlock.restrict([*reading, *read, *named("read")], [*map(Path, _DEVICES), *below, *named("write")])


def rule_places(patterns: Iterable[str]) -> list[Path]:
    """The folders that these files come from, also those that are not there yet. Of a link, what it leads to
    and what lies beside it: an update of the rules sets it to another folder there.
    """
    places = []
    for pattern in patterns:
        path = Path(pattern).absolute()
        while any(sign in path.name for sign in "*?["):
            path = path.parent
        place = path if path.is_dir() else path.parent
        links = [one for one in (path, *path.parents) if one.is_symlink()]
        places += [place, *(link.parent for link in links), *(link.resolve() for link in links)]
    return list(dict.fromkeys(places))
