"""What machines of one network say to all others: ARP and multicast DNS."""

from scapy.layers.dns import DNS
from scapy.layers.l2 import ARP, Ether

from .dns import query, record
from .wire import CLIENT, SERVER, Tape, mac

GROUP, PORT = "224.0.0.251", 5353
SERVICES = "_services._dns-sd._udp.local"


def arp() -> Tape:
    """Who has the server's address? The server has."""
    tape = Tape()
    question = ARP(op=1, hwsrc=mac(CLIENT), psrc=CLIENT, hwdst="00:00:00:00:00:00", pdst=SERVER)
    tape.put_frame(bytes(Ether(src=mac(CLIENT), dst="ff:ff:ff:ff:ff:ff") / question))
    reply = ARP(op=2, hwsrc=mac(SERVER), psrc=SERVER, hwdst=mac(CLIENT), pdst=CLIENT)
    tape.put_frame(bytes(Ether(src=mac(SERVER), dst=mac(CLIENT)) / reply))
    return tape


def mdns() -> Tape:
    """A question to all and the answer of a printer (RFC 6762)."""
    tape = Tape()
    question = query(SERVICES, "PTR", 0)
    question.rd = 0
    tape.udp(CLIENT, GROUP, (PORT, PORT), question, ttl=255)
    service = record(SERVICES, "PTR", "_ipp._tcp.local", ttl=4500)
    # An answer bears no question here (section 6).
    tape.udp(SERVER, GROUP, (PORT, PORT), DNS(id=0, qr=1, aa=1, qd=None, an=[service]), ttl=255)
    return tape


CAPTURES = {
    "arp-request.pcap": ("an ARP request and its reply", arp),
    "mdns-services.pcap": ("a multicast DNS question for services and its answer", mdns),
}
