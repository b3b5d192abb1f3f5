"""The relay's process: opening, filtering and sealing cost as much as ingest does, and must not slow it down.

    python -m collectors.relay.daemon CENTRE_DIRECTORY

It ends when its standard input ends: the pipe its parent holds. What it knows is on the disk, so it may be
killed at any moment.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from collectors.home import Home
from collectors.opening import opener_of
from collectors.registry import Registry
from collectors.relay.uplink import Uplink, relay_directory
from sensor import __version__
from sensor.errors import EXIT_OK, UserError

log = logging.getLogger("haidang.relay")

_LOCK_SECONDS = 15.0  # one whose parent was killed a moment ago may still be ending
_LOOK_SECONDS = 0.1


def serve(home: Home) -> None:
    """Relay until standard input ends. UserError when it cannot."""
    settings, _ = home.load()
    with _alone(relay_directory(home)), contextlib.closing(Registry(home.registry_file)) as registry:
        opener, keyring = opener_of(home)
        uplink = Uplink(
            home, settings, registry, opener, software=f"haidang {__version__}", refresh=keyring.refresh
        )
        uplink.start()
        try:
            while os.read(sys.stdin.fileno(), 4096):
                pass
        finally:
            uplink.stop()


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Two relays over one outbox would give the same numbers twice."""
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + _LOCK_SECONDS
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise UserError("another relay of this centre is running", where=directory) from None
            time.sleep(_LOOK_SECONDS)
        yield
    finally:
        os.close(descriptor)


def main() -> int:
    """The exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to hear
    try:
        serve(Home(Path(sys.argv[1])))
    except UserError as error:
        log.error("%s", error)
        return error.exit_code
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
