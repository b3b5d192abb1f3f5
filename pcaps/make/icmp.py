"""ICMP and ICMPv6: pings, errors, redirects, neighbour discovery, and a shell in echo messages."""

from collections.abc import Callable

from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import (
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptPrefixInfo,
)
from scapy.packet import Raw

from .wire import CLIENT, CLIENT6, OUTSIDE, SERVER6, Tape, mac, noise

ROUTER, ROGUE6 = "10.20.0.1", "fe80::bad"
ALPHABET = b"abcdefghijklmnopqrstuvwabcdefghi"


def echo(tape: Tape, number: int, data: bytes, identifier: int = 0x0200, reply: bytes | None = None) -> None:
    tape.icmp(CLIENT, OUTSIDE, ICMP(type=8, id=identifier, seq=number), data)
    tape.icmp(OUTSIDE, CLIENT, ICMP(type=0, id=identifier, seq=number), data if reply is None else reply)


def ping() -> Tape:
    tape = Tape()
    for number in range(1, 5):
        echo(tape, number, ALPHABET)
        tape.wait(1)
    return tape


def tunnel() -> Tape:
    """Each echo carries up to 1 kB out and an answer of another length back."""
    tape = Tape()
    for number in range(1, 7):
        echo(tape, number, noise(f"out {number}", 1000), 0x5454, noise(f"in {number}", 200 + 40 * number))
    echo(tape, 7, b"$ cat /etc/passwd\n", 0x5454, b"root:x:0:0:root:/root:/bin/sh\n")
    return tape


def unreachable() -> Tape:
    tape = Tape()
    for port in (33434, 33435, 33436):
        lost = IP(src=CLIENT, dst=OUTSIDE, id=7) / UDP(sport=50000, dport=port) / Raw(b"probe")
        tape.put(lost)
        tape.icmp(OUTSIDE, CLIENT, ICMP(type=3, code=3), lost)
    blocked = IP(src=CLIENT, dst=OUTSIDE, id=8) / UDP(sport=50001, dport=69) / Raw(b"probe")
    tape.icmp(ROUTER, CLIENT, ICMP(type=3, code=13), blocked)
    return tape


def redirect() -> Tape:
    tape = Tape()
    about = IP(src=CLIENT, dst=OUTSIDE, id=9) / UDP(sport=50000, dport=443) / Raw(b"x")
    tape.icmp("10.20.0.66", CLIENT, ICMP(type=5, code=1, gw="10.20.0.66"), about)
    return tape


def oddities() -> Tape:
    """Timestamp and address mask requests, and echoes with the fixed id and sequence of a flood tool."""
    tape = Tape()
    tape.icmp(OUTSIDE, CLIENT, ICMP(type=13, id=1, seq=1, ts_ori=1, ts_rx=0, ts_tx=0))
    tape.icmp(OUTSIDE, CLIENT, ICMP(type=17, id=1, seq=1))
    for _ in range(3):
        tape.icmp(OUTSIDE, CLIENT, ICMP(type=8, id=0x29A, seq=0x1234))
    return tape


def neighbours() -> Tape:
    """ICMPv6 neighbour discovery and a ping."""
    tape = Tape()
    solicit = ICMPv6ND_NS(tgt=SERVER6) / ICMPv6NDOptDstLLAddr(type=1, lladdr=mac(CLIENT6))
    tape.put(tape.ip(CLIENT6, SERVER6, hlim=255) / solicit)
    advert = ICMPv6ND_NA(tgt=SERVER6, R=0, S=1) / ICMPv6NDOptDstLLAddr(lladdr=mac(SERVER6))
    tape.put(tape.ip(SERVER6, CLIENT6, hlim=255) / advert)
    for number in (1, 2):
        tape.put(tape.ip(CLIENT6, SERVER6) / ICMPv6EchoRequest(id=6, seq=number, data=ALPHABET))
        tape.put(tape.ip(SERVER6, CLIENT6) / ICMPv6EchoReply(id=6, seq=number, data=ALPHABET))
    return tape


def rogue_router() -> Tape:
    tape = Tape()
    prefix = ICMPv6NDOptPrefixInfo(prefix="2001:db8:bad::", prefixlen=64)
    tape.put(tape.ip(ROGUE6, "ff02::1", hlim=255) / ICMPv6ND_RA(routerlifetime=9000, prf=1) / prefix)
    return tape


CAPTURES: dict[str, tuple[str, Callable[[], Tape]]] = {
    "icmp-ping.pcap": ("four echo requests and replies", ping),
    "icmp-tunnel.pcap": ("data and a shell session in echo messages", tunnel),
    "icmp-unreachable.pcap": (
        "port unreachable three times, and one administratively prohibited",
        unreachable,
    ),
    "icmp-redirect.pcap": ("a redirect to a host that is no router", redirect),
    "icmp-oddities.pcap": ("timestamp and mask requests, echoes with a fixed id and sequence", oddities),
    "icmpv6-neighbours.pcap": ("neighbour discovery and two pings", neighbours),
    "icmpv6-rogue-router.pcap": ("a router advertisement that takes over the default route", rogue_router),
}
