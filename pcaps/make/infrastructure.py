"""What runs a network: Kerberos, LDAP, SNMP, IKE, DHCP; weak exchanges and ordinary twins beside them."""

from .wire import CLIENT, OUTSIDE, SERVER, Tape, Tcp, noise


def tlv(tag: int, *parts: bytes) -> bytes:
    """One element in the Distinguished Encoding Rules."""
    content = b"".join(parts)
    if len(content) < 128:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def number(value: int, tag: int = 2) -> bytes:
    return tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def principal(kind: int, *parts: str) -> bytes:
    names = tlv(0x30, *(tlv(0x1B, part.encode()) for part in parts))
    return tlv(0x30, tlv(0xA0, number(kind)), tlv(0xA1, names))


REALM = "LAN.TEST"
TIME = tlv(0x18, b"20260115080000Z")


def ticket_request(kind: int, client: str, service: tuple[str, ...]) -> bytes:
    """An AS-REQ (10) or TGS-REQ (12)."""
    body = tlv(
        0x30,
        tlv(0xA0, tlv(3, b"\0\x40\x81\0\x10")),
        tlv(0xA1, principal(1, client)),
        tlv(0xA2, tlv(0x1B, REALM.encode())),
        tlv(0xA3, principal(2, *service)),
        tlv(0xA5, TIME),
        tlv(0xA7, number(4711)),
        tlv(0xA8, tlv(0x30, number(18), number(23))),
    )
    fields = tlv(0xA1, number(5)) + tlv(0xA2, number(kind)) + tlv(0xA4, body)
    return tlv(0x60 | kind, tlv(0x30, fields))


def ticket_reply(kind: int, client: str, service: tuple[str, ...], encryption: int) -> bytes:
    """An AS-REP (11) or TGS-REP (13) whose ticket and own part have this encryption type."""

    def sealed(label: str) -> bytes:
        return tlv(0x30, tlv(0xA0, number(encryption)), tlv(0xA2, tlv(4, noise(label, 96))))

    ticket = tlv(
        0x61,
        tlv(
            0x30,
            tlv(0xA0, number(5)),
            tlv(0xA1, tlv(0x1B, REALM.encode())),
            tlv(0xA2, principal(2, *service)),
            tlv(0xA3, sealed("ticket")),
        ),
    )
    fields = (
        tlv(0xA0, number(5))
        + tlv(0xA1, number(kind))
        + tlv(0xA3, tlv(0x1B, REALM.encode()))
        + tlv(0xA4, principal(1, client))
        + tlv(0xA5, ticket)
        + tlv(0xA6, sealed("reply"))
    )
    return tlv(0x60 | kind, tlv(0x30, fields))


def kerberos(encryption: int) -> Tape:
    """A login and a service ticket over TCP, both with this encryption type."""
    tape = Tape()
    talk = Tcp(tape, CLIENT, SERVER, (49152, 88)).open()
    grant, files = ("krbtgt", REALM), ("cifs", "files.lan.test")
    for kind, service in ((10, grant), (12, files)):
        for message, send in (
            (ticket_request(kind, "alice", service), talk.say),
            (ticket_reply(kind + 1, "alice", service, encryption), talk.hear),
        ):
            send(len(message).to_bytes(4, "big") + message)
    talk.close()
    return tape


def refusals(count: int) -> Tape:
    """Logins over UDP that end with KDC_ERR_PREAUTH_FAILED, a new user each."""
    tape = Tape()
    for index in range(count):
        request = ticket_request(10, f"user{index}", ("krbtgt", REALM))
        fields = (
            tlv(0xA0, number(5))
            + tlv(0xA1, number(30))
            + tlv(0xA4, TIME)
            + tlv(0xA5, number(0))
            + tlv(0xA6, number(24))
            + tlv(0xA9, tlv(0x1B, REALM.encode()))
            + tlv(0xAA, principal(2, "krbtgt", REALM))
        )
        tape.udp(CLIENT, SERVER, (50000 + index, 88), request)
        tape.udp(SERVER, CLIENT, (88, 50000 + index), tlv(0x7E, tlv(0x30, fields)))
    return tape


def directory(code: int, client: str = CLIENT) -> Tape:
    """A bind that ends with this result code, and a search if it succeeded."""
    tape = Tape()
    talk = Tcp(tape, client, SERVER, (49389, 389)).open()
    name, empty = b"cn=alice,dc=lan,dc=test", tlv(4)
    bind = tlv(0x60, number(3), tlv(4, name), tlv(0x80, b"example"))
    talk.say(tlv(0x30, number(1), bind))
    talk.hear(tlv(0x30, number(1), tlv(0x61, number(code, 0x0A), empty, empty)))
    if code == 0:
        fixed = number(2, 0x0A) + number(0, 0x0A) + number(0) + number(0) + tlv(1, b"\0")
        present = tlv(0x87, b"objectClass")
        wanted = tlv(0x30, tlv(4, b"cn"))
        talk.say(tlv(0x30, number(2), tlv(0x63, tlv(4, b"dc=lan,dc=test"), fixed, present, wanted)))
        values = tlv(0x30, tlv(4, b"cn"), tlv(0x31, tlv(4, b"alice")))
        talk.hear(tlv(0x30, number(2), tlv(0x64, tlv(4, name), tlv(0x30, values))))
        talk.hear(tlv(0x30, number(2), tlv(0x65, number(0, 0x0A), empty, empty)))
        talk.say(tlv(0x30, number(3), b"\x42\x00"))
    talk.close()
    return tape


