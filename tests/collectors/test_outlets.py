"""A dead outlet loses nothing: real receivers that are killed, refuse, lie and come back."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import socket
import sqlite3
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from desk import Desk, Tap, wait_until
from receivers import Hook, Receiver, certificate

from collectors.entries import NewRecord
from collectors.home import Home, Settings
from collectors.journal import Journal
from collectors.outlets import runner, webhook
from collectors.outlets.carriers import Message, NotTaken, open_carrier
from collectors.outlets.item import Item
from collectors.outlets.places import Places
from collectors.outlets.runner import Runner
from collectors.outlets.settings import Outlet, check
from sensor.bus.messages import Batch, encode
from sensor.errors import UserError


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "CONFIRM_SECONDS", 0.2)
    monkeypatch.setattr(runner, "_FIRST_WAIT_SECONDS", 0.05)
    monkeypatch.setattr(runner, "_LONGEST_WAIT_SECONDS", 0.2)
    monkeypatch.setattr(runner, "_IDLE_SECONDS", 0.02)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("certificates")
    authority = certificate(directory, "ca")
    for name in ("siem", "centre"):
        certificate(directory, name, authority)
    certificate(directory, "stranger")
    return directory


@pytest.fixture
def receivers() -> Iterator[list[Receiver]]:
    made: list[Receiver] = []
    yield made
    for receiver in made:
        receiver.kill()


def alert(number: int) -> bytes:
    return json.dumps(
        {
            "event_type": "alert",
            "timestamp": "2026-01-15T08:00:00.000000+0000",
            "alert": {"signature_id": number, "signature": "x" * (number % 200), "severity": 1 + number % 3},
        }
    ).encode()


def fill(desk: Desk, tap: Tap, batches: int, each: int = 20, lane: int = 0) -> list[str]:
    """Batches of alerts into the journal; the ids of their events."""
    start = tap.hello()[lane]
    for seq in range(start, start + batches):
        lines = [alert(seq * each + row) for row in range(each)]
        tap.say(encode(Batch(tap.session, lane, seq)), tap.seal(lane, seq, *lines))
        desk.commit()
    return [
        f"tap1/{tap.epoch:016x}/{lane}/{seq}/{row}"
        for seq in range(start, start + batches)
        for row in range(each)
    ]


def begin(desk: Desk, outlet: Outlet, home: Path) -> Runner:
    Places(desk.journal).settle({outlet.name: 0})
    made = Runner(outlet, desk.journal, desk.opener, home)
    made.start()
    return made


def end(made: Runner) -> None:
    made.stop()
    made.join(20)
    assert not made.is_alive()


@pytest.fixture
def tap(desk: Desk) -> Tap:
    desk.enrol()
    return Tap(desk)


@pytest.mark.parametrize("scheme", ["tls", "tcp"])
def test_a_receiver_that_is_killed_again_and_again_misses_nothing(
    desk: Desk, tap: Tap, certificates: Path, tmp_path: Path, receivers: list[Receiver], scheme: str
) -> None:
    files = (certificates / "siem.pem", certificates / "siem.key") if scheme == "tls" else ()
    receiver = Receiver(tmp_path, *files)
    receivers.append(receiver)
    outlet = Outlet(name="soc", to=f"{scheme}://127.0.0.1:{receiver.port}", format="cef", ca="ca.pem")
    worker = begin(desk, outlet, certificates)
    chance = random.Random(5)
    sent: list[str] = []
    for _ in range(4):
        receiver.start()
        for _ in range(chance.randrange(2, 6)):
            sent += fill(desk, tap, 4)
            time.sleep(chance.random() * 0.1)
        receiver.kill()
        sent += fill(desk, tap, 2)
    wait_until(lambda: Places(desk.journal).of("soc").since > 0, 10)
    receiver.start()
    wait_until(lambda: Places(desk.journal).of("soc").upto == desk.journal.last_id(), 30)
    end(worker)
    received = receiver.ids()
    assert set(received) == set(sent), f"{len(set(sent) - set(received))} are missing"
    place = Places(desk.journal).of("soc")
    assert (place.sent, place.lost, place.since, place.error) == (len(sent), 0, 0, "")


def test_what_was_confirmed_is_not_sent_again_after_a_restart_of_ours(
    desk: Desk, tap: Tap, certificates: Path, tmp_path: Path, receivers: list[Receiver]
) -> None:
    receiver = Receiver(
        tmp_path, certificates / "siem.pem", certificates / "siem.key", certificates / "ca.pem"
    )
    receivers.append(receiver)
    receiver.start()
    outlet = Outlet(
        name="soc",
        to=f"tls://127.0.0.1:{receiver.port}",
        ca="ca.pem",
        certificate="centre.pem",
        key="centre.key",
        server_name="siem",
    )
    sent = fill(desk, tap, 3)
    end_after(desk, begin(desk, outlet, certificates))
    sent += fill(desk, tap, 3)
    end_after(desk, begin(desk, outlet, certificates))
    assert receiver.ids() == Counter(sent), "each once"


def end_after(desk: Desk, worker: Runner) -> None:
    wait_until(lambda: Places(desk.journal).of("soc").upto == desk.journal.last_id(), 20)
    end(worker)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ca": "stranger.pem"}, "CERTIFICATE_VERIFY_FAILED"),
        ({"ca": "ca.pem", "server_name": "other"}, "Hostname mismatch"),
        ({"ca": "nothing.pem"}, "nothing.pem"),
    ],
)
def test_a_receiver_that_is_not_the_one_gets_nothing(
    desk: Desk,
    tap: Tap,
    certificates: Path,
    tmp_path: Path,
    receivers: list[Receiver],
    change: Any,
    said: str,
) -> None:
    receiver = Receiver(tmp_path, certificates / "siem.pem", certificates / "siem.key")
    receivers.append(receiver)
    receiver.start()
    fill(desk, tap, 1)
    outlet = Outlet(name="soc", to=f"tls://127.0.0.1:{receiver.port}", **change)
    worker = begin(desk, outlet, certificates)
    wait_until(lambda: said in Places(desk.journal).of("soc").error, 10)
    end(worker)
    assert receiver.ids() == Counter() and Places(desk.journal).of("soc").upto == 0


def test_a_receiver_that_ends_without_a_word_has_not_confirmed(certificates: Path) -> None:
    """It reads everything and is gone: by RFC 5425 it owed a close_notify."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "siem.pem", certificates / "siem.key")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def closing() -> None:
            link, _ = listener.accept()
            secured = context.wrap_socket(link, server_side=True)
            while secured.recv(4096):
                pass
            secured.close()  # without unwrap: no close_notify

        for lenient in (False, True):
            worker = threading.Thread(target=closing)
            worker.start()
            to = f"tls://127.0.0.1:{listener.getsockname()[1]}"
            outlet = Outlet(name="soc", to=to, ca="ca.pem", lenient_close=lenient)
            carrier = open_carrier(outlet, certificates)
            carrier.send([Message(item(1), "x")])
            if lenient:
                carrier.confirm()
            else:
                with pytest.raises(NotTaken, match="lenient-close"):
                    carrier.confirm()
            worker.join(10)


