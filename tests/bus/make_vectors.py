"""Makes vectors.json: keys and one sealed batch of every suite. Run it only when a suite is added: what is
in the file must open for ever, and stays as it is.

    PYTHONPATH=. python tests/bus/make_vectors.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from sensor.bus.keys import CentreKeys, SensorKeys
from sensor.bus.seal import NO_PREVIOUS, SUITES, Header, Sealer

VECTORS = Path(__file__).with_name("vectors.json")


def main() -> None:
    vectors = json.loads(VECTORS.read_text())
    made = {vector["suite"] for vector in vectors}
    vectors += [vector(suite) for suite in sorted(SUITES) if suite not in made]
    VECTORS.write_text(json.dumps(vectors, indent=1) + "\n")


def vector(suite: int) -> dict[str, Any]:
    """One batch; suite 2 has a second recipient, whose keys are not needed."""
    sensor, centre = SensorKeys.generate(), CentreKeys.generate()
    centres = [CentreKeys.generate().public(), centre.public()] if suite == 2 else [centre.public()]
    sealer = Sealer(sensor, *centres)
    ndjson = b'{"timestamp":"2026-01-02T03:04:05.000006+0700","event_type":"alert"}\n{"event_type":"flow"}\n'
    header = Header("tap1", 2**62 + 1, 0, 9, 2, 1_767_297_845_000_006, 0, NO_PREVIOUS, sealer.signer)
    sealed = sealer.seal(header, ndjson)
    return {
        "suite": suite,
        "sensor": msgspec.to_builtins(sensor),
        "centre": msgspec.to_builtins(centre),
        "signer": sealer.signer.hex(),
        "recipient": centre.public().recipient.hex(),
        "fingerprints": [sensor.public().fingerprint, centre.public().fingerprint],
        "ndjson": ndjson.decode(),
        "digest": sealed.digest.hex(),
        "record": sealed.record.hex(),
    }


if __name__ == "__main__":
    main()