def payload(following: int, content: bytes) -> bytes:
    return bytes([following, 0]) + (4 + len(content)).to_bytes(2, "big") + content


def key_exchange(transforms: tuple[tuple[int, int], ...], client: str) -> Tape:
    """IKE_SA_INIT with one proposal of these (type, identifier) transforms, accepted."""
    last = len(transforms) - 1
    inner = b"".join(
        payload(0 if index == last else 3, bytes([kind, 0]) + identifier.to_bytes(2, "big"))
        for index, (kind, identifier) in enumerate(transforms)
    )
    proposal = payload(0, bytes([1, 1, 0, len(transforms)]) + inner)
    tape = Tape()
    for source, destination, spi, flags in (
        (client, SERVER, bytes(8), 0x08),
        (SERVER, client, noise("responder", 8), 0x20),
    ):
        group = transforms[-1][1].to_bytes(2, "big") + b"\0\0"
        body = payload(34, proposal) + payload(40, group + noise("public value", 128))
        body += payload(0, noise("nonce", 32))
        header = noise("initiator", 8) + spi + bytes([33, 0x20, 34, flags]) + bytes(4)
        tape.udp(source, destination, (500, 500), header + (28 + len(body)).to_bytes(4, "big") + body)
    return tape


def lease(seconds: int, server: str = SERVER) -> Tape:
    """An address asked for and given for so many seconds."""
    tape = Tape()
    hardware = bytes.fromhex("02000a14000f") + bytes(10)
    for source, destination, ports, operation, kind, extra in (
        (CLIENT, server, (68, 67), 1, 3, b"\x0c\x05desk1\x37\x03\x01\x03\x06"),
        (server, CLIENT, (67, 68), 2, 5, b"\x33\x04" + seconds.to_bytes(4, "big")),
    ):
        addresses = bytes(4) + (bytes([10, 20, 0, 15]) if operation == 2 else bytes(4)) + bytes(8)
        header = bytes([operation, 1, 6, 0]) + b"\0\0\x12\x34" + bytes(4) + addresses + hardware
        options = b"\x63\x82\x53\x63\x35\x01" + bytes([kind]) + extra + b"\xff"
        tape.udp(source, destination, ports, header + bytes(192) + options)
    return tape


def managed(user: bytes) -> Tape:
    """An unencrypted SNMP version 3 request by this user."""
    tape = Tape()
    security = tlv(0x30, tlv(4, b"engine"), number(1), number(2), tlv(4, user), tlv(4), tlv(4))
    binding = tlv(0x30, tlv(6, bytes.fromhex("2b06010201010100")), tlv(5))
    pdu = tlv(0xA0, number(7), number(0), number(0), tlv(0x30, binding))
    header = tlv(0x30, number(1), number(1500), tlv(4, b"\x04"), number(3))
    message = tlv(0x30, number(3), header, tlv(4, security), tlv(0x30, tlv(4, b"engine"), tlv(4), pdu))
    tape.udp(CLIENT, SERVER, (50161, 161), message)
    return tape


STRONG = ((1, 20), (2, 5), (4, 19))
WEAK = ((1, 3), (2, 1), (3, 1), (4, 2))

CAPTURES = {
    "krb5-login.pcap": ("a login and a service ticket, AES", lambda: kerberos(18)),
    "krb5-weak.pcap": ("the same with RC4", lambda: kerberos(23)),
    "krb5-guessing.pcap": ("twelve logins refused for their passwords", lambda: refusals(12)),
    "krb5-refused.pcap": ("one login refused", lambda: refusals(1)),
    "ldap-search.pcap": ("a bind, a search, an unbind", lambda: directory(0)),
    "ldap-refused.pcap": ("a bind with a wrong password, from outside", lambda: directory(49, OUTSIDE)),
    "ike-strong.pcap": ("IKE_SA_INIT with AES-GCM and P-256", lambda: key_exchange(STRONG, OUTSIDE)),
    "ike-weak.pcap": ("IKE_SA_INIT with 3DES, MD5 and group 2", lambda: key_exchange(WEAK, OUTSIDE)),
    "dhcp-lease.pcap": ("an address for a day", lambda: lease(86_400)),
    "dhcp-short-lease.pcap": ("an address for half a minute", lambda: lease(30)),
    "snmp-v3-user.pcap": ("an unencrypted request by the user initial", lambda: managed(b"initial")),
    "snmp-v3-other.pcap": ("an unencrypted request by another user", lambda: managed(b"monitor")),
}
