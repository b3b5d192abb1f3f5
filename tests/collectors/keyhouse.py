"""A listening centre that follows its key files, for the tests of this folder."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

from collectors.enrolment import Enroller
from collectors.home import Home, Settings
from collectors.ingest import Receiver
from collectors.journal import Journal
from collectors.keyring import KeyDesk, Keyring, read_keys
from collectors.listen import Listener
from collectors.registry import Registry
from collectors.relay.origins import Origins
from collectors.serving import Serving, follow_keys
from collectors.transport import read_transports
from sensor.bus.enrol import Token, enrol
from sensor.bus.keys import CentreKeys, save_keys
from sensor.bus.seal import Opener

LISTEN = "tcp://127.0.0.1:0"


class House:
    """A listening centre with key files, and an enrolled sensor's directory."""

    def __init__(self, directory: Path) -> None:
        self.keys_file = directory / "keys.json"
        save_keys(self.keys_file, CentreKeys.generate())
        self.keyring = Keyring(self.keys_file)
        self.registry = Registry(directory / "registry.sqlite")
        self.journal = Journal(directory / "journal.sqlite")
        self.enroller = Enroller(self.registry, self.keyring.present)
        self.origins = Origins(directory / "registry.sqlite")
        keydesk = KeyDesk(self.registry, self.keyring)
        self.receiver = Receiver(
            self.registry, self.journal, Opener(self.keyring), self.enroller, self.origins, keydesk
        )
        keys = read_keys(self.keys_file)[0]
        self.listener = Listener(LISTEN, keys, self.registry, self.receiver)
        home = Home(directory)
        home.run_directory.mkdir()
        serving = Serving(home, Settings(listen=LISTEN), self.listener, keydesk, "")
        serving.follow(read_transports(self.keys_file, LISTEN))
        self.stop = threading.Event()
        self.thread = threading.Thread(
            target=self.listener.run,
            args=(self.stop,),
            kwargs={"each": partial(follow_keys, self.keyring, self.enroller, serving)},
        )
        self.thread.start()
        self.sensor = directory / "sensor"
        token = Token.issue(self.listener.bound, self.keyring.present, 600)
        self.registry.add_token(token, "")
        enrol(self.sensor, token, "tap1")

    def close(self) -> None:
        self.stop.set()
        self.thread.join(10)
        self.listener.close()
        self.origins.close()
        self.registry.close()
        self.journal.close()
