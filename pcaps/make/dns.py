"""DNS over UDP and TCP: ordinary lookups, and the tunnels, generated names and transfers among them."""

from collections.abc import Callable
from typing import Any

from scapy.layers.dns import DNS, DNSQR, DNSRR, DNSRRMX, DNSRRSOA, dns_compress
from scapy.packet import Packet

from .wire import CLIENT, OUTSIDE, Tape, Tcp, noise

RESOLVER = "10.20.0.53"


def query(name: str, kind: str = "A", number: int = 0x1234, **header: Any) -> DNS:
    return DNS(id=number, rd=1, qd=DNSQR(qname=name, qtype=kind), **header)


def answer(name: str, kind: str, *records: Packet, number: int = 0x1234, rcode: int = 0) -> Packet:
    question = DNSQR(qname=name, qtype=kind)
    message = DNS(id=number, qr=1, rd=1, ra=1, rcode=rcode, qd=question, an=list(records) or None)
    packed: Packet = dns_compress(message)  # type: ignore[no-untyped-call]  # scapy has no types
    return packed  # owner names are now pointers to the question, as servers send them


def lookup(tape: Tape, name: str, kind: str, *records: Packet, rcode: int = 0, number: int = 0x1234) -> None:
    port = 50000 + number % 5000
    tape.udp(CLIENT, RESOLVER, (port, 53), query(name, kind, number))
    tape.udp(RESOLVER, CLIENT, (53, port), answer(name, kind, *records, rcode=rcode, number=number))


def record(name: str, kind: str, data: str | list[bytes], ttl: int = 300) -> DNSRR:
    return DNSRR(rrname=name, type=kind, ttl=ttl, rdata=data)


def udp() -> Tape:
    tape = Tape()
    lookup(tape, "www.example.com", "A", record("www.example.com", "A", "192.0.2.10"), number=1)
    lookup(tape, "www.example.com", "AAAA", record("www.example.com", "AAAA", "2001:db8::10"), number=2)
    mx = DNSRRMX(rrname="example.com", ttl=300, preference=10, exchange="mail.example.com")
    lookup(tape, "example.com", "MX", mx, number=3)
    lookup(tape, "example.com", "TXT", record("example.com", "TXT", [b"v=spf1 -all"]), number=4)
    alias = record("cdn.example.com", "CNAME", "edge.example.net")
    lookup(tape, "cdn.example.com", "A", alias, record("edge.example.net", "A", "192.0.2.20"), number=5)
    lookup(tape, "no-such-name.example.com", "A", rcode=3, number=6)
    return tape


def framed(message: Packet) -> bytes:
    """A DNS message with the two-byte length it carries over TCP (RFC 1035 section 4.2.2)."""
    data = bytes(message)
    return len(data).to_bytes(2, "big") + data


def tcp() -> Tape:
    tape = Tape()
    talk = Tcp(tape, CLIENT, RESOLVER, (40053, 53)).open()
    talk.say(framed(query("www.example.com")) + framed(query("example.com", "TXT", 0x1235)))
    talk.hear(framed(answer("www.example.com", "A", record("www.example.com", "A", "192.0.2.10"))))
    long_text = record("example.com", "TXT", [b"k=" + b"x" * 250] * 8)
    talk.hear(framed(answer("example.com", "TXT", long_text, number=0x1235)), size=700)
    talk.close()
    return tape


def transfer() -> Tape:
    tape = Tape()
    talk = Tcp(tape, OUTSIDE, RESOLVER, (40054, 53)).open()
    talk.say(framed(query("corp.example", "AXFR")))
    soa = DNSRRSOA(rrname="corp.example", mname="ns.corp.example", rname="admin.corp.example", serial=1)
    talk.hear(framed(answer("corp.example", "AXFR", soa, record("db.corp.example", "A", "10.20.0.9"), soa)))
    talk.close()
    return tape


def tunnel() -> Tape:
    """Data leaves as long hexadecimal labels, orders come back in long TXT answers."""
    tape = Tape()
    for number in range(1, 13):
        chunk = noise(f"tunnel {number}", 60).hex()
        name = f"{chunk[:60]}.{chunk[60:]}.t.tunnel.test"
        lookup(
            tape,
            name,
            "TXT",
            record(name, "TXT", [noise(f"order {number}", 120).hex().encode()]),
            number=number,
        )
        tape.wait(0.2)
    return tape


