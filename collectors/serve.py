"""`haidang centre serve`: the topology of a centre. Ingest in the main thread, the filler beside it, the
store daemon and the relay as children.

It wires the parts and ends them in order; each part's work is in its own module.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import logging
import resource
import shutil
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, start_http_server

from collectors.child import Child
from collectors.enrolment import Enroller
from collectors.handover import Handover
from collectors.heartbeats import ALARMS_FILE, Watch
from collectors.home import Home
from collectors.ingest import Receiver
from collectors.journal import Journal
from collectors.keyring import KeyDesk, Keyring
from collectors.listen import Listener
from collectors.metrics import CentreCollector
from collectors.outlets.places import Places
from collectors.outlets.runner import Runner
from collectors.outlets.settings import Outlet
from collectors.quality.examine import Examiner
from collectors.registry import Registry
from collectors.relay.origins import Origins
from collectors.relay.process import OwnSigner, start_relay
from collectors.serving import Serving, follow_keys
from collectors.store.client import connect, embedded_address, server_address
from collectors.store.fill import Filler
from collectors.store.retain import Retainer
from collectors.transport import read_transports
from sensor.bus.seal import Opener
from sensor.errors import UserError

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

log = logging.getLogger("haidang.centre")

_LOCK_SECONDS = 5.0  # a centre that was killed a moment ago may still be dying
_CHILD_SECONDS = 20.0
_OPEN_FILES = 65_536


def serve(home: Home) -> None:
    """Run the centre until SIGTERM or SIGINT. UserError when it cannot start."""
    settings, keys = home.load()
    address = server_address(settings.store_url) if settings.store_url else None
    for module in ("clickhouse_connect", *(() if address else ("chdb",))):
        if importlib.util.find_spec(module) is None:  # better now and in one line than in every part's log
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    allow_connections()
    with home.hold(seconds=_LOCK_SECONDS), contextlib.ExitStack() as cleanup:
        home.bound_file.unlink(missing_ok=True)
        registry = Registry(home.registry_file)
        cleanup.callback(registry.close)
        journal = Journal(home.journal_file)
        cleanup.callback(journal.close)
        keyring = Keyring(home.keys_file)
        opener = Opener(keyring)
        origins = Origins(home.registry_file, OwnSigner(home).read)
        cleanup.callback(origins.close)
        enroller = Enroller(registry, keyring.present)
        handover = Handover()
        keydesk = KeyDesk(registry, keyring)
        receiver = Receiver(registry, journal, opener, enroller, origins, keydesk, handover)
        transports = read_transports(home.keys_file, settings.listen, settings.address)
        listener = Listener(
            transports[0].listen,
            keys,
            registry,
            receiver,
            connections_per_key=settings.connections_per_key,
        )
        cleanup.callback(listener.close)
        filler = Filler(
            journal,
            opener,
            settings.store_database,
            address=address,
            endpoint=home.store_endpoint,
            keep_bytes=settings.journal_bytes,
            outlet_bytes=settings.outlet_bytes,
            handover=handover,
            cluster=settings.cluster(),
        )
        if address is None:
            daemon = store_daemon(home.store_directory, home.store_endpoint, settings.store_port)
            daemon.start()
            cleanup.callback(daemon.stop)
        relay = home if start_relay(home, settings, cleanup) else None
        metrics = start_metrics(settings.metrics, CentreCollector(listener, receiver, journal, filler, relay))
        watch = Watch(journal, home.directory / ALARMS_FILE)
        watch.start()
        _end_with(cleanup, watch)

        def store() -> Client:
            return connect(address or embedded_address(home.store_endpoint))

        examiner = Examiner(journal, registry, settings.store_database, store, cluster=settings.cluster())
        retainer = Retainer(
            store, settings.store_database, settings.retention(), settings.store_bytes, settings.cluster()
        )
        filler.start()
        examiner.start()
        retainer.start()
        _end_with(cleanup, retainer)
        cleanup.callback(start_outlets(settings.outlets, journal, opener, home.directory))
        _end_with(cleanup, examiner)
        _end_with(cleanup, filler)
        cleanup.callback(home.bound_file.unlink, missing_ok=True)
        served = Serving(home, settings, listener, keydesk, metrics)
        served.follow(transports)
        log.info("listening on %s, metrics on %s", listener.bound, metrics or "(none)")
        listener.run(stop, each=functools.partial(follow_keys, keyring, enroller, served))
        log.info("ending: what is journaled and not in the store is filled in at the next start")


def _end_with(cleanup: contextlib.ExitStack, part: Filler | Examiner | Retainer | Watch) -> None:
    """Have a thread asked to end, and waited for, when the centre ends."""
    cleanup.callback(part.join, _CHILD_SECONDS)
    cleanup.callback(part.stop)


def allow_connections() -> None:
    """Raise this process's soft limit of open files to the hard one, as far as is of use: every connection
    takes one, and the usual soft limit of 1,024 would let a thousand idle ones shut the sensors out.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def start_outlets(
    outlets: Sequence[Outlet], journal: Journal, opener: Opener, directory: Path
) -> Callable[[], None]:
    """Start a thread for each; what ends them. A new outlet begins at the journal's end or its beginning."""
    begins = {outlet.name: 0 if outlet.begin == "oldest" else journal.last_id() for outlet in outlets}
    for name in Places(journal).settle(begins):
        log.info("outlet %s is not in the settings any more and forgotten", name)
    runners = [Runner(outlet, journal, opener, directory) for outlet in outlets]
    for runner in runners:
        runner.start()

    def end() -> None:
        for runner in runners:
            runner.stop()
        for runner in runners:
            runner.join(_CHILD_SECONDS)

    return end


def store_daemon(directory: Path, endpoint: Path, port: int) -> Child:
    """What keeps the store daemon running, once started."""
    module = "collectors.store.daemon"
    return Child(
        "store daemon", module, directory, endpoint, port, end_seconds=_CHILD_SECONDS, announced=endpoint
    )


def start_metrics(address: str, collector: CentreCollector) -> str:
    """Serve metrics at host:port; the address they are at, or '' when that is empty or taken (which is only
    logged).
    """
    if not address:
        return ""
    host, _, port = address.rpartition(":")
    registry = CollectorRegistry()
    registry.register(collector)
    try:
        server, _ = start_http_server(int(port), addr=host, registry=registry)
    except (OSError, ValueError) as error:
        log.warning("no metrics: %s: %s", address, error)
        return ""
    return f"{host}:{server.server_port}"


def rebuild(home: Home) -> int:
    """Empty the embedded store, so that the next start fills it from the journal; the batches that will come.

    UserError when the centre is running, when the store is a server, or when the journal no longer holds
    everything.
    """
    settings, _ = home.load()
    if settings.store_url:
        raise UserError(
            "the store is a ClickHouse server",
            where=home.settings_file,
            fix="drop its database there, then try again",
        )
    with home.hold(seconds=0), contextlib.closing(Journal(home.journal_file)) as journal:
        if not journal.is_whole():
            raise UserError(
                "the journal no longer holds the oldest batches, which the store does",
                where=home.journal_file,
                fix="back the store directory up and remove it by hand if you accept that",
            )
        journal.refill()
        shutil.rmtree(home.store_directory, ignore_errors=True)
        return journal.backlog()[0]
