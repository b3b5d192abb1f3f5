"""The same conversation under every framing, in fragments, and with checksums left to the network card."""

from collections.abc import Callable

from scapy.layers.inet import UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, fragment6
from scapy.packet import Packet, Raw

from .dns import RESOLVER, lookup, query, record
from .stream import ATTACK, LEAK
from .wire import (
    CLIENT,
    CLIENT6,
    OUTSIDE,
    SERVER6,
    Link,
    Tape,
    Tcp,
    cooked,
    cooked2,
    ethernet,
    loopback,
    noise,
    qinq,
    raw_ip,
    vlan,
)

LISTED = "beacon.c2-lab.test"


def over(link: Link) -> Callable[[], Tape]:
    """A path traversal over IPv4 and a lookup of a listed name, framed by `link`."""

    def build() -> Tape:
        tape = Tape(link)
        talk = Tcp(tape, OUTSIDE).open()
        talk.say(ATTACK)
        talk.hear(LEAK)
        talk.close()
        lookup(tape, LISTED, "A", record(LISTED, "A", "198.51.100.66"))
        return tape

    return build


def ipv6() -> Tape:
    tape = Tape()
    talk = Tcp(tape, "2001:db8:99::23", SERVER6).open()
    talk.say(ATTACK)
    talk.hear(LEAK)
    talk.close()
    return tape


def mixed() -> Tape:
    """One connection whose packets come from four interfaces with different link types."""
    tape = Tape()
    talk = Tcp(tape, OUTSIDE).open()
    tape.link = cooked
    talk.say(ATTACK)
    tape.link = raw_ip
    talk.hear(LEAK)
    tape.link = cooked2
    talk.close()
    return tape


def offloaded() -> Tape:
    """Our server's TCP checksums are unfinished, as a tap on the server itself sees them."""
    tape = Tape()
    talk = Tcp(tape, OUTSIDE).open()
    talk.say(ATTACK)
    talk.put(False, "PA", LEAK, chksum=0x1C0D)
    talk.put(True, "A")
    talk.put(False, "FA", chksum=0x1C0E)
    talk.put(True, "FA")
    talk.put(False, "A", chksum=0x1C0F)
    return tape


def corrupted() -> Tape:
    """The attack's segment has a wrong checksum, so the server drops it; a harmless one takes its place."""
    tape = Tape()
    talk = Tcp(tape, OUTSIDE).open()
    tape.put(talk.segment(True, "PA", ATTACK, chksum=0xBAD0))
    talk.put(True, "PA", ATTACK.replace(b"../../../../etc/passwd", b"brochure-2026-01-a.pdf"))
    talk.put(False, "A")
    talk.hear(LEAK.replace(b"root:x:0:0:root:/root:/bin/sh", b"a brochure, thirty bytes long"))
    talk.close()
    return tape


def pieces4(packet: Packet) -> list[Packet]:
    pieces: list[Packet] = fragment(packet, fragsize=16)  # type: ignore[no-untyped-call]  # scapy has no types
    return pieces


def fragments4() -> Tape:
    """A lookup in IPv4 fragments, the last one first, and one whose last fragment never comes."""
    tape = Tape()
    message = bytes(query(LISTED))
    for whole in (True, False):
        packet = tape.ip(CLIENT, RESOLVER) / UDP(sport=50001 + whole, dport=53) / Raw(message)
        pieces = pieces4(packet)
        for piece in reversed(pieces) if whole else pieces[:-1]:
            tape.put(piece)
    return tape


def fragments4_overlap() -> Tape:
    """The middle fragment comes twice with different bytes."""
    tape = Tape()
    pieces = pieces4(tape.ip(CLIENT, RESOLVER) / UDP(sport=50003, dport=53) / Raw(bytes(query(LISTED))))
    decoy = pieces[1].copy()
    decoy.payload = Raw(b"\x00" * len(pieces[1].payload))
    for piece in (pieces[0], pieces[1], decoy, *pieces[2:]):
        tape.put(piece)
    return tape


def fragments6() -> Tape:
    tape = Tape()
    packet = IPv6(src=CLIENT6, dst="2001:db8:20::53") / IPv6ExtHdrFragment(id=0x20260115)
    packet /= UDP(sport=50004, dport=53) / Raw(bytes(query(LISTED)) + noise("padding", 1300))
    pieces: list[Packet] = fragment6(packet, 1280)  # type: ignore[no-untyped-call]  # scapy has no types
    for piece in reversed(pieces):
        tape.put(piece)
    return tape


CAPTURES: dict[str, tuple[str, Callable[[], Tape]]] = {
    "link-ethernet.pcap": ("a path traversal and a listed name over Ethernet", over(ethernet)),
    "link-vlan.pcap": ("the same with an 802.1Q tag", over(vlan(207))),
    "link-qinq.pcap": ("the same with two tags (802.1ad)", over(qinq(30, 207))),
    "link-cooked.pcap": ("the same as Linux cooked v1", over(cooked)),
    "link-cooked2.pcap": ("the same as Linux cooked v2", over(cooked2)),
    "link-raw.pcap": ("the same as raw IP", over(raw_ip)),
    "link-null.pcap": ("the same over BSD loopback", over(loopback)),
    "link-ipv6.pcap": ("a path traversal over IPv6", ipv6),
    "link-mixed.pcapng": ("one connection over four link types, timestamps in nanoseconds", mixed),
    "checksum-offload.pcap": ("one side's TCP checksums unfinished, as with offload", offloaded),
    "checksum-corrupt.pcap": ("an attack with a wrong checksum that the server never accepts", corrupted),
    "fragments-ipv4.pcap": ("a lookup in fragments, last first, and one never completed", fragments4),
    "fragments-ipv4-overlap.pcap": ("a fragment comes twice with different bytes", fragments4_overlap),
    "fragments-ipv6.pcap": ("a large lookup in two IPv6 fragments, last first", fragments6),
}