def generated_names() -> Tape:
    """A bot tries names from its generator until one answers."""
    tape = Tape()
    letters = "bcdfghjklmnpqrstvwxz"
    for number in range(1, 13):
        name = "".join(letters[byte % len(letters)] for byte in noise(f"dga {number}", 20)) + ".test"
        found = (record(name, "A", "198.51.100.77"),) if number == 12 else ()
        lookup(tape, name, "A", *found, rcode=0 if found else 3, number=number)
    return tape


def benign() -> Tape:
    """Long, odd or failing names of the kind that ordinary services make."""
    tape = Tape()
    names = (
        "static-assets-eu-central-1.cdn.example.com",
        "_ldap._tcp.dc._msdcs.corp.example",
        "tunnel-inspection-training.example.org",
        "4b825dc642cb6eb9a060e54bf8d69288fbee4904.blob.example.net",
    )
    for number, name in enumerate(names, 1):
        lookup(tape, name, "A", record(name, "A", "192.0.2.30"), number=number)
    for number in range(5, 9):
        lookup(tape, f"printer{number}.corp.example", "A", rcode=3, number=number)
    return tape


def listed_names() -> Tape:
    tape = Tape()
    for number, name in enumerate(("Beacon.C2-Lab.TEST", "pool.mining.test", "update.dyn-host.test"), 1):
        lookup(tape, name, "A", record(name, "A", "198.51.100.66", ttl=5), number=number)
    loop = record("rebind.example.org", "A", "127.0.0.1", ttl=1)
    lookup(tape, "rebind.example.org", "A", loop, number=4)
    return tape


def near_names() -> Tape:
    tape = Tape()
    for number, name in enumerate(
        ("c2-lab.test.example.org", "notc2-lab.test", "mining.test.example.com", "dyn-host.test.example"), 1
    ):
        lookup(tape, name, "A", record(name, "A", "192.0.2.31"), number=number)
    return tape


def answers() -> Tape:
    """ANY asked for from outside, a listed name that is gone, an alias that leads to a listed name."""
    tape = Tape()
    tape.udp(OUTSIDE, RESOLVER, (51003, 53), query("corp.example", "ALL", 10))
    lookup(tape, "gone.c2-lab.test", "A", rcode=3, number=11)
    alias = record("metrics.example.org", "CNAME", "edge.c2-lab.test")
    lookup(
        tape, "metrics.example.org", "A", alias, record("edge.c2-lab.test", "A", "198.51.100.66"), number=12
    )
    return tape


def oddities() -> Tape:
    tape = Tape()
    tape.udp(OUTSIDE, RESOLVER, (51000, 53), query("version.bind", "TXT", 7).copy())
    chaos = DNS(id=8, rd=1, qd=DNSQR(qname="version.bind", qtype="TXT", qclass="CH"))
    tape.udp(OUTSIDE, RESOLVER, (51001, 53), chaos)
    tape.udp(OUTSIDE, RESOLVER, (51002, 53), query("corp.example", "SOA", 9, opcode=5))
    return tape


CAPTURES: dict[str, tuple[str, Callable[[], Tape]]] = {
    "dns-udp.pcap": ("A, AAAA, MX, TXT, CNAME chain and NXDOMAIN over UDP", udp),
    "dns-tcp.pcap": ("two queries in one segment and a 2 kB TXT answer over several, over TCP", tcp),
    "dns-transfer.pcap": ("a zone transfer (AXFR) asked for from outside", transfer),
    "dns-tunnel.pcap": ("twelve TXT lookups that carry data in long hexadecimal labels", tunnel),
    "dns-generated-names.pcap": (
        "generated names: eleven NXDOMAIN, then an answer",
        generated_names,
    ),
    "dns-benign.pcap": ("long, hexadecimal-looking and failing names of ordinary services", benign),
    "dns-listed-names.pcap": (
        "listed names, mixed case, and a public name that answers 127.0.0.1",
        listed_names,
    ),
    "dns-near-names.pcap": ("names that only contain a blocked name", near_names),
    "dns-answers.pcap": ("ANY from outside, a listed name gone, an alias to a listed name", answers),
    "dns-oddities.pcap": ("version.bind in class CH, and a dynamic update", oddities),
}
