"""A batch that one relay reduced and another took on, kept for ever (reduced.json): it means what it did.

    PYTHONPATH=. python tests/bus/test_reduced_vectors.py

made the file; it is not made again.
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from sensor.bus.keys import CentreKeys, SensorKeys
from sensor.bus.seal import Opener, ReducedHeader, Reduction, Sealer, Step, read_envelope

VECTORS = Path(__file__).with_name("reduced.json")
ONE = Reduction(bytes(range(32)), 3, b"province")
TWO = Reduction(bytes(range(32)), 3, b"region!!", (Step(b"s" * 8, 2, b"province"),))


def test_they_open_and_say_what_was_left_out() -> None:
    for vector, expected in zip(json.loads(VECTORS.read_text()), (ONE, TWO), strict=True):
        centre = msgspec.convert(vector["centre"], CentreKeys)
        relay = msgspec.convert(vector["relay"], SensorKeys).public()
        envelope = read_envelope(bytes.fromhex(vector["record"]))
        opener = Opener({centre.public().recipient: centre.opening_key()})
        opened = opener.open(envelope, {relay.signer: relay.verifiers()})
        assert opened.reduction == expected and opened.digest == expected.original
        assert opened.ndjson.decode() == vector["ndjson"] and opened.header.sensor == "tap1"


def main() -> None:
    made = []
    for reduction in (ONE, TWO):
        relay, centre = SensorKeys.generate(), CentreKeys.generate()
        sealer = Sealer(relay, centre.public())
        header = ReducedHeader("tap1", 2**62 + 1, 0, 9, 1, 1_767_297_845_000_006, 0, bytes(32), sealer.signer)
        ndjson = b'{"timestamp":"2026-01-02T03:04:05.000006+0700","event_type":"alert"}\n'
        sealed = sealer.seal(msgspec.structs.replace(header, reduction=reduction), ndjson)
        made.append(
            {
                "relay": msgspec.to_builtins(relay),
                "centre": msgspec.to_builtins(centre),
                "ndjson": ndjson.decode(),
                "record": sealed.record.hex(),
            }
        )
    VECTORS.write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
