"""Headers out of the ordinary, scans and floods: what rules see without looking into payloads."""

from collections.abc import Callable

from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import ICMP, TCP, UDP, IPOption_LSRR, IPOption_RR, IPOption_SSRR
from scapy.layers.inet6 import (
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    PadN,
    RouterAlert,
)
from scapy.packet import Raw

from .wire import CLIENT6, OUTSIDE, SERVER, SERVER6, Tape, Tcp

PORTS = (
    21,
    22,
    23,
    25,
    53,
    80,
    110,
    111,
    135,
    139,
    143,
    443,
    445,
    993,
    995,
    1433,
    1521,
    3306,
    3389,
    5432,
    5900,
)


def syn_scan() -> Tape:
    """Half-open probes of 42 ports with the fixed window many scanners use; two ports answer."""
    tape = Tape()
    for number, port in enumerate((*PORTS, *range(8080, 8101))):
        talk = Tcp(tape, OUTSIDE, ports=(61000, port), client_seq=0x31337000)
        talk.put(True, "S", window=1024, options=[("MSS", 1460)])
        if port in (22, 80):
            talk.put(False, "SA")
            talk.put(True, "R")
        elif number % 7 == 0:
            talk.put(False, "RA")
    return tape


def odd_flags() -> Tape:
    """Probes with the flag combinations of Xmas, null, FIN and SYN+FIN scans."""
    tape = Tape()
    for flags in ("FPU", "", "F", "SF"):
        for port in (22, 80, 443):
            Tcp(tape, OUTSIDE, ports=(61001, port)).put(True, flags, ack=0)
    return tape


def few_connections() -> Tape:
    """A client that opens ordinary connections to five ports."""
    tape = Tape()
    for number, port in enumerate((80, 443, 8080, 25, 22)):
        Tcp(tape, OUTSIDE, ports=(45000 + number, port)).open().close()
        tape.wait(1)
    return tape


def ping_sweep() -> Tape:
    tape = Tape()
    for host in range(1, 31):
        tape.icmp(OUTSIDE, f"10.20.0.{host}", ICMP(type=8, id=77, seq=host))
    return tape


def syn_flood() -> Tape:
    """SYNs from 160 addresses to one port within a second, no handshake completed."""
    tape = Tape()
    for number in range(160):
        Tcp(tape, f"203.0.113.{number + 1}", ports=(20000 + number, 80), client_seq=number * 7919).put(
            True, "S"
        )
    return tape


def udp_flood() -> Tape:
    tape = Tape()
    for number in range(60):
        tape.udp(OUTSIDE, SERVER, (4444, 9000 + number), b"F" * 100)
    return tape


def source_routed() -> Tape:
    tape = Tape()
    for option in (IPOption_LSRR(routers=["192.0.2.1"]), IPOption_SSRR(routers=["192.0.2.1"])):
        packet = tape.ip(OUTSIDE, SERVER, options=[option]) / TCP(sport=40010, dport=80, flags="S", seq=1)
        tape.put(packet)
    return tape


def record_route() -> Tape:
    """IP options that route nothing: record route, as ping -R sends it."""
    tape = Tape()
    option = IPOption_RR(length=11, pointer=4, routers=["0.0.0.0", "0.0.0.0"])  # noqa: S104 empty slots
    tape.put(tape.ip(OUTSIDE, SERVER, options=[option]) / ICMP(type=8, id=3, seq=1) / Raw(b"abcdefgh"))
    return tape


def routing_header() -> Tape:
    """IPv6 routing header of type 0, which must no longer be sent (RFC 5095)."""
    tape = Tape()
    route = IPv6ExtHdrRouting(type=0, segleft=2, addresses=["2001:db8:1::1", "2001:db8:1::2"])
    tape.put(tape.ip("2001:db8:99::23", SERVER6) / route / UDP(sport=50005, dport=9) / Raw(b"x"))
    tape.put(tape.ip(CLIENT6, SERVER6) / UDP(sport=50006, dport=9) / Raw(b"x"))
    return tape


def extension_headers() -> Tape:
    """A lookup behind hop-by-hop options, destination options and an atomic fragment (RFC 8200, RFC 6946)."""
    tape = Tape()
    lookup = UDP(sport=50010, dport=53) / DNS(id=10, rd=1, qd=DNSQR(qname="beacon.c2-lab.test"))
    chain = IPv6ExtHdrHopByHop(options=[RouterAlert()]) / IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 4)])
    tape.put(tape.ip(CLIENT6, "2001:db8:20::53") / chain / IPv6ExtHdrFragment(id=11) / lookup)
    return tape


def odd_ip() -> Tape:
    """A source equal to its destination, the reserved flag and protocol, small TTLs, a marked TOS."""
    tape = Tape()
    tape.put(tape.ip(SERVER, SERVER) / TCP(sport=139, dport=139, flags="S", seq=1))
    tape.put(tape.ip(OUTSIDE, SERVER, flags="evil") / UDP(sport=50007, dport=9) / Raw(b"x"))
    tape.put(tape.ip(OUTSIDE, SERVER, proto=255) / Raw(b"\0" * 20))
    for hop in range(1, 5):
        tape.udp(OUTSIDE, SERVER, (50008, 33433 + hop), b"@ABC", ttl=hop)
    tape.udp(OUTSIDE, SERVER, (50009, 9), b"covert", tos=0x4C, id=31337)
    return tape


def window_and_sequence() -> Tape:
    """A SYN with sequence number, acknowledgement and window fixed by a probing tool, and an ordinary one."""
    tape = Tape()
    probe = Tcp(tape, OUTSIDE, ports=(61002, 8443), client_seq=0x0BADCAFE)
    tape.put(probe.segment(True, "S", window=55555, ack=0x0BADCAFE))
    Tcp(tape, OUTSIDE, ports=(61003, 8443), client_seq=0x0BADCAFF).put(True, "S", window=5555)
    return tape


CAPTURES: dict[str, tuple[str, Callable[[], Tape]]] = {
    "scan-syn.pcap": ("a half-open scan of 42 ports, two of them open", syn_scan),
    "scan-odd-flags.pcap": ("Xmas, null, FIN and SYN+FIN probes", odd_flags),
    "scan-ping-sweep.pcap": ("echo requests to thirty addresses", ping_sweep),
    "scan-probe-numbers.pcap": (
        "a SYN with a tool's fixed sequence, acknowledgement and window",
        window_and_sequence,
    ),
    "connections-few.pcap": ("ordinary connections to five ports", few_connections),
    "flood-syn.pcap": ("SYNs from 160 addresses to one port", syn_flood),
    "flood-udp.pcap": ("sixty datagrams to sixty ports", udp_flood),
    "ip-source-route.pcap": ("loose and strict source routing options", source_routed),
    "ip-record-route.pcap": ("the record route option", record_route),
    "ip-oddities.pcap": ("land, reserved flag, reserved protocol, small TTL, marked TOS and id", odd_ip),
    "ipv6-extension-headers.pcap": ("a lookup behind three extension headers", extension_headers),
    "ipv6-routing-header.pcap": ("a routing header of type 0", routing_header),
}
