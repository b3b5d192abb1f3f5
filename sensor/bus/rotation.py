"""`haidang bus rotate`: a sensor brings new keys to its centre (docs/spec/bus.md, "Rotation").

The old keys sign the new ones and the new ones themselves, in both schemes, so that neither a thief of the
connection's key nor a quantum computer can put others in their place.
"""

from __future__ import annotations

from pathlib import Path

import zmq

from sensor.bus import messages
from sensor.bus.durable import sync_directory
from sensor.bus.enrol import ANSWER_SECONDS, KEYS_FILE, Enrolment, load_alternates, load_enrolment
from sensor.bus.keys import SensorKeys, SensorPublic, load_keys, save_keys
from sensor.bus.link import connect
from sensor.bus.proofs import sign, statement
from sensor.errors import UserError

NEXT_KEYS_FILE = "keys.next.json"
"""New keys that the centre may not have confirmed yet. A rotation that was killed goes on with them."""


def request(sensor: str, old: SensorKeys, new: SensorKeys) -> messages.Rotate:
    """The message that brings new keys."""
    said = statement(sensor, old.public(), new.public())
    return messages.Rotate(sensor, new.public(), sign(old, said), sign(new, said))


def rotate(directory: Path) -> tuple[SensorPublic, SensorPublic]:
    """Make new keys for this sensor, have its centre and the alternates register them, use them from now on;
    (old, new).

    UserError when one of them does not answer or refuses; then the old keys stay in use. May be repeated
    after a crash at any point: the old keys are honoured until the new ones were used.
    """
    old, enrolment = load_enrolment(directory)
    next_file = directory / NEXT_KEYS_FILE
    if next_file.exists():
        new = load_keys(next_file, SensorKeys)
    else:
        new = SensorKeys.generate()
        save_keys(next_file, new)
    if new.curve_public != old.curve_public:
        for collector in (enrolment, *load_alternates(directory)):
            _ask(collector, old, request(collector.sensor, old, new))
    next_file.rename(directory / KEYS_FILE)
    sync_directory(directory)
    return old.public(), new.public()


def _ask(enrolment: Enrolment, keys: SensorKeys, message: messages.Rotate) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = None
    try:
        socket = connect(context, enrolment.address, keys, enrolment.centre.curve)
        socket.setsockopt(zmq.SNDTIMEO, int(ANSWER_SECONDS * 1000))
        socket.setsockopt(zmq.RCVTIMEO, int(ANSWER_SECONDS * 1000))
        socket.send(messages.encode(message))
        answer = messages.decode(socket.recv())
    except zmq.ZMQError as error:
        raise UserError(
            f"no answer from {enrolment.address} in {ANSWER_SECONDS:.0f} s; the old keys stay in use",
            fix="is the centre running and this sensor still enrolled? Then try again",
        ) from error
    except messages.MessageError as error:
        raise UserError(
            f"{enrolment.address} answered with something else: {error}", fix="compare versions"
        ) from error
    finally:
        if socket is not None:
            socket.close()
        context.term()
    if not isinstance(answer, messages.Rotated) or answer.reason:
        reason = answer.reason if isinstance(answer, messages.Rotated) else "it does not know rotation"
        raise UserError(
            f"the centre at {enrolment.address} refused: {reason}; the old keys stay in use",
            fix="tell its operator",
        )