def item(number: int) -> Item:
    return Item(f"tap1/{number}", "tap1", 10**15, alert(number).decode(), json.loads(alert(number)))


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.close()


def test_a_webhook_that_refuses_gets_everything_in_the_end(
    desk: Desk, tap: Tap, hook: Hook, tmp_path: Path
) -> None:
    hook.answers = [503, 500, 302, 429, 400]
    (tmp_path / "secret").write_text("s3cret\n")
    outlet = Outlet(name="hook", to=hook.url, format="ecs", secret_file="secret")
    sent = fill(desk, tap, 5)
    worker = begin(desk, outlet, tmp_path)
    wait_until(lambda: Places(desk.journal).of("hook").upto == desk.journal.last_id(), 20)
    end(worker)
    assert hook.ids() == sent and Places(desk.journal).of("hook").sent == len(sent)
    for body, headers in zip(hook.bodies, hook.headers, strict=True):
        mac = hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
        assert headers["X-Haidang-Signature"] == f"sha256={mac}"
        assert headers["Content-Type"] == "application/x-ndjson"
        assert headers["Idempotency-Key"].startswith("tap1/")


def test_a_body_keeps_its_bounds() -> None:
    many = [Message(item(n), "x") for n in range(1201)]
    assert [len(part) for part in webhook.parts(many)] == [500, 500, 201]
    large = [Message(item(n), "x" * 400_000) for n in range(5)] + [Message(item(9), "y" * 2_000_000)]
    assert [len(part) for part in webhook.parts(large)] == [2, 2, 1, 1]
    assert list(webhook.parts([])) == []


def test_only_what_is_asked_for_is_sent(desk: Desk, tap: Tap, hook: Hook, tmp_path: Path) -> None:
    start = tap.hello()[3]
    lines = [b'{"event_type":"dns","n":1}', b'{"event_type":"flow","n":2}', b"{broken"]
    tap.say(encode(Batch(tap.session, 3, start)), tap.seal(3, start, *lines))
    fill(desk, tap, 1, each=3)
    some = Outlet(name="hook", to=hook.url, format="ecs", types=("alert", "dns"), max_severity=2)
    worker = begin(desk, some, tmp_path)
    wait_until(lambda: Places(desk.journal).of("hook").upto == desk.journal.last_id(), 20)
    end(worker)
    told = [json.loads(line) for body in hook.bodies for line in body.splitlines()]
    assert [(event["event"]["dataset"], event["event"].get("severity")) for event in told] == [
        ("haidang.dns", None), ("haidang.alert", 1), ("haidang.alert", 2),
    ]  # fmt: skip


