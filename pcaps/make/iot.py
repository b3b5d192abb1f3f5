"""The internet of things: MQTT sessions, ordinary and greedy."""

from .wire import OUTSIDE, SERVER, Tape, Tcp


def packet(kind: int, body: bytes) -> bytes:
    """An MQTT control packet shorter than 128 bytes."""
    return bytes((kind, len(body))) + body


def text(value: str) -> bytes:
    return len(value).to_bytes(2, "big") + value.encode()


def session(topic: str) -> Tape:
    """A client logs in, subscribes to one topic and leaves (MQTT 3.1.1)."""
    tape = Tape()
    talk = Tcp(tape, OUTSIDE, SERVER, (41883, 1883)).open()
    talk.say(
        packet(0x10, text("MQTT") + b"\x04\xc2\0\x3c" + text("meter-7") + text("meter") + text("example"))
    )
    talk.hear(packet(0x20, b"\0\0"))
    talk.say(packet(0x82, b"\0\x01" + text(topic) + b"\0"))
    talk.hear(packet(0x90, b"\0\x01\0"))
    talk.say(packet(0xE0, b""))
    talk.close()
    return tape


CAPTURES = {
    "mqtt-everything.pcap": (
        "an MQTT client that subscribes to every topic of a broker",
        lambda: session("#"),
    ),
    "mqtt-meter.pcap": ("an MQTT client that subscribes to one topic", lambda: session("meters/7/state")),
}
