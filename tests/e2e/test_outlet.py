"""A running centre hands alerts on, and says when it cannot."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path

import yaml
from house import House, wait_for, write_events


def test_alerts_leave_the_centre_and_a_dead_receiver_is_named(house: House, tmp_path: Path) -> None:
    received: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    def take() -> None:
        while True:
            try:
                link, _ = listener.accept()
            except OSError:
                return
            with link:
                while data := link.recv(65536):
                    received.append(data)

    worker = threading.Thread(target=take, daemon=True)
    worker.start()
    path = house.centre_directory / "centre.yaml"
    settings = yaml.safe_load(path.read_text())
    settings["outlets"] = [{"name": "soc", "to": f"tcp://127.0.0.1:{port}", "format": "cef"}]
    path.write_text(yaml.safe_dump(settings))
    outlets = ("centre", "outlets", "-d", house.centre_directory)
    assert "begins with the next start" in house.haidang(*outlets).stdout
    assert "has taken a test alert" in house.haidang(*outlets, "--test", "soc").stdout
    house.start_centre()
    house.wait_for_centre()
    house.enrol()
    (file,) = write_events(tmp_path, 200, files=1, seed=1)
    house.haidang("sensor", "run", "-d", house.sensor_directory, "--metrics", "", "--events", file)
    alerts = sum('"event_type":"alert"' in line for line in file.read_text().splitlines())

    def row() -> dict[str, object]:
        told = house.haidang(*outlets, "--format", "json", check=False).stdout
        return dict(json.loads(told))

    wait_for(lambda: row()["sent"] == alerts, 30, "the alerts to be taken")
    told = b"".join(received)
    assert told.count(b"CEF:0|") == alerts + 1 and b"HD TEST of an outlet" in told
    assert row()["state"] == "fine" and row()["missed"] == 0
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    worker.join(10)
    (more,) = write_events(tmp_path / "more", 50, files=1, seed=2)
    house.haidang("sensor", "run", "-d", house.sensor_directory, "--metrics", "", "--events", more)
    wait_for(lambda: "Connection refused" in str(row()["state"]), 30, "the failure to be told")
    assert house.haidang(*outlets, check=False).returncode == 1
    done = house.haidang(*outlets, "--test", "soc", check=False)
    assert done.returncode == 1 and "does not take events" in done.stderr
    assert house.haidang(*outlets, "--test", "nothing", check=False).returncode == 2
