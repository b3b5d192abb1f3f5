"""Makes vectors.json: keys and one sealed batch of every suite. Run it only when a suite is added: what is
in the file must open for ever.

    PYTHONPATH=. python tests/bus/make_vectors.py
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from sensor.bus.keys import CentreKeys, SensorKeys
from sensor.bus.seal import NO_PREVIOUS, SUITE_1, Header, Sealer

VECTORS = Path(__file__).with_name("vectors.json")


def main() -> None:
    sensor, centre = SensorKeys.generate(), CentreKeys.generate()
    sealer = Sealer(sensor, centre.public())
    ndjson = b'{"timestamp":"2026-01-02T03:04:05.000006+0700","event_type":"alert"}\n{"event_type":"flow"}\n'
    header = Header("tap1", 2**62 + 1, 0, 9, 2, 1_767_297_845_000_006, 0, NO_PREVIOUS, sealer.signer)
    sealed = sealer.seal(header, ndjson)
    vector = {
        "suite": SUITE_1,
        "sensor": msgspec.to_builtins(sensor),
        "centre": msgspec.to_builtins(centre),
        "signer": sealer.signer.hex(),
        "recipient": centre.public().recipient.hex(),
        "fingerprints": [sensor.public().fingerprint, centre.public().fingerprint],
        "ndjson": ndjson.decode(),
        "digest": sealed.digest.hex(),
        "record": sealed.record.hex(),
    }
    VECTORS.write_text(json.dumps([vector], indent=1) + "\n")


if __name__ == "__main__":
    main()