def test_an_outlet_that_begins_with_the_oldest_steps_over_what_is_gone(
    desk: Desk, tap: Tap, hook: Hook, tmp_path: Path
) -> None:
    fill(desk, tap, 3)
    with sqlite3.connect(desk.journal.path) as database:
        database.execute("UPDATE record SET id = id + 5000000")
        database.execute("UPDATE sqlite_sequence SET seq = 5000003")
    database.close()
    desk.journal.set_filled(5000001)
    assert desk.journal.prune(1) == 1
    sent = fill(desk, tap, 2)
    worker = begin(desk, Outlet(name="hook", to=hook.url, format="ecs"), tmp_path)
    wait_until(lambda: Places(desk.journal).of("hook").upto == desk.journal.last_id(), 20)
    end(worker)
    assert len(hook.ids()) == 80 and hook.ids()[40:] == sent


def test_a_damaged_record_is_stepped_over_and_said(
    desk: Desk, tap: Tap, hook: Hook, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sent = fill(desk, tap, 3)
    with sqlite3.connect(desk.journal.path) as database:
        database.execute("UPDATE record SET sealed = zeroblob(100) WHERE id = 2")
    database.close()
    worker = begin(desk, Outlet(name="hook", to=hook.url, format="ecs"), tmp_path)
    wait_until(lambda: Places(desk.journal).of("hook").upto == 3, 20)
    end(worker)
    assert hook.ids() == sent[:20] + sent[40:] and "the journal is damaged" in caplog.text


def test_the_journal_keeps_what_an_outlet_has_not_had_and_counts_what_it_misses(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    Places(journal).settle({"dead": 0, "fast": 0})
    journal.commit([NewRecord("tap1", 1, 0, n, 10, bytes(32), bytes(100)) for n in range(10)])
    journal.set_filled(10)
    Places(journal).advance("fast", 10, 100)
    Places(journal).advance("dead", 2, 20)
    assert journal.prune(300, 2000) == 2, "what both had"
    assert journal.prune(300, 2000) == 0
    assert journal.prune(300, 700) == 5
    assert {place.name: (place.upto, place.lost) for place in Places(journal).all()} == {
        "dead": (7, 50), "fast": (10, 0),
    }  # fmt: skip
    assert Places(journal).settle({"fast": 0, "new": 10}) == ["dead"]
    assert {place.name: place.upto for place in Places(journal).all()} == {"fast": 10, "new": 10}
    journal.close()


GOOD = {"name": "soc", "to": "tls://siem.example:6514"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"to": "siem.example:6514"}, "no address"),
        ({"to": "ftp://siem.example"}, "no address"),
        ({"to": "tls://siem.example"}, "names no port"),
        ({"to": "tls://siem.example:99999"}, "no usable port"),
        ({"to": "kafka://broker:9092"}, "no kafka"),
        ({"format": "cef", "types": ["flow"]}, "alerts only"),
        ({"format": "ocsf", "types": []}, "alerts only"),
        ({"format": "leef"}, "Invalid enum"),
        ({"facility": "local9"}, "no syslog facility"),
        ({"certificate": "a.pem"}, "go together"),
        ({"to": "http://a/", "token-file": "t"}, "readable"),
        ({"name": "A b"}, "regex"),
        ({"colour": "red"}, "unknown field"),
        ({"max-severity": 0}, ">= 1"),
    ],
)
def test_what_cannot_be_an_outlet_is_said_before_the_centre_starts(
    given: dict[str, Any], said: str, tmp_path: Path
) -> None:
    import yaml

    home = Home(tmp_path / "centre")
    home.create(Settings())
    home.settings_file.write_text(yaml.safe_dump({"outlets": [{**GOOD, **given}]}))
    with pytest.raises(UserError, match=said):
        home.load()
    home.settings_file.write_text(yaml.safe_dump({"outlets": [GOOD]}))
    assert home.load()[0].outlets == (Outlet(**GOOD),)


def test_two_outlets_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="two of this name"):
        check((Outlet(**GOOD), Outlet(**GOOD)), tmp_path)


def test_kafka_takes_events_of_a_broker(tmp_path: Path) -> None:
    """librdkafka's own mock brokers: the real client, its protocol and its sockets."""
    confluent = pytest.importorskip("confluent_kafka", reason="the extra `kafka` is not installed")
    from collectors.outlets import kafka

    cluster = confluent.Producer({"bootstrap.servers": "unused", "test.mock.num.brokers": 3})
    brokers = next(iter(cluster.list_topics(timeout=10).brokers.values()))
    outlet = Outlet(name="bus", to=f"kafka://{brokers.host}:{brokers.port}/alerts")
    carrier = kafka.open_connection(outlet, tmp_path)
    carrier.send([Message(item(number), f"body {number}") for number in range(300)])
    carrier.confirm()
    consumer = confluent.Consumer(
        {
            "bootstrap.servers": f"{brokers.host}:{brokers.port}",
            "group.id": "t",
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe(["alerts"])
    taken = []
    deadline = time.monotonic() + 30
    while len(taken) < 300 and time.monotonic() < deadline:
        message = consumer.poll(1.0)
        if message is not None and message.error() is None:
            taken.append((message.key(), message.value()))
    consumer.close()
    carrier.close()
    assert taken == [(b"tap1", f"body {number}".encode()) for number in range(300)]
